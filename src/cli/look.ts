// What commands that only look have in common.
import { toTagged } from '../base/index.ts'
import { Catalogue } from '../context/index.ts'
import { firstKeptSeq, loadGlobals, loadRun, readRecords, seqOfPoint, withGlobalsThen } from '../runtime/index.ts'
import type { RunState } from '../runtime/index.ts'
import { globalsId } from '../ledger/index.ts'
import type { LedgerRecord } from '../ledger/index.ts'
import type { RunSummary, Store } from '../store/index.ts'
import type { Terminal } from './terminal.ts'
import { visible } from './visible-text.ts'

/** Stored outcomes need no catalogue to be read. */
const NO_CATALOGUE = new Catalogue({})

const PAGE = 1_000

/** A run as it was after a record, without its workflow. */
export function stateAt(store: Store, runId: string, seq?: number): Promise<RunState> {
  return loadRun({ store, catalogue: NO_CATALOGUE, runId, ...(seq === undefined ? {} : { atSeq: seq }) })
}

/** The same over the global entries that the run saw then, or sees now. */
export async function seenAt(store: Store, runId: string, seq?: number): Promise<RunState> {
  const state = await stateAt(store, runId, seq)
  const globals = globalsId('default')
  if (seq !== undefined) return { ...state, board: await withGlobalsThen(store, globals, state) }
  return { ...state, board: state.board.withGlobals((await loadGlobals({ store, runId: globals })).board.globals) }
}

/** The records of a run from a seq on. @throws CallboardError `run.trimmed` when the first of them were dropped */
export async function* recordsOf(store: Store, runId: string, fromSeq: number): AsyncGenerator<LedgerRecord> {
  let afterSeq = Math.max(fromSeq, 1) - 1
  for (;;) {
    const records = await readRecords(store, runId, { afterSeq, limit: PAGE })
    yield* records
    if (records.length < PAGE) return
    afterSeq = records.at(-1)?.seq ?? afterSeq
  }
}

/** Says that the beginning of a ledger is gone, so that nobody takes what is shown for all of it. Gives its first seq. */
export async function tellWhatIsKept(store: Store, runId: string, { err }: Pick<Terminal, 'err'>): Promise<number> {
  const firstSeq = await firstKeptSeq(store, runId)
  if (firstSeq > 1)
    err.write(
      `${visible`run ${runId}: records are kept from ${firstSeq} on; what came before was dropped by its retention`}\n`,
    )
  return firstSeq
}

/** The seq that somebody means: a number, or a snapshot or episode. @throws CallboardError `run.no-such-seq` */
export function pointOf({ runId, seq }: RunSummary, { notes: { snapshots } }: RunState, point: string): number {
  return seqOfPoint(/^\d+$/.test(point) ? Number(point) : point, { runId, seq, snapshots })
}

/** Writes a document as JSON in which nothing is lost. */
export function writeJson({ out }: Pick<Terminal, 'out'>, document: unknown): void {
  out.write(`${JSON.stringify(toTagged(document), null, 2)}\n`)
}
