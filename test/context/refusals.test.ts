// Every reason for which an update is not accepted, and what its author is told.
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createRuntime, defineContext, drop, entry, isCallboardError, put } from 'callboard'
import type { RefusalReason } from 'callboard'
import { BoardWorld } from './world.ts'

const board = {
  title: entry(z.string(), { merge: 'replace' }),
  list: entry(z.array(z.number()), { merge: 'append' }),
  strict: entry(z.unknown(), { merge: 'reject' }),
  broken: entry(z.unknown(), {
    merge: () => {
      throw new Error('it is broken')
    },
  }),
  id: entry(z.string(), { protected: true }),
  own: entry(z.unknown(), { scope: 'private' }),
  team: entry(z.unknown(), { scope: 'group', group: 'coders' }),
  any: entry(z.unknown()),
}

function createWorld(): BoardWorld {
  const world = new BoardWorld(board, {
    agents: { ann: { reads: ['*'], writes: ['*'] }, ben: { reads: ['*'], writes: ['title'] } },
    limits: { maxEntries: 6, maxValueSize: 1_000, maxKeysPerUpdate: 3 },
  })
  world.accept('workflow', { title: 'first', list: [1], strict: 1 })
  world.accept('workflow', { broken: 1, id: 'run-1' })
  world.looks('ann')
  return world
}

interface Case {
  readonly reason: RefusalReason
  readonly key: string | undefined
  readonly changes: Readonly<Record<string, unknown>>
  readonly options?: object
  readonly by?: string
  readonly rule: string
  readonly actualVersion?: number
}

const CASES: Readonly<Record<string, Case>> = {
  'a value that does not fit': {
    reason: 'schema',
    key: 'title',
    changes: { title: 5 },
    rule: 'does not fit its schema',
  },
  'a part that does not fit, by its place': {
    reason: 'schema',
    key: 'list',
    changes: { list: [1, 'two'] },
    rule: 'the value at 1 does not fit',
  },
  'a key nobody declared': {
    reason: 'unknown-key',
    key: 'tilte',
    changes: { tilte: 'x' },
    rule: 'the catalogue does not know it',
  },
  'an empty key': { reason: 'unknown-key', key: undefined, changes: { '': 1 }, rule: 'non-empty' },
  'a key that is no Unicode': { reason: 'unknown-key', key: undefined, changes: { '\uD800': 1 }, rule: 'well-formed' },
  'a key the agent may not write': {
    reason: 'not-writable',
    key: 'any',
    by: 'ben',
    changes: { any: 1 },
    rule: 'the writes of agent type ben are "title"',
  },
  'a group the agent is not in': {
    reason: 'scope',
    key: 'team',
    changes: { team: 1 },
    rule: 'agent type ann is not in group coders',
  },
  'a wider scope than declared': {
    reason: 'scope',
    key: 'own',
    changes: { own: put(1, { scope: 'workflow' }) },
    rule: 'would show it to more readers',
  },
  "somebody else's private entry": {
    reason: 'scope',
    key: 'own',
    changes: { own: put(1, { holder: 'ben' }) },
    rule: 'private "own" of ben belongs to another agent',
  },
  "the deletion of somebody else's private entry": {
    reason: 'scope',
    key: 'own',
    changes: { own: drop({ holder: 'ben' }) },
    rule: 'belongs to another agent',
  },
  'a private entry of nobody': {
    reason: 'scope',
    key: 'own',
    by: 'workflow',
    changes: { own: 1 },
    rule: 'say whose: put(value, { holder })',
  },
  'what may not be kept': {
    reason: 'value',
    key: 'any',
    changes: { any: { deep: [() => {}] } },
    rule: 'a function at deep[0] cannot be kept',
  },
  'a priority that is none': {
    reason: 'value',
    key: 'any',
    changes: { any: put(1, { priority: 'urgent' as 'high' }) },
    rule: 'unknown priority "urgent"',
  },
  'a life time that is none': {
    reason: 'value',
    key: 'any',
    changes: { any: put(1, { ttlMs: 0 }) },
    rule: 'ttlMs is a positive number',
  },
  'a life time without end': {
    reason: 'value',
    key: 'any',
    changes: { any: put(1, { ttlMs: Infinity }) },
    rule: 'leave it out',
  },
  'an expiry that is no instant': {
    reason: 'value',
    key: 'any',
    changes: { any: put(1, { expiresAt: Number.NaN }) },
    rule: 'expiresAt is an instant',
  },
  'metadata that cannot be frozen': {
    reason: 'value',
    key: 'any',
    changes: { any: put(1, { metadata: { at: new Date() } }) },
    rule: 'metadata must be an object of plain JSON data',
  },
  'too large a value': { reason: 'limit', key: 'any', changes: { any: 'x'.repeat(2_000) }, rule: '1000 are allowed' },
  'too many keys at once': {
    reason: 'limit',
    key: undefined,
    changes: { title: 'a', list: [], strict: 1, any: 1 },
    rule: 'an update may write 3 keys, not 4',
  },
  'too many entries': { reason: 'limit', key: 'any', changes: { any: 1, own: 2 }, rule: 'the run may hold 6 entries' },
  'another value for what is protected': {
    reason: 'protected',
    key: 'id',
    changes: { id: 'run-2' },
    rule: '"id" is protected',
    actualVersion: 1,
  },
  'the deletion of what is protected': {
    reason: 'protected',
    key: 'id',
    changes: { id: drop() },
    rule: 'may delete it',
    actualVersion: 1,
  },
  'another version than expected': {
    reason: 'expected-version',
    key: 'title',
    changes: { title: 'x' },
    options: { expectedVersion: { title: 2 } },
    rule: 'version 2 was expected, version 1 is there',
    actualVersion: 1,
  },
  'a version of what is not written': {
    reason: 'expected-version',
    key: 'any',
    changes: { title: 'x' },
    options: { expectedVersion: { title: 1, any: 0 } },
    rule: 'it is not among what is written',
  },
  'two versions of one entry': {
    reason: 'expected-version',
    key: 'title',
    changes: { title: put('x', { expectedVersion: 1 }) },
    options: { expectedVersion: { title: 2 } },
    rule: 'versions 1 and 2 are both expected',
  },
  'an entry where none was expected': {
    reason: 'expected-version',
    key: 'title',
    changes: { title: put('x', { expectedVersion: 0 }) },
    rule: 'version 0 was expected',
    actualVersion: 1,
  },
  'what the policy does not take': {
    reason: 'policy',
    key: 'any',
    changes: { any: put(1, { policy: 'nope' }) },
    rule: 'unknown policy "nope"',
  },
  'a policy that fails': { reason: 'policy-failed', key: 'broken', changes: { broken: 2 }, rule: 'it is broken' },
}

