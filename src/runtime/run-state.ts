// RunState: everything a run is made of, folded from its ledger: the board and machine, and what its agents have done.
import type { Catalogue } from '../context/index.ts'
import { emptyState, foldRecords } from '../ledger/index.ts'
import type { FoldedState, LedgerRecord } from '../ledger/index.ts'
import type { ForkLine } from './fork.ts'
import { Journal, MERGE_STEP } from './journal.ts'
import { snapshotIn } from './point.ts'
import type { SnapshotInfo } from './point.ts'
import type { RecordNote } from './record-note.ts'
import type { StepLine } from './step.ts'

export interface RunState extends FoldedState {
  readonly journal: Journal
  readonly snapshots: readonly SnapshotInfo[]
  /** Set when the run was stopped, or failed outside its machine. */
  readonly end: EndLine | undefined
}

/** What an `end` record says. */
export interface EndLine {
  readonly status: 'stopped' | 'error'
  readonly reason?: string
  readonly error?: { readonly code: string; readonly message: string }
}

/** What an update or event says that answers a person's request. */
type AnswerLine = Pick<RecordNote, 'answers' | 'answer' | 'merges'>

/** The state that a run's records add up to. */
export function foldRun(catalogue: Catalogue, runId: string, records: readonly LedgerRecord[]): RunState {
  const journal = new Journal()
  const snapshots: SnapshotInfo[] = []
  let end: EndLine | undefined
  for (const record of records) {
    const { kind, asked } = record
    if (kind === 'start') takeOver(journal, asked as Partial<ForkLine> | undefined)
    else if (kind === 'step') journal.apply(asked as StepLine)
    else if (kind === 'snapshot') snapshots.push(snapshotIn(record))
    else if (kind === 'end') end = asked as EndLine
    else if (kind === 'update' || kind === 'event') applyAnswer(journal, asked as AnswerLine)
  }
  return { ...foldRecords(emptyState(catalogue, runId), records), journal, snapshots, end }
}

/** What agents had done before their run was forked. */
function takeOver(journal: Journal, fork: Partial<ForkLine> | undefined): void {
  for (const line of fork?.steps ?? []) journal.apply(line)
}

/** An answer is remembered like a step: the agent that asked is not to ask again. */
function applyAnswer(journal: Journal, { answers, answer, merges }: AnswerLine): void {
  if (merges !== undefined) journal.finish(merges, MERGE_STEP, 1, answer)
  const split = answers?.lastIndexOf('/') ?? -1
  if (answers === undefined || split < 0) return
  journal.finish(answers.slice(0, split), answers.slice(split + 1), 1, answer)
}
