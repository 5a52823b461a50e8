import type { AnyStateNode, AnyTransitionDefinition } from 'xstate'

import { callableName } from './callable-name.ts'
import type { ChartInvoke } from './chart.ts'
import { statePath } from './path.ts'

export type ChartTransitionKind =
  | 'event'
  | 'always'
  | 'after'
  | 'done'
  | 'invoke-done'
  | 'invoke-error'
  | 'invoke-snapshot'
  | 'route'

export interface ChartTransition {
  readonly kind: ChartTransitionKind
  /** XState's event type; `''` for `always`. */
  readonly event: string
  /** The event as people say it: `SUBMIT`, `after 500ms`, `planner done`. */
  readonly label: string
  readonly guard?: string
  readonly actions: readonly string[]
  /** Paths of the targets, several where parallel regions are entered; none where the state stays and only acts. */
  readonly targets: readonly string[]
  /** True where the source is left and entered again even if the target lies inside it. */
  readonly reenter: boolean
  readonly delay?: number | string
  /** The id of the invoked actor whose end or change is the event. */
  readonly invoke?: string
  readonly description?: string
}

type Occasion = Pick<ChartTransition, 'kind' | 'label' | 'invoke' | 'delay'>

/** The transitions that leave a state, in the order in which XState tries them for one event; `always` last. */
export function transitionsOf(node: AnyStateNode, invokes: readonly ChartInvoke[]): readonly ChartTransition[] {
  const ordered = [...node.transitions.values()].flat().concat(node.always ?? [])
  return ordered.map((transition) => transitionOf(transition, occasionOf(transition, node, invokes)))
}

function transitionOf(transition: AnyTransitionDefinition, occasion: Occasion): ChartTransition {
  const { guard, actions, target, reenter, description } = transition
  const shownGuard = occasion.kind === 'route' ? routeGuard(target?.[0]) : guard
  return {
    ...occasion,
    event: transition.eventType,
    ...(shownGuard !== undefined && { guard: callableName(shownGuard) }),
    actions: actions.map(callableName),
    targets: (target ?? []).map(({ path }) => statePath(path)),
    reenter,
    ...(typeof description === 'string' && { description }),
  }
}

/** XState joins a route's guard with a check of the event that only repeats the target. */
function routeGuard(target: AnyStateNode | undefined): unknown {
  return (target?.config as { route?: { guard?: unknown } } | undefined)?.route?.guard
}

function occasionOf(
  transition: AnyTransitionDefinition,
  node: AnyStateNode,
  invokes: readonly ChartInvoke[],
): Occasion {
  const event: string = transition.eventType
  const { delay } = transition as { delay?: number | string }
  if (event === '') return { kind: 'always', label: 'always' }
  if (delay !== undefined) return { kind: 'after', label: `after ${duration(delay)}`, delay }
  if (event === `xstate.done.state.${node.id}`) return { kind: 'done', label: 'done' }
  if (event === 'xstate.route') return { kind: 'route', label: `route to ${transition.target?.[0]?.key ?? ''}` }
  for (const { id, name } of invokes) {
    if (event === `xstate.done.actor.${id}`) return { kind: 'invoke-done', label: `${name} done`, invoke: id }
    if (event === `xstate.error.actor.${id}`) return { kind: 'invoke-error', label: `${name} failed`, invoke: id }
    if (event === `xstate.snapshot.${id}`) return { kind: 'invoke-snapshot', label: `${name} changed`, invoke: id }
  }
  return { kind: 'event', label: event }
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const

/** A delay in the largest unit that divides it; a named delay is its name. */
function duration(delay: number | string): string {
  if (typeof delay === 'string') return delay
  const [unit, size] = UNITS.find(([, size]) => delay >= size && delay % size === 0) ?? ['ms', 1]
  return `${delay / size}${unit}`
}
