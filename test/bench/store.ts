// Question 6: what does an update cost that is in a file before it is acknowledged, beside what the disk and SQLite ask
// for themselves?
// Baselines: write + fdatasync of as many bytes; one plain INSERT of the event as JSON; a row of a transaction of 100.
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRuntime, defineContext, entry } from 'callboard'
import type { Run, Runtime } from 'callboard'
import { openSqlite } from 'callboard/sqlite'
import type { SqliteStore } from 'callboard/sqlite'
import { z } from 'zod'
import type { Batch } from '../../src/store/index.ts'
import { sampleBatch } from '../../src/testing/sample-records.ts'
import { eventOf, plainLog } from './event-log.ts'
import type { PlainLog } from './event-log.ts'
import { collectGarbage, elapsedOf, measure, timeOf } from './harness.ts'
import type { Contender, Timings } from './harness.ts'
import { loadSqliteSaver } from './peers.ts'
import type { OpenSaver, SqliteSaverPeer } from './peers.ts'
import { lineOf, missingLine } from './report.ts'
import type { Limit, Line, Question, Table } from './report.ts'
import { sizesTable } from './store-bytes.ts'
import { readingTables } from './store-reading.ts'

type Durability = 'full' | 'process'

const WRITERS = 100
/** So much of the processor one writer may use beside the disk, before the limit's factor. */
const ALLOWED_NS = 15_000
/** How many updates one writer makes in a wave; many make one each. */
const WAVE = 40
/** A forced write takes long: fewer of them make a sample. */
const WAVES = { full: 4, process: 10 } as const
const WAVES_OF_MANY = 10
const ENTRIES = [10, 10_000] as const
const SAVER_ENTRIES = 10
const SAVER_UPDATES = { full: 10, process: 20 } as const
const RAW_BYTES = 4_000_000
const BLOCK_BYTES = 4_096

const RAW = 'write + fdatasync'
const RAW_ALLOWED = `${RAW} + 15 µs`
const SAVER = "LangGraph's SqliteSaver"
const value = (n: number): unknown => ({ title: `task ${n}`, done: false, notes: 'x'.repeat(100), n })
const bareName = (durability: Durability): string => `plain INSERT, ${durability}`
const bareManyName = (durability: Durability): string => `a row of a transaction of ${WRITERS}, ${durability}`
const oneName = (durability: Durability): string => `append(), 1 writer, ${durability}`
const manyName = (durability: Durability): string => `append(), ${WRITERS} writers, ${durability}`
const updateName = (durability: Durability, entries: number): string =>
  `run.update(), ${entries.toLocaleString('en')} entries, ${durability}`
const runsName = (durability: Durability): string => `run.update(), ${WRITERS} runs at once, ${durability}`
const saverName = (durability: Durability, writers: number): string =>
  `${SAVER}, ${writers === 1 ? '1 thread' : `${writers} threads`}, ${durability}`

