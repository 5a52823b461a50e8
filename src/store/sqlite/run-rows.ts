// Rows of the table `runs`: a run's summary, where its records are, and the end of its chain, sealed as a whole.
import type { Labels, RunSummary } from '../contract.ts'
import { damageAt, damagedError } from '../errors.ts'
import type { RunFilter } from '../contract.ts'
import type { Database, Row, Statement } from './database.ts'
import type { HeadToRemember } from './heads-file.ts'
import type { Vault } from './vault.ts'

/** What the store knows of a run. */
export interface RunHead {
  /** Its number in the file. */
  readonly id: number
  readonly summary: RunSummary
  /** The row ids of its first and last record. */
  readonly first: number
  readonly last: number
  /** The hash of its last record. */
  readonly hash: string
  /** The last record that was trimmed; 0 when none was. */
  readonly trimmedSeq: number
  readonly trimmedHash: string
  /** How many snapshots it has. */
  readonly snapshots: number
}

/** A run, or why it cannot be told. */
export type FoundRun = RunHead | { readonly id: number; readonly error: unknown }

const COLUMNS =
  'id, run_id, workflow, version, status, seq, created_at, updated_at, parent, labels, first, last, hash, trimmed_seq, trimmed_hash, snapshots, seal'

/** Any text as SQLite keeps it without loss: no NUL, no lone surrogate. */
export function toColumn(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}

function fromColumn(text: unknown): string {
  return JSON.parse(`"${String(text)}"`) as string
}

export class RunRows {
  readonly #vault: Vault
  readonly #db: Database
  readonly #byRunId: Statement
  readonly #byId: Statement
  readonly #insert: Statement
  readonly #rewrite: Statement
  readonly #delete: Statement
  readonly #addRemoved: Statement

