import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { entry, patch, put } from 'callboard'
import type { EntryOptions, MergeableType, Policy } from 'callboard'
import { BoardWorld } from './world.ts'

const ALL = { reads: ['*'], writes: ['*'], grants: { sensitive: ['*'] } }

/** A board with one entry `k`, and two agents that both know what was there at first. */
function boardWith(
  options: EntryOptions,
  first?: unknown,
  catalogue: { policies?: Record<string, Policy>; types?: MergeableType[] } = {},
): BoardWorld {
  const world = new BoardWorld(
    { k: entry(z.unknown(), options as object) },
    { agents: { ann: ALL, ben: ALL }, ...catalogue },
  )
  if (first !== undefined) world.accept('workflow', { k: first })
  world.looks('ann')
  world.looks('ben')
  return world
}

describe('smart, the default', () => {
  it('merges objects key by key at every depth, the new value winning', () => {
    const world = boardWith({}, { a: { x: 1, y: 2 }, b: 1 })
    world.accept('ann', { k: { a: { y: 3, z: 4 } } })
    expect(world.board.get('k')).toEqual({ a: { x: 1, y: 3, z: 4 }, b: 1 })
  })

  it('keeps parts that did not change, and the order of the names that were there', () => {
    const [kept, first] = [{ deep: [1] }, { b: 1, kept: { deep: [1] }, a: 1 }]
    const world = boardWith({}, first)
    const before = world.board.get('k') as typeof first
    world.accept('ann', { k: { a: 2, b: 2, kept } })
    const after = world.board.get('k') as typeof first
    expect(after).toEqual({ b: 2, kept, a: 2 })
    expect(Object.keys(after)).toEqual(['b', 'kept', 'a'])
    expect(after.kept).toBe(before.kept)
  })

  it('replaces lists of medium and low entries', () => {
    const world = boardWith({ priority: 'medium' }, [1, 2])
    world.accept('ann', { k: [3] })
    expect(world.board.get('k')).toEqual([3])
  })

  it('unites lists of critical and high entries in order, each item once, also inside the new list', () => {
    for (const priority of ['critical', 'high'] as const) {
      const world = boardWith({ priority }, [1, 1, { a: 1 }])
      world.accept('ann', { k: [2, 2, { a: 1 }, 1] })
      expect(world.board.get('k')).toEqual([1, { a: 1 }, 2])
    }
  })

  it('lets a type of values merge itself', () => {
    const range: MergeableType = {
      name: 'range',
      is: (value) => typeof value === 'object' && value !== null && 'low' in value,
      merge: (one, other) => {
        const [a, b] = [one, other] as { low: number; high: number }[]
        return { low: Math.min(a!.low, b!.low), high: Math.max(a!.high, b!.high) }
      },
    }
    const world = boardWith({}, { low: 1, high: 2 }, { types: [range] })
    world.accept('ann', { k: { low: 5, high: 9 } })
    expect(world.board.get('k')).toEqual({ low: 1, high: 9 })
  })

  it('refuses the update, not the run, when such a type fails', () => {
    const broken: MergeableType = {
      name: 'broken',
      is: () => true,
      merge: () => {
        throw new Error('cannot merge')
      },
    }
    const world = boardWith({}, 1, { types: [broken] })
    expect(world.refuse('ann', { k: 2 })).toMatchObject({ reason: 'policy-failed' })
    expect(world.board.get('k')).toBe(1)
  })

  it('takes the new value for everything else', () => {
    const world = boardWith({}, 'text')
    world.accept('ann', { k: { now: 'an object' } })
    expect(world.board.get('k')).toEqual({ now: 'an object' })
  })
})

