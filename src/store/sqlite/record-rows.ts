// Rows of the table `records`: in order of arrival, each pointing to the one before of its run.
//   K1. What is read is checked: every row continues the chain, and the last one is the head.
//   K2. Anchors and row ranges only make reading faster; when they mislead, the rows are followed one by one.
import { decodeRecord, linkHash, RECORD_KINDS, verifyChain } from '../../ledger/index.ts'
import type { ChainLink, ChainProblem, LedgerRecord, RecordPlace, SealedRecord } from '../../ledger/index.ts'
import { damageAt, damagedError } from '../errors.ts'
import type { Bindable, Database, Row, Statement } from './database.ts'
import type { RunHead } from './run-rows.ts'
import type { Vault } from './vault.ts'

const ANCHOR_EVERY = 128
/** Rows of other runs that are cheaper to pass over than to follow a run's rows one by one. */
const SCAN_AT_MOST = 8
const PAGE_ROWS = 512
/** One statement for so many rows takes three quarters of the time. */
const ROWS_AT_ONCE = 50
const ROW_VALUES = 8
/** So few records are followed from the end at once. */
const FEW = 16
export const RECORD_COLUMNS = 'id, run, seq, prev, at, kind, hash, body'
const KIND_NUMBERS: ReadonlyMap<string, number> = new Map(RECORD_KINDS.map((kind, index) => [kind, index]))

/** A record to append, encoded. */
export interface EncodedRecord {
  readonly place: RecordPlace
  readonly body: string
}

/** A row: where it is, and its hash. */
export interface RowLink {
  readonly id: number
  readonly hash: string
}

interface Anchor {
  readonly id: number
  readonly seq: number
}

/** Rows among which a run's records are, and which of them. */
interface Span {
  readonly fromId: number
  readonly toId: number
  readonly fromSeq: number
  readonly toSeq: number
}

type PageRow = readonly [id: number, seq: number, at: number, kind: number, hash: string, body: unknown]

/** The rows of a run from one seq to another, unwrapped; a problem where one of them is not there or not a row. */
interface Found {
  readonly rows: readonly SealedRecord[]
  readonly problem: ChainProblem | undefined
}

export class RecordRows {
  readonly #vault: Vault
  readonly #insert: Statement
  readonly #insertMany: Statement
  readonly #byId: Statement
  readonly #range: Statement
  readonly #page: Statement
  readonly #newest: Statement
  readonly #lastBefore: Statement
  readonly #rewrite: Statement
  readonly #delete: Statement
  readonly #addAnchor: Statement
  readonly #anchorBefore: Statement
  readonly #anchorAfter: Statement
  readonly #dropAnchors: Statement
  /** The values of rows that are not written yet. */
  #added: Bindable[] = []

