import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { createRuntime, createVolatileStore, defineContext, entry, exportLedger, importLedger } from 'callboard'
import { openSqlite } from 'callboard/sqlite'
import { packName, packRun, readPack, savePack, unpackRun } from 'callboard/pack'
import type { PackForm } from 'callboard/pack'
import { refusalOf } from '../runtime/world.ts'
import { createTestClock } from '../support/clock.ts'
import { ensureBuilt } from '../support/built-package.ts'
import { freshFolder, freshPath, openStore, runChild } from '../store/world.ts'
import { lookOf, makeJourney, openHost } from './world.ts'
import type { Step } from './world.ts'

beforeAll(ensureBuilt)

const TALE: readonly Step[] = [
  { kind: 'send', type: 'dig' },
  { kind: 'name', name: 'north' },
  { kind: 'pass', ms: 1_200 },
]

describe('a full pack', () => {
  it('holds the ledgers, the latest episode, and a manifest with a hash of each', async () => {
    const { store } = await makeJourney(TALE)
    const { bytes, manifest } = await packRun(store, 'journey')
    const read = await readPack(bytes)
    const episode = Object.keys(manifest.files).find((file) => file.startsWith('episodes/'))!
    expect(Object.keys(manifest.files)).toEqual([
      episode,
      'ledger/callboard/children/1.jsonl',
      'ledger/callboard/run.jsonl',
    ])
    const { seq } = (await store.summary('journey'))!
    expect(manifest).toMatchObject({
      _schema_version: '2.1',
      pack_id: expect.stringMatching(/^pack_[0-9a-f]{32}$/) as unknown,
      compatible_engine_versions: ['callboard-pack/1'],
      pointers: {
        ledger_last_seq: seq,
        run_id: 'journey',
        workflow: 'journey',
        workflow_version: '3',
        status: 'active',
        latest_episode: episode,
        memory_ids: ['item_1'],
        runs: [{ run_id: 'journey', last_seq: seq }, { run_id: 'journey.below.3' }],
      },
    })
    expect(read).toMatchObject({ kind: 'full', manifest })
    const ledger = Buffer.from(read.files.get('ledger/callboard/run.jsonl')!).toString()
    expect(ledger).toBe(await exportLedger(store, 'journey'))
    expect(JSON.parse(Buffer.from(read.files.get(episode)!).toString())).toMatchObject({
      name: 'north',
      memory_commits: ['item_1'],
    })
  })

  it('is the same bytes for the same run, whenever, wherever and out of whichever store it is packed', async () => {
    const { store } = await makeJourney(TALE)
    const file = await openStore(freshPath())
    for (const id of ['journey', 'journey.below.3']) await importLedger(file, await exportLedger(store, id))
    const { bytes, manifest } = await packRun(store, 'journey')
    const zone = process.env['TZ']
    try {
      process.env['TZ'] = 'Pacific/Kiritimati'
      expect(Buffer.from((await packRun(store, 'journey')).bytes).equals(bytes)).toBe(true)
      expect(Buffer.from((await packRun(file, 'journey')).bytes).equals(bytes)).toBe(true)
    } finally {
      if (zone === undefined) delete process.env['TZ']
      else process.env['TZ'] = zone
    }
    const later = await packRun(store, 'journey', { createdAt: Date.UTC(2026, 4, 1) })
    expect(later.manifest).toEqual({ ...manifest, created_at: '2026-05-01T00:00:00.000Z' })
  })

  it('that was unpacked is exported as what was packed, but for its last record', async () => {
    const { store, clock } = await makeJourney(TALE)
    const target = await openStore(freshPath())
    await unpackRun(target, (await packRun(store, 'journey')).bytes, { runId: 'journey', clock })
    const [before, after] = [await exportLedger(store, 'journey'), await exportLedger(target, 'journey')]
    expect(after.split('\n').slice(1, -2)).toEqual(before.split('\n').slice(1, -1))
  })

  it('can be as repetitive as it likes: what is packed is unpacked', async () => {
    const { store, clock } = await makeJourney([
      { kind: 'write', key: 'data.a', value: 'a'.repeat(900_000) },
      { kind: 'write', key: 'data.b', value: 'a'.repeat(900_000) },
    ])
    const target = createVolatileStore()
    const { summary } = await unpackRun(target, (await packRun(store, 'journey')).bytes, { runId: 'copy', clock })
    expect(summary.seq).toBe((await store.summary('journey'))!.seq + 1)
  })

  it('is sealed with a key where one is given, and asks for it', async () => {
    const { store } = await makeJourney(TALE)
    const key = new Uint8Array(32).fill(7)
    const { bytes } = await packRun(store, 'journey', { key })
    const target = createVolatileStore()
    expect(await refusalOf(unpackRun(target, bytes))).toMatchObject({ code: 'ledger.wrong-key' })
    expect(await refusalOf(unpackRun(target, bytes, { key: new Uint8Array(32) }))).toMatchObject({
      code: 'pack.content',
    })
    expect(await target.list()).toEqual([])
    await unpackRun(target, bytes, { key })
  })

  it('is made of a run that there is', async () => {
    const { store } = await makeJourney([])
    expect(await refusalOf(packRun(store, 'nobody'))).toMatchObject({ code: 'run.unknown' })
    expect(await refusalOf(packRun(store, 'global:default'))).toMatchObject({ code: 'run.unknown' })
  })

  it('has the files of a form beside its own, which a form cannot replace', async () => {
    const { store } = await makeJourney(TALE)
    const form = (path: string): PackForm => ({
      describe: ({ values, episode }) => ({ files: { [path]: `${episode?.name}: ${String(values().get('count'))}` } }),
    })
    const { bytes, manifest } = await packRun(store, 'journey', { form: form('state/count.txt') })
    const { files } = await readPack(bytes)
    expect(Buffer.from(files.get('state/count.txt')!).toString()).toBe('north: 0')
    expect(Object.keys(manifest.files)).toContain('state/count.txt')
    for (const path of ['manifest.v2.1.json', 'ledger/callboard/run.jsonl', '../out.txt'])
      expect(await refusalOf(packRun(store, 'journey', { form: form(path) }))).toMatchObject({ code: 'pack.path' })
  })

  it('of a child run is a run of its own where it is unpacked', async () => {
    const { store } = await makeJourney(TALE)
    const target = createVolatileStore()
    const { bytes } = await packRun(store, 'journey.below.3')
    const { summary } = await unpackRun(target, bytes, { runId: 'alone' })
    expect(summary).toMatchObject({ runId: 'alone', workflow: 'below', parent: undefined })
    const { runtime } = await openHost(target)
    expect((await runtime.recover()).runs.map(({ id }) => id)).toEqual(['alone'])
    await runtime.close()
  })
})

