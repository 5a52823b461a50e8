// SqliteStore: ledgers and snapshots in one SQLite file that several processes may have open.
//   Q1. Appends that arrive before the event loop turns share one transaction; each is stored as a whole or not at all.
//   Q2. An append is acknowledged after COMMIT, which in `full` returns after the log was forced to disk.
//   Q3. What is remembered of runs between transactions is looked at anew as soon as another connection has written.
//   Q4. What is remembered between transactions is of committed ones only (transactions.ts).
//   Q5. Notes of rest wait for the next transaction, so that they cost none of their own.
//   Q6. The heads file is written after the commit; that it cannot be written fails nothing.
import { LRUCache } from 'lru-cache'
import { CallboardError, faultPoint, isCallboardError } from '../../base/index.ts'
import { encodeRecord } from '../../ledger/index.ts'
import type { LedgerRecord } from '../../ledger/index.ts'
import type {
  Batch,
  Damage,
  RestNote,
  RemoveOptions,
  RunFilter,
  RunSummary,
  Store,
  StoredSnapshot,
  StoredSnapshotInfo,
  VerifyReport,
} from '../contract.ts'
import {
  batchesError,
  closedError,
  conflictError,
  damagedError,
  isExpected,
  snapshotAheadError,
  snapshotExistsError,
  trimmedError,
  uncoveredError,
  unknownRunError,
} from '../errors.ts'
import { Census } from './census.ts'
import { storeError } from './database.ts'
import type { Database } from './database.ts'
import type { StoreKeys } from './envelope.ts'
import type { HeadsFile, HeadToRemember } from './heads-file.ts'
import type { EncodedRecord, RecordRows, RowLink } from './record-rows.ts'
import { RestRows } from './rest-rows.ts'
import type { RunHeads } from './run-heads.ts'
import { toColumn } from './run-rows.ts'
import type { RunHead } from './run-rows.ts'
import { SnapshotRows } from './snapshot-rows.ts'
import { Transactions } from './transactions.ts'
import type { Vault } from './vault.ts'

/** What an open file consists of. */
export interface OpenedFile {
  readonly path: string
  readonly db: Database
  readonly vault: Vault
  readonly records: RecordRows
  readonly runs: RunHeads
  readonly heads: HeadsFile
  /** How many keys the file has had. */
  readonly keyGeneration: string
  /** Called before the first append. */
  readonly prepareLog: () => void
}

/** The store in a SQLite file: the contract, and what only it can. */
export interface SqliteStore extends Store {
  /**
   * Encrypts and seals everything anew, in one transaction, and rewrites the file without traces of the old key;
   * undefined stores in the clear from then on. Other processes have to open it again with the new key.
   */
  rotateKey(key: string | Uint8Array | undefined): Promise<void>
}

/** What opening knows how to do and a rotation needs. */
export type KeyChange = (file: OpenedFile, key: string | Uint8Array | undefined) => StoreKeys

interface PendingAppend {
  readonly batches: readonly Batch[]
  /** The records of each batch. */
  readonly encoded: readonly (readonly EncodedRecord[])[]
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
  refusal: unknown
}

/** Notes of rest that wait for a transaction. */
const MOST_NOTES = 100
/** Runs whose heads are remembered between appends. */
const MOST_KNOWN_HEADS = 5_000

export class SqliteFileStore implements SqliteStore {
  readonly traits = Object.freeze({ durable: true, shared: true, transactional: true, adopts: true })
  readonly #file: OpenedFile
  readonly #changeKey: KeyChange
  readonly #runs: RunHeads
  readonly #records: RecordRows
  readonly #snapshots: SnapshotRows
  readonly #rests: RestRows
  readonly #census: Census
  readonly #known = new LRUCache<string, RunHead>({ max: MOST_KNOWN_HEADS })
  readonly #transactions: Transactions
  #queue: PendingAppend[] = []
  readonly #notes = new Map<string, RestNote>()
  /** Ends of ledgers that the transaction under way writes. */
  readonly #touched = new Map<number, HeadToRemember>()
  #hasAppended = false
  #closed = false