describe('two agents writing at once', () => {
  it('both keep what they changed when they changed different parts', () => {
    const world = boardWith({}, { title: 'draft', tags: ['a'], by: 'ann' })
    world.accept('ann', { k: { title: 'final', tags: ['a'], by: 'ann' } })
    const { conflicts } = world.accept('ben', { k: { title: 'draft', tags: ['a', 'b'], by: 'ann' } })
    expect(world.board.get('k')).toEqual({ title: 'final', tags: ['a', 'b'], by: 'ann' })
    expect(conflicts).toEqual([])
  })

  it('have a conflict named down to its path where they changed the same part, with base, theirs and mine', () => {
    const world = boardWith({}, { plan: { steps: 3 } })
    world.accept('ann', { k: { plan: { steps: 4 } } })
    const { conflicts } = world.accept('ben', { k: { plan: { steps: 5 } } })
    expect(world.board.get('k')).toEqual({ plan: { steps: 5 } })
    expect(conflicts).toMatchObject([
      {
        key: 'k',
        path: ['plan', 'steps'],
        base: 3,
        theirs: 4,
        mine: 5,
        policy: 'smart',
        author: 'ben',
        against: 'ann',
        version: 3,
      },
    ])
  })

  it('have a conflict where one deleted a part that the other changed', () => {
    const world = boardWith({ merge: 'deep' }, { a: 1, b: 1 })
    world.accept('ann', { k: put({ b: 1 }, { policy: 'replace' }) })
    const { conflicts } = world.accept('ben', { k: { a: 2, b: 1 } })
    expect(conflicts).toMatchObject([{ path: ['a'], base: 1, theirs: undefined, mine: 2 }])
  })

  it('do not bring back a part that one deleted and the other did not touch', () => {
    const world = boardWith({ merge: 'deep' }, { a: 1, b: 1 })
    world.accept('ann', { k: put({ b: 1 }, { policy: 'replace' }) })
    world.accept('ben', { k: { a: 1, b: 2 } })
    expect(world.board.get('k')).toEqual({ b: 2 })
  })

  it('are told apart by ids that say nothing of other updates', () => {
    const ids = [0, 3].map((others) => {
      const world = boardWith({}, { a: 1 })
      for (let count = 0; count < others; count++)
        world.accept('workflow', { k: put(count, { scope: 'private', holder: 'eve' }) })
      world.accept('ann', { k: { a: 2 } })
      return world.accept('ben', { k: { a: 3 } }).conflicts.map(({ id }) => id)
    })
    expect(ids[0]).toEqual(ids[1])
  })
})

