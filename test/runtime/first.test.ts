import { expect, it } from 'vitest'
import { z } from 'zod'
import { createRuntime, defineContext, entry } from 'callboard'

it('runs agents that wait for each other', async () => {
  const board = defineContext({
    'analysis.original': entry(z.object({ files: z.number() }), { priority: 'high' }),
    'research.practices': entry(z.array(z.string()), { merge: 'union' }),
    'plan.tasks': entry(z.array(z.string()), { dependsOn: ['analysis.original', 'research.practices'] }),
  })
  const analyst = board.agent({
    writes: ['analysis.*'],
    run: async ({ update }) => {
      await update({ 'analysis.original': { files: 3 } })
    },
  })
  const researcher = board.agent({
    writes: ['research.*'],
    run: async ({ update, step }) => {
      const p = await step('read', () => ['b', 'a'])
      await update({ 'research.practices': p })
    },
  })
  const planner = board.agent({
    reads: ['analysis.*', 'research.*'],
    writes: ['plan.*'],
    async run({ waitForAll, update }) {
      const got = await waitForAll(['analysis.original', 'research.practices'])
      await update({ 'plan.tasks': got['research.practices'].map((p) => p + got['analysis.original'].files) })
      return { count: 2 }
    },
  })
  const wf = board.workflow({ agents: { analyst, researcher, planner } }).createMachine({
    id: 'e',
    initial: 'work',
    states: {
      work: {
        type: 'parallel',
        states: {
          a: { initial: 'x', states: { x: { invoke: { src: 'analyst', onDone: 'y' } }, y: { type: 'final' } } },
          b: { initial: 'x', states: { x: { invoke: { src: 'researcher', onDone: 'y' } }, y: { type: 'final' } } },
          c: { initial: 'x', states: { x: { invoke: { src: 'planner', onDone: 'y' } }, y: { type: 'final' } } },
        },
        onDone: 'end',
      },
      end: { type: 'final' },
    },
    output: ({ context }) => context.board.get('plan.tasks'),
  })
  const runtime = await createRuntime()
  const run = await runtime.start(wf)
  expect(await run.done).toEqual(['b3', 'a3'])
  const seen = []
  for await (const change of run.changes())
    seen.push([change.seq, change.kind, change.author, change.entries.map((e) => e.key).join()])
  console.log(seen, run.explain().text)
  expect((await run.at(2)).entries().length).toBeGreaterThanOrEqual(0)
})
