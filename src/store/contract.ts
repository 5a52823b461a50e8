// The store contract, all of it. A backend keeps ledgers and snapshots; it decides nothing.
//   S1. Every method may be called while others run. What was appended is seen by every later call.
//   S2. Failures are CallboardErrors whose codes start with `store.`; a failed call has changed nothing.
//   S3. What does not exist is undefined or an empty list, not an error; exceptions are named below.
//   S4. Records, summaries and snapshots come back frozen and exactly as they went in, except that the values of
//       ephemeral entries are not kept by durable stores.
//   S5. Damage is reported where it is found (`store.damaged` with `{ runId, seq, what }`); other runs stay usable.
import type { LedgerRecord } from '../ledger/index.ts'

/** What a backend can do; callers ask for the trait, never for the backend. */
export interface StoreTraits {
  /** What was appended outlives the process. */
  readonly durable: boolean
  /** Several processes may use it at once. */
  readonly shared: boolean
  /** An append of several batches is stored as a whole or not at all, whatever fails. */
  readonly transactional: boolean
  /** Takes a ledger whose beginning was trimmed elsewhere: a batch with `snapshots`. */
  readonly adopts?: boolean
}

/** What is known of a run without reading its ledger. */
export interface RunSummary {
  readonly runId: string
  readonly workflow: string
  readonly version: string
  readonly status: 'active' | 'done' | 'error' | 'stopped'
  readonly seq: number
  readonly createdAt: number
  readonly updatedAt: number
  /** The run that started this one, and as what. */
  readonly parent: { readonly runId: string; readonly id: string } | undefined
  /** What whoever started it noted about it; durable stores keep it in the clear. */
  readonly labels?: Labels
}

/** Short texts by name. */
export type Labels = Readonly<Record<string, string>>

/** Records to append to one ledger, and what the run's summary is from then on. */
export interface Batch {
  readonly runId: string
  /** The seq of the ledger's last record; 0 when there is none. */
  readonly expectedSeq: number
  /** At least one; their seqs go on from `expectedSeq` without gaps. */
  readonly records: readonly LedgerRecord[]
  readonly summary: RunSummary
  /**
   * Only for a run that there is none of: its ledger begins behind `expectedSeq`, as if everything before had been
   * trimmed, and these stand in for it, one of them at `expectedSeq`.
   */
  readonly snapshots?: readonly StoredSnapshot[]
}

export interface RemoveOptions {
  readonly ended?: boolean
}

export interface RunFilter {
  readonly workflow?: string
  readonly status?: RunSummary['status']
}

/** What is known of a snapshot without its state. */
export interface StoredSnapshotInfo {
  readonly runId: string
  /** The record after which it was taken. */
  readonly seq: number
  /** Its name, once per run. */
  readonly id: string
  readonly reason: string
  readonly at: number
  readonly metadata: Readonly<Record<string, unknown>>
}

/** That nothing is to be done for a run by itself for a while. */
export interface RestNote {
  /** The last record of its ledger. */
  readonly seq: number
  /** The instant of its next deadline; `Infinity` for none. */
  readonly until: number
}

/** The state of a run after one record; the store does not look into `state`. */
export interface StoredSnapshot extends StoredSnapshotInfo {
  /** Admitted data: what `admitValue` takes. */
  readonly state: unknown
}

/** What is wrong with stored data. */
export type DamageKind =
  /** Its bytes are not those that were written. */
  | 'changed'
  /** A record is gone from the middle or the beginning. */
  | 'missing'
  /** Two records have changed places. */
  | 'swapped'
  /** A record that was never appended. */
  | 'inserted'
  /** The newest records are gone. */
  | 'lost-tail'
  /** A run is gone that was there. */
  | 'lost-run'
  /** A snapshot is gone or is not what was written. */
  | 'snapshot'
  /** The summary or head of a run is not what was written. */
  | 'summary'
  /** The file's own structure is broken. */
  | 'structure'

