// What every store promises, as a list of cases. A backend runs all of them; one is passed over only where it needs a
// trait that the backend does not declare.
import assert from 'node:assert/strict'
import { isCallboardError } from '../base/index.ts'
import { sealRecords } from '../ledger/index.ts'
import type { Store, StoreTraits } from '../store/index.ts'
import { oddValue, sampleBatch, sampleRecord, sampleSnapshot, sampleSummary } from './sample-records.ts'

/** One promise of the contract. */
export interface StoreCase {
  readonly name: string
  /** The trait without which there is nothing to try. */
  readonly needs?: keyof StoreTraits
  /**
   * Rejects when the promise is broken.
   *
   * @param open opens the store of this case; every call opens the same one (a store that is not `durable` may be empty
   *   each time). The case closes what it opens.
   */
  run(open: () => Promise<Store>): Promise<void>
}

/** A case for a backend, and why it is passed over, if it is. */
export interface SelectedStoreCase {
  readonly storeCase: StoreCase
  readonly skipped: { readonly needs: keyof StoreTraits; readonly reason: string } | undefined
}

/** All cases, with the reason for each that a store with these traits cannot run. */
export function selectStoreCases(traits: StoreTraits): readonly SelectedStoreCase[] {
  return storeCases.map((storeCase) => {
    const { needs } = storeCase
    const isMissing = needs !== undefined && !traits[needs]
    return { storeCase, skipped: isMissing ? { needs, reason: `the store does not declare "${needs}"` } : undefined }
  })
}

const WRITERS = 50
const MANY_RECORDS = 10_000
const MANY_RUNS = 100

/** Ids that get mixed up or lost easily. */
const ODD_IDS = [
  'plain',
  'Plain',
  'with space ',
  'with space',
  'quote\'"`;--',
  'per%cent_under',
  'new\nline\ttab',
  'nul\u0000one',
  'nul\u0000two',
  'nul',
  '\ud83d\ude00',
  '\ud800',
  '\udfff',
  '\u00e9',
  'e\u0301',
  '__proto__',
  'constructor',
  'null',
  '0',
  '1e3',
  '\\u0000',
  '../../etc',
  'a'.repeat(2_000),
]

