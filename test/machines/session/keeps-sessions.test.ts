import { describe, expect, it, onTestFinished } from 'vitest'
import { CallboardError, createRuntime, defineContext } from 'callboard'
import { createSessions, session } from 'callboard/machines/session'
import { freshPath, openStore } from '../../store/world.ts'
import { refusalOf } from '../../runtime/world.ts'
import { createTestClock } from '../../support/clock.ts'
import { createSessionWorld } from './world.ts'

describe('a session', () => {
  it('is created, set, read, and deleted; a second creation keeps what is in it', async () => {
    const { sessions } = await createSessionWorld()
    expect(await sessions.create('s')).toBe(true)
    await sessions.set('s', 'name', 'Ann')
    await sessions.set('s', 'name', 'Ben')
    await sessions.set('s', 'age', 30)
    expect(await sessions.create('s')).toBe(false)
    expect(await sessions.get('s')).toEqual({ name: 'Ben', age: 30 })
    expect(await sessions.delete('s')).toBe(true)
    expect(await sessions.get('s')).toEqual({})
    expect(await sessions.delete('s')).toBe(false)
  })

  it('that is unknown is empty to read, and is created by whoever writes to it', async () => {
    const { sessions } = await createSessionWorld()
    expect(await sessions.get('nobody')).toEqual({})
    expect(await sessions.info('nobody')).toBeUndefined()
    await sessions.set('a', 'x', 1)
    await sessions.update('b', { y: 2 })
    await sessions.update('c', {})
    expect(await sessions.list()).toEqual(['a', 'b', 'c'])
    expect(await sessions.get('b')).toEqual({ y: 2 })
  })

  it('takes a part at every depth, and leaves alone what the part does not name', async () => {
    const { sessions } = await createSessionWorld()
    await sessions.set('s', 'user', { name: 'Ann', address: { city: 'Rome', zip: '1' }, tags: ['a', 'b'] })
    await sessions.set('s', 'count', 1)
    await sessions.update('s', { user: { address: { zip: '2' }, tags: ['c'] }, mood: { good: true } })
    expect(await sessions.get('s')).toEqual({
      user: { name: 'Ann', address: { city: 'Rome', zip: '2' }, tags: ['c'] },
      count: 1,
      mood: { good: true },
    })
    await sessions.set('s', 'user', { name: 'Ben' })
    expect(await sessions.get('s')).toMatchObject({ user: { name: 'Ben' } })
    expect(((await sessions.get('s'))['user'] as object) ?? {}).not.toHaveProperty('address')
  })

  it('is apart from every other, whatever the ids and keys are', async () => {
    const { sessions } = await createSessionWorld()
    const odd = ['', ' ', '__proto__', 'constructor', 'a:b', 'session:', 'ü/🙂', 'x'.repeat(900)]
    for (const id of odd) await sessions.set(id, `${id}key`, id)
    for (const id of odd) expect(await sessions.get(id)).toEqual(Object.fromEntries([[`${id}key`, id]]))
    const data = await sessions.get('__proto__')
    expect(Object.getPrototypeOf(data)).toBe(Object.prototype)
    await sessions.set('p', '__proto__', { polluted: true })
    expect(Object.keys(await sessions.get('p'))).toEqual(['__proto__'])
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
    expect((await sessions.list()).length).toBe(odd.length + 1)
  })

  it('shares nothing with what was handed in or out', async () => {
    const { sessions } = await createSessionWorld()
    const given = { list: [1], when: new Date(0) }
    await sessions.set('s', 'given', given)
    given.list.push(2)
    given.when.setTime(5)
    const [one, other] = [await sessions.get('s'), await sessions.get('s')]
    expect(one).toEqual({ given: { list: [1], when: new Date(0) } })
    ;(one['given'] as { when: Date }).when.setTime(7)
    expect(other).toEqual({ given: { list: [1], when: new Date(0) } })
    expect(Object.isFrozen(one)).toBe(true)
    expect(await sessions.get('s')).toEqual({ given: { list: [1], when: new Date(0) } })
  })

  it('loses nothing when many write at once', async () => {
    const { sessions, told } = await createSessionWorld()
    await Promise.all(
      Array.from({ length: 40 }, (_, index) => sessions.update('s', { counts: { [`k${index}`]: index } })),
    )
    expect(Object.keys((await sessions.get('s'))['counts'] as object)).toHaveLength(40)
    expect(told.filter(([, type]) => type === 'create_session')).toHaveLength(1)
  })

  it('has a time of its last update that nobody sets, and that is read where it is asked for', async () => {
    const { sessions, clock } = await createSessionWorld()
    await sessions.set('s', 'x', 1)
    await clock.advance(5_000)
    await sessions.set('s', 'x', 2)
    await clock.advance(5_000)
    const updatedAt = Date.UTC(2026, 0, 1) + 5_000
    expect(await sessions.get('s', { timestamp: true })).toEqual({ x: 2, _timestamp: updatedAt / 1_000 })
    expect(await sessions.get('s')).toEqual({ x: 2 })
    expect(await sessions.info('s')).toEqual({
      id: 's',
      createdAt: updatedAt - 5_000,
      updatedAt,
      expiresAt: undefined,
    })
    expect((await refusalOf(sessions.set('s', '_timestamp', 0))).code).toBe('session.reserved-key')
    expect((await refusalOf(sessions.update('s', { x: 3, _timestamp: 0 }))).code).toBe('session.reserved-key')
    expect(await sessions.get('s')).toEqual({ x: 2 })
  })

  it('refuses what cannot be kept, as a whole, and goes on', async () => {
    const { sessions, told } = await createSessionWorld()
    await sessions.set('s', 'x', 1)
    const before = told.length
    const refused = await refusalOf(sessions.update('s', { x: 2, f: () => 1 }))
    expect(refused).toMatchObject({ code: 'update.refused', details: { reason: 'value' } })
    expect(await sessions.get('s')).toEqual({ x: 1 })
    expect(told).toHaveLength(before)
  })
})

