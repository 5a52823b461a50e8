import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { dirname, join } from 'node:path'
import { isCallboardError } from 'callboard'
import { inspectSqlite, openSqlite } from 'callboard/sqlite'
import type { SqliteStore } from 'callboard/sqlite'
import { failAt, setFaultHandler } from 'callboard/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openDatabase } from '../../src/store/sqlite/database.ts'
import type { Database } from '../../src/store/sqlite/database.ts'
import { assertSchema, formatOf, migrate, MIGRATIONS, SQLITE_FORMAT } from '../../src/store/sqlite/schema.ts'
import { sampleBatch, sampleSnapshot } from '../../src/testing/sample-records.ts'
import { freshFolder, freshPath, openStore, runChild } from './world.ts'

function failureOf(act: () => void): unknown {
  try {
    return act()
  } catch (error) {
    return error
  }
}

describe('the format of a file', () => {
  function openRaw(path: string): Database {
    const db = openDatabase(path, 1_000)
    onTestFinished(() => db.close())
    return db
  }

  it('is brought up to date by each migration once, in one transaction', async () => {
    const path = freshPath()
    const store = await openSqlite(path)
    await store.append([sampleBatch('run', 1, 5)])
    await store.close()
    const db = openRaw(path)
    const more = [...MIGRATIONS, 'ALTER TABLE runs ADD COLUMN later TEXT', 'CREATE TABLE latest (a)']
    migrate(db, path, { migrations: more })
    migrate(db, path, { migrations: more })
    expect(formatOf(db, path, more.length)).toBe(MIGRATIONS.length + 2)
    expect(db.prepare('SELECT count(*) AS count FROM records').get()?.['count']).toBe(5)
  })

  it('stays as it was when a migration fails', async () => {
    const path = freshPath()
    await (await openSqlite(path)).close()
    const db = openRaw(path)
    const broken = [...MIGRATIONS, 'CREATE TABLE half (a)', 'CREATE TABLE half (a)']
    expect(() => migrate(db, path, { migrations: broken })).toThrow('half')
    expect(formatOf(db, path)).toBe(SQLITE_FORMAT)
    expect(() => assertSchema(db, path)).not.toThrow()
    expect(db.prepare(`SELECT count(*) AS count FROM sqlite_schema WHERE name = 'half'`).get()?.['count']).toBe(0)
  })

  it('is none or the newest, whenever another process makes the tables', () => {
    for (const moment of [1, 2, 3]) {
      const path = freshPath()
      const other = openDatabase(path, 0)
      const db = openRaw(path)
      let statements = 0
      const meanwhile = new Proxy(db, {
        get: (target, name) => {
          const found: unknown = Reflect.get(target, name)
          if (name !== 'prepare') return typeof found === 'function' ? (found as () => unknown).bind(target) : found
          return (sql: string) => {
            statements += 1
            // Where it has to wait, it comes later.
            if (statements === moment) failureOf(() => migrate(other, path))
            return target.prepare(sql)
          }
        },
      })
      expect([0, SQLITE_FORMAT]).toContain(formatOf(meanwhile, path))
      other.close()
    }
  })

  it('is refused when it is newer, with what to do', async () => {
    const path = freshPath()
    await (await openSqlite(path)).close()
    const db = new DatabaseSync(path)
    db.exec('PRAGMA user_version = 99')
    db.close()
    const error = await openSqlite(path).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'store.format', details: { format: 99 } })
    expect(String(error)).toContain('update callboard')
  })

  it('is left as it is when it is empty and nothing is to be made of it', async () => {
    const path = freshPath()
    writeFileSync(path, '')
    await expect(openSqlite(path, { migrate: false })).rejects.toMatchObject({ code: 'store.format' })
    expect(readdirSync(dirname(path)).map((name) => [name, statSync(join(dirname(path), name)).size])).toEqual([
      ['runs.db', 0],
    ])
    await (await openSqlite(path)).close()
  })

  it('is told by its code where it cannot be looked at', async () => {
    const folder = dirname(freshPath())
    expect(() => inspectSqlite(folder)).toThrow(expect.objectContaining({ code: 'store.unreadable' }))
  })

  it('is private to its owner where the side file is concerned, and needs a path', async () => {
    const path = freshPath()
    await (await openSqlite(path)).close()
    expect(statSync(`${path}-heads`).mode & 0o077).toBe(0)
    for (const none of ['', ':memory:']) await expect(openSqlite(none)).rejects.toMatchObject({ code: 'store.path' })
  })
})

