// How much room does a history take, beside a plain log of the same events with all entries kept as often?
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Entry } from 'callboard'
import { openSqlite } from 'callboard/sqlite'
import type { SqliteOptions } from 'callboard/sqlite'
import type * as Ledger from '../../src/ledger/index.ts'
import { sampleBatch, sampleRecord } from '../../src/testing/sample-records.ts'
import { builtModule } from './built.ts'
import { bytesLine } from './report.ts'
import type { Line, Table } from './report.ts'

const { packCell } = (await import(builtModule('ledger'))) as typeof Ledger

const UPDATES = 1_000
const SNAPSHOT_EVERY = 500
const ENTRIES = [100, 1_000] as const
const value = (n: number): unknown => ({ title: `task ${n}`, done: false, notes: 'x'.repeat(100), n })

export async function sizesTable(folder: string): Promise<Table> {
  const lines: Line[] = []
  for (const entries of ENTRIES) {
    const name = `${entries.toLocaleString('en')} entries`
    const baseline = bytesLine(`plain event log, ${name}`, plainSize(folder, entries))
    const plain = await storeSize(folder, entries, {})
    const zstd = await storeSize(folder, entries, { compression: 'zstd' })
    lines.push(
      baseline,
      bytesLine(`Callboard, ${name}`, plain, { baseline, limit: { kind: 'times', most: 1.5 } }),
      bytesLine(`Callboard, ${name}, zstd`, zstd, { baseline }),
    )
  }
  return {
    title: 'Bytes on disk after 1,000 updates of one key',
    operation: 'all files of a closed store: 1,000 records and two snapshots, one every 500, of so many entries.',
    figure: 'size',
    lines,
    notMeasured: 'the log of an open store (at most 4.5 MB), encryption (29 bytes a record more).',
  }
}

function bytesOf(folder: string, name: string): number {
  const files = readdirSync(folder).filter((file) => file.startsWith(name))
  return files.reduce((sum, file) => sum + statSync(join(folder, file)).size, 0)
}

async function storeSize(folder: string, entries: number, options: SqliteOptions): Promise<number> {
  const { compression } = options
  const file = `bytes-${entries}-${compression ?? 'plain'}.db`
  const store = await openSqlite(join(folder, file), { durability: 'process', ...options })
  const cells = new Map<string, unknown>()
  for (let seq = 1; seq <= UPDATES; seq++) {
    const key = `section.entry-${seq % entries}`
    const version = Math.floor(seq / entries) + 1
    const batch = sampleBatch('run', seq, seq, { key, value: value(seq), entry: { version } })
    await store.append([batch])
    const cell = batch.records[0]?.changes[0]?.cell
    if (cell !== undefined) cells.set(key, packCell(cell))
    if (seq % SNAPSHOT_EVERY === 0) {
      const state = { cells: [...cells.values()] }
      await store.putSnapshot({ runId: 'run', seq, id: `s${seq}`, reason: 'regular', at: seq, metadata: {}, state })
    }
  }
  if ((await store.read('run')).length !== UPDATES) throw new Error('not every record is there')
  await store.close()
  return bytesOf(folder, file)
}

/** The event, and all entries as often as the store keeps them. */
function plainSize(folder: string, entries: number): number {
  const file = `bytes-${entries}-bare.db`
  const db = new DatabaseSync(join(folder, file))
  db.exec(
    'PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; CREATE TABLE log (run TEXT, seq INTEGER, at INTEGER, event TEXT, PRIMARY KEY (run, seq)); CREATE TABLE snapshots (run TEXT, seq INTEGER, state TEXT)',
  )
  const insert = db.prepare('INSERT INTO log VALUES (?, ?, ?, ?)')
  const keep = db.prepare('INSERT INTO snapshots VALUES (?, ?, ?)')
  const state = new Map<string, Entry>()
  for (let seq = 1; seq <= UPDATES; seq++) {
    const key = `section.entry-${seq % entries}`
    const version = Math.floor(seq / entries) + 1
    const { entry } = sampleRecord('run', seq, { key, value: value(seq), entry: { version } }).changes[0]?.cell ?? {}
    if (entry === undefined) throw new TypeError('a sample record without a change')
    const event = { kind: 'update', author: 'writer', key, version, value: entry.value }
    insert.run('run', seq, Date.UTC(2026, 0, 1) + seq, JSON.stringify(event))
    state.set(key, entry)
    if (seq % SNAPSHOT_EVERY === 0) keep.run('run', seq, JSON.stringify([...state.values()]))
  }
  db.close()
  return bytesOf(folder, file)
}
