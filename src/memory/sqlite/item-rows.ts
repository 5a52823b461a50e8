// ItemRows: the items' table with what is searched beside it. Runs inside the transactions of others.
import { CallboardError } from '../../base/index.ts'
import { decodeItem, encodeItem } from '../codec.ts'
import type { MemoryItem } from '../item.ts'
import { itemKey, scopeNameOf } from '../scope.ts'
import type { MemoryFilter, MemoryWrite } from '../store.ts'
import { wordsOf } from '../words.ts'
import { decodeVector, encodeVector, scopeNames, traitOf, traitsOf } from './codec.ts'
import type { Database, Row, Statement } from './database.ts'
import type { Allowed, ItemRow } from './item-table.ts'

export class ItemRows {
  readonly #db: Database
  readonly #statements = new Map<string, Statement>()
  /** Numbers of scopes by their names. They never change, so that what another process adds is all that is missing. */
  readonly #scopes = new Map<string, number>()
  /** Recalls that are not in the file yet. */
  readonly #touched = new Map<string, { count: number; at: number }>()

  constructor(db: Database) {
    this.#db = db
  }

  sql(text: string): Statement {
    const known = this.#statements.get(text)
    if (known !== undefined) return known
    const statement = this.#db.prepare(text)
    this.#statements.set(text, statement)
    return statement
  }

