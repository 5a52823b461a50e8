import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineContext, drop, entry, patch, put } from 'callboard'
import type { UpdateResult } from 'callboard'
import { createWorld, idle, refusalOf, together } from './world.ts'

const board = defineContext({
  plan: entry(z.object({ title: z.string(), done: z.boolean() })),
  budget: entry(z.int()),
  charter: entry(z.string(), { protected: true }),
  tags: entry(z.array(z.string()), { merge: 'append' }),
  'notes.*': entry(z.string()),
})

describe('an update of several keys', () => {
  it('is one record, one seq and one version each', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board))
    const before = run.seq
    const accepted = await run.update({ plan: { title: 'a', done: false }, budget: 5, 'notes.one': 'x' })
    expect(accepted).toEqual({
      kind: 'accepted',
      versions: { plan: 1, budget: 1, 'notes.one': 1 },
      conflicts: [],
      skipped: [],
    })
    expect(run.seq).toBe(before + 1)
    const last = (await run.ledger()).at(-1)
    expect(last).toMatchObject({ kind: 'update', author: 'outside', seq: before + 1 })
    expect(last?.changes.map(({ key }) => key)).toEqual(['plan', 'budget', 'notes.one'])
  })

  it('changes nothing at all when one key is refused', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board))
    await run.update({ charter: 'first', budget: 1 })
    const error = await refusalOf(run.update({ budget: 2, 'notes.one': 'x', charter: 'second' }))
    expect(error.code).toBe('update.refused')
    expect(error.details).toMatchObject({ runId: run.id, reason: 'protected', refusal: { key: 'charter' } })
    expect(run.get('budget')).toBe(1)
    expect(run.get('notes.one')).toBeUndefined()
    expect(run.entry('budget')?.version).toBe(1)
  })

  it('is told to subscribers and readers as a whole', async () => {
    const { runtime } = await createWorld()
    const pairs: unknown[] = []
    const reader = board.agent({
      reads: ['budget', 'plan'],
      run: async ({ waitFor, view }) => {
        await waitFor('budget')
        pairs.push([view.get('budget'), view.get('plan')?.title])
        await waitFor('budget', { since: 1 })
        pairs.push([view.get('budget'), view.get('plan')?.title])
      },
    })
    const writer = board.agent({
      writes: ['plan', 'budget'],
      run: async ({ update }) => {
        await update({ budget: 1, plan: { title: 'one', done: false } })
        await update({ budget: 2, plan: { title: 'two', done: false } })
      },
    })
    await (
      await runtime.start(together(board, { reader, writer }))
    ).done
    expect(pairs.at(-1)).toEqual([2, 'two'])
    expect([
      [1, 'one'],
      [2, 'two'],
    ]).toContainEqual(pairs[0])
  })
})