describe('an unpacked run', () => {
  it('says where it came from, in whose name, and never before what it was packed with', async () => {
    const { store, clock } = await makeJourney(TALE)
    const { bytes, manifest } = await packRun(store, 'journey')
    const target = createVolatileStore()
    const slow = { now: () => clock.now() - 60_000 }
    await unpackRun(target, bytes, { runId: 'copy', by: 'ann', from: 'journey.zip', clock: slow })
    const [last] = (await target.read('copy')).slice(-1)
    expect(last).toMatchObject({
      kind: 'unpack',
      author: 'ann',
      at: (await store.summary('journey'))!.updatedAt,
      asked: {
        pack: manifest.pack_id,
        createdAt: manifest.created_at,
        runId: 'journey',
        seq: manifest.pointers.ledger_last_seq,
        from: 'journey.zip',
      },
    })
  })

  it('has an id of its own, made up or given, and never one that is taken', async () => {
    const { store } = await makeJourney(TALE)
    const { bytes } = await packRun(store, 'journey')
    const made = await unpackRun(store, bytes)
    expect(made.runId).toMatch(/^run_/)
    expect(made.children).toEqual([`${made.runId}.below.3`])
    const before = await store.list()
    for (const runId of ['journey', made.runId])
      expect(await refusalOf(unpackRun(store, bytes, { runId }))).toMatchObject({
        code: 'run.exists',
        details: { runId },
      })
    for (const runId of ['', 'global:default', 'x'.repeat(2_000), '\ud800'])
      expect(await refusalOf(unpackRun(store, bytes, { runId }))).toMatchObject({ code: 'run.invalid-id' })
    expect(await store.list()).toEqual(before)
  })

  it('is there as a whole, with its child runs, or not at all', async () => {
    const { store } = await makeJourney(TALE)
    const { bytes } = await packRun(store, 'journey')
    const target = createVolatileStore()
    await unpackRun(target, (await packRun(store, 'journey.below.3')).bytes, { runId: 'copy.below.3' })
    expect(await refusalOf(unpackRun(target, bytes, { runId: 'copy' }))).toMatchObject({
      code: 'run.exists',
      details: { runId: 'copy.below.3' },
    })
    expect((await target.list()).map(({ runId }) => runId)).toEqual(['copy.below.3'])
  })

  it('is one of however many that are unpacked at once; of those with one id, one is', async () => {
    const { store } = await makeJourney(TALE)
    const folder = freshFolder()
    const file = await savePack(await packRun(store, 'journey'), { folder, at: 0 })
    const target = await openStore(freshPath())
    const free = Array.from({ length: 8 }, () => unpackRun(target, file))
    const same = Array.from({ length: 8 }, () => unpackRun(target, file, { runId: 'same' }))
    const [made, ends] = await Promise.all([Promise.all(free), Promise.allSettled(same)])
    expect(new Set(made.map(({ runId }) => runId)).size).toBe(8)
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await target.list({ workflow: 'journey' })).toHaveLength(9)
    expect((await target.verify()).damage).toEqual([])
    expect(readdirSync(folder)).toHaveLength(1)
  })

  it('does not disturb the run it was packed from: both go on beside each other, child runs too', async () => {
    const { store, clock } = await makeJourney(TALE)
    await unpackRun(store, (await packRun(store, 'journey')).bytes, { runId: 'copy', clock })
    const { runtime, clock: later } = await openHost(store, clock.now())
    await runtime.recover()
    const [one, other] = [runtime.get('journey')!, runtime.get('copy')!]
    await later.settle()
    await one.send({ type: 'end' })
    await later.advance(5_000)
    expect(one.get('log')).toContain('ended')
    expect(other.get('log')).not.toContain('ended')
    expect(other.requests().map(({ id }) => id)).toEqual(['copy.asker.2/ask answer'])
    expect((await store.list({ workflow: 'below' })).map(({ runId, status }) => [runId, status])).toEqual([
      ['journey.below.3', 'done'],
      ['copy.below.3', 'done'],
    ])
    await runtime.close()
  })

  it('names items of a memory that is elsewhere: hints, not errors', async () => {
    const { store } = await makeJourney(TALE)
    const { bytes } = await packRun(store, 'journey')
    const { hints } = await unpackRun(createVolatileStore(), bytes, { unknownMemory: (ids) => ids })
    expect(hints).toEqual(['the run names item item_1 of a memory, which is not in this one'])
    expect((await unpackRun(createVolatileStore(), bytes, { unknownMemory: () => [] })).hints).toEqual([])
  })
})

