// One run, and more than one process that works on it: two runtimes on one store and one clock.
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createVolatileStore, defineContext, entry } from 'callboard'
import { createTestClock } from '../support/clock.ts'
import { createWorld, idle, refusalOf } from './world.ts'

const board = defineContext({ note: entry(z.string(), { outside: true }), result: entry(z.string()) })

/** Two runtimes as two processes have them, and a workflow of so many steps of half a second. */
async function createTwo(steps: number) {
  const clock = createTestClock()
  const attempts: number[] = []
  const works = board.agent({
    writes: ['result'],
    run: async ({ step, update, signal }) => {
      for (let index = 0; index < steps; index++) {
        await step(`work ${index}`, () => {
          attempts.push(index)
          return new Promise<void>((resolve) => clock.setTimeout(resolve, 500))
        })
        signal.throwIfAborted()
        await update({ result: `${index + 1} of ${steps}` })
      }
    },
  })
  const workflow = board.workflow({ name: 'work', agents: { works } }).createMachine({
    initial: 'on',
    states: { on: { invoke: { src: 'works', onDone: 'end' } }, end: { type: 'final' } },
    output: ({ context }) => context.board.get('result'),
  })
  const options = { store: createVolatileStore(), clock, workflows: [workflow], random: () => 0.5 }
  const [one, two] = [await createWorld(options), await createWorld(options)]
  const failures: unknown[] = []
  one.runtime.on('failure', ({ topic, error }) => failures.push([topic, (error as { readonly code: string }).code]))
  return { one: one.runtime, two: two.runtime, clock, workflow, attempts, failures }
}

describe('a run that two processes work on', () => {
  it('is left to one of them: the other gives way, then gives it up and says so', async () => {
    const { one, two, clock, workflow, attempts, failures } = await createTwo(60)
    const run = await one.start(workflow, { runId: 'r' })
    await clock.advance(700)
    const { runs } = await two.recover()
    await clock.advance(11_000)
    expect(run.status).toBe('active')
    expect(failures).toEqual([])
    await clock.advance(1_000)
    expect((await refusalOf(run.done)).code).toBe('run.overtaken')
    expect(failures).toEqual([['rest', 'run.overtaken']])
    await clock.advance(30_000)
    expect(await runs[0]?.done).toBe('60 of 60')
    // Only what was under way was begun a second time.
    expect(attempts).toHaveLength(61)
    expect((await refusalOf(run.update({ note: 'too late' }))).code).toBe('run.finished')
    expect(await (await one.open('r')).done).toBe('60 of 60')
  })

  it('is known to have ended by the one that gave way', async () => {
    const { one, two, clock, workflow, attempts } = await createTwo(4)
    const run = await one.start(workflow, { runId: 'r' })
    await clock.advance(700)
    await two.recover()
    await clock.advance(10_000)
    expect(await run.done).toBe('4 of 4')
    expect(attempts).toHaveLength(5)
  })

  it('goes on after a pause when the other has only written once; whoever asks for it meanwhile waits', async () => {
    const { one, two, clock, workflow, attempts } = await createTwo(4)
    const run = await one.start(workflow, { runId: 'r' })
    await clock.advance(200)
    await (await two.open('r')).update({ note: 'from there' })
    await two.close({ runs: 'keep' })
    await clock.advance(500)
    const noted = run.update({ note: 'from here' })
    await clock.advance(500)
    expect(run.get('note')).toBeUndefined()
    await clock.advance(100)
    await noted
    expect(run.get('note')).toBe('from here')
    await clock.advance(10_000)
    expect(await run.done).toBe('4 of 4')
    // Once here, once there, and here again.
    expect(attempts).toEqual([0, 0, 0, 1, 2, 3])
  })

  it('is left where it is when the runtime is closed meanwhile', async () => {
    const { one, two, clock, workflow } = await createTwo(60)
    const run = await one.start(workflow, { runId: 'r' })
    await clock.advance(700)
    await two.recover()
    await clock.advance(1_000)
    await one.close({ runs: 'keep' })
    expect((await refusalOf(run.done)).code).toBe('run.left')
  })
})

it('a run without agents may be written to by several processes in turn, without a pause', async () => {
  const workflow = idle(board)
  const options = { store: createVolatileStore(), workflows: [workflow] }
  const [one, two] = [await createWorld(options), await createWorld(options)]
  const here = await one.runtime.start(workflow, { runId: 'r' })
  const there = (await two.runtime.open('r')) as typeof here
  for (let round = 0; round < 10; round++) {
    for (const run of [here, there]) {
      await run.update({ note: `${round}` }).catch(() => run.update({ note: `${round} again` }))
      expect(run.get('note')).toMatch(`${round}`)
    }
  }
})
