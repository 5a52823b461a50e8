// One file read in two ways, with vectors held in process and with none: whatever is asked, the answer is the same.
import { join } from 'node:path'
import * as fc from 'fast-check'
import { createMemory, MEMORY_KINDS, MEMORY_TYPES, openSqliteMemory } from 'callboard/memory'
import type {
  Embedder,
  Memory,
  MemoryChange,
  MemoryFilter,
  MemoryScope,
  MemoryStore,
  RecallOptions,
} from 'callboard/memory'
import { createTestClock } from 'callboard/testing'
import type { TestClock } from 'callboard/testing'
import { expect, it } from 'vitest'
import { freshFolder } from '../store/world.ts'
import { countingIds, fact, idsOf } from './world.ts'

const READER = { runId: 'run', agent: 'ann', user: 'ada', project: 'shop' }
const SCOPES = ['global', 'project', 'user', 'agent'] as const
const HELD: readonly MemoryScope[] = [
  { kind: 'global', holder: undefined },
  { kind: 'user', holder: 'ada' },
  { kind: 'user', holder: 'nobody' },
]
const STATUSES = ['active', 'superseded', 'deprecated'] as const

/** A text says what its vector is, repeated until it is long enough: `1 0 -1` in 8 dimensions is 1 0 -1 1 0 -1 1 0. */
function sayingNumbers(dimensions: number): Embedder {
  return {
    id: `said ${dimensions}`,
    kind: 'lexical',
    embed: (texts) =>
      Promise.resolve(
        texts.map((text) => {
          const numbers = text.split(' ').map(Number)
          return Array.from({ length: dimensions }, (_, at) => numbers[at % numbers.length] ?? 0)
        }),
      ),
  }
}

/** Few are different, so that many are equally near; some differ by less than 32 bits tell apart, some are zero. */
const text = fc
  .array(
    fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom(-1, 0, 1, 2) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 9 }).map((steps) => 1 + steps * 3e-8) },
      { weight: 1, arbitrary: fc.double({ min: -1, max: 1, noNaN: true }) },
    ),
    { minLength: 1, maxLength: 3 },
  )
  .map((numbers) => numbers.join(' '))

const item = fc.record({
  text,
  times: fc.oneof(fc.constant(1), fc.constant(1), fc.integer({ min: 2, max: 60 })),
  kind: fc.constantFrom(...MEMORY_KINDS),
  type: fc.constantFrom(...MEMORY_TYPES),
  scope: fc.constantFrom(...SCOPES),
  confidence: fc.constantFrom(0, 0.5, 1),
  lifeMs: fc.option(fc.integer({ min: 1, max: 40 })),
})

const question = fc.record({
  text,
  threshold: fc.oneof(fc.constantFrom(-1, 0, 0.5, Math.SQRT1_2, 0.7, 1), fc.double({ min: -1, max: 1, noNaN: true })),
  limit: fc.constantFrom(1, 2, 5, 50, Number.POSITIVE_INFINITY),
  mode: fc.constantFrom('vector' as const, 'hybrid' as const),
  scopes: fc.option(fc.subarray([...SCOPES]), { nil: undefined }),
  kinds: fc.option(fc.subarray([...MEMORY_KINDS]), { nil: undefined }),
  types: fc.option(fc.subarray([...MEMORY_TYPES]), { nil: undefined }),
  status: fc.constantFrom(...STATUSES, 'active' as const),
  isForReaders: fc.boolean(),
})

const round = fc.record({
  items: fc.array(item, { maxLength: 6 }),
  then: fc.constantFrom('supersede', 'deprecate', 'prune', 'wait', 'reembed'),
  questions: fc.array(question, { minLength: 1, maxLength: 4 }),
})

type Question = typeof question extends fc.Arbitrary<infer One> ? One : never
type Round = typeof round extends fc.Arbitrary<infer One> ? One : never

interface World {
  readonly held: MemoryStore
  readonly notHeld: MemoryStore
  readonly clock: TestClock
}

async function change(memory: Memory, clock: TestClock, { items, then }: Round): Promise<void> {
  const me = memory.for(READER)
  const adds = items.flatMap(({ times, lifeMs, ...rest }) => {
    const expiresAt = lifeMs === null ? ('never' as const) : clock.now() + lifeMs
    return Array.from({ length: times }, (): MemoryChange => ({ op: 'add', ...rest, expiresAt }))
  })
  const [first, second] = adds.length === 0 ? [] : idsOf(await me.remember(adds))
  await clock.advance(15)
  const [one] = await me.list({ limit: 1 })
  if (then === 'supersede' && first !== undefined && items[0] !== undefined && (await me.get(first)) !== undefined) {
    const { kind, scope } = items[0]
    await me.remember([{ op: 'supersede', supersedes: [first], kind, scope, text: '1 1' }])
  }
  const target = second ?? one?.id
  if (then === 'deprecate' && target !== undefined && (await me.get(target))?.status === 'active') {
    await me.remember([{ op: 'deprecate', target }])
  }
  if (then === 'prune') await memory.prune()
}

