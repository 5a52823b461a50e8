// The errors that every backend answers with.
import { CallboardError } from '../base/index.ts'
import type { Batch, Damage, DamageKind } from './contract.ts'

/** Somebody else was faster. */
export function conflictError(runId: string, expectedSeq: number, actualSeq: number): CallboardError {
  return new CallboardError(
    'store.conflict',
    `run ${runId} is at seq ${actualSeq}, not at ${expectedSeq}: somebody else has written to it; read it again and retry`,
    { runId, expectedSeq, actualSeq },
  )
}

export function closedError(): CallboardError {
  return new CallboardError('store.closed', 'the store is closed; open it again to go on')
}

/** Why these batches cannot be appended whatever the store holds, or undefined. Does not look at every record. */
export function batchesError(batches: readonly Batch[]): CallboardError | undefined {
  for (const batch of batches) {
    const invalid = batchError(batch)
    if (invalid !== undefined) return invalid
  }
  if (batches.length < 2 || new Set(batches.map(({ runId }) => runId)).size === batches.length) return undefined
  const ids = batches.map(({ runId }) => runId)
  const runId = ids.find((id, index) => ids.indexOf(id) !== index)
  return new CallboardError(
    'store.invalid-batch',
    `run ${runId} occurs twice in one append; put its records in one batch`,
    {
      runId,
    },
  )
}

/** Whether a batch may be appended to a ledger that is at `seq`; undefined where there is none. */
export function isExpected({ expectedSeq, snapshots }: Batch, seq: number | undefined): boolean {
  return snapshots === undefined ? expectedSeq === (seq ?? 0) : seq === undefined
}

/** Whether snapshots stand in for everything up to a seq, each by its name. */
function standIn({ runId, expectedSeq, snapshots = [] }: Batch): boolean {
  return (
    snapshots.some(({ seq }) => seq === expectedSeq) &&
    snapshots.every((snapshot) => snapshot.runId === runId && snapshot.seq >= 1 && snapshot.seq <= expectedSeq) &&
    new Set(snapshots.map(({ id }) => id)).size === snapshots.length
  )
}

function batchError(batch: Batch): CallboardError | undefined {
  const { runId, expectedSeq, records, summary, snapshots } = batch
  const first = records[0]
  const last = records.at(-1)
  if (snapshots !== undefined && !standIn(batch))
    return new CallboardError(
      'store.invalid-batch',
      `run ${runId}: the snapshots of a batch are those up to ${expectedSeq}, one of them there, each with an id of its own`,
      { runId, expectedSeq },
    )
  if (
    first !== undefined &&
    first.seq === expectedSeq + 1 &&
    last?.seq === expectedSeq + records.length &&
    summary.seq === last.seq &&
    first.runId === runId &&
    summary.runId === runId
  )
    return undefined
  return new CallboardError(
    'store.invalid-batch',
    `run ${runId}: a batch holds the records ${expectedSeq + 1}, ${expectedSeq + 2}, … of one run without gaps, and a summary at the last of them`,
    { runId, expectedSeq },
  )
}

export function unknownRunError(runId: string): CallboardError {
  return new CallboardError('store.unknown-run', `run ${runId} is not in the store; append its first record first`, {
    runId,
  })
}

export function trimmedError(runId: string, afterSeq: number, firstSeq: number): CallboardError {
  return new CallboardError(
    'store.trimmed',
    `run ${runId}: the records up to ${firstSeq - 1} were dropped by trim(); begin with a snapshot and read after ${firstSeq - 1}, not after ${afterSeq}`,
    { runId, afterSeq, firstSeq },
  )
}

export function uncoveredError(runId: string, seq: number): CallboardError {
  return new CallboardError(
    'store.uncovered',
    `run ${runId}: no other snapshot at seq ${seq} or later stands in for the records up to there; take one first`,
    { runId, seq },
  )
}

export function snapshotExistsError(runId: string, id: string): CallboardError {
  return new CallboardError(
    'store.snapshot-exists',
    `run ${runId} has a snapshot "${id}" already; give this one another id`,
    {
      runId,
      id,
    },
  )
}

export function snapshotAheadError(runId: string, seq: number, actualSeq: number): CallboardError {
  return new CallboardError(
    'store.snapshot-ahead',
    `run ${runId} is at seq ${actualSeq}; a snapshot at ${seq} has to wait until that record is appended`,
    { runId, seq, actualSeq },
  )
}

/** One damaged place, with the sentence for it. */
export function damageAt(runId: string | undefined, seq: number | undefined, what: DamageKind, how: string): Damage {
  const run = runId === undefined ? 'the store' : `run ${runId}`
  const place = seq === undefined ? run : `${run}, seq ${seq}`
  return Object.freeze({ runId, seq, what, message: `${place}: ${how}` })
}

export function damagedError(damage: Damage, cause?: unknown): CallboardError {
  return new CallboardError(
    'store.damaged',
    `${damage.message}; verify() lists every damaged place, a backup or an export brings them back`,
    { ...damage },
    cause === undefined ? {} : { cause },
  )
}

/** The damage that a `store.damaged` error tells of. */
export function damageOf({ details }: CallboardError): Damage {
  return Object.freeze({ ...details }) as unknown as Damage
}