  constructor(file: OpenedFile, changeKey: KeyChange) {
    const { db, vault, heads, records, runs } = file
    this.#file = file
    this.#changeKey = changeKey
    this.#runs = runs
    this.#records = records
    this.#snapshots = new SnapshotRows(db, vault)
    this.#rests = new RestRows(db, vault)
    this.#census = new Census({ db, heads, runs, records, snapshots: this.#snapshots })
    this.#transactions = new Transactions({
      db,
      path: file.path,
      keyGeneration: file.keyGeneration,
      owner: {
        refresh: () => runs.refresh(),
        settle: () => {
          if (this.#notes.size > 0) this.#writeNotes()
          records.write()
          if (runs.isDue) runs.settle()
        },
        doubt: () => this.#known.clear(),
        forget: () => {
          this.#known.clear()
          this.#touched.clear()
          records.forget()
          runs.forget()
        },
      },
    })
  }

  append(batches: readonly Batch[]): Promise<void> {
    if (this.#closed) return Promise.reject(closedError())
    const invalid = batchesError(batches)
    if (invalid !== undefined) return Promise.reject(invalid)
    let encoded: readonly (readonly EncodedRecord[])[]
    try {
      encoded = batches.map(({ records }) => records.map((place) => ({ place, body: encodeRecord(place) })))
    } catch (error) {
      return Promise.reject(error as Error)
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ batches, encoded, resolve, reject, refusal: undefined })
      // A tick runs when the promises at hand have settled: everybody who was waiting for the last commit is in (Q1).
      if (this.#queue.length === 1) process.nextTick(() => this.#flush())
    })
  }

  async read(
    runId: string,
    { afterSeq = 0, limit = Number.POSITIVE_INFINITY }: { afterSeq?: number; limit?: number } = {},
  ): Promise<readonly LedgerRecord[]> {
    return this.#reading(() => {
      const head = this.#find(runId)
      if (head === undefined || limit <= 0) return []
      if (afterSeq < head.trimmedSeq) throw trimmedError(runId, afterSeq, head.trimmedSeq + 1)
      return this.#records.read(head, afterSeq, Math.min(head.summary.seq, afterSeq + limit))
    })
  }

  async summary(runId: string): Promise<RunSummary | undefined> {
    const known = this.#known.get(runId)
    if (known !== undefined && !this.#closed && this.#transactions.isCurrent) return Object.freeze(known.summary)
    return this.#reading(() => {
      const head = this.#find(runId)
      return head === undefined ? undefined : Object.freeze(head.summary)
    })
  }

  async list(
    filter: RunFilter = {},
    options: { readonly onDamage?: (damage: Damage) => void } = {},
  ): Promise<readonly RunSummary[]> {
    return this.#reading(() => {
      const { heads, damage } = this.#census.list(filter)
      for (const one of damage) {
        if (options.onDamage === undefined) throw damagedError(one)
        options.onDamage(one)
      }
      return heads.map(({ summary }) => Object.freeze(summary))
    })
  }

  async putSnapshot(snapshot: StoredSnapshot): Promise<void> {
    faultPoint('snapshot:before')
    this.#writing(() => {
      const { runId, seq, id } = snapshot
      const head = this.#find(runId)
      if (head === undefined) throw unknownRunError(runId)
      if (seq > head.summary.seq) throw snapshotAheadError(runId, seq, head.summary.seq)
      const name = toColumn(id)
      if (this.#snapshots.places(head).some((place) => place.name === name)) throw snapshotExistsError(runId, id)
      this.#snapshots.add(head.id, snapshot)
      this.#change({ ...head, snapshots: head.snapshots + 1 })
    })
    faultPoint('snapshot:after')
  }

  async snapshot(
    runId: string,
    { atSeq = Number.POSITIVE_INFINITY }: { atSeq?: number } = {},
  ): Promise<StoredSnapshot | undefined> {
    return this.#reading(() => {
      const head = this.#find(runId)
      if (head === undefined) return undefined
      const place = this.#snapshots.places(head).findLast(({ seq }) => seq <= atSeq)
      return place === undefined ? undefined : this.#snapshots.get(head, place)
    })
  }

  async snapshots(runId: string): Promise<readonly StoredSnapshotInfo[]> {
    return this.#reading(() => {
      const head = this.#find(runId)
      return head === undefined ? [] : this.#snapshots.places(head).map((place) => this.#snapshots.info(head, place))
    })
  }

  async dropSnapshot(runId: string, id: string): Promise<boolean> {
    return this.#writing(() => {
      const head = this.#find(runId)
      if (head === undefined) return false
      const name = toColumn(id)
      const places = this.#snapshots.places(head)
      const place = places.find((other) => other.name === name)
      if (place === undefined) return false
      const { trimmedSeq } = head
      const stillCovers = places.some((other) => other !== place && other.seq >= trimmedSeq)
      if (trimmedSeq > 0 && !stillCovers) throw uncoveredError(runId, trimmedSeq)
      this.#snapshots.delete(place)
      this.#change({ ...head, snapshots: head.snapshots - 1 })
      return true
    })
  }

  async trim(runId: string, beforeSeq: number): Promise<number> {
    faultPoint('trim:before')
    const dropped = this.#writing(() => {
      const head = this.#find(runId)
      if (head === undefined || beforeSeq - 1 <= head.trimmedSeq) return 0
      const trimmedSeq = beforeSeq - 1
      if (!this.#snapshots.places(head).some(({ seq }) => seq >= trimmedSeq)) throw uncoveredError(runId, trimmedSeq)
      const trimmedHash = this.#records.hashAt(head, trimmedSeq)
      const { count, first } = this.#records.drop(head, beforeSeq)
      this.#change({ ...head, first, trimmedSeq, trimmedHash })
      return count
    })
    faultPoint('trim:after')
    return dropped
  }

  async noteRest(runId: string, note: RestNote): Promise<void> {
    if (this.#closed) throw closedError()
    this.#notes.set(runId, note)
    if (this.#notes.size >= MOST_NOTES) this.#writing(() => {})
  }

  async rests(): Promise<ReadonlyMap<string, number>> {
    if (this.#notes.size > 0) this.#writing(() => {})
    return this.#reading(() => {
      const notes = this.#rests.all()
      const found = new Map<string, number>()
      for (const { id, summary } of this.#census.list({ status: 'active' }).heads) {
        const note = notes.get(id)
        if (note?.seq === summary.seq) found.set(summary.runId, note.until)
      }
      return found
    })
  }

  async remove(runId: string, { ended = false }: RemoveOptions = {}): Promise<boolean> {
    try {
      return this.#writing(() => {
        const head = this.#find(runId)
        if (head === undefined || (ended && head.summary.status === 'active')) return false
        this.#forget(head)
        return true
      })
    } catch (error) {
      if (!isCallboardError(error, 'store.damaged') || ended) throw error
      // What is damaged can be removed too, by looking through everything.
      const isRemoved = this.#writing(() => this.#runs.purge(runId))
      if (!isRemoved) throw error
      return true
    }
  }

  async verify(runId?: string): Promise<VerifyReport> {
    return this.#reading(() => this.#census.verify(runId))
  }

  async rotateKey(key: string | Uint8Array | undefined): Promise<void> {
    this.#flush()
    const { path, db, vault, heads } = this.#file
    const old = vault.keys
    try {
      const generation = this.#writing(() => {
        this.#runs.settle()
        const keys = this.#changeKey(this.#file, key)
        const next = vault.with(keys)
        const renewed = this.#runs.ids().map((id) => this.#renew(id, next))
        vault.replace(keys)
        for (const head of renewed) this.#runs.change(head)
        this.#known.clear()
        return this.#transactions.keyGeneration()
      })
      this.#transactions.acceptKey(generation)
    } catch (error) {
      vault.replace(old)
      throw error
    }
    try {
      heads.remember([...this.#runs.ends()])
      // What the old key protected, or nothing did, must not be left in free pages or in the log.
      db.exec('PRAGMA wal_checkpoint(TRUNCATE); VACUUM; PRAGMA wal_checkpoint(TRUNCATE)')
    } catch (error) {
      throw uncleanError(path, error)
    }
  }

  /** Wraps and seals what a run consists of for another key; gives the head that goes with it. */
  #renew(id: number, next: Vault): RunHead {
    const head = this.#runs.findById(id)
    if (head === undefined) throw new TypeError('a run disappeared inside a transaction')
    for (const place of this.#snapshots.places(head)) this.#snapshots.rewriteWith(head, place, next)
    return { ...head, ...this.#records.rewriteAll(head, next) }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#flush()
    this.#settle()
    this.#closed = true
    this.#known.clear()
    this.#file.heads.close()
    try {
      this.#file.db.close()
    } catch (error) {
      throw storeError(error, this.#file.path)
    }
  }

  /** Leaves the rows of runs as they should be. What stands in the way fails nothing: whoever opens the file finds the same. */
  #settle(): void {
    if (!this.#runs.isAhead && this.#notes.size === 0) return
    try {
      this.#file.db.exec('PRAGMA busy_timeout = 0')
      this.#transact(() => this.#runs.settleSoon())
    } catch {
      // The lock is taken, or there is no room.
    }
  }

  /** One transaction for everything that waits (Q1). */
  #flush(): void {
    const queue = this.#queue
    if (queue.length === 0) return
    this.#queue = []
    try {
      if (!this.#hasAppended) this.#file.prepareLog()
      this.#hasAppended = true
      faultPoint('append:before')
      this.#transact(() => {
        for (const pending of queue) this.#place(pending)
      })
      faultPoint('append:after')
    } catch (error) {
      for (const { reject, refusal } of queue) reject(refusal ?? storeError(error, this.#file.path))
      return
    }
    for (const { resolve, reject, refusal } of queue) {
      if (refusal === undefined) resolve()
      else reject(refusal)
    }
  }

  /** Writes one append, or notes why not; after the first row is written, an error ends the whole transaction. */
  #place(pending: PendingAppend): void {
    const { batches, encoded } = pending
    const heads: (RunHead | undefined)[] = []
    try {
      for (const batch of batches) {
        const { runId, expectedSeq } = batch
        const head = this.#find(runId)
        if (!isExpected(batch, head?.summary.seq)) throw conflictError(runId, expectedSeq, head?.summary.seq ?? 0)
        heads.push(head)
      }
    } catch (error) {
      pending.refusal = storeError(error, this.#file.path)
      return
    }
    batches.forEach((batch, index) => this.#extend(heads[index], batch, encoded[index] ?? []))
  }

  #extend(
    head: RunHead | undefined,
    { runId, expectedSeq, summary, snapshots = [] }: Batch,
    records: readonly EncodedRecord[],
  ): void {
    const run = head?.id ?? this.#runs.add(runId)
    let last: RowLink = { id: head?.last ?? 0, hash: head?.hash ?? '' }
    let first = head === undefined || head.summary.seq === head.trimmedSeq ? 0 : head.first
    for (const record of records) {
      last = this.#records.add(this.#runs.nextRecordId(), run, last, record)
      if (first === 0) first = last.id
    }
    for (const snapshot of snapshots) this.#snapshots.add(run, snapshot)
    const next: RunHead = {
      id: run,
      summary: copyOf(summary),
      first,
      last: last.id,
      hash: last.hash,
      trimmedSeq: head?.trimmedSeq ?? (snapshots.length > 0 ? expectedSeq : 0),
      trimmedHash: head?.trimmedHash ?? '',
      snapshots: head?.snapshots ?? snapshots.length,
    }
    if (head === undefined) this.#runs.begin(next)
    else if (goesOn(head, next) && summary.updatedAt === records.at(-1)?.place.at) this.#runs.advance(next)
    else this.#runs.change(next)
    this.#known.set(runId, next)
    this.#touched.set(run, { run, seq: summary.seq, hash: last.hash })
  }

  #forget(head: RunHead): void {
    // Rows that do not belong are found by reading; then everything is looked through.
    this.#records.read(head, head.trimmedSeq, head.summary.seq)
    this.#records.drop(head, head.summary.seq + 1)
    for (const place of this.#snapshots.places(head)) this.#snapshots.delete(place)
    this.#runs.delete(head.id)
    this.#known.delete(head.summary.runId)
  }

  #change(head: RunHead): void {
    this.#runs.change(head)
    this.#known.set(head.summary.runId, head)
  }

  /** A run as it is in the transaction under way; looked at closely the first time, and after others have written. */
  #find(runId: string): RunHead | undefined {
    const known = this.#known.get(runId)
    if (known !== undefined) return known
    this.#records.write()
    const head = this.#runs.find(runId)
    if (head === undefined) {
      this.#census.assertNothingLost()
      return undefined
    }
    this.#census.assertHead(head)
    this.#known.set(runId, head)
    return head
  }

  #reading<Result>(work: () => Result): Result {
    if (this.#closed) throw closedError()
    try {
      return this.#transactions.read(work)
    } catch (error) {
      if (!isCallboardError(error, 'store.damaged')) throw error
      // The heads file may be ahead of what this transaction sees; it is not once nobody else can write.
      return this.#transactions.read(work, true)
    }
  }

  /** A transaction of its own, behind the appends that came before. */
  #writing<Result>(work: () => Result): Result {
    if (this.#closed) throw closedError()
    this.#flush()
    return this.#transact(work)
  }

  #transact<Result>(work: () => Result): Result {
    const result = this.#transactions.write(work)
    this.#remember()
    return result
  }

  /** A note of a run that has gone on since is none (Q5). */
  #writeNotes(): void {
    for (const [runId, note] of this.#notes) {
      try {
        const head = this.#find(runId)
        if (head?.summary.seq === note.seq) this.#rests.put(head, note)
      } catch (error) {
        // The others' appends are not to suffer for it; whoever reads the run will hear of the damage.
        if (!isCallboardError(error, 'store.damaged')) throw error
      }
    }
    this.#notes.clear()
  }

  #remember(): void {
    if (this.#touched.size === 0) return
    try {
      this.#file.heads.remember(this.#touched.values())
    } catch {
      // Q6: the next commit of these runs tries again; until then their rows say where they end.
      this.#runs.settleSoon()
    }
    this.#touched.clear()
  }
}

