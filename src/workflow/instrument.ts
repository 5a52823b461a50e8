import { INTERNAL_EVENTS } from './internal-event.ts'

interface InvokeConfig {
  readonly src?: unknown
  readonly id?: string
}

interface StateConfig {
  readonly invoke?: InvokeConfig | readonly InvokeConfig[]
  readonly on?: Readonly<Record<string, unknown>>
  readonly states?: Readonly<Record<string, StateConfig>>
}

/**
 * Gives invocations the name of their actor as id, where that actor is invoked in one place only: ids that people read
 * in records and messages, instead of XState's `0.(machine).state`.
 */
export function withReadableIds(config: StateConfig): StateConfig {
  const counts = new Map<unknown, number>()
  countSources(config, counts)
  return nameInvocations(config, (src) => counts.get(src) === 1)
}

function invocationsOf({ invoke }: StateConfig): readonly InvokeConfig[] {
  return invoke === undefined
    ? []
    : Array.isArray(invoke)
      ? (invoke as readonly InvokeConfig[])
      : [invoke as InvokeConfig]
}

function countSources(state: StateConfig, counts: Map<unknown, number>): void {
  for (const { src, id } of invocationsOf(state))
    for (const name of [src, id]) if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1)
  for (const child of Object.values(state.states ?? {})) countSources(child, counts)
}

function nameInvocations(state: StateConfig, isUnique: (src: unknown) => boolean): StateConfig {
  const invoke = invocationsOf(state).map((invoked) =>
    invoked.id === undefined && typeof invoked.src === 'string' && isUnique(invoked.src)
      ? { ...invoked, id: invoked.src }
      : invoked,
  )
  const states = Object.entries(state.states ?? {}).map(([name, child]) => [name, nameInvocations(child, isUnique)])
  return {
    ...state,
    ...(invoke.length === 0 ? {} : { invoke }),
    ...(states.length === 0 ? {} : { states: Object.fromEntries(states) as Record<string, StateConfig> }),
  }
}

/**
 * Adds the runtime's own events to a config: at the root, and at every state whose wildcard would swallow them. Two
 * regions that both carry one apply it once (Board.apply).
 */
export function withInternalEvents(config: StateConfig): StateConfig {
  return { ...addTo(config, true) }
}

function addTo(state: StateConfig, always: boolean): StateConfig {
  const events = Object.keys(state.on ?? {})
  const added = INTERNAL_EVENTS.filter((type) => always || events.some((event) => wildcardCovers(event, type)))
  const on = Object.fromEntries(added.map((type) => [type, { actions: type }]))
  const states = Object.entries(state.states ?? {}).map(([name, child]) => [name, addTo(child, false)])
  return {
    ...state,
    ...(added.length === 0 ? {} : { on: { ...state.on, ...on } }),
    ...(states.length === 0 ? {} : { states: Object.fromEntries(states) as Record<string, StateConfig> }),
  }
}

/** `*` and `callboard.*` match our events. */
function wildcardCovers(descriptor: string, type: string): boolean {
  return descriptor === '*' || (descriptor.endsWith('.*') && type.startsWith(descriptor.slice(0, -1)))
}
