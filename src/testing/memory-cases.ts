// What every store of a memory promises, as a list of cases. A backend runs all of them; one is passed over only where it
// needs a trait that the backend does not declare.
import assert from 'node:assert/strict'
import { isCallboardError } from '../base/index.ts'
import type {
  MemoryBatch,
  MemoryItem,
  MemoryRetention,
  MemoryScope,
  MemoryStore,
  MemoryStoreTraits,
  MemoryWrite,
} from '../memory/index.ts'

/** One promise of the contract. */
export interface MemoryCase {
  readonly name: string
  /** The trait without which there is nothing to try. */
  readonly needs?: keyof MemoryStoreTraits
  /**
   * Rejects when the promise is broken.
   *
   * @param open opens the store of this case; every call opens the same one (a store that is not `durable` may be empty
   *   each time). The case closes what it opens.
   */
  run(open: () => Promise<MemoryStore>): Promise<void>
}

/** A case for a backend, and why it is passed over, if it is. */
export interface SelectedMemoryCase {
  readonly memoryCase: MemoryCase
  readonly skipped: { readonly needs: keyof MemoryStoreTraits; readonly reason: string } | undefined
}

/** All cases, with the reason for each that a store with these traits cannot run. */
export function selectMemoryCases(traits: MemoryStoreTraits): readonly SelectedMemoryCase[] {
  return memoryCases.map((memoryCase) => {
    const { needs } = memoryCase
    const isMissing = needs !== undefined && !traits[needs]
    return { memoryCase, skipped: isMissing ? { needs, reason: `the store does not declare "${needs}"` } : undefined }
  })
}

const NOW = Date.UTC(2026, 0, 1)
const GLOBAL: MemoryScope = { kind: 'global', holder: undefined }
const ADA: MemoryScope = { kind: 'user', holder: 'ada' }
const BOB: MemoryScope = { kind: 'user', holder: 'bob' }
const ALL = { scopes: [GLOBAL, ADA, BOB] } as const
const WRITERS = 10
const MANY = 100

/** Names that get mixed up or lost easily. */
const ODD_NAMES = [
  'ada',
  'Ada',
  'ada ',
  'a:1:b',
  'quote\'"`;--',
  'per%cent_under',
  'new\nline',
  'nul\u0000one',
  '\ud83d\ude00',
  '\u00e9',
  'e\u0301',
  '__proto__',
  '../../etc',
]