describe('merging two sessions', () => {
  const setUp = async () => {
    const world = await createSessionWorld()
    await world.sessions.update('from', { user: { name: 'Ann', age: 30 }, only: 'from' })
    await world.sessions.update('into', { user: { name: 'Ben', city: 'Rome' }, mine: 1 })
    return world
  }

  it.each([
    ['deep', { user: { name: 'Ann', age: 30, city: 'Rome' }, only: 'from', mine: 1 }],
    ['safe', { user: { name: 'Ben', city: 'Rome' }, only: 'from', mine: 1 }],
    ['replace', { user: { name: 'Ann', age: 30 }, only: 'from', mine: 1 }],
  ] as const)('%s: keeps the first and changes the second as the policy says', async (policy, merged) => {
    const { sessions } = await setUp()
    await sessions.merge('from', 'into', { policy })
    expect(await sessions.get('into')).toEqual(merged)
    expect(await sessions.get('from')).toEqual({ user: { name: 'Ann', age: 30 }, only: 'from' })
  })

  it('takes a function of one’s own for a policy', async () => {
    const { sessions } = await setUp()
    await sessions.merge('from', 'into', {
      policy: ({ key, current, update }) => ({ kind: 'accept', value: { key, current, update }, conflicts: [] }),
    })
    expect(await sessions.get('into')).toMatchObject({
      user: { key: 'user', current: { name: 'Ben' }, update: { name: 'Ann' } },
    })
  })

  it('deep unless said otherwise, into a new one, and may remove the first', async () => {
    const { sessions, told } = await setUp()
    await sessions.merge('from', 'new', { remove: true })
    expect(await sessions.get('new')).toEqual({ user: { name: 'Ann', age: 30 }, only: 'from' })
    expect(await sessions.list()).toEqual(['into', 'new'])
    expect(told.slice(-3)).toEqual([
      ['new', 'create_session', null],
      ['new', 'merge_sessions', { from: 'from', policy: 'deep' }],
      ['from', 'delete_context', null],
    ])
  })

  it('refuses a policy that takes a key not, and then changes nothing', async () => {
    const { sessions } = await setUp()
    expect((await refusalOf(sessions.merge('from', 'into', { policy: 'counter' }))).code).toBe('update.refused')
    expect(await sessions.get('into')).toEqual({ user: { name: 'Ben', city: 'Rome' }, mine: 1 })
  })

  it('needs two, of which the first is there', async () => {
    const { sessions } = await setUp()
    expect((await refusalOf(sessions.merge('nobody', 'into'))).code).toBe('session.unknown')
    expect((await refusalOf(sessions.merge('into', 'into'))).code).toBe('session.unknown')
  })
})

describe('limits', () => {
  it('keep to so many sessions; those that are over do not count', async () => {
    const { sessions, clock } = await createSessionWorld({ maxSessions: 2, lifetimeMs: 1_000 })
    await sessions.create('a')
    await sessions.create('b')
    expect(await refusalOf(sessions.set('c', 'x', 1))).toMatchObject({ code: 'session.limit' })
    expect(await sessions.create('b')).toBe(false)
    await clock.advance(1_001)
    await sessions.set('c', 'x', 1)
    expect(await sessions.list()).toEqual(['c'])
  })

  it('keep one session to so much: a full one refuses what is new, and nothing is evicted', async () => {
    const { sessions } = await createSessionWorld({ limits: { maxBytes: 120 } })
    await sessions.set('s', 'a', 'x'.repeat(40))
    expect(await refusalOf(sessions.set('s', 'b', 'x'.repeat(80)))).toMatchObject({
      code: 'update.refused',
      details: { reason: 'limit' },
    })
    expect(await sessions.get('s')).toEqual({ a: 'x'.repeat(40) })
  })
})

