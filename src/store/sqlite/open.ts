import { randomBytes } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, openSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { CallboardError, isCallboardError, systemClock } from '../../base/index.ts'
import type { Clock } from '../../base/index.ts'
import { damageAt, damagedError } from '../errors.ts'
import { openDatabase, storeError } from './database.ts'
import type { Database } from './database.ts'
import { deriveKeys } from './envelope.ts'
import type { StoreKeys } from './envelope.ts'
import { HeadsFile, headsPathOf } from './heads-file.ts'
import type { HeadToRemember } from './heads-file.ts'
import { RecordRows } from './record-rows.ts'
import { RunHeads } from './run-heads.ts'
import { assertSchema, formatOf, migrate, SQLITE_FORMAT } from './schema.ts'
import { SqliteFileStore } from './sqlite-store.ts'
import type { KeyChange, SqliteStore } from './sqlite-store.ts'
import { Vault } from './vault.ts'

export interface SqliteOptions {
  /**
   * `full` (the default): an append is acknowledged once it was forced to disk; it survives a loss of power.
   * `process`: once it was handed to the operating system; it survives the end of the process, not that of the machine.
   */
  readonly durability?: 'full' | 'process'
  /** Encrypts values and seals ledgers: 32 random bytes, or a text of at least 16 characters that nobody can guess. */
  readonly key?: string | Uint8Array
  /** Compresses what is longer than 512 characters. */
  readonly compression?: 'zstd'
  /** How long to wait for another process that writes; 5,000 unless given. */
  readonly busyTimeoutMs?: number
  /** A file of an older format is brought to the newest; with false it is refused, and so is an empty one. */
  readonly migrate?: boolean
  /** The file is never made larger than so many pages of 4,096 bytes. */
  readonly maxPageCount?: number
  readonly clock?: Clock
}

const DEFAULT_BUSY_TIMEOUT_MS = 5_000
const RETRY_MS = 10
/** How long SQLite's log gets before its pages go into the file. Without forced writes there is less haste. */
const CHECKPOINT_PAGES = { full: 1_000, process: 4_000 } as const
/** Zeros that make the log as long as it will get. */
const LOG_FILLER_BYTES = 4_500_000
const SHORTEST_KEY = 16
const STORE_ID_BYTES = 8
const SALT_BYTES = 16

/**
 * Opens the store in a SQLite file, or makes one; beside it stand SQLite's own `-wal` and `-shm`, and `-heads`.
 *
 * @throws CallboardError `store.wrong-key`, `store.format` (not a store, or of a newer version), `store.damaged`,
 *   `store.unreadable`, `store.busy`
 */
export async function openSqlite(path: string, options: SqliteOptions = {}): Promise<SqliteStore> {
  if (path === '' || path === ':memory:') {
    throw new CallboardError(
      'store.path',
      'openSqlite() needs the path of a file; createVolatileStore() keeps nothing',
      { path },
    )
  }
  const { clock = systemClock, busyTimeoutMs = DEFAULT_BUSY_TIMEOUT_MS } = options
  const full = resolve(path)
  // Turning a new file into a shared one takes locks for which SQLite does not wait.
  for (const givesUpAt = clock.now() + busyTimeoutMs; ;) {
    try {
      return openOnce(full, options)
    } catch (error) {
      const known = storeError(error, full)
      if (!isCallboardError(known, 'store.busy') || clock.now() >= givesUpAt) throw known
    }
    await new Promise<void>((wake) => void clock.setTimeout(wake, RETRY_MS))
  }
}

function openOnce(path: string, options: SqliteOptions): SqliteStore {
  const { busyTimeoutMs = DEFAULT_BUSY_TIMEOUT_MS, durability = 'full', compression, maxPageCount } = options
  const secret = secretOf(options.key)
  const headsPath = headsPathOf(path)
  const hadFile = existsSync(path)
  const db = openDatabase(path, busyTimeoutMs)
  try {
    const format = formatOf(db, path)
    // Looked at again: another process may just have begun it.
    const isEmpty = format === 0 && hadFile && HeadsFile.remembers(headsPath) && formatOf(db, path) === 0
    if (isEmpty) throw emptiedError(path)
    if (format < SQLITE_FORMAT && options.migrate === false) {
      if (format > 0) throw oldFormatError(path, format)
      // Tables would be made in it, as a migration makes them.
      if (hadFile) throw noStoreError(path)
    }
    db.exec(
      `PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES[durability]}; PRAGMA synchronous = ${durability === 'full' ? 'FULL' : 'NORMAL'}`,
    )
    if (maxPageCount !== undefined) db.exec(`PRAGMA max_page_count = ${Math.trunc(maxPageCount)}`)
    if (format < SQLITE_FORMAT) prepare(db, path, secret)
    assertSchema(db, path)
    const { keys, storeId, generation } = unlock(db, path, secret)
    const vault = new Vault(keys, compression === 'zstd')
    const records = new RecordRows(db, vault)
    let heads: HeadsFile | undefined
    const runs = new RunHeads({ db, vault, records, rememberedSeq: (run) => heads?.seq(run) })
    heads = HeadsFile.open(headsPath, storeId, vault, () => endsOf(db, runs))
    const prepareLog = (): void => {
      if (durability === 'full') lengthenLog(db, path, busyTimeoutMs)
    }
    return new SqliteFileStore(
      { path, db, vault, records, runs, heads, keyGeneration: generation, prepareLog },
      changeKey,
    )
  } catch (error) {
    db.close()
    throw error
  }
}