export const memoryCases: readonly MemoryCase[] = Object.freeze([
  memoryCase('knows nothing at first', async (store) => {
    assert.deepEqual(await store.state(), { revision: 0, embedder: undefined })
    assert.equal(await store.batch('batch_1'), undefined)
    assert.equal(await store.discard('batch_1'), false)
    assert.deepEqual(await store.load([keyOf(GLOBAL, 'mem_1')]), [])
    assert.deepEqual(await store.list({ scopes: 'all' }), [])
    assert.deepEqual(await store.searchWords(['word'], ALL, 5), [])
    assert.deepEqual(await store.searchVector(vectorOf(1, 0), ALL, { threshold: 0, limit: 5 }), [])
    assert.deepEqual(await prune(store), { expired: 0, evicted: 0, batches: 0 })
  }),

  memoryCase('gives back an item exactly, odd values and absent ones included', async (store) => {
    const item = itemOf('mem_odd', {
      data: JSON.parse('{"__proto__": {"a": 1}, "nested": {"list": [1, null, "two"]}}') as Record<string, unknown>,
      subject: 'subject:one',
      sources: ['https://example.org/?a=1'],
      supersedes: ['mem_before'],
      provenance: { runId: 'run', agent: undefined, batchId: 'batch_x' },
      tombstone: { at: 5, batchId: 'batch_y', reason: 'old', supersededBy: undefined },
      status: 'superseded',
      expiresAt: NOW + 0.5,
      confidence: 0.1,
    })
    const data = { ...item.data, at: new Date(0), map: new Map([[1, new Set(['a'])]]), big: 10n ** 20n, zero: -0 }
    await commit(store, [{ item: { ...item, data }, vector: vectorOf(1, 0) }])
    const [found] = await store.load([keyOf(GLOBAL, 'mem_odd')])
    assert.deepStrictEqual({ ...found }, { ...item, data })
    assert.ok(Object.isFrozen(found) && Object.isFrozen(found?.data))
  }),

  memoryCase('keeps odd names apart, in ids and in scopes', async (store) => {
    const items = ODD_NAMES.flatMap((holder) => ODD_NAMES.map((id) => itemOf(id, { scope: { kind: 'user', holder } })))
    await commit(store, withVectors(items))
    for (const item of items) assert.deepEqual(await store.load([keyOf(item.scope, item.id)]), [item])
    const adas = await store.list({ scopes: [{ kind: 'user', holder: 'ada' }] })
    assert.deepEqual(
      adas.map(({ id }) => id),
      ODD_NAMES,
    )
  }),

  memoryCase('keeps a staged batch as it was, once, and finds nothing of it', async (store) => {
    const batch = batchOf('batch_1', { vectors: [vectorOf(0.5, 0.5), undefined] })
    await store.stage(batch)
    assert.deepStrictEqual({ ...(await store.batch('batch_1')) }, { ...batch })
    await assertFails(store.stage({ ...batch, runId: 'another' }), 'memory.batch-exists')
    assert.equal((await store.batch('batch_1'))?.runId, 'run')
    assert.deepEqual(await store.searchWords(['text'], ALL, 5), [])
    assert.equal((await store.state()).revision, 0)
    assert.equal(await store.discard('batch_1'), true)
    assert.equal(await store.batch('batch_1'), undefined)
  }),

  memoryCase('applies a batch: items, vectors, batch and revision', async (store) => {
    await commit(store, withVectors([itemOf('mem_1', { text: 'bread and butter' })]), 'batch_1')
    assert.deepEqual(await store.state(), { revision: 1, embedder: { id: 'test', dimensions: 2 } })
    assert.equal((await store.batch('batch_1'))?.status, 'committed')
    const key = keyOf(GLOBAL, 'mem_1')
    assert.deepEqual(keysOf(await store.searchWords(['butter'], ALL, 5)), [key])
    assert.deepEqual(keysOf(await store.searchVector(vectorOf(1, 0), ALL, { threshold: 0.9, limit: 5 })), [key])
    assert.equal(await store.discard('batch_1'), false)
  }),

  memoryCase('writes nothing at another revision, or of a batch that is not staged', async (store) => {
    await commit(store, withVectors([itemOf('mem_1')]), 'batch_1')
    const batch = batchOf('batch_2')
    await store.stage(batch)
    const writes = withVectors([itemOf('mem_2')])
    const committed = { ...batch, status: 'committed' } as const
    await assertFails(store.apply({ expectedRevision: 0, batch: committed, writes }), 'memory.conflict')
    await assertFails(store.apply({ expectedRevision: 2, batch: committed, writes }), 'memory.conflict')
    assert.equal((await store.batch('batch_2'))?.status, 'staged')
    const never = { ...committed, id: 'batch_never' }
    await assertFails(store.apply({ expectedRevision: 1, batch: never, writes }), 'memory.conflict')
    await store.apply({ expectedRevision: 1, batch: committed, writes: [] })
    await assertFails(store.apply({ expectedRevision: 2, batch: committed, writes }), 'memory.conflict')
    assert.deepEqual(await store.load([keyOf(GLOBAL, 'mem_2')]), [])
    assert.equal((await store.state()).revision, 2)
  }),

  memoryCase('lets exactly one of several applies at one revision win', async (store) => {
    const batches = Array.from({ length: WRITERS }, (_, number) => batchOf(`batch_${number}`))
    for (const batch of batches) await store.stage(batch)
    const outcomes = await Promise.allSettled(
      batches.map((batch, number) =>
        store.apply({
          expectedRevision: 0,
          batch: { ...batch, status: 'committed' },
          writes: withVectors([itemOf(`mem_${number}`)]),
        }),
      ),
    )
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
    assert.equal((await store.list({ scopes: 'all' })).length, 1)
    assert.equal((await store.state()).revision, 1)
  }),

  memoryCase('gives an item a new life without a new vector', async (store) => {
    const item = itemOf('mem_1', { text: 'an old saying' })
    await commit(store, withVectors([item, itemOf('mem_2')]))
    const over = { ...item, status: 'deprecated', version: 2, updatedAt: NOW + 1 } as const
    await commit(store, [{ item: over }])
    assert.deepEqual(await store.load([keyOf(GLOBAL, 'mem_1')]), [over])
    const active = { ...ALL, statuses: ['active'] } as const
    const past = { ...ALL, statuses: ['deprecated'] } as const
    assert.deepEqual(await store.searchWords(['saying'], active, 5), [])
    assert.deepEqual(keysOf(await store.searchWords(['saying'], past, 5)), [keyOf(GLOBAL, 'mem_1')])
    const nearest = { threshold: 0.5, limit: 5 }
    assert.deepEqual(keysOf(await store.searchVector(vectorOf(1, 0), active, nearest)), [keyOf(GLOBAL, 'mem_2')])
    assert.deepEqual(keysOf(await store.searchVector(vectorOf(1, 0), past, nearest)), [keyOf(GLOBAL, 'mem_1')])
    assert.deepEqual(
      (await store.list({ scopes: 'all' })).map(({ id }) => id),
      ['mem_1', 'mem_2'],
    )
  }),

  memoryCase('finds by words: only matches, the best first, confidence weighs, the first of equals', async (store) => {
    const filler = Array.from({ length: MANY }, (_, number) =>
      itemOf(`mem_filler${number}`, { text: 'nothing of note' }),
    )
    await commit(
      store,
      withVectors([
        itemOf('mem_sure', { text: 'completely beside the point', confidence: 1 }),
        itemOf('mem_unsure', { text: 'rare bird', confidence: 0 }),
        itemOf('mem_both', { text: 'rare bird', confidence: 0.9 }),
        itemOf('mem_again', { text: 'rare bird', confidence: 0.9 }),
        itemOf('mem_one', { text: 'bird song', confidence: 0.9 }),
        ...filler,
      ]),
    )
    const found = await store.searchWords(['rare', 'bird'], ALL, 10)
    assert.deepEqual(
      keysOf(found),
      ['mem_both', 'mem_again', 'mem_unsure', 'mem_one'].map((id) => keyOf(GLOBAL, id)),
    )
    assert.deepEqual(await store.searchWords(['rare', 'bird'], ALL, 2), found.slice(0, 2))
    for (const { score } of found) assert.ok(Number.isFinite(score) && score > 0)
  }),

  memoryCase(
    'takes words as words, whatever they look like, in any case and with or without accents',
    async (store) => {
      await commit(
        store,
        withVectors([
          itemOf('mem_1', { text: 'Crème brûlée AND near "quotes"' }),
          itemOf('mem_2', { text: 'ÜBERALL Straße' }),
        ]),
      )
      const find = async (...words: string[]): Promise<number> => (await store.searchWords(words, ALL, 5)).length
      assert.equal(await find('creme'), 1)
      assert.equal(await find('uberall'), 1)
      assert.equal(await find('and'), 1)
      assert.equal(await find('near'), 1)
      assert.equal(await find('missing'), 0)
      assert.equal(await find('not', 'or'), 0)
    },
  ),

  memoryCase('finds by vector: from the threshold on, the nearest first, the first of equals', async (store) => {
    const at = (id: string, x: number, y: number): MemoryWrite => ({ item: itemOf(id), vector: vectorOf(x, y) })
    await commit(store, [
      at('mem_zero', 0, 0),
      at('mem_far', 0, 1),
      at('mem_exact', 3, 4),
      at('mem_near', 1, 0),
      at('mem_same', 1, 0),
      at('mem_against', -1, 0),
    ])
    const search = (threshold: number, limit = 10): ReturnType<MemoryStore['searchVector']> =>
      store.searchVector(vectorOf(1, 0), ALL, { threshold, limit })
    const ids = ['mem_near', 'mem_same', 'mem_exact'].map((id) => keyOf(GLOBAL, id))
    assert.deepEqual(keysOf(await search(0.6)), ids)
    assert.deepEqual(keysOf(await search(0.61)), ids.slice(0, 2))
    assert.deepEqual(keysOf(await search(0.6, 1)), ids.slice(0, 1))
    const all = await search(-1)
    assert.equal(all.length, 6)
    assert.equal(all.at(-1)?.key, keyOf(GLOBAL, 'mem_against'))
    for (const { score } of all) assert.ok(score >= -1 && score <= 1)
  }),

  memoryCase('finds only what a filter means, in every way of finding', async (store) => {
    await commit(
      store,
      withVectors([
        itemOf('mem_global', { subject: 'a' }),
        itemOf('mem_ada', { scope: ADA, kind: 'episodic', subject: 'b' }),
        itemOf('mem_bob', { scope: BOB, type: 'policy', expiresAt: NOW }),
        itemOf('mem_late', { scope: BOB, status: 'deprecated', expiresAt: NOW + 1 }),
      ]),
    )
    const expected: readonly (readonly [Parameters<MemoryStore['list']>[0], readonly string[]])[] = [
      [{ scopes: [] }, []],
      [{ scopes: [ADA] }, ['mem_ada']],
      [{ scopes: [{ kind: 'project', holder: 'ada' }] }, []],
      [{ scopes: [GLOBAL, BOB] }, ['mem_global', 'mem_bob', 'mem_late']],
      [{ scopes: 'all', kinds: ['episodic', 'procedural'] }, ['mem_ada']],
      [{ scopes: 'all', types: ['policy'] }, ['mem_bob']],
      [{ scopes: 'all', statuses: ['deprecated', 'superseded'] }, ['mem_late']],
      [{ scopes: 'all', now: NOW }, ['mem_global', 'mem_ada', 'mem_late']],
      [{ scopes: 'all', now: NOW + 1 }, ['mem_global', 'mem_ada']],
      [{ scopes: [BOB], kinds: ['semantic'], statuses: ['active'], now: NOW - 1 }, ['mem_bob']],
    ]
    for (const [filter, ids] of expected) {
      const listed = (await store.list(filter)).map(({ id }) => id)
      const byWords = idsOf(await store.searchWords(['text'], filter, 10))
      const byVector = idsOf(await store.searchVector(vectorOf(1, 0), filter, { threshold: 0.5, limit: 10 }))
      assert.deepEqual({ filter, listed, byWords, byVector }, { filter, listed: ids, byWords: ids, byVector: ids })
    }
    const subjects = await store.list({ scopes: [GLOBAL, BOB], subjects: ['a', 'b', 'c'] })
    assert.deepEqual(
      subjects.map(({ id }) => id),
      ['mem_global'],
    )
  }),

  memoryCase('lists in the order of arrival, page by page', async (store) => {
    const items = Array.from({ length: MANY }, (_, number) => itemOf(`mem_${(number * 37) % MANY}`))
    await commit(store, withVectors(items.slice(0, MANY / 2)))
    await commit(store, withVectors(items.slice(MANY / 2)))
    const listed: MemoryItem[] = []
    for (;;) {
      const last = listed.at(-1)
      const after = last === undefined ? {} : { after: keyOf(last.scope, last.id) }
      const page = await store.list(ALL, { limit: 7, ...after })
      if (page.length === 0) break
      listed.push(...page)
    }
    assert.deepEqual(listed, items)
  }),

  memoryCase('counts recalls at once, and apart from versions', async (store) => {
    await commit(store, withVectors([itemOf('mem_1'), itemOf('mem_2')]))
    const [one, two] = [keyOf(GLOBAL, 'mem_1'), keyOf(GLOBAL, 'mem_2')]
    await store.touch([one], NOW + 1)
    await store.touch([one, two, keyOf(GLOBAL, 'mem_none')], NOW + 2)
    const counts = (await store.load([one, two])).map(({ accessCount, accessedAt }) => [accessCount, accessedAt])
    assert.deepEqual(counts, [
      [2, NOW + 2],
      [1, NOW + 2],
    ])
    const [item] = await store.load([one])
    assert.equal(item?.version, 1)
    await commit(store, [{ item: itemOf('mem_1', { version: 2, rationale: 'changed' }) }])
    const [after] = await store.load([one])
    assert.deepEqual([after?.accessCount, after?.version, after?.rationale], [2, 2, 'changed'])
  }),

  memoryCase('takes out what is over, and of each scope and kind what is beyond its limit', async (store) => {
    const four = (scope: MemoryScope, kind: MemoryItem['kind']): readonly MemoryItem[] =>
      ['1', '2', '3', '4'].map((id) => itemOf(`mem_${kind}${id}`, { scope, kind, text: `text ${kind}` }))
    const semantic = four(ADA, 'semantic')
    await commit(
      store,
      withVectors([
        ...semantic,
        ...four(ADA, 'episodic'),
        ...four(BOB, 'semantic').slice(0, 2),
        itemOf('mem_tomb1', { scope: ADA, status: 'deprecated' }),
        itemOf('mem_tomb2', { scope: ADA, status: 'superseded' }),
        itemOf('mem_over', { scope: BOB, expiresAt: NOW, text: 'gone soon' }),
        itemOf('mem_stays', { scope: BOB, expiresAt: NOW + 1, kind: 'procedural' }),
      ]),
      'batch_items',
    )
    await store.touch([keyOf(ADA, 'mem_semantic1')], NOW)
    const newer = { ...semantic[1], updatedAt: NOW + 5, version: 2 } as MemoryItem
    await commit(store, [{ item: newer }])
    const { revision } = await store.state()
    const retention = retentionOf({ semantic: 2, episodic: 3, procedural: 1 })
    const report = await store.prune({ now: NOW, retention, batchesBefore: 0 })
    assert.deepEqual(report, { expired: 1, evicted: 3, batches: 0 })
    const left = (await store.list({ scopes: 'all' })).map(({ scope, id }) => `${scope.holder} ${id}`)
    assert.deepEqual(left, [
      'ada mem_semantic1',
      'ada mem_semantic2',
      'ada mem_episodic2',
      'ada mem_episodic3',
      'ada mem_episodic4',
      'bob mem_semantic1',
      'bob mem_semantic2',
      'ada mem_tomb1',
      'ada mem_tomb2',
      'bob mem_stays',
    ])
    assert.deepEqual(await store.searchWords(['gone'], { scopes: 'all' }, 5), [])
    const near = await store.searchVector(vectorOf(1, 0), { scopes: 'all' }, { threshold: 0.5, limit: 50 })
    assert.equal(near.length, left.length)
    assert.ok((await store.state()).revision > revision)
  }),

  memoryCase('takes out batches that are too old, whatever became of them', async (store) => {
    await store.stage(batchOf('batch_old', { proposedAt: NOW - 10 }))
    await store.stage(batchOf('batch_new', { proposedAt: NOW }))
    const options = { now: NOW, retention: retentionOf({ semantic: 9, episodic: 9, procedural: 9 }) }
    assert.deepEqual(await store.prune({ ...options, batchesBefore: NOW }), { expired: 0, evicted: 0, batches: 1 })
    assert.equal(await store.batch('batch_old'), undefined)
    assert.notEqual(await store.batch('batch_new'), undefined)
  }),

  memoryCase('takes on another embedder with all vectors at once', async (store) => {
    await commit(store, withVectors([itemOf('mem_1'), itemOf('mem_2')]))
    await store.searchVector(vectorOf(1, 0), ALL, { threshold: 0, limit: 5 })
    const vectors = new Map([[keyOf(GLOBAL, 'mem_2'), Float32Array.of(0, 0, 1)]])
    await store.setEmbedder({ id: 'other', dimensions: 3 }, vectors)
    assert.deepEqual((await store.state()).embedder, { id: 'other', dimensions: 3 })
    const found = await store.searchVector(Float32Array.of(0, 0, 1), ALL, { threshold: 0.5, limit: 5 })
    assert.deepEqual(keysOf(found), [keyOf(GLOBAL, 'mem_2')])
    assert.equal((await store.list(ALL)).length, 2)
  }),

  {
    name: 'has everything again when it is opened again',
    needs: 'durable',
    async run(open) {
      const first = await open()
      const items = [itemOf('mem_1', { text: 'bread' }), itemOf('mem_2', { scope: ADA, text: 'butter' })]
      await commit(first, withVectors(items), 'batch_1')
      await first.stage(batchOf('batch_2'))
      await first.touch([keyOf(GLOBAL, 'mem_1')], NOW)
      const before = await first.list({ scopes: 'all' })
      await first.close()
      const second = await open()
      assert.deepEqual(await second.list({ scopes: 'all' }), before)
      assert.equal(before[0]?.accessCount, 1)
      assert.equal((await second.batch('batch_1'))?.status, 'committed')
      assert.equal((await second.batch('batch_2'))?.status, 'staged')
      assert.deepEqual(await second.state(), { revision: 1, embedder: { id: 'test', dimensions: 2 } })
      assert.equal((await second.searchWords(['butter'], ALL, 5)).length, 1)
      assert.equal((await second.searchVector(vectorOf(1, 0), ALL, { threshold: 0.5, limit: 5 })).length, 2)
      await second.close()
    },
  },

  {
    name: 'sees what another one commits and takes out',
    needs: 'shared',
    async run(open) {
      const [here, there] = [await open(), await open()]
      const nearest = { threshold: 0.5, limit: 9 }
      await commit(here, withVectors([itemOf('mem_1')]))
      assert.equal((await there.searchVector(vectorOf(1, 0), ALL, nearest)).length, 1)
      await commit(there, withVectors([itemOf('mem_2', { scope: ADA, expiresAt: NOW })]))
      assert.equal((await here.searchVector(vectorOf(1, 0), ALL, nearest)).length, 2)
      assert.equal((await here.searchWords(['text'], ALL, 9)).length, 2)
      await prune(there)
      assert.equal((await here.searchVector(vectorOf(1, 0), ALL, nearest)).length, 1)
      await here.stage(batchOf('batch_late'))
      const batch = batchOf('batch_late', { status: 'committed' })
      await assertFails(there.apply({ expectedRevision: 1, batch, writes: [] }), 'memory.conflict')
      await here.close()
      await there.close()
    },
  },

  {
    name: 'can be closed twice, and is then closed for everything',
    async run(open) {
      const store = await open()
      await store.close()
      await store.close()
      await assertFails(store.state(), 'memory.closed')
      await assertFails(store.list(ALL), 'memory.closed')
      await assertFails(store.stage(batchOf('batch_1')), 'memory.closed')
      await assertFails(store.touch([], NOW), 'memory.closed')
    },
  },
])

