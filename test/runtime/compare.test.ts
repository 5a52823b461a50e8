import { describe, expect, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import { defineContext, entry } from 'callboard'
import { createWorld, idle } from './world.ts'

const Measures = z.object({ lines: z.number(), ratio: z.number(), size: z.object({ max: z.number() }).optional() })
const board = defineContext({
  before: entry(Measures),
  plan: entry(z.object({ ratio: z.number(), tasks: z.array(z.string()) })),
  after: entry(Measures.extend({ name: z.string().optional() })),
  count: entry(z.number()),
})

describe('a comparison', () => {
  it('has three sections side by side, and how far every number in them has come', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board))
    await run.update({ before: { lines: 10, ratio: 0.1, size: { max: 3 } }, plan: { ratio: 0.5, tasks: ['write'] } })
    await run.update({ after: { lines: 7, ratio: 0.3, size: { max: 4 }, name: 'after' } })

    const compared = await run.compare({ before: 'before', plan: 'plan', after: 'after' })

    expect(compared).toEqual({
      before: { lines: 10, ratio: 0.1, size: { max: 3 } },
      plan: { ratio: 0.5, tasks: ['write'] },
      after: { lines: 7, ratio: 0.3, size: { max: 4 }, name: 'after' },
      deltas: [
        { path: ['lines'], before: 10, plan: undefined, after: 7, delta: -3 },
        { path: ['ratio'], before: 0.1, plan: 0.5, after: 0.3, delta: 0.2 },
        { path: ['size', 'max'], before: 3, plan: undefined, after: 4, delta: 1 },
      ],
    })
    expectTypeOf(compared.plan).toEqualTypeOf<{ ratio: number; tasks: string[] } | undefined>()
    expectTypeOf(compared.after?.name).toEqualTypeOf<string | undefined>()
  })

  it('may be of one entry at two points', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board))
    await run.update({ count: 2 })
    const point = await run.snapshot('before')
    await run.update({ count: 5 })

    const compared = await run.compare({ before: { key: 'count', at: point.id }, after: 'count' })

    expect(compared).toMatchObject({ before: 2, plan: undefined, after: 5, deltas: [{ path: [], delta: 3 }] })
    expectTypeOf(compared.before).toEqualTypeOf<number | undefined>()
    expectTypeOf(compared.plan).toEqualTypeOf<undefined>()
  })

  it('has no deltas while one of them is missing', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board))
    await run.update({ before: { lines: 10, ratio: 0.1 } })
    expect(await run.compare({ before: 'before', after: 'after' })).toMatchObject({ after: undefined, deltas: [] })
  })

  it('takes keys of the catalogue only', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board))
    // @ts-expect-error: there is no such key
    expect(await run.compare({ before: 'befor', after: 'after' })).toMatchObject({ deltas: [] })
  })
})
