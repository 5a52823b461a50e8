// Runs or resumes one workflow on a SQLite store until it is done or killed. Writes a line to standard output for every
// acknowledged update and a line to the effects file for every execution of a step.
import { appendFileSync } from 'node:fs'
import { createRuntime, defineContext, entry } from 'callboard'
import { openSqlite } from 'callboard/sqlite'
import { z } from 'zod'

const [database = '', effects = '', mode = 'process'] = process.argv.slice(2)
export const ROUNDS = 12

const board = defineContext({
  total: entry(z.number().int(), { merge: 'counter', default: 0 }),
  'done.*': entry(z.string()),
})

const worker = board.agent({
  reads: ['done.*'],
  writes: ['total', 'done.*'],
  input: z.object({ name: z.string() }),
  async run({ input: { name }, step, update, view }) {
    for (let round = 0; round < ROUNDS; round++) {
      const result = await step(`${name}-${round}`, ({ idempotencyKey }) => {
        appendFileSync(effects, `${idempotencyKey}\n`)
        return `${name} ${round}`
      })
      const key = `done.${name}-${round}` as const
      // A step protects what is outside; what was written to the board is seen there.
      if (view.has(key)) continue
      // The compiler takes a computed key for any key of its kind, and so its value for one of any kind.
      await update({ [key]: result, total: 1 } as { readonly total: number })
      process.stdout.write(`${name}-${round}\n`)
    }
  },
})

const workflow = board.workflow({ name: 'killed', agents: { worker } }).createMachine({
  id: 'killed',
  initial: 'working',
  states: {
    working: {
      type: 'parallel',
      states: Object.fromEntries(
        ['a', 'b', 'c'].map((name) => [
          name,
          {
            initial: 'on',
            states: {
              on: { invoke: { src: 'worker', id: name, input: { name }, onDone: 'off' } },
              off: { type: 'final' },
            },
          },
        ]),
      ) as Record<string, object>,
      onDone: 'end',
    },
    end: { type: 'final' },
  },
  output: ({ context }) => context.board.get('total'),
})

const store = await openSqlite(database, { durability: mode as 'process' })
const runtime = await createRuntime({
  store,
  workflows: [workflow],
  // So often that processes are killed in the middle of them.
  snapshots: { everyRecords: 7 },
  retention: { keepRecords: 20 },
})
const { runs, failures } = await runtime.recover()
if (failures.length > 0) throw failures[0]?.error
const known = await store.summary('r')
const run = runs[0] ?? (known === undefined ? await runtime.start(workflow, { runId: 'r' }) : await runtime.open('r'))
process.stdout.write(`result ${String(await run.done)}\n`)
await runtime.close()
await store.close()
