// The tables, as numbered migrations. Append only: a migration that was released is never edited.
import { CallboardError } from '../../base/index.ts'
import { damageAt, damagedError } from '../errors.ts'
import { isNoDatabase, openDatabase } from './database.ts'
import type { Database } from './database.ts'
import { HeadsFile, headsPathOf } from './heads-file.ts'

/** "CBLD": how a file says whose it is. */
const APPLICATION_ID = 0x43424c44

export const MIGRATIONS: readonly string[] = Object.freeze([
  `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  -- Ids are never used again: the heads file knows runs by them.
  CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL UNIQUE,
    workflow TEXT NOT NULL,
    version TEXT NOT NULL,
    status TEXT NOT NULL,
    seq INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    parent TEXT,
    labels TEXT,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    hash TEXT NOT NULL,
    trimmed_seq INTEGER NOT NULL,
    trimmed_hash TEXT NOT NULL,
    snapshots INTEGER NOT NULL,
    seal TEXT NOT NULL
  );
  -- Runs that are gone because somebody wanted it.
  CREATE TABLE removed (id INTEGER PRIMARY KEY);
  -- In the order of arrival, whatever the run: a commit of many runs writes few pages. prev is the run's record before.
  CREATE TABLE records (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    prev INTEGER NOT NULL,
    at INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    hash TEXT NOT NULL,
    body NOT NULL
  );
  -- Where every 128th record of a run is. Hints only.
  CREATE TABLE anchors (run INTEGER, seq INTEGER, id INTEGER NOT NULL, PRIMARY KEY (run, seq)) WITHOUT ROWID;
  CREATE TABLE snapshots (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    name TEXT NOT NULL,
    at INTEGER NOT NULL,
    about NOT NULL,
    state_hash TEXT NOT NULL,
    seal TEXT NOT NULL,
    state NOT NULL
  );
  CREATE INDEX snapshots_of_run ON snapshots (run, seq);
  -- Until when nothing is to be done for a run that still ends at seq; NULL for ever. Hints only.
  CREATE TABLE rests (run INTEGER PRIMARY KEY, seq INTEGER NOT NULL, until, seal TEXT NOT NULL);
  `,
])

/** The format that is written: as many migrations as there are. */
export const SQLITE_FORMAT: number = MIGRATIONS.length

/** What a file says it is, before anything else of it is believed. 0 for one without tables. */
export function formatOf(db: Database, path: string, newest: number = SQLITE_FORMAT): number {
  const { format, owner, tables } = readMarks(db, path)
  if (owner === 0 && format === 0 && tables === 0) return 0
  if (owner !== APPLICATION_ID || format < 1) {
    throw new CallboardError('store.format', `${path} is a SQLite file, but not a store of callboard`, { path, format })
  }
  if (format > newest) {
    throw new CallboardError(
      'store.format',
      `${path} has format ${format}, and this version knows up to ${newest}; update callboard to open it`,
      { path, format },
    )
  }
  return format
}

/** In one transaction: another process may be making the tables. */
function readMarks(
  db: Database,
  path: string,
): { readonly format: number; readonly owner: number; readonly tables: number } {
  const number = (sql: string, name: string): number => Number(db.prepare(sql).get()?.[name] ?? 0)
  const isOwn = !db.isTransaction
  if (isOwn) db.exec('BEGIN')
  try {
    return {
      format: number('PRAGMA user_version', 'user_version'),
      owner: number('PRAGMA application_id', 'application_id'),
      tables: number('SELECT count(*) AS tables FROM sqlite_schema', 'tables'),
    }
  } catch (error) {
    // Beside a store stands what is remembered of it: then its file was changed.
    if (!isNoDatabase(error) || HeadsFile.remembers(headsPathOf(path))) throw error
    throw new CallboardError(
      'store.format',
      `${path} is no SQLite file, and no store of callboard`,
      { path },
      { cause: error },
    )
  } finally {
    if (isOwn && db.isTransaction) db.exec('ROLLBACK')
  }
}

/** Brings a file to the newest format, in one transaction; `initialise` fills a new one. */
export function migrate(
  db: Database,
  path: string,
  { migrations = MIGRATIONS, initialise }: { migrations?: readonly string[]; initialise?: (db: Database) => void } = {},
): void {
  db.exec('BEGIN IMMEDIATE')
  try {
    const format = formatOf(db, path, migrations.length)
    for (const migration of migrations.slice(format)) db.exec(migration)
    if (format === 0) initialise?.(db)
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${migrations.length}; COMMIT`)
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}

/** @throws CallboardError `store.damaged` when a table or index is not as the migrations leave it */
export function assertSchema(db: Database, path: string): void {
  const found = new Map(schemaOf(db))
  for (const [name, sql] of expectedSchema()) {
    if (found.get(name) !== sql) {
      throw damagedError(damageAt(undefined, undefined, 'structure', `${path}: the definition of ${name} is broken`))
    }
  }
}

function schemaOf(db: Database): readonly (readonly [string, string])[] {
  return db
    .prepare('SELECT name, type, tbl_name, sql FROM sqlite_schema')
    .all()
    .map(({ name, type, tbl_name, sql }) => [String(name), JSON.stringify([type, tbl_name, sql])] as const)
}

let expected: readonly (readonly [string, string])[] | undefined

function expectedSchema(): readonly (readonly [string, string])[] {
  if (expected !== undefined) return expected
  const db = openDatabase(':memory:', 0)
  for (const migration of MIGRATIONS) db.exec(migration)
  expected = schemaOf(db)
  db.close()
  return expected
}
