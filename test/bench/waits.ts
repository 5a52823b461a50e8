// Question 4: what does a wait cost, and does it matter how many others there are?
// Baseline: a promise whose resolver is kept in a Map until it is called.
import { createRuntime, defineContext, entry } from 'callboard'
import type { AgentContext, Run, Runtime } from 'callboard'
import { z } from 'zod'
import type * as Base from '../../src/base/index.ts'
import type * as Waits from '../../src/waits/index.ts'
import { builtModule } from './built.ts'
import { collectGarbage, measure } from './harness.ts'
import type { Contender } from './harness.ts'
import { lineOf } from './report.ts'
import type { Question, Table } from './report.ts'
import { Seats } from './seats.ts'

// The wait table is no part of the public entry; like everything here it is measured as it was built.
const { WaitTable } = (await import(builtModule('waits'))) as typeof Waits
const { Deadlines, systemClock } = (await import(builtModule('base'))) as typeof Base

type WaitTables = InstanceType<typeof WaitTable>
type WaitSpec = Parameters<WaitTables['add']>[0]
type Cell = NonNullable<ReturnType<WaitSpec['read']>>
type Changes = Parameters<WaitTables['touch']>[0]

const KEYS = Array.from({ length: 100 }, (_, index) => `item.${index}`)
const WAITS = 10_000
const RESOLVED = 1_000
const RESOLVED_OF_MANY = 10_000
const MANY = 100_000
const FEW = 10
const DEFAULT_TIMEOUT_MS = 30_000
/** Resolving one is to cost the same whatever the number; this much is left to the noise of the machine. */
const NOISE = 1.3

const BARE = 'bare resolver in a Map'
const BARE_TIMED = 'bare resolver with a timeout of its own'
const LONE = 'wait table, no timeout'
const TIMED = 'wait table, 30 s timeout'
const AGENT_WAIT = "agent's waitFor(), ended by an update"
const AGENT_UPDATE = 'the update alone'
const OF_FEW = `one of ${FEW} waits`
const OF_MANY = `one of ${MANY.toLocaleString('en')} waits`

export const waitsQuestion: Question = {
  name: 'waits',
  answer: async () => [await loneWaits(), await crowdedWaits()],
}

async function loneWaits(): Promise<Table> {
  const limit = { kind: 'times', most: 3 } as const
  const timings = await measure([
    bareResolver(BARE, false),
    bareResolver(BARE_TIMED, true),
    loneWait(LONE, Number.POSITIVE_INFINITY),
    loneWait(TIMED, DEFAULT_TIMEOUT_MS),
    agentWait(AGENT_WAIT, true),
    agentWait(AGENT_UPDATE, false),
  ])
  return {
    title: 'A lone wait',
    operation: 'one wait for a key that is not there, its resolution, and the waiter going on.',
    lines: [
      lineOf(timings, BARE),
      lineOf(timings, LONE, { baseline: BARE, limit }),
      lineOf(timings, BARE_TIMED),
      lineOf(timings, TIMED, { baseline: BARE_TIMED, limit }),
      lineOf(timings, AGENT_WAIT, { baseline: AGENT_UPDATE }),
      lineOf(timings, AGENT_UPDATE),
    ],
    notMeasured:
      'waits for several keys or for a condition, waits with an abort signal, waits that time out. A bare resolver ' +
      'has no version to look at, and cannot be listed or cancelled.',
  }
}

async function crowdedWaits(): Promise<Table> {
  const timings = await measure([crowd(OF_FEW, MANY / FEW, FEW), crowd(OF_MANY, 1, MANY)])
  return {
    title: 'One wait of many',
    operation: 'resolving one wait out of a table of so many, each with a timeout and a key of its own.',
    lines: [
      lineOf(timings, OF_FEW),
      lineOf(timings, OF_MANY, { baseline: OF_FEW, limit: { kind: 'times', most: NOISE } }),
    ],
    notMeasured:
      'making the waits, and many waits for one key. There are 10,000 tables of ten, one wait in each is ' +
      'resolved, and one table of 100,000, of which 10,000 are: as many keys, and as much memory that is in no cache, for both. Equal is ' +
      `the aim; ${NOISE} leaves room for noise.`,
  }
}

function bareResolver(name: string, timed: boolean): Contender {
  const resolvers = new Map<string, (value: unknown) => void>()
  return {
    name,
    operations: WAITS,
    run: async (operations) => {
      for (let index = 0; index < operations; index++) {
        const key = KEYS[index % KEYS.length] as string
        const promise = new Promise((resolve) => resolvers.set(key, resolve))
        const timeout = timed ? setTimeout(() => resolvers.delete(key), DEFAULT_TIMEOUT_MS) : undefined
        const resolve = resolvers.get(key)
        resolvers.delete(key)
        clearTimeout(timeout)
        resolve?.(index)
        if ((await promise) !== index) throw new Error('another value arrived')
      }
    },
  }
}

