// The code of DESIGN, section 2: its types flow from the catalogue, and every mistake in it is found by the compiler.
// This file is only compiled (`npm run check`), never run.
import { expectTypeOf } from 'vitest'
import { z } from 'zod'
import { createRuntime, defineContext, entry } from 'callboard'
import type { Change, Run } from 'callboard'

const Analysis = z.object({ files: z.int(), issues: z.array(z.string()) })
const Task = z.object({ title: z.string(), minutes: z.int() })
const Evaluation = z.object({ successRate: z.number() })
const Input = z.object({ goal: z.string(), depth: z.int().default(1) })

declare function draftTasks(
  analysis: z.output<typeof Analysis>,
  practices: readonly string[] | undefined,
): Promise<z.output<typeof Task>[]>

const board = defineContext({
  'analysis.original': entry(Analysis, { priority: 'high', protected: true }),
  'research.practices': entry(z.array(z.string()), { merge: 'union' }),
  'plan.tasks': entry(z.array(Task), { dependsOn: ['analysis.original', 'research.practices'] }),
  'credentials.github': entry(z.string(), { scope: 'group', group: 'coders', sensitive: true }),
  'evaluation.result': entry(Evaluation),
})

const planner = board.agent({
  role: 'planner',
  reads: ['analysis.*', 'research.*'],
  writes: ['plan.*'],
  async run({ input, view, waitFor, update, step, on, progress, signal }) {
    expectTypeOf(input).toBeUnknown()
    expectTypeOf(signal).toEqualTypeOf<AbortSignal>()
    const analysis = await waitFor('analysis.original', { timeoutMs: 30_000 })
    expectTypeOf(analysis).toEqualTypeOf<{ files: number; issues: string[] }>()
    const tasks = await step('draft', () => draftTasks(analysis, view.get('research.practices')))
    expectTypeOf(tasks).toEqualTypeOf<{ title: string; minutes: number }[]>()
    on('analysis.*', ({ key }) => progress({ message: key }))
    await update({ 'plan.tasks': tasks })
    return { count: tasks.length }
  },
})

const researcher = board.agent({
  input: z.object({ topic: z.string() }),
  writes: ['research.*'],
  async run({ input, update }) {
    expectTypeOf(input).toEqualTypeOf<{ topic: string }>()
    await update({ 'research.practices': [input.topic] })
  },
})

const analyst = board.agent({
  input: z.object({ depth: z.int().default(3) }),
  writes: ['analysis.original', 'evaluation.*'],
  run: async ({ input, update }) => {
    expectTypeOf(input.depth).toBeNumber()
    await update({ 'analysis.original': { files: input.depth, issues: [] } })
    return 'analysed' as const
  },
})

export const evolution = board
  .workflow({ input: Input, output: z.object({ tasks: z.array(Task) }), agents: { planner, researcher, analyst } })
  .createMachine({
    id: 'evolution',
    initial: 'understanding',
    states: {
      understanding: {
        invoke: {
          src: 'analyst',
          input: ({ context }) => ({ depth: context.input.depth }),
          onDone: [
            {
              guard: ({ event }) => event.output === 'analysed',
              target: 'researching',
              actions: ({ event }) => expectTypeOf(event.output).toEqualTypeOf<'analysed'>(),
            },
            'end',
          ],
        },
      },
      researching: {
        invoke: { src: 'researcher', input: { topic: 'testing' }, onDone: 'planning' },
      },
      planning: {
        invoke: {
          src: 'planner',
          onDone: {
            target: 'judging',
            actions: board.write({ 'evaluation.result': ({ event }) => ({ successRate: event.output.count / 10 }) }),
          },
          onError: 'end',
        },
      },
      judging: {
        always: [{ guard: board.when('evaluation.result', (r) => r.successRate >= 0.7), target: 'end' }, 'researching'],
      },
      end: { type: 'final' },
    },
    output: ({ context }) => ({ tasks: context.board.get('plan.tasks') ?? [] }),
  })

export async function useIt(): Promise<void> {
  const runtime = await createRuntime()
  const run = await runtime.start(evolution, { input: { goal: 'better' } })
  expectTypeOf(await run.done).toEqualTypeOf<{ tasks: { title: string; minutes: number }[] }>()
  for await (const change of run.changes()) expectTypeOf(change).toEqualTypeOf<Change>()
  expectTypeOf(run.get('plan.tasks')).toEqualTypeOf<{ title: string; minutes: number }[] | undefined>()
  expectTypeOf(await run.waitFor('evaluation.result')).toEqualTypeOf<{ successRate: number }>()
  expectTypeOf(run.entry('analysis.original')?.value.files).toEqualTypeOf<number | undefined>()
  await run.update({ 'evaluation.result': { successRate: 1 } })

  // @ts-expect-error: the workflow needs an input
  await runtime.start(evolution)
  // @ts-expect-error: the workflow needs an input
  await runtime.start(evolution, { runId: 'r1' })
  // @ts-expect-error: an input without its goal
  await runtime.start(evolution, { input: { depth: 2 } })
  // @ts-expect-error: a goal that is not a text
  await runtime.start(evolution, { input: { goal: 7 } })
  // @ts-expect-error: no such key
  run.get('plan.task')
  // @ts-expect-error: no such key
  await run.waitFor('plan.task')
  // @ts-expect-error: no such key
  await run.update({ 'plan.task': [] })
  // @ts-expect-error: not the value of that key
  await run.update({ 'evaluation.result': { successRate: 'high' } })
  expectTypeOf(run).not.toEqualTypeOf<Run>()
}
