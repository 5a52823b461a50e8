import { inspect } from 'node:util'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { MockEmbeddingModelV4 } from 'ai/test'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineContext, entry } from 'callboard'
import type { Progress } from 'callboard'
import { loadModel, modelAgent } from 'callboard/ai'
import { createMemory, modelEmbedder } from 'callboard/memory'
import { loadSdk } from '../../src/ai/sdk.ts'
import { createWorld, together } from '../runtime/world.ts'
import { openAiServer } from './openai-server.ts'

const board = defineContext({
  question: entry(z.string(), { default: 'How deep is the harbour?' }),
  answer: entry(z.object({ metres: z.number() })),
})

describe('a server that speaks OpenAI’s API', () => {
  it('is named by its address and works as an agent: tools, structured answer, streaming, usage', async () => {
    const { url, asked } = await openAiServer(
      { calls: [{ name: 'read_entries', input: { keys: ['question'] } }] },
      { text: ['{"answer":', '{"metres":12}}'] },
    )
    const model = await loadModel(`${url}#local/deep`, { apiKey: 'k-1' })
    const sounder = modelAgent(board, {
      instructions: 'Sound it.',
      reads: ['question'],
      writes: ['answer'],
      answer: ['answer'],
      model,
    })
    const { runtime } = await createWorld()
    const told: Progress[] = []
    runtime.on('progress', (progress) => told.push(progress))
    const run = await runtime.start(together(board, { sounder }))
    await run.done
    expect(run.get('answer')).toEqual({ metres: 12 })
    expect(told.map(({ message }) => message)).toEqual(['calls read_entries', '{"answer":', '{"answer":{"metres":12}}'])
    expect(asked).toHaveLength(2)
    expect(asked[0]).toMatchObject({
      path: '/v1/chat/completions',
      authorization: 'Bearer k-1',
      body: { model: 'local/deep', stream: true, tools: [{ function: { name: 'read_entries' } }, {}, {}] },
    })
    expect(JSON.stringify(asked[1]?.body['messages'])).toContain('| How deep is the harbour?')
    const finished = (await run.ledger())
      .map(({ asked }) => asked)
      .filter((line) => JSON.stringify(line).includes('"finished"'))
    expect(finished[0]).toMatchObject({ result: { inputTokens: 40, outputTokens: 2 } })
  })

  it('is asked again when it says that it is busy, at the times of the runtime’s clock, and not when it says no', async () => {
    const { url, asked } = await openAiServer({ status: 503 }, { text: ['fine'] }, { status: 401 })
    const model = await loadModel(`${url}#local`)
    const patient = modelAgent(board, { instructions: 'Go.', reads: ['question'], model })
    const { runtime, clock } = await createWorld()
    const failed = new Promise<void>((resolve) =>
      runtime.on('record', ({ record }) => (JSON.stringify(record.asked).includes('"failed"') ? resolve() : undefined)),
    )
    const run = await runtime.start(together(board, { patient }))
    await failed
    expect(asked).toHaveLength(1)
    await clock.advance(1_000)
    await run.done
    expect(asked).toHaveLength(2)
    const again = await runtime.start(together(board, { patient }))
    await expect(again.done).rejects.toMatchObject({ code: 'step.failed', details: { attempts: 1 } })
    expect(asked).toHaveLength(3)
  })

  it('gives the vectors of a memory', async () => {
    const { url, asked } = await openAiServer()
    const provider = createOpenAICompatible({ name: 'local', baseURL: url })
    const memory = await createMemory({ embedder: modelEmbedder(provider.embeddingModel('small')) })
    const me = memory.for({ runId: 'r', project: 'p' })
    const fact = { op: 'add', kind: 'semantic', scope: 'project', rationale: 'seen' } as const
    await me.remember([
      { ...fact, text: 'tea is served' },
      { ...fact, text: 'coal is stored' },
    ])
    const hits = await me.recall('more tea?', { mode: 'vector' })
    expect(hits.map(({ item }) => item.text)).toEqual(['tea is served'])
    expect(asked[0]).toMatchObject({
      path: '/v1/embeddings',
      body: { model: 'small', input: ['tea is served', 'coal is stored'] },
    })
  })
})

describe('an embedding model of the SDK', () => {
  it('is an embedder as it is', async () => {
    const model = new MockEmbeddingModelV4({
      modelId: 'mock',
      doEmbed: ({ values }) => Promise.resolve({ embeddings: values.map((text) => [text.length, 1]), warnings: [] }),
    })
    expect(await modelEmbedder(model).embed(['a', 'abc'])).toEqual([
      [1, 1],
      [3, 1],
    ])
  })
})

describe('the name of a model', () => {
  it('is that of a provider’s package and of a model, which may have slashes in it', async () => {
    expect(await loadModel('gateway/maker/model-1')).toMatchObject({ provider: 'gateway', modelId: 'maker/model-1' })
  })

  it('may be that of a package of somebody else’s, whatever its provider is called', async () => {
    const provide = Object.assign((modelId: string) => ({ modelId }), { languageModel: () => ({}) })
    const asked: string[] = []
    const load = (name: string) => {
      asked.push(name)
      return Promise.resolve({ version: '1', createOther: () => provide, other: provide })
    }
    expect(await loadModel('@maker/ai-provider/m', { load })).toEqual({ modelId: 'm' })
    expect(asked).toEqual(['@maker/ai-provider'])
  })

  it.each([
    'gpt-5',
    '',
    '/x',
    'http://127.0.0.1:1/v1',
    'http://127.0.0.1:1/v1#',
    'http://me:pass@127.0.0.1/v1#m',
    '../x/y',
  ])('is not %j', async (name) => {
    await expect(loadModel(name)).rejects.toMatchObject({ code: 'ai.model' })
  })

  it.each([
    'http://me:secret@127.0.0.1/v1#m',
    'http://me:secret@127.0.0.1/v1',
    'http://127.0.0.1/v1?key=secret#m',
    'http://127.0.0.1/v1?key=secret',
    'http://me:secret@not a host/v1#m',
    'http://127.0.0.1/v1?key=secret#%E0',
  ])('that is the address %j is refused without telling what is secret in it', async (name) => {
    const error = await loadModel(name).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'ai.model' })
    expect(inspect(error, { depth: 9 })).not.toContain('secret')
  })

  it('tells the exact line that installs a provider that is missing', async () => {
    await expect(loadModel('no-such-provider-here/m')).rejects.toMatchObject({
      code: 'ai.package-missing',
      message:
        'the package "@ai-sdk/no-such-provider-here" could not be loaded; install it with: npm i @ai-sdk/no-such-provider-here',
    })
  })

  it('with a package that provides no models is refused', async () => {
    const load = () => Promise.resolve({ anything: 5 })
    await expect(loadModel('odd/m', { load })).rejects.toMatchObject({ code: 'ai.model' })
  })
})

describe('without the AI SDK', () => {
  it('an error tells the exact line that installs it', async () => {
    await expect(loadSdk(() => Promise.reject(new Error('not found')))).rejects.toMatchObject({
      code: 'ai.package-missing',
      details: { package: 'ai', install: 'npm i ai@7' },
      message: 'the package "ai" could not be loaded; install it with: npm i ai@7',
    })
  })
})