/** A case with one store, which is closed at the end. */
function memoryCase(name: string, body: (store: MemoryStore) => Promise<void>): MemoryCase {
  return {
    name,
    async run(open) {
      const store = await open()
      try {
        await body(store)
      } finally {
        await store.close()
      }
    },
  }
}

/** The key of an item, as the contract has it. */
function keyOf({ kind, holder = '' }: MemoryScope, id: string): string {
  return `${kind}:${holder.length}:${holder}:${id}`
}

function itemOf(id: string, changes: Partial<MemoryItem> = {}): MemoryItem {
  return {
    id,
    kind: 'semantic',
    type: 'fact',
    scope: GLOBAL,
    text: 'text',
    data: {},
    subject: undefined,
    confidence: 1,
    rationale: '',
    sources: [],
    supersedes: [],
    provenance: { runId: 'run', agent: 'agent', batchId: 'batch' },
    createdAt: NOW,
    updatedAt: NOW,
    expiresAt: undefined,
    status: 'active',
    tombstone: undefined,
    version: 1,
    accessCount: 0,
    accessedAt: undefined,
    ...changes,
  }
}

function batchOf(id: string, changes: Partial<MemoryBatch> = {}): MemoryBatch {
  return {
    id,
    runId: 'run',
    agent: undefined,
    status: 'staged',
    proposedAt: NOW,
    committedAt: undefined,
    changes: [{ op: 'noop', rationale: 'looked at' }],
    fingerprint: id,
    effects: [],
    ids: [],
    reverts: undefined,
    embedder: 'test',
    vectors: [],
    ...changes,
  }
}

