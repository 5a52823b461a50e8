import { lexicalEmbedder } from 'callboard/memory'
import type { Embedder } from 'callboard/memory'
import { describe, expect, it } from 'vitest'
import { fact, openWorld, remember, textsOf } from './world.ts'

/** Directions in a plane by name, in degrees: what is near what is known exactly. */
function compass(degrees: Readonly<Record<string, number>>): Embedder {
  return {
    id: 'compass',
    kind: 'semantic',
    embed: (texts) =>
      Promise.resolve(
        texts.map((text) => {
          const angle = ((degrees[text] ?? 180) * Math.PI) / 180
          return [Math.cos(angle), Math.sin(angle)]
        }),
      ),
  }
}

describe('recalling by words', () => {
  it('never finds an item that has none of them, however sure it is', async () => {
    const { memory } = await openWorld()
    const me = memory.for({ runId: 'run' })
    await remember(
      me,
      fact('The sky is blue', { confidence: 1 }),
      fact('Invoices are due in thirty days', { confidence: 0.1 }),
    )
    const hits = await me.recall('when are invoices due', { mode: 'keyword' })
    expect(hits.map(({ item }) => item.text)).toEqual(['Invoices are due in thirty days'])
  })

  it('puts the better match first, and of equal matches the surer, then the earlier one', async () => {
    const { memory } = await openWorld()
    const me = memory.for({ runId: 'run' })
    await remember(
      me,
      fact('invoices of may', { confidence: 0.5 }),
      fact('invoices of june', { confidence: 0.9 }),
      fact('invoices of july', { confidence: 0.9 }),
      fact('invoices of august, overdue', { confidence: 0.9 }),
    )
    const hits = await me.recall('overdue invoices', { mode: 'keyword' })
    expect(hits.map(({ item }) => item.text)).toEqual([
      'invoices of august, overdue',
      'invoices of june',
      'invoices of july',
      'invoices of may',
    ])
    expect(hits.map(({ coverage }) => coverage)).toEqual([1, 0.5, 0.5, 0.5])
    expect(hits.every(({ foundBy, similarity }) => foundBy.join() === 'keyword' && similarity === undefined)).toBe(true)
  })
})

describe('recalling by vector', () => {
  const embedder = compass({
    query: 0,
    same: 0,
    near: 30,
    limit: (Math.acos(0.7) * 180) / Math.PI,
    beyond: 46,
    away: 90,
  })

  it('finds what is at least 0.7 near, inclusive, at most five, the nearest first', async () => {
    const { memory } = await openWorld({ embedder })
    const me = memory.for({ runId: 'run' })
    await remember(me, ...['away', 'limit', 'beyond', 'near', 'same'].map((text) => fact(text)))
    const hits = await me.recall('query', { mode: 'vector' })
    expect(hits.map(({ item }) => item.text)).toEqual(['same', 'near', 'limit'])
    expect(hits.map(({ relevance }) => Number(relevance.toFixed(4)))).toEqual([1, 0.866, 0.7])
    expect(await me.recall('query', { mode: 'vector', threshold: 0.71 })).toHaveLength(2)
    await remember(me, ...['near', 'near', 'near', 'near'].map((text) => fact(text)))
    expect(await me.recall('query', { mode: 'vector' })).toHaveLength(5)
    expect(await me.recall('query', { mode: 'vector', topK: 2 })).toHaveLength(2)
  })

  it('says nothing that is no number for a vector of zeros, and compares lengths of one only', async () => {
    const zero: Embedder = {
      ...embedder,
      embed: (texts) => Promise.resolve(texts.map((text) => (text === 'zero' ? [0, 0] : [5, 0]))),
    }
    const { memory } = await openWorld({ embedder: zero })
    const me = memory.for({ runId: 'run' })
    await remember(me, fact('zero'), fact('long'))
    const hits = await me.recall('anything', { mode: 'vector', threshold: -1 })
    expect(hits.map(({ item, similarity }) => [item.text, similarity])).toEqual([
      ['long', 1],
      ['zero', 0],
    ])
    expect(await me.recall('zero', { mode: 'vector' })).toEqual([])
  })
})

