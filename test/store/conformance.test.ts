import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createVolatileStore } from 'callboard'
import type { Store } from 'callboard'
import { openSqlite } from 'callboard/sqlite'
import type { SqliteOptions } from 'callboard/sqlite'
import { selectStoreCases } from 'callboard/testing'
import { afterEach, describe, expect, it } from 'vitest'

const folders: string[] = []

afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true })
})

function sqliteIn(options: SqliteOptions): () => Promise<() => Promise<Store>> {
  return async () => {
    const folder = await mkdtemp(join(tmpdir(), 'callboard-'))
    folders.push(folder)
    return () => openSqlite(join(folder, 'runs.db'), options)
  }
}

const key = 'a key that nobody can guess, really'
const BACKENDS = {
  volatile: () => Promise.resolve(() => Promise.resolve(createVolatileStore())),
  'sqlite, full': sqliteIn({}),
  'sqlite, process': sqliteIn({ durability: 'process' }),
  'sqlite, encrypted and compressed': sqliteIn({ durability: 'process', key, compression: 'zstd' }),
} satisfies Record<string, () => Promise<() => Promise<Store>>>

for (const [backend, place] of Object.entries(BACKENDS)) {
  const probe = await (await place())()
  const cases = selectStoreCases(probe.traits)
  await probe.close()

  describe(backend, () => {
    for (const { storeCase, skipped } of cases) {
      it(storeCase.name, async (context) => {
        if (skipped !== undefined) context.skip(skipped.reason)
        await storeCase.run(await place())
      })
    }
  })
}

it('passes over cases only for a trait that is missing', () => {
  const all = selectStoreCases({ durable: true, shared: true, transactional: true, adopts: true })
  expect(all.filter(({ skipped }) => skipped !== undefined)).toEqual([])
  const none = selectStoreCases({ durable: false, shared: false, transactional: false })
  for (const { storeCase, skipped } of none) expect(skipped?.needs).toBe(storeCase.needs)
})