/** A vector of length one, or of zeros. */
function vectorOf(x: number, y: number): Float32Array {
  const length = Math.hypot(x, y)
  return length === 0 ? Float32Array.of(0, 0) : Float32Array.of(x / length, y / length)
}

/** All in one direction, so that only filters tell them apart. */
function withVectors(items: readonly MemoryItem[]): readonly MemoryWrite[] {
  return items.map((item) => ({ item, vector: vectorOf(1, 0) }))
}

let batches = 0

async function commit(
  store: MemoryStore,
  writes: readonly MemoryWrite[],
  id = `batch_sample${++batches}`,
): Promise<void> {
  const batch = batchOf(id)
  await store.stage(batch)
  const { revision } = await store.state()
  await store.apply({ expectedRevision: revision, batch: { ...batch, status: 'committed', committedAt: NOW }, writes })
}

function retentionOf(most: Readonly<Record<MemoryItem['kind'], number>>): MemoryRetention {
  const limit = (maxItems: number): MemoryRetention['semantic'] => ({ maxAgeMs: Number.POSITIVE_INFINITY, maxItems })
  return { semantic: limit(most.semantic), episodic: limit(most.episodic), procedural: limit(most.procedural) }
}

function prune(store: MemoryStore): ReturnType<MemoryStore['prune']> {
  const retention = retentionOf({ semantic: MANY, episodic: MANY, procedural: MANY })
  return store.prune({ now: NOW, retention, batchesBefore: 0 })
}

function keysOf(matches: readonly { readonly key: string }[]): readonly string[] {
  return matches.map(({ key }) => key)
}

function idsOf(matches: readonly { readonly key: string }[]): readonly string[] {
  return matches.map(({ key }) => key.slice(key.lastIndexOf(':') + 1))
}

async function assertFails(promise: Promise<unknown>, code: string): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(isCallboardError(error, code), `expected ${code}, not ${String(error)}`)
    return true
  })
}