describe('the other policies', () => {
  it('deep merges objects and replaces lists, whatever the priority', () => {
    const world = boardWith({ merge: 'deep', priority: 'critical' }, { a: [1], b: { c: 1 } })
    world.accept('ann', { k: { a: [2], b: { d: 2 } } })
    expect(world.board.get('k')).toEqual({ a: [2], b: { c: 1, d: 2 } })
  })

  it('shallow replaces whole fields and keeps the others', () => {
    const world = boardWith({ merge: 'shallow' }, { a: { x: 1 }, b: 1 })
    world.accept('ann', { k: { a: { y: 2 } } })
    expect(world.board.get('k')).toEqual({ a: { y: 2 }, b: 1 })
  })

  it('safe only adds what is new, and says what it skipped', () => {
    const world = boardWith({ merge: 'safe' }, 'there')
    expect(world.accept('ann', { k: 'another' })).toMatchObject({ skipped: ['k'], changes: [] })
    expect(world.board.entry('k')).toMatchObject({ value: 'there', version: 1 })
  })

  it('replace takes the new value as a whole', () => {
    const world = boardWith({ merge: 'replace' }, { a: 1 })
    world.accept('ann', { k: { b: 2 } })
    expect(world.board.get('k')).toEqual({ b: 2 })
  })

  it('append joins lists, and refuses what is none', () => {
    const world = boardWith({ merge: 'append' }, [1])
    world.accept('ann', { k: [1, 2] })
    expect(world.board.get('k')).toEqual([1, 1, 2])
    expect(world.refuse('ann', { k: 'no list' })).toMatchObject({ reason: 'policy', key: 'k' })
  })

  it('union gives the same list or set for every order of the writers', () => {
    const orders = [
      [
        ['b', 'a'],
        ['c', 'a'],
      ],
      [
        ['c', 'a'],
        ['b', 'a'],
      ],
    ]
    expect(
      orders.map(([first, second]) => {
        const world = boardWith({ merge: 'union' }, first)
        world.accept('ann', { k: second })
        return world.board.get('k')
      }),
    ).toEqual([
      ['a', 'b', 'c'],
      ['a', 'b', 'c'],
    ])
    const sets = boardWith({ merge: 'union' }, new Set([2]))
    sets.accept('ann', { k: new Set([1]) })
    expect([...(sets.board.get('k') as Set<number>)]).toEqual([1, 2])
    expect(sets.refuse('ann', { k: [1] })).toMatchObject({ reason: 'policy' })
  })

  it('counter loses no addition, and counts whole numbers only', () => {
    const world = boardWith({ merge: 'counter' }, 10)
    world.accept('ann', { k: 5 })
    world.accept('ben', { k: -2 })
    expect(world.board.get('k')).toBe(13)
    expect(world.refuse('ann', { k: 0.5 }).message).toContain('counter adds integers')
    expect(world.refuse('ann', { k: Number.MAX_SAFE_INTEGER }).message).toContain('leaves the safe integers')
    const big = boardWith({ merge: 'counter' }, 2n ** 70n)
    big.accept('ann', { k: 1n })
    expect(big.board.get('k')).toBe(2n ** 70n + 1n)
  })

  it('max and min keep the extreme of numbers, bigints, texts and dates', () => {
    const day = (date: number): Date => new Date(Date.UTC(2026, 0, date))
    for (const [low, high] of [
      [1, 2],
      [-0, 0],
      [1n, 2n],
      ['a', 'b'],
      [day(1), day(2)],
    ]) {
      for (const [first, second] of [
        [low, high],
        [high, low],
      ]) {
        const max = boardWith({ merge: 'max' }, first)
        max.accept('ann', { k: second })
        expect(max.board.get('k')).toEqual(high)
        const min = boardWith({ merge: 'min' }, first)
        min.accept('ann', { k: second })
        expect(min.board.get('k')).toEqual(low)
      }
    }
    expect(boardWith({ merge: 'max' }, 1).refuse('ann', { k: 'text' })).toMatchObject({ reason: 'policy' })
  })

  it('reject accepts only who has seen what is there', () => {
    const world = boardWith({ merge: 'reject' }, 1)
    world.accept('ann', { k: 2 })
    expect(world.refuse('ben', { k: 3 })).toMatchObject({ reason: 'concurrent-change', key: 'k', actualVersion: 2 })
    world.looks('ben')
    world.accept('ben', { k: 3 })
    expect(world.board.get('k')).toBe(3)
  })

  it('reject also notices that the entry was deleted meanwhile', () => {
    const world = boardWith({ merge: 'reject' }, 1)
    world.accept('workflow', {}, { others: 'drop' })
    expect(world.refuse('ben', { k: 3 })).toMatchObject({ reason: 'concurrent-change' })
  })

  it('prefixed puts the prefix before every key, and needs one', () => {
    const world = new BoardWorld({ '*': entry(z.unknown()) }, { agents: { ann: ALL } })
    world.accept('ann', { a: 1, b: 2 }, { policy: 'prefixed', prefix: 'phase1.' })
    expect([world.board.get('phase1.a'), world.board.get('phase1.b'), world.board.has('a')]).toEqual([1, 2, false])
    expect(world.refuse('ann', { a: 1 }, { policy: 'prefixed' }).message).toContain('policy prefixed needs a prefix')
  })

  it('prefixed does not overwrite a protected key', () => {
    const world = new BoardWorld({ 'p.a': entry(z.unknown(), { protected: true }) }, { agents: { ann: ALL } })
    world.accept('workflow', { 'p.a': 1 })
    expect(world.refuse('ann', { a: 2 }, { policy: 'prefixed', prefix: 'p.' })).toMatchObject({
      reason: 'protected',
      key: 'p.a',
    })
  })

  it("others: 'drop' deletes what is not mentioned, but protected entries stay", () => {
    const world = new BoardWorld(
      { a: entry(z.unknown()), b: entry(z.unknown()), id: entry(z.unknown(), { protected: true }) },
      { agents: { ann: { reads: ['*'], writes: ['a', 'b'] } } },
    )
    world.accept('workflow', { a: 1, b: 2, id: 'run-1' })
    world.accept('ann', { a: 3 }, { others: 'drop' })
    expect([world.board.get('a'), world.board.get('b'), world.board.get('id')]).toEqual([3, undefined, 'run-1'])
    expect(world.board.entry('a')?.version).toBe(2)
  })

  it("others: 'drop' of one agent leaves alone, and says nothing of, what it cannot see", () => {
    const world = new BoardWorld(
      { '*': entry(z.unknown()), team: entry(z.unknown(), { scope: 'group', group: 'coders' }) },
      { agents: { ann: ALL, ben: ALL } },
    )
    world.accept('workflow', { a: 1, secretly: put(2, { scope: 'private', holder: 'ben' }), team: 3 })
    const { changes, skipped } = world.accept('ann', {}, { others: 'drop' })
    expect([changes.map(({ key }) => key), skipped]).toEqual([['a'], []])
    expect(world.view('ben').get('secretly')).toBe(2)
  })
})

