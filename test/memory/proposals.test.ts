import { createMemory, createVolatileMemory } from 'callboard/memory'
import type { MemoryChange } from 'callboard/memory'
import { describe, expect, it } from 'vitest'
import { fact, idsOf, openWorld, remember, superseding, textsOf } from './world.ts'

describe('a proposal', () => {
  it('is found by no search before it is committed, and by all of them after', async () => {
    const { memory } = await openWorld()
    const me = memory.for({ runId: 'run', agent: 'writer' })
    const batch = await me.propose([fact('Tea is served at four')])
    expect(batch).toMatchObject({ status: 'staged', runId: 'run', agent: 'writer', ids: [] })
    expect(await textsOf(me, 'tea at four')).toEqual([])
    expect(await me.list()).toEqual([])
    const result = await me.commit(batch.id)
    expect(result).toEqual({ kind: 'committed', batchId: batch.id, ids: ['mem_0002'], repeated: false })
    expect(await textsOf(me, 'tea at four')).toEqual(['Tea is served at four'])
  })

  it('becomes an item with everything that was said of it, and where it comes from', async () => {
    const { memory, clock } = await openWorld()
    const me = memory.for({ runId: 'run', agent: 'writer', project: 'house' })
    const change = {
      op: 'add',
      id: 'house-tea',
      kind: 'semantic',
      type: 'decision',
      scope: 'project',
      text: 'Tea is served at four',
      data: { at: new Date(0), cups: new Map([['ada', 2]]) },
      subject: 'tea time',
      confidence: 0.75,
      rationale: 'asked the cook',
      sources: ['https://example.org/kitchen'],
      expiresAt: clock.now() + 5,
    } as const satisfies MemoryChange
    const batch = await me.propose([change])
    await clock.advance(3)
    await me.commit(batch.id)
    const { op: _op, scope: _scope, id, ...content } = change
    expect(await me.get(id)).toEqual({
      ...content,
      id,
      scope: { kind: 'project', holder: 'house' },
      supersedes: [],
      provenance: { runId: 'run', agent: 'writer', batchId: batch.id },
      createdAt: clock.now(),
      updatedAt: clock.now(),
      status: 'active',
      tombstone: undefined,
      version: 1,
      accessCount: 0,
      accessedAt: undefined,
    })
  })

  it('shares nothing with the caller', async () => {
    const { memory } = await openWorld()
    const me = memory.for({ runId: 'run' })
    const data = { list: [1] }
    const batch = await me.propose([fact('a list of numbers', { data })])
    data.list.push(2)
    const [id = ''] = idsOf(await me.commit(batch.id))
    const item = await me.get(id)
    expect(item?.data).toEqual({ list: [1] })
    expect(Object.isFrozen(item?.data['list'])).toBe(true)
  })

  it.each<[string, unknown, string]>([
    ['an empty batch', [], 'a batch has 1 to 1000 changes'],
    ['no list', fact('x'), 'a batch has 1 to 1000 changes'],
    ['an unknown operation', [{ op: 'erase' }], 'change 0, op'],
    ['an unknown kind', [fact('x', { kind: 'vague' as never })], 'change 0, kind'],
    ['an unknown type', [fact('x', { type: 'rumour' as never })], 'change 0, type'],
    ['an unknown field', [{ ...fact('x'), colour: 'red' }], 'change 0'],
    ['an empty text', [fact(' \n')], 'change 0, text: is empty'],
    ['a broken text', [fact('\ud800')], 'change 0, text: is not well-formed'],
    ['a confidence above 1', [fact('x', { confidence: 1.1 })], 'change 0, confidence'],
    ['a confidence that is no number', [fact('x', { confidence: Number.NaN })], 'change 0, confidence'],
    ['a function among the data', [fact('x', { data: { f: () => 1 } })], 'change 0, data.f'],
    ['a supersede of nothing', [superseding([], 'x')], 'change 0, supersedes'],
    ['a deprecation of nothing', [{ op: 'deprecate' }], 'change 0, target'],
    ['a short id', [fact('x', { id: 'ab' })], 'change 0, id'],
    ['one bad change among good ones', [fact('x'), fact('y'), fact('')], 'change 2, text'],
  ])('that holds %s is refused as a whole, with the place', async (_what, changes, sentence) => {
    const { memory } = await openWorld()
    const me = memory.for({ runId: 'run' })
    await expect(me.propose(changes as never)).rejects.toMatchObject({
      code: 'memory.invalid-change',
      message: expect.stringContaining(sentence),
    })
    expect(await me.list()).toEqual([])
  })

  it('that holds a credential is refused', async () => {
    const { memory } = await openWorld()
    const me = memory.for({ runId: 'run' })
    await expect(me.propose([fact('the shop', { data: { api_key: 'abc' } })])).rejects.toMatchObject({
      code: 'memory.secret',
    })
    await expect(me.propose([fact('use password=correct-horse for it')])).rejects.toMatchObject({
      code: 'memory.secret',
      message: expect.not.stringContaining('horse'),
    })
  })

  it('of something that is not there is refused, and so is an id that is taken', async () => {
    const { memory } = await openWorld()
    const me = memory.for({ runId: 'run' })
    await remember(me, fact('first', { id: 'the-first' }))
    await expect(me.propose([{ op: 'deprecate', target: 'nobody' }])).rejects.toMatchObject({
      code: 'memory.unknown-item',
      details: { id: 'nobody', change: 0 },
    })
    const supersede = superseding(['the-first', 'nobody'], 'x')
    await expect(me.propose([fact('y'), supersede])).rejects.toMatchObject({
      code: 'memory.unknown-item',
      details: { id: 'nobody', change: 1 },
    })
    await expect(me.propose([fact('second', { id: 'the-first' })])).rejects.toMatchObject({ code: 'memory.id-taken' })
    expect((await me.get('the-first'))?.text).toBe('first')
  })

  it('under a key is there once, and other changes under it are refused', async () => {
    const { memory } = await openWorld()
    const me = memory.for({ runId: 'run' })
    const first = await me.propose([fact('once')], { key: 'step 1' })
    expect((await me.propose([fact('once')], { key: 'step 1' })).id).toBe(first.id)
    await expect(me.propose([fact('twice')], { key: 'step 1' })).rejects.toMatchObject({ code: 'memory.batch-exists' })
    expect((await memory.for({ runId: 'other' }).propose([fact('once')], { key: 'step 1' })).id).not.toBe(first.id)
    expect((await me.batchOf('step 1'))?.id).toBe(first.id)
    expect(await me.batchOf('step 2')).toBeUndefined()
    await me.commit(first.id)
    expect((await me.propose([fact('once')], { key: 'step 1' })).status).toBe('committed')
    expect(await me.list()).toHaveLength(1)
  })

  it('can be withdrawn', async () => {
    const { memory } = await openWorld()
    const me = memory.for({ runId: 'run' })
    const batch = await me.propose([fact('never mind')])
    expect(await me.discard(batch.id)).toBe(true)
    expect(await me.discard(batch.id)).toBe(false)
    await expect(me.commit(batch.id)).rejects.toMatchObject({ code: 'memory.unknown-batch' })
  })
})

