// Runs or goes on with one workflow on a SQLite store until it is done or killed, and says on standard output what it was
// told: `ack <item>` for an acknowledged update, `step <key>` for a finished step. What the world saw is in the effects
// file: a line for every execution of a step. CALLBOARD_FAULT says where it is killed; CALLBOARD_BUG which bug it has.
import { appendFileSync } from 'node:fs'
import { createRuntime, defineContext, entry } from 'callboard'
import { openSqlite } from 'callboard/sqlite'
import { z } from 'zod'
import { withBug } from './seeded-bugs.ts'
import { say } from '../support/say.ts'

const [database = '', effects = ''] = process.argv.slice(2)
const WRITERS = ['a', 'b', 'c'] as const
const ROUNDS = 8
const TICKS = 6
const TICK_MS = 15

/** Written at once: what a killed process had said is not lost. */
const sayLine = (line: string): void => say(`${line}\n`)

const board = defineContext({
  // Every item of every writer: one that was applied twice is there twice.
  items: entry(z.array(z.string()), { merge: 'append', default: [] }),
  total: entry(z.number().int(), { merge: 'counter', default: 0 }),
  ticks: entry(z.number().int(), { merge: 'counter', default: 0 }),
})

const writer = board.agent({
  reads: ['items'],
  writes: ['items', 'total'],
  input: z.object({ name: z.string() }),
  async run({ input: { name }, step, update, view }) {
    for (let round = 0; round < ROUNDS; round++) {
      const item = `${name}-${round}`
      await step(item, ({ idempotencyKey }) => appendFileSync(effects, `${idempotencyKey} ${item}\n`))
      sayLine(`step ${item}`)
      // A step protects what is outside; what was written to the board is seen there.
      if (view.get('items')?.includes(item) === true) continue
      await update({ items: [item], total: 1 })
      sayLine(`ack ${item}`)
    }
  },
})

const region = (name: string): object => ({
  initial: 'on',
  states: { on: { invoke: { src: 'writer', id: name, input: { name }, onDone: 'off' } }, off: { type: 'final' } },
})
const ticking = Object.fromEntries(
  Array.from({ length: TICKS }, (_, tick) => [
    `t${tick}`,
    { entry: board.write({ ticks: 1 }), after: { [TICK_MS]: `t${tick + 1}` } },
  ]),
)

const workflow = board.workflow({ name: 'crash', agents: { writer } }).createMachine({
  id: 'crash',
  initial: 'working',
  states: {
    working: {
      type: 'parallel',
      states: {
        ...Object.fromEntries(WRITERS.map((name) => [name, region(name)])),
        clock: { initial: 't0', states: { ...ticking, [`t${TICKS}`]: { type: 'final' } } },
      } as Record<string, object>,
      onDone: 'end',
    },
    end: { type: 'final' },
  },
  output: ({ context: { board: now } }) => ({
    items: now.get('items'),
    total: now.get('total'),
    ticks: now.get('ticks'),
  }),
})

const store = withBug(process.env['CALLBOARD_BUG'], await openSqlite(database))
const runtime = await createRuntime({ store, workflows: [workflow], snapshots: { everyRecords: 10 } })
const { runs, failures } = await runtime.recover()
if (failures.length > 0) throw failures[0]?.error
const known = await store.summary('r')
const run = runs[0] ?? (known === undefined ? await runtime.start(workflow, { runId: 'r' }) : await runtime.open('r'))
sayLine(`done ${JSON.stringify(await run.done)}`)
await runtime.close()
await store.close()
