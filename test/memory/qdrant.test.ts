import { randomUUID } from 'node:crypto'
import { createMemory } from 'callboard/memory'
import type { MemoryStore } from 'callboard/memory'
import { openQdrantMemory, readQdrantSettings } from 'callboard/qdrant'
import { selectMemoryCases } from 'callboard/testing'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { startQdrantServer } from './qdrant-server.ts'
import type { QdrantServer } from './qdrant-server.ts'
import { fact, remember, superseding, textsOf } from './world.ts'

const TRAITS = { durable: true, shared: false, transactional: false }
const REAL_URL = process.env['QDRANT_URL']

let server: QdrantServer
beforeAll(async () => {
  server = await startQdrantServer()
})
afterAll(() => server.close())

const freshName = (): string => `test_${randomUUID().replaceAll('-', '')}`

/** Leaves nothing behind in a server that is not ours. */
async function dropCollections(url: string, prefix: string): Promise<void> {
  const { result } = (await (await fetch(`${url}/collections`)).json()) as {
    readonly result: { readonly collections: readonly { readonly name: string }[] }
  }
  for (const { name } of result.collections) {
    if (name.startsWith(prefix)) await fetch(`${url}/collections/${name}`, { method: 'DELETE' })
  }
}

async function open(collection: string): Promise<MemoryStore> {
  const store = await openQdrantMemory({ url: server.url, collection })
  onTestFinished(() => store.close())
  return store
}

describe('over a server that speaks its REST API', () => {
  for (const { memoryCase, skipped } of selectMemoryCases(TRAITS)) {
    it(memoryCase.name, async (context) => {
      if (skipped !== undefined) context.skip(skipped.reason)
      const collection = freshName()
      await memoryCase.run(() => openQdrantMemory({ url: server.url, collection }))
    })
  }
})

describe('over a real Qdrant', () => {
  for (const { memoryCase, skipped } of selectMemoryCases(TRAITS)) {
    it(memoryCase.name, async (context) => {
      if (REAL_URL === undefined) return context.skip('QDRANT_URL is not set')
      if (skipped !== undefined) return context.skip(skipped.reason)
      const collection = freshName()
      onTestFinished(() => dropCollections(REAL_URL, collection))
      await memoryCase.run(() => openQdrantMemory({ url: REAL_URL, collection }))
    })
  }
})

describe('a memory in Qdrant', () => {
  it('declares what the cases were chosen by', async () => {
    expect((await open(freshName())).traits).toEqual(TRAITS)
  })

  it('proposes, commits, recalls and takes back like any other', async () => {
    const me = (await createMemory({ store: await open(freshName()) })).for({
      runId: 'run',
      agent: 'cook',
      user: 'ada',
    })
    const [tea = ''] = await remember(me, fact('Tea is at four'), fact('Ada takes no sugar', { scope: 'user' }))
    expect(await textsOf(me, 'when is tea')).toEqual(['Tea is at four'])
    const batch = await me.propose([superseding([tea], 'Tea is at five')])
    await me.commit(batch.id)
    expect(await textsOf(me, 'when is tea')).toEqual(['Tea is at five'])
    await me.revert(batch.id)
    expect(await textsOf(me, 'when is tea')).toEqual(['Tea is at four'])
    await me.learnFrom({ task: 'serve tea', outcome: 'success', learnedPattern: { skill: 'tea', steps: 'boil water' } })
    expect((await me.viewWithMemory({}, 'serve tea')).hasRelevantExperience).toBe(true)
  })

  it.each(['before', 'after'] as const)(
    'is whole after a connection lost %s any request of a commit, and the commit is done once',
    async (when) => {
      let isBroken = true
      let count = 0
      while (isBroken) {
        count += 1
        const collection = freshName()
        const first = (await createMemory({ store: await open(collection) })).for({ runId: 'run' })
        const [old = ''] = await remember(first, fact('Tea is at four'))
        const batch = await first.propose([superseding([old], 'Tea is at five'), fact('There is cake')])
        server.breakAt(count, when)
        const outcome = await first.commit(batch.id).then(
          ({ kind }) => kind,
          (error: { readonly code: string }) => error.code,
        )
        isBroken = server.mend()
        expect(outcome).toBe(isBroken && outcome !== 'committed' ? 'memory.unreachable' : 'committed')
        // Another process, and the one that lost the connection, see the same, which is everything or nothing.
        for (const me of [(await createMemory({ store: await open(collection) })).for({ runId: 'run' }), first]) {
          const texts = (await me.list()).map(({ text }) => text)
          expect([['Tea is at four'], ['Tea is at five', 'There is cake']]).toContainEqual(texts)
          expect(await textsOf(me, 'tea cake')).toHaveLength(texts.length)
        }
        const again = (await createMemory({ store: await open(collection) })).for({ runId: 'run' })
        expect(await again.commit(batch.id)).toMatchObject({ kind: 'committed' })
        expect((await again.list()).map(({ text }) => text)).toEqual(['Tea is at five', 'There is cake'])
        expect(await again.get(old)).toMatchObject({ status: 'superseded', version: 2 })
      }
      // It was broken at every request that a commit takes.
      expect(count).toBeGreaterThan(10)
    },
    60_000,
  )

  it('says who does not answer, who refuses, and what was asked, and gives no key away', async () => {
    const dead = await startQdrantServer()
    await dead.close()
    await expect(openQdrantMemory({ url: dead.url })).rejects.toMatchObject({
      code: 'memory.unreachable',
      message: expect.stringContaining(`${dead.url} did not answer GET /collections/agent_memories/exists`),
    })
    const store = await openQdrantMemory({ url: server.url, collection: freshName(), apiKey: 'not-a-real-key' })
    expect(server.requests.at(-1)?.apiKey).toBe('not-a-real-key')
    server.answerNext(401, '{"status":{"error":"Must provide an API key"}}')
    const refused = await store.state().catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: 'memory.backend', details: { status: 401 } })
    expect(String(refused)).toContain('Must provide an API key')
    expect(JSON.stringify(refused)).not.toContain('not-a-real-key')
    server.answerNext(200, '<html>')
    await expect(store.state()).rejects.toMatchObject({ code: 'memory.backend' })
    await store.close()
  })

  it.each([{ url: 'localhost' }, { url: 'file:///x' }, { url: 'http://localhost', collection: '../x' }])(
    'refuses %j',
    async (options) => {
      await expect(openQdrantMemory(options)).rejects.toMatchObject({ code: 'memory.option' })
    },
  )
})

describe('the environment', () => {
  it('says where Qdrant is, or that there is none', async () => {
    expect(readQdrantSettings({})).toBeUndefined()
    expect(readQdrantSettings({ QDRANT_URL: '', QDRANT_COLLECTION: 'x' })).toBeUndefined()
    expect(readQdrantSettings({ QDRANT_URL: 'http://localhost:6333' })).toEqual({ url: 'http://localhost:6333' })
    expect(() => readQdrantSettings({ QDRANT_URL: 'localhost:6333' })).toThrow(
      'QDRANT_URL: "localhost:6333" is no http',
    )
    const settings = readQdrantSettings({ QDRANT_URL: server.url, QDRANT_COLLECTION: freshName() })
    if (settings === undefined) throw new Error('it says where')
    const store = await openQdrantMemory(settings)
    onTestFinished(() => store.close())
    const memory = (await createMemory({ store })).for({ runId: 'r' })
    await remember(memory, fact('tides turn'))
    expect(await textsOf(memory, 'tides')).toEqual(['tides turn'])
  })
})
