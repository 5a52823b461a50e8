import { MEMORY_RETENTION } from 'callboard/memory'
import { describe, expect, it } from 'vitest'
import { fact, openWorld, remember, superseding, textsOf } from './world.ts'

const DAY_MS = 86_400_000
const RUN = { runId: 'run' }

describe('retention', () => {
  it('is 365, 90 and 180 days, and 10,000, 5,000 and 2,000 items', () => {
    expect(MEMORY_RETENTION).toEqual({
      semantic: { maxAgeMs: 365 * DAY_MS, maxItems: 10_000 },
      episodic: { maxAgeMs: 90 * DAY_MS, maxItems: 5_000 },
      procedural: { maxAgeMs: 180 * DAY_MS, maxItems: 2_000 },
    })
  })

  it('ends each kind at its age: absent at once for readers, and taken out by prune', async () => {
    const { memory, clock, store } = await openWorld()
    const me = memory.for(RUN)
    const kinds = ['semantic', 'episodic', 'procedural'] as const
    await remember(me, ...kinds.map((kind) => fact(`the ${kind} one`, { kind })))
    const left = async (): Promise<readonly string[]> => (await me.list()).map(({ kind }) => kind)
    await clock.advance(90 * DAY_MS - 1)
    expect(await left()).toEqual(['semantic', 'episodic', 'procedural'])
    await clock.advance(1)
    expect(await left()).toEqual(['semantic', 'procedural'])
    expect(await textsOf(me, 'the episodic one')).not.toContain('the episodic one')
    expect(await store.list({ scopes: 'all' })).toHaveLength(3)
    expect(await memory.prune()).toEqual({ expired: 1, evicted: 0, batches: 0 })
    expect(await store.list({ scopes: 'all' })).toHaveLength(2)
    await clock.advance(90 * DAY_MS)
    expect(await left()).toEqual(['semantic'])
    await clock.advance(185 * DAY_MS)
    expect(await left()).toEqual([])
  })

  it('is what the item says where it says so', async () => {
    const { memory, clock } = await openWorld({ retention: { semantic: { maxAgeMs: 10 } } })
    const me = memory.for(RUN)
    await remember(
      me,
      fact('short'),
      fact('longer', { expiresAt: clock.now() + 20 }),
      fact('stays', { expiresAt: 'never' }),
    )
    await clock.advance(10)
    expect((await me.list()).map(({ text }) => text)).toEqual(['longer', 'stays'])
    await clock.advance(1_000 * DAY_MS)
    expect((await me.list()).map(({ text }) => text)).toEqual(['stays'])
  })

  it('keeps the most recalled, then the newest, when there are too many, after every commit', async () => {
    const { memory, clock } = await openWorld({ retention: { episodic: { maxItems: 3 } } })
    const me = memory.for(RUN)
    for (const text of ['alpha', 'beta', 'gamma', 'delta']) {
      await remember(me, fact(text, { kind: 'episodic' }), fact(`about ${text}`))
      if (text === 'alpha') await me.recall('alpha')
      await clock.advance(1)
    }
    expect((await me.list({ kinds: ['episodic'] })).map(({ text }) => text)).toEqual(['alpha', 'gamma', 'delta'])
    expect(await me.list({ kinds: ['semantic'] })).toHaveLength(4)
    expect(await textsOf(me, 'beta')).toEqual(['about beta'])
  })

  it('counts tombstones apart, so that neither pushes the other out', async () => {
    const { memory } = await openWorld({ retention: { semantic: { maxItems: 2 } } })
    const me = memory.for(RUN)
    let [id = ''] = await remember(me, fact('version 0'))
    await remember(me, fact('another'))
    for (let version = 1; version < 6; version++)
      [id = ''] = await remember(me, superseding([id], `version ${version}`))
    expect((await me.list()).map(({ text }) => text)).toEqual(['another', 'version 5'])
    expect(await me.list({ status: 'superseded' })).toHaveLength(2)
  })

  it('lets an id be used again once its item is over, with nothing left of the old one', async () => {
    const { memory, clock } = await openWorld()
    const me = memory.for(RUN)
    await remember(me, fact('a kettle of fish', { id: 'the-one', expiresAt: clock.now() + 5 }))
    await clock.advance(5)
    await remember(me, fact('a cup of tea', { id: 'the-one' }))
    expect(await me.get('the-one')).toMatchObject({ text: 'a cup of tea', version: 1 })
    expect(await me.recall('fish', { mode: 'keyword' })).toEqual([])
    expect(await me.recall('tea', { mode: 'keyword' })).toHaveLength(1)
  })

  it('forgets batches after a year: they can be neither committed nor reverted any more', async () => {
    const { memory, clock } = await openWorld()
    const me = memory.for(RUN)
    const [staged, done] = [await me.propose([fact('one')]), await me.propose([fact('two', { expiresAt: 'never' })])]
    await me.commit(done.id)
    await clock.advance(365 * DAY_MS + 1)
    expect(await memory.prune()).toMatchObject({ batches: 2 })
    await expect(me.commit(staged.id)).rejects.toMatchObject({ code: 'memory.unknown-batch' })
    await expect(me.revert(done.id)).rejects.toMatchObject({ code: 'memory.unknown-batch' })
    expect(await me.list()).toHaveLength(1)
  })

  it.each([
    [{ vague: { maxItems: 1 } }],
    [{ semantic: { maxItems: 0 } }],
    [{ semantic: { maxAgeMs: 0 } }],
    [{ semantic: { maxAgeMs: Number.NaN } }],
  ])('refuses %j', async (retention) => {
    await expect(openWorld({ retention: retention as never })).rejects.toMatchObject({ code: 'memory.option' })
  })
})
