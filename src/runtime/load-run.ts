// Reads a run's state from the store: from the newest snapshot that can be read, and the records after it.
//   L1. A snapshot that is damaged or of an unknown format costs time, not the run: an older one stands in, or all records.
//   L2. Where nothing stands in, because records were trimmed, that is an error, never a state with something missing.
import { CallboardError, isCallboardError } from '../base/index.ts'
import type { Catalogue } from '../context/index.ts'
import type { LedgerRecord } from '../ledger/index.ts'
import type { Store } from '../store/index.ts'
import { assertPackedRun, emptyRun, foldRun, unpackRun } from './run-state.ts'
import type { PackedRun, RunState } from './run-state.ts'

export interface LoadOptions {
  readonly store: Store
  readonly catalogue: Catalogue
  readonly runId: string
  /** The state after this record; the newest unless given. */
  readonly atSeq?: number
  /** Told of every snapshot that could not be used. */
  readonly onUnusable?: (error: unknown) => void
}

/** Records that are read at once. */
const PAGE = 1_000

/** @throws CallboardError `run.trimmed` for a point before the first kept one; what the store throws */
export async function loadRun(options: LoadOptions): Promise<RunState> {
  const { store, catalogue, runId, atSeq = Number.POSITIVE_INFINITY } = options
  const { newest, unusable } = await newestSnapshot(options, atSeq)
  let state: RunState | undefined
  for (let seq = newest?.seq ?? 0; seq < atSeq || state === undefined; seq = state.seq) {
    const limit = Math.min(PAGE, atSeq - seq)
    const page = limit === 0 ? [] : readRecords(store, runId, { afterSeq: seq, limit })
    const records = await Promise.resolve(page).catch((error: unknown) => {
      // The records that are gone are not the trouble; what should stand in for them is.
      throw isCallboardError(error, 'run.trimmed') && unusable !== undefined ? unusable : error
    })
    if (state !== undefined) state = foldRun(state, records)
    else if (newest !== undefined) state = unpackRun(newest.packed, catalogue, runId, records)
    else state = foldRun(emptyRun(catalogue, runId), records)
    if (records.length < limit) break
  }
  return state
}

interface NewestSnapshot {
  readonly seq: number
  readonly packed: PackedRun
}

async function newestSnapshot(
  { store, runId, onUnusable }: LoadOptions,
  atSeq: number,
): Promise<{ readonly newest: NewestSnapshot | undefined; readonly unusable: unknown }> {
  let unusable: unknown
  for (let limit = atSeq; limit >= 1;) {
    let seq: number | undefined
    try {
      const snapshot = await store.snapshot(runId, limit === Number.POSITIVE_INFINITY ? {} : { atSeq: limit })
      if (snapshot === undefined) break
      seq = snapshot.seq
      return { newest: { seq, packed: assertPackedRun(snapshot.state, runId) }, unusable: undefined }
    } catch (error) {
      // Damage elsewhere, as of a lost last record, is no snapshot's: no older one is free of it.
      const isDamaged = isCallboardError(error, 'store.damaged') && error.details['what'] === 'snapshot'
      if (!isDamaged && !isCallboardError(error, 'snapshot.format')) throw error
      if (isDamaged) seq ??= error.details['seq'] as number | undefined
      onUnusable?.(error)
      unusable ??= error
      if (seq === undefined) break
      limit = seq - 1
    }
  }
  return { newest: undefined, unusable }
}

/**
 * Records of a run, as `store.read` gives them.
 * @throws CallboardError `run.trimmed` (details: `firstSeq`) when some of them were dropped by the retention
 */
export async function readRecords(
  store: Store,
  runId: string,
  options: { readonly afterSeq?: number; readonly limit?: number } = {},
): Promise<readonly LedgerRecord[]> {
  try {
    return await store.read(runId, options)
  } catch (error) {
    if (!isCallboardError(error, 'store.trimmed')) throw error
    throw trimmedError(runId, (options.afterSeq ?? 0) + 1, error.details['firstSeq'] as number, error)
  }
}

/** The seq of the first record that is kept: 1 unless some were dropped. */
export async function firstKeptSeq(store: Store, runId: string): Promise<number> {
  try {
    await store.read(runId, { limit: 1 })
    return 1
  } catch (error) {
    if (!isCallboardError(error, 'store.trimmed')) throw error
    return error.details['firstSeq'] as number
  }
}

function trimmedError(runId: string, seq: number, firstSeq: number, cause: unknown): CallboardError {
  return new CallboardError(
    'run.trimmed',
    `run ${runId}: its records are kept from ${firstSeq} on, and ${seq} is asked for; begin with afterSeq: ${firstSeq - 1}, or keep more with createRuntime({ retention: { keepRecords } })`,
    { runId, seq, firstSeq },
    { cause },
  )
}