/** Appends until something goes wrong; says what, and how far it came. */
async function fillUp(store: SqliteStore, from: number): Promise<{ readonly stored: number; readonly error: unknown }> {
  for (let seq = from; ; seq++) {
    try {
      await store.append([sampleBatch('run', seq, seq, { value: 'x'.repeat(20_000) })])
    } catch (error) {
      return { stored: seq - 1, error }
    }
  }
}

describe('a full disk', () => {
  it('is a typed error; reading goes on, and writing once there is room', async () => {
    const store = await openStore(freshPath(), { maxPageCount: 200 })
    await store.append([sampleBatch('ballast', 1, 1, { value: 'x'.repeat(100_000) })])
    const { stored, error } = await fillUp(store, 1)
    expect(isCallboardError(error, 'store.full'), String(error)).toBe(true)
    expect(await store.read('run')).toHaveLength(stored)
    expect((await store.summary('run'))?.seq).toBe(stored)
    await expect(store.putSnapshot(sampleSnapshot('run', 1, 'big', 'x'.repeat(90_000)))).rejects.toMatchObject({
      code: 'store.full',
    })
    await store.remove('ballast')
    await store.append([sampleBatch('run', stored + 1, stored + 1, { value: 'x'.repeat(20_000) })])
    expect(await store.read('run')).toHaveLength(stored + 1)
    expect((await store.verify()).damage).toEqual([])
  })

  it('on a real file system of two megabytes', async (context) => {
    const folder = freshFolder()
    const room = join(folder, 'room')
    mkdirSync(room)
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', room])
    if (mounted.status !== 0) context.skip('mounting a file system is not permitted here')
    onTestFinished(() => void spawnSync('umount', [room]))
    const ballast = join(room, 'ballast')
    writeFileSync(ballast, Buffer.alloc(700_000))
    const store = await openStore(join(room, 'runs.db'), { durability: 'full' })
    const { stored, error } = await fillUp(store, 1)
    expect(isCallboardError(error, 'store.full'), String(error)).toBe(true)
    expect(stored).toBeGreaterThan(10)
    expect(await store.read('run')).toHaveLength(stored)
    const again = await fillUp(store, stored + 1)
    expect(isCallboardError(again.error, 'store.full'), String(again.error)).toBe(true)
    unlinkSync(ballast)
    const next = again.stored + 1
    await store.append([sampleBatch('run', next, next, { value: 'x'.repeat(20_000) })])
    expect(await store.read('run')).toHaveLength(next)
    expect((await store.verify()).damage).toEqual([])
    await store.close()
  })
})

describe('another process that holds the lock', () => {
  it('is a typed error when it takes too long, and nothing was appended', async () => {
    const path = freshPath()
    const store = await openStore(path, { busyTimeoutMs: 20 })
    await store.append([sampleBatch('run', 1)])
    const other = new DatabaseSync(path)
    other.exec('BEGIN IMMEDIATE')
    await expect(store.append([sampleBatch('run', 2)])).rejects.toMatchObject({ code: 'store.busy' })
    expect(await store.read('run')).toHaveLength(1)
    other.exec('ROLLBACK')
    other.close()
    await store.append([sampleBatch('run', 2)])
    expect(await store.read('run')).toHaveLength(2)
  })
})