export const storeQuestion: Question = {
  name: 'store',
  async answer() {
    const folder = mkdtempSync(join(tmpdir(), 'callboard-bench-'))
    try {
      return [...(await updateTables(folder)), await sizesTable(folder), ...(await readingTables(folder))]
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
}

async function updateTables(folder: string): Promise<readonly Table[]> {
  const peer = await loadSqliteSaver()
  const tables: Table[] = []
  // Samples with `full` are short, because a forced write takes long; what they measure has been compiled by then.
  for (const durability of ['process', 'full'] as const) {
    const timings = await measure([
      ...(durability === 'full' ? [forcedWrites(folder)] : []),
      ...bareContenders(folder, durability),
      ...appendContenders(folder, durability),
      ...ENTRIES.map((entries) => runUpdates(folder, durability, entries)),
      updatesOfRuns(folder, durability),
      ...(peer.kind === 'ready' ? saverContenders(peer.module, folder, durability) : []),
    ])
    const peerLines =
      peer.kind === 'ready'
        ? [lineOf(timings, saverName(durability, 1), { baseline: bareName(durability) })].concat(
            lineOf(timings, saverName(durability, WRITERS), { baseline: bareManyName(durability) }),
          )
        : [missingLine(SAVER, peer.reason)]
    tables.unshift(durability === 'full' ? fullTable(timings, peerLines) : processTable(timings, peerLines))
  }
  return tables
}

const most = (times: number): { readonly limit: Limit } => ({ limit: { kind: 'times', most: times } })

function fullTable(measured: Timings, peerLines: readonly Line[]): Table {
  const raw = measured.get(RAW)?.ns ?? Number.NaN
  const timings = new Map(measured).set(RAW_ALLOWED, { name: RAW_ALLOWED, ns: raw + ALLOWED_NS })
  return {
    title: 'An update forced to disk before it is acknowledged',
    operation:
      'one record of one changed key (an object of about 150 bytes) in the store, awaited by its writer before the ' +
      'next; in time that has passed, waiting for the disk included, waiting for a processor that others had not.',
    lines: [
      lineOf(timings, RAW),
      lineOf(timings, RAW_ALLOWED),
      lineOf(timings, bareName('full')),
      lineOf(timings, oneName('full'), { baseline: RAW_ALLOWED, ...most(1.3) }),
      ...ENTRIES.map((entries) =>
        lineOf(timings, updateName('full', entries), { baseline: RAW_ALLOWED, ...most(1.3) }),
      ),
      lineOf(timings, bareManyName('full')),
      lineOf(timings, manyName('full'), { baseline: bareManyName('full'), ...most(2) }),
      lineOf(timings, runsName('full'), { baseline: bareManyName('full') }),
      ...peerLines,
    ],
    notMeasured:
      'large values, compression, encryption, several processes. The plain log turns its event into JSON and keeps no ' +
      `hash; ${PEER_NOTE}`,
  }
}

function processTable(timings: Timings, peerLines: readonly Line[]): Table {
  return {
    title: 'An update handed to the operating system before it is acknowledged',
    operation: 'the same with durability: process (SQLite: synchronous = NORMAL).',
    lines: [
      lineOf(timings, bareName('process')),
      lineOf(timings, oneName('process'), { baseline: bareName('process'), ...most(2) }),
      ...ENTRIES.map((entries) => lineOf(timings, updateName('process', entries), { baseline: bareName('process') })),
      lineOf(timings, bareManyName('process')),
      lineOf(timings, manyName('process'), { baseline: bareManyName('process') }),
      lineOf(timings, runsName('process'), { baseline: bareManyName('process') }),
      ...peerLines,
    ],
    notMeasured: `what is lost with the power; ${PEER_NOTE}`,
  }
}

const PEER_NOTE =
  `the lines of ${SAVER} are its put() and putWrites() as for one superstep, without a graph, for a state of ` +
  `${SAVER_ENTRIES} such values, all of which every checkpoint holds; it runs on better-sqlite3 13, which needs no compiler.`

interface Waves<Made> {
  readonly durability: Durability
  readonly waves: number
  readonly make: () => Made
  readonly write: (made: Made) => void | Promise<void>
}

/** What is written is made right before, as it is where updates come from, and is not timed. Gives nanoseconds for all. */
async function timeWaves<Made>({ durability, waves, make, write }: Waves<Made>): Promise<number> {
  // Where the disk is waited for, what counts is the time that passes.
  const time = durability === 'full' ? elapsedOf : timeOf
  let ns = 0
  for (let wave = 0; wave < waves; wave++) {
    const made = make()
    ns += await time(async () => write(made))
  }
  return ns
}

function forcedWrites(folder: string): Contender {
  const file = openSync(join(folder, 'raw'), 'w')
  writeSync(file, Buffer.alloc(RAW_BYTES))
  fdatasyncSync(file)
  const [row] = eventsOf('run', 1, 1)
  const text = JSON.stringify(row).padEnd(300)
  let at = 0
  return {
    name: RAW,
    operations: WAVE,
    run: async (operations) => {
      const ns = await elapsedOf(() => {
        for (let index = 0; index < operations; index++) {
          writeSync(file, text, (at = (at + BLOCK_BYTES) % RAW_BYTES))
          fdatasyncSync(file)
        }
      })
      return ns / operations
    },
    close: () => closeSync(file),
  }
}

const batchOf = (runId: string, seq: number): Batch => sampleBatch(runId, seq, seq, { value: value(seq) })
const eventsOf = (runId: string, from: number, to: number): readonly object[] =>
  Array.from({ length: to - from + 1 }, (_, index) => eventOf(batchOf(runId, from + index)))

function bareContenders(folder: string, durability: Durability): readonly Contender[] {
  const log: PlainLog = plainLog(join(folder, `bare-${durability}.db`), durability === 'full' ? 'FULL' : 'NORMAL')
  let seq = 0
  const next = (count: number) => (): readonly object[] => {
    seq += count
    return eventsOf('run', seq + 1 - count, seq)
  }
  const [waves, wavesOfMany] = [WAVES[durability], WAVES_OF_MANY]
  return [
    {
      name: bareName(durability),
      operations: WAVE * waves,
      run: async (operations) => {
        const write = (events: readonly object[]): void => events.forEach((event) => log.insert('run', event))
        return (await timeWaves({ durability, waves, make: next(WAVE), write })) / operations
      },
    },
    {
      name: bareManyName(durability),
      operations: WRITERS * wavesOfMany,
      run: async (operations) => {
        const write = (events: readonly object[]): void => log.insertAll('run', events)
        return (await timeWaves({ durability, waves: wavesOfMany, make: next(WRITERS), write })) / operations
      },
      close: () => {
        if (log.count() !== seq) throw new Error('not every event is in the log')
        log.close()
      },
    },
  ]
}

function appendContenders(folder: string, durability: Durability): readonly Contender[] {
  let store: SqliteStore | undefined
  const seqs = new Map<string, number>()
  const next = (runId: string): Batch => {
    const seq = (seqs.get(runId) ?? 0) + 1
    seqs.set(runId, seq)
    return batchOf(runId, seq)
  }
  const prepare = async (): Promise<void> => {
    store ??= await openSqlite(join(folder, `store-${durability}.db`), { durability })
  }
  const [waves, wavesOfMany] = [WAVES[durability], WAVES_OF_MANY]
  return [
    {
      name: oneName(durability),
      operations: WAVE * waves,
      prepare,
      run: async (operations) => {
        const make = (): readonly Batch[] => Array.from({ length: WAVE }, () => next('one'))
        const write = async (batches: readonly Batch[]): Promise<void> => {
          for (const batch of batches) await store?.append([batch])
        }
        return (await timeWaves({ durability, waves, make, write })) / operations
      },
    },
    {
      name: manyName(durability),
      operations: WRITERS * wavesOfMany,
      prepare,
      run: async (operations) => {
        const make = (): readonly Batch[] => Array.from({ length: WRITERS }, (_, writer) => next(`run-${writer}`))
        const write = async (batches: readonly Batch[]): Promise<void> => {
          await Promise.all(batches.map(async (batch) => store?.append([batch])))
        }
        return (await timeWaves({ durability, waves: wavesOfMany, make, write })) / operations
      },
      close: async () => {
        for (const [runId, seq] of seqs) {
          if ((await store?.summary(runId))?.seq !== seq) throw new Error(`not every record of ${runId} is there`)
        }
        await store?.close()
      },
    },
  ]
}

type Key = `item.${number}`
type Values = Readonly<Record<`item.${string}`, unknown>>
const board = defineContext({ 'item.*': entry(z.unknown()) })
const workflow = board.workflow({ agents: {} }).createMachine({ id: 'updates', initial: 'open', states: { open: {} } })

/** The whole way: an update from outside a run, on a board of so many entries. */
function runUpdates(folder: string, durability: Durability, entries: number): Contender {
  let open: { readonly store: SqliteStore; readonly runtime: Runtime; readonly run: Run<unknown, Values> } | undefined
  let count = 0
  const waves = WAVES[durability]
  const make = (): readonly Values[] =>
    Array.from({ length: WAVE }, () => {
      count += 1
      return { [keyOf(count)]: value(count) }
    })
  const write = async (changes: readonly Values[]): Promise<void> => {
    for (const change of changes) await open?.run.update(change)
  }
  const keyOf = (number: number): Key => `item.${(number * 7919) % entries}`
  return {
    name: updateName(durability, entries),
    operations: WAVE * waves,
    prepare: async () => {
      if (open !== undefined) return
      const store = await openSqlite(join(folder, `runs-${durability}-${entries}.db`), { durability })
      const runtime = await createRuntime({ store })
      const run = await runtime.start(workflow)
      await run.update(Object.fromEntries(Array.from({ length: entries }, (_, index) => [`item.${index}`, value(0)])))
      open = { store, runtime, run }
      collectGarbage()
    },
    run: async (operations) => (await timeWaves({ durability, waves, make, write })) / operations,
    close: async () => {
      const last = open?.run.get(keyOf(count)) as { readonly n: number } | undefined
      if (last?.n !== count) throw new Error('the last value did not arrive')
      await open?.runtime.close()
      await open?.store.close()
    },
  }
}

/** The whole way for many at once: one update of each of so many runs of ten entries, together. */
function updatesOfRuns(folder: string, durability: Durability): Contender {
  let open: { readonly store: SqliteStore; readonly runtime: Runtime; readonly runs: readonly Run<unknown, Values>[] }
  let count = 0
  const key: Key = 'item.1'
  const make = (): readonly Values[] =>
    Array.from({ length: WRITERS }, () => {
      count += 1
      return { [key]: value(count) }
    })
  return {
    name: runsName(durability),
    operations: WRITERS * WAVES_OF_MANY,
    prepare: async () => {
      if (count > 0) return
      const store = await openSqlite(join(folder, `many-runs-${durability}.db`), { durability })
      const runtime = await createRuntime({ store })
      const runs = await Promise.all(Array.from({ length: WRITERS }, () => runtime.start(workflow)))
      const first = Object.fromEntries(Array.from({ length: ENTRIES[0] }, (_, index) => [`item.${index}`, value(0)]))
      await Promise.all(runs.map((run) => run.update(first)))
      open = { store, runtime, runs }
      collectGarbage()
    },
    run: async (operations) => {
      const write = async (changes: readonly Values[]): Promise<void> => {
        await Promise.all(changes.map((change, index) => open.runs[index]?.update(change)))
      }
      return (await timeWaves({ durability, waves: WAVES_OF_MANY, make, write })) / operations
    },
    close: async () => {
      const last = open.runs.at(-1)?.get(key) as { readonly n: number } | undefined
      if (last?.n !== count) throw new Error('the last value did not arrive')
      await open.runtime.close()
      await open.store.close()
    },
  }
}

function saverContenders(peer: SqliteSaverPeer, folder: string, durability: Durability): readonly Contender[] {
  const values = Object.fromEntries(Array.from({ length: SAVER_ENTRIES }, (_, index) => [`item.${index}`, value(0)]))
  let saver: OpenSaver | undefined
  let count = 0
  const write = async (threadId: string, updates: number): Promise<void> => {
    for (let index = 0; index < updates; index++) {
      count += 1
      await saver?.update(threadId, `item.${count % SAVER_ENTRIES}`, value(count))
    }
  }
  const prepare = (): void => {
    saver ??= peer.openSaver({
      path: join(folder, `saver-${durability}.db`),
      synchronous: durability === 'full' ? 'FULL' : 'NORMAL',
      values,
    })
  }
  return [
    {
      name: saverName(durability, 1),
      operations: SAVER_UPDATES[durability],
      prepare,
      run: async (operations) =>
        (await timeWaves({ durability, waves: 1, make: () => 'one', write: (thread) => write(thread, operations) })) /
        operations,
    },
    {
      name: saverName(durability, WRITERS),
      operations: WRITERS,
      prepare,
      run: async (operations) =>
        (await timeWaves({
          durability,
          waves: 1,
          make: () => Array.from({ length: operations }, (_, thread) => `thread-${thread}`),
          write: async (threads) => void (await Promise.all(threads.map((thread) => write(thread, 1)))),
        })) / operations,
      close: () => saver?.close(),
    },
  ]
}