describe('policies of the user', () => {
  const longest: Policy = ({ current, update }) =>
    String(update).length > String(current).length ? { kind: 'accept', value: update, conflicts: [] } : { kind: 'keep' }

  it('are called by name or given as a function', () => {
    const world = boardWith({ merge: 'longest' }, 'long', { policies: { longest } })
    world.accept('ann', { k: 'l' })
    expect(world.board.get('k')).toBe('long')
    world.accept('ann', { k: put('longer', { policy: longest }) })
    expect(world.board.get('k')).toBe('longer')
  })

  it('may refuse, with their own words', () => {
    const world = boardWith({ merge: () => ({ kind: 'refuse', reason: 'not on a Sunday' }) }, 1)
    expect(world.refuse('ann', { k: 2 })).toMatchObject({ reason: 'policy', key: 'k' })
    expect(world.refuse('ann', { k: 2 }).message).toContain('not on a Sunday')
  })

  it('refuse the update when they throw', () => {
    const failing: Policy = () => {
      throw new Error('division by zero')
    }
    const world = boardWith({ merge: failing }, 1)
    expect(world.refuse('ann', { k: 2 })).toMatchObject({ reason: 'policy-failed' })
    expect(world.refuse('ann', { k: 2 }).message).toContain('policy failing failed: division by zero')
  })

  it.each([
    ['nothing', undefined],
    ['something else', { kind: 'maybe' }],
    ['a promise', Promise.resolve({ kind: 'keep' })],
  ])('refuse the update when they answer %s', (_what, answer) => {
    const world = boardWith({ merge: () => answer as never }, 1)
    expect(world.refuse('ann', { k: 2 })).toMatchObject({ reason: 'policy-failed' })
  })

  it('may leave out conflicts', () => {
    const world = boardWith({ merge: (() => ({ kind: 'accept', value: 3 })) as never }, 1)
    expect(world.accept('ann', { k: 2 })).toMatchObject({ conflicts: [] })
    expect(world.board.get('k')).toBe(3)
  })

  it('cannot make what may not be kept', () => {
    const world = boardWith({ merge: () => ({ kind: 'accept', value: () => {}, conflicts: [] }) }, 1)
    expect(world.refuse('ann', { k: 2 })).toMatchObject({ reason: 'policy-failed' })
  })

  it('whose result holds a Map give it out as a copy each time', () => {
    const world = boardWith({ merge: () => ({ kind: 'accept', value: new Map([['a', 1]]), conflicts: [] }) }, 1)
    world.accept('ann', { k: 2 })
    ;(world.view('ann').get('k') as Map<string, number>).clear()
    expect(world.view('ann').get('k')).toEqual(new Map([['a', 1]]))
  })

  it('whose result holds a secret make the entry sensitive', () => {
    const world = boardWith({ merge: () => ({ kind: 'accept', value: { password: 'hunter2' }, conflicts: [] }) }, 1)
    world.accept('ann', { k: 2 })
    expect(world.board.entry('k')?.sensitive).toBe(true)
  })

  it('are known to the update by name, and an unknown one changes nothing', () => {
    const world = boardWith({}, 1)
    const refusal = world.refuse('ann', { k: put(2, { policy: 'mine' }) })
    expect(refusal).toMatchObject({ reason: 'policy', key: 'k' })
    expect(refusal.message).toContain('unknown policy "mine"; known are smart, deep')
    expect(world.board.get('k')).toBe(1)
  })
})

describe('patches', () => {
  it('change a part and keep the rest, checked against the schema as a whole', () => {
    const settings = z.object({ theme: z.enum(['dark', 'light']), size: z.number() })
    const world = new BoardWorld({ settings: entry(settings) }, { agents: { ann: ALL } })
    world.accept('workflow', { settings: { theme: 'dark', size: 1 } })
    world.accept('ann', { settings: patch({ size: 2 }) })
    expect(world.board.get('settings')).toEqual({ theme: 'dark', size: 2 })
    const refusal = world.refuse('ann', { settings: patch({ theme: 'red' }) })
    expect(refusal).toMatchObject({ reason: 'schema', key: 'settings' })
    expect(refusal.message).toContain('what smart made of it does not fit the schema at theme')
  })

  it('of what is not there must be whole', () => {
    const world = new BoardWorld({ a: entry(z.object({ x: z.number(), y: z.number() })) }, { agents: { ann: ALL } })
    expect(world.refuse('ann', { a: patch({ x: 1 }) })).toMatchObject({ reason: 'schema' })
    world.accept('ann', { a: patch({ x: 1, y: 2 }) })
    expect(world.board.get('a')).toEqual({ x: 1, y: 2 })
  })
})
