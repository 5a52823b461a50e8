// What is known about an entry: versions, authors, order, guesses, JSON.
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { drop, entry, entryToJson, inferPriority, inferScope, put } from 'callboard'
import { BoardWorld } from './world.ts'

const any = z.unknown()
const ALL = { reads: ['*'], writes: ['*'] }

describe('an entry', () => {
  it('counts its versions on over replacement, deletion and expiry', () => {
    const world = new BoardWorld({ k: entry(any, { merge: 'replace' }) }, { agents: { ann: ALL } })
    const version = (): number | undefined => world.board.entry('k')?.version
    world.accept('ann', { k: 1 })
    world.accept('ann', { k: 2 })
    expect(version()).toBe(2)
    world.accept('ann', { k: drop() })
    expect(version()).toBeUndefined()
    world.accept('ann', { k: put(3, { ttlMs: 10 }) })
    expect(version()).toBe(4)
    world.pass(10)
    world.expire()
    expect(version()).toBeUndefined()
    world.accept('ann', { k: 4 })
    expect(version()).toBe(6)
  })

  it('knows who made it, who changed it last, and when', () => {
    const world = new BoardWorld({ k: entry(any) }, { agents: { ann: ALL, ben: ALL } })
    const start = world.now
    world.accept('ann', { k: { a: 1 } })
    expect(world.board.entry('k')).toMatchObject({
      owner: 'ann',
      updatedBy: 'ann',
      createdAt: start,
      updatedAt: start,
      metadata: { created_by: 'ann' },
    })
    world.pass(5)
    world.accept('ben', { k: put({ b: 2 }, { metadata: { note: 'more' } }) })
    expect(world.board.entry('k')).toMatchObject({
      owner: 'ann',
      updatedBy: 'ben',
      createdAt: start,
      updatedAt: start + 5,
      metadata: { created_by: 'ann', last_updated_by: 'ben', note: 'more' },
    })
  })

  it('whose time is over counts as absent, at its instant and not before', () => {
    const world = new BoardWorld({ k: entry(any, { ttlMs: 100 }), third: entry(any) }, { agents: { ann: ALL } })
    world.accept('ann', { k: 1, third: put(1, { ttlMs: 100 / 3 }) })
    expect(world.board.entry('k')?.expiresAt).toBe(world.now + 100)
    world.pass(99)
    world.expire()
    expect([world.board.has('k'), world.board.has('third')]).toEqual([true, false])
    world.pass(1)
    world.expire()
    expect(world.board.has('k')).toBe(false)
    expect(world.board.nextExpiryAt).toBeUndefined()
  })

  it('lives on from each write, and for good when written without a life time', () => {
    const world = new BoardWorld({ k: entry(any, { ttlMs: 100 }), free: entry(any) }, { agents: { ann: ALL } })
    world.accept('ann', { k: 1, free: put(1, { ttlMs: 10 }) })
    world.pass(9)
    world.accept('ann', { k: 2, free: 2 })
    world.pass(95)
    world.expire()
    expect([world.board.has('k'), world.board.has('free')]).toEqual([true, true])
  })

  it('becomes exactly ten names in JSON', () => {
    const world = new BoardWorld(
      { a: entry(any), k: entry(any, { dependsOn: ['a'] as never[], priority: 'high', ttlMs: 1_000 }) },
      { agents: { ann: ALL } },
    )
    world.accept('ann', { k: { x: 1 }, a: 1 })
    expect(entryToJson(world.board.entry('k')!)).toEqual({
      key: 'k',
      value: { x: 1 },
      agent_id: 'ann',
      timestamp: '2026-01-01T00:00:00.000Z',
      scope: 'workflow',
      priority: 'high',
      metadata: { created_by: 'ann' },
      version: 1,
      expires_at: '2026-01-01T00:00:01.000Z',
      dependencies: ['a'],
    })
    expect(entryToJson(world.board.entry('a')!)['expires_at']).toBeNull()
  })
})

describe('the order of entries', () => {
  it('is pinned first, then priority by importance, then newest, then key', () => {
    const world = new BoardWorld({ '*': entry(any) }, { agents: { ann: ALL } })
    const write = (key: string, options: object): void => void world.accept('ann', { [key]: put(1, options) })
    write('low', { priority: 'low' })
    write('medium', { priority: 'medium' })
    write('critical', { priority: 'critical' })
    write('b', { priority: 'high' })
    write('a', { priority: 'high' })
    world.pass(1)
    write('newer', { priority: 'high' })
    write('pinned', { priority: 'low', pinned: true })
    expect(world.view('ann').keys()).toEqual(['pinned', 'critical', 'newer', 'a', 'b', 'medium', 'low'])
  })
})

