import { createMemory, createVolatileMemory } from 'callboard/memory'
import type { MemoryReader } from 'callboard/memory'
import { describe, expect, it } from 'vitest'
import { countingIds, fact, idsOf, openWorld, remember, superseding, textsOf } from './world.ts'
import type { World } from './world.ts'

const ADA = { runId: 'run a', agent: 'writer', user: 'ada', project: 'house' } as const
const BOB = { runId: 'run b', agent: 'cook', user: 'bob', project: 'garden' } as const

async function withSecretsOfAda(): Promise<World & { readonly ids: readonly string[] }> {
  const world = await openWorld()
  const ids = await remember(
    world.memory.for(ADA),
    fact('tea of the writer', { scope: 'agent', id: 'agent-tea' }),
    fact('tea of Ada', { scope: 'user', id: 'user-tea' }),
    fact('tea of the house', { scope: 'project', id: 'project-tea' }),
    fact('tea of everybody', { id: 'global-tea' }),
  )
  return { ...world, ids }
}

describe('a reader', () => {
  it('finds what is in its scopes, whichever way it looks', async () => {
    const { memory } = await withSecretsOfAda()
    const expected: readonly (readonly [MemoryReader, readonly string[]])[] = [
      [ADA, ['tea of everybody', 'tea of the writer', 'tea of the house', 'tea of Ada']],
      [BOB, ['tea of everybody']],
      [{ runId: 'x' }, ['tea of everybody']],
      [{ runId: 'x', user: 'ada' }, ['tea of everybody', 'tea of Ada']],
      [{ runId: 'x', agent: 'ada', user: 'house', project: 'writer' }, ['tea of everybody']],
    ]
    for (const [reader, texts] of expected) {
      const me = memory.for(reader)
      const inOrder = texts.toSorted()
      expect((await textsOf(me, 'tea')).toSorted()).toEqual(inOrder)
      expect((await me.list()).map(({ text }) => text).toSorted()).toEqual(inOrder)
      const byVector = await me.recall('tea', { mode: 'vector', threshold: -1 })
      expect(byVector.map(({ item }) => item.text).toSorted()).toEqual(inOrder)
      const insights = (await me.viewWithMemory({}, 'tea', { topK: 10 })).memoryInsights ?? []
      expect(insights.map(({ content }) => content).toSorted()).toEqual(inOrder)
    }
  })

  it('may narrow its scopes, never widen them', async () => {
    const { memory } = await withSecretsOfAda()
    const me = memory.for(BOB)
    expect(await me.recall('tea', { scopes: ['user', 'project', 'agent'] })).toEqual([])
    expect(await memory.for(ADA).recall('tea', { scopes: ['user'] })).toMatchObject([{ item: { id: 'user-tea' } }])
    expect(await memory.for({ runId: 'x' }).list({ scopes: ['user'] })).toEqual([])
  })

  it('learns nothing of an item elsewhere: it is as if there were none', async () => {
    const { memory } = await withSecretsOfAda()
    const bob = memory.for(BOB)
    for (const id of ['agent-tea', 'user-tea', 'project-tea', 'never-was']) {
      expect(await bob.get(id)).toBeUndefined()
      const refusal = { code: 'memory.unknown-item', details: { change: 0, id } }
      await expect(bob.propose([{ op: 'deprecate', target: id }])).rejects.toMatchObject(refusal)
      await expect(bob.propose([superseding([id], 'coffee')])).rejects.toMatchObject(refusal)
    }
    // An id that Ada uses in a scope of hers is free in his.
    const [id] = await remember(bob, fact('tea of Bob', { scope: 'user', id: 'user-tea', subject: 'tea' }))
    expect(id).toBe('user-tea')
    expect((await memory.for(ADA).get('user-tea'))?.text).toBe('tea of Ada')
  })

  it('is shown no near item and no subject of a scope elsewhere in a review', async () => {
    const { memory } = await openWorld()
    await remember(memory.for(ADA), fact('Ada takes no sugar in her tea', { scope: 'user', subject: 'sugar' }))
    const batch = await memory
      .for(BOB)
      .propose([fact('Ada takes no sugar in her tea', { scope: 'user', subject: 'sugar' })])
    expect(await memory.for(BOB).review(batch.id)).toMatchObject({ conflicts: [], canCommit: true })
  })

  it('writes in its own scopes only, and by the name of a kind: never in somebody else’s', async () => {
    const { memory } = await openWorld()
    const refusal = { code: 'memory.invalid-change' }
    for (const scope of ['user', 'project', 'agent'] as const) {
      await expect(memory.for({ runId: 'x' }).propose([fact('x', { scope })])).rejects.toMatchObject(refusal)
    }
    const foreign = fact('x', { scope: { kind: 'user', holder: 'ada' } as never })
    await expect(memory.for(BOB).propose([foreign])).rejects.toMatchObject(refusal)
  })

  it('writes only where it may, and neither buries nor replaces elsewhere', async () => {
    const { memory } = await withSecretsOfAda()
    const careful = memory.for({ ...ADA, writes: ['agent'] })
    const refusal = { code: 'memory.invalid-change', details: { path: 'scope' } }
    await expect(careful.propose([fact('x', { scope: 'user' })])).rejects.toMatchObject(refusal)
    await expect(careful.propose([{ op: 'deprecate', target: 'global-tea' }])).rejects.toMatchObject(refusal)
    await expect(careful.propose([superseding(['user-tea'], 'x', { scope: 'user' })])).rejects.toMatchObject(refusal)
    expect(await remember(careful, fact('x', { scope: 'agent' }))).toHaveLength(1)
    expect(await textsOf(careful, 'tea')).toHaveLength(4)
  })

  it('does not take an item away from others by superseding it in a narrower scope', async () => {
    const { memory } = await withSecretsOfAda()
    const change = superseding(['global-tea'], 'my tea', { scope: 'user' })
    await expect(memory.for(ADA).propose([change])).rejects.toMatchObject({
      code: 'memory.invalid-change',
      message: expect.stringContaining('global-tea is of scope global'),
    })
  })

  it('means the item in its narrowest scope by an id that stands in several', async () => {
    const { memory } = await openWorld()
    const ada = memory.for(ADA)
    await remember(ada, fact('everybody’s', { id: 'tea' }), fact('Ada’s', { id: 'tea', scope: 'user' }))
    expect((await ada.get('tea'))?.text).toBe('Ada’s')
    expect((await memory.for(BOB).get('tea'))?.text).toBe('everybody’s')
    await remember(ada, { op: 'deprecate', target: 'tea' })
    expect((await memory.for(BOB).get('tea'))?.status).toBe('active')
  })

  it('does not see, commit or withdraw a batch of its run that touches a scope it is not in', async () => {
    const { memory } = await openWorld()
    const ada = memory.for({ runId: 'run', user: 'ada' })
    const bob = memory.for({ runId: 'run', user: 'bob' })
    const batch = await ada.propose([fact('Ada takes no sugar', { scope: 'user' }), fact('for all')])
    await expect(bob.commit(batch.id)).rejects.toMatchObject({ code: 'memory.unknown-batch' })
    await expect(bob.review(batch.id)).rejects.toMatchObject({ code: 'memory.unknown-batch' })
    expect(await bob.discard(batch.id)).toBe(false)
    expect(idsOf(await ada.commit(batch.id))).toHaveLength(2)
  })

  it.each([
    ['no run', {}],
    ['an empty run', { runId: '' }],
    ['an empty user', { runId: 'x', user: '' }],
    ['a project that is no text', { runId: 'x', project: 5 }],
    ['an agent that is no Unicode', { runId: 'x', agent: '\ud800' }],
    ['an unknown scope to write in', { runId: 'x', writes: ['everything'] }],
  ])('with %s is refused', async (_what, reader) => {
    const { memory } = await openWorld()
    expect(() => memory.for(reader as never)).toThrow(expect.objectContaining({ code: 'memory.invalid-reader' }))
  })
})

