// Two evolutions at once, each over a context of its own: research by two agents in parallel, a plan, the work, and a
// comparison three ways: as it was, as it was planned, as it is. An exported evolution is imported again, and is equal.
//   npx node examples/evolutions.ts
import { isDeepStrictEqual } from 'node:util'
import { createRuntime, createVolatileStore, defineContext, entry, exportLedger, importLedger, patch } from 'callboard'
import { z } from 'zod'

const Metrics = z.object({ files: z.number(), documented: z.number() })

const board = defineContext({
  meta: entry(z.object({ target: z.string(), phase: z.string() }), { pinned: true }),
  original_analysis: entry(Metrics, { protected: true, priority: 'high' }),
  external_research: entry(z.array(z.string()), { protected: true, priority: 'high' }),
  improvement_plan: entry(z.object({ tasks: z.array(z.string()), documented: z.number() }), {
    dependsOn: ['original_analysis', 'external_research'],
  }),
  implementation_log: entry(z.array(z.string()), { merge: 'append', default: [] }),
  current_state: entry(Metrics, { dependsOn: ['implementation_log'] }),
  error_log: entry(z.array(z.string()), { merge: 'append', default: [] }),
})

const analyst = board.agent({
  writes: ['original_analysis'],
  input: z.object({ target: z.string() }),
  run: async ({ input, update }) =>
    void (await update({ original_analysis: { files: input.target.length, documented: 2 } })),
})
const researcher = board.agent({
  writes: ['external_research'],
  run: async ({ update }) => void (await update({ external_research: ['every public name has a sentence'] })),
})
const planner = board.agent({
  reads: ['original_analysis', 'external_research'],
  writes: ['improvement_plan'],
  async run({ view, update }) {
    const { files, documented } = view.getOrThrow('original_analysis')
    const tasks = Array.from({ length: files - documented }, (_, index) => `document file ${index + 1}`)
    await update({ improvement_plan: { tasks, documented: files } })
  },
})
const implementer = board.agent({
  reads: ['improvement_plan', 'original_analysis'],
  writes: ['implementation_log', 'current_state', 'error_log'],
  async run({ view, update }) {
    const { tasks } = view.getOrThrow('improvement_plan')
    const { files, documented } = view.getOrThrow('original_analysis')
    // The last one is not to be had.
    const done = tasks.slice(0, -1)
    await update({ implementation_log: done, error_log: [`left undone: ${tasks.at(-1)}`] })
    await update({ current_state: { files, documented: documented + done.length } })
  },
})

const enter = (phase: string) => board.write({ meta: patch({ phase }) })

const evolution = board
  .workflow({
    name: 'documentation',
    input: z.object({ target: z.string() }),
    agents: { analyst, researcher, planner, implementer },
  })
  .createMachine({
    id: 'documentation',
    entry: board.write({ meta: ({ context }) => ({ target: context.input.target, phase: 'initialization' }) }),
    initial: 'research',
    states: {
      research: {
        entry: enter('research'),
        type: 'parallel',
        states: {
          code: {
            initial: 'reading',
            states: {
              reading: { invoke: { src: 'analyst', input: ({ context }) => context.input, onDone: 'read' } },
              read: { type: 'final' },
            },
          },
          practice: {
            initial: 'reading',
            states: { reading: { invoke: { src: 'researcher', onDone: 'read' } }, read: { type: 'final' } },
          },
        },
        onDone: 'planning',
      },
      planning: { entry: enter('planning'), invoke: { src: 'planner', onDone: 'implementation' } },
      implementation: { entry: enter('implementation'), invoke: { src: 'implementer', onDone: 'completed' } },
      completed: { entry: enter('evaluation'), type: 'final' },
    },
  })

const runtime = await createRuntime()
// Neither is the current one: each is known by its id.
const [one, other] = await Promise.all(
  ['atlas', 'sextant'].map((target) => runtime.start(evolution, { input: { target }, runId: `evolution ${target}` })),
)
if (one === undefined || other === undefined) throw new Error('there are two')
await Promise.all([one.done, other.done])

for (const run of [one, other]) {
  const { plan, deltas } = await run.compare({
    before: 'original_analysis',
    plan: 'improvement_plan',
    after: 'current_state',
  })
  console.log(`${run.id}: ${plan?.tasks.length} tasks, ${run.get('implementation_log')?.length} done`)
  for (const { path, before, plan: planned, after, delta } of deltas) {
    console.log(
      `  ${path.join('.')}: ${before}, planned ${planned ?? 'nothing'}, is ${after} (${delta > 0 ? '+' : ''}${delta})`,
    )
  }
}

for (const { runId, workflow, status } of await runtime.list({ workflow: 'documentation' })) {
  const run = runtime.get(runId)
  const errors = (run?.get('error_log') as string[] | undefined) ?? []
  console.log(`${runId} (${workflow}, ${status}): ${errors.join()}`)
}

const store = createVolatileStore()
await importLedger(store, await exportLedger(runtime.store, one.id))
const elsewhere = await createRuntime({ store, workflows: [evolution] })
const copy = await elsewhere.open(one.id)
const same = isDeepStrictEqual(copy.entries(), one.entries())
console.log(`imported: ${same ? 'equal' : 'another'}, ${(await copy.log()).length} lines of log`)

await elsewhere.close()
await runtime.close()
