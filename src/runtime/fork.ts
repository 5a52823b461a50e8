// Fork: the beginning of a run that goes on from a point of another one.
//   F1. The other run, and its child runs, are read and never written to.
//   F2. The first record of a fork holds everything it starts from: entries with their versions, the machine, finished steps.
//   F3. It goes on as the other run would have, had its process ended at that point and come back now: agents in flight run
//       again, finished steps are not repeated. Its invocations and child runs have names of its own.
//   F4. What was left of a time at the point is left in the fork: timers, waits, questions, pauses between
//       attempts, entries that expire.
import type { AnyStateMachine } from 'xstate'
import { CallboardError } from '../base/index.ts'
import type { Board, Cell, CellChange } from '../context/index.ts'
import { invocationNames, withInvocations } from '../ledger/index.ts'
import type { GlobalsMark, LedgerRecord, MachineState } from '../ledger/index.ts'
import type { Batch, RunSummary, Store } from '../store/index.ts'
import { workflowOf } from '../workflow/index.ts'
import type { DefinitionStamp } from '../workflow/index.ts'
import { appendAll } from './commit.ts'
import { firstKeptSeq, loadRun, readRecords } from './load-run.ts'
import { actorsAtWork } from './fit.ts'
import type { PersistedMachine } from './fit.ts'
import { definitionOf, takenOr } from './runtime-errors.ts'
import type { RequestLine } from './run-notes.ts'
import type { RunState } from './run-state.ts'
import type { StepLine } from './step.ts'

export interface ForkOptions {
  /** The id of the new run; chosen by the runtime unless given. */
  readonly runId?: string
  /** In whose name; `outside` unless given. */
  readonly by?: string
  /** For the record. */
  readonly reason?: string
}

/** What the first record of a fork says beside its input. */
export interface ForkLine {
  readonly forkedFrom: { readonly runId: string; readonly seq: number; readonly at: number }
  readonly reason?: string
  /** What its agents had done. */
  readonly steps: readonly JournalLine[]
  /** What people had been asked and had not answered. */
  readonly requests?: readonly RequestLine[]
}

/** What a journal keeps of a step. */
export type JournalLine = Omit<StepLine, 'agent' | 'error'>

/** What is forked, and into what. */
interface ForkPlan {
  readonly store: Store
  readonly machine: AnyStateMachine
  readonly from: { readonly summary: RunSummary; readonly state: RunState }
  readonly to: { readonly runId: string; readonly parent: RunSummary['parent'] }
  readonly at: number
  /** By how much instants move on. */
  readonly delayMs: number
  readonly by: string
  readonly reason: string | undefined
  /** Up to where it sees the global entries. */
  readonly globals: GlobalsMark | undefined
}

/** The beginning of a fork, in the store. */
export interface StoredFork {
  readonly summary: RunSummary
  /** Takes it back: it cannot go on. */
  remove(): Promise<void>
}

/**
 * Stores the beginning of a fork and of those of its child runs that were at work, all or none.
 * @throws CallboardError `run.finished` where there is nothing to go on with; `run.exists` for an id that is taken;
 *   `run.trimmed` where records of the point are not kept, be it of a child run
 */
export async function storeFork(
  plan: Omit<ForkPlan, 'to' | 'delayMs' | 'from'> & {
    readonly to: string
    readonly summary: RunSummary
    readonly seq: number
  },
): Promise<StoredFork> {
  const { store, machine, summary, seq, to, at } = plan
  const state = await loadRun({ store, catalogue: definitionOf(machine).catalogue, runId: summary.runId, atSeq: seq })
  const status = state.machine?.status
  if (status !== 'active') {
    throw new CallboardError(
      'run.finished',
      `run ${summary.runId} had ended at ${seq} (${status ?? 'no machine'}): there is nothing to go on with; fork it at an earlier point`,
      { runId: summary.runId, seq },
    )
  }
  const delayMs = Math.max(0, at - state.at)
  const batches = await batchesOf({ ...plan, delayMs, from: { summary, state }, to: { runId: to, parent: undefined } })
  await appendAll(store, batches).catch((error: unknown) => {
    throw takenOr(error)
  })
  return {
    summary: (batches[0] as Batch).summary,
    remove: async () => {
      for (const { runId } of batches) await store.remove(runId)
    },
  }
}

async function batchesOf(plan: ForkPlan): Promise<readonly Batch[]> {
  const { machine, from, to, at } = plan
  const { summary, state } = from
  if (state.machine === undefined) return []
  const record = firstRecord(plan, state.machine)
  const batch: Batch = {
    runId: to.runId,
    expectedSeq: 0,
    records: [record],
    summary: {
      ...summary,
      runId: to.runId,
      status: state.machine.status,
      seq: record.seq,
      createdAt: at,
      updatedAt: at,
      parent: to.parent,
    },
  }
  const batches: Batch[] = [batch]
  const persisted = state.machine.persisted as PersistedMachine
  for (const { id, logic, invocation } of actorsAtWork(machine, definitionOf(machine).actors, persisted)) {
    if (invocation !== undefined && workflowOf(logic) !== undefined)
      batches.push(...(await childBatches(plan, { id, invocation, machine: logic as AnyStateMachine })))
  }
  return batches
}