  constructor(db: Database, vault: Vault) {
    this.#db = db
    this.#vault = vault
    this.#byRunId = db.prepare(`SELECT ${COLUMNS} FROM runs WHERE run_id = ?`)
    this.#byId = db.prepare(`SELECT ${COLUMNS} FROM runs WHERE id = ?`)
    this.#insert = db.prepare(
      `INSERT INTO runs (run_id, workflow, version, status, seq, created_at, updated_at, parent, labels, first, last, hash, trimmed_seq, trimmed_hash, snapshots, seal)
       VALUES (?, '', '', '', 0, 0, 0, NULL, NULL, 0, 0, '', 0, '', 0, '')`,
    )
    this.#rewrite = db.prepare(
      `UPDATE runs SET workflow = ?, version = ?, status = ?, seq = ?, created_at = ?, updated_at = ?, parent = ?, labels = ?, first = ?, last = ?,
       hash = ?, trimmed_seq = ?, trimmed_hash = ?, snapshots = ?, seal = ? WHERE id = ?`,
    )
    this.#delete = db.prepare('DELETE FROM runs WHERE id = ?')
    this.#addRemoved = db.prepare('INSERT OR IGNORE INTO removed (id) VALUES (?)')
  }

  /** @throws CallboardError `store.damaged` when the row is not as it was written */
  find(runId: string): RunHead | undefined {
    const row = this.#byRunId.get(toColumn(runId))
    return row === undefined ? undefined : this.#headOf(row, runId)
  }

  findById(id: number): RunHead | undefined {
    const row = this.#byId.get(id)
    return row === undefined ? undefined : this.#headOf(row, undefined)
  }

  /** The ids of all runs there are. */
  ids(): readonly number[] {
    return this.#db
      .prepare('SELECT id FROM runs ORDER BY id')
      .all()
      .map(({ id }) => Number(id))
  }

  /** All that match, oldest first; a damaged one is given as its error. */
  list(filter: RunFilter): readonly FoundRun[] {
    const where = new Where()
    if (filter.workflow !== undefined) where.and('workflow = ?', toColumn(filter.workflow))
    if (filter.status !== undefined) where.and('status = ?', filter.status)
    return this.#db
      .prepare(`SELECT ${COLUMNS} FROM runs NOT INDEXED ${where.clause} ORDER BY id`)
      .all(...where.values)
      .map((row) => {
        try {
          return this.#headOf(row, undefined)
        } catch (error) {
          return { id: Number(row['id']), error }
        }
      })
  }

  /** What the rows know of where each run ends; not checked. */
  *heads(): Iterable<HeadToRemember> {
    for (const { id, seq, hash } of this.#db.prepare('SELECT id, seq, hash FROM runs').all()) {
      yield { run: Number(id), seq: Number(seq), hash: String(hash) }
    }
  }

  /** A row for a new run; `rewrite` fills it. */
  add(runId: string): number {
    return Number(this.#insert.run(toColumn(runId)).lastInsertRowid)
  }

  rewrite(head: RunHead): void {
    const { workflow, version, status, seq, createdAt, updatedAt, parent, labels } = head.summary
    this.#rewrite.run(
      toColumn(workflow),
      toColumn(version),
      status,
      seq,
      createdAt,
      updatedAt,
      parent === undefined ? null : JSON.stringify([parent.runId, parent.id]),
      labels === undefined ? null : JSON.stringify(labels),
      head.first,
      head.last,
      head.hash,
      head.trimmedSeq,
      head.trimmedHash,
      head.snapshots,
      this.#sealOf(head),
      head.id,
    )
  }

  /** Deletes the row and remembers that this was wanted: the heads file may go on knowing the run. */
  delete(id: number): void {
    this.#delete.run(id)
    this.#addRemoved.run(id)
  }

  /** Deletes everything of a run whose rows cannot be trusted; gives its number if there was one. */
  purge(runId: string): number | undefined {
    const row = this.#db.prepare('SELECT id FROM runs NOT INDEXED WHERE run_id = ?').get(toColumn(runId))
    if (row === undefined) return undefined
    const id = row['id'] as number
    for (const table of ['records', 'anchors', 'snapshots']) {
      this.#db.prepare(`DELETE FROM ${table} NOT INDEXED WHERE run = ?`).run(id)
    }
    this.delete(id)
    return id
  }

  /** The ids of runs that were removed. */
  removedIds(): readonly number[] {
    return this.#db
      .prepare('SELECT id FROM removed')
      .all()
      .map(({ id }) => Number(id))
  }

  #sealOf({ id, summary, first, last, hash, trimmedSeq, trimmedHash, snapshots }: RunHead): string {
    const { runId, workflow, version, status, seq, createdAt, updatedAt, parent, labels } = summary
    const lengths = `${runId.length}|${workflow.length}|${version.length}|${parent?.runId.length ?? ''}`
    return this.#vault.check(
      `${id}|${status}|${seq}|${createdAt}|${updatedAt}|${first}|${last}|${hash}|${trimmedSeq}|${trimmedHash}|${snapshots}|${lengths}|${runId}${workflow}${version}${parent?.runId ?? ''}${parent?.id ?? ''}${labels === undefined ? '' : JSON.stringify(labels)}`,
    )
  }

  #headOf(row: Row, asked: string | undefined): RunHead {
    let runId = asked
    try {
      runId ??= fromColumn(row['run_id'])
      const head = readHead(row)
      if (row['seal'] === this.#sealOf(head) && head.summary.runId === runId) return head
    } catch {
      // What cannot be read is damaged too.
    }
    throw damagedError(damageAt(runId, undefined, 'summary', 'its summary is not what was written'))
  }
}

function readHead(row: Row): RunHead {
  const parent = row['parent'] === null ? undefined : (JSON.parse(String(row['parent'])) as [string, string])
  const labels = row['labels'] === null ? undefined : (JSON.parse(String(row['labels'])) as Labels)
  return Object.freeze({
    id: Number(row['id']),
    summary: Object.freeze({
      runId: fromColumn(row['run_id']),
      workflow: fromColumn(row['workflow']),
      version: fromColumn(row['version']),
      status: row['status'] as RunSummary['status'],
      seq: row['seq'] as number,
      createdAt: row['created_at'] as number,
      updatedAt: row['updated_at'] as number,
      parent: parent === undefined ? undefined : Object.freeze({ runId: parent[0], id: parent[1] }),
      ...(labels === undefined ? {} : { labels: Object.freeze(labels) }),
    } satisfies RunSummary),
    first: row['first'] as number,
    last: row['last'] as number,
    hash: row['hash'] as string,
    trimmedSeq: row['trimmed_seq'] as number,
    trimmedHash: row['trimmed_hash'] as string,
    snapshots: row['snapshots'] as number,
  } satisfies RunHead)
}

/** A clause and its arguments, built together. */
class Where {
  readonly #clauses: string[] = []
  readonly #values: string[] = []

  and(clause: string, value: string): void {
    this.#clauses.push(clause)
    this.#values.push(value)
  }

  get clause(): string {
    return this.#clauses.length === 0 ? '' : `WHERE ${this.#clauses.join(' AND ')}`
  }

  get values(): readonly string[] {
    return this.#values
  }
}
