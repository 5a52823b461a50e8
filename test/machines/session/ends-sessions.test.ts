import { spawnSync } from 'node:child_process'
import { beforeAll, describe, expect, it } from 'vitest'
import { createSessions } from 'callboard/machines/session'
import { freshPath, openStore } from '../../store/world.ts'
import { ensureBuilt, ROOT } from '../../support/built-package.ts'
import { createTestClock } from '../../support/clock.ts'
import { createSessionWorld } from './world.ts'

const LIFETIME = { lifetimeMs: 1_000, collectEveryMs: false } as const

beforeAll(ensureBuilt)

describe('a session’s life time', () => {
  it('is over, for readers at once, when the session is strictly older', async () => {
    const { sessions, clock } = await createSessionWorld(LIFETIME)
    await sessions.set('s', 'x', 1)
    await clock.advance(1_000)
    expect(await sessions.get('s')).toEqual({ x: 1 })
    await clock.advance(1)
    expect(await sessions.get('s')).toEqual({})
    expect(await sessions.info('s')).toBeUndefined()
    expect(await sessions.list()).toEqual([])
    expect(await sessions.delete('s')).toBe(false)
  })

  it('begins anew with every update, and not with a reading', async () => {
    const { sessions, clock } = await createSessionWorld(LIFETIME)
    await sessions.set('s', 'x', 1)
    for (let round = 0; round < 5; round++) {
      await clock.advance(900)
      await sessions.update('s', { round })
    }
    await clock.advance(600)
    expect(await sessions.get('s')).toEqual({ x: 1, round: 4 })
    await clock.advance(401)
    expect(await sessions.get('s')).toEqual({})
  })

  it('once over, a write begins a new session with nothing of the old one', async () => {
    const { sessions, clock, told } = await createSessionWorld(LIFETIME)
    await sessions.set('s', 'old', 1)
    await clock.advance(1_001)
    await sessions.set('s', 'new', 2)
    expect(await sessions.get('s')).toEqual({ new: 2 })
    expect(told.filter(([, type]) => type === 'create_session')).toHaveLength(2)
  })

  it('has no end unless one is given', async () => {
    const { sessions, clock } = await createSessionWorld({ collectEveryMs: 3_600_000 })
    await sessions.set('s', 'x', 1)
    await clock.advance(7 * 24 * 3_600_000)
    expect(await sessions.get('s')).toEqual({ x: 1 })
  })

  it('is looked at only when sessions are collected, where that is asked for', async () => {
    const { sessions, clock } = await createSessionWorld({ lifetimeMs: 1_000, expires: false, collectEveryMs: 10_000 })
    await sessions.set('s', 'x', 1)
    await clock.advance(9_000)
    expect(await sessions.get('s')).toEqual({ x: 1 })
    await clock.advance(1_000)
    expect(await sessions.get('s')).toEqual({})
  })
})