async function compare({ held, notHeld, clock }: World, memories: readonly Memory[], asked: Question): Promise<void> {
  const { text: query, threshold, limit, mode, scopes, kinds, types, status, isForReaders } = asked
  const narrowed = { ...(kinds === undefined ? {} : { kinds }), ...(types === undefined ? {} : { types }) }
  const filter: MemoryFilter = isForReaders
    ? { scopes: HELD, now: clock.now(), statuses: [status], ...narrowed }
    : { scopes: 'all' }
  const { embedder } = await held.state()
  const [raw = []] = await sayingNumbers(embedder?.dimensions ?? 1).embed([query])
  const length = Math.hypot(...raw)
  const vector = Float32Array.from(raw, (part) => (length === 0 ? 0 : part / length))
  const expected = await held.searchVector(vector, filter, { threshold, limit })
  expect(await notHeld.searchVector(vector, filter, { threshold, limit })).toEqual(expected)
  const options: RecallOptions = {
    topK: Math.min(limit, 1_000),
    threshold,
    mode,
    status,
    ...narrowed,
    ...(scopes === undefined ? {} : { scopes }),
  }
  const [one, other] = await Promise.all(memories.map((memory) => memory.for(READER).recall(query, options)))
  // Each of the two counts its own recalls until it writes.
  const isSame = (hits: typeof one): unknown =>
    hits?.map(({ item: { accessCount: _count, accessedAt: _at, ...rest }, ...hit }) => ({ ...hit, rest }))
  expect(isSame(other)).toEqual(isSame(one))
}

async function play(rounds: readonly Round[], dimensions: number): Promise<void> {
  const path = join(freshFolder(), 'memory.db')
  const clock = createTestClock()
  const open = (vectors: 'scan' | 'sqlite-vec'): Promise<MemoryStore> =>
    openSqliteMemory(path, { durability: 'process', vectors })
  const world: World = { held: await open('scan'), notHeld: await open('sqlite-vec'), clock }
  const ids = countingIds()
  let embedder = sayingNumbers(dimensions)
  try {
    for (const each of rounds) {
      const both = [world.held, world.notHeld].map((store) =>
        createMemory({ store, embedder, clock, ids, reembed: true }),
      )
      const [memory, other] = await Promise.all(both)
      if (memory === undefined || other === undefined) throw new Error('no memory was opened')
      await change(memory, clock, each)
      for (const asked of each.questions) await compare(world, [memory, other], asked)
      if (each.then === 'reembed') embedder = sayingNumbers(embedder.id === 'said 3' ? 40 : 3)
    }
  } finally {
    await world.held.close()
    await world.notHeld.close()
  }
}

it('finds the same items in the same order and equally near, whether vectors are held in process or not', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 4 }), fc.constantFrom(1, 2, 3, 8, 67), play),
    { numRuns: 100, seed: 11 },
  )
})

it('tells apart what is nearer to one another than SQLite can tell', async () => {
  const DIMENSIONS = 512
  let seed = 5
  const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647 - 0.5
  const middle = Array.from({ length: DIMENSIONS }, random)
  const crowd: Embedder = {
    id: 'crowd',
    kind: 'lexical',
    embed: (texts) => Promise.resolve(texts.map(() => middle.map((part) => part + random() * 5e-6))),
  }
  const path = join(freshFolder(), 'memory.db')
  const held = await openSqliteMemory(path, { durability: 'process', vectors: 'scan' })
  const notHeld = await openSqliteMemory(path, { durability: 'process', vectors: 'sqlite-vec' })
  const me = (await createMemory({ store: held, embedder: crowd })).for({ runId: 'run' })
  await me.remember(Array.from({ length: 300 }, (_, number) => fact(`item ${number}`)))
  for (let asked = 0; asked < 20; asked++) {
    const raw = middle.map((part) => part + random())
    const vector = Float32Array.from(raw, (part) => part / Math.hypot(...raw))
    const options = { threshold: -1, limit: 3 }
    const expected = await held.searchVector(vector, { scopes: 'all' }, options)
    expect(expected).toHaveLength(3)
    expect(await notHeld.searchVector(vector, { scopes: 'all' }, options)).toEqual(expected)
  }
  await held.close()
  await notHeld.close()
})
