// Appends leave the rows of runs behind (run-heads.ts): what a run is must not depend on how far behind they are.
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { basename, dirname, join } from 'node:path'
import { createVolatileStore, isCallboardError } from 'callboard'
import type { Store } from 'callboard'
import { openSqlite } from 'callboard/sqlite'
import type { SqliteStore } from 'callboard/sqlite'
import { failAt, setFaultHandler } from 'callboard/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { sampleBatch, sampleSnapshot } from '../../src/testing/sample-records.ts'
import { checkpoint } from './damaged-copy.ts'
import { freshFolder, freshPath, openStore } from './world.ts'

const SEED = Number(process.env['CALLBOARD_SEED'] ?? 20_260_101)
const KEY = 'a key that nobody can guess, really'

/** The files as they are now, elsewhere: what is left when the process is killed. */
function copyOf(path: string): string {
  const folder = join(freshFolder(), 'copy')
  cpSync(dirname(path), folder, { recursive: true })
  return join(folder, basename(path))
}

function change(path: string, sql: string): void {
  const db = new DatabaseSync(path)
  db.exec(sql)
  db.close()
}

/** What the rows of runs say, and the record up to which they are said to know all. */
function rowsOf(path: string): { readonly seqs: readonly unknown[]; readonly mark: string } {
  const db = new DatabaseSync(path)
  const seqs = db.prepare('SELECT seq FROM runs ORDER BY id').all()
  const mark = db.prepare(`SELECT value FROM meta WHERE name = 'mark'`).get()?.['value']
  db.close()
  return { seqs: seqs.map(({ seq }) => seq), mark: String(mark ?? '') }
}

/** The pages of rows that hold a text, in the order in which they stand. */
function leavesWith(bytes: Buffer, text: string): readonly Buffer[] {
  const pages = Array.from({ length: bytes.length / 4_096 }, (_, index) =>
    bytes.subarray(index * 4_096, index * 4_096 + 4_096),
  )
  return pages.filter((page) => page[0] === 0x0d && page.includes(text))
}

async function appendOneByOne(store: Store, runId: string, from: number, to: number): Promise<void> {
  for (let seq = from; seq <= to; seq++) await store.append([sampleBatch(runId, seq)])
}