describe('a refused update', () => {
  it.each([
    ['an unknown key', { nope: 1 }, 'unknown-key', 'maria may not write "nope": the catalogue does not know it'],
    [
      'a value of the wrong shape',
      { budget: 'much' },
      'schema',
      'maria may not write "budget": the value does not fit',
    ],
    ['a wrong part of a value', { plan: { title: 1, done: true } }, 'schema', 'the value at title does not fit'],
    ['a merged value that does not fit', { plan: patch({ done: true }) }, 'schema', 'does not fit the schema at title'],
    ['a wider scope', { budget: put(1, { scope: 'global' }) }, 'scope', 'would show it to more readers'],
    ['an unknown policy', { budget: put(1, { policy: 'newest' }) }, 'policy', 'unknown policy "newest"'],
  ])('for %s is recorded and names the key, the rule and the author', async (_what, changes, reason, sentence) => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board))
    const result = await run.tryUpdate(changes as never, { by: 'maria' })
    expect(result).toMatchObject({ kind: 'refused', reason, author: 'maria' })
    expect((result as { message: string }).message).toContain(sentence)
    const last = (await run.ledger()).at(-1)
    expect(last).toMatchObject({ kind: 'refusal', author: 'maria', changes: [], refusals: [result] })
    expect(run.entries()).toEqual([])
    const thrown = await refusalOf(run.update(changes as never, { by: 'maria' }))
    expect(thrown.code).toBe('update.refused')
    expect(thrown.message).toContain(sentence)
  })

  it('of an agent names what the agent may write', async () => {
    const { runtime } = await createWorld()
    let result: UpdateResult | undefined
    const writer = board.agent({
      writes: ['notes.*', 'tags'],
      run: async ({ tryUpdate }) => {
        result = await tryUpdate({ budget: 1 } as never)
      },
    })
    const run = await runtime.start(together(board, { writer }))
    await run.done
    expect(result).toEqual({
      kind: 'refused',
      reason: 'not-writable',
      key: 'budget',
      author: 'writer',
      message: 'writer may not write "budget": the writes of agent type writer are "notes.*", "tags"',
    })
  })

  it('of an agent that does not catch it fails the agent with `update.refused`', async () => {
    const { runtime } = await createWorld()
    const writer = board.agent({ writes: ['budget'], run: ({ update }) => update({ budget: 1.5 }).then(() => {}) })
    const run = await runtime.start(together(board, { writer }))
    const error = await refusalOf(run.done)
    expect(error.code).toBe('update.refused')
    expect(run.status).toBe('error')
  })

  it('for plain data that is none says where', async () => {
    const { runtime } = await createWorld()
    const anything = defineContext({ any: entry(z.unknown()) })
    const run = await runtime.start(idle(anything))
    const cases: readonly [unknown, string][] = [
      [{ tasks: [1, { run: () => 1 }] }, 'a function at tasks[1].run'],
      [{ at: new Date(Number.NaN) }, 'an invalid Date at at'],
      [[1, Number.NaN], 'NaN at [1]'],
      [new URL('https://example.org'), 'an instance of URL cannot be kept'],
      ['\ud800', 'not well-formed Unicode'],
    ]
    for (const [value, place] of cases) {
      const result = await run.tryUpdate({ any: value })
      expect(result).toMatchObject({ kind: 'refused', reason: 'value' })
      expect((result as { message: string }).message).toContain(place)
    }
  })
})

describe('expected versions', () => {
  it('let an update through only while the version is the one that was read', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board))
    expect(await run.tryUpdate({ budget: put(1, { expectedVersion: 0 }) })).toMatchObject({ kind: 'accepted' })
    expect(await run.tryUpdate({ budget: put(2, { expectedVersion: 0 }) })).toMatchObject({
      kind: 'refused',
      reason: 'expected-version',
      actualVersion: 1,
    })
    expect(await run.tryUpdate({ budget: 2 }, { expectedVersion: { budget: 1 } })).toMatchObject({
      versions: { budget: 2 },
    })
    expect(run.get('budget')).toBe(2)
  })

  it('protect a deletion too, and a deleted entry counts as version 0', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board))
    await run.update({ budget: 1 })
    expect(await run.tryUpdate({ budget: drop() }, { expectedVersion: { budget: 7 } })).toMatchObject({
      kind: 'refused',
    })
    expect(await run.tryUpdate({ budget: drop() }, { expectedVersion: { budget: 1 } })).toMatchObject({
      kind: 'accepted',
      versions: { budget: 2 },
    })
    expect(await run.tryUpdate({ budget: put(3, { expectedVersion: 0 }) })).toMatchObject({ versions: { budget: 3 } })
  })
})

describe('expected seq', () => {
  it('refuses an update when the run has moved on', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board))
    const { seq } = run
    await run.update({ budget: 1 })
    const late = await run.tryUpdate({ budget: 2 }, { expectedSeq: seq, by: 'maria' })
    expect(late).toMatchObject({
      kind: 'refused',
      reason: 'expected-seq',
      message: `maria: seq ${seq} was expected, but it is ${seq + 1}; read again and retry`,
    })
    expect(await run.tryUpdate({ budget: 2 }, { expectedSeq: run.seq })).toMatchObject({ kind: 'accepted' })
  })

  it('of an agent counts only what the agent could see', async () => {
    const { runtime } = await createWorld()
    const results: UpdateResult[] = []
    const writer = board.agent({
      reads: ['budget'],
      writes: ['budget'],
      run: async ({ view, update, tryUpdate, waitFor }) => {
        const { seq } = view
        await waitFor('budget')
        results.push(await tryUpdate({ budget: 10 }, { expectedSeq: seq }))
        const now = view.seq
        await update({ budget: 11 }, { expectedSeq: now })
        results.push(await tryUpdate({ budget: 12 }, { expectedSeq: now }))
      },
    })
    const other = board.agent({
      writes: ['tags', 'budget'],
      run: async ({ update }) => {
        await update({ tags: ['out of sight'] })
        await update({ budget: 1 })
        await update({ tags: ['out of sight'] })
      },
    })
    const run = await runtime.start(together(board, { writer, other }))
    await run.done
    expect(results).toMatchObject([
      { kind: 'refused', reason: 'expected-seq' },
      { kind: 'refused', reason: 'expected-seq' },
    ])
    expect(run.get('budget')).toBe(11)
  })
})