  load(keys: readonly string[]): readonly MemoryItem[] {
    const select = this.sql('SELECT key, body, access_count, accessed_at FROM items WHERE key = ?')
    return keys.flatMap((key) => {
      const row = select.get(key)
      return row === undefined ? [] : [this.#decode(row)]
    })
  }

  list(
    filter: MemoryFilter,
    { limit, after }: { readonly limit: number; readonly after: string | undefined },
  ): readonly MemoryItem[] {
    const start = after === undefined ? 0 : Number(this.sql('SELECT id FROM items WHERE key = ?').get(after)?.[0] ?? 0)
    const { subjects } = filter
    const where = subjects === undefined ? 'id > ?' : 'id > ? AND subject IN (SELECT value FROM json_each(?))'
    const rows = this.sql(
      `SELECT key, body, access_count, accessed_at, scope, trait, expires_at FROM items WHERE ${where} ORDER BY id`,
    ).iterate(start, ...(subjects === undefined ? [] : [JSON.stringify(subjects)]))
    const allowed = this.allow(filter)
    const items: MemoryItem[] = []
    if (limit > 0) {
      for (const row of rows) {
        if (!isAllowed(allowed, row[4], row[5], row[6])) continue
        items.push(this.#decode(row))
        if (items.length === limit) break
      }
    }
    return items
  }

  /** The rows that have a word, one number for each time. */
  postings(word: string): readonly number[] {
    const found = this.sql('SELECT json_group_array(doc) FROM postings WHERE term = ?').get(word)?.[0]
    return JSON.parse(String(found)) as readonly number[]
  }

  /** Which numbers a filter means. */
  allow(filter: MemoryFilter): Allowed {
    const traits = traitsOf(filter)
    const now = filter.now ?? Number.NEGATIVE_INFINITY
    const count = this.#knowScopes()
    if (filter.scopes === 'all') return { scopes: new Uint8Array(count + 1).fill(1), traits, now }
    const scopes = new Uint8Array(count + 1)
    for (const name of scopeNames(filter.scopes)) {
      const number = this.#scopes.get(name)
      if (number !== undefined) scopes[number] = 1
    }
    return { scopes, traits, now }
  }

  write({ item, vector }: MemoryWrite, revision: number): void {
    const key = itemKey(item.scope, item.id)
    const words = wordsOf(item.text)
    const found = this.sql('SELECT id FROM items WHERE key = ?').get(key)?.[0]
    const values = [
      revision,
      this.#scopeNumber(scopeNameOf(item.scope)),
      traitOf(item),
      item.confidence,
      item.updatedAt,
      item.expiresAt ?? null,
      item.subject ?? null,
      encodeItem(item),
      words.length,
    ] as const
    if (found !== undefined) {
      this.sql(
        `UPDATE items SET revision = ?, scope = ?, trait = ?, confidence = ?, updated_at = ?, expires_at = ?,
         subject = ?, body = ?, words = ? WHERE id = ?`,
      ).run(...values, Number(found))
      if (vector !== undefined) this.#index(Number(found), words, vector)
      return
    }
    if (vector === undefined) throw new CallboardError('memory.no-vector', `item ${item.id} is new and has no vector`)
    const { lastInsertRowid } = this.sql(
      `INSERT INTO items (revision, scope, trait, confidence, updated_at, expires_at, subject, body, words, key,
         access_count)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
    ).run(...values, key)
    this.#index(Number(lastInsertRowid), words, vector)
  }

  /** Takes items out, by the number of their row. */
  remove(ids: readonly number[]): void {
    for (const id of ids) {
      const key = this.sql('SELECT key FROM items WHERE id = ?').get(id)?.[0]
      this.#touched.delete(String(key))
      this.sql('DELETE FROM items WHERE id = ?').run(id)
      this.sql('DELETE FROM vectors WHERE id = ?').run(id)
      this.sql('DELETE FROM words WHERE rowid = ?').run(id)
    }
  }

  count(): number {
    return Number(this.sql('SELECT count(*) FROM items').get()?.[0])
  }

  /** What is compared of the items that were written since a revision, with their vectors or without. */
  *since(revision: number, { vectors }: { readonly vectors: boolean }): Iterable<ItemRow> {
    const join = vectors ? 'LEFT JOIN vectors ON vectors.id = items.id' : ''
    const rows = this.sql(
      `SELECT items.id, key, scope, trait, confidence, expires_at, words, ${vectors ? 'vector' : 'NULL'}
       FROM items ${join} WHERE revision > ? ORDER BY items.id`,
    ).iterate(revision)
    for (const [id, key, scope, trait, confidence, end, length, vector] of rows) {
      yield {
        id: Number(id),
        key: String(key),
        scope: Number(scope),
        trait: Number(trait),
        confidence: Number(confidence),
        expiresAt: end === null ? Number.POSITIVE_INFINITY : Number(end),
        length: Number(length),
        vector: vector === null ? undefined : decodeVector(vector),
      }
    }
  }

  setVectors(vectors: ReadonlyMap<string, Float32Array>): void {
    this.sql('DELETE FROM vectors').run()
    for (const [key, vector] of vectors) {
      this.sql('INSERT INTO vectors (id, vector) SELECT id, ? FROM items WHERE key = ?').run(encodeVector(vector), key)
    }
  }

  touch(key: string, at: number): void {
    const known = this.#touched.get(key)
    this.#touched.set(key, { count: (known?.count ?? 0) + 1, at: Math.max(known?.at ?? at, at) })
  }

  get touched(): number {
    return this.#touched.size
  }

  /** Writes the recalls that were only counted so far; `forgetTouched` once they are safe. */
  writeTouched(): void {
    const update = this.sql('UPDATE items SET access_count = access_count + ?, accessed_at = ? WHERE key = ?')
    for (const [key, { count, at }] of this.#touched) update.run(count, at, key)
  }

  /** After a commit. */
  forgetTouched(): void {
    this.#touched.clear()
  }

  /** After a transaction that came to nothing: scopes that it added have no numbers. */
  forgetScopes(): void {
    this.#scopes.clear()
  }

  #index(id: number, words: readonly string[], vector: Float32Array): void {
    this.sql('INSERT OR REPLACE INTO vectors (id, vector) VALUES (?, ?)').run(id, encodeVector(vector))
    this.sql('DELETE FROM words WHERE rowid = ?').run(id)
    this.sql('INSERT INTO words (rowid, text) VALUES (?, ?)').run(id, words.join(' '))
  }

  #decode([key, body, count, at]: Row): MemoryItem {
    const touched = this.#touched.get(String(key))
    const accessedAt = touched?.at ?? (at === null ? undefined : Number(at))
    return decodeItem(String(body), Number(count) + (touched?.count ?? 0), accessedAt)
  }

  /** Reads the scopes that were added since, and says how many there are. */
  #knowScopes(): number {
    const added = this.sql('SELECT id, name FROM scopes WHERE id > ?').all(this.#scopes.size)
    for (const [id, name] of added) this.#scopes.set(String(name), Number(id))
    return this.#scopes.size
  }

  #scopeNumber(name: string): number {
    this.#knowScopes()
    const known = this.#scopes.get(name)
    if (known !== undefined) return known
    this.sql('INSERT OR IGNORE INTO scopes (name) VALUES (?)').run(name)
    return Number(this.sql('SELECT id FROM scopes WHERE name = ?').get(name)?.[0])
  }
}

function isAllowed({ scopes, traits, now }: Allowed, scope: unknown, trait: unknown, end: unknown): boolean {
  return scopes[Number(scope)] === 1 && traits[Number(trait)] === 1 && (end === null || Number(end) > now)
}
