// What XState persists of a machine's children, as far as it is ours.

/** A child: an invocation of ours, or a machine with children of its own. */
interface PersistedChild {
  readonly src?: unknown
  readonly snapshot?: {
    readonly status?: unknown
    readonly invocation?: unknown
    readonly children?: Readonly<Record<string, PersistedChild>>
  }
}

/** An invocation that a persisted machine, or a machine inside it, is waiting for. */
export interface ActiveInvocation {
  readonly id: string
  /** The name it is registered under. */
  readonly src: string
  readonly invocation: string
}

export function activeInvocations(persisted: unknown): readonly ActiveInvocation[] {
  return childrenOf(persisted).flatMap(([id, { src, snapshot }]) => {
    if (snapshot?.status !== 'active') return []
    const inner = activeInvocations(snapshot)
    const { invocation } = snapshot
    return typeof invocation === 'string'
      ? [{ id, src: typeof src === 'string' ? src : '', invocation }, ...inner]
      : inner
  })
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
