import { existsSync } from 'node:fs'
import { CallboardError } from '../../base/index.ts'
import { openDatabase, storeError } from './database.ts'
import type { Database } from './database.ts'
import { formatOf, SQLITE_FORMAT } from './schema.ts'

/** What a file says of itself, without its key. */
export interface SqliteInfo {
  readonly format: number
  /** The format that this version writes. */
  readonly newestFormat: number
  readonly isEncrypted: boolean
}

/**
 * Looks at the file of a store and changes nothing.
 *
 * @throws CallboardError `store.unreadable`, `store.format` for a file that is no store or of a newer version,
 *   `store.damaged`
 */
export function inspectSqlite(path: string): SqliteInfo {
  if (!existsSync(path)) throw new CallboardError('store.unreadable', `there is no file ${path}`, { path })
  let db: Database | undefined
  try {
    db = openDatabase(path, 0)
    const format = formatOf(db, path)
    const check = format === 0 ? undefined : db.prepare(`SELECT value FROM meta WHERE name = 'key-check'`).get()
    return { format, newestFormat: SQLITE_FORMAT, isEncrypted: check !== undefined && check['value'] !== '' }
  } catch (error) {
    throw storeError(error, path)
  } finally {
    db?.close()
  }
}