describe('recalling by both', () => {
  it('fuses the places of the two lists, and says which one found what', async () => {
    const embedder = compass({ 'green tea': 0, 'green tea pot': 40, 'a hot drink': 10, 'tea cosy': 80, coal: 90 })
    const { memory } = await openWorld({ embedder })
    const me = memory.for({ runId: 'run' })
    await remember(me, fact('tea cosy'), fact('a hot drink'), fact('green tea pot'), fact('coal'))
    const hits = await me.recall('green tea')
    expect(hits.map(({ item, foundBy }) => [item.text, foundBy.join()])).toEqual([
      ['green tea pot', 'keyword,vector'],
      ['a hot drink', 'vector'],
      ['tea cosy', 'keyword'],
    ])
    const [first, second, third] = hits.map(({ score }) => score)
    expect(first).toBeCloseTo(1 / 61 + 1 / 62, 12)
    expect(second).toBeCloseTo(1 / 61, 12)
    expect(third).toBeCloseTo(1 / 62, 12)
  })

  it('gives the same list for the same memory and question', async () => {
    const answer = async (): Promise<unknown> => {
      const { memory } = await openWorld()
      const me = memory.for({ runId: 'run' })
      await remember(me, ...Array.from({ length: 50 }, (_, number) => fact(`tea number ${number % 7}`)))
      return me.recall('tea number 3', { topK: 20 })
    }
    expect(await answer()).toEqual(await answer())
  })

  it('counts what it finds as used, and only that', async () => {
    const { memory, clock } = await openWorld()
    const me = memory.for({ runId: 'run' })
    const [tea = '', coal = ''] = await remember(me, fact('tea'), fact('coal'))
    await clock.advance(5)
    expect(await me.recall('tea')).toMatchObject([{ item: { id: tea, accessCount: 1, accessedAt: clock.now() } }])
    await me.recall('tea')
    expect(await me.get(tea)).toMatchObject({ accessCount: 2, version: 1 })
    expect(await me.get(coal)).toMatchObject({ accessCount: 0, accessedAt: undefined })
  })

  it('takes active items of every kind unless told otherwise', async () => {
    const { memory } = await openWorld()
    const me = memory.for({ runId: 'run' })
    await remember(
      me,
      fact('tea'),
      fact('tea pot', { kind: 'procedural', type: 'policy' }),
      fact('tea cup', { kind: 'episodic' }),
    )
    expect(await me.recall('tea')).toHaveLength(3)
    expect(await me.recall('tea', { kinds: ['procedural', 'episodic'] })).toHaveLength(2)
    expect(await me.recall('tea', { types: ['policy'] })).toMatchObject([{ item: { text: 'tea pot' } }])
  })

  it('finds nothing for a question without words, and in an empty memory', async () => {
    const { memory } = await openWorld()
    const me = memory.for({ runId: 'run' })
    expect(await me.recall('tea')).toEqual([])
    await remember(me, fact('tea'))
    for (const query of ['', '  ', '?!', '" OR *']) expect(await textsOf(me, query)).toEqual([])
  })

  it.each([
    [{ topK: 0 }],
    [{ topK: -1 }],
    [{ topK: 1.5 }],
    [{ topK: 1_001 }],
    [{ threshold: Number.NaN }],
    [{ threshold: 2 }],
    [{ minCoverage: -1 }],
  ])('refuses %j', async (options) => {
    const { memory } = await openWorld()
    await expect(memory.for({ runId: 'run' }).recall('tea', options)).rejects.toMatchObject({ code: 'memory.option' })
  })
})

describe('the embedder that is there by default', () => {
  it('says that it is lexical, and gives one text one vector for ever', async () => {
    const { memory } = await openWorld()
    expect(memory.embedder.kind).toBe('lexical')
    const [one, again] = await lexicalEmbedder.embed(['Tea is served at four', 'Tea is served at four'])
    expect(one).toEqual(again)
    const nonZero = (await lexicalEmbedder.embed(['tea']))[0]?.flatMap((part, place) =>
      part === 0 ? [] : [[place, part]],
    )
    // These numbers are in stored files: whoever changes them gives the embedder another id.
    expect(nonZero).toMatchInlineSnapshot(`
      [
        [
          10,
          0.5916079783099616,
        ],
        [
          80,
          -0.5916079783099616,
        ],
        [
          82,
          -0.5916079783099616,
        ],
        [
          177,
          -1,
        ],
      ]
    `)
  })

  it('finds texts near that share words or parts of words, and unrelated ones far', async () => {
    const { memory } = await openWorld()
    const me = memory.for({ runId: 'run' })
    await remember(me, fact('Extract the prices from the web shop'), fact('Water the roses every morning'))
    const hits = await me.recall('extracting prices from web shops', { mode: 'vector', threshold: -1 })
    const [near = 0, far = 0] = hits.map(({ similarity }) => similarity)
    expect(near).toBeGreaterThan(0.6)
    expect(far).toBeLessThan(0.3)
  })
})
