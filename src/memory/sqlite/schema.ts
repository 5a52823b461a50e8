// The tables, as numbered migrations. Append only: a migration that was released is never edited.
import { CallboardError } from '../../base/index.ts'
import type { Database } from './database.ts'

/** "CBLM": how a file says whose it is. */
const APPLICATION_ID = 0x43424c4d

const MIGRATIONS: readonly string[] = Object.freeze([
  `
  -- revision, removed (the revision of the last removal), embedder, dimensions.
  CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
  CREATE TABLE scopes (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
  -- id is the order of arrival; trait is kind, type and status as one number; body is the rest, as tagged JSON.
  CREATE TABLE items (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    revision INTEGER NOT NULL,
    scope INTEGER NOT NULL,
    trait INTEGER NOT NULL,
    confidence REAL NOT NULL,
    updated_at REAL NOT NULL,
    expires_at REAL,
    access_count INTEGER NOT NULL,
    accessed_at REAL,
    subject TEXT,
    words INTEGER NOT NULL,
    body TEXT NOT NULL
  );
  CREATE INDEX items_by_revision ON items (revision);
  CREATE INDEX items_by_shelf ON items (scope, trait, access_count, updated_at);
  CREATE INDEX items_by_end ON items (expires_at) WHERE expires_at IS NOT NULL;
  CREATE INDEX items_by_subject ON items (subject) WHERE subject IS NOT NULL;
  CREATE TABLE vectors (id INTEGER PRIMARY KEY, vector BLOB NOT NULL);
  -- Which item has which word how often. It is given words as wordsOf() cuts them, with nothing left to decide but the
  -- spaces. SQLite's own ranking is not used: it counts over all items, and so would tell of those in other scopes.
  CREATE VIRTUAL TABLE words USING fts5(text, content = '', contentless_delete = 1, tokenize = 'ascii');
  CREATE VIRTUAL TABLE postings USING fts5vocab(words, instance);
  CREATE TABLE batches (id TEXT PRIMARY KEY, status TEXT NOT NULL, proposed_at REAL NOT NULL, body TEXT NOT NULL);
  CREATE INDEX batches_by_age ON batches (proposed_at);
  INSERT INTO meta VALUES ('revision', 0), ('removed', 0);
  `,
])

/**
 * Makes or migrates the tables, in one transaction.
 *
 * @throws CallboardError `memory.format` for a file of something else, or of a later version
 */
export function migrate(db: Database, path: string): void {
  db.exec('BEGIN IMMEDIATE')
  try {
    const format = formatOf(db, path)
    for (const migration of MIGRATIONS.slice(format)) db.exec(migration)
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${MIGRATIONS.length}; COMMIT`)
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}

function formatOf(db: Database, path: string): number {
  const number = (sql: string): number => Number(db.prepare(sql).get()?.[0] ?? 0)
  const format = number('PRAGMA user_version')
  const owner = number('PRAGMA application_id')
  if (owner === 0 && format === 0 && number('SELECT count(*) FROM sqlite_schema') === 0) return 0
  if (owner !== APPLICATION_ID || format < 1) {
    throw new CallboardError('memory.format', `${path} is a SQLite file, but not a memory of callboard`, {
      path,
      format,
    })
  }
  if (format > MIGRATIONS.length) {
    throw new CallboardError(
      'memory.format',
      `${path} has format ${format}, and this version knows up to ${MIGRATIONS.length}; update callboard to open it`,
      { path, format },
    )
  }
  return format
}
