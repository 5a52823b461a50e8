// REQUIREMENTS 279, 280, 284, 287 and 290: what contexts cost, and what is left alone.
import { statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import { z } from 'zod'
import { createVolatileStore, defineContext, entry } from 'callboard'
import type { Store } from 'callboard'
import { openSqlite } from 'callboard/sqlite'
import type { SqliteOptions } from 'callboard/sqlite'
import { createWorld, idle } from '../runtime/world.ts'

const board = defineContext({ 'part.*': entry(z.string()), count: entry(z.number(), { merge: 'counter', default: 0 }) })
const workflow = idle(board)
/** Ten parts of a thousand characters, as texts are: words that come again. */
const context = (name: string): Record<`part.${number}`, string> =>
  Object.fromEntries(
    Array.from({ length: 10 }, (_, index) => [
      `part.${index}`,
      `${name} and its harbour in the evening ${index} `.repeat(25),
    ]),
  )

async function openFile(options: SqliteOptions = {}): Promise<{ readonly path: string; readonly store: Store }> {
  const folder = await mkdtemp(join(tmpdir(), 'callboard-house-'))
  const path = join(folder, 'runs.db')
  const store = await openSqlite(path, { durability: 'process', ...options })
  onTestFinished(async () => {
    await store.close()
    await rm(folder, { recursive: true })
  })
  return { path, store }
}

it('a thousand contexts of 10 KB are there at once, and each is read by its id', async () => {
  const { runtime } = await createWorld()
  const ids = Array.from({ length: 1_000 }, (_, index) => `context ${index}`)
  await Promise.all(
    ids.map(async (runId) => {
      const run = await runtime.start(workflow, { runId })
      await run.update(context(runId))
    }),
  )
  expect(runtime.activeRuns).toBe(1_000)
  for (const id of ids) expect(runtime.get(id)?.get('part.9')).toBe(context(id)['part.9'])
})

it('contexts of 10 KB take less room where the store compresses, and come back the same', async () => {
  const sizes: number[] = []
  for (const options of [{}, { compression: 'zstd' }] as const) {
    const { path, store } = await openFile(options)
    const { runtime } = await createWorld({ store, workflows: [workflow] })
    for (let index = 0; index < 20; index++) {
      const run = await runtime.start(workflow, { runId: `r${index}` })
      await run.update(context(`city ${index}`))
    }
    await runtime.close()
    const next = await createWorld({ store, workflows: [workflow] })
    expect((await next.runtime.open('r7')).get('part.3')).toBe(context('city 7')['part.3'])
    await next.runtime.close()
    await store.close()
    sizes.push(statSync(path).size)
  }
  const [plain = 0, compressed = 0] = sizes
  expect(plain).toBeGreaterThan(20 * 10_000)
  expect(compressed).toBeLessThan(plain / 2)
})

it('opening a run changes nothing of it, its last change neither', async () => {
  const { store } = await openFile()
  const first = await createWorld({ store, workflows: [workflow] })
  await first.runtime.start(workflow, { runId: 'r' })
  await first.runtime.get('r')?.update({ count: 1 })
  await first.runtime.close()
  const before = [await store.summary('r'), await store.read('r')]
  const next = await createWorld({ store, workflows: [workflow] })
  await next.clock.advance(3_600_000)
  const run = await next.runtime.open('r')
  expect(run.get('count')).toBe(1)
  expect([await store.summary('r'), await store.read('r')]).toEqual(before)
})

it('an update is appended without reading what was before, however much that is', async () => {
  const store = createVolatileStore()
  const reads: string[] = []
  const counting: Store = new Proxy(store, {
    get(target, name: keyof Store) {
      const value = target[name] as unknown
      if (name === 'read' || name === 'snapshot') reads.push(name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const { runtime } = await createWorld({ store: counting, snapshots: { everyRecords: Infinity } })
  const run = await runtime.start(workflow)
  reads.length = 0
  for (let index = 0; index < 1_000; index++) await run.update({ count: 1 })
  expect(reads).toEqual([])
  expect(await run.ledger()).toHaveLength(1_001)
  expect(reads.length).toBeGreaterThan(0)
})

it('nothing of what is stored, refused or failed is printed', async () => {
  const written: unknown[] = []
  for (const stream of [process.stdout, process.stderr]) {
    vi.spyOn(stream, 'write').mockImplementation((text) => written.push(text) > 0)
  }
  for (const name of ['log', 'info', 'warn', 'error', 'debug'] as const) {
    vi.spyOn(console, name).mockImplementation((...all) => void written.push(all))
  }
  onTestFinished(() => void vi.restoreAllMocks())
  const { runtime } = await createWorld()
  const run = await runtime.start(workflow)
  run.subscribe('count', () => {
    throw new Error('a listener that fails')
  })
  await run.update({ count: 1, ...context('secret') })
  await run.tryUpdate({ count: 'none' as never })
  await run.stop()
  expect(written).toEqual([])
})
