import { describe, expect, it, onTestFinished } from 'vitest'
import { createVolatileStore } from 'callboard'
import { createSessions, readSessionSettings } from 'callboard/machines/session'
import { refusalOf } from '../../runtime/world.ts'
import { createSessionWorld } from './world.ts'

describe('the environment', () => {
  it('says by default what it said before', () => {
    expect(readSessionSettings({})).toEqual({
      backend: 'memory',
      redisUrl: 'redis://localhost:6379/0',
      expires: false,
      lifetimeMs: 3_600_000,
      collects: false,
      emits: false,
      maxSessions: 1_000,
      compression: true,
    })
    expect(readSessionSettings({ USE_REDIS_CACHING: '', PATH: '/bin' })).toEqual(readSessionSettings({}))
  })

  it('is read in the variables of both systems', () => {
    expect(
      readSessionSettings({
        USE_REDIS_CACHING: 'true',
        REDIS_URL: 'rediss://cache:6380/1',
        TIME_BASED_EXPIRATION: '1',
        SESSION_EXPIRATION_SECONDS: '0.5',
        GARBAGE_COLLECTION: 'on',
        ASYNC_OPERATIONS: 'yes',
        EVENT_EMISSION: 'True',
      }),
    ).toMatchObject({
      backend: 'redis',
      redisUrl: 'rediss://cache:6380/1',
      expires: true,
      lifetimeMs: 500,
      collects: true,
      emits: true,
    })
    expect(
      readSessionSettings({
        CONTEXT_STORE_BACKEND: 'dynamodb',
        CONTEXT_STORE_MAX_SIZE: '7',
        CONTEXT_STORE_TTL: '86400',
        CONTEXT_STORE_COMPRESSION: 'false',
      }),
    ).toMatchObject({ backend: 'dynamodb', maxSessions: 7, expires: true, lifetimeMs: 86_400_000, compression: false })
  })

  it('that is not valid is an error at the start that names every variable', async () => {
    const env = { GARBAGE_COLLECTION: 'maybe', SESSION_EXPIRATION_SECONDS: '-1', CONTEXT_STORE_MAX_SIZE: 'many' }
    const error = await refusalOf(createSessions({ env }))
    expect(error).toMatchObject({ code: 'session.settings' })
    for (const name of Object.keys(env)) expect(error.message).toContain(name)
    expect(error.message).not.toContain('REDIS_URL')
    expect((await refusalOf(createSessions({ env: { REDIS_URL: 'localhost' } }))).message).toContain('REDIS_URL')
  })

  it('that asks for a backend is an error at the start, not silently memory, unless a store is given', async () => {
    for (const env of [{ USE_REDIS_CACHING: 'true' }, { CONTEXT_STORE_BACKEND: 'dynamodb' }]) {
      expect((await refusalOf(createSessions({ env }))).code).toBe('session.no-backend')
      const sessions = await createSessions({ env, store: createVolatileStore() })
      onTestFinished(() => sessions.close())
      expect(await sessions.create('s')).toBe(true)
    }
  })

  it('decides what is not said by the program, which has the last word', async () => {
    const env = { TIME_BASED_EXPIRATION: 'true', SESSION_EXPIRATION_SECONDS: '1', CONTEXT_STORE_MAX_SIZE: '1' }
    const silent = await createSessionWorld({ env })
    await silent.sessions.set('s', 'x', 1)
    expect((await refusalOf(silent.sessions.create('t'))).code).toBe('session.limit')
    await silent.clock.advance(1_001)
    expect(await silent.sessions.get('s')).toEqual({})
    expect(silent.told).toEqual([])
    const loud = await createSessionWorld({ env, emits: true, lifetimeMs: 5_000 })
    await loud.sessions.set('s', 'x', 1)
    await loud.clock.advance(1_001)
    expect(await loud.sessions.get('s')).toEqual({ x: 1 })
    expect(loud.told).toHaveLength(2)
  })
})