function endsOf(db: Database, runs: RunHeads): readonly HeadToRemember[] {
  db.exec('BEGIN')
  try {
    runs.refresh()
    return [...runs.ends()]
  } finally {
    db.exec('ROLLBACK')
  }
}

/** Makes or migrates the tables, and has them in the file itself, not only in its log. */
function prepare(db: Database, path: string, secret: Uint8Array | undefined): void {
  migrate(db, path, {
    initialise: () => {
      const salt = randomBytes(SALT_BYTES).toString('base64url')
      const insert = db.prepare('INSERT INTO meta (name, value) VALUES (?, ?)')
      insert.run('store-id', randomBytes(STORE_ID_BYTES).toString('hex'))
      insert.run('salt', salt)
      insert.run('key-check', deriveKeys(secret, salt).check)
      insert.run('key-generation', '1')
    },
  })
  db.exec('PRAGMA wal_checkpoint(PASSIVE)')
  syncFolderOf(path)
}

/**
 * Has SQLite write a transaction as long as its log may get, and takes it back: forcing a file to disk takes twice as
 * long while it grows, and the first thousand appends would pay for it.
 */
function lengthenLog(db: Database, path: string, busyTimeoutMs: number): void {
  const log = `${path}-wal`
  if (existsSync(log) && statSync(log).size >= LOG_FILLER_BYTES / 2) return
  try {
    db.exec('PRAGMA busy_timeout = 0; PRAGMA cache_size = 10; BEGIN IMMEDIATE')
    db.prepare(`INSERT INTO meta (name, value) VALUES ('filler', CAST(zeroblob(?) AS TEXT))`).run(LOG_FILLER_BYTES)
  } catch {
    // Without room or the lock, appends are as slow as they are.
  }
  if (db.isTransaction) db.exec('ROLLBACK')
  db.exec(`PRAGMA cache_size = -2000; PRAGMA busy_timeout = ${busyTimeoutMs}`)
}

/** The file's name has to survive a loss of power as well as its content. */
function syncFolderOf(path: string): void {
  if (process.platform === 'win32') return
  const folder = openSync(dirname(path), 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

function unlock(
  db: Database,
  path: string,
  secret: Uint8Array | undefined,
): { readonly keys: StoreKeys; readonly storeId: string; readonly generation: string } {
  const meta = new Map(
    db
      .prepare('SELECT name, value FROM meta')
      .all()
      .map(({ name, value }) => [name, value]),
  )
  const text = (name: string): string => {
    const value = meta.get(name)
    if (typeof value === 'string') return value
    throw damagedError(
      damageAt(undefined, undefined, 'structure', `${path}: "${name}" is gone from its own description`),
    )
  }
  const keys = deriveKeys(secret, text('salt'))
  if (keys.check !== text('key-check')) throw wrongKeyError(path, text('key-check') !== '', secret !== undefined)
  return { keys, storeId: text('store-id'), generation: text('key-generation') }
}

/** Makes a new key the store's, inside the transaction that rewrites everything. */
const changeKey: KeyChange = ({ db }, key) => {
  const salt = randomBytes(SALT_BYTES).toString('base64url')
  const keys = deriveKeys(secretOf(key), salt)
  const set = db.prepare('UPDATE meta SET value = ? WHERE name = ?')
  set.run(salt, 'salt')
  set.run(keys.check, 'key-check')
  db.exec(`UPDATE meta SET value = value + 1 WHERE name = 'key-generation'`)
  return keys
}

function secretOf(key: string | Uint8Array | undefined): Uint8Array | undefined {
  if (key === undefined) return undefined
  const bytes = typeof key === 'string' ? Buffer.from(key) : key
  if (bytes.length >= SHORTEST_KEY) return bytes
  throw new CallboardError(
    'store.weak-key',
    `the key has ${bytes.length} bytes; give at least ${SHORTEST_KEY}, best 32 random ones: nothing slows down who tries short keys`,
    { bytes: bytes.length },
  )
}

function wrongKeyError(path: string, hasKey: boolean, gaveKey: boolean): CallboardError {
  const how = !hasKey
    ? 'is not encrypted; open it without a key, and encrypt it with rotateKey()'
    : gaveKey
      ? 'is encrypted with another key'
      : 'is encrypted; give its key'
  return new CallboardError('store.wrong-key', `${path} ${how}`, { path })
}

function oldFormatError(path: string, format: number): CallboardError {
  return new CallboardError(
    'store.format',
    `${path} has format ${format}; bring it to format ${SQLITE_FORMAT} with callboard migrate, or leave out migrate: false`,
    { path, format },
  )
}

function noStoreError(path: string): CallboardError {
  return new CallboardError(
    'store.format',
    `${path} is empty: no store was made in it yet; name another file, begin in it with callboard run, or leave out migrate: false`,
    { path, format: 0 },
  )
}

/** An empty file whose heads are remembered was not empty before. */
function emptiedError(path: string): CallboardError {
  const how = `${path} is empty, and it was not: put back a copy, or delete ${path}-heads to begin anew`
  if (existsSync(path) && statSync(path).size > 0) return damagedError(damageAt(undefined, undefined, 'structure', how))
  return damagedError(damageAt(undefined, undefined, 'lost-run', how))
}