describe('an update is refused for', () => {
  it.each(Object.entries(CASES))('%s', (_name, { by = 'ann', changes, options, reason, key, rule, actualVersion }) => {
    const refusal = createWorld().refuse(by, changes, options)
    expect(refusal).toMatchObject({ kind: 'refused', reason, key, author: by })
    expect(refusal.message).toContain(key === undefined ? `${by}: ` : `${by} may not write "${key}": `)
    expect(refusal.message).toContain(rule)
    expect(refusal.actualVersion).toBe(actualVersion)
    expect(Object.isFrozen(refusal)).toBe(true)
  })

  it('a change that was made meanwhile, where the policy wants none', () => {
    const world = createWorld()
    world.accept('workflow', { strict: 2 })
    const refusal = world.refuse('ann', { strict: 3 })
    expect(refusal).toMatchObject({ reason: 'concurrent-change', key: 'strict', actualVersion: 2 })
    expect(refusal.message).toContain('version 1 was read, but workflow has written version 2 since')
  })

  it('a view that has moved on, and a run that has ended', async () => {
    const definition = defineContext({ title: entry(z.string()) })
    const workflow = definition
      .workflow()
      .createMachine({ initial: 'on', states: { on: { on: { stop: 'off' } }, off: { type: 'final' } } })
    const runtime = await createRuntime()
    const run = await runtime.start(workflow)
    const seen = run.seq
    await run.update({ title: 'first' }, { expectedSeq: seen })
    const now = run.seq
    const refusal = await run.tryUpdate({ title: 'second' }, { expectedSeq: seen })
    expect(refusal).toMatchObject({ kind: 'refused', reason: 'expected-seq', author: 'outside' })
    expect('message' in refusal ? refusal.message : '').toContain(`seq ${seen} was expected, but it is ${now}`)
    await run.send({ type: 'stop' })
    const late = await run.update({ title: 'late' }).catch((error: unknown) => error)
    expect(isCallboardError(late, 'run.finished')).toBe(true)
    await runtime.close()
  })
})

describe('an update', () => {
  it('is accepted as a whole or not at all', () => {
    const world = createWorld()
    world.refuse('ann', { title: 'new', list: ['wrong'] })
    world.refuse('ann', { title: 'new', id: 'run-2' })
    expect(world.board.get('title')).toBe('first')
  })

  it('of a protected key with an equal value is accepted and changes nothing', () => {
    const world = createWorld()
    expect(world.accept('ann', { id: 'run-1' })).toMatchObject({ skipped: ['id'], changes: [] })
    expect(world.board.entry('id')?.version).toBe(1)
  })

  it('may delete protected entries where the catalogue protects even an absent one from it', () => {
    const world = new BoardWorld({ id: entry(z.string(), { protected: true }) }, { agents: { ann: { writes: ['*'] } } })
    expect(world.refuse('ann', { id: drop() })).toMatchObject({ reason: 'protected' })
  })

  it('with expectedVersion creates only where nothing is, and replaces only what was read', () => {
    const world = createWorld()
    world.accept('ann', { any: put('new', { expectedVersion: 0 }) })
    world.accept('ann', { any: 'newer' }, { expectedVersion: { any: 1 } })
    expect(world.board.get('any')).toBe('newer')
    world.accept('ann', { any: drop() }, { expectedVersion: { any: 2 } })
    expect(world.board.has('any')).toBe(false)
  })
})