describe('a commit', () => {
  it('supersedes and deprecates, keeps tombstones, and gives ids for what it added only', async () => {
    const { memory, clock } = await openWorld()
    const me = memory.for({ runId: 'run' })
    const [tea = '', cake = ''] = await remember(me, fact('Tea is at four'), fact('There is cake'))
    const batch = await me.propose([
      superseding([tea], 'Tea is at five', { rationale: 'the cook said so' }),
      { op: 'deprecate', target: cake, rationale: 'eaten' },
      { op: 'noop', rationale: 'the milk is as it was' },
      fact('There are scones'),
    ])
    const ids = idsOf(await me.commit(batch.id))
    expect(ids).toHaveLength(2)
    const [later, scones] = ids
    expect((await me.list()).map(({ id }) => id)).toEqual([later, scones])
    expect(await me.get(tea)).toMatchObject({
      status: 'superseded',
      version: 2,
      tombstone: { at: clock.now(), batchId: batch.id, reason: 'the cook said so', supersededBy: later },
    })
    expect(await me.get(cake)).toMatchObject({
      status: 'deprecated',
      version: 2,
      tombstone: { reason: 'eaten', supersededBy: undefined },
    })
    expect(await me.get(later ?? '')).toMatchObject({ supersedes: [tea], version: 1, status: 'active' })
    expect(await textsOf(me, 'tea cake')).toEqual(['Tea is at five'])
    expect((await me.list({ status: 'deprecated' })).map(({ id }) => id)).toEqual([cake])
    expect((await me.recall('tea', { status: 'superseded' })).map(({ item }) => item.id)).toEqual([tea])
  })

  it('twice gives the same answer and does nothing', async () => {
    const { memory } = await openWorld()
    const me = memory.for({ runId: 'run' })
    const batch = await me.propose([fact('once')])
    const [first, second] = [await me.commit(batch.id), await me.commit(batch.id)]
    expect(first).toMatchObject({ kind: 'committed', repeated: false })
    expect(second).toEqual({ ...first, repeated: true })
    expect(await me.list()).toHaveLength(1)
  })

  it('by many at once is done once', async () => {
    const { memory } = await openWorld()
    const me = memory.for({ runId: 'run' })
    const batch = await me.propose([fact('once')])
    const results = await Promise.all(Array.from({ length: 20 }, () => me.commit(batch.id)))
    expect(results.filter((result) => result.kind === 'committed' && !result.repeated)).toHaveLength(1)
    expect(new Set(results.flatMap(idsOf)).size).toBe(1)
    expect(await me.list()).toHaveLength(1)
  })

  it('of an unknown batch, or of another run’s, is an error that says the same', async () => {
    const { memory } = await openWorld()
    const batch = await memory.for({ runId: 'mine' }).propose([fact('mine alone')])
    const other = memory.for({ runId: 'yours' })
    const refusal = { code: 'memory.unknown-batch' }
    await expect(other.commit('batch_none')).rejects.toMatchObject(refusal)
    await expect(other.commit(batch.id)).rejects.toMatchObject(refusal)
    await expect(other.review(batch.id)).rejects.toMatchObject(refusal)
    expect(await other.discard(batch.id)).toBe(false)
    expect(await other.list()).toEqual([])
    expect(idsOf(await memory.for({ runId: 'mine' }).commit(batch.id))).toHaveLength(1)
  })

  it('is refused as a whole when what it refers to has changed since, with what it is now', async () => {
    const { memory } = await openWorld()
    const [mine, yours] = [memory.for({ runId: 'mine' }), memory.for({ runId: 'yours' })]
    const [tea = ''] = await remember(mine, fact('Tea is at four'))
    const batch = await mine.propose([fact('There are scones'), superseding([tea], 'Tea is at five')])
    await remember(yours, superseding([tea], 'Tea is at six'))
    const result = await mine.commit(batch.id)
    expect(result).toMatchObject({
      kind: 'refused',
      conflicts: [{ kind: 'changed', change: 1, blocking: true, item: { id: tea, status: 'superseded', version: 2 } }],
    })
    expect((await mine.list()).map(({ text }) => text)).toEqual(['Tea is at six'])
    expect((await mine.review(batch.id)).canCommit).toBe(false)
  })

  it('of two batches in a race for one item accepts exactly one', async () => {
    const { memory } = await openWorld()
    const me = memory.for({ runId: 'run' })
    const [tea = ''] = await remember(me, fact('Tea is at four'))
    const batches = await Promise.all(
      Array.from({ length: 10 }, (_, hour) => me.propose([superseding([tea], `Tea is at ${hour}`)])),
    )
    const results = await Promise.all(batches.map(({ id }) => me.commit(id)))
    expect(results.filter(({ kind }) => kind === 'committed')).toHaveLength(1)
    expect(await me.list()).toHaveLength(1)
  })

  it('sees what earlier changes of its own batch did', async () => {
    const { memory } = await openWorld()
    const me = memory.for({ runId: 'run' })
    const changes: MemoryChange[] = [
      fact('a draft', { id: 'draft' }),
      superseding(['draft'], 'the text', { id: 'text' }),
    ]
    expect(await remember(me, ...changes)).toEqual(['draft', 'text'])
    expect(await me.get('draft')).toMatchObject({
      status: 'superseded',
      version: 1,
      tombstone: { supersededBy: 'text' },
    })
    const twice = await me.propose([
      { op: 'deprecate', target: 'text' },
      { op: 'deprecate', target: 'text' },
    ])
    expect(await me.commit(twice.id)).toMatchObject({ kind: 'refused', conflicts: [{ kind: 'changed', change: 1 }] })
  })
})