export const storeCases: readonly StoreCase[] = Object.freeze([
  storeCase('knows nothing of an unknown run', async (store) => {
    assert.deepEqual(await store.read('nobody'), [])
    assert.equal(await store.summary('nobody'), undefined)
    assert.deepEqual(await store.list(), [])
    assert.equal(await store.snapshot('nobody'), undefined)
    assert.deepEqual(await store.snapshots('nobody'), [])
    assert.equal(await store.dropSnapshot('nobody', 'x'), false)
    assert.equal(await store.trim('nobody', 5), 0)
    await store.noteRest('nobody', { seq: 1, until: 5 })
    assert.deepEqual(await store.rests(), new Map())
    assert.equal(await store.remove('nobody'), false)
    assert.deepEqual(await store.verify(), { runs: 0, records: 0, snapshots: 0, heads: [], damage: [] })
  }),

  storeCase('gives back what was appended, in order', async (store) => {
    const first = sampleBatch('run', 1, 3)
    const second = sampleBatch('run', 4, 5)
    await store.append([first])
    await store.append([second])
    assert.deepStrictEqual(await store.read('run'), [...first.records, ...second.records])
    assert.deepStrictEqual(await store.summary('run'), second.summary)
  }),

  storeCase('gives back odd values exactly, key order included', async (store) => {
    const batch = sampleBatch('run', 1, 1, { value: oddValue() })
    await store.append([batch])
    const [record] = await store.read('run')
    assert.deepStrictEqual(record, batch.records[0])
    const value = record?.changes[0]?.cell.entry.value as Record<string, unknown>
    assert.deepStrictEqual(Object.keys(value), Object.keys(oddValue() as object))
    assert.equal(Object.getPrototypeOf(value), Object.prototype)
    assert.equal(Object.is(value['negativeZero'], -0), true)
  }),

  storeCase('gives back every part of a record', async (store) => {
    const batch = sampleBatch('run', 1, 1, {
      entry: {
        scope: 'group',
        holder: 'coders',
        owner: 'someone',
        updatedBy: 'someone else',
        priority: 'critical',
        version: 7,
        createdAt: 1.5,
        expiresAt: 2 ** 52,
        dependsOn: ['a', 'b'],
        metadata: { created_by: 'x', more: [1n] },
        protected: true,
        sensitive: true,
        pinned: true,
        stale: true,
      },
      record: {
        kind: 'refusal',
        at: 0.1,
        asked: { anything: [undefined, -0] },
        refusals: [
          { kind: 'refused', reason: 'concurrent-change', key: undefined, author: 'a', message: 'm', actualVersion: 3 },
          { kind: 'refused', reason: 'schema', key: 'k', author: 'a', message: 'm' },
        ],
        conflicts: [
          {
            id: 'u.1',
            key: 'other',
            address: { scope: 'private', holder: 'me', key: 'other' },
            path: ['a', 0],
            policy: 'smart',
            author: 'a',
            against: 'b',
            version: 2,
            base: undefined,
            theirs: new Date(0),
            mine: null,
            result: new Map([[1n, -0]]),
          },
        ],
        machine: {
          status: 'done',
          value: { a: 'b' },
          persisted: { children: {}, nothing: undefined },
          context: { count: 1n },
          timers: [{ id: 't', event: { type: 'x' }, dueAt: 5, source: [], target: ['child'] }],
          invocations: 3,
          output: undefined,
          error: { code: 'c', message: 'm' },
        },
      },
    })
    await store.append([batch])
    assert.deepStrictEqual(await store.read('run'), batch.records)
  }),

  storeCase('keeps runs with any id apart', async (store) => {
    for (const id of ODD_IDS) await store.append([sampleBatch(id, 1, 1, { value: id.toWellFormed() })])
    for (const id of ODD_IDS) {
      assert.equal((await store.summary(id))?.runId, id)
      assert.equal((await store.read(id))[0]?.changes[0]?.cell.entry.value, id.toWellFormed())
    }
    const listed = await store.list()
    assert.deepEqual(
      listed.map(({ runId }) => runId),
      ODD_IDS,
    )
    assert.equal(await store.remove('nul\u0000one'), true)
    assert.equal((await store.read('nul\u0000two')).length, 1)
  }),

  storeCase('keeps workflow names with any characters apart', async (store) => {
    await store.append([
      sampleBatch('one', 1, 1, { summary: { workflow: 'a\u0000b', parent: { runId: '\ud800', id: '' } } }),
    ])
    await store.append([sampleBatch('two', 1, 1, { summary: { workflow: 'a' } })])
    const found = await store.list({ workflow: 'a\u0000b' })
    assert.deepEqual(found, [sampleSummary('one', 1, { workflow: 'a\u0000b', parent: { runId: '\ud800', id: '' } })])
  }),

  storeCase('refuses an append at another seq and changes nothing', async (store) => {
    await store.append([sampleBatch('run', 1, 2)])
    for (const expectedSeq of [0, 1, 3]) {
      await rejects(store.append([sampleBatch('run', expectedSeq + 1)]), 'store.conflict', {
        runId: 'run',
        expectedSeq,
        actualSeq: 2,
      })
    }
    await rejects(store.append([sampleBatch('new', 2)]), 'store.conflict')
    assert.equal((await store.read('run')).length, 2)
    assert.equal(await store.summary('new'), undefined)
    await store.append([sampleBatch('run', 3)])
  }),

  storeCase('lets exactly one of many appends at the same seq win', async (store) => {
    await store.append([sampleBatch('run', 1)])
    const results = await Promise.allSettled(
      Array.from({ length: WRITERS }, (_, writer) => store.append([sampleBatch('run', 2, 2, { value: writer })])),
    )
    const won = results.flatMap(({ status }, writer) => (status === 'fulfilled' ? [writer] : []))
    assert.equal(won.length, 1)
    for (const result of results) {
      if (result.status === 'rejected') assert.equal(isCallboardError(result.reason, 'store.conflict'), true)
    }
    const records = await store.read('run')
    assert.equal(records.length, 2)
    assert.equal(records[1]?.changes[0]?.cell.entry.value, won[0])
  }),

  storeCase('appends several batches or none', async (store) => {
    await store.append([sampleBatch('one', 1), sampleBatch('two', 1)])
    await rejects(
      store.append([sampleBatch('one', 2), sampleBatch('three', 1), sampleBatch('two', 1)]),
      'store.conflict',
    )
    assert.equal((await store.summary('one'))?.seq, 1)
    assert.equal(await store.summary('three'), undefined)
    await rejects(store.append([sampleBatch('four', 1), sampleBatch('four', 1)]), 'store.invalid-batch')
    await rejects(store.append([sampleBatch('four', 1), sampleBatch('four', 2)]), 'store.invalid-batch')
    assert.equal(await store.summary('four'), undefined)
    await store.append([sampleBatch('one', 2), sampleBatch('two', 2, 4), sampleBatch('three', 1)])
    assert.equal((await store.read('two')).length, 4)
  }),

  storeCase('lets a refused append not harm those beside it', async (store) => {
    const results = await Promise.allSettled([
      store.append([sampleBatch('one', 1)]),
      store.append([sampleBatch('two', 1), sampleBatch('one', 1)]),
      store.append([sampleBatch('three', 1)]),
      store.append([sampleBatch('one', 2)]),
    ])
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
    )
    assert.equal(await store.summary('two'), undefined)
    assert.equal((await store.read('one')).length, 2)
  }),

  storeCase('refuses a batch with gaps, of another run, or without records', async (store) => {
    const batch = sampleBatch('run', 1, 3)
    const invalid = [
      { ...batch, records: [] },
      { ...batch, records: [sampleRecord('run', 2)], summary: sampleSummary('run', 2) },
      { ...batch, records: [sampleRecord('run', 1), sampleRecord('run', 3)] },
      { ...batch, summary: sampleSummary('run', 2) },
      { ...batch, summary: sampleSummary('other', 3) },
      { ...batch, records: [sampleRecord('other', 1)], summary: sampleSummary('run', 1) },
    ]
    for (const one of invalid) await rejects(store.append([one]), 'store.invalid-batch')
    assert.deepEqual(await store.list(), [])
  }),

  storeCase('reads a part of a ledger', async (store) => {
    await store.append([sampleBatch('run', 1, 300)])
    await store.append([sampleBatch('other', 1, 300)])
    await store.append([sampleBatch('run', 301, 600)])
    const seqs = async (afterSeq: number, limit?: number): Promise<readonly number[]> =>
      (await store.read('run', limit === undefined ? { afterSeq } : { afterSeq, limit })).map(({ seq }) => seq)
    assert.deepEqual(await seqs(597), [598, 599, 600])
    assert.deepEqual(await seqs(600), [])
    assert.deepEqual(await seqs(1_000), [])
    assert.deepEqual(await seqs(0, 2), [1, 2])
    assert.deepEqual(await seqs(299, 3), [300, 301, 302])
    assert.deepEqual(await seqs(0, 0), [])
    assert.equal((await seqs(100, 1_000)).length, 500)
    assert.equal((await store.read('run', { limit: 450 })).at(-1)?.seq, 450)
  }),

  storeCase('keeps 10,000 records in order', async (store) => {
    const page = 500
    for (let seq = 1; seq <= MANY_RECORDS; seq += page) await store.append([sampleBatch('run', seq, seq + page - 1)])
    const all = await store.read('run')
    assert.equal(all.length, MANY_RECORDS)
    assert.equal(
      all.every(({ seq }, index) => seq === index + 1),
      true,
    )
    let afterSeq = 0
    for (;;) {
      const records = await store.read('run', { afterSeq, limit: 777 })
      if (records.length === 0) break
      assert.equal(records[0]?.seq, afterSeq + 1)
      afterSeq = records.at(-1)?.seq ?? 0
    }
    assert.equal(afterSeq, MANY_RECORDS)
  }),

  storeCase('keeps the ledgers of many concurrent writers apart', async (store) => {
    const rounds = 20
    await Promise.all(
      Array.from({ length: MANY_RUNS }, async (_, run) => {
        for (let seq = 1; seq <= rounds; seq++)
          await store.append([sampleBatch(`run-${run}`, seq, seq, { value: run })])
      }),
    )
    for (let run = 0; run < MANY_RUNS; run++) {
      const records = await store.read(`run-${run}`)
      assert.deepEqual(
        records.map(({ seq }) => seq),
        Array.from({ length: rounds }, (_, index) => index + 1),
      )
      assert.equal(
        records.every(({ changes }) => changes[0]?.cell.entry.value === run),
        true,
      )
    }
    const { runs, records, damage } = await store.verify()
    assert.deepEqual({ runs, records, damage }, { runs: MANY_RUNS, records: MANY_RUNS * rounds, damage: [] })
  }),

  storeCase('lists runs oldest first, by workflow and status', async (store) => {
    await store.append([sampleBatch('z', 1, 1, { summary: { workflow: 'a', createdAt: 9 } })])
    await store.append([sampleBatch('a', 1, 1, { summary: { workflow: 'b', status: 'done', createdAt: 5 } })])
    await store.append([sampleBatch('m', 1, 1, { summary: { workflow: 'a', status: 'done', createdAt: 1 } })])
    await store.append([sampleBatch('z', 2, 2, { summary: { workflow: 'a', status: 'error', createdAt: 9 } })])
    const ids = async (filter = {}): Promise<readonly string[]> => (await store.list(filter)).map(({ runId }) => runId)
    assert.deepEqual(await ids(), ['z', 'a', 'm'])
    assert.deepEqual(await ids({ workflow: 'a' }), ['z', 'm'])
    assert.deepEqual(await ids({ status: 'done' }), ['a', 'm'])
    assert.deepEqual(await ids({ workflow: 'a', status: 'error' }), ['z'])
    assert.deepEqual(await ids({ workflow: 'none' }), [])
  }),

  storeCase('keeps what a summary says of a run, parent and labels included', async (store) => {
    const parent = { runId: 'parent', id: 'child' }
    const labels = { module: 'a "b".ts', 'odd\u0000': '\ud800' }
    await store.append([sampleBatch('run', 1, 1, { summary: { parent, labels, updatedAt: 0.5 } })])
    assert.deepStrictEqual(await store.summary('run'), sampleSummary('run', 1, { parent, labels, updatedAt: 0.5 }))
    await store.append([sampleBatch('run', 2, 2, { summary: { parent, version: '2', status: 'stopped' } })])
    assert.deepStrictEqual(
      await store.summary('run'),
      sampleSummary('run', 2, { parent, version: '2', status: 'stopped' }),
    )
    assert.deepStrictEqual(await store.list(), [await store.summary('run')])
  }),

  storeCase('is not changed by what the caller does afterwards', async (store) => {
    const batch = sampleBatch('run', 1, 2)
    const appended = store.append([batch])
    ;(batch.records as unknown[]).length = 0
    await appended
    assert.equal((await store.read('run')).length, 2)
  }),

  storeCase('gives the newest snapshot at or before a seq', async (store) => {
    await store.append([sampleBatch('run', 1, 20)])
    const early = sampleSnapshot('run', 5)
    const late = sampleSnapshot('run', 15)
    const again = sampleSnapshot('run', 15, 'again')
    for (const snapshot of [late, early, again]) await store.putSnapshot(snapshot)
    assert.deepStrictEqual(await store.snapshot('run'), again)
    assert.deepStrictEqual(await store.snapshot('run', { atSeq: 15 }), again)
    assert.deepStrictEqual(await store.snapshot('run', { atSeq: 14 }), early)
    assert.equal(await store.snapshot('run', { atSeq: 4 }), undefined)
    assert.deepStrictEqual(
      await store.snapshots('run'),
      [early, late, again].map(({ state: _state, ...info }) => info),
    )
  }),

  storeCase('keeps the state and metadata of a snapshot exactly', async (store) => {
    await store.append([sampleBatch('run', 1)])
    const metadata = oddValue() as Record<string, unknown>
    const snapshot = { ...sampleSnapshot('run', 1, 'id "\u0000\n', oddValue()), metadata, reason: 'because\u0000' }
    await store.putSnapshot(snapshot)
    assert.deepStrictEqual(await store.snapshot('run'), snapshot)
  }),

  storeCase('refuses a snapshot that cannot be', async (store) => {
    await rejects(store.putSnapshot(sampleSnapshot('run', 1)), 'store.unknown-run')
    await store.append([sampleBatch('run', 1, 2)])
    await rejects(store.putSnapshot(sampleSnapshot('run', 3)), 'store.snapshot-ahead')
    await store.putSnapshot(sampleSnapshot('run', 1, 'same'))
    await rejects(store.putSnapshot(sampleSnapshot('run', 2, 'same')), 'store.snapshot-exists')
    assert.equal((await store.snapshots('run')).length, 1)
  }),

  storeCase('forgets a snapshot', async (store) => {
    await store.append([sampleBatch('run', 1, 2)])
    await store.putSnapshot(sampleSnapshot('run', 1))
    await store.putSnapshot(sampleSnapshot('run', 2))
    assert.equal(await store.dropSnapshot('run', 'at-2'), true)
    assert.equal(await store.dropSnapshot('run', 'at-2'), false)
    assert.equal((await store.snapshot('run'))?.id, 'at-1')
    assert.deepEqual((await store.verify()).damage, [])
  }),

  storeCase('trims what a snapshot stands in for, and goes on', async (store) => {
    await store.append([sampleBatch('run', 1, 300)])
    await store.append([sampleBatch('beside', 1, 300)])
    await rejects(store.trim('run', 10), 'store.uncovered')
    await store.putSnapshot(sampleSnapshot('run', 200))
    await rejects(store.trim('run', 202), 'store.uncovered')
    assert.equal(await store.trim('run', 101), 100)
    assert.equal(await store.trim('run', 101), 0)
    assert.equal(await store.trim('run', 201), 100)
    await rejects(store.read('run'), 'store.trimmed', { firstSeq: 201 })
    await rejects(store.read('run', { afterSeq: 199 }), 'store.trimmed')
    assert.equal((await store.read('run', { afterSeq: 200 })).length, 100)
    await store.append([sampleBatch('run', 301, 310)])
    assert.equal((await store.read('run', { afterSeq: 290 })).length, 20)
    assert.equal((await store.read('beside')).length, 300)
    await rejects(store.dropSnapshot('run', 'at-200'), 'store.uncovered')
    const { records, damage } = await store.verify()
    assert.deepEqual({ records, damage }, { records: 410, damage: [] })
  }),

  storeCase('goes on after a whole ledger was trimmed', async (store) => {
    await store.append([sampleBatch('run', 1, 10)])
    await store.putSnapshot(sampleSnapshot('run', 10))
    assert.equal(await store.trim('run', 11), 10)
    assert.deepEqual(await store.read('run', { afterSeq: 10 }), [])
    await store.append([sampleBatch('run', 11, 12)])
    assert.deepEqual(
      (await store.read('run', { afterSeq: 10 })).map(({ seq }) => seq),
      [11, 12],
    )
    assert.deepEqual((await store.verify('run')).damage, [])
  }),

  {
    name: 'takes a ledger whose beginning was trimmed elsewhere, whole or not at all',
    needs: 'adopts',
    run: (open) =>
      using(open, async (store) => {
        const batch = {
          ...sampleBatch('run', 101, 110),
          snapshots: [sampleSnapshot('run', 40), sampleSnapshot('run', 100)],
        }
        await rejects(store.append([{ ...batch, snapshots: [sampleSnapshot('run', 40)] }]), 'store.invalid-batch')
        await rejects(store.append([{ ...batch, snapshots: [sampleSnapshot('other', 100)] }]), 'store.invalid-batch')
        await rejects(store.append([batch, sampleBatch('beside', 5, 6)]), 'store.conflict')
        assert.deepEqual(await store.list(), [])
        await store.append([batch, sampleBatch('beside', 1, 3)])
        await rejects(store.append([batch]), 'store.conflict')
        await rejects(store.read('run'), 'store.trimmed', { firstSeq: 101 })
        assert.equal((await store.read('run', { afterSeq: 100 })).length, 10)
        assert.deepEqual((await store.snapshot('run', { atSeq: 99 }))?.state, { seq: 40 })
        assert.deepEqual(
          (await store.snapshots('run')).map(({ id }) => id),
          ['at-40', 'at-100'],
        )
        await rejects(store.dropSnapshot('run', 'at-100'), 'store.uncovered')
        await store.append([sampleBatch('run', 111, 112)])
        await store.putSnapshot(sampleSnapshot('run', 111))
        assert.equal(await store.trim('run', 111), 10)
        const { records, damage } = await store.verify()
        assert.deepEqual({ records, damage }, { records: 5, damage: [] })
        assert.equal(await store.remove('run'), true)
        assert.deepEqual((await store.verify()).damage, [])
      }),
  },

  storeCase('remembers which runs rest and until when, until they go on, end, or are removed', async (store) => {
    const names = ['a while', 'for ever', 'goes on', 'behind', 'ended', 'removed']
    for (const name of names) await store.append([sampleBatch(name, 1, 2)])
    for (const name of names) await store.noteRest(name, { seq: name === 'behind' ? 1 : 2, until: 12.5 })
    await store.noteRest('for ever', { seq: 2, until: Number.POSITIVE_INFINITY })
    await store.append([sampleBatch('goes on', 3)])
    await store.append([sampleBatch('ended', 3, 3, { summary: { status: 'done' } })])
    await store.noteRest('ended', { seq: 3, until: 1 })
    await store.remove('removed')
    const expected = new Map([
      ['a while', 12.5],
      ['for ever', Number.POSITIVE_INFINITY],
    ])
    assert.deepEqual(await store.rests(), expected)
    await store.append([sampleBatch('removed', 1, 2)])
    assert.deepEqual(await store.rests(), expected)
    assert.deepEqual((await store.verify()).damage, [])
  }),

  storeCase('removes a run only when it has ended, where that is asked for', async (store) => {
    await store.append([sampleBatch('goes on', 1, 3), sampleBatch('over', 1, 2)])
    const last = sampleBatch('over', 3)
    await store.append([{ ...last, summary: { ...last.summary, status: 'done' } }])
    assert.equal(await store.remove('nobody', { ended: true }), false)
    assert.equal(await store.remove('goes on', { ended: true }), false)
    assert.equal((await store.read('goes on')).length, 3)
    assert.equal(await store.remove('over', { ended: true }), true)
    assert.equal(await store.summary('over'), undefined)
  }),

  storeCase('removes a run, whose id may be used again', async (store) => {
    await store.append([sampleBatch('run', 1, 300), sampleBatch('other', 1, 3)])
    await store.putSnapshot(sampleSnapshot('run', 2))
    assert.equal(await store.remove('run'), true)
    assert.equal(await store.remove('run'), false)
    assert.deepEqual(await store.read('run'), [])
    assert.equal(await store.snapshot('run'), undefined)
    await rejects(store.append([sampleBatch('run', 301)]), 'store.conflict')
    await store.append([sampleBatch('run', 1, 1, { value: 'new' })])
    assert.equal((await store.read('run')).length, 1)
    assert.deepEqual(await store.snapshots('run'), [])
    assert.deepEqual(
      (await store.list()).map(({ runId }) => runId),
      ['other', 'run'],
    )
    const { runs, records, damage } = await store.verify()
    assert.deepEqual({ runs, records, damage }, { runs: 2, records: 4, damage: [] })
  }),

  storeCase('verifies one run or all, and names where each chain ends', async (store) => {
    const batch = sampleBatch('run', 1, 5)
    await store.append([batch])
    await store.append([sampleBatch('other', 1)])
    const { runs, records, heads } = await store.verify('run')
    assert.deepEqual({ runs, records, heads: heads.length }, { runs: 1, records: 5, heads: 1 })
    assert.equal(heads[0]?.seq, 5)
    if (heads[0]?.hash !== sealRecords(batch.records).at(-1)?.hash) {
      // With a key of its own, the store's chain is another.
      assert.match(heads[0]?.hash ?? '', /^[\w-]{43}$/)
    }
    assert.equal((await store.verify()).runs, 2)
    assert.equal((await store.verify('nobody')).runs, 0)
  }),

  storeCase('keeps a large and a deep value', async (store) => {
    let deep: unknown = 'bottom'
    for (let level = 0; level < 63; level++) deep = level % 2 === 0 ? [deep] : { deep }
    await store.append([sampleBatch('run', 1, 1, { value: deep })])
    await store.append([sampleBatch('run', 2, 2, { value: 'x'.repeat(5_000_000) })])
    const records = await store.read('run')
    assert.deepStrictEqual(records[0]?.changes[0]?.cell.entry.value, deep)
    assert.equal(String(records[1]?.changes[0]?.cell.entry.value).length, 5_000_000)
  }),

  storeCase('finishes what is under way before it closes, and refuses everything afterwards', async (store) => {
    const underWay = store.append([sampleBatch('run', 1)])
    await store.close()
    await underWay
    await store.close()
    const calls = [
      store.append([sampleBatch('run', 2)]),
      store.read('run'),
      store.summary('run'),
      store.list(),
      store.putSnapshot(sampleSnapshot('run', 1)),
      store.snapshot('run'),
      store.snapshots('run'),
      store.dropSnapshot('run', 'x'),
      store.trim('run', 1),
      store.noteRest('run', { seq: 1, until: 5 }),
      store.rests(),
      store.remove('run'),
      store.verify(),
    ]
    for (const call of calls) await rejects(call, 'store.closed')
  }),

  {
    name: 'has everything after it was opened again',
    needs: 'durable',
    async run(open) {
      const batch = sampleBatch('run', 1, 200, { value: oddValue() })
      const snapshot = sampleSnapshot('run', 100, 'kept', oddValue())
      await using(open, async (store) => {
        await store.append([batch])
        await store.putSnapshot(snapshot)
        await store.trim('run', 51)
        await store.noteRest('run', { seq: 200, until: 7 })
      })
      await using(open, async (store) => {
        assert.deepStrictEqual(await store.read('run', { afterSeq: 50 }), batch.records.slice(50))
        assert.deepStrictEqual(await store.summary('run'), batch.summary)
        assert.deepStrictEqual(await store.snapshot('run'), snapshot)
        await rejects(store.read('run'), 'store.trimmed')
        assert.deepEqual(await store.rests(), new Map([['run', 7]]))
        await store.append([sampleBatch('run', 201)])
        assert.deepEqual(await store.rests(), new Map())
        assert.deepEqual((await store.verify()).damage, [])
      })
    },
  },

  {
    name: 'does not keep values of ephemeral entries',
    needs: 'durable',
    async run(open) {
      const secret = 'only-for-now'
      const record = sampleRecord('run', 1, {
        value: secret,
        entry: { ephemeral: true, version: 3 },
        record: { asked: {} },
      })
      await using(open, (store) => store.append([{ ...sampleBatch('run', 1), records: [record] }]))
      await using(open, async (store) => {
        const [found] = await store.read('run')
        const cell = found?.changes[0]?.cell
        assert.deepEqual([cell?.live, cell?.entry.value, cell?.entry.version], [false, undefined, 3])
        assert.equal(JSON.stringify(found).includes(secret), false)
      })
    },
  },

  {
    name: 'refuses a record that is not plain data and stores nothing of its append',
    needs: 'durable',
    async run(open) {
      await using(open, async (store) => {
        const cycle: Record<string, unknown> = {}
        cycle['self'] = cycle
        const bad = { ...sampleBatch('two', 1), records: [sampleRecord('two', 1, { record: { asked: cycle } })] }
        await rejects(store.append([sampleBatch('one', 1), bad]), 'ledger.not-encodable')
        assert.deepEqual(await store.list(), [])
      })
    },
  },

  {
    name: 'shows each of two open stores what the other wrote',
    needs: 'shared',
    async run(open) {
      await using(open, async (one) => {
        await using(open, async (other) => {
          await one.append([sampleBatch('run', 1)])
          assert.equal((await other.summary('run'))?.seq, 1)
          await other.append([sampleBatch('run', 2)])
          await rejects(one.append([sampleBatch('run', 2)]), 'store.conflict', { actualSeq: 2 })
          await one.append([sampleBatch('run', 3)])
          await other.putSnapshot(sampleSnapshot('run', 3))
          assert.equal((await one.snapshot('run'))?.seq, 3)
          assert.equal(await one.remove('run'), true)
          await rejects(other.append([sampleBatch('run', 4)]), 'store.conflict')
          await other.append([sampleBatch('run', 1, 1, { value: 'anew' })])
          assert.equal((await one.read('run'))[0]?.changes[0]?.cell.entry.value, 'anew')
          await rejects(one.append([sampleBatch('run', 1)]), 'store.conflict')
          assert.deepEqual((await one.verify()).damage, [])
        })
      })
    },
  },

  {
    name: 'lets one of several open stores win each seq',
    needs: 'shared',
    async run(open) {
      const stores = await Promise.all(Array.from({ length: 4 }, open))
      try {
        for (let seq = 1; seq <= 20; seq++) {
          const results = await Promise.allSettled(stores.map((store) => store.append([sampleBatch('run', seq)])))
          assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
          for (const result of results) {
            if (result.status === 'rejected') assert.equal(isCallboardError(result.reason, 'store.conflict'), true)
          }
        }
        for (const store of stores) assert.equal((await store.read('run')).length, 20)
      } finally {
        for (const store of stores) await store.close()
      }
    },
  },
] satisfies StoreCase[])

/** A case for one open store. */
function storeCase(name: string, run: (store: Store) => Promise<void>): StoreCase {
  return { name, run: (open) => using(open, run) }
}

async function using(open: () => Promise<Store>, work: (store: Store) => Promise<void>): Promise<void> {
  const store = await open()
  try {
    await work(store)
  } finally {
    await store.close()
  }
}

async function rejects(
  call: Promise<unknown>,
  code: string,
  details: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  let failure: unknown
  try {
    await call
  } catch (error) {
    failure = error
  }
  assert.equal(isCallboardError(failure, code), true, `expected ${code}, got ${String(failure ?? 'no error')}`)
  const found = (failure as { readonly details: Readonly<Record<string, unknown>> }).details
  for (const [name, value] of Object.entries(details)) assert.deepEqual(found[name], value)
}