describe('collecting', () => {
  it('forgets what is over, in the store too, every ten seconds, and tells listeners once it is done', async () => {
    const store = await openStore(freshPath())
    const clock = createTestClock()
    const sessions = await createSessions({ store, clock, lifetimeMs: 1_000 })
    const read: unknown[] = []
    const told: string[] = []
    sessions.on(async (id, type) => {
      if (type !== 'garbage_collected') return
      told.push(id)
      // In S3, a listener that read deadlocked the store.
      read.push(await sessions.get(id))
    })
    await sessions.set('over', 'x', 1)
    await sessions.set('deleted', 'x', 1)
    await sessions.delete('deleted')
    await clock.advance(9_500)
    await sessions.set('alive', 'x', 1)
    expect((await store.list()).map(({ runId }) => runId)).toEqual(['session:over', 'session:alive'])
    await clock.advance(500)
    await clock.settle()
    expect((await store.list()).map(({ runId }) => runId)).toEqual(['session:alive'])
    expect(told).toEqual(['over'])
    expect(read).toEqual([{}])
    expect((await store.verify()).damage).toEqual([])
    await sessions.close()
  })

  it('finds what a process left behind that is gone', async () => {
    const path = freshPath()
    const clock = createTestClock()
    const before = await createSessions({ store: await openStore(path), clock, ...LIFETIME })
    await before.set('s', 'x', 1)
    await before.close()
    await clock.advance(5_000)
    const store = await openStore(path)
    const after = await createSessions({ store, clock, ...LIFETIME })
    expect(await after.collect()).toEqual(['s'])
    expect(await after.collect()).toEqual([])
    expect(await store.list()).toEqual([])
    await after.close()
  })

  it('never takes a session that has been written to in the meantime', async () => {
    const { sessions, clock } = await createSessionWorld({ ...LIFETIME, expires: false })
    await sessions.set('s', 'x', 1)
    await clock.advance(1_001)
    const [collected] = await Promise.all([sessions.collect(), sessions.set('s', 'y', 2)])
    const data = await sessions.get('s')
    expect(data).toEqual(collected.length === 0 ? { x: 1, y: 2 } : { y: 2 })
  })

  it('can be stopped, and goes on by hand', async () => {
    const { sessions, clock, told } = await createSessionWorld({ lifetimeMs: 1_000, collectEveryMs: 10_000 })
    await sessions.set('s', 'x', 1)
    sessions.stop()
    sessions.stop()
    await clock.advance(60_000)
    expect(told.map(([, type]) => type)).not.toContain('garbage_collected')
    expect(await sessions.collect()).toEqual(['s'])
  })

  it('keeps no process alive, nor do life times', () => {
    const script = `
      import { createSessions } from 'callboard/machines/session'
      const sessions = await createSessions({ lifetimeMs: 3_600_000 })
      await sessions.set('s', 'x', 1)
      console.log(JSON.stringify(await sessions.get('s')))`
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd: ROOT,
      encoding: 'utf8',
      timeout: 15_000,
    })
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '{"x":1}\n', stderr: '' })
  })
})

describe('listeners', () => {
  it('are told what happened to which session, after it is stored, and only of changes', async () => {
    const { sessions, told } = await createSessionWorld(LIFETIME)
    await sessions.create('s')
    await sessions.create('s')
    await sessions.set('s', 'x', 1)
    await sessions.update('s', { x: { y: 2 } })
    await sessions.update('s', {})
    await sessions.get('s')
    await sessions.delete('s')
    await sessions.delete('s')
    await sessions.collect()
    expect(told).toEqual([
      ['s', 'create_session', null],
      ['s', 'set_context', { x: 1 }],
      ['s', 'update_partial', { x: { y: 2 } }],
      ['s', 'delete_context', null],
    ])
  })

  it('that throw harm neither the others nor the operation, and are reported', async () => {
    const failures: unknown[] = []
    const { sessions, told, clock } = await createSessionWorld({ onFailure: (error) => void failures.push(error) })
    const [thrown, rejected] = [new Error('thrown'), new Error('rejected')]
    sessions.on(() => {
      throw thrown
    })
    sessions.on(() => Promise.reject(rejected))
    let later = 0
    sessions.on(() => void (later += 1))
    await sessions.set('s', 'x', 1)
    await clock.settle()
    expect(failures.filter((error) => error === thrown)).toHaveLength(2)
    expect(failures.filter((error) => error === rejected)).toHaveLength(2)
    expect(later).toBe(2)
    expect(told).toHaveLength(2)
    expect(await sessions.get('s')).toEqual({ x: 1 })
  })

  it('can be removed, also by themselves while they are told', async () => {
    const { sessions } = await createSessionWorld()
    const told: string[] = []
    const off = sessions.on((_id, type) => {
      told.push(type)
      off()
    })
    await sessions.set('s', 'x', 1)
    await sessions.set('s', 'x', 2)
    expect(told).toEqual(['create_session'])
  })

  it('may write to sessions themselves', async () => {
    const { sessions } = await createSessionWorld()
    const done = new Promise<void>((resolve) => {
      sessions.on(async (id, type) => {
        if (id !== 'a' || type !== 'set_context') return
        await sessions.set('b', 'copied', true)
        resolve()
      })
    })
    await sessions.set('a', 'x', 1)
    await done
    expect(await sessions.get('b')).toEqual({ copied: true })
  })

  it('are told nothing where that is asked for', async () => {
    const { sessions, told } = await createSessionWorld({ emits: false })
    await sessions.set('s', 'x', 1)
    expect(told).toEqual([])
  })
})