function copyOf(summary: RunSummary): RunSummary {
  const { runId, workflow, version, status, seq, createdAt, updatedAt, parent, labels } = summary
  return {
    runId,
    workflow,
    version,
    status,
    seq,
    createdAt,
    updatedAt,
    parent: parent === undefined ? undefined : Object.freeze({ runId: parent.runId, id: parent.id }),
    ...(labels === undefined ? {} : { labels: Object.isFrozen(labels) ? labels : Object.freeze({ ...labels }) }),
  }
}

/** Whether one head differs from the one before in nothing but where the run ends, and when. */
function goesOn({ first, summary: one }: RunHead, { first: nextFirst, summary: other }: RunHead): boolean {
  return (
    first === nextFirst &&
    one.status === other.status &&
    one.workflow === other.workflow &&
    one.version === other.version &&
    one.createdAt === other.createdAt &&
    one.parent?.runId === other.parent?.runId &&
    one.parent?.id === other.parent?.id &&
    (one.labels === other.labels || JSON.stringify(one.labels) === JSON.stringify(other.labels))
  )
}

function uncleanError(path: string, cause: unknown): CallboardError {
  return new CallboardError(
    'store.key-traces',
    `the key of ${path} was changed, but what the old one protected may be left in free pages; close other users of the file, make room, and rotate again`,
    { path },
    { cause },
  )
}
