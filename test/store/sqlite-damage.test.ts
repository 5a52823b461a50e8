import { DatabaseSync } from 'node:sqlite'
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { isCallboardError } from 'callboard'
import { openSqlite } from 'callboard/sqlite'
import { describe, expect, it } from 'vitest'
import { createSealer, linkHash, RECORD_KINDS } from '../../src/ledger/index.ts'
import type { Damage } from '../../src/store/index.ts'
import { sampleBatch } from '../../src/testing/sample-records.ts'
import { judge, makeFiles, readFiles, RUN_IDS, scratchFolder } from './damaged-copy.ts'
import type { StoreFiles } from './damaged-copy.ts'
import { freshPath, openStore } from './world.ts'

const FLIPS = Number(process.env['CALLBOARD_FLIPS'] ?? 1_000)
const TRUNCATIONS = Number(process.env['CALLBOARD_TRUNCATIONS'] ?? 500)
const SEED = Number(process.env['CALLBOARD_SEED'] ?? 20_260_101)
const KEY = 'a key that nobody can guess, really'

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

function flipped(files: StoreFiles, bit: number): StoreFiles {
  const byte = bit >> 3
  const inDatabase = byte < files[''].length
  const part = inDatabase ? '' : '-wal'
  const bytes = files[part].slice()
  const at = inDatabase ? byte : byte - files[''].length
  bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7))
  return { ...files, [part]: bytes }
}

async function tryAll(
  count: number,
  options: { readonly key?: string },
  damage: (files: StoreFiles, below: (limit: number) => number) => StoreFiles,
  { checkpointed = false }: { readonly checkpointed?: boolean } = {},
): Promise<Readonly<Record<string, number>>> {
  const { files, contents } = await makeFiles(options, { checkpointed })
  if (!checkpointed) expect(files['-wal'].length).toBeGreaterThan(10_000)
  const folder = scratchFolder()
  const random = seeded(SEED)
  const verdicts: Record<string, number> = { whole: 0, reported: 0, unreported: 0, untyped: 0 }
  for (let index = 0; index < count; index++) {
    const reading = await readFiles(damage(files, random), folder, options)
    const verdict = judge(reading, contents)
    verdicts[verdict] = (verdicts[verdict] ?? 0) + 1
    if (verdict === 'unreported' || verdict === 'untyped') {
      expect.soft({ seed: SEED, index, reading }, `seed ${SEED}, case ${index}`).toBe('reported')
    }
  }
  return verdicts
}

describe('what is damaged is reported', () => {
  const flip = (files: StoreFiles, below: (limit: number) => number): StoreFiles =>
    flipped(files, below(8 * (files[''].length + files['-wal'].length)))

  it(`reports every one of ${FLIPS} flipped bits that changes or loses data`, { timeout: 600_000 }, async () => {
    for (const options of [{}, { key: KEY }]) {
      for (const checkpointed of [false, true]) {
        const { unreported, untyped, reported } = await tryAll(FLIPS / 4, options, flip, { checkpointed })
        expect({ unreported, untyped }).toEqual({ unreported: 0, untyped: 0 })
        expect(reported).toBeGreaterThan(FLIPS / 20)
      }
    }
  })

  it(`reports every one of ${TRUNCATIONS} truncated files that lost data`, { timeout: 600_000 }, async () => {
    const verdicts = await tryAll(TRUNCATIONS, {}, (files, below) => {
      const part = below(2) === 0 ? '' : '-wal'
      return { ...files, [part]: files[part].subarray(0, below(files[part].length)) }
    })
    expect({ unreported: verdicts['unreported'], untyped: verdicts['untyped'] }).toEqual({ unreported: 0, untyped: 0 })
    expect(verdicts['reported']).toBeGreaterThan(TRUNCATIONS / 10)
  })

  it('needs the heads file for what SQLite itself does not notice', async () => {
    const { files, contents } = await makeFiles()
    const lost = { ...files, '-wal': files['-wal'].subarray(0, files['-wal'].length >> 1) }
    expect(judge(await readFiles(lost, scratchFolder()), contents)).toBe('reported')
    expect(judge(await readFiles({ ...lost, '-heads': new Uint8Array() }, scratchFolder()), contents)).toBe(
      'unreported',
    )
  })

  it('reports a log that was lost as a whole, run by run', async () => {
    const { files } = await makeFiles()
    const reading = await readFiles({ ...files, '-wal': new Uint8Array() }, scratchFolder())
    if (reading.kind !== 'read') throw reading.error
    const places = reading.reports.map((report) => (report instanceof Error ? detailsOf(report) : (report as Damage)))
    for (const runId of RUN_IDS.slice(0, 3)) {
      expect(places).toContainEqual(expect.objectContaining({ runId, seq: 41, what: 'lost-tail' }))
    }
    expect(places).toContainEqual(expect.objectContaining({ what: 'lost-run' }))
  })
})