/** A child run as it was at the instant of the point; none where it had not begun: the fork begins it then. */
async function childBatches(
  plan: ForkPlan,
  { id, invocation, machine }: { readonly id: string; readonly invocation: string; readonly machine: AnyStateMachine },
): Promise<readonly Batch[]> {
  const { store, from, to } = plan
  const summary = await store.summary(invocation)
  if (summary === undefined) return []
  const keptSeq = (await firstKeptSeq(store, invocation)) - 1
  const records = await readRecords(store, invocation, { afterSeq: keptSeq })
  const seq = records.findLast(({ at }) => at <= from.state.at)?.seq ?? keptSeq
  if (seq === 0) return []
  const { catalogue } = definitionOf(machine)
  const state = await loadRun({ store, catalogue, runId: invocation, atSeq: seq })
  if (state.at > from.state.at) {
    if (summary.createdAt > from.state.at) return []
    throw trimmedChildError(invocation, from, keptSeq + 1)
  }
  const runId = renamed(invocation, from.summary.runId, to.runId)
  return batchesOf({ ...plan, machine, from: { summary, state }, to: { runId, parent: { runId: to.runId, id } } })
}

function firstRecord({ from, to, at, delayMs, by, reason, globals }: ForkPlan, machine: MachineState): LedgerRecord {
  const { runId } = from.summary
  const { seq, at: pointAt, board, notes } = from.state
  const rename = (invocation: string): string => renamed(invocation, runId, to.runId)
  const atWork = invocationNames(machine.persisted)
  const steps = notes.journal
    .lines()
    .filter(({ invocation }) => atWork.has(invocation))
    .map((line) => ({
      ...line,
      invocation: rename(line.invocation),
      ...(line.retryAt === undefined ? {} : { retryAt: line.retryAt + delayMs }),
    }))
  const requests = Array.from(notes.requests.values(), (line) => ({
    ...line,
    id: rename(line.id),
    askedAt: line.askedAt + delayMs,
  }))
  const asked: ForkLine & { readonly input: unknown; readonly definition?: DefinitionStamp } = {
    input: machine.context['input'],
    ...(notes.definition === undefined ? {} : { definition: notes.definition }),
    forkedFrom: { runId, seq, at: pointAt },
    ...(reason === undefined ? {} : { reason }),
    steps,
    ...(requests.length === 0 ? {} : { requests }),
  }
  return {
    seq: 1,
    runId: to.runId,
    at,
    kind: 'start',
    author: by,
    asked,
    changes: changesOf(board, delayMs),
    conflicts: [],
    refusals: [],
    machine: {
      ...machine,
      persisted: withInvocations(machine.persisted, rename),
      timers: machine.timers.map((timer) => ({ ...timer, dueAt: timer.dueAt + delayMs })),
    },
    ...(globals === undefined ? {} : { globals }),
  }
}

/** Every cell of the run's own, so that versions count on; global entries are not the run's. */
function changesOf({ own }: Board, delayMs: number): readonly CellChange[] {
  return [...own.cells()]
    .map((cell) => forkedCell(cell, delayMs))
    .map((cell) => {
      const { scope, holder, key } = cell.entry
      return { kind: cell.live ? 'put' : 'drop', scope, holder, key, cell, previous: undefined }
    })
}

function forkedCell(cell: Cell, delayMs: number): Cell {
  const { entry } = cell
  // What is ephemeral does not come along; its versions do.
  if (!cell.live || entry.ephemeral)
    return { ...cell, live: false, exotic: false, size: 0, entry: Object.freeze({ ...entry, value: undefined }) }
  if (entry.expiresAt === undefined) return cell
  return { ...cell, entry: Object.freeze({ ...entry, expiresAt: entry.expiresAt + delayMs }) }
}

/** Names of invocations begin with the id of their run. */
function renamed(invocation: string, from: string, to: string): string {
  return invocation.startsWith(`${from}.`) ? `${to}${invocation.slice(from.length)}` : invocation
}

/** Begun anew, it would do again what it had done. */
function trimmedChildError(runId: string, { summary, state }: ForkPlan['from'], firstSeq: number): CallboardError {
  return new CallboardError(
    'run.trimmed',
    `run ${runId}: its records are kept from ${firstSeq} on, and what it was when run ${summary.runId} was at ${state.seq} is not among them; fork a later point, or keep more with createRuntime({ retention: { keepRecords } })`,
    { runId, firstSeq },
  )
}