  constructor(db: Database, vault: Vault) {
    this.#vault = vault
    const insertOf = (rows: number): Statement =>
      db.prepare(
        `INSERT INTO records (${RECORD_COLUMNS}) VALUES ${Array(rows).fill('(?, ?, ?, ?, ?, ?, ?, ?)').join()}`,
      )
    this.#insert = insertOf(1)
    this.#insertMany = insertOf(ROWS_AT_ONCE)
    this.#byId = db.prepare(`SELECT ${RECORD_COLUMNS} FROM records WHERE id = ?`)
    this.#range = db.prepare(
      `SELECT ${RECORD_COLUMNS} FROM records WHERE id BETWEEN ? AND ? AND run = ? AND seq BETWEEN ? AND ? ORDER BY id`,
    )
    this.#page = db.prepare(
      `SELECT id, seq, at, kind, hash, body FROM records
       WHERE id > ? AND id <= ? AND run = ? AND seq BETWEEN ? AND ? ORDER BY id LIMIT ${PAGE_ROWS}`,
    )
    this.#page.setReturnArrays(true)
    this.#newest = db.prepare('SELECT max(id) AS id FROM records')
    this.#lastBefore = db.prepare('SELECT max(seq) AS seq FROM records WHERE run = ? AND seq < ?')
    this.#rewrite = db.prepare('UPDATE records SET hash = ?, body = ? WHERE id = ?')
    this.#delete = db.prepare('DELETE FROM records WHERE id = ?')
    this.#addAnchor = db.prepare('INSERT OR REPLACE INTO anchors (run, seq, id) VALUES (?, ?, ?)')
    this.#anchorBefore = db.prepare('SELECT id, seq FROM anchors WHERE run = ? AND seq <= ? ORDER BY seq DESC LIMIT 1')
    this.#anchorAfter = db.prepare('SELECT id, seq FROM anchors WHERE run = ? AND seq >= ? ORDER BY seq LIMIT 1')
    this.#dropAnchors = db.prepare('DELETE FROM anchors WHERE run = ? AND seq < ?')
  }

  /** Adds a record of a run behind its last row; `write` has it written. */
  add(id: number, run: number, last: RowLink, { place, body }: EncodedRecord): RowLink {
    const { seq, at, kind } = place
    const hash = linkHash(this.#vault.sealer, last.hash, place, body)
    const wrapped = this.#vault.envelope.wrap(body, { table: 'record', run, seq })
    this.#added.push(id, run, seq, last.id, at, KIND_NUMBERS.get(kind) ?? -1, hash, wrapped)
    if (this.#added.length === ROWS_AT_ONCE * ROW_VALUES) {
      this.#insertMany.run(...this.#added)
      this.#added = []
    }
    if (seq % ANCHOR_EVERY === 0) this.#addAnchor.run(run, seq, id)
    return { id, hash }
  }

  /** Writes what was added: before anything is read, and before a transaction ends. */
  write(): void {
    const added = this.#added
    if (added.length === 0) return
    this.#added = []
    for (let start = 0; start < added.length; start += ROW_VALUES) {
      this.#insert.run(...added.slice(start, start + ROW_VALUES))
    }
  }

  /** Forgets what was added: the transaction has failed. */
  forget(): void {
    this.#added = []
  }

  /**
   * The records with `afterSeq < seq <= toSeq`.
   *
   * @throws CallboardError `store.damaged` at the first that is not what was appended
   */
  read(head: RunHead, afterSeq: number, toSeq: number): readonly LedgerRecord[] {
    const { runId, seq } = head.summary
    if (toSeq <= afterSeq) {
      if (afterSeq >= seq) this.assertHead(head)
      return []
    }
    const quick = this.#readQuickly(head, afterSeq, toSeq)
    if (quick !== undefined) return quick
    const { rows, problem } = this.#checked(head, afterSeq, toSeq)
    if (problem !== undefined) throw damagedError(damageAt(runId, problem.seq, problem.what, problem.message))
    return Object.freeze(rows.map((row) => decodeRecord(row, row.body)))
  }

  /** The first thing wrong with the records after `after`, how many are sound, and where to look on. */
  inspect(
    head: RunHead,
    after: ChainLink,
  ): { readonly count: number; readonly problem: ChainProblem | undefined; readonly resume: ChainLink | undefined } {
    const { rows, problem } = this.#checked(head, after.seq, head.summary.seq, after)
    if (problem === undefined) return { count: rows.length, problem, resume: undefined }
    const index = rows.findIndex(({ seq }) => seq === problem.seq)
    const resume = problem.what === 'changed' ? rows[index] : undefined
    return { count: Math.max(0, index), problem, resume }
  }

  /** That the last record is the one the run's row names: what an append builds on. */
  assertHead(head: RunHead): void {
    const { summary, hash, last, trimmedSeq } = head
    if (summary.seq === trimmedSeq) return
    const row = this.#byId.get(last)
    const isHead = row !== undefined && row['run'] === head.id && row['seq'] === summary.seq
    if (isHead && row['hash'] === hash) return
    const { seq, what, message } = isHead
      ? { seq: summary.seq, what: 'changed' as const, message: 'the last record is not the one the ledger ended with' }
      : this.holeAt(head, summary.seq)
    throw damagedError(damageAt(summary.runId, seq, what, message))
  }

  /** That each row leads to the one before. @throws CallboardError `store.damaged` where it does not */
  assertLinked(head: RunHead): void {
    this.#idsBackTo(head, head.trimmedSeq)
  }

  /** The stored hash of a record. @throws CallboardError `store.damaged` where it cannot be read */
  hashAt(head: RunHead, seq: number): string {
    const { rows, problem } = this.#checked(head, seq - 1, seq)
    if (problem !== undefined) throw damagedError(damageAt(head.summary.runId, seq, problem.what, problem.message))
    return rows[0]?.hash ?? ''
  }

  /** Every row of a run as it is stored, oldest first, for a new key. */
  rewriteAll(head: RunHead, to: Vault): { readonly hash: string; readonly trimmedHash: string } {
    const from = head.trimmedSeq
    const { rows, problem } = this.#checked(head, from, head.summary.seq)
    if (problem !== undefined) {
      throw damagedError(damageAt(head.summary.runId, problem.seq, problem.what, problem.message))
    }
    const ids = this.#idsBackTo(head, from)
    // What was trimmed is only known by its hash; the new chain is tied to that.
    const trimmedHash = from === 0 ? '' : to.sealer(head.trimmedHash)
    let hash = trimmedHash
    for (const row of rows) {
      hash = linkHash(to.sealer, hash, row, row.body)
      const body = to.envelope.wrap(row.body, { table: 'record', run: head.id, seq: row.seq })
      this.#rewrite.run(hash, body, ids[head.summary.seq - row.seq] ?? 0)
    }
    return { hash, trimmedHash }
  }

  /** Deletes the records with `seq < beforeSeq`; says how many, and the row that is the first now. */
  drop(head: RunHead, beforeSeq: number): { readonly count: number; readonly first: number } {
    const ids = this.#idsBackTo(head, head.trimmedSeq)
    const kept = head.summary.seq - beforeSeq + 1
    for (const id of ids.slice(kept)) this.#delete.run(id)
    this.#dropAnchors.run(head.id, beforeSeq)
    return { count: ids.length - kept, first: ids[kept - 1] ?? 0 }
  }

  /** The row ids of a run, newest first, down to the one after `afterSeq`. */
  #idsBackTo(head: RunHead, afterSeq: number): readonly number[] {
    const ids: number[] = []
    let id = head.last
    for (let seq = head.summary.seq; seq > afterSeq; seq--) {
      const row = this.#byId.get(id)
      if (row === undefined || row['run'] !== head.id || row['seq'] !== seq) {
        throw damagedError(damageAt(head.summary.runId, seq, 'missing', 'the record is gone'))
      }
      ids.push(id)
      id = row['prev'] as number
    }
    return ids
  }

  #checked(head: RunHead, afterSeq: number, toSeq: number, known?: ChainLink): Found {
    const isTrimmedEnd = afterSeq === head.trimmedSeq
    const fromSeq = known !== undefined || isTrimmedEnd ? afterSeq + 1 : afterSeq
    const check = ({ rows, problem }: Found): Found => {
      const first = rows[0]
      const leads = fromSeq === afterSeq && first?.seq === afterSeq
      const hash = leads ? first.hash : isTrimmedEnd ? head.trimmedHash : ''
      const own = leads ? rows.slice(1) : rows
      if (problem !== undefined) return { rows: own, problem }
      const end = toSeq === head.summary.seq ? { seq: toSeq, hash: head.hash } : undefined
      const after = known ?? { seq: afterSeq, hash }
      const broken = verifyChain(own, { sealer: this.#vault.sealer, after, head: end })
      const reached = own.at(-1)?.seq ?? afterSeq
      return { rows: own, problem: broken ?? (reached < toSeq ? missingAt(reached + 1) : undefined) }
    }
    const found = check(this.#find(head, fromSeq, toSeq))
    const { problem } = found
    if (problem === undefined || problem.what === 'inserted' || problem.what === 'swapped') return found
    // The quick way may have been misled (K2).
    const followed = check(this.#follow(head, head.last, head.summary.seq, fromSeq, toSeq))
    return followed.problem === undefined || problem.what === 'missing' ? followed : found
  }

  /** The records, page by page, as long as nothing is odd; undefined otherwise, and where a scan does not pay. */
  #readQuickly(head: RunHead, afterSeq: number, toSeq: number): readonly LedgerRecord[] | undefined {
    const isWhole = afterSeq === head.trimmedSeq
    let expected = isWhole ? afterSeq + 1 : afterSeq
    const span = this.#spanOf(head, expected, toSeq)
    if (span === undefined) return undefined
    const { runId } = head.summary
    const { sealer, envelope } = this.#vault
    const records: LedgerRecord[] = []
    let previous = isWhole ? head.trimmedHash : ''
    let behind = span.fromId - 1
    try {
      for (;;) {
        const rows = this.#page.all(behind, span.toId, head.id, span.fromSeq, span.toSeq) as unknown as PageRow[]
        for (const [id, seq, at, kindNumber, hash, wrapped] of rows) {
          const kind = RECORD_KINDS[kindNumber]
          if (seq !== expected || kind === undefined) return undefined
          if (seq > afterSeq) {
            const body = envelope.unwrap(wrapped, { table: 'record', run: head.id, seq })
            const place = { runId, seq, at, kind }
            if (linkHash(sealer, previous, place, body) !== hash) return undefined
            records.push(decodeRecord(place, body))
          }
          previous = hash
          expected += 1
          behind = id
        }
        if (rows.length < PAGE_ROWS) break
      }
    } catch {
      return undefined
    }
    const isAtEnd = expected === toSeq + 1 && (toSeq < head.summary.seq || previous === head.hash)
    return isAtEnd ? Object.freeze(records) : undefined
  }

  /** Which rows to scan for these records, or undefined where following them one by one costs less. */
  #spanOf(head: RunHead, fromSeq: number, toSeq: number): Span | undefined {
    const { seq } = head.summary
    const isToEnd = toSeq === seq
    if (isToEnd && seq - fromSeq < FEW) return undefined
    const before = this.#anchorBefore.get(head.id, fromSeq)
    const low = before === undefined ? { id: head.first, seq: head.trimmedSeq + 1 } : (before as unknown as Anchor)
    const high = toSeq === low.seq ? low : this.#endBehind(head, toSeq)
    const worth = SCAN_AT_MOST * (high.seq - low.seq + 1)
    if (high.id - low.id > worth) return undefined
    // Where it costs little, rows behind the end are looked for too: nobody appended them.
    const newest = isToEnd ? Number(this.#newest.get()?.['id'] ?? 0) : high.id
    const looksBehind = isToEnd && newest - low.id <= worth
    const last = looksBehind ? Number.MAX_SAFE_INTEGER : toSeq
    return { fromId: low.id, toId: looksBehind ? newest : high.id, fromSeq, toSeq: last }
  }

  #find(head: RunHead, fromSeq: number, toSeq: number): Found {
    const span = this.#spanOf(head, fromSeq, toSeq)
    if (span !== undefined) {
      try {
        const rows = this.#range.all(span.fromId, span.toId, head.id, span.fromSeq, span.toSeq)
        return { rows: rows.map((row) => this.#sealed(head, row)), problem: undefined }
      } catch {
        // One of the rows cannot be read: following them tells which.
      }
    }
    const { id, seq } = this.#endBehind(head, toSeq)
    return this.#follow(head, id, seq, fromSeq, toSeq)
  }

  /** The nearest known row of a run that is not before `toSeq`. */
  #endBehind({ id, last, summary: { seq } }: RunHead, toSeq: number): Anchor {
    const behind = toSeq === seq ? undefined : this.#anchorAfter.get(id, toSeq)
    return behind === undefined ? { id: last, seq } : (behind as unknown as Anchor)
  }

  /** From a row back to `fromSeq`, one by one; keeps what lies between. */
  #follow(head: RunHead, id: number, seq: number, fromSeq: number, toSeq: number): Found {
    const rows: SealedRecord[] = []
    let next = id
    for (let expected = seq; expected >= fromSeq; expected--) {
      let row: Row | undefined
      try {
        row = this.#byId.get(next)
        if (row === undefined || row['run'] !== head.id || row['seq'] !== expected) {
          return { rows: rows.reverse(), problem: this.holeAt(head, expected) }
        }
        if (expected <= toSeq) rows.push(this.#sealed(head, row))
      } catch {
        return { rows: rows.reverse(), problem: unreadableAt(expected) }
      }
      next = row['prev'] as number
    }
    return { rows: rows.reverse(), problem: undefined }
  }

  /** What is wrong when the record `seq` is not where it should be: how far back it is gone too. */
  holeAt(head: RunHead, seq: number): ChainProblem {
    let first = seq
    try {
      first = Number(this.#lastBefore.get(head.id, seq)?.['seq'] ?? head.trimmedSeq) + 1
    } catch {
      // The table cannot be searched; the place found is the best there is.
    }
    const { seq: end } = head.summary
    if (seq < end) return missingAt(first)
    return { seq: first, what: 'lost-tail', message: `the records from here to ${end} are gone` }
  }

  /** A row as a link of its run's chain, whatever is in it: where it cannot be read, as one that does not fit. */
  sealedOrNot(head: RunHead, row: Row): SealedRecord {
    try {
      return this.#sealed(head, row)
    } catch {
      const { runId } = head.summary
      return { runId, seq: row['seq'] as number, at: Number.NaN, kind: 'start', body: '', hash: String(row['hash']) }
    }
  }

  #sealed(head: RunHead, row: Row): SealedRecord {
    const kind = RECORD_KINDS[row['kind'] as number]
    if (kind === undefined) throw new TypeError('a record of no known kind')
    const seq = row['seq'] as number
    const { runId } = head.summary
    const body = this.#vault.envelope.unwrap(row['body'], { table: 'record', run: head.id, seq })
    return { runId, seq, at: row['at'] as number, kind, body, hash: String(row['hash']) }
  }
}

function missingAt(seq: number): ChainProblem {
  return { seq, what: 'missing', message: 'the record is gone' }
}

function unreadableAt(seq: number): ChainProblem {
  return { seq, what: 'changed', message: 'the record is not the one that was appended here' }
}