describe('a run whose ledger was trimmed', () => {
  const tidy = { snapshots: { everyRecords: 3, keep: 1 }, retention: { keepRecords: 0 } }

  it('is packed with what stands in for its beginning, and goes on from there with its milestones', async () => {
    const { store, clock } = await makeJourney([...TALE, ...TALE], createVolatileStore(), tidy)
    expect(await refusalOf(store.read('journey'))).toMatchObject({ code: 'store.trimmed' })
    const { bytes, manifest } = await packRun(store, 'journey')
    expect(manifest.pointers.runs?.[0]).toMatchObject({ snapshots: 'state/callboard/run.jsonl' })
    const target = await openStore(freshPath())
    await unpackRun(target, bytes, { runId: 'copy', clock })
    const [here, there] = [await openHost(store, clock.now()), await openHost(target, clock.now())]
    const [one, other] = [await here.runtime.open('journey'), await there.runtime.open('copy')]
    expect(other.episodes()).toEqual(one.episodes())
    expect(lookOf(other)).toEqual(lookOf(one))
    const { seq } = other.episodes()[0]!
    expect((await other.at(seq)).get('count')).toEqual((await one.at(seq)).get('count'))
    await here.runtime.close()
    await there.runtime.close()
    expect((await target.verify()).damage).toEqual([])
  })

  it('has the points of its history that the packed run has, and each can be read', async () => {
    const store = createVolatileStore()
    const clock = createTestClock()
    const notes = defineContext({ note: entry(z.string()) })
    const writing = notes.workflow({ name: 'writing' }).createMachine({ id: 'writing' })
    const options = {
      clock,
      workflows: [writing],
      snapshots: { everyRecords: 10 },
      retention: { keepRecords: 10, keepSnapshots: 2 },
    }
    const runtime = await createRuntime({ ...options, store })
    onTestFinished(() => runtime.close())
    const run = await runtime.start(writing, { runId: 'r' })
    for (let round = 1; round <= 60; round++) {
      await run.update({ note: `note ${round}` })
      if (round % 6 === 0) await run.snapshot(`round ${round}`)
      await clock.settle()
    }
    const { bytes } = await packRun(store, 'r')
    const other = createVolatileStore()
    const elsewhere = await createRuntime({ ...options, store: other })
    onTestFinished(() => elsewhere.close())
    await unpackRun(other, bytes, { runId: 'copy' })
    const copy = await elsewhere.open('copy')
    expect(run.snapshots().length).toBeLessThan(10)
    expect(copy.snapshots().map(({ reason }) => reason)).toEqual(run.snapshots().map(({ reason }) => reason))
    for (const { id, reason } of copy.snapshots())
      expect((await copy.at(id)).get('note')).toBe(reason.replace('round', 'note'))
  })

  it('is refused by a store that takes no ledger without its beginning, and leaves nothing', async () => {
    const { store } = await makeJourney(TALE, createVolatileStore(), tidy)
    const { bytes } = await packRun(store, 'journey')
    const target = createVolatileStore()
    const { adopts: _adopts, ...traits } = target.traits
    const modest = new Proxy(target, {
      get: (from, name) => {
        if (name === 'traits') return traits
        const part: unknown = Reflect.get(from, name)
        return typeof part === 'function' ? part.bind(from) : part
      },
    })
    expect(await refusalOf(unpackRun(modest, bytes))).toMatchObject({ code: 'pack.trimmed' })
    expect(await target.list()).toEqual([])
  })
})