describe('what others remember', () => {
  it('changes nothing of what a reader is answered', async () => {
    const answers = async (others: boolean): Promise<string> => {
      const { memory } = await openWorld({ ids: countingIds() })
      const ada = memory.for(ADA)
      await remember(
        ada,
        fact('Ada drinks tea', { scope: 'user', id: 'tea' }),
        fact('Ada eats cake', { scope: 'user', id: 'cake' }),
      )
      if (others) {
        const bob = memory.for(BOB)
        await remember(bob, fact('Bob drinks tea', { scope: 'user', id: 'tea', subject: 'tea' }))
        await remember(bob, ...Array.from({ length: 30 }, () => fact('tea, always tea', { scope: 'agent' })))
        await bob.recall('tea')
        await remember(bob, fact('Bob eats cake', { scope: 'project', id: 'cake' }))
      }
      const hits = await ada.recall('tea or cake')
      return JSON.stringify([hits, await ada.list(), await ada.get('tea'), await ada.viewWithMemory({}, 'tea')])
    }
    // Ids are chosen here: those that are not come from one source for all readers and say nothing, being random.
    const strip = (text: string): string => text.replaceAll(/batch_\d+/g, 'batch')
    expect(strip(await answers(true))).toBe(strip(await answers(false)))
  })

  it('does not make room for itself at the cost of others', async () => {
    const { memory } = await openWorld({ retention: { semantic: { maxItems: 3 } } })
    const ada = memory.for(ADA)
    await remember(ada, fact('first', { scope: 'user' }))
    const bob = memory.for(BOB)
    for (let count = 0; count < 10; count++) await remember(bob, fact(`number ${count}`, { scope: 'user' }))
    expect(await ada.list()).toHaveLength(1)
    expect(await bob.list()).toHaveLength(3)
  })

  it('stays apart between stores', async () => {
    const [one, two] = [createVolatileMemory(), createVolatileMemory()]
    const reader = { runId: 'run' }
    await remember((await createMemory({ store: one })).for(reader), fact('here'))
    expect(await (await createMemory({ store: two })).for(reader).list()).toEqual([])
  })
})
