// RunState: everything a run is made of, folded from its ledger: the board and machine, and what its agents have done.
import type { Catalogue } from '../context/index.ts'
import { emptyState, foldRecords } from '../ledger/index.ts'
import type { FoldedState, LedgerRecord } from '../ledger/index.ts'
import type { DefinitionStamp, PersonTarget } from '../workflow/index.ts'
import { Journal } from './journal.ts'
import type { SnapshotInfo } from './run.ts'
import type { StepLine } from './step.ts'

export interface RunState extends FoldedState {
  readonly journal: Journal
  readonly snapshots: readonly SnapshotInfo[]
  /** Set when the run was stopped, or failed outside its machine. */
  readonly end: EndLine | undefined
  /** With which definition it goes on; undefined for a run from before that was recorded. */
  readonly definition: DefinitionStamp | undefined
  /** What people were asked and have not answered, by the id of the request. */
  readonly asked: ReadonlyMap<string, PersonTarget>
}

/** What an `end` record says. */
export interface EndLine {
  readonly status: 'stopped' | 'error'
  readonly reason?: string
  readonly error?: { readonly code: string; readonly message: string }
}

/** What an update or event says that answers a person's request. */
interface AnswerLine {
  readonly answers?: string
  readonly answer?: unknown
}

/** What the first record says of the definition, and each that goes on with another one. */
export interface DefinitionLine {
  readonly definition?: DefinitionStamp
}

/** What a request record says. */
interface RequestLine {
  readonly id: string
  readonly target: PersonTarget
}

/** The state that a run's records add up to. */
export function foldRun(catalogue: Catalogue, runId: string, records: readonly LedgerRecord[]): RunState {
  const journal = new Journal()
  const snapshots: SnapshotInfo[] = []
  const open = new Map<string, PersonTarget>()
  let end: EndLine | undefined
  let definition: DefinitionStamp | undefined
  for (const { kind, asked, seq, at } of records) {
    if (kind === 'step') journal.apply(asked as StepLine)
    else if (kind === 'snapshot')
      snapshots.push({ ...(asked as Pick<SnapshotInfo, 'id' | 'reason' | 'metadata'>), seq, at })
    else if (kind === 'end') end = asked as EndLine
    else if (kind === 'start' || kind === 'definition') definition = (asked as DefinitionLine | undefined)?.definition
    else if (kind === 'request') open.set((asked as RequestLine).id, (asked as RequestLine).target)
    else if (kind === 'update' || kind === 'event') {
      applyAnswer(journal, asked as AnswerLine)
      open.delete((asked as AnswerLine).answers ?? '')
    }
  }
  const folded = foldRecords(emptyState(catalogue, runId), records)
  return { ...folded, journal, snapshots, end, definition, asked: open }
}

/** An answer is remembered like a step: the agent that asked is not to ask again. */
function applyAnswer(journal: Journal, { answers, answer }: AnswerLine): void {
  const split = answers?.lastIndexOf('/') ?? -1
  if (answers === undefined || split < 0) return
  journal.finish(answers.slice(0, split), answers.slice(split + 1), 1, answer)
}
