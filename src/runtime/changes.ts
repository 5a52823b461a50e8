// Changes: a run's records as they are committed, pulled by whoever reads. Nothing is buffered for a slow reader: it
// reads the ledger from where it is.
import type { EntryAddress } from '../context/index.ts'
import type { LedgerRecord, RecordKind } from '../ledger/index.ts'
import type { Store } from '../store/index.ts'
import { readRecords } from './load-run.ts'
import type { RunCore } from './run-core.ts'
import type { Seat } from './seat.ts'

/** One committed record, without values. */
export interface Change {
  readonly seq: number
  readonly at: number
  readonly kind: RecordKind
  readonly author: string
  readonly entries: readonly (EntryAddress & { readonly kind: string; readonly version: number })[]
  readonly conflicts: number
  /** The refusals' messages. */
  readonly refusals: readonly string[]
  /** The machine's state, where it changed. */
  readonly state: unknown
}

export interface ChangesOptions {
  /** The seq after which to begin; 0 (the whole history) unless given. */
  readonly afterSeq?: number
  readonly signal?: AbortSignal
}

const PAGE = 256

export function changeOf({ seq, at, kind, author, changes, conflicts, refusals, machine }: LedgerRecord): Change {
  return {
    seq,
    at,
    kind,
    author,
    entries: changes.map(({ kind: what, scope, holder, key, cell }) => ({
      kind: what,
      scope,
      holder,
      key,
      version: cell.entry.version,
    })),
    conflicts: conflicts.length,
    refusals: refusals.map(({ message }) => message),
    state: machine?.value,
  }
}

/**
 * Yields every change after a seq, then waits for more until the run ends or the signal aborts.
 * @throws CallboardError `run.trimmed` for a seq before the records that are kept
 */
export async function* followChanges(
  seat: Seat,
  store: Store,
  { afterSeq = 0, signal }: ChangesOptions,
): AsyncGenerator<Change> {
  let seq = afterSeq
  const isAborted = (): boolean => signal?.aborted === true
  while (!isAborted()) {
    const records = await readRecords(store, seat.runId, { afterSeq: seq, limit: PAGE })
    for (const record of records) {
      if (isAborted()) return
      seq = record.seq
      yield changeOf(record)
    }
    if (records.length > 0) continue
    const core = seat.active ?? (await seat.awake())
    if (core.end !== undefined && core.seq <= seq) return
    await nextCommit(core, seq, signal)
  }
}

function nextCommit(core: RunCore, seq: number, signal: AbortSignal | undefined): Promise<void> {
  if (core.seq > seq || core.end !== undefined || signal?.aborted === true) return Promise.resolve()
  return new Promise((resolve) => {
    const release = core.hold()
    const wake = (): void => {
      off()
      release()
      signal?.removeEventListener('abort', wake)
      resolve()
    }
    const off = core.onNextCommit(wake)
    signal?.addEventListener('abort', wake, { once: true })
  })
}
