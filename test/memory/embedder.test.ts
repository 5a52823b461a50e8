import { createMemory, createVolatileMemory, lexicalEmbedder, modelEmbedder } from 'callboard/memory'
import type { Embedder, EmbeddingModel } from 'callboard/memory'
import { describe, expect, it } from 'vitest'
import { fact, openWorld, remember } from './world.ts'

const RUN = { runId: 'run' }

function embedderOf(id: string, embed: (text: string) => readonly number[]): Embedder {
  return { id, kind: 'semantic', embed: (texts) => Promise.resolve(texts.map(embed)) }
}

describe('an embedding model of the AI SDK', () => {
  /** What the SDK's specification asks of a model, as a provider would write it. */
  const calls: string[][] = []
  const model: EmbeddingModel & Readonly<Record<string, unknown>> = {
    specificationVersion: 'v4',
    provider: 'some.embedding',
    modelId: 'small-1',
    maxEmbeddingsPerCall: 2,
    supportsParallelCalls: false,
    doEmbed: ({ values, abortSignal }) => {
      abortSignal?.throwIfAborted()
      calls.push(values)
      return Promise.resolve({ embeddings: values.map((text) => [text.length, 1]), usage: { tokens: 1 }, warnings: [] })
    },
  }

  it('is taken as it is, and asked for no more texts at once than it allows', async () => {
    const embedder = modelEmbedder(model)
    expect(embedder).toMatchObject({ id: 'some.embedding/small-1', kind: 'semantic' })
    const { memory } = await openWorld({ embedder })
    const me = memory.for(RUN)
    await remember(me, fact('one'), fact('two'), fact('a longer text'))
    expect(calls).toEqual([['one', 'two'], ['a longer text']])
    expect(await me.recall('six', { mode: 'vector', threshold: 0.9999 })).toHaveLength(2)
  })

  it('is told when nobody wants its answer any more', async () => {
    const { memory } = await openWorld({ embedder: modelEmbedder(model) })
    const me = memory.for(RUN)
    await remember(me, fact('one'))
    const controller = new AbortController()
    controller.abort(new Error('enough'))
    await expect(me.recall('one', { signal: controller.signal })).rejects.toThrow('enough')
    await expect(me.propose([fact('two')], { signal: controller.signal })).rejects.toThrow('enough')
  })
})

describe('an embedder', () => {
  it('that fails stores nothing, and says which it was', async () => {
    const down: Embedder = { id: 'down', kind: 'semantic', embed: () => Promise.reject(new Error('no connection')) }
    const { memory } = await openWorld({ embedder: down })
    const me = memory.for(RUN)
    await expect(me.propose([fact('x')], { key: 'k' })).rejects.toMatchObject({
      code: 'memory.embedder',
      cause: new Error('no connection'),
    })
    expect(await me.batchOf('k')).toBeUndefined()
  })

  it.each<[string, (texts: readonly string[]) => unknown]>([
    ['too few vectors', () => []],
    ['no list', () => undefined],
    ['what is no vector', () => ['text']],
    ['numbers that are none', () => [[Number.NaN, 1]]],
    ['infinite numbers', () => [[Number.POSITIVE_INFINITY, 1]]],
  ])('that gives %s is refused', async (_what, embed) => {
    const embedder = { id: 'odd', kind: 'semantic', embed: (texts: readonly string[]) => Promise.resolve(embed(texts)) }
    const { memory } = await openWorld({ embedder: embedder as Embedder })
    await expect(memory.for(RUN).propose([fact('x')])).rejects.toMatchObject({ code: 'memory.embedder' })
  })

  it('that changes the length of its vectors is refused', async () => {
    const embedder = embedderOf('growing', (text) => Array.from({ length: text.length }, () => 1))
    const { memory } = await openWorld({ embedder })
    const me = memory.for(RUN)
    await expect(me.propose([fact('one'), fact('three')])).rejects.toMatchObject({ code: 'memory.dimensions' })
    await expect(me.propose([fact('')])).rejects.toMatchObject({ code: 'memory.invalid-change' })
    await remember(me, fact('one'))
    await expect(me.propose([fact('four')])).rejects.toMatchObject({
      code: 'memory.dimensions',
      details: { dimensions: 4, expected: 3 },
    })
    await expect(me.recall('question')).rejects.toMatchObject({ code: 'memory.dimensions' })
  })
})

describe('a store with vectors of another embedder', () => {
  const meaning = embedderOf('meaning', (text) => [text.includes('tea') || text.includes('drink') ? 1 : 0, 1, 0])

  it('is refused, because they cannot be compared, and gets new vectors when asked', async () => {
    const store = createVolatileMemory()
    const before = await createMemory({ store })
    await remember(before.for(RUN), fact('tea'), fact('coal'))
    await expect(createMemory({ store, embedder: meaning })).rejects.toMatchObject({
      code: 'memory.embedder-changed',
      details: { stored: lexicalEmbedder.id, given: 'meaning' },
    })
    const after = await createMemory({ store, embedder: meaning, reembed: true })
    expect((await store.state()).embedder).toEqual({ id: 'meaning', dimensions: 3 })
    const hits = await after.for(RUN).recall('something to drink', { mode: 'vector', topK: 1 })
    expect(hits.map(({ item }) => item.text)).toEqual(['tea'])
    // Whoever still has the old one is told.
    await expect(before.for(RUN).recall('tea')).rejects.toMatchObject({ code: 'memory.embedder-changed' })
    await expect(before.for(RUN).propose([fact('x')])).rejects.toMatchObject({ code: 'memory.embedder-changed' })
  })

  it('commits what was proposed before, with vectors of the new one', async () => {
    const store = createVolatileMemory()
    const before = await createMemory({ store })
    await remember(before.for(RUN), fact('coal'))
    const batch = await before.for(RUN).propose([fact('tea')])
    const after = await createMemory({ store, embedder: meaning, reembed: true })
    await after.for(RUN).commit(batch.id)
    const hits = await after.for(RUN).recall('drink', { mode: 'vector', topK: 1 })
    expect(hits).toMatchObject([{ item: { text: 'tea' }, similarity: expect.closeTo(1, 6) as number }])
  })
})
