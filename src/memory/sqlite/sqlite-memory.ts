// SqliteMemory: a memory's store in one SQLite file, or in none.
//   Q1. Everything that writes is one transaction that holds the write lock from its first read.
//   Q2. The revision grows with everything that changes items; the table of items follows it, whoever wrote.
//   Q3. Recalls are counted in process and written with the next transaction.
//   Q4. Vectors are held in process only while they take no more than `scanBytes`; beyond it SQLite compares them, and
//       finds the same.
import { faultPoint } from '../../base/index.ts'
import type { MemoryBatch } from '../batch.ts'
import { decodeBatch, encodeBatch } from '../codec.ts'
import { MEMORY_KINDS } from '../item.ts'
import type { MemoryItem } from '../item.ts'
import type { PruneReport } from '../retention.ts'
import { batchExists, memoryClosed, revisionConflict } from '../store.ts'
import type {
  MemoryCommit,
  MemoryFilter,
  MemoryMatch,
  MemoryStore,
  MemoryStoreState,
  MemoryStoreTraits,
} from '../store.ts'
import { shelfOf } from './codec.ts'
import { memoryError } from './database.ts'
import type { Database, Statement } from './database.ts'
import { ItemRows } from './item-rows.ts'
import { ItemTable } from './item-table.ts'
import { nearestRows } from './nearest-rows.ts'

interface Meta extends MemoryStoreState {
  /** The revision at which something was last taken out. */
  readonly removed: number
}

export interface SqliteMemorySettings {
  /** What messages call it. */
  readonly path: string
  readonly durable: boolean
  /** What vectors may take in process memory. Less than infinity only where sqlite-vec is loaded. */
  readonly scanBytes: number
}

/** So many recalls are written without waiting for the next transaction. */
const MOST_TOUCHED = 1_000

export class SqliteMemory implements MemoryStore {
  readonly traits: MemoryStoreTraits
  readonly #db: Database
  readonly #path: string
  readonly #scanBytes: number
  readonly #rows: ItemRows
  #table: ItemTable | undefined
  #tableAt: Pick<Meta, 'revision' | 'removed'> = { revision: 0, removed: 0 }
  #sizeAt = { revision: 0, bytes: 0 }
  #closed = false

  constructor(db: Database, { path, durable, scanBytes }: SqliteMemorySettings) {
    this.#db = db
    this.#path = path
    this.#scanBytes = scanBytes
    this.#rows = new ItemRows(db)
    this.traits = Object.freeze({ durable, shared: durable, transactional: true })
  }