describe('a review', () => {
  it('shows what would be, and touches nothing', async () => {
    const { memory } = await openWorld()
    const me = memory.for({ runId: 'run' })
    const [tea = ''] = await remember(me, fact('Tea is at four'))
    const batch = await me.propose([
      { op: 'deprecate', target: tea, rationale: 'no more tea' },
      fact('Coffee is at four'),
    ])
    const review = await me.review(batch.id)
    expect(review.canCommit).toBe(true)
    expect(review.items).toMatchObject([
      { id: tea, status: 'deprecated', version: 2 },
      { text: 'Coffee is at four', version: 1 },
    ])
    expect((await me.get(tea))?.status).toBe('active')
    await me.commit(batch.id)
    expect(await me.review(batch.id)).toMatchObject({ batch: { status: 'committed' }, items: [{ id: tea }, {}] })
  })

  it('shows what says something near, which does not stand in the way', async () => {
    const { memory } = await openWorld()
    const me = memory.for({ runId: 'run', project: 'house' })
    const [tea = ''] = await remember(me, fact('Tea is served in the garden at four o’clock'))
    await remember(me, fact('Tea is served in the garden at four o’clock', { scope: 'project' }))
    await remember(me, fact('The train leaves at noon'))
    const batch = await me.propose([fact('tea is served in the garden at five o’clock')])
    const { conflicts, canCommit } = await me.review(batch.id)
    expect(conflicts).toMatchObject([{ kind: 'similar', change: 0, blocking: false, item: { id: tea } }])
    expect(canCommit).toBe(true)
    expect((await me.commit(batch.id)).kind).toBe('committed')
    const replacing = await me.propose([superseding([tea], 'Tea is served in the garden')])
    expect(
      (await me.review(replacing.id)).conflicts.filter((conflict) => 'item' in conflict && conflict.item.id === tea),
    ).toEqual([])
  })

  it('shows the fact about the same subject, which has to be superseded', async () => {
    const { memory } = await openWorld()
    const me = memory.for({ runId: 'run', project: 'house' })
    const [tea = ''] = await remember(me, fact('Tea is at four', { subject: 'tea time' }))
    await remember(me, fact('Tea is at three', { subject: 'tea time', scope: 'project' }))
    const batch = await me.propose([fact('Tea is at five', { subject: 'tea time' })])
    expect(await me.review(batch.id)).toMatchObject({
      canCommit: false,
      conflicts: [{ kind: 'subject', blocking: true, item: { id: tea } }],
    })
    expect((await me.commit(batch.id)).kind).toBe('refused')
    const change = superseding([tea], 'Tea is at five', { subject: 'tea time' })
    await remember(me, change)
    expect((await me.list({ subject: 'tea time', scopes: ['global'] })).map(({ text }) => text)).toEqual([
      'Tea is at five',
    ])
  })

  it('shows that an item is gone when it has expired meanwhile', async () => {
    const { memory, clock } = await openWorld()
    const me = memory.for({ runId: 'run' })
    const [tea = ''] = await remember(me, fact('Tea is at four', { expiresAt: clock.now() + 100 }))
    const batch = await me.propose([{ op: 'deprecate', target: tea }])
    await clock.advance(100)
    expect(await me.review(batch.id)).toMatchObject({ canCommit: false, conflicts: [{ kind: 'gone', id: tea }] })
  })
})