describe('sessions in a file', () => {
  it('are there after a restart, with the time that was left', async () => {
    const path = freshPath()
    const clock = createTestClock()
    const before = await createSessions({ clock, store: await openStore(path), lifetimeMs: 10_000 })
    await before.set('s', 'x', { when: new Date(1), big: 5n })
    await clock.advance(6_000)
    await before.close()
    await before.close()
    const after = await createSessions({ clock, store: await openStore(path), lifetimeMs: 10_000 })
    onTestFinished(() => after.close())
    expect(await after.get('s')).toEqual({ x: { when: new Date(1), big: 5n } })
    await clock.advance(4_001)
    expect(await after.get('s')).toEqual({})
  })

  it('are shared by several who have it open: nothing is lost, and what is deleted is gone for all', async () => {
    const path = freshPath()
    const clock = createTestClock()
    const [one, two] = await Promise.all(
      [1, 2].map(async () => createSessions({ clock, store: await openStore(path), lifetimeMs: 60_000 })),
    )
    if (one === undefined || two === undefined) throw new Error('there are two')
    onTestFinished(async () => void (await Promise.all([one.close(), two.close()])))
    await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        Promise.all([one.set('s', `one${index}`, index), two.set('s', `two${index}`, index)]),
      ),
    )
    expect(Object.keys(await one.get('s'))).toHaveLength(20)
    expect(await two.get('s')).toEqual(await one.get('s'))
    await one.delete('s')
    expect(await two.get('s')).toEqual({})
    await two.set('s', 'new', 1)
    expect(await one.get('s')).toEqual({ new: 1 })
  })

  it('leave a runtime alone that was given', async () => {
    const runtime = await createRuntime({ workflows: [session] })
    onTestFinished(() => runtime.close())
    const sessions = await createSessions({ runtime, collectEveryMs: false })
    await sessions.set('s', 'x', 1)
    await sessions.close()
    expect((await runtime.open('session:s')).status).toBe('active')
  })
})

describe('runs of another workflow under the id of a session', () => {
  const board = defineContext({})
  const desk = board.workflow({ name: 'desk' }).createMachine({
    id: 'desk',
    initial: 'open',
    states: { open: { on: { stop: 'closed' } }, closed: { type: 'final' } },
  })

  it('are no sessions: writing says so, and they are neither shown nor ended nor forgotten', async () => {
    const runtime = await createRuntime({ workflows: [session, desk] })
    onTestFinished(() => runtime.close())
    const sessions = await createSessions({ runtime, collectEveryMs: false, lifetimeMs: 1 })
    const run = await runtime.start(desk, { runId: 'session:zed' })
    for (const status of ['active', 'done']) {
      await expect(sessions.update('zed', { a: 1 })).rejects.toMatchObject({ code: 'session.taken' })
      await expect(sessions.create('zed')).rejects.toThrow(
        'session zed cannot begin: its run session:zed is one of the workflow desk; choose another id, or remove that run',
      )
      expect(await sessions.get('zed')).toEqual({})
      expect(await sessions.info('zed')).toBeUndefined()
      expect(await sessions.list()).toEqual([])
      expect(await sessions.collect()).toEqual([])
      expect(await sessions.delete('zed')).toBe(false)
      await expect(sessions.merge('zed', 'ann')).rejects.toMatchObject({ code: 'session.unknown' })
      expect((await runtime.open('session:zed')).status).toBe(status)
      await run.send({ type: 'stop' }).catch(() => {})
    }
    await runtime.remove('session:zed')
    expect(await sessions.create('zed')).toBe(true)
  })

  it('are not opened either, be their workflow known or not', async () => {
    const path = freshPath()
    const before = await createRuntime({ store: await openStore(path), workflows: [desk] })
    await before.start(desk, { runId: 'session:zed' })
    await before.close()
    const sessions = await createSessions({ store: await openStore(path) })
    onTestFinished(() => sessions.close())
    expect(await sessions.get('zed')).toEqual({})
    await expect(sessions.set('zed', 'a', 1)).rejects.toMatchObject({ code: 'session.taken' })
  })

  it('do not make sessions of runs that somebody began under an id without their prefix', async () => {
    const runtime = await createRuntime({ workflows: [session] })
    onTestFinished(() => runtime.close())
    const sessions = await createSessions({ runtime, collectEveryMs: false })
    await runtime.start(session, { runId: 'somebody-elses', input: {} })
    expect(await sessions.list()).toEqual([])
  })
})

it('a write that others are always faster than ends, and says so', async () => {
  const runtime = await createRuntime({ workflows: [session] })
  onTestFinished(() => runtime.close())
  let begun = 0
  const start = (): Promise<never> => {
    begun += 1
    return Promise.reject(new CallboardError('run.exists', 'somebody was faster', {}))
  }
  // Each time it is begun by somebody, and over again when it is looked at.
  const raced = new Proxy(runtime, {
    get: (target, name) => {
      if (name === 'start') return start
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const sessions = await createSessions({ runtime: raced, collectEveryMs: false })
  await expect(sessions.set('ann', 'a', 1)).rejects.toMatchObject({ code: 'session.busy' })
  expect(begun).toBe(1_000)
})
