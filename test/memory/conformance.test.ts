import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createVolatileMemory, openSqliteMemory } from 'callboard/memory'
import type { MemoryStore } from 'callboard/memory'
import { selectMemoryCases } from 'callboard/testing'
import { afterEach, describe, expect, it } from 'vitest'

const folders: string[] = []

afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true })
})

async function inFile(vectors: 'scan' | 'sqlite-vec'): Promise<() => Promise<MemoryStore>> {
  const folder = await mkdtemp(join(tmpdir(), 'callboard-'))
  folders.push(folder)
  return () => openSqliteMemory(join(folder, 'memory.db'), { durability: 'process', vectors })
}

const BACKENDS = {
  volatile: () => Promise.resolve(() => Promise.resolve(createVolatileMemory({ vectors: 'scan' }))),
  'volatile, with sqlite-vec': () =>
    Promise.resolve(() => Promise.resolve(createVolatileMemory({ vectors: 'sqlite-vec' }))),
  sqlite: () => inFile('scan'),
  'sqlite, with sqlite-vec': () => inFile('sqlite-vec'),
} satisfies Record<string, () => Promise<() => Promise<MemoryStore>>>

for (const [backend, place] of Object.entries(BACKENDS)) {
  const probe = await (await place())()
  const cases = selectMemoryCases(probe.traits)
  await probe.close()

  describe(backend, () => {
    for (const { memoryCase, skipped } of cases) {
      it(memoryCase.name, async (context) => {
        if (skipped !== undefined) context.skip(skipped.reason)
        await memoryCase.run(await place())
      })
    }
  })
}

it('passes over cases only for a trait that is missing', () => {
  const all = selectMemoryCases({ durable: true, shared: true, transactional: true })
  expect(all.filter(({ skipped }) => skipped !== undefined)).toEqual([])
  const none = selectMemoryCases({ durable: false, shared: false, transactional: false })
  for (const { memoryCase, skipped } of none) expect(skipped?.needs).toBe(memoryCase.needs)
})