  async state(): Promise<MemoryStoreState> {
    return this.#read(() => {
      const { revision, embedder } = this.#meta()
      return Object.freeze({ revision, embedder })
    })
  }

  async setEmbedder(
    { id, dimensions }: { readonly id: string; readonly dimensions: number },
    vectors: ReadonlyMap<string, Float32Array>,
  ): Promise<void> {
    this.#write(() => {
      this.#rows.setVectors(vectors)
      this.#setMeta({ embedder: id, dimensions })
      this.#countRemoval()
    })
  }

  async stage(batch: MemoryBatch): Promise<void> {
    this.#write(() => {
      if (this.#sql('SELECT 1 FROM batches WHERE id = ?').get(batch.id) !== undefined) throw batchExists(batch.id)
      this.#sql('INSERT INTO batches (id, status, proposed_at, body) VALUES (?, ?, ?, ?)').run(
        batch.id,
        batch.status,
        batch.proposedAt,
        encodeBatch(batch),
      )
      faultPoint('memory:stage:before-commit')
    })
  }

  async batch(id: string): Promise<MemoryBatch | undefined> {
    return this.#read(() => {
      const row = this.#sql('SELECT body FROM batches WHERE id = ?').get(id)
      return row === undefined ? undefined : decodeBatch(String(row[0]))
    })
  }

  async discard(id: string): Promise<boolean> {
    return this.#write(() => {
      const { changes } = this.#sql(`DELETE FROM batches WHERE id = ? AND status = 'staged'`).run(id)
      return Number(changes) > 0
    })
  }

  async apply({ expectedRevision, batch, writes }: MemoryCommit): Promise<void> {
    faultPoint('memory:apply:before')
    this.#write(() => {
      const { revision, embedder } = this.#meta()
      const { changes } = this.#sql(`UPDATE batches SET status = ?, body = ? WHERE id = ? AND status = 'staged'`).run(
        batch.status,
        encodeBatch(batch),
        batch.id,
      )
      if (revision !== expectedRevision || Number(changes) === 0) throw revisionConflict(expectedRevision, revision)
      faultPoint('memory:apply:after-batch')
      for (const write of writes) {
        this.#rows.write(write, revision + 1)
        faultPoint('memory:apply:after-item')
      }
      const dimensions = writes.find(({ vector }) => vector !== undefined)?.vector?.length
      if (embedder === undefined && dimensions !== undefined) this.#setMeta({ embedder: batch.embedder, dimensions })
      this.#setMeta({ revision: revision + 1 })
      faultPoint('memory:apply:before-commit')
    })
    faultPoint('memory:apply:after')
  }

  async load(keys: readonly string[]): Promise<readonly MemoryItem[]> {
    return this.#read(() => Object.freeze(this.#rows.load(keys)))
  }

  async list(
    filter: MemoryFilter,
    { limit = Number.POSITIVE_INFINITY, after }: { readonly limit?: number; readonly after?: string } = {},
  ): Promise<readonly MemoryItem[]> {
    return this.#read(() => Object.freeze(this.#rows.list(filter, { limit, after })))
  }

  async searchWords(words: readonly string[], filter: MemoryFilter, limit: number): Promise<readonly MemoryMatch[]> {
    return this.#read(() => {
      const table = this.#freshTable(this.#meta())
      const postings = words.map((word) => this.#rows.postings(word))
      return table.searchWords(postings, this.#rows.allow(filter), limit)
    })
  }

  async searchVector(
    vector: Float32Array,
    filter: MemoryFilter,
    { threshold, limit }: { readonly threshold: number; readonly limit: number },
  ): Promise<readonly MemoryMatch[]> {
    return this.#readAtOnce(() => {
      const meta = this.#meta()
      if (meta.embedder?.dimensions !== vector.length) return []
      const allowed = this.#rows.allow(filter)
      return this.#isScanned(meta)
        ? this.#freshTable(meta).searchVector(vector, allowed, { threshold, limit })
        : nearestRows(this.#rows, vector, { allowed, threshold, limit })
    })
  }

  async touch(keys: readonly string[], at: number): Promise<void> {
    this.#assertOpen()
    for (const key of keys) this.#rows.touch(key, at)
    if (this.#rows.touched >= MOST_TOUCHED) this.#write(() => {})
  }

  async prune({ now, retention, batchesBefore }: Parameters<MemoryStore['prune']>[0]): Promise<PruneReport> {
    return this.#write(() => {
      const batches = Number(this.#sql('DELETE FROM batches WHERE proposed_at < ?').run(batchesBefore).changes)
      const expired = this.#ids(this.#sql('SELECT id FROM items WHERE expires_at <= ?').all(now))
      this.#rows.remove(expired)
      const evicted = this.#idsBeyond((kind) => retention[kind].maxItems)
      this.#rows.remove(evicted)
      if (expired.length + evicted.length > 0) this.#countRemoval()
      return Object.freeze({ expired: expired.length, evicted: evicted.length, batches })
    })
  }

  async close(): Promise<void> {
    if (this.#closed) return
    try {
      if (this.#rows.touched > 0) this.#write(() => {})
    } finally {
      this.#closed = true
      this.#db.close()
    }
  }

  /** Rows of every shelf that has more than it may, the most recalled and newest left out. */
  #idsBeyond(mostOf: (kind: (typeof MEMORY_KINDS)[number]) => number): readonly number[] {
    const counts = this.#sql('SELECT scope, trait, count(*) FROM items GROUP BY scope, trait').all()
    const scopes = new Set(counts.map(([scope]) => Number(scope)))
    const beyond: number[] = []
    for (const kind of MEMORY_KINDS) {
      for (const traits of [shelfOf(kind, true), shelfOf(kind, false)]) {
        for (const scope of scopes) {
          const own = counts.filter(([inScope, trait]) => inScope === scope && traits.includes(Number(trait)))
          const count = own.reduce((sum, [, , number]) => sum + Number(number), 0)
          if (count <= mostOf(kind)) continue
          const rows = this.#sql(
            `SELECT id FROM items WHERE scope = ? AND trait IN (SELECT value FROM json_each(?))
             ORDER BY access_count DESC, updated_at DESC, id DESC LIMIT -1 OFFSET ?`,
          ).all(scope, JSON.stringify(traits), mostOf(kind))
          beyond.push(...this.#ids(rows))
        }
      }
    }
    return beyond
  }

  #ids(rows: readonly (readonly unknown[])[]): readonly number[] {
    return rows.map(([id]) => Number(id))
  }

  /** The table of items as of now, whoever wrote them. */
  #freshTable(meta: Meta): ItemTable {
    const { revision, removed, embedder } = meta
    const dimensions = this.#isScanned(meta) ? (embedder?.dimensions ?? 0) : 0
    if (this.#table?.dimensions !== dimensions || this.#tableAt.removed !== removed) {
      this.#table = new ItemTable(dimensions)
      this.#tableAt = { revision: 0, removed }
    }
    if (this.#tableAt.revision !== revision) {
      const added = this.#rows.since(this.#tableAt.revision, { vectors: dimensions > 0 })
      for (const row of added) this.#table.set(row)
      this.#tableAt = { revision, removed }
    }
    return this.#table
  }

  /** Whether vectors are compared in process. */
  #isScanned({ revision, embedder }: Meta): boolean {
    if (this.#scanBytes === Number.POSITIVE_INFINITY || embedder === undefined) return true
    if (this.#sizeAt.revision !== revision) {
      const bytes = this.#rows.count() * embedder.dimensions * Float32Array.BYTES_PER_ELEMENT
      this.#sizeAt = { revision, bytes }
    }
    return this.#sizeAt.bytes <= this.#scanBytes
  }

  #meta(): Meta {
    const meta = new Map(this.#sql('SELECT name, value FROM meta').all() as [string, unknown][])
    const [id, dimensions] = [meta.get('embedder'), meta.get('dimensions')]
    return {
      revision: Number(meta.get('revision')),
      removed: Number(meta.get('removed')),
      embedder: id === undefined ? undefined : Object.freeze({ id: String(id), dimensions: Number(dimensions) }),
    }
  }

  #setMeta(values: Readonly<Record<string, string | number>>): void {
    const set = this.#sql('INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)')
    for (const [name, value] of Object.entries(values)) set.run(name, value)
  }

  #countRemoval(): void {
    const revision = this.#meta().revision + 1
    this.#setMeta({ revision, removed: revision })
  }

  #sql(text: string): Statement {
    return this.#rows.sql(text)
  }

  #read<Result>(work: () => Result): Result {
    this.#assertOpen()
    try {
      return work()
    } catch (error) {
      throw memoryError(error, this.#path)
    }
  }

  /** What is read is of one moment, whoever writes meanwhile. */
  #readAtOnce<Result>(work: () => Result): Result {
    return this.#read(() => {
      this.#db.exec('BEGIN')
      try {
        return work()
      } finally {
        if (this.#db.isTransaction) this.#db.exec('COMMIT')
      }
    })
  }

  #write<Result>(work: () => Result): Result {
    return this.#read(() => {
      this.#db.exec('BEGIN IMMEDIATE')
      try {
        this.#rows.writeTouched()
        const result = work()
        this.#db.exec('COMMIT')
        this.#rows.forgetTouched()
        return result
      } catch (error) {
        if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
        this.#rows.forgetScopes()
        throw error
      }
    })
  }

  #assertOpen(): void {
    if (this.#closed) throw memoryClosed()
  }
}
