// Pending timers as records keep them: which are delays of the machine's own states, and how such a one is written.
import type { MachineState } from '../ledger/index.ts'

export type PendingTimer = MachineState['timers'][number]

const AFTER = 'xstate.after.'

/** The delay a timer stands for if it is one of the machine's state of that id: a number as text, or a name. */
export function delayIn({ event, target }: PendingTimer, stateId: string): string | undefined {
  const end = `.${stateId}`
  if (target.length > 0 || !event.type.startsWith(AFTER) || !event.type.endsWith(end)) return undefined
  return event.type.slice(AFTER.length, -end.length)
}

/** Whether it is a delay of some state of the machine. */
export function isDelay({ event, target }: PendingTimer): boolean {
  return target.length === 0 && event.type.startsWith(AFTER)
}

/** The timer that XState sets for a delay of a state. */
export function delayTimer(stateId: string, delay: number | string, dueAt: number): PendingTimer {
  const type = `${AFTER}${delay}.${stateId}`
  return { id: type, event: { type }, dueAt, source: [], target: [] }
}

/** Whether who set it and who it is for are still there. */
export function reaches({ source, target }: PendingTimer, children: Readonly<Record<string, unknown>>): boolean {
  return [source, target].every(([child]) => child === undefined || Object.hasOwn(children, child))
}
