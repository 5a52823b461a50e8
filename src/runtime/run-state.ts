// RunState: everything a run is made of, folded from its ledger, or from a snapshot and the records after it.
import { CallboardError } from '../base/index.ts'
import type { Catalogue } from '../context/index.ts'
import { emptyState, foldRecords, packState, unpackMachine, unpackState } from '../ledger/index.ts'
import type { FoldedState, LedgerRecord, PackedState } from '../ledger/index.ts'
import { RunNotes } from './run-notes.ts'
import type { PackedNotes } from './run-notes.ts'

export interface RunState extends FoldedState {
  /** Its journal, named points and end. */
  readonly notes: RunNotes
  /** Where the snapshot stands that it was folded from; 0 for none. */
  readonly snapshotSeq: number
}

/** The number of the form in which snapshots are written. */
export const SNAPSHOT_FORMAT = 1

/** What a snapshot holds. */
export interface PackedRun {
  readonly format: number
  readonly state: PackedState
  readonly notes: PackedNotes
}

/** The state of a run without records. */
export function emptyRun(catalogue: Catalogue, runId: string): RunState {
  return { ...emptyState(catalogue, runId), notes: new RunNotes(), snapshotSeq: 0 }
}

/** What the records make of a state. It is used up: its notes go on in the new one. */
export function foldRun(state: RunState, records: readonly LedgerRecord[]): RunState {
  const { notes, snapshotSeq } = state
  for (const record of records) notes.apply(record)
  return { ...foldRecords(state, records), notes, snapshotSeq }
}

/** A run's state as a store keeps it. */
export function packRun(state: Omit<RunState, 'snapshotSeq'>): PackedRun {
  return { format: SNAPSHOT_FORMAT, state: packState(state), notes: state.notes.pack() }
}

/**
 * What a store gives back of `packRun`.
 * @throws CallboardError `snapshot.format` for what this version has not written
 */
export function assertPackedRun(packed: unknown, runId: string): PackedRun {
  const { format, state, notes } = (packed ?? {}) as Partial<PackedRun>
  if (format !== SNAPSHOT_FORMAT || state === undefined || notes === undefined) throw formatError(runId, format)
  return { format, state, notes }
}

/** The inverse of `packRun`, gone on with the records after it. */
export function unpackRun(
  { state, notes: packedNotes }: PackedRun,
  catalogue: Catalogue,
  runId: string,
  tail: readonly LedgerRecord[] = [],
): RunState {
  const notes = new RunNotes(packedNotes, unpackMachine(state))
  for (const record of tail) notes.apply(record)
  return { ...unpackState(state, catalogue, runId, tail), notes, snapshotSeq: state[0] }
}

function formatError(runId: string, format: unknown): CallboardError {
  return new CallboardError(
    'snapshot.format',
    `run ${runId}: a snapshot has the format ${String(format)}, and this version knows ${SNAPSHOT_FORMAT}; open the run with the version that wrote it`,
    { runId, format },
  )
}