describe('put, patch and drop', () => {
  it('replace, change a part, delete; versions count on over a deletion', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board))
    await run.update({ plan: { title: 'a', done: false } })
    await run.update({ plan: patch({ done: true }) })
    expect(run.get('plan')).toEqual({ title: 'a', done: true })
    await run.update({ plan: drop() })
    expect(run.get('plan')).toBeUndefined()
    expect(run.entry('plan')).toBeUndefined()
    const { versions } = await run.update({ plan: put({ title: 'b', done: false }, { priority: 'high' }) })
    expect(versions).toEqual({ plan: 4 })
    expect(run.entry('plan')).toMatchObject({ version: 4, priority: 'high', owner: 'outside' })
  })

  it('of an absent key is no change and says so', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board))
    expect(await run.update({ budget: drop() })).toMatchObject({ versions: {}, skipped: ['budget'] })
  })

  it('reach a protected entry only with a grant or an explicit override', async () => {
    const { runtime } = await createWorld()
    const results: UpdateResult[] = []
    const guard = board.agent({
      writes: ['charter'],
      run: async ({ tryUpdate }) => {
        results.push(await tryUpdate({ charter: 'by guard' }), await tryUpdate({ charter: drop() }))
      },
    })
    const owner = board.agent({
      writes: ['charter'],
      grants: { protected: ['charter'] },
      run: async ({ tryUpdate }) => {
        results.push(await tryUpdate({ charter: 'by owner' }), await tryUpdate({ charter: drop() }))
      },
    })
    const workflow = board.workflow({ agents: { guard, owner } }).createMachine({
      initial: 'wait',
      states: {
        wait: { on: { go: 'guarded' } },
        guarded: { invoke: { src: 'guard', onDone: 'owned' } },
        owned: { invoke: { src: 'owner', onDone: 'end' } },
        end: { type: 'final' },
      },
    })
    const run = await runtime.start(workflow)
    await run.update({ charter: 'first' })
    expect(await run.tryUpdate({ charter: 'first' })).toMatchObject({ kind: 'accepted', skipped: ['charter'] })
    await run.update({ charter: 'second' }, { override: true })
    await run.send({ type: 'go' })
    await run.done
    expect(results.map(({ kind }) => kind)).toEqual(['refused', 'refused', 'accepted', 'accepted'])
  })
})

describe('policies of a whole update', () => {
  it('`safe` adds what is new and says what it left alone', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board))
    await run.update({ budget: 1 })
    const result = await run.update({ budget: 2, 'notes.a': 'new' }, { policy: 'safe' })
    expect(result).toMatchObject({ versions: { 'notes.a': 1 }, skipped: ['budget'] })
    expect(run.get('budget')).toBe(1)
  })

  it('`prefixed` puts the prefix before every key, and asks for one', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board))
    await run.update({ a: 'x', b: 'y' } as never, { policy: 'prefixed', prefix: 'notes.' })
    expect(run.get('notes.a')).toBe('x')
    expect(await run.tryUpdate({ a: 'x' } as never, { policy: 'prefixed' })).toMatchObject({
      kind: 'refused',
      reason: 'policy',
    })
  })

  it('`others: drop` makes the update the whole context, except for what is protected', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board))
    await run.update({ budget: 1, charter: 'kept', 'notes.a': 'gone' })
    await run.update({ 'notes.b': 'new' }, { others: 'drop' })
    expect(
      run
        .entries()
        .map(({ key }) => key)
        .toSorted(),
    ).toEqual(['charter', 'notes.b'])
  })
})