/** One damaged place. */
export interface Damage {
  /** Undefined where it cannot be told any more. */
  readonly runId: string | undefined
  /** The first record concerned; undefined where no single one is. */
  readonly seq: number | undefined
  readonly what: DamageKind
  readonly message: string
}

/** What `verify` found. */
export interface VerifyReport {
  readonly runs: number
  readonly records: number
  readonly snapshots: number
  /** The end of every sound chain: keep it elsewhere, and a ledger that was replaced as a whole is noticed too. */
  readonly heads: readonly { readonly runId: string; readonly seq: number; readonly hash: string }[]
  /** Empty when all is well. */
  readonly damage: readonly Damage[]
}

export interface Store {
  readonly traits: StoreTraits
  /**
   * Appends all batches or none, and resolves once they are as safe as the backend makes them. May run concurrently; of
   * several appends with the same `expectedSeq` exactly one wins. A run may occur once in `batches`.
   * @throws CallboardError `store.conflict` when a ledger's last seq is not the expected one, `store.invalid-batch` when
   *   a batch is empty, its seqs have gaps, or a run occurs twice; nothing was appended
   */
  append(batches: readonly Batch[]): Promise<void>
  /**
   * The records with `afterSeq < seq`, in order, at most `limit`; none for an unknown run.
   * @throws CallboardError `store.trimmed` (details: `firstSeq`) when some of them have been dropped by `trim`
   */
  read(
    runId: string,
    options?: { readonly afterSeq?: number; readonly limit?: number },
  ): Promise<readonly LedgerRecord[]>
  /** Undefined for an unknown run. */
  summary(runId: string): Promise<RunSummary | undefined>
  /**
   * Oldest first, by the first append.
   * @param options `onDamage` is told of runs that cannot be listed; without it, the first of them is thrown
   */
  list(filter?: RunFilter, options?: { readonly onDamage?: (damage: Damage) => void }): Promise<readonly RunSummary[]>
  /**
   * Keeps a snapshot, as safely as an append.
   * @throws CallboardError `store.unknown-run`; `store.snapshot-exists` for an id the run has already;
   *   `store.snapshot-ahead` when the ledger has not reached its seq
   */
  putSnapshot(snapshot: StoredSnapshot): Promise<void>
  /** The newest snapshot (by seq, then by arrival), or the newest with `seq <= atSeq`. */
  snapshot(runId: string, options?: { readonly atSeq?: number }): Promise<StoredSnapshot | undefined>
  /** What is known of all snapshots of a run, by seq, then by arrival. */
  snapshots(runId: string): Promise<readonly StoredSnapshotInfo[]>
  /**
   * Forgets one snapshot; says whether there was one.
   * @throws CallboardError `store.uncovered` when trimmed records need it
   */
  dropSnapshot(runId: string, id: string): Promise<boolean>
  /**
   * Drops the records with `seq < beforeSeq` and says how many that were. What is left can still be verified.
   * @throws CallboardError `store.uncovered` when no snapshot with `seq >= beforeSeq - 1` stands in for them
   */
  trim(runId: string, beforeSeq: number): Promise<number>
  /**
   * Notes that a run rests: whoever starts next need not look at it before its next deadline. An append to the run takes
   * the note away. It may be lost in a crash, and is never wrong; for an unknown run, or a seq that is past, nothing is noted.
   */
  noteRest(runId: string, note: RestNote): Promise<void>
  /** The runs that have not ended and rest, with the instant of their next deadline. */
  rests(): Promise<ReadonlyMap<string, number>>
  /**
   * Forgets a run, its records and snapshots; says whether there was one. Its id may be used again.
   * @param options `ended`: only one whose status is not `active`; who sees a run end may then remove it, whoever else does
   *   the same and uses its id again meanwhile
   */
  remove(runId: string, options?: RemoveOptions): Promise<boolean>
  /** Reads everything, of one run or of all, and reports each damaged place instead of throwing. */
  verify(runId?: string): Promise<VerifyReport>
  /** Whoever opened the store closes it; twice is harmless. Appends under way are finished first. */
  close(): Promise<void>
}
