// Asks: what does an append to the SQLite store cost beside what the disk and SQLite ask for themselves?
// Baselines, in turns with it in the same run: write + fdatasync of as many bytes; one INSERT of as many bytes on its own;
// a transaction of 100 such rows. Sizes are those of the closed files. It does not measure machines, views or merging.
//   node test/bench/store.ts [folder]
import { closeSync, fdatasyncSync, mkdtempSync, openSync, readdirSync, rmSync, statSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Entry } from '../../src/context/index.ts'
import { Catalogue } from '../../src/context/index.ts'
import { emptyState, encodeRecord, foldRecords, packCell, recordToLine } from '../../src/ledger/index.ts'
import type { Batch } from '../../src/store/index.ts'
import { openSqlite } from '../../src/store/sqlite/index.ts'
import type { SqliteOptions, SqliteStore } from '../../src/store/sqlite/index.ts'
import { sampleBatch, sampleRecord } from '../../src/testing/sample-records.ts'

const ROUNDS = 30
const PER_ROUND = 40
const WRITERS = 100
const folder = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'callboard-bench-'))
const value = (n: number): unknown => ({ title: `task ${n}`, done: false, notes: 'x'.repeat(100), n })
const batchOf = (runId: string, seq: number): Batch => sampleBatch(runId, seq, seq, { value: value(seq) })
const ROW = encodeRecord(sampleRecord('run', 1, { value: value(1) })).padEnd(300, ' ')

/** Microseconds per operation: the middle of all rounds. */
class Measure {
  readonly #times = new Map<string, number[]>()

  async time(name: string, operations: number, work: () => void | Promise<void>): Promise<void> {
    const start = performance.now()
    await work()
    const times = this.#times.get(name) ?? []
    times.push(((performance.now() - start) * 1_000) / operations)
    this.#times.set(name, times)
  }

