// Ledgers in and out of a store, as JSONL.
//   F1. Exporting what was imported gives the same bytes.
//   F2. A ledger is imported as a whole or not at all, and only if every line of it is what was once written.
import { CallboardError } from '../base/index.ts'
import { Board, Catalogue } from '../context/index.ts'
import { assertRunId, ledgerToJsonl, readJsonl, recordProblem, renamedId, renameRecord } from '../ledger/index.ts'
import type {
  FoldedState,
  JsonlHeader,
  JsonlOptions,
  JsonlReading,
  JsonlRun,
  LedgerRecord,
  MachineState,
  Renaming,
} from '../ledger/index.ts'
import type { Batch, RunSummary, Store } from './contract.ts'
import { unknownRunError } from './errors.ts'

/**
 * The ledger of a run as text: a header line, then one line a record. Values are in it as they are, sensitive ones too.
 *
 * @throws CallboardError `store.unknown-run`; `store.trimmed` when its first records have been dropped
 */
export async function exportLedger(store: Store, runId: string, options: JsonlOptions = {}): Promise<string> {
  const summary = await store.summary(runId)
  if (summary === undefined) throw unknownRunError(runId)
  const records = await store.read(runId)
  // What has been appended in between is exported too.
  return ledgerToJsonl(runId, records, { ...options, run: runOf(summary) })
}

/** What the header says of a run. */
export function runOf({ workflow, version, createdAt, parent, labels }: RunSummary): JsonlRun {
  return {
    workflow,
    version,
    createdAt,
    ...(parent === undefined ? {} : { parent: { runId: parent.runId, id: parent.id } }),
    ...(labels === undefined ? {} : { labels }),
  }
}

export interface ImportOptions extends JsonlOptions {
  /** Under another id than the one it was exported with. */
  readonly runId?: string
}

/**
 * Stores what `exportLedger` wrote as a run.
 *
 * @throws CallboardError `ledger.refused` (details: `line`) for a text that was cut off or changed, or was never a
 *   ledger; `ledger.not-jsonl`, `ledger.newer-format`, `ledger.wrong-key`; `store.conflict` when there is such a run; `run.invalid-id`
 */
export async function importLedger(store: Store, text: string, options: ImportOptions = {}): Promise<RunSummary> {
  const { runId: to, ...rest } = options
  const rename = ({ runId }: JsonlHeader): Renaming => {
    assertRunId(to ?? runId)
    return { from: runId, to: to ?? runId }
  }
  const batch = readLedger(text, { ...rest, rename })
  await store.append([batch])
  return batch.summary
}

export interface ReadLedgerOptions extends JsonlOptions {
  /** Under which id it is to be stored. */
  readonly rename?: (header: JsonlHeader) => Renaming
  /** What the records of a ledger add up to whose beginning was trimmed. */
  readonly base?: FoldedState
}

/**
 * What a text holds, checked from beginning to end, as the append that stores it. There may be no record in it where
 * `base` is all there is.
 *
 * @throws CallboardError as `importLedger`
 */
export function readLedger(text: string, { rename, base, ...options }: ReadLedgerOptions = {}): Batch {
  const reading = readJsonl(text, options)
  const run = checkReading(reading, base)
  const { header } = reading
  const renaming = rename?.(header) ?? { from: header.runId, to: header.runId }
  const records =
    renaming.from === renaming.to ? reading.records : reading.records.map((record) => renameRecord(record, renaming))
  const runId = renamedId(header.runId, renaming)
  const { parent } = run
  const last = records.at(-1) ?? { seq: header.after.seq, at: base?.at ?? run.createdAt }
  const summary: RunSummary = {
    runId,
    workflow: run.workflow,
    version: run.version,
    status: statusOf(records, base?.machine),
    seq: last.seq,
    createdAt: run.createdAt,
    updatedAt: last.at,
    parent: parent === undefined ? undefined : { ...parent, runId: renamedId(parent.runId, renaming) },
    ...(run.labels === undefined ? {} : { labels: Object.freeze({ ...run.labels }) }),
  }
  return { runId, expectedSeq: header.after.seq, records, summary }
}

/** @throws CallboardError `ledger.refused` */
function checkReading(
  { header, records, tornCharacters, problem }: JsonlReading,
  base: ReadLedgerOptions['base'],
): JsonlRun {
  const { after, head, run } = header
  if (problem !== undefined) throw refused(header, lineOf(header, problem.seq), problem.message)
  if (tornCharacters > 0) throw refused(header, records.length + 2, 'the last line is cut off')
  if (run === undefined || head === undefined) throw refused(header, 1, 'the header does not say what run it is')
  if (after.seq !== (base?.seq ?? 0)) throw refused(header, 1, `the records up to ${after.seq} are not in it`)
  if (base === undefined && (records[0]?.kind !== 'start' || records[0].machine === undefined))
    throw refused(header, 2, 'the first record is not that of a start')
  let board = base?.board ?? Board.create({ catalogue: NO_CATALOGUE, runId: header.runId })
  for (const record of records) {
    const what = recordProblem(record) ?? versionProblem(board, record)
    if (what !== undefined) throw refused(header, lineOf(header, record.seq), what)
    board = board.withCells(record.changes.map(({ cell }) => cell))
  }
  return run
}

const NO_CATALOGUE = new Catalogue({})

/** Versions count on, one by one; only staleness leaves them as they are, and a run may begin with entries of another. */
function versionProblem(board: Board, { kind: recordKind, changes }: LedgerRecord): string | undefined {
  if (recordKind === 'start') return undefined
  const versions = new Map<string, number>()
  for (const { kind, scope, holder, key, cell } of changes) {
    // Global entries are written by other runs too.
    if (scope === 'global') continue
    const id = JSON.stringify([scope, holder, key])
    const before = versions.get(id) ?? board.cell({ scope, holder, key })?.entry.version ?? 0
    const { version } = cell.entry
    if (version !== (kind === 'stale' ? before : before + 1))
      return `entry "${key}" has version ${version} after version ${before}`
    versions.set(id, version)
  }
  return undefined
}

/** As the records have it: the machine's, unless the run was ended from outside. */
function statusOf(records: readonly LedgerRecord[], machine: MachineState | undefined): RunSummary['status'] {
  // It may have come out of a pack after its end.
  const end = records.findLast(({ kind }) => kind === 'end')
  if (end !== undefined) return (end.asked as { readonly status?: unknown }).status === 'error' ? 'error' : 'stopped'
  return (records.findLast((record) => record.machine !== undefined)?.machine ?? machine)?.status ?? 'active'
}

/** The header is line 1. */
const lineOf = ({ after }: JsonlHeader, seq: number): number => Math.max(1, seq - after.seq + 1)

function refused({ runId }: JsonlHeader, line: number, what: string): CallboardError {
  return new CallboardError('ledger.refused', `line ${line}: ${what}; export run ${runId} again`, { runId, line })
}