describe('taking back', () => {
  it('undoes a committed batch by a new one: what was added is deprecated, what was buried lives again', async () => {
    const { memory } = await openWorld()
    const me = memory.for({ runId: 'run' })
    const [tea = '', cake = ''] = await remember(me, fact('Tea is at four'), fact('There is cake'))
    const batch = await me.propose([superseding([tea], 'Tea is at five'), { op: 'deprecate', target: cake }])
    const [later = ''] = idsOf(await me.commit(batch.id))
    const back = await memory.for({ runId: 'later' }).revert(batch.id, { rationale: 'it was a misunderstanding' })
    expect(back).toMatchObject({ kind: 'committed', ids: [], repeated: false })
    expect((await me.list()).map(({ id, version }) => [id, version])).toEqual([
      [tea, 3],
      [cake, 3],
    ])
    expect(await me.get(later)).toMatchObject({
      status: 'deprecated',
      tombstone: { batchId: back.batchId, reason: 'it was a misunderstanding' },
    })
    expect(await textsOf(me, 'tea')).toEqual(['Tea is at four'])
  })

  it('shows as a conflict what came later on top, and then changes nothing', async () => {
    const { memory } = await openWorld()
    const me = memory.for({ runId: 'run' })
    const [tea = ''] = await remember(me, fact('Tea is at four'))
    const batch = await me.propose([superseding([tea], 'Tea is at five')])
    const [later = ''] = idsOf(await me.commit(batch.id))
    const [latest = ''] = await remember(me, superseding([later], 'Tea is at six'))
    const back = await me.proposeRevert(batch.id)
    expect(back.reverts).toBe(batch.id)
    expect(await me.review(back.id)).toMatchObject({
      canCommit: false,
      conflicts: [{ kind: 'changed', item: { id: later, status: 'superseded', tombstone: { supersededBy: latest } } }],
    })
    expect(await me.revert(batch.id)).toMatchObject({ kind: 'refused' })
    expect((await me.list()).map(({ id }) => id)).toEqual([latest])
  })

  it('can be taken back itself, and happens once', async () => {
    const { memory } = await openWorld()
    const me = memory.for({ runId: 'run' })
    const batch = await me.propose([fact('Tea is at four')])
    const [tea = ''] = idsOf(await me.commit(batch.id))
    const back = await me.revert(batch.id)
    expect(await me.revert(batch.id)).toMatchObject({ kind: 'refused', conflicts: [{ kind: 'changed' }] })
    await me.revert(back.batchId)
    expect(await me.get(tea)).toMatchObject({ status: 'active', tombstone: undefined, version: 3 })
  })

  it('is for committed batches only, and for those who may write in all their scopes', async () => {
    const { memory } = await openWorld()
    const ada = memory.for({ runId: 'run', user: 'ada' })
    const staged = await ada.propose([fact('not yet')])
    await expect(ada.revert(staged.id)).rejects.toMatchObject({ code: 'memory.unknown-batch' })
    const batch = await ada.propose([fact('Ada takes no sugar', { scope: 'user' })])
    await ada.commit(batch.id)
    const readers = [{ user: 'bob' }, {}, { user: 'ada', writes: ['global'] as const }]
    for (const reader of readers) {
      const refusal = memory.for({ runId: 'run', ...reader }).revert(batch.id)
      await expect(refusal).rejects.toMatchObject({ code: 'memory.unknown-batch' })
    }
    expect(await ada.list()).toHaveLength(1)
  })

  it('does not bring back a second active fact about one subject', async () => {
    const { memory } = await openWorld()
    const me = memory.for({ runId: 'run' })
    const [tea = ''] = await remember(me, fact('Tea is at four', { subject: 'tea time' }))
    const batch = await me.propose([{ op: 'deprecate', target: tea }])
    await me.commit(batch.id)
    await remember(me, fact('Tea is at five', { subject: 'tea time' }))
    expect(await me.revert(batch.id)).toMatchObject({ kind: 'refused', conflicts: [{ kind: 'subject' }] })
  })
})

describe('two memories over one store', () => {
  it('commit in turns without losing anything', async () => {
    const store = createVolatileMemory()
    const both = [await createMemory({ store }), await createMemory({ store })].map((memory) =>
      memory.for({ runId: 'run' }),
    )
    const texts = Array.from({ length: 20 }, (_, number) => `fact number ${number}`)
    await Promise.all(texts.map((text, number) => both[number % 2]?.remember([fact(text)])))
    expect((await both[0]?.list())?.map(({ text }) => text).toSorted()).toEqual(texts.toSorted())
    expect((await store.state()).revision).toBe(20)
  })
})
