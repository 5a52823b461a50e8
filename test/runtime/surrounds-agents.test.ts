// What is put around the code of agents: told whose it is, around all of it, and harmless when it fails.
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineContext, entry } from 'callboard'
import { createWorld, together } from './world.ts'

const board = defineContext({ result: entry(z.string()) })
const worker = board.agent({
  writes: ['result'],
  run: async ({ step, update }) => update({ result: await step('work', () => 'done') }),
})

describe('surroundings', () => {
  it('are around agents and each attempt of their steps, the first outermost, until they are taken away', async () => {
    const { runtime } = await createWorld()
    const told: string[] = []
    const offs = ['outer', 'inner'].map((name) =>
      runtime.surroundings.add(({ runId, agent, step }, run) => {
        told.push(`${name} ${runId} ${agent} ${step === undefined ? '' : `${step.name} ${step.attempt}`}`.trim())
        run()
      }),
    )
    await (
      await runtime.start(together(board, { worker }), { runId: 'r1' })
    ).done
    expect(told).toEqual(['outer r1 worker', 'inner r1 worker', 'outer r1 worker work 1', 'inner r1 worker work 1'])
    for (const off of offs) off()
    await (
      await runtime.start(together(board, { worker }), { runId: 'r2' })
    ).done
    expect(told.length).toBe(4)
  })

  it('that fail, do not run the code, or run it twice harm nothing, and are reported', async () => {
    const { runtime } = await createWorld()
    const failures: unknown[] = []
    runtime.on('failure', (failure) => failures.push(failure))
    runtime.surroundings.add(() => {
      throw new Error('before')
    })
    runtime.surroundings.add((_work, run) => {
      run()
      throw new Error('after')
    })
    runtime.surroundings.add(() => {})
    runtime.surroundings.add((_work, run) => {
      run()
      run()
    })
    let times = 0
    const counting = board.agent({ run: ({ step }) => step('count', () => void (times += 1)) })
    await (
      await runtime.start(together(board, { counting }))
    ).done
    expect(times).toBe(1)
    expect(failures).toEqual(
      ['before', 'after', 'before', 'after'].map((message) => ({ topic: 'surroundings', error: new Error(message) })),
    )
  })

  it('see nothing of what comes of the code: a step that throws is retried as ever', async () => {
    const { runtime, clock } = await createWorld()
    const seen: unknown[] = []
    runtime.surroundings.add((_work, run) => void seen.push(run()))
    let left = 1
    const failing = board.agent({
      run: ({ step }) =>
        step(
          'try',
          () => {
            if (left-- > 0) throw new Error('not yet')
          },
          { retries: 1, backoffMs: 10 },
        ),
    })
    const run = await runtime.start(together(board, { failing }))
    await clock.advance(100)
    await run.done
    expect(seen).toEqual([undefined, undefined, undefined])
  })
})