  median(name: string): number {
    const times = [...(this.#times.get(name) ?? [])].sort((a, b) => a - b)
    return times[times.length >> 1] ?? Number.NaN
  }
}

interface BareInsert {
  insert(): void
  transaction(rows: number): void
  close(): void
}

function bareSqlite(name: string, synchronous: 'FULL' | 'NORMAL'): BareInsert {
  const db = new DatabaseSync(join(folder, name))
  db.exec(
    `PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}; CREATE TABLE log (id INTEGER PRIMARY KEY, run TEXT, seq INTEGER, body TEXT)`,
  )
  const statement = db.prepare('INSERT INTO log (run, seq, body) VALUES (?, ?, ?)')
  const begin = db.prepare('BEGIN IMMEDIATE')
  const commit = db.prepare('COMMIT')
  let seq = 0
  const insert = (): void => void statement.run('run', seq++, ROW)
  return {
    insert,
    transaction(rows) {
      begin.run()
      for (let row = 0; row < rows; row++) insert()
      commit.run()
    },
    close: () => db.close(),
  }
}

async function speed(): Promise<void> {
  const measure = new Measure()
  const raw = openSync(join(folder, 'raw'), 'w')
  writeSync(raw, Buffer.alloc(4_000_000))
  fdatasyncSync(raw)
  let at = 0
  for (const durability of ['full', 'process'] as const) {
    const bare = bareSqlite(`bare-${durability}.db`, durability === 'full' ? 'FULL' : 'NORMAL')
    const store = await openSqlite(join(folder, `store-${durability}.db`), { durability })
    const seqs = new Map<string, number>()
    const next = (runId: string): Batch => {
      const seq = (seqs.get(runId) ?? 0) + 1
      seqs.set(runId, seq)
      return batchOf(runId, seq)
    }
    for (let round = 0; round < ROUNDS; round++) {
      await measure.time(`${durability} fdatasync`, PER_ROUND, () => {
        for (let index = 0; index < PER_ROUND; index++) {
          writeSync(raw, ROW, (at = (at + 4_096) % 4_000_000))
          if (durability === 'full') fdatasyncSync(raw)
        }
      })
      await measure.time(`${durability} insert`, PER_ROUND, () => {
        for (let index = 0; index < PER_ROUND; index++) bare.insert()
      })
      const batches = Array.from({ length: PER_ROUND }, () => next('one'))
      await measure.time(`${durability} append`, PER_ROUND, async () => {
        for (const batch of batches) await store.append([batch])
      })
      await measure.time(`${durability} transaction`, WRITERS * 5, () => {
        for (let index = 0; index < 5; index++) bare.transaction(WRITERS)
      })
      const byWriter = Array.from({ length: WRITERS }, (_, writer) =>
        Array.from({ length: 5 }, () => next(`run-${writer}`)),
      )
      await measure.time(`${durability} appends`, WRITERS * 5, async () => {
        await Promise.all(
          byWriter.map(async (own) => {
            for (const batch of own) await store.append([batch])
          }),
        )
      })
    }
    bare.close()
    await store.close()
  }
  closeSync(raw)
  const µs = (name: string): string => measure.median(name).toFixed(1)
  const per = (name: string): string => Math.round(1e6 / measure.median(name)).toLocaleString('en')
  const full = measure.median('full fdatasync') + 15
  console.table({
    'full, 1 writer': {
      µs: µs('full append'),
      'per second': per('full append'),
      'fdatasync µs': µs('full fdatasync'),
      'bare µs': µs('full insert'),
      ratio: (measure.median('full append') / full).toFixed(2),
      'ratio to': 'fdatasync + 15 µs (at most 1.3)',
    },
    'full, 100 writers': {
      µs: µs('full appends'),
      'per second': per('full appends'),
      'bare µs': µs('full transaction'),
      ratio: (measure.median('full appends') / measure.median('full transaction')).toFixed(2),
      'ratio to': 'a row of a transaction of 100 (at most 2)',
    },
    'process, 1 writer': {
      µs: µs('process append'),
      'per second': per('process append'),
      'bare µs': µs('process insert'),
      ratio: (measure.median('process append') / measure.median('process insert')).toFixed(2),
      'ratio to': 'a bare insert (at most 2)',
    },
    'process, 100 writers': {
      µs: µs('process appends'),
      'per second': per('process appends'),
      'bare µs': µs('process transaction'),
      ratio: (measure.median('process appends') / measure.median('process transaction')).toFixed(2),
      'ratio to': 'a row of a transaction of 100',
    },
  })
}

const UPDATES = 1_000
const SNAPSHOT_EVERY = 500

function bytesOf(name: string): number {
  const files = readdirSync(folder).filter((file) => file.startsWith(name))
  return files.reduce((sum, file) => sum + statSync(join(folder, file)).size, 0)
}

/** One run of `entries` entries that gets 1,000 updates of one key each. */
async function storeBytes(name: string, entries: number, options: SqliteOptions): Promise<number> {
  const store: SqliteStore = await openSqlite(join(folder, name), { durability: 'process', ...options })
  const cells = new Map<string, ReturnType<typeof packCell>>()
  for (let seq = 1; seq <= UPDATES; seq++) {
    const key = `section.entry-${seq % entries}`
    const version = Math.floor(seq / entries) + 1
    const [batch] = [sampleBatch('run', seq, seq, { key, value: value(seq), entry: { version } })]
    await store.append([batch])
    const cell = batch?.records[0]?.changes[0]?.cell
    if (cell !== undefined) cells.set(key, packCell(cell))
    if (seq % SNAPSHOT_EVERY === 0) {
      const state = { cells: [...cells.values()] }
      await store.putSnapshot({ runId: 'run', seq, id: `s${seq}`, reason: 'regular', at: seq, metadata: {}, state })
    }
  }
  await store.close()
  return bytesOf(name)
}

/** What a plain event log in SQLite takes for the same: the event, and all entries every 500. */
function bareBytes(name: string, entries: number): number {
  const db = new DatabaseSync(join(folder, name))
  db.exec(
    'PRAGMA journal_mode = WAL; CREATE TABLE log (run TEXT, seq INTEGER, at INTEGER, event TEXT, PRIMARY KEY (run, seq)); CREATE TABLE snapshots (run TEXT, seq INTEGER, state TEXT)',
  )
  const insert = db.prepare('INSERT INTO log VALUES (?, ?, ?, ?)')
  const state = new Map<string, Entry>()
  for (let seq = 1; seq <= UPDATES; seq++) {
    const key = `section.entry-${seq % entries}`
    const version = Math.floor(seq / entries) + 1
    const { entry } = sampleRecord('run', seq, { key, value: value(seq), entry: { version } }).changes[0]?.cell ?? {}
    if (entry === undefined) continue
    const event = { kind: 'update', author: 'writer', key, version, value: entry.value }
    insert.run('run', seq, Date.UTC(2026, 0, 1) + seq, JSON.stringify(event))
    state.set(key, entry)
    if (seq % SNAPSHOT_EVERY === 0) {
      db.prepare('INSERT INTO snapshots VALUES (?, ?, ?)').run('run', seq, JSON.stringify([...state.values()]))
    }
  }
  db.close()
  return bytesOf(name)
}

async function sizes(): Promise<void> {
  const table: Record<string, unknown> = {}
  for (const entries of [100, 1_000]) {
    const bare = bareBytes(`bare-${entries}-bytes`, entries)
    const plain = await storeBytes(`plain-${entries}-bytes`, entries, {})
    const zstd = await storeBytes(`zstd-${entries}-bytes`, entries, { compression: 'zstd' })
    const ratio = (bytes: number): string => `${bytes.toLocaleString('en')} (${(bytes / bare).toFixed(2)})`
    table[`${entries} entries, 1,000 updates`] = {
      'event log': bare.toLocaleString('en'),
      store: ratio(plain),
      zstd: ratio(zstd),
    }
  }
  console.table(table)
}

async function reading(): Promise<void> {
  const count = 100_000
  const store = await openSqlite(join(folder, 'long.db'), { durability: 'process' })
  const lines: string[] = []
  for (let seq = 1; seq <= count; seq += 500) {
    const batch = sampleBatch('run', seq, seq + 499, { value: value(seq) })
    await store.append([batch])
    for (const record of batch.records) lines.push(recordToLine(record, 'x'.repeat(43)))
  }
  const measure = new Measure()
  const text = lines.join('\n')
  for (let round = 0; round < 5; round++) {
    await measure.time('parse', count, () => {
      for (const line of text.split('\n')) JSON.parse(line)
    })
    await measure.time('replay', count, async () => {
      let state = emptyState(new Catalogue({}), 'run')
      for (;;) {
        const records = await store.read('run', { afterSeq: state.seq, limit: 1_000 })
        if (records.length === 0) break
        state = foldRecords(state, records)
      }
    })
    await measure.time('read', count, async () => void (await store.read('run')))
  }
  await store.close()
  console.table({
    'replay of 100,000 records': {
      'parse lines µs': measure.median('parse').toFixed(2),
      'read, verify, decode, fold µs': measure.median('replay').toFixed(2),
      'read at once µs': measure.median('read').toFixed(2),
      'ratio (at most 1.6)': (measure.median('replay') / measure.median('parse')).toFixed(2),
    },
  })
}

try {
  await speed()
  await sizes()
  await reading()
} finally {
  rmSync(folder, { recursive: true })
}
