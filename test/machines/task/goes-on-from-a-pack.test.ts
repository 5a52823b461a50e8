import { describe, expect, it } from 'vitest'
import { LedgerEvent, WorkingSet } from 'callboard/machines/task'
import type { Tasks } from 'callboard/machines/task'
import { createArchive, readPack, savePack } from 'callboard/pack'
import { readdirSync } from 'node:fs'
import { refusalOf } from '../../runtime/world.ts'
import { freshFolder, freshPath, openStore } from '../../store/world.ts'
import { createTaskWorld, patchOf, sliding, tokens } from './world.ts'

/** A task that was patched, logged and marked. */
async function begin(tasks: Tasks): Promise<WorkingSet> {
  const { run_id } = await tasks.create({ objective: 'map the harbour', run_id: 'run_1', task_id: 'harbour' })
  const items = [sliding('tide', 'ships wait for the tide', 8), sliding('gossip', 'somebody said something', 1)]
  await tasks.patch(run_id, patchOf(0, { status: 'BUSY', sliding_context: items }), { by: 'ann' })
  await tasks.patch(run_id, patchOf(0))
  await tasks.milestone(run_id, 'half of it', { memoryCommits: ['mem_1'], nextEntryPoint: 'the second half' })
  await tasks.patch(run_id, patchOf(1, { next_action: 'measure' }))
  return (await tasks.get(run_id))!
}

const linesOf = (text: string): readonly LedgerEvent[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => LedgerEvent.parse(JSON.parse(line)) as LedgerEvent)

const elsewhere = async (): ReturnType<typeof createTaskWorld> =>
  createTaskWorld({ store: await openStore(freshPath()) })

async function filesOf(bytes: Uint8Array): Promise<Readonly<Record<string, string>>> {
  const { files } = await readPack(bytes)
  return Object.fromEntries([...files].map(([name, content]) => [name, Buffer.from(content).toString()]))
}

describe('a simple pack of a task', () => {
  it('holds the working set and the ledger, and nothing else', async () => {
    const { tasks } = await createTaskWorld()
    const ws = await begin(tasks)
    const { bytes } = await tasks.pack('run_1', { kind: 'simple' })
    const { 'working_set.json': set, 'run.jsonl': ledger, ...others } = await filesOf(bytes)
    expect(others).toEqual({})
    expect(WorkingSet.parse(JSON.parse(set!))).toEqual(ws)
    expect(ledger).toBe(await tasks.ledger('run_1'))
  })

  it('is named after the task and the second, and overwrites nothing', async () => {
    const { tasks } = await createTaskWorld()
    await begin(tasks)
    const folder = freshFolder()
    const at = Date.UTC(2026, 0, 2, 3, 4, 5)
    for (let count = 0; count < 2; count++)
      await savePack(await tasks.pack('run_1', { kind: 'simple' }), { folder, at })
    expect(readdirSync(folder).sort()).toEqual([
      'task_harbour_resume_20260102_030405.zip',
      'task_harbour_resume_20260102_030405_2.zip',
    ])
  })

  it('goes on under an id of its own with everything it held, and keeps its ledger in later packs', async () => {
    const { tasks } = await createTaskWorld()
    const ws = await begin(tasks)
    const { bytes } = await tasks.pack('run_1', { kind: 'simple' })
    const there = await elsewhere()
    const found = await there.tasks.unpack(bytes, { runId: 'run_2' })
    expect(found).toEqual({ ...ws, run_id: 'run_2' })
    expect((await there.tasks.unpack(bytes)).run_id).toMatch(/^run_/)
    expect(await there.tasks.patch('run_2', patchOf(found._update_seq, { status: 'DONE' }))).toMatchObject({ ok: true })
    const before = linesOf(await tasks.ledger('run_1'))
    const later = await filesOf((await there.tasks.pack('run_2', { kind: 'simple' })).bytes)
    const events = linesOf(later['run.jsonl']!)
    expect(events.slice(0, before.length)).toEqual(before)
    expect(events.slice(before.length).map(({ event_type, payload }) => [event_type, payload])).toMatchObject([
      ['RUN_START', { objective: 'map the harbour', source: expect.stringMatching(/^pack pack_/) as unknown }],
      ['WS_UPDATE_APPLIED', { expected_seq: 2, new_seq: 3 }],
    ])
    expect(events.map(({ sequence_id }) => sequence_id)).toEqual(events.map((_, index) => index + 1))
    expect(events.slice(1).map(({ parent_event_id }) => parent_event_id)).toEqual(
      events.slice(0, -1).map(({ event_id }) => event_id),
    )
  })

  it('needs no ledger, and passes over a last line that was cut off', async () => {
    const { tasks } = await createTaskWorld()
    const ws = await begin(tasks)
    const set = JSON.stringify(ws)
    const there = await elsewhere()
    await there.tasks.unpack(createArchive({ 'working_set.json': set }), { runId: 'a' })
    expect(linesOf(await there.tasks.ledger('a')).map(({ event_type }) => event_type)).toEqual(['RUN_START'])
    const torn = `${await tasks.ledger('run_1')}{"_schema_ver`
    await there.tasks.unpack(createArchive({ 'working_set.json': set, 'run.jsonl': torn }), { runId: 'b' })
    expect(linesOf(await there.tasks.ledger('b'))).toHaveLength(6)
  })

  it('that cannot be used is refused, and leaves nothing', async () => {
    const { tasks } = await createTaskWorld()
    const ws = await begin(tasks)
    const there = await elsewhere()
    const refusals = [
      [
        { 'working_set.json': JSON.stringify({ ...ws, status: 'LOST' }) },
        'task.invalid',
        /Invalid working set schema: status/,
      ],
      [{ 'working_set.json': '{' }, 'task.invalid', /not JSON/],
      [{ 'working_set.json': JSON.stringify(ws), 'run.jsonl': '{"event_type":"?"}\n' }, 'task.invalid', /line 1/],
      [{ 'working_set.json': JSON.stringify({ ...ws, objective: tokens(3_000) }) }, 'task.size', /WS_SIZE_ERROR/],
      [{ 'run.jsonl': await tasks.ledger('run_1') }, 'pack.manifest', /working_set\.json/],
      [{ 'working_set.json': JSON.stringify(ws), 'extra.txt': 'x' }, 'pack.unlisted', /extra\.txt/],
    ] as const
    for (const [files, code, message] of refusals) {
      const error = await refusalOf(there.tasks.unpack(createArchive(files), { runId: 'x' }))
      expect({ code: error.code, message: error.message }).toEqual({
        code,
        message: expect.stringMatching(message) as unknown,
      })
    }
    expect(await refusalOf(there.tasks.unpack('gone.zip'))).toMatchObject({ code: 'pack.unreadable' })
    expect(await there.tasks.list()).toEqual([])
  })
})