/** A cell as the wait table looks at it. */
function cellOf(value: unknown): Cell {
  return { live: true, exotic: false, entry: { version: 1, stale: false, value } } as Cell
}

function changesOf(key: string, cell: Cell): Changes {
  return [{ kind: 'put', scope: 'workflow', holder: undefined, key, cell, previous: undefined }]
}

function loneWait(name: string, timeoutMs: number): Contender {
  const deadlines = new Deadlines(systemClock)
  const table = new WaitTable(systemClock, deadlines)
  const cell = cellOf('there')
  const changes = KEYS.map((key) => changesOf(key, cell))
  let current: Cell | undefined
  const read = (): Cell | undefined => current
  return {
    name,
    operations: WAITS,
    run: async (operations) => {
      for (let index = 0; index < operations; index++) {
        const promise = table.add(waitSpec([KEYS[index % KEYS.length] as string], read, timeoutMs))
        current = cell
        table.touch(changes[index % KEYS.length] as Changes)
        if ((await promise) !== 'there') throw new Error('another value arrived')
        current = undefined
      }
      if (table.size !== 0) throw new Error('a wait was left behind')
    },
    close: () => deadlines.clear(),
  }
}

function onTimeout(): never {
  throw new Error('no wait of the benchmark is to time out')
}

function waitSpec(keys: readonly string[], read: WaitSpec['read'], timeoutMs: number): WaitSpec {
  return {
    waiter: 'reader',
    keys,
    mode: 'one',
    read,
    fresh: false,
    since: 0,
    timeoutMs,
    signal: undefined,
    onTimeout,
  }
}

interface Chosen {
  readonly table: WaitTables
  readonly key: string
  readonly changes: Changes
}

/** Tables full of waits; a sample resolves the next ten thousand of them, which are made anew before the one after. */
function crowd(name: string, tableCount: number, waitsEach: number): Contender {
  const deadlines = new Deadlines(systemClock)
  const cell = cellOf('there')
  const keysOf = Array.from({ length: tableCount }, (_, table) =>
    Array.from({ length: waitsEach }, (_unused, index) => `item.${table * waitsEach + index}`),
  )
  const tables = Array.from({ length: tableCount }, () => new WaitTable(systemClock, deadlines))
  let current: Cell | undefined
  let resolved = 0
  let chosen: readonly Chosen[] = []
  let first = 0
  const add = (table: WaitTables, key: string): void => {
    void table.add(waitSpec([key], () => current, DEFAULT_TIMEOUT_MS * 100)).then(() => (resolved += 1))
  }
  return {
    name,
    operations: RESOLVED_OF_MANY,
    prepare: () => {
      current = undefined
      if (chosen.length === 0)
        for (const [index, table] of tables.entries()) for (const key of keysOf[index] ?? []) add(table, key)
      for (const { table, key } of chosen) add(table, key)
      chosen = Array.from({ length: RESOLVED_OF_MANY }, (_, index) => {
        const table = (first + index) % tableCount
        const key = keysOf[table]?.[(first + index) % waitsEach] as string
        return { table: tables[table] as WaitTables, key, changes: changesOf(key, cell) }
      })
      if (first === 0) collectGarbage()
      first += RESOLVED_OF_MANY
    },
    run: async () => {
      current = cell
      resolved = 0
      for (const { table, changes } of chosen) table.touch(changes)
      await Promise.resolve()
      if (resolved !== RESOLVED_OF_MANY) throw new Error(`${resolved} waits were resolved, not ${RESOLVED_OF_MANY}`)
    },
    close: () => deadlines.clear(),
  }
}

type Values = Readonly<Record<`item.${string}`, number>>

const board = defineContext({ 'item.*': entry(z.number()) })
const seats = new Seats<AgentContext<Values, Values, unknown>>()
const waiter = board.agent({ reads: ['item.*'], run: (context) => seats.sit(context) })
const workflow = board
  .workflow({ agents: { waiter } })
  .createMachine({ id: 'waits', initial: 'open', states: { open: { invoke: { src: 'waiter', id: 'waiter' } } } })

/** Every sample has a run of its own, in which no key is there yet. */
function agentWait(name: string, waits: boolean): Contender {
  let open: { readonly runtime: Runtime; readonly run: Run } | undefined
  return {
    name,
    operations: RESOLVED,
    prepare: async () => {
      await open?.runtime.close()
      const runtime = await createRuntime()
      open = { runtime, run: await runtime.start(workflow) }
    },
    run: async (operations) => {
      if (open === undefined) throw new TypeError('no run was prepared')
      const { run } = open
      const { waitFor } = seats.getOrThrow(run.id, 'waiter')
      for (let index = 0; index < operations; index++) {
        const key = `item.${index}` as const
        const promise = waits ? waitFor(key) : undefined
        await run.update({ [key]: index })
        if (promise !== undefined && (await promise) !== index) throw new Error('another value arrived')
      }
    },
    close: () => open?.runtime.close(),
  }
}