describe('a file whose process was killed', () => {
  it.each([{}, { key: KEY }, { key: KEY, compression: 'zstd' as const }])(
    'has every record, whatever the rows of its runs say (%o)',
    async (options) => {
      const path = freshPath()
      const store = await openStore(path, options)
      for (let seq = 1; seq <= 40; seq++) await store.append(['a', 'b', 'c'].map((id) => sampleBatch(id, seq)))
      const copy = copyOf(path)
      expect(rowsOf(copy).seqs).toEqual([1, 1, 1])
      const again = await openStore(copy, options)
      expect((await again.list()).map(({ seq }) => seq)).toEqual([40, 40, 40])
      expect(await again.summary('b')).toEqual(await store.summary('b'))
      expect(await again.read('c')).toEqual(await store.read('c'))
      expect(await again.verify()).toEqual(await store.verify())
      await expect(again.append([sampleBatch('a', 40)])).rejects.toMatchObject({ code: 'store.conflict' })
      await again.append([sampleBatch('a', 41)])
      expect(rowsOf(copy).seqs).toEqual([40, 40, 40])
      expect((await again.verify()).damage).toEqual([])
    },
  )

  it('has few records behind its rows, and none once it was closed', async () => {
    const path = freshPath()
    const store = await openStore(path)
    await appendOneByOne(store, 'run', 1, 5_000)
    const [seq] = rowsOf(copyOf(path)).seqs
    expect(seq).toBeGreaterThan(2_500)
    expect(seq).toBeLessThan(5_000)
    await store.close()
    expect(rowsOf(path).seqs).toEqual([5_000])
  })

  it('gets a heads file that knows the newest records when the old one is gone', async () => {
    const path = freshPath()
    const store = await openStore(path)
    await appendOneByOne(store, 'run', 1, 30)
    const copy = copyOf(path)
    rmSync(`${copy}-heads`)
    await (await openSqlite(copy)).read('run')
    const killed = copyOf(copy)
    change(killed, 'DELETE FROM records WHERE seq > 20')
    const again = await openStore(killed)
    await expect(again.read('run')).rejects.toMatchObject({ details: { runId: 'run', seq: 21, what: 'lost-tail' } })
  })

  it('loses nothing by a mark that is gone, or that was set forward by hand', async () => {
    const path = freshPath()
    const store = await openStore(path)
    await appendOneByOne(store, 'run', 1, 30)
    for (const sql of [
      `DELETE FROM meta WHERE name = 'mark'`,
      `INSERT OR REPLACE INTO meta VALUES ('mark', '30|1|forged')`,
      `INSERT OR REPLACE INTO meta VALUES ('mark', 'nonsense')`,
    ]) {
      const copy = copyOf(path)
      change(copy, sql)
      const again = await openStore(copy)
      expect(await again.read('run')).toHaveLength(30)
      await again.append([sampleBatch('run', 31)])
      expect((await again.verify()).damage).toEqual([])
    }
  })

  it('tells of a page that broke in the newest records, and gives out every run that is not on it', async () => {
    const path = freshPath()
    const store = await openStore(path)
    const runIds = Array.from({ length: 12 }, (_, index) => `run-${index}`)
    for (const runId of runIds) await appendOneByOne(store, runId, 1, 10)
    checkpoint(path)
    for (const withHeads of [true, false]) {
      const copy = copyOf(path)
      const bytes = readFileSync(copy)
      const leaves = leavesWith(bytes, '"u10"')
      expect(leaves.length).toBeGreaterThan(3)
      leaves[2]?.fill(0xff)
      writeFileSync(copy, bytes)
      if (!withHeads) rmSync(`${copy}-heads`)
      const again = await openStore(copy)
      const whole: string[] = []
      for (const runId of runIds) {
        try {
          expect(await again.read(runId)).toHaveLength(10)
          whole.push(runId)
        } catch (error) {
          expect(isCallboardError(error, 'store.damaged'), String(error)).toBe(true)
        }
      }
      // Without the heads file nobody can say of a run that nothing of it was on that page.
      if (withHeads) expect(whole.length).toBeGreaterThan(6)
      else expect(whole).toEqual([])
      expect((await again.verify()).damage).not.toEqual([])
    }
  })

  it('takes no record that was added without the key', async () => {
    const path = freshPath()
    const store = await openStore(path, { key: KEY })
    await appendOneByOne(store, 'run', 1, 30)
    const copy = copyOf(path)
    change(
      copy,
      `INSERT INTO records (run, seq, prev, at, kind, hash, body) SELECT run, 31, id, at, kind, hash, body FROM records WHERE seq = 30`,
    )
    const again = await openStore(copy, { key: KEY })
    await expect(again.summary('run')).rejects.toMatchObject({ details: { runId: 'run', seq: 31, what: 'inserted' } })
  })

  it('still knows of damage that nobody repaired after more was written and it was closed', async () => {
    const path = freshPath()
    const store = await openStore(path)
    for (let seq = 1; seq <= 30; seq++) await store.append([sampleBatch('good', seq), sampleBatch('bad', seq)])
    const copy = copyOf(path)
    change(copy, `UPDATE records SET at = at + 1 WHERE run = 2 AND seq = 12`)
    for (const [from, to] of [
      [31, 40],
      [41, 50],
    ] as const) {
      const again = await openSqlite(copy)
      await appendOneByOne(again, 'good', from, to)
      await again.putSnapshot(sampleSnapshot('good', to))
      await expect(again.summary('bad')).rejects.toMatchObject({ details: { runId: 'bad', seq: 12, what: 'changed' } })
      await again.close()
    }
    const last = await openStore(copy)
    expect(await last.read('good')).toHaveLength(50)
    await expect(last.append([sampleBatch('bad', 31)])).rejects.toMatchObject({ code: 'store.damaged' })
    expect((await last.verify()).damage).toEqual([expect.objectContaining({ runId: 'bad', seq: 12, what: 'changed' })])
    await last.remove('bad')
    expect((await last.verify()).damage).toEqual([])
    await last.close()
    expect(rowsOf(copy).seqs).toEqual([50])
  })
})

it('takes several processes through removals beside damage that nobody repairs', async () => {
  const path = freshPath()
  const store = await openStore(path)
  await appendOneByOne(store, 'bad', 1, 10)
  await appendOneByOne(store, 'run', 1, 5)
  const copy = copyOf(path)
  change(copy, `UPDATE records SET at = at + 1 WHERE run = 1 AND seq = 4`)
  const one = await openStore(copy)
  await one.append([sampleBatch('last', 1, 20)])
  await one.remove('last')
  const other = await openStore(copy)
  for (let seq = 6; seq <= 20; seq += 2) {
    await other.append([sampleBatch('run', seq)])
    await one.append([sampleBatch('run', seq + 1)])
  }
  expect(await one.read('run')).toHaveLength(21)
  await expect(other.read('bad')).rejects.toMatchObject({ details: { runId: 'bad', seq: 4 } })
})

