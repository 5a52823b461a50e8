// Four phases over one board: research (two agents at once), plan, implement, evaluate. Guards read entries; what is
// ephemeral is gone when its phase ends; an evaluation that is not good enough goes back to implement.
//   npx node examples/phases.ts
import { createRuntime, defineContext, entry, patch } from 'callboard'
import { z } from 'zod'

const Task = z.object({ title: z.string(), done: z.boolean() })

const board = defineContext({
  'research.code': entry(z.object({ files: z.number() }), { priority: 'high' }),
  'research.practices': entry(z.array(z.string()), { priority: 'high' }),
  'research.scratch': entry(z.array(z.string()), { ephemeral: true, merge: 'union', default: [] }),
  'plan.tasks': entry(z.array(Task), { dependsOn: ['research.code', 'research.practices'] }),
  'implement.log': entry(z.array(z.string()), { merge: 'append', default: [] }),
  'evaluate.result': entry(z.object({ successRate: z.number(), verdict: z.string() })),
  'run.rounds': entry(z.number().int(), { merge: 'counter', default: 0 }),
  'run.settings': entry(z.object({ target: z.number(), phase: z.string() }), { default: { target: 0.7, phase: '' } }),
})

const analyst = board.agent({
  writes: ['research.*'],
  async run({ update }) {
    await update({ 'research.code': { files: 3 }, 'research.scratch': ['listed the files'] })
  },
})

const researcher = board.agent({
  writes: ['research.*'],
  async run({ update }) {
    await update({
      'research.practices': ['name things well', 'test promises'],
      'research.scratch': ['read two pages'],
    })
  },
})

const planner = board.agent({
  reads: ['research.*'],
  writes: ['plan.*'],
  async run({ view, update }) {
    console.log(`planner: scratch of the last phase is ${view.has('research.scratch') ? 'still there' : 'gone'}`)
    const { files } = view.getOrThrow('research.code')
    const practices = view.getOrThrow('research.practices')
    await update({
      'plan.tasks': practices.map((practice) => ({ title: `${practice} in ${files} files`, done: false })),
    })
  },
})

/** Does one task per round. */
const coder = board.agent({
  reads: ['plan.tasks'],
  writes: ['plan.tasks', 'implement.log'],
  async run({ view, update }) {
    const tasks = view.getOrThrow('plan.tasks')
    const next = tasks.findIndex(({ done }) => !done)
    await update({
      'plan.tasks': tasks.map((task, index) => (index === next ? { ...task, done: true } : task)),
      'implement.log': [`did: ${tasks[next]?.title ?? 'nothing'}`],
    })
  },
})

const evaluator = board.agent({
  reads: ['plan.tasks', 'run.settings'],
  writes: ['evaluate.result'],
  async run({ view, update }) {
    const tasks = view.getOrThrow('plan.tasks')
    const successRate = tasks.filter(({ done }) => done).length / tasks.length
    const { target } = view.getOrThrow('run.settings')
    await update({ 'evaluate.result': { successRate, verdict: successRate >= target ? 'success' : 'partial' } })
  },
})

const enter = (phase: string) => board.write({ 'run.settings': patch({ phase }) })

const evolution = board
  .workflow({
    output: z.object({ verdict: z.string(), rounds: z.number() }),
    agents: { analyst, researcher, planner, coder, evaluator },
    guards: { isGoodEnough: board.when('evaluate.result', ({ verdict }) => verdict === 'success') },
  })
  .createMachine({
    id: 'phases',
    initial: 'research',
    states: {
      research: {
        entry: enter('research'),
        type: 'parallel',
        states: {
          code: {
            initial: 'reading',
            states: { reading: { invoke: { src: 'analyst', onDone: 'read' } }, read: { type: 'final' } },
          },
          practices: {
            initial: 'reading',
            states: { reading: { invoke: { src: 'researcher', onDone: 'read' } }, read: { type: 'final' } },
          },
        },
        onDone: 'plan',
      },
      plan: { entry: enter('plan'), invoke: { src: 'planner', onDone: 'implement' } },
      implement: {
        entry: board.write({ 'run.settings': patch({ phase: 'implement' }), 'run.rounds': 1 }),
        invoke: { src: 'coder', onDone: 'evaluate' },
      },
      evaluate: {
        entry: enter('evaluate'),
        invoke: {
          src: 'evaluator',
          onDone: [{ guard: 'isGoodEnough', target: 'finished' }, { target: 'implement' }],
        },
      },
      finished: { type: 'final' },
    },
    output: ({ context: { board: entries } }) => ({
      verdict: entries.get('evaluate.result')?.verdict ?? 'none',
      rounds: entries.get('run.rounds') ?? 0,
    }),
  })

const runtime = await createRuntime()
const run = await runtime.start(evolution)
for await (const { state, entries } of run.changes()) {
  if (state !== undefined) console.log(`phase: ${typeof state === 'string' ? state : JSON.stringify(state)}`)
  for (const { kind, key, version } of entries) {
    if (key !== 'run.settings') console.log(`  ${kind} ${key} v${version}`)
  }
}
const { verdict, rounds } = await run.done
console.log(`${verdict} after ${rounds} rounds: ${run.get('implement.log')?.join('; ')}`)
await runtime.close()
