// What a machine's states would have begun had the run come to them by itself: invocations and delays. For runs that go on
// with another definition, where XState restores states without starting anything. Pure.
import { createActor } from 'xstate'
import type { AnyActorLogic, AnyStateMachine, AnyStateNode } from 'xstate'
import { CallboardError } from '../base/index.ts'
import { isAgentLogic, sourceOf, workflowOf } from '../workflow/index.ts'
import type { WorkflowStructure } from '../workflow/index.ts'
import { structureAt } from './configuration.ts'
import { oldIdOf } from './fit.ts'
import type { PersistedChild } from './fit.ts'
import { invocationName } from './invocation-name.ts'
import { delayIn, delayTimer, isDelay } from './pending-timer.ts'
import type { PendingTimer } from './pending-timer.ts'

export interface TimersQuestion {
  readonly machine: AnyStateMachine
  /** The states that are active now. */
  readonly nodes: readonly AnyStateNode[]
  /** The places of the states that were active before. */
  readonly wasActive: ReadonlySet<string>
  readonly before: WorkflowStructure | undefined
  readonly timers: readonly PendingTimer[]
  /** What delays are computed from. */
  readonly context: Readonly<Record<string, unknown>>
  readonly at: number
}

/**
 * The pending timers under another definition. A delay that is still there keeps its instant. One that a state has got
 * instead of a pending one counts from when the state was entered; one that is new, or whose state is, counts from `at`.
 */
export function timersOf(question: TimersQuestion): readonly PendingTimer[] {
  const { nodes, timers } = question
  return [...timers.filter((timer) => !isDelay(timer)), ...nodes.flatMap((node) => timersOfState(node, question))]
}

function timersOfState(node: AnyStateNode, question: TimersQuestion): readonly PendingTimer[] {
  const { before, timers, at } = question
  const stays = question.wasActive.has(placeOf(node))
  const pending = new Map<string, PendingTimer>()
  for (const timer of stays ? timers : []) {
    const delay = delayIn(timer, oldIdOf(node, before))
    if (delay !== undefined) pending.set(delay, timer)
  }
  const had = (stays ? structureAt(before?.root, node.path)?.after : undefined) ?? {}
  const enteredAt = Math.min(...[...pending].map(([delay, { dueAt }]) => dueAt - Number(delay)).filter(Number.isFinite))
  const countsFrom = Number.isFinite(enteredAt) ? enteredAt : at
  const delays = new Set(node.after.map(({ delay }) => delay as number | string))
  return [...delays].flatMap((delay) => {
    const kept = pending.get(String(delay))
    if (kept !== undefined) return [delayTimer(node.id, delay, kept.dueAt)]
    // What the state had already has passed: its transition was not taken.
    if (Object.hasOwn(had, String(delay))) return []
    return [delayTimer(node.id, delay, countsFrom + msOf(delay, question))]
  })
}

/** How long a delay is that may have a name. */
function msOf(delay: number | string, { machine, context }: TimersQuestion): number {
  if (typeof delay === 'number') return delay
  const named = machine.implementations.delays as Readonly<Record<string, unknown>>
  const found = Object.hasOwn(named, delay) ? named[delay] : undefined
  const ms =
    typeof found === 'function'
      ? (found as (args: object, params: undefined) => unknown)({ context, event: ENTER }, undefined)
      : found
  if (typeof ms === 'number' && !Number.isNaN(ms)) return ms
  throw new CallboardError(
    'deadline.invalid',
    `delay "${delay}" is ${String(ms)}; a delay is a number of milliseconds`,
    {
      delay,
    },
  )
}

/** The event that inputs and delays are computed from: there is none that led here. */
const ENTER = Object.freeze({ type: 'callboard.definition' })

export function placeOf({ path }: AnyStateNode): string {
  return path.join('.')
}

export interface ChildrenQuestion {
  readonly runId: string
  readonly machine: AnyStateMachine
  readonly nodes: readonly AnyStateNode[]
  /** The children that go on. */
  readonly kept: Readonly<Record<string, PersistedChild>>
  /** Whether an invocation that is not kept begins, or is over. */
  readonly begins: (node: AnyStateNode, invoked: { readonly id: string; readonly src: unknown }) => boolean
  readonly context: Readonly<Record<string, unknown>>
  /** How many invocations there have been. */
  readonly invocations: number
}

/** The children of a machine under another definition: those that go on, and what active states begin anew. */
export function childrenOf(question: ChildrenQuestion): {
  readonly children: Readonly<Record<string, PersistedChild>>
  readonly invocations: number
} {
  const { runId, machine, nodes, kept, begins, context } = question
  const children: Record<string, PersistedChild> = { ...kept }
  let { invocations } = question
  for (const node of nodes) {
    for (const invoked of node.invoke) {
      const { id, src, systemId, onSnapshot } = invoked as typeof invoked & { readonly onSnapshot?: unknown }
      const logic = (machine.implementations.actors as Readonly<Record<string, AnyActorLogic>>)[sourceOf(src)]
      if (Object.hasOwn(kept, id) || logic === undefined || !begins(node, { id, src })) continue
      invocations += 1
      const invocation = invocationName(runId, id, invocations)
      const input: unknown =
        typeof invoked.input === 'function'
          ? (invoked.input as (args: object) => unknown)({ context, event: ENTER, self: undefined })
          : invoked.input
      children[id] = {
        src: sourceOf(src),
        systemId,
        syncSnapshot: onSnapshot !== undefined,
        snapshot: firstSnapshotOf(logic, input, invocation),
      }
    }
  }
  return { children, invocations }
}

/** What is stored of an actor that has not begun. */
function firstSnapshotOf(logic: AnyActorLogic, input: unknown, invocation: string): PersistedChild['snapshot'] {
  if (isAgentLogic(logic) || workflowOf(logic) !== undefined)
    return { status: 'active', input, output: undefined, error: undefined, invocation }
  return createActor(logic, { input }).getPersistedSnapshot() as unknown as PersistedChild['snapshot']
}
