// Runs or goes on with families of runs, most of which rest at any time, until all have ended or the process is killed;
// answers what is asked in them, and says what it was told: `ack <run> <answer>` for an acknowledged answer.
import { createRuntime, defineContext, entry } from 'callboard'
import { openSqlite } from 'callboard/sqlite'
import { z } from 'zod'
import { say } from '../support/say.ts'

const [database = ''] = process.argv.slice(2)
const FAMILIES = ['x', 'y', 'z']

const board = defineContext({
  answer: entry(z.string(), { outside: true }),
  said: entry(z.array(z.string()), { merge: 'append', default: [] }),
})
const clerk = board
  .workflow({ name: 'clerk', output: z.string(), agents: { asks: board.person('answer') } })
  .createMachine({
    initial: 'asking',
    states: { asking: { invoke: { src: 'asks', onDone: 'end' } }, end: { type: 'final' } },
    output: ({ context }) => context.board.get('answer') ?? '',
  })
/** Asks two clerks, one after the other. */
const office = board.workflow({ name: 'office', output: z.array(z.string()), agents: { clerk } }).createMachine({
  initial: 'first',
  states: {
    first: {
      invoke: {
        src: 'clerk',
        id: 'one',
        onDone: { target: 'second', actions: board.write({ said: ({ event }) => [event.output] }) },
      },
    },
    second: {
      invoke: {
        src: 'clerk',
        id: 'two',
        onDone: { target: 'end', actions: board.write({ said: ({ event }) => [event.output] }) },
      },
    },
    end: { type: 'final' },
  },
  output: ({ context }) => context.board.get('said') ?? [],
})
/** Two offices at a time. */
const firm = board.workflow({ name: 'firm', output: z.array(z.string()), agents: { office } }).createMachine({
  initial: 'working',
  states: {
    working: {
      type: 'parallel',
      states: Object.fromEntries(
        ['left', 'right'].map((id) => [
          id,
          {
            initial: 'on',
            states: {
              on: {
                invoke: {
                  src: 'office',
                  id,
                  onDone: {
                    target: 'off',
                    actions: board.write({
                      said: ({ event }) => (event as unknown as { readonly output: string[] }).output,
                    }),
                  },
                },
              },
              off: { type: 'final' },
            },
          },
        ]),
      ) as Record<string, object>,
      onDone: 'end',
    },
    end: { type: 'final' },
  },
  output: ({ context }) => context.board.get('said') ?? [],
})

const store = await openSqlite(database)
const runtime = await createRuntime({ store, workflows: [firm], maxActiveRuns: 2, snapshots: { everyRecords: 3 } })
const { failures } = await runtime.recover()
if (failures.length > 0) throw failures[0]?.error
for (const runId of FAMILIES) if ((await store.summary(runId)) === undefined) await runtime.start(firm, { runId })
for (;;) {
  const active = await runtime.list({ status: 'active' })
  if (active.length === 0) break
  for (const { runId, workflow } of active) {
    if (workflow !== 'clerk') continue
    const run = await runtime.open(runId)
    const [request] = run.requests()
    // Its end is on its way to whoever waits for it, or its question to us.
    if (request === undefined) continue
    await run.answer(request.id, `${runId} answered`)
    say(`ack ${runId} ${runId} answered\n`)
  }
  await new Promise((resolve) => setImmediate(resolve))
}
for (const runId of FAMILIES) say(`done ${JSON.stringify([runId, await (await runtime.open(runId)).done])}\n`)
await runtime.close()
await store.close()
