// What commands that only look have in common.
import { toTagged } from '../base/index.ts'
import { Catalogue } from '../context/index.ts'
import { firstKeptSeq, loadRun, seqOfPoint } from '../runtime/index.ts'
import type { RunState } from '../runtime/index.ts'
import type { LedgerRecord } from '../ledger/index.ts'
import type { RunSummary, Store } from '../store/index.ts'
import type { Terminal } from './terminal.ts'

/** Stored outcomes need no catalogue to be read. */
const NO_CATALOGUE = new Catalogue({})

const PAGE = 1_000

/** A run as it was after a record, without its workflow. */
export function stateAt(store: Store, runId: string, seq?: number): Promise<RunState> {
  return loadRun({ store, catalogue: NO_CATALOGUE, runId, ...(seq === undefined ? {} : { atSeq: seq }) })
}

/** The records of a run from a seq on, as far back as they are kept. */
export async function* recordsOf(store: Store, runId: string, fromSeq = 1): AsyncGenerator<LedgerRecord> {
  let afterSeq = Math.max(fromSeq, await firstKeptSeq(store, runId)) - 1
  for (;;) {
    const records = await store.read(runId, { afterSeq, limit: PAGE })
    yield* records
    if (records.length < PAGE) return
    afterSeq = records.at(-1)?.seq ?? afterSeq
  }
}

/** The seq that somebody means: a number, or a snapshot or episode. @throws CallboardError `run.no-such-seq` */
export function pointOf({ runId, seq }: RunSummary, { notes: { snapshots } }: RunState, point: string): number {
  return seqOfPoint(/^\d+$/.test(point) ? Number(point) : point, { runId, seq, snapshots })
}

/** Writes a document as JSON in which nothing is lost. */
export function writeJson({ out }: Pick<Terminal, 'out'>, document: unknown): void {
  out.write(`${JSON.stringify(toTagged(document), null, 2)}\n`)
}
