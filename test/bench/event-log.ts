// What anybody would write who needs a log of events in SQLite and nothing else: the baseline of the store's questions.
import { DatabaseSync } from 'node:sqlite'
import type { Batch } from '../../src/store/index.ts'

/** The log's file is as long beforehand as it will get: forcing a growing file to disk would take twice as long. */
const LOG_BYTES = 4_500_000

export interface PlainLog {
  /** One event on its own. */
  insert(runId: string, event: object): void
  /** Several in one transaction. */
  insertAll(runId: string, events: readonly object[]): void
  count(): number
  close(): void
}

export function plainLog(path: string, synchronous: 'FULL' | 'NORMAL'): PlainLog {
  const db = new DatabaseSync(path)
  db.exec(
    `PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}; CREATE TABLE filler (a); INSERT INTO filler VALUES (zeroblob(${LOG_BYTES})); DROP TABLE filler; PRAGMA wal_checkpoint(PASSIVE); CREATE TABLE log (id INTEGER PRIMARY KEY, run TEXT, seq INTEGER, event TEXT)`,
  )
  const statement = db.prepare('INSERT INTO log (run, seq, event) VALUES (?, ?, ?)')
  const begin = db.prepare('BEGIN IMMEDIATE')
  const commit = db.prepare('COMMIT')
  let seq = 0
  const insert = (runId: string, event: object): void => void statement.run(runId, ++seq, JSON.stringify(event))
  return {
    insert,
    insertAll(runId, events) {
      begin.run()
      for (const event of events) insert(runId, event)
      commit.run()
    },
    count: () => Number(db.prepare('SELECT count(*) AS count FROM log').get()?.['count']),
    close: () => db.close(),
  }
}

/** What has happened in a batch of one record, in as few words as do: who, when, which key, its version, its value. */
export function eventOf({ records: [record] }: Batch): object {
  const { entry } = record?.changes[0]?.cell ?? {}
  return {
    kind: record?.kind,
    author: record?.author,
    at: record?.at,
    key: entry?.key,
    version: entry?.version,
    value: entry?.value,
  }
}
