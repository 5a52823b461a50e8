// A server in a process of its own, so that what its readers use is not counted as its. Told by messages what to do, it answers
// each with what it uses.
//   node --expose-gc test/server/streams.child.ts <folder>
import { join } from 'node:path'
import { createRuntime, defineContext, entry } from 'callboard'
import { openBook, openServer } from 'callboard/server'
import type { ServerLimits } from 'callboard/server'
import { openSqlite } from 'callboard/sqlite'
import { z } from 'zod'

/** What it may be told. */
export type Order =
  /** Updates, one after the other: `keys` entries of `bytes` characters each. */
  | { readonly kind: 'write'; readonly updates: number; readonly keys: number; readonly bytes: number }
  | { readonly kind: 'look' }

/** What it says when it has done that, and first of all. */
export interface Usage {
  readonly url: string
  readonly seq: number
  readonly openStreams: number
  /** Milliseconds of processor time so far. */
  readonly cpuMs: number
  /** Bytes kept after all garbage is collected, what lies outside of the heap included. */
  readonly used: number
  readonly rss: number
  /** The most it ever had of the machine's memory. */
  readonly peakRss: number
}

const KEYS = 50
const KIB = 1_024
const [folder = '.', limits = '{}'] = process.argv.slice(2)

const board = defineContext({ 'note.*': entry(z.string(), { outside: true }) })
const watcher = board.agent({ reads: ['note.*'], run: () => {} })
const desk = board.workflow({ name: 'desk', agents: { watcher } }).createMachine({
  id: 'desk',
  initial: 'open',
  states: { open: { on: { stop: 'closed' } }, closed: { type: 'final' } },
})

const store = await openSqlite(join(folder, 'streams.db'), { durability: 'process' })
const runtime = await createRuntime({ store, workflows: [desk] })
const run = await runtime.start(desk, { runId: 'r1' })
const server = await openServer({
  runtime,
  workflows: [desk],
  book: openBook(),
  port: 0,
  limits: JSON.parse(limits) as Partial<ServerLimits>,
})
let written = 0

async function write(updates: number, keys: number, bytes: number): Promise<void> {
  for (let done = 0; done < updates; done++) {
    const changes = Array.from({ length: keys }, () => {
      written += 1
      return [`note.${written % Math.max(KEYS, keys)}`, `${written} `.padEnd(bytes, 'x')] as const
    })
    await run.update(Object.fromEntries(changes) as never)
  }
}

async function usage(): Promise<Usage> {
  for (let round = 0; round < 3; round++) {
    globalThis.gc?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  const { heapUsed, external, rss } = process.memoryUsage()
  const { user, system } = process.cpuUsage()
  return {
    url: server.url,
    seq: run.seq,
    openStreams: server.app.openStreams,
    cpuMs: (user + system) / 1_000,
    used: heapUsed + external,
    rss,
    peakRss: process.resourceUsage().maxRSS * KIB,
  }
}

process.on('message', (order: Order) => {
  const carryOut = async (): Promise<void> => {
    if (order.kind === 'write') await write(order.updates, order.keys, order.bytes)
    process.send?.(await usage())
  }
  void carryOut()
})
process.on('disconnect', () => process.exit(0))
process.send?.(await usage())
