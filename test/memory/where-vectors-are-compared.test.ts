import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { createMemory, createVolatileMemory, openSqliteMemory } from 'callboard/memory'
import type { MemoryStore, SqliteMemoryOptions } from 'callboard/memory'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openDatabase } from '../../src/memory/sqlite/database.ts'
import type { Database } from '../../src/memory/sqlite/database.ts'
import { migrate } from '../../src/memory/sqlite/schema.ts'
import { loadSqliteVec } from '../../src/memory/sqlite/sqlite-vec.ts'
import { SqliteMemory } from '../../src/memory/sqlite/sqlite-memory.ts'
import { freshFolder } from '../store/world.ts'
import { fact, remember } from './world.ts'

const run = promisify(execFile)
const embedder = {
  id: 'straight on',
  kind: 'lexical',
  embed: (texts: readonly string[]) => Promise.resolve(texts.map(() => [1, 0])),
} as const

const freshPath = (): string => join(freshFolder(), 'memory.db')

function openDb(path: string): Database {
  const db = openDatabase(path, { busyTimeoutMs: 1_000, allowExtension: true })
  onTestFinished(() => db.close())
  return db
}

/** What `straight on` finds. */
async function findings(store: MemoryStore): Promise<number> {
  const options = { threshold: 0.5, limit: 10 }
  return (await store.searchVector(Float32Array.of(1, 0), { scopes: 'all' }, options)).length
}

/** Whether it has vectors of its own: they do not change when those in the file do, behind its back. */
async function holdsVectors(store: MemoryStore, path: string): Promise<boolean> {
  const before = await findings(store)
  expect(before).toBeGreaterThan(0)
  const db = new DatabaseSync(path)
  const turn = db.prepare('UPDATE vectors SET vector = ?')
  turn.run(new Uint8Array(Float32Array.of(0, 1).buffer))
  const after = await findings(store)
  turn.run(new Uint8Array(Float32Array.of(1, 0).buffer))
  db.close()
  return after === before
}

describe('vectors are compared', () => {
  it.each([
    { vectors: 'scan', held: true },
    { vectors: 'sqlite-vec', held: false },
    { vectors: 'auto', held: true },
    { vectors: undefined, held: true },
  ] as const)('in process or in SQLite, as is said: $vectors', async ({ vectors, held }) => {
    const path = freshPath()
    const store = await openSqliteMemory(path, vectors === undefined ? {} : { vectors })
    onTestFinished(() => store.close())
    await remember((await createMemory({ store, embedder })).for({ runId: 'run' }), fact('tea'), fact('coal'))
    await store.searchWords(['tea'], { scopes: 'all' }, 1)
    expect(await holdsVectors(store, path)).toBe(held)
  })

  it('in process until they take too much there, and again when they do not any more', async () => {
    const path = freshPath()
    const db = openDb(path)
    expect(loadSqliteVec(db, 'auto')).toBe(true)
    migrate(db, path)
    db.exec('PRAGMA journal_mode = WAL')
    const threeOfTwo = 3 * 2 * Float32Array.BYTES_PER_ELEMENT
    const store = new SqliteMemory(db, { path, durable: true, scanBytes: threeOfTwo })
    const memory = await createMemory({ store, embedder })
    const me = memory.for({ runId: 'run' })
    await remember(me, fact('a'), fact('b'), fact('c'))
    expect(await holdsVectors(store, path)).toBe(true)
    const now = Date.now()
    await remember(me, fact('over soon', { expiresAt: now + 3_600_000 }))
    expect(await holdsVectors(store, path)).toBe(false)
    await store.searchWords(['soon'], { scopes: 'all' }, 1)
    expect(await findings(store)).toBe(4)
    await store.prune({ now: now + 3_600_000, retention: memory.retention, batchesBefore: 0 })
    expect(await findings(store)).toBe(3)
    expect(await holdsVectors(store, path)).toBe(true)
  })

  it('in a file that stays the same for whoever has no sqlite-vec', async () => {
    const path = freshPath()
    const writer = await openSqliteMemory(path, { vectors: 'sqlite-vec' })
    await remember((await createMemory({ store: writer, embedder })).for({ runId: 'run' }), fact('tea'))
    await writer.close()
    const store = await openSqliteMemory(path, { vectors: 'scan' })
    onTestFinished(() => store.close())
    await remember((await createMemory({ store, embedder })).for({ runId: 'run' }), fact('coal'))
    expect(await findings(store)).toBe(2)
  })
})

describe('sqlite-vec', () => {
  it('that is not installed is done without, or missed with the line that installs it', () => {
    const elsewhere = pathToFileURL(join(freshFolder(), 'index.js'))
    const db = openDb(':memory:')
    expect(loadSqliteVec(db, 'auto', elsewhere)).toBe(false)
    const asked = (): boolean => loadSqliteVec(db, 'sqlite-vec', elsewhere)
    expect(asked).toThrow(expect.objectContaining({ code: 'memory.no-sqlite-vec' }))
    expect(asked).toThrow('npm i sqlite-vec@0.1.9')
  })

  it('is the only library that is loaded', () => {
    const db = openDb(':memory:')
    const load = (): unknown => db.prepare(`SELECT load_extension('other')`).get()
    expect(load).toThrow('not authorized')
    expect(loadSqliteVec(db, 'sqlite-vec')).toBe(true)
    expect(load).toThrow('not authorized')
    expect(db.prepare('SELECT vec_version()').get()).toHaveLength(1)
  })

  it('is done without where permissions are restricted, or missed', async () => {
    const memory = new URL('../../src/memory/index.ts', import.meta.url).href
    const code = `
      const { createVolatileMemory } = await import(${JSON.stringify(memory)})
      console.log(createVolatileMemory().traits.durable)
      try { createVolatileMemory({ vectors: 'sqlite-vec' }) } catch (error) { console.log(error.code) }`
    const { stdout } = await run(
      process.execPath,
      ['--permission', '--allow-fs-read=*', '--input-type=module', '--eval', code],
      { cwd: fileURLToPath(new URL('../../', import.meta.url)) },
    )
    expect(stdout.split('\n')).toEqual(['false', 'memory.no-sqlite-vec', ''])
  })

  it('or not is said in one of three words', async () => {
    const wrong = { vectors: 'brute' } as unknown as SqliteMemoryOptions
    expect(() => createVolatileMemory(wrong)).toThrow(expect.objectContaining({ code: 'memory.option' }))
    await expect(openSqliteMemory(freshPath(), wrong)).rejects.toMatchObject({ code: 'memory.option' })
  })
})
