// What does it cost to get a run back: from all of its records, or from a snapshot and the records after it?
// Baselines: parsing the lines of the same ledger; plain SQLite that reads and parses a snapshot and the events after it.
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { openSqlite } from 'callboard/sqlite'
import type { SqliteStore } from 'callboard/sqlite'
import type * as ContextModule from '../../src/context/index.ts'
import type * as Ledger from '../../src/ledger/index.ts'
import { sampleBatch } from '../../src/testing/sample-records.ts'
import { builtModule } from './built.ts'
import { collectGarbage, measure, timeOf } from './harness.ts'
import type { Contender } from './harness.ts'
import { lineOf } from './report.ts'
import type { Table } from './report.ts'

const { emptyState, encodeRecord, foldRecords, packState, recordToLine, unpackState } = (await import(
  builtModule('ledger')
)) as typeof Ledger
const { Catalogue } = (await import(builtModule('context'))) as typeof ContextModule

type FoldedState = ReturnType<typeof emptyState>
type PackedState = ReturnType<typeof packState>

const RECORDS = 100_000
const PAGE = 1_000
const BATCH = 500
const LENGTHS = [1_000, 10_000, 100_000] as const
const ENTRIES = 500
const TAIL = 250
const REOPENINGS = 5
const ROUNDS = { rounds: 9, warmups: 2 }
const value = (n: number): unknown => ({ title: `task ${n}`, done: false, notes: 'x'.repeat(100), n })
const show = (count: number): string => count.toLocaleString('en')
const catalogue = new Catalogue({})

export async function readingTables(folder: string): Promise<readonly Table[]> {
  return [await replayTable(folder), await reopenTable(folder)]
}

const PARSE = 'JSON.parse of its lines'
const REPLAY = 'read, verify, decode and fold, page by page'
const READ = 'read, verify and decode, at once'

async function replayTable(folder: string): Promise<Table> {
  const store = await openSqlite(join(folder, 'long.db'), { durability: 'process' })
  const lines: string[] = []
  for (let seq = 1; seq <= RECORDS; seq += BATCH) {
    const batch = sampleBatch('run', seq, seq + BATCH - 1, { value: value(seq) })
    await store.append([batch])
    for (const record of batch.records) lines.push(recordToLine(record, 'x'.repeat(43)))
  }
  const text = lines.join('\n')
  lines.length = 0
  collectGarbage()
  const timings = await measure(
    [
      {
        name: PARSE,
        operations: RECORDS,
        run: () => {
          for (const line of text.split('\n')) JSON.parse(line)
        },
      },
      {
        name: REPLAY,
        operations: RECORDS,
        run: async () => {
          const { seq } = await replay(store, 'run', emptyState(catalogue, 'run'))
          if (seq !== RECORDS) throw new Error('not every record was replayed')
        },
      },
      { name: READ, operations: RECORDS, run: async () => void (await store.read('run')) },
    ],
    ROUNDS,
  )
  await store.close()
  return {
    title: `Replaying ${show(RECORDS)} records`,
    operation: 'one record; parsing is of its line as exported, and makes plain objects that nobody has checked.',
    lines: [
      lineOf(timings, PARSE),
      lineOf(timings, REPLAY, { baseline: PARSE, limit: { kind: 'times', most: 1.6 } }),
      lineOf(timings, READ, { baseline: PARSE }),
    ],
    notMeasured: 'reading the lines from a file, records that are in no cache of the system, encryption.',
  }
}

async function replay(store: SqliteStore, runId: string, from: FoldedState): Promise<FoldedState> {
  let state = from
  for (;;) {
    const records = await store.read(runId, { afterSeq: state.seq, limit: PAGE })
    state = foldRecords(state, records)
    if (records.length < PAGE) return state
  }
}

const PLAIN = 'plain SQLite, rows read and parsed'
const readName = 'snapshot() and read() of its tail'
const openName = (length: number): string => `to its last state, ${show(length)} records`

async function reopenTable(folder: string): Promise<Table> {
  const paths = new Map<number, string>()
  for (const length of LENGTHS) paths.set(length, await historyOf(folder, length))
  const path = (length: number): string => paths.get(length) ?? ''
  const timings = await measure([
    await plainReopening(folder),
    reopening(readName, path(LENGTHS[0]), LENGTHS[0], false),
    ...LENGTHS.map((length) => reopening(openName(length), path(length), length, true)),
  ])
  return {
    title: 'Reopening a run with a snapshot',
    operation:
      `bringing a run of which the store knows nothing yet to its last state: a snapshot of ${show(ENTRIES)} entries ` +
      `and the ${TAIL} records after it, read, checked, decoded and folded.`,
    lines: [
      lineOf(timings, PLAIN),
      lineOf(timings, readName, { baseline: PLAIN }),
      ...LENGTHS.map((length) =>
        lineOf(timings, openName(length), { baseline: readName, limit: { kind: 'times', most: 1.3 } }),
      ),
    ],
    notMeasured:
      'opening the file, the machine and its agents, pages that are in no cache of the system, encryption, compression. ' +
      'Plain SQLite reads the same texts and makes plain objects that nobody has checked.',
  }
}