function detailsOf(error: Error): Damage {
  if (!isCallboardError(error, 'store.damaged')) throw error
  return error.details as unknown as Damage
}

/** How a store was left: its runs' rows know everything, or next to nothing. */
const LEFT = ['closed', 'killed'] as const

/** A store with two runs of 300 records, changed by SQL, to be opened again. */
async function tamper(
  sql: readonly string[],
  { left = 'closed', ...options }: { readonly key?: string; readonly left?: (typeof LEFT)[number] } = {},
): Promise<string> {
  const original = freshPath()
  const store = await openSqlite(original, { durability: 'process', ...options })
  for (let seq = 1; seq <= 300; seq += 3) {
    await store.append([sampleBatch('good', seq, seq + 2), sampleBatch('bad', seq, seq + 2)])
  }
  if (left === 'closed') await store.close()
  const copy = join(scratchFolder(), 'copy')
  cpSync(dirname(original), copy, { recursive: true })
  await store.close()
  const path = join(copy, basename(original))
  const db = new DatabaseSync(path)
  expect(db.prepare('SELECT min(seq) AS seq FROM runs').get()?.['seq']).toBe(left === 'closed' ? 300 : 3)
  for (const statement of sql) db.exec(statement)
  db.close()
  return path
}

const BAD = `run = (SELECT id FROM runs WHERE run_id = 'bad')`

describe.each(LEFT)('what somebody changed in a file that was %s is reported with its place', (left) => {
  const cases: readonly { what: Damage['what']; seq: number | undefined; how: string; sql: readonly string[] }[] = [
    {
      how: 'an edited record',
      what: 'changed',
      seq: 120,
      sql: [`UPDATE records SET body = replace(body, 'writer', 'cheater') WHERE ${BAD} AND seq = 120`],
    },
    {
      how: 'a changed time',
      what: 'changed',
      seq: 7,
      sql: [`UPDATE records SET at = at + 1 WHERE ${BAD} AND seq = 7`],
    },
    { how: 'a removed record', what: 'missing', seq: 150, sql: [`DELETE FROM records WHERE ${BAD} AND seq = 150`] },
    { how: 'removed records', what: 'missing', seq: 1, sql: [`DELETE FROM records WHERE ${BAD} AND seq < 9`] },
    { how: 'a lost tail', what: 'lost-tail', seq: 291, sql: [`DELETE FROM records WHERE ${BAD} AND seq > 290`] },
    {
      how: 'two records whose contents were swapped',
      what: 'swapped',
      seq: 100,
      sql: [
        `CREATE TEMP TABLE pair AS SELECT * FROM records WHERE ${BAD} AND seq IN (100, 101)`,
        `UPDATE records SET (at, kind, hash, body) = (SELECT at, kind, hash, body FROM pair WHERE pair.seq = 201 - records.seq)
         WHERE ${BAD} AND seq IN (100, 101)`,
      ],
    },
    {
      how: 'an inserted record',
      what: 'inserted',
      seq: 301,
      sql: [
        `INSERT INTO records (run, seq, prev, at, kind, hash, body)
         SELECT run, 301, id, at, kind, hash, body FROM records WHERE ${BAD} AND seq = 300`,
      ],
    },
    {
      how: 'a changed summary',
      what: 'summary',
      seq: undefined,
      sql: [`UPDATE runs SET status = 'done' WHERE run_id = 'bad'`],
    },
  ]

  it.each(cases)('$how', async ({ sql, what, seq }) => {
    const path = await tamper(sql, { left })
    const store = await openStore(path)
    const error = await store.read('bad').catch((reason: unknown) => reason)
    expect(isCallboardError(error, 'store.damaged'), String(error)).toBe(true)
    expect(detailsOf(error as Error)).toMatchObject({ runId: 'bad', seq, what })
    expect(await store.read('good')).toHaveLength(300)
    await store.append([sampleBatch('good', 301)])
    const { damage, heads } = await store.verify()
    expect(damage).toContainEqual(expect.objectContaining({ runId: 'bad', seq, what }))
    expect(heads.map(({ runId }) => runId)).toContain('good')
    expect(await store.remove('bad')).toBe(true)
    expect((await store.verify()).damage).toEqual([])
  })

  it('a run that is gone', async () => {
    const path = await tamper([`DELETE FROM records WHERE ${BAD}`, `DELETE FROM runs WHERE run_id = 'bad'`], { left })
    const store = await openStore(path)
    const error = await store.read('bad').catch((reason: unknown) => reason)
    expect(detailsOf(error as Error)).toMatchObject({ what: 'lost-run' })
    expect(await store.read('good')).toHaveLength(300)
    await expect(store.list()).rejects.toMatchObject({ code: 'store.damaged' })
    const found: Damage[] = []
    const listed = await store.list({}, { onDamage: (damage) => found.push(damage) })
    expect(listed.map(({ runId }) => runId)).toEqual(['good'])
    expect(found.map(({ what }) => what)).toEqual(['lost-run'])
  })

  it('with a key, a record whose hashes and all behind it were recomputed without the key', async () => {
    const path = await tamper([], { key: KEY, left })
    const db = new DatabaseSync(path)
    const run = db.prepare(`SELECT id FROM runs WHERE run_id = 'bad'`).get()?.['id'] as number
    const sealer = createSealer()
    let previous = ''
    for (const row of db.prepare('SELECT * FROM records WHERE run = ? ORDER BY seq').all(run)) {
      const place = {
        runId: 'bad',
        seq: row['seq'] as number,
        at: row['at'] as number,
        kind: RECORD_KINDS[row['kind'] as number] ?? 'update',
      }
      previous = linkHash(sealer, previous, place, String(row['body']))
      db.prepare('UPDATE records SET hash = ? WHERE id = ?').run(previous, row['id'] as number)
    }
    db.prepare('UPDATE runs SET hash = ? WHERE id = ?').run(previous, run)
    db.close()
    const store = await openStore(path, { key: KEY })
    await expect(store.read('bad')).rejects.toMatchObject({ code: 'store.damaged', details: { runId: 'bad' } })
    expect(await store.read('good')).toHaveLength(300)
  })

  it('with a key, a row that was moved to another place', async () => {
    const path = await tamper(
      [`UPDATE records SET body = (SELECT body FROM records WHERE ${BAD} AND seq = 10) WHERE ${BAD} AND seq = 11`],
      { key: KEY, left },
    )
    const store = await openStore(path, { key: KEY })
    await expect(store.read('bad')).rejects.toMatchObject({ details: { runId: 'bad', seq: 11, what: 'changed' } })
  })
})