describe('boards that take any key', () => {
  const world = (): BoardWorld => new BoardWorld({ '*': entry(any, { infer: true }) }, { agents: { ann: ALL } })

  it('guess the scope from the key', () => {
    expect([inferScope('global_rates'), inferScope('private_notes'), inferScope('rates')]).toEqual([
      'global',
      'private',
      'workflow',
    ])
    const guessed = world()
    guessed.accept('ann', { global_rates: 1, private_notes: 2, rates: { shared: true } })
    const view = guessed.view('ann')
    expect(['global_rates', 'private_notes', 'rates'].map((key) => view.entry(key)?.scope)).toEqual([
      'global',
      'private',
      'workflow',
    ])
  })

  it.each([
    ['error_state', {}, 'critical'],
    ['workflow_status', {}, 'critical'],
    ['security_context', {}, 'critical'],
    ['user_preferences', {}, 'high'],
    ['calculation_results', {}, 'high'],
    ['validation_results', {}, 'high'],
    ['task', { priority: 'low' }, 'low'],
    ['task', { priority: 'urgent' }, 'medium'],
    ['task', 'text', 'medium'],
    ['task', new Map([['priority', 'low']]), 'medium'],
  ])('guess the priority: %s holding %j is %s', (key, value, priority) => {
    expect(inferPriority(key, value)).toBe(priority)
    const guessed = world()
    guessed.accept('ann', { [key]: value })
    expect(guessed.board.entry(key)?.priority).toBe(priority)
  })

  it('do not stumble over a priority that is none in the middle of an update', () => {
    const guessed = world()
    guessed.accept('ann', { a: 1, b: { priority: ['?'] }, c: 3 })
    expect(guessed.view('ann').keys()).toEqual(['a', 'b', 'c'])
  })

  it('believe what is said over what is guessed', () => {
    const guessed = world()
    guessed.accept('ann', { error_state: put({}, { priority: 'low' }) })
    expect(guessed.board.entry('error_state')?.priority).toBe('low')
  })
})

describe('keys named like parts of the language', () => {
  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf'])(
    '%s is stored, read, merged and deleted like any other',
    (key) => {
      const world = new BoardWorld({ [key]: entry(any), '*': entry(any) }, { agents: { ann: ALL } })
      expect([world.board.has(key), world.view('ann').has(key)]).toEqual([false, false])
      world.accept('ann', { [key]: { [key]: 1 } })
      world.accept('ann', { [key]: { a: 2 } }, { expectedVersion: { [key]: 1 } })
      const value = world.view('ann').get(key) as object
      expect(Object.entries(value)).toEqual([
        [key, 1],
        ['a', 2],
      ])
      expect(Object.keys(world.view('ann').toObject())).toEqual([key])
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
      expect(({} as { a?: number }).a).toBeUndefined()
      world.accept('ann', { [key]: drop() })
      expect(world.board.has(key)).toBe(false)
    },
  )
})

describe('staleness', () => {
  const derived = (): BoardWorld =>
    new BoardWorld(
      {
        source: entry(any, { merge: 'replace' }),
        plan: entry(any, { dependsOn: ['source'] as never[] }),
        report: entry(any, { dependsOn: ['plan'] as never[] }),
        other: entry(any),
      },
      { agents: { ann: ALL, ben: ALL } },
    )
  const stale = (world: BoardWorld): readonly string[] =>
    world
      .view('ann')
      .entries()
      .filter((one) => one.stale)
      .map(({ key }) => key)
      .sort()

  it('spreads to everything that depends on what changed, and on that again', () => {
    const world = derived()
    world.accept('ann', { source: 1, plan: 2, report: 3, other: 4 })
    expect(stale(world)).toEqual([])
    const { changes } = world.accept('ann', { source: 2 })
    expect(stale(world)).toEqual(['plan', 'report'])
    expect(changes.map(({ kind, key }) => `${kind} ${key}`)).toEqual(['put source', 'stale plan', 'stale report'])
    expect(world.board.entry('plan')?.version).toBe(1)
  })

  it('comes from deletion and expiry too', () => {
    for (const end of ['drop', 'expiry']) {
      const world = derived()
      world.accept('ann', { source: put(1, { ttlMs: 10 }), plan: 2 })
      world.pass(10)
      if (end === 'drop') world.accept('ann', { source: drop() })
      else world.expire()
      expect(stale(world)).toEqual(['plan'])
    }
  })

  it('ends when the entry is written anew', () => {
    const world = derived()
    world.accept('ann', { source: 1, plan: 2, report: 3 })
    world.accept('ann', { source: 2 })
    world.accept('ann', { plan: 5 })
    expect(stale(world)).toEqual(['report'])
    world.accept('ann', { report: 6 })
    expect(stale(world)).toEqual([])
  })

  it('does not touch what the same update writes anew', () => {
    const world = derived()
    world.accept('ann', { source: 1, plan: 2 })
    world.accept('ann', { plan: 3, source: 2 })
    expect(stale(world)).toEqual([])
  })

  it('is there from birth when the author had read an older version of what it is made from', () => {
    const world = derived()
    world.accept('ann', { source: 1 })
    world.accept('ann', { source: 2 })
    world.accept('ben', { plan: 'from the old' }, { lineage: [{ key: 'source', version: 1 }] })
    expect(stale(world)).toEqual(['plan'])
    world.accept('ben', { plan: 'from the new' }, { lineage: [{ key: 'source', version: 2 }] })
    expect(stale(world)).toEqual([])
  })

  it('is there from birth when what the author had read was deleted since', () => {
    const world = derived()
    world.accept('ann', { source: 1 })
    world.accept('ann', { source: drop() })
    world.accept('ben', { plan: 'from what is gone' }, { lineage: [{ key: 'source', version: 1 }] })
    expect(stale(world)).toEqual(['plan'])
  })

  it("never comes from another agent's private entry", () => {
    const world = derived()
    world.accept('ann', { source: 1, plan: 2 })
    world.accept('ben', { source: put(9, { scope: 'private' }) })
    expect(stale(world)).toEqual([])
  })

  it('follows dependencies that were given with the write', () => {
    const world = derived()
    world.accept('ann', { source: 1, other: put(2, { dependsOn: ['source'] }) })
    world.accept('ann', { source: 2 })
    expect(stale(world)).toEqual(['other'])
    world.accept('ann', { other: put(3, { dependsOn: [] }) })
    world.accept('ann', { source: 3 })
    expect(stale(world)).toEqual([])
  })
})