/** A file with a run of so many records: snapshots on the way, the last one before its tail. */
async function historyOf(folder: string, length: number): Promise<string> {
  const path = join(folder, `reopen-${length}.db`)
  const store = await openSqlite(path, { durability: 'process' })
  await fill(length, async (batch, state) => {
    await store.append([batch])
    if (state === undefined) return
    const { seq } = state
    const about = { runId: 'run', seq, id: `s${seq}`, reason: 'regular', at: seq, metadata: {} }
    await store.putSnapshot({ ...about, state: packState(state) })
  })
  await store.close()
  return path
}

function reopening(name: string, path: string, length: number, folds: boolean): Contender {
  return {
    name,
    operations: REOPENINGS,
    run: async (operations) => {
      let ns = 0
      for (let index = 0; index < operations; index++) {
        const store = await openSqlite(path, { durability: 'process' })
        ns += await timeOf(async () => {
          const snapshot = await store.snapshot('run')
          const packed = snapshot?.state as PackedState
          const records = await store.read('run', { afterSeq: packed[0] })
          if (records.at(-1)?.seq !== length) throw new Error('the newest records are missing')
          if (!folds) return
          const { seq, board } = unpackState(packed, catalogue, 'run', records)
          const last = board.get('section.entry-0') as { readonly n: number }
          if (seq !== length || last.n !== length) throw new Error('the run is not what it was')
        })
        await store.close()
      }
      return ns / operations
    },
  }
}

/** Every record of a history, and the state where a snapshot is due: at most eight of them, the last before the tail. */
async function fill(
  length: number,
  step: (batch: ReturnType<typeof sampleBatch>, state: FoldedState | undefined) => Promise<void> | void,
): Promise<void> {
  let state = emptyState(catalogue, 'run')
  const every = Math.max(TAIL, Math.ceil(length / 8 / TAIL) * TAIL)
  for (let seq = 1; seq <= length; seq += TAIL) {
    const records = Array.from({ length: TAIL }, (_, index) => {
      const number = seq + index
      const key = `section.entry-${number % ENTRIES}`
      const entry = { version: Math.floor(number / ENTRIES) + 1 }
      return sampleBatch('run', number, number, { key, value: value(number), entry })
    })
    const last = records.at(-1)
    if (last === undefined) continue
    const batch = { ...last, expectedSeq: seq - 1, records: records.flatMap((one) => one.records) }
    state = foldRecords(state, batch.records)
    const isDue = state.seq === length - TAIL || (state.seq % every === 0 && state.seq < length)
    await step(batch, isDue ? state : undefined)
  }
}

/** The same in as few words as do: the packed state and the bodies of records as text, in two plain tables. */
async function plainReopening(folder: string): Promise<Contender> {
  const path = join(folder, 'reopen-plain.db')
  const db = new DatabaseSync(path)
  db.exec(
    'PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; CREATE TABLE log (run TEXT, seq INTEGER, event TEXT, PRIMARY KEY (run, seq)); CREATE TABLE snapshots (run TEXT, seq INTEGER, state TEXT, PRIMARY KEY (run, seq)); BEGIN',
  )
  const insert = db.prepare('INSERT INTO log VALUES (?, ?, ?)')
  await fill(LENGTHS[0], (batch, state) => {
    for (const record of batch.records) insert.run('run', record.seq, encodeRecord(record))
    if (state !== undefined) {
      db.prepare('INSERT INTO snapshots VALUES (?, ?, ?)').run('run', state.seq, JSON.stringify(packState(state)))
    }
  })
  db.exec('COMMIT')
  db.close()
  return {
    name: PLAIN,
    operations: REOPENINGS,
    run: async (operations) => {
      let ns = 0
      for (let index = 0; index < operations; index++) {
        const again = new DatabaseSync(path)
        const newest = again.prepare('SELECT state FROM snapshots WHERE run = ? ORDER BY seq DESC LIMIT 1')
        const tail = again.prepare('SELECT event FROM log WHERE run = ? AND seq > ? ORDER BY seq')
        ns += await timeOf(async () => {
          const state = JSON.parse(String(newest.get('run')?.['state'])) as PackedState
          const events = tail.all('run', state[0]).map((row) => JSON.parse(String(row['event'])) as unknown)
          if (events.length !== TAIL) throw new Error('the tail is not all there')
        })
        again.close()
      }
      return ns / operations
    },
  }
}
