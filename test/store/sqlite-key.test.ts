import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isCallboardError } from 'callboard'
import { openSqlite } from 'callboard/sqlite'
import type { SqliteStore } from 'callboard/sqlite'
import { describe, expect, it } from 'vitest'
import { sampleBatch, sampleSnapshot } from '../../src/testing/sample-records.ts'
import { freshPath, openStore } from './world.ts'

const KEY = 'a key that nobody can guess, really'
const OTHER_KEY = new Uint8Array(32).fill(7)
/** Must not be found anywhere on disk: in values, questions and snapshots. */
const SECRET = 'correct-horse-battery-staple'

/** Every file beside the database, the log and its leftovers included. */
function bytesOnDisk(path: string): string {
  const folder = dirname(path)
  return readdirSync(folder)
    .map((name) => readFileSync(join(folder, name)).toString('latin1'))
    .join('\n')
}

async function fill(store: SqliteStore): Promise<void> {
  for (let seq = 1; seq <= 30; seq++) {
    await store.append([sampleBatch('run', seq, seq, { value: { password: SECRET, seq } })])
  }
  await store.putSnapshot({
    ...sampleSnapshot('run', 30, 'id', { password: SECRET }),
    metadata: { note: SECRET },
    reason: SECRET,
  })
}

async function valuesOf(store: SqliteStore): Promise<readonly unknown[]> {
  return (await store.read('run')).map(({ changes }) => (changes[0]!.cell.entry.value as { password: string }).password)
}

describe('with a key', () => {
  it.each([{}, { compression: 'zstd' as const }])(
    'nothing of a value is on disk in the clear (%o)',
    async (options) => {
      const path = freshPath()
      const store = await openStore(path, { key: KEY, ...options })
      await fill(store)
      expect(bytesOnDisk(path)).not.toContain(SECRET)
      await store.close()
      expect(bytesOnDisk(path)).not.toContain(SECRET)
      expect(bytesOnDisk(path)).not.toContain(KEY)
      const again = await openStore(path, { key: KEY, ...options })
      expect(await valuesOf(again)).toEqual(Array.from({ length: 30 }, () => SECRET))
      expect((await again.snapshot('run'))?.state).toEqual({ password: SECRET })
    },
  )

  it('without one, the same search finds it: the search is worth something', async () => {
    const path = freshPath()
    const store = await openStore(path)
    await fill(store)
    expect(bytesOnDisk(path)).toContain(SECRET)
  })

  it('refuses to open with another key, without one, and where there is none', async () => {
    const path = freshPath()
    const store = await openSqlite(path, { key: KEY })
    await fill(store)
    await store.close()
    for (const key of ['another key that nobody knows', OTHER_KEY]) {
      const error = await openSqlite(path, { key }).catch((reason: unknown) => reason)
      expect(isCallboardError(error, 'store.wrong-key')).toBe(true)
      expect(JSON.stringify([String(error), error])).not.toContain(SECRET)
    }
    await expect(openSqlite(path)).rejects.toMatchObject({ code: 'store.wrong-key' })
    const plain = freshPath()
    await (await openSqlite(plain)).close()
    await expect(openSqlite(plain, { key: KEY })).rejects.toMatchObject({ code: 'store.wrong-key' })
    await expect(openSqlite(freshPath(), { key: 'too short' })).rejects.toMatchObject({ code: 'store.weak-key' })
  })

  it('changes the key of everything, without traces of what was there', async () => {
    const path = freshPath()
    const store = await openStore(path)
    await fill(store)
    await store.trim('run', 11)
    const bystander = await openStore(path)
    expect(await bystander.read('run', { afterSeq: 10 })).toHaveLength(20)

    await store.rotateKey(KEY)
    expect(bytesOnDisk(path)).not.toContain(SECRET)
    await expect(bystander.read('run', { afterSeq: 10 })).rejects.toMatchObject({ code: 'store.wrong-key' })
    await expect(bystander.append([sampleBatch('run', 31)])).rejects.toMatchObject({ code: 'store.wrong-key' })
    await bystander.close()
    await store.append([sampleBatch('run', 31, 31, { value: { password: SECRET } })])
    expect((await store.verify()).damage).toEqual([])

    await store.rotateKey(OTHER_KEY)
    await store.close()
    await expect(openSqlite(path, { key: KEY })).rejects.toMatchObject({ code: 'store.wrong-key' })
    const again = await openStore(path, { key: OTHER_KEY })
    expect(await again.read('run', { afterSeq: 10 })).toHaveLength(21)
    expect((await again.snapshot('run'))?.metadata).toEqual({ note: SECRET })
    expect((await again.verify()).damage).toEqual([])

    await again.rotateKey(undefined)
    await again.close()
    const plain = await openStore(path)
    expect(await plain.read('run', { afterSeq: 10 })).toHaveLength(21)
    expect((await plain.verify()).damage).toEqual([])
  })

  it('stays with the old key when the change fails', async () => {
    const path = freshPath()
    const store = await openStore(path, { key: KEY })
    await fill(store)
    await expect(store.rotateKey('short')).rejects.toMatchObject({ code: 'store.weak-key' })
    await store.append([sampleBatch('run', 31)])
    await store.close()
    const again = await openStore(path, { key: KEY })
    expect(await again.read('run')).toHaveLength(31)
  })
})
