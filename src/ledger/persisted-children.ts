// What XState persists of a machine's children, as far as it is ours.

/** A child: an invocation of ours, or a machine with children of its own. */
interface PersistedChild {
  readonly snapshot?: {
    readonly status?: unknown
    readonly invocation?: unknown
    readonly children?: Readonly<Record<string, PersistedChild>>
  }
}

/** The invocations that a persisted machine, and the machines inside it, are waiting for. */
export function invocationNames(persisted: unknown): ReadonlySet<string> {
  const names = new Set<string>()
  for (const [, { snapshot }] of childrenOf(persisted)) {
    if (snapshot?.status !== 'active') continue
    if (typeof snapshot.invocation === 'string') names.add(snapshot.invocation)
    for (const name of invocationNames(snapshot)) names.add(name)
  }
  return names
}

/** A persisted machine with other names for its invocations. */
export function withInvocations(persisted: unknown, rename: (invocation: string) => string): unknown {
  const children = childrenOf(persisted)
  if (children.length === 0) return persisted
  const renamed = children.map(([id, child]): [string, PersistedChild] => {
    if (child.snapshot === undefined) return [id, child]
    const snapshot = withInvocations(child.snapshot, rename) as NonNullable<PersistedChild['snapshot']>
    const { invocation } = snapshot
    if (typeof invocation !== 'string') return [id, { ...child, snapshot }]
    return [id, { ...child, snapshot: { ...snapshot, invocation: rename(invocation) } }]
  })
  return { ...(persisted as object), children: Object.fromEntries(renamed) }
}

function childrenOf(persisted: unknown): readonly (readonly [string, PersistedChild])[] {
  return Object.entries((persisted as PersistedChild['snapshot'])?.children ?? {})
}