/** xorshift32: choices that can be repeated. */
function seeded(seed: number): (below: number) => number {
  let state = seed | 1
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

const RUN_IDS = ['a', 'b', 'c', 'd'] as const

/** One thing that may be done to a store, the same whatever the store. */
function randomAct(random: (below: number) => number, step: number): (store: Store) => Promise<unknown> {
  const runId = RUN_IDS[random(RUN_IDS.length)] ?? 'a'
  const kind = random(20)
  const size = 1 + random(4)
  const stale = random(15) === 0 ? 1 : 0
  const back = random(6)
  return async (store) => {
    const seq = (await store.summary(runId))?.seq ?? 0
    if (kind < 12) return store.append([sampleBatch(runId, seq + 1 + stale, seq + size + stale)])
    if (kind === 12) return store.append([sampleBatch(runId, seq + 1, seq + size, { summary: { status: 'done' } })])
    if (kind === 13) return store.append([sampleBatch(runId, seq + 1, seq + 1, { summary: { updatedAt: step } })])
    if (kind < 16) return store.putSnapshot(sampleSnapshot(runId, Math.max(1, seq - back), `s${step}`))
    if (kind < 18) return store.trim(runId, Math.max(1, seq - back))
    if (kind === 18) return store.remove(runId)
    return store.list({ status: 'done' })
  }
}

async function outcomeOf(act: Promise<unknown>): Promise<unknown> {
  try {
    return await act
  } catch (error) {
    if (!isCallboardError(error)) throw error
    return error.code
  }
}

async function contentsOf(store: Store): Promise<unknown> {
  const runs = await store.list()
  const records: unknown[] = []
  for (const { runId } of runs) {
    const [first] = await store.snapshots(runId)
    records.push(await outcomeOf(store.read(runId, { afterSeq: first?.seq ?? 0 })), await outcomeOf(store.read(runId)))
  }
  return { runs, records }
}

describe('several connections that take turns', () => {
  it.each([1, 2, 3, 4, 5, 6])('are one store, whatever they do (%i)', async (number) => {
    const seed = SEED + number
    const random = seeded(seed)
    const path = freshPath()
    const options = number % 2 === 0 ? { key: KEY } : {}
    const stores: SqliteStore[] = [await openStore(path, options), await openStore(path, options)]
    const model = createVolatileStore()
    for (let step = 0; step < 250; step++) {
      const index = random(stores.length)
      const store = stores[index] as SqliteStore
      const act = randomAct(random, step)
      expect(await outcomeOf(act(store)), `seed ${seed}, step ${step}`).toEqual(await outcomeOf(act(model)))
      if (random(25) === 0) {
        // Killed: what it has not told the rows is left behind, and whoever opens the file goes on.
        stores[index] = await openStore(path, options)
      }
      if (random(10) === 0) {
        expect(await contentsOf(stores[random(stores.length)] as SqliteStore), `seed ${seed}, step ${step}`).toEqual(
          await contentsOf(model),
        )
      }
    }
    for (const store of stores) expect((await store.verify()).damage, `seed ${seed}`).toEqual([])
    for (const store of stores) await store.close()
    const last = await openStore(path, options)
    expect(await contentsOf(last), `seed ${seed}`).toEqual(await contentsOf(model))
  })

  it('see what the others have appended without reading more than that', async () => {
    const path = freshPath()
    const [one, other] = [await openStore(path), await openStore(path)]
    await appendOneByOne(one, 'run', 1, 10)
    for (let seq = 11; seq <= 60; seq += 2) {
      await other.append([sampleBatch('run', seq)])
      await one.append([sampleBatch('run', seq + 1)])
    }
    expect(rowsOf(copyOf(path)).seqs[0]).toBeLessThan(20)
    expect(await other.read('run')).toHaveLength(60)
  })
})

describe('an append that fails', () => {
  it('leaves heads as they were, those of other appends too', async () => {
    const path = freshPath()
    const store = await openStore(path)
    await appendOneByOne(store, 'run', 1, 20)
    await store.append([sampleBatch('other', 1)])
    setFaultHandler(failAt('append:before', 1, 'throw'))
    onTestFinished(() => setFaultHandler(undefined))
    await expect(store.append([sampleBatch('run', 21)])).rejects.toMatchObject({ code: 'fault.injected' })
    setFaultHandler(undefined)
    const blocker = new DatabaseSync(path)
    blocker.exec(`CREATE TRIGGER no BEFORE INSERT ON records WHEN NEW.seq = 22 BEGIN SELECT RAISE(ABORT, 'no'); END`)
    const failed = await Promise.allSettled([
      store.append([sampleBatch('other', 2)]),
      store.append([sampleBatch('run', 21, 23)]),
    ])
    expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    blocker.exec('DROP TRIGGER no')
    blocker.close()
    expect((await store.list()).map(({ seq }) => seq)).toEqual([20, 1])
    await store.append([sampleBatch('run', 21, 23)])
    expect(await store.read('run')).toHaveLength(23)
    expect((await store.verify()).damage).toEqual([])
  })
})