describe('what took the place of a file is reported', () => {
  it('an older copy that was put back', async () => {
    const path = freshPath()
    const store = await openSqlite(path)
    await store.append([sampleBatch('run', 1, 10)])
    await store.close()
    const older = readFileSync(path)
    const again = await openSqlite(path)
    await again.append([sampleBatch('run', 11, 20)])
    await again.close()
    writeFileSync(path, older)
    const restored = await openStore(path)
    await expect(restored.read('run')).rejects.toMatchObject({ details: { runId: 'run', seq: 11, what: 'lost-tail' } })
    await restored.close()
    rmSync(`${path}-heads`)
    const accepted = await openStore(path)
    expect(await accepted.read('run')).toHaveLength(10)
    expect(existsSync(`${path}-heads`)).toBe(true)
  })

  it('an emptied file', async () => {
    const path = freshPath()
    const store = await openSqlite(path)
    await store.append([sampleBatch('run', 1)])
    await store.close()
    writeFileSync(path, '')
    await expect(openSqlite(path)).rejects.toMatchObject({ code: 'store.damaged' })
  })

  it('a file that is no database, and a database that is no store', async () => {
    const path = freshPath()
    writeFileSync(path, 'not a database, but long enough to be looked at as one'.repeat(100))
    await expect(openSqlite(path)).rejects.toMatchObject({ code: 'store.format' })
    const store = freshPath()
    await (await openStore(store)).append([sampleBatch('run', 1)])
    cpSync(`${store}-heads`, `${path}-heads`)
    await expect(openSqlite(path)).rejects.toMatchObject({ code: 'store.damaged' })
    const other = join(scratchFolder(), 'other.db')
    const db = new DatabaseSync(other)
    db.exec('CREATE TABLE t (a)')
    db.close()
    await expect(openSqlite(other)).rejects.toMatchObject({ code: 'store.format' })
    await expect(openSqlite(join(scratchFolder(), 'no', 'folder', 'x.db'))).rejects.toMatchObject({
      code: 'store.unreadable',
    })
  })
})
