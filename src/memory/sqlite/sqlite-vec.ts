// sqlite-vec: an extension that compares vectors inside SQLite, taken where it is installed.
import { createRequire } from 'node:module'
import { CallboardError } from '../../base/index.ts'
import type { Database } from './database.ts'

/**
 * `scan`: in process memory, which holds all of them; the fastest. `sqlite-vec`: in SQLite, by the package of that name,
 * and none is held. `auto`: the scan, and sqlite-vec where it can be loaded and vectors would take more than 64 MiB.
 */
export type VectorSearch = 'auto' | 'scan' | 'sqlite-vec'

const CHOICES: readonly VectorSearch[] = ['auto', 'scan', 'sqlite-vec']

/** What of the package is called. */
interface SqliteVec {
  getLoadablePath(): string
}

/** @throws CallboardError `memory.option` */
export function assertVectorSearch(choice: VectorSearch): void {
  if (CHOICES.includes(choice)) return
  const known = CHOICES.map((name) => `'${name}'`).join(', ')
  throw new CallboardError('memory.option', `vectors is one of ${known}, not ${JSON.stringify(choice)}`, {
    vectors: choice,
  })
}

/**
 * Makes the functions of sqlite-vec known to a database, and says whether they are.
 *
 * @param from the module from which the package is looked for
 * @throws CallboardError `memory.no-sqlite-vec` when it is asked for by name and cannot be had
 */
export function loadSqliteVec(db: Database, choice: VectorSearch, from: string | URL = import.meta.url): boolean {
  if (choice === 'scan') return false
  try {
    // Required, not imported: a volatile memory is there at once.
    const { getLoadablePath } = createRequire(from)('sqlite-vec') as SqliteVec
    db.loadExtension(getLoadablePath())
    return true
  } catch (error) {
    if (choice === 'auto') return false
    throw new CallboardError(
      'memory.no-sqlite-vec',
      `vectors: 'sqlite-vec' needs the package "sqlite-vec", which could not be loaded; install it with: ` +
        `npm i sqlite-vec@0.1.9, or choose vectors: 'auto'`,
      { package: 'sqlite-vec' },
      { cause: error },
    )
  }
}
