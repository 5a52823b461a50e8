// Whether a run may leave memory, and what has to bring it back. Pure: from what is known of it.
import { matchesPattern, patternsOverlap } from '../context/index.ts'
import type { Board, CellChange } from '../context/index.ts'
import type { Subscriptions, Wait } from '../waits/index.ts'
import type { WorkflowDefinition } from '../workflow/index.ts'
import type { AgentProcess } from './agent-process.ts'
import { hasOtherActors, hasUntoldEnd } from './find-deadlock.ts'
import type { MachineSnapshot } from './machine-snapshot.ts'
import type { RequestLine } from './run-notes.ts'

/** What is known of a run whose records are all stored and in which nobody outside has a stake. */
export interface RestFacts {
  readonly definition: WorkflowDefinition
  readonly machine: MachineSnapshot
  readonly processes: readonly AgentProcess[]
  readonly waits: readonly Wait[]
  /** When the waits of limited time end, all of which are in the ledger; undefined while some are not. */
  readonly waitInstants: readonly number[] | undefined
  readonly requests: Iterable<RequestLine>
  readonly subscriptions: Subscriptions | undefined
  /** With the global entries as they are. */
  readonly board: Board
  /** The instant of its next delayed event. */
  readonly nextTimerAt: number | undefined
  readonly now: number
  /** Whether other runs could write a key that a pattern names. */
  readonly isShared: (pattern: string) => boolean
}

/** How a run rests. */
export interface Rest {
  /** The instant of its next deadline; infinite for none. */
  readonly until: number
  /** Keys and patterns of global entries that concern it; `*` for all. */
  readonly concerns: readonly string[]
}

/** Leaving and coming back cost more than staying this long. */
const SHORTEST_REST_MS = 1_000

/** How the run rests, or undefined when it has something to do, or something to lose. */
export function restOf(facts: RestFacts): Rest | undefined {
  const { definition, machine, processes, waits, waitInstants, board, now } = facts
  if (hasOtherActors(machine, definition) || hasUntoldEnd(machine, processes)) return undefined
  const active = processes.filter(({ status }) => status === 'running' || status === 'waiting')
  if (active.some(({ isIdle }) => !isIdle)) return undefined
  // A wait whose instant is not in the ledger would begin its time anew when its agent does.
  const limited = waits.filter(({ timeoutMs }) => timeoutMs !== Number.POSITIVE_INFINITY)
  if (waitInstants?.length !== limited.length) return undefined
  // Their values are nowhere else.
  if (board.holdsEphemerals) return undefined
  const concerns = concernsOf(facts, active)
  const instants = [
    facts.nextTimerAt,
    ...waitInstants,
    board.own.nextExpiryAt,
    concerns.length === 0 ? undefined : board.globals.nextExpiryAt,
    ...Array.from(facts.requests, ({ askedAt, timeoutMs }) =>
      timeoutMs === undefined ? undefined : askedAt + timeoutMs,
    ),
  ]
  const until = Math.min(...instants.filter((at) => at !== undefined))
  return until < now + SHORTEST_REST_MS ? undefined : { until, concerns }
}

/** Whether some workflow could write a key that a pattern names for all runs. */
export function isWrittenGlobally(pattern: string, definitions: readonly WorkflowDefinition[]): boolean {
  return definitions.some(({ catalogue }) =>
    catalogue.entries.some(
      ({ name, scope, infersScope }) => (scope === 'global' || infersScope) && patternsOverlap(pattern, name),
    ),
  )
}

/** Whether some of the changes concern a run that rests. */
export function isConcernedBy(concerns: readonly string[], changes: readonly CellChange[]): boolean {
  return changes.some(({ key }) => concerns.some((pattern) => pattern === '*' || matchesPattern(pattern, key)))
}

/** What it waits for, listens to, or has made entries from, as far as other runs could write it. */
function concernsOf(
  { waits, subscriptions, board, isShared }: RestFacts,
  active: readonly AgentProcess[],
): readonly string[] {
  const patterns = new Set<string>()
  for (const { keys } of waits) for (const key of keys) patterns.add(key)
  for (const pattern of subscriptions?.patternsOf(new Set(active.map(({ id }) => id))) ?? []) patterns.add(pattern)
  for (const { live, entry } of board.own.cells()) if (live) for (const key of entry.dependsOn) patterns.add(key)
  return [...patterns].filter(isShared)
}