describe('the file of a pack', () => {
  it('is named after the task and the second, and never takes the place of another', async () => {
    const folder = join(freshFolder(), 'packs')
    const at = Date.UTC(2026, 0, 2, 3, 4, 5)
    expect(packName('a/../b c', at)).toBe('task_a____b_c_resume_20260102_030405.zip')
    const bytes = ['one', 'two', 'three'].map((text) => Buffer.from(text))
    const paths = await Promise.all(bytes.map((content) => savePack({ bytes: content, name: 'x' }, { folder, at })))
    expect(readdirSync(folder).sort()).toEqual([
      'task_x_resume_20260102_030405.zip',
      'task_x_resume_20260102_030405_2.zip',
      'task_x_resume_20260102_030405_3.zip',
    ])
    expect(paths.map((path) => readFileSync(path, 'utf8'))).toEqual(['one', 'two', 'three'])
  })

  it('is all that is looked at: what lies beside it stays', async () => {
    const { store } = await makeJourney([])
    const folder = freshFolder()
    const path = await savePack(await packRun(store, 'journey'), { folder, at: 0 })
    const beside = path.replace(/\.zip$/, '')
    mkdirSync(beside)
    writeFileSync(join(beside, 'mine.txt'), 'mine')
    await unpackRun(createVolatileStore(), path)
    expect(existsSync(join(beside, 'mine.txt'))).toBe(true)
    expect(readdirSync(folder)).toHaveLength(2)
  })
})

describe('another machine', () => {
  it('goes on with what was packed on the first: its steps are not done again, its waits, questions and timers stand', async () => {
    const folder = freshFolder()
    const [zip, witness] = [join(folder, 'paper.zip'), join(folder, 'witness.txt')]
    const first = runChild('../pack/resume.child.ts', ['pack', join(folder, 'one.db'), zip, witness])
    expect(await first.ended).toBe('SIGKILL')
    expect(first.lines.map((line) => JSON.parse(line) as unknown)).toEqual([{ packed: 'paper-1', state: 'writing' }])
    const second = runChild('../pack/resume.child.ts', ['finish', join(folder, 'two.db'), zip, witness])
    expect(await second.ended).toBe(0)
    expect(second.lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { hints: [] },
      { done: { letter: 'a draft, well done, yes', late: true }, asked: '<run>.writer.1/ask approval' },
      { damage: [], origin: expect.objectContaining({ runId: 'paper-1', from: 'the other machine' }) as unknown },
    ])
    expect(readFileSync(witness, 'utf8')).toBe('written in process pack\n')
    const store = await openSqlite(join(folder, 'two.db'))
    expect((await store.list()).map(({ status }) => status)).toEqual(['done'])
    await store.close()
  })
})
