// Measures the heap in a process of its own: what is in the heap after all garbage is collected, divided by the runs that
// were started in between. Writes one line of JSON.
//   node --expose-gc test/bench/heap.child.ts <active | rest> <file> <runs>
import { createRuntime, defineContext, entry } from 'callboard'
import type { Runtime } from 'callboard'
import { openSqlite } from 'callboard/sqlite'
import { createActor, createMachine } from 'xstate'
import { z } from 'zod'
import { collectGarbage } from './harness.ts'
import type { HeapFigures } from './heap.ts'

const [mode = 'active', file = '', count = '1000'] = process.argv.slice(2)
const RUNS = Number(count)
const AT_ONCE = 100
const ACTIVE_RUNS = 1_000
const WARM_RUNS = 6_000
const A_DAY = 86_400_000

const board = defineContext({ note: entry(z.string()), approval: entry(z.boolean(), { outside: true }) })
const asks = board.agent({ reads: ['approval'], run: ({ ask }) => ask('approval', { question: 'Go on?' }) })
const waiting = board.workflow({ name: 'waiting' }).createMachine({
  id: 'waiting',
  initial: 'open',
  states: { open: { on: { close: 'closed' } }, closed: { type: 'final' } },
})
const timed = board.workflow({ name: 'timed' }).createMachine({
  id: 'timed',
  initial: 'open',
  states: { open: { after: { [A_DAY]: 'closed' }, on: { close: 'closed' } }, closed: { type: 'final' } },
})
const asking = board.workflow({ name: 'asking', agents: { asks } }).createMachine({
  id: 'asking',
  initial: 'open',
  states: { open: { invoke: { src: 'asks', onDone: 'closed' } }, closed: { type: 'final' } },
})
const bare = createMachine({
  id: 'bare',
  initial: 'open',
  states: { open: { on: { close: 'closed' } }, closed: { type: 'final' } },
})
type Workflow = typeof waiting | typeof timed | typeof asking

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function heapUsed(): Promise<number> {
  // What is finalized in one turn is garbage in the next.
  for (let round = 0; round < 4; round++) {
    collectGarbage()
    await turn()
  }
  return process.memoryUsage().heapUsed
}

let started = 0
async function startRuns(runtime: Runtime, workflow: Workflow, runs: number): Promise<void> {
  for (let done = 0; done < runs; done += AT_ONCE) {
    const batch = Array.from({ length: AT_ONCE }, () =>
      runtime.start(workflow as never, { runId: `run-${++started}` } as never),
    )
    await Promise.all(batch)
    await turn()
  }
}

async function heapPerRun(runtime: Runtime, workflow: Workflow): Promise<number> {
  // Those at work are of the same kind from the beginning, and what the store remembers of runs is full.
  await startRuns(runtime, workflow, WARM_RUNS)
  const before = await heapUsed()
  await startRuns(runtime, workflow, RUNS)
  return ((await heapUsed()) - before) / RUNS
}

async function heapPerActor(): Promise<number> {
  const before = await heapUsed()
  const actors = Array.from({ length: RUNS }, () => createActor(bare).start())
  const bytes = ((await heapUsed()) - before) / RUNS
  if (actors.length !== RUNS) throw new Error('they are still needed')
  return bytes
}

const store = await openSqlite(file, { durability: 'process' })
const maxActiveRuns = mode === 'rest' ? ACTIVE_RUNS : Number.POSITIVE_INFINITY
const runtime = await createRuntime({ store, maxActiveRuns, workflows: [waiting, timed, asking] })
const waitingBytes = await heapPerRun(runtime, waiting)
const timedBytes = await heapPerRun(runtime, timed)
const askingBytes = await heapPerRun(runtime, asking)
const figures: HeapFigures = {
  waiting: waitingBytes,
  timed: timedBytes,
  asking: askingBytes,
  actor: mode === 'rest' ? 0 : await heapPerActor(),
  activeRuns: runtime.activeRuns,
  startedRuns: started,
  residentBytes: process.memoryUsage().rss,
}
console.log(JSON.stringify(figures))
process.exit(0)