describe('a fault', () => {
  it.each([
    ['append:before', 1, 1],
    ['append:after', 2, 2],
  ])('at %s leaves an append whole or absent', async (name, seqAfterwards) => {
    const store = await openStore(freshPath())
    await store.append([sampleBatch('run', 1)])
    setFaultHandler(failAt(name, 1, 'throw'))
    onTestFinished(() => setFaultHandler(undefined))
    await expect(store.append([sampleBatch('run', 2)])).rejects.toMatchObject({ code: 'fault.injected' })
    setFaultHandler(undefined)
    expect((await store.summary('run'))?.seq).toBe(seqAfterwards)
    await store.append([sampleBatch('run', seqAfterwards + 1)])
    expect((await store.verify()).damage).toEqual([])
  })

  it('that the environment asks for kills at the named time', async () => {
    const path = freshPath()
    const child = runChild('append-forever.child.ts', [path, '1', '50', 'process'], {
      env: { CALLBOARD_FAULT: 'append:after:3(kill)' },
    })
    expect(await child.ended).toBe('SIGKILL')
    expect(child.lines.filter((line) => line.startsWith('run-'))).toHaveLength(2)
    const store = await openStore(path)
    expect(await store.read('run-0')).toHaveLength(1 + 2 + 1)
  })
})

describe('group commit', () => {
  const ROUNDS = 20
  const WRITERS = 100

  /** The calls of a process that force data to disk or write a line, in order. */
  async function trace(runs: number, appends: number, durability: string): Promise<readonly string[]> {
    const folder = freshFolder()
    const log = join(folder, 'calls')
    const strace = ['strace', '-f', '-e', 'trace=fsync,fdatasync,write', '-e', 'signal=none', '-s', '40', '-o', log]
    const child = runChild(
      'append-forever.child.ts',
      [join(folder, 'runs.db'), String(runs), String(appends), durability],
      {
        before: strace,
      },
    )
    expect(await child.ended).toBe(0)
    const calls = readFileSync(log, 'utf8').split('\n')
    const from = calls.findIndex((call) => call.includes('write(1, "open'))
    const to = calls.findIndex((call) => call.includes('write(1, "closed'))
    return calls.slice(from + 1, to).filter((call) => /fsync\(|fdatasync\(|write\(1, "run-/.test(call))
  }

  function whyNoTrace(): string | undefined {
    const tried = spawnSync('strace', ['-f', '-e', 'trace=none', 'true'])
    if (tried.error !== undefined) return 'strace is not installed'
    return tried.status === 0 ? undefined : 'tracing processes is not permitted here'
  }

  it('forces each append to disk before it is acknowledged', async (context) => {
    const reason = whyNoTrace()
    if (reason !== undefined) context.skip(reason)
    const calls = await trace(1, ROUNDS, 'full')
    let forced = 0
    let acknowledged = 0
    for (const call of calls) {
      if (!call.includes('write(1')) forced += 1
      else {
        acknowledged += 1
        expect(forced, `before acknowledgement ${acknowledged}`).toBeGreaterThanOrEqual(1)
        forced = 0
      }
    }
    expect(acknowledged).toBe(ROUNDS)
  })

  it('forces once for a hundred writers at a time', async (context) => {
    const reason = whyNoTrace()
    if (reason !== undefined) context.skip(reason)
    const calls = await trace(WRITERS, ROUNDS, 'full')
    const acknowledged = calls.filter((call) => call.includes('write(1')).length
    // The last calls belong to closing; restarting the log and a checkpoint may add some.
    const untilLast = calls.slice(
      0,
      calls.findLastIndex((call) => call.includes('write(1')),
    )
    const forced = untilLast.filter((call) => !call.includes('write(1')).length
    expect(acknowledged).toBe(WRITERS * ROUNDS)
    expect(forced).toBeGreaterThanOrEqual(ROUNDS)
    expect(forced).toBeLessThanOrEqual(ROUNDS + 5)
  })

  it('does not wait for the disk with durability: process', async (context) => {
    const reason = whyNoTrace()
    if (reason !== undefined) context.skip(reason)
    const calls = await trace(1, ROUNDS, 'process')
    const lastAcknowledged = calls.findLastIndex((call) => call.includes('write(1'))
    const forced = calls.slice(0, lastAcknowledged).filter((call) => !call.includes('write(1'))
    // Once, where SQLite begins its log anew.
    expect(forced.length).toBeLessThanOrEqual(1)
  })
})

it('leaves nothing open behind: a closed file can be removed and made anew', async () => {
  const path = freshPath()
  const store = await openSqlite(path)
  await store.append([sampleBatch('run', 1)])
  await store.close()
  expect(existsSync(`${path}-wal`)).toBe(false)
  unlinkSync(path)
  const fresh = await openStore(path)
  expect(await fresh.list()).toEqual([])
})