describe('a full pack of a task', () => {
  it('has the working set, the ledger and the latest episode where AoS had them', async () => {
    const { tasks } = await createTaskWorld()
    const ws = await begin(tasks)
    const pack = await tasks.pack('run_1')
    const read = await readPack(pack.bytes)
    if (read.kind !== 'full') throw new Error('it is not full')
    const { manifest } = read
    const files = await filesOf(pack.bytes)
    const { latest_episode: episode } = manifest.pointers
    expect(Object.keys(files)).toEqual([
      episode,
      'ledger/callboard/run.jsonl',
      'ledger/run.v2.1.jsonl',
      'state/working_set.v2.1.json',
    ])
    expect(JSON.parse(files['state/working_set.v2.1.json']!)).toEqual(ws)
    expect(files['ledger/run.v2.1.jsonl']).toBe(await tasks.ledger('run_1'))
    expect(JSON.parse(files[episode!]!)).toMatchObject({
      _schema_version: '2.1',
      summary: expect.stringMatching(/^Event counts:/) as unknown,
      ws_before: { _update_seq: 1 },
      ws_after: { _update_seq: 1, status: 'BUSY', next_action: '' },
      memory_commits: ['mem_1'],
      next_entry_point: 'the second half',
    })
    expect(manifest.compatible_engine_versions).toEqual(['callboard-pack/1', 'aos-context/2.1.0'])
  })

  it('goes on under an id that its working set has too, given or made up, and says where it came from', async () => {
    const { tasks } = await createTaskWorld()
    const ws = await begin(tasks)
    const { bytes } = await tasks.pack('run_1')
    const there = await elsewhere()
    for (const runId of ['run_2', undefined]) {
      const found = await there.tasks.unpack(bytes, runId === undefined ? {} : { runId })
      if (runId !== undefined) expect(found.run_id).toBe(runId)
      expect(found).toEqual({ ...ws, run_id: found.run_id })
      expect(await there.tasks.get(found.run_id)).toEqual(found)
      const lines = linesOf(await there.tasks.ledger(found.run_id))
      expect(new Set(lines.map(({ run_id }) => run_id))).toEqual(new Set([found.run_id]))
      expect(lines.at(-1)).toMatchObject({
        event_type: 'RUN_START',
        payload: { objective: 'map the harbour', source: expect.stringMatching(/^pack pack_/) as unknown },
      })
      expect(await there.tasks.patch(found.run_id, patchOf(ws._update_seq))).toMatchObject({ ok: true })
    }
    expect(await refusalOf(there.tasks.unpack(bytes, { runId: 'run_2' }))).toMatchObject({ code: 'run.exists' })
    expect(await there.tasks.list()).toHaveLength(2)
  })

  it('made by AoS is begun anew with its working set and ledger', async () => {
    const { tasks } = await createTaskWorld()
    const ws = await begin(tasks)
    const { bytes } = await tasks.pack('run_1')
    const read = await readPack(bytes)
    if (read.kind !== 'full') throw new Error('it is not full')
    const names = ['ledger/run.v2.1.jsonl', 'state/working_set.v2.1.json']
    const own = Object.fromEntries([...read.files].filter(([name]) => names.includes(name)))
    const { files } = read.manifest
    const manifest = {
      ...read.manifest,
      compatible_engine_versions: ['aos-context/2.1.0'],
      files: Object.fromEntries(Object.entries(files).filter(([name]) => names.includes(name))),
      pointers: { ledger_last_seq: 5, ws: 'state/working_set.v2.1.json' },
    }
    const theirs = createArchive({ ...own, 'manifest.v2.1.json': JSON.stringify(manifest) })
    const there = await elsewhere()
    const found = await there.tasks.unpack(theirs, { runId: 'run_2' })
    expect(found).toEqual({ ...ws, run_id: 'run_2' })
    expect(linesOf(await there.tasks.ledger('run_2')).at(-1)).toMatchObject({ sequence_id: 6, event_type: 'RUN_START' })
  })
})

it('a task that has begun is not restored over', async () => {
  const { tasks, runtime } = await createTaskWorld()
  const ws = await begin(tasks)
  const ledger = await tasks.ledger('run_1')
  const run = await runtime.open('run_1')
  await run.send({ type: 'restore', ws: { ...ws, next_action: 'sink' }, ledger: [] })
  expect(await tasks.get('run_1')).toEqual(ws)
  expect(await tasks.ledger('run_1')).toBe(ledger)
})
