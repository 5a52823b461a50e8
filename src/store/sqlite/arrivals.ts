// Arrivals: the rows of the table `records` in the order in which they came, whatever their run.
import type { Database, Row, Statement } from './database.ts'
import { RECORD_COLUMNS } from './record-rows.ts'

const PAGE_ROWS = 512

/** Some rows, one after the other. */
export interface Page {
  readonly rows: readonly Row[]
  /** The last one, or the one asked for where there is none. */
  readonly last: number
  /** Whether all of them could be read. */
  readonly isWhole: boolean
  readonly isLast: boolean
}

export class Arrivals {
  readonly #newest: Statement
  readonly #behind: Statement
  readonly #idsBehind: readonly Statement[]
  readonly #byId: Statement

  constructor(db: Database) {
    this.#newest = db.prepare('SELECT max(id) AS id FROM records')
    this.#behind = db.prepare(`SELECT ${RECORD_COLUMNS} FROM records WHERE id > ? ORDER BY id LIMIT ${PAGE_ROWS}`)
    this.#idsBehind = ['ASC', 'DESC'].map((order) =>
      db.prepare(`SELECT id FROM records WHERE id > ? ORDER BY id ${order}`),
    )
    this.#byId = db.prepare(`SELECT ${RECORD_COLUMNS} FROM records WHERE id = ?`)
  }

  /** The id of the last row there is; 0 when there is none. */
  newest(): number {
    return Number(this.#newest.get()?.['id'] ?? 0)
  }

  /** The rows that arrived after `id`. */
  behind(id: number): Page {
    try {
      const rows = this.#behind.all(id)
      const last = (rows.at(-1)?.['id'] as number | undefined) ?? id
      return { rows, last, isWhole: true, isLast: rows.length < PAGE_ROWS }
    } catch {
      return this.#salvage(id)
    }
  }

  /** Whatever can be read of the rows that arrived after `id`, all at once. */
  #salvage(id: number): Page {
    const ids = new Set<number>()
    for (const statement of this.#idsBehind) {
      try {
        for (const row of statement.iterate(id)) ids.add(row['id'] as number)
      } catch {
        // What lies beyond a page that cannot be read is found from the other end.
      }
    }
    const rows: Row[] = []
    for (const found of [...ids].sort((a, b) => a - b)) {
      try {
        const row = this.#byId.get(found)
        if (row !== undefined) rows.push(row)
      } catch {
        // Its run is told by what follows it, or by the heads file.
      }
    }
    return { rows, last: Math.max(id, ...ids), isWhole: false, isLast: true }
  }
}
