// The wire of AoS: what its existing clients send and read. Both surfaces are on one address.
import { describe, expect, it } from 'vitest'
import { createServerWorld } from './world.ts'
import type { Answered, World } from './world.ts'

const MCR = {
  _schema_version: '2.1',
  op: 'add',
  type: 'fact',
  scope: 'project',
  content: 'the pump has two speeds',
  confidence: 0.9,
  rationale: 'the manual says so',
  source_refs: ['manual'],
} as const

const patchOf = (expected_seq: number, set: object): object => ({ _schema_version: '2.1', expected_seq, set })

async function begin(world: World, fields: object = {}): Promise<string> {
  const { body } = await world.ask('POST', '/runs', { body: { objective: 'write the manual', ...fields } })
  return body.run_id
}

async function boot(world: World): Promise<string> {
  const { body } = await world.ask('POST', '/runs/boot', { body: { objective: 'write the manual' } })
  return body.run_id
}

const keys = ({ body }: Answered): readonly string[] => Object.keys(body).toSorted()

describe('the surface of the README', () => {
  it('says that it is well, in the words of both surfaces', async () => {
    const { ask } = await createServerWorld()
    const { status, body } = await ask('GET', '/health')
    expect(status).toBe(200)
    expect(body).toEqual({ status: 'ok', service: 'aos-context-server', version: '2.1.0' })
  })

  it('begins a run; null ids mean new ones, unknown fields are passed over', async () => {
    const { ask } = await createServerWorld()
    const asked = { objective: 'a', task_id: null, thread_id: null, run_id: null, colour: 'red' }
    const { status, body } = await ask('POST', '/runs', { body: asked })
    expect(status).toBe(200)
    expect(body).toEqual({ run_id: expect.stringMatching(/^run_[0-9a-f]{16}$/), status: 'BOOT' })
    const given = await ask('POST', '/runs', {
      body: { objective: 'a', run_id: 'mine', task_id: 't', thread_id: 'th' },
    })
    expect(given.body.run_id).toBe('mine')
    const ws = await ask('GET', '/runs/mine')
    expect(ws.status).toBe(200)
    expect(ws.body).toMatchObject({ _update_seq: 0, task_id: 't', thread_id: 'th', run_id: 'mine', status: 'BOOT' })
  })

  it('says in its words that there is no such run', async () => {
    const { ask } = await createServerWorld()
    const asked: readonly (readonly [string, string, object?])[] = [
      ['GET', '/runs/nope'],
      ['PATCH', '/runs/nope', { patch: {}, expected_seq: 0 }],
      ['POST', '/runs/nope/memory/propose', { mcrs: [MCR] }],
      ['POST', '/runs/nope/memory/commit', { batch_id: 'b' }],
    ]
    for (const [method, path, body] of asked) {
      const answered = await ask(method, path, { body })
      expect(answered.status, path).toBe(404)
      expect(answered.body).toMatchObject({ detail: 'Run nope not found', error: 'Run nope not found' })
    }
  })

  it('patches, with every key in every answer', async () => {
    const world = await createServerWorld()
    const runId = await begin(world)
    const body = { patch: { status: 'BUSY' }, expected_seq: 0 }
    const applied = await world.ask('PATCH', `/runs/${runId}`, { body })
    expect(applied.status).toBe(200)
    expect(keys(applied)).toEqual(['error', 'ok', 'ws'])
    expect(applied.body).toMatchObject({ ok: true, error: null, ws: { status: 'BUSY', _update_seq: 1 } })
    // What the other surface takes is no working set's field here.
    for (const patch of [{ colour: 'red' }, { objective: 'another' }, patchOf(1, {})]) {
      const wrong = await world.ask('PATCH', `/runs/${runId}`, { body: { patch, expected_seq: 1 } })
      expect(wrong.status).toBe(200)
      expect(wrong.body).toEqual({ ok: false, ws: null, error: expect.stringMatching(/^patch schema: /) })
    }
  })

  it('answers a conflict with all the keys that any of its clients reads', async () => {
    const world = await createServerWorld()
    const runId = await begin(world)
    const ask = (expected_seq: number): Promise<Answered> =>
      world.ask('PATCH', `/runs/${runId}`, { body: { patch: {}, expected_seq } })
    expect((await ask(0)).body.ok).toBe(true)
    const said = 'Conflict: State has changed. Reload and retry.'
    for (const seq of [0, 2]) {
      const answered = await ask(seq)
      expect(answered.status).toBe(409)
      expect(answered.body).toMatchObject({ ok: false, error: said, detail: said })
    }
    expect((await ask(1)).body.ok).toBe(true)
  })

  it('of many patches with one expected_seq takes exactly one, and tells the others of the conflict', async () => {
    const world = await createServerWorld()
    const runId = await begin(world)
    const body = { patch: { next_action: 'x' }, expected_seq: 0 }
    const answers = await Promise.all(Array.from({ length: 32 }, () => world.ask('PATCH', `/runs/${runId}`, { body })))
    const statuses = answers.map(({ status }) => status)
    expect(statuses.filter((status) => status === 200)).toHaveLength(1)
    expect(statuses.filter((status) => status === 409)).toHaveLength(31)
  })

  it('proposes and commits to memory, freely, and says what is wrong with 200', async () => {
    const world = await createServerWorld()
    const runId = await begin(world)
    const propose = (body: object): Promise<Answered> => world.ask('POST', `/runs/${runId}/memory/propose`, { body })
    const commit = (batch_id: string): Promise<Answered> =>
      world.ask('POST', `/runs/${runId}/memory/commit`, { body: { batch_id } })
    const proposed = await propose({ mcrs: [MCR] })
    expect(proposed.body).toEqual({
      ok: true,
      batch_id: expect.stringMatching(/^batch_/),
      staged_count: 1,
      error: null,
    })
    const committed = await commit(proposed.body.batch_id)
    expect(committed.body).toEqual({ ok: true, committed_ids: [expect.stringMatching(/^mem_/)], error: null })
    for (const batchId of [proposed.body.batch_id, 'batch_no']) {
      const again = await commit(batchId)
      expect(again.status).toBe(200)
      expect(again.body).toEqual({ ok: false, committed_ids: null, error: 'unknown batch_id' })
    }
    const bad = await propose({ mcrs: [{ ...MCR, confidence: 2 }] })
    expect(bad.status).toBe(200)
    expect(bad.body).toMatchObject({ ok: false, batch_id: null, error: expect.stringMatching(/^mcr schema: /) })
    expect((await propose({ mcrs: [] })).status).toBe(422)
  })

  it.each([
    ['no body', undefined, ['body']],
    ['no JSON', '{', ['body', 0]],
    ['no object', '[]', ['body']],
    ['a missing field', {}, ['body', 'objective']],
    ['a wrong type', { objective: 5 }, ['body', 'objective']],
    ['an empty objective', { objective: '' }, ['body', 'objective']],
    ['an objective that is too large', { objective: 'x'.repeat(9_000) }, ['body', 'objective']],
    ['wrong items', { objective: 'a', constraints: [1] }, ['body', 'constraints', 0]],
    ['an id that leads elsewhere', { objective: 'a', run_id: '../x' }, ['body', 'run_id']],
  ])('refuses %s with 422 and its place', async (_what, body, loc) => {
    const { ask } = await createServerWorld()
    const { status, body: said } = await ask('POST', '/runs', body === undefined ? {} : { body })
    expect(status).toBe(422)
    expect(said.detail[0]).toMatchObject({ loc, type: expect.any(String), msg: expect.any(String) })
    expect(said.detail[0]).toHaveProperty('input')
    expect(said.error).toEqual(expect.any(String))
  })

  it('does not overwrite a run that is there', async () => {
    const world = await createServerWorld()
    await begin(world, { run_id: 'mine' })
    const again = await world.ask('POST', '/runs', { body: { objective: 'another', run_id: 'mine' } })
    expect(again.status).toBe(409)
    expect((await world.ask('GET', '/runs/mine')).body.objective).toBe('write the manual')
  })

  it('knows paths and methods from each other', async () => {
    const { ask } = await createServerWorld()
    const missing = await ask('GET', '/nothing/here')
    expect([missing.status, missing.body.detail]).toEqual([404, 'Not Found'])
    const wrong = await ask('PUT', '/runs')
    expect([wrong.status, wrong.body.detail, wrong.headers.get('allow')]).toEqual([405, 'Method Not Allowed', 'POST'])
  })
})

describe('the surface of the full API', () => {
  it('boots a run, before any run can be called boot', async () => {
    const { ask } = await createServerWorld()
    const { status, body } = await ask('POST', '/runs/boot', { body: { objective: 'a', constraints: null } })
    expect(status).toBe(200)
    expect(body.run_id).toMatch(/^run_[0-9a-f]{32}$/)
    expect((await ask('GET', `/runs/${body.run_id}/ws`)).body).toEqual(body.ws)
    const missing = await ask('GET', '/runs/nope/ws')
    expect([missing.status, missing.body.detail]).toEqual([404, 'run not found'])
  })

  it('updates by step, with the brief', async () => {
    const world = await createServerWorld()
    const runId = await boot(world)
    const update = (patch: object): Promise<Answered> =>
      world.ask('POST', `/runs/${runId}/step/update`, { body: { patch } })
    const done = await update(patchOf(0, { status: 'BUSY' }))
    expect(done.status).toBe(200)
    expect(done.body.ws._update_seq).toBe(1)
    expect(done.body.context_brief).toMatch(/^# CONTEXT BRIEF\n\n## 1\. OBJECTIVE\nwrite the manual\n/)
    const late = await update(patchOf(0, {}))
    expect([late.status, late.body.detail]).toEqual([409, 'LOCK_ERROR expected_seq=0 current_seq=1'])
    const wrong = await update({ set: {} })
    expect(wrong.status).toBe(400)
    expect(wrong.body.detail).toMatch(/^patch schema: /)
  })

  it('commits at milestones only, by a token that works, for this run and 300 s', async () => {
    const world = await createServerWorld()
    const [runId, other] = [await boot(world), await boot(world)]
    const propose = async (): Promise<string> =>
      (await world.ask('POST', `/runs/${runId}/memory/propose`, { body: { mcrs: [MCR] } })).body.batch_id
    const commit = (body: object, id = runId): Promise<Answered> =>
      world.ask('POST', `/runs/${id}/memory/commit`, { body })
    const batchId = await propose()
    const refused = await commit({ batch_id: batchId, allow_outside_milestone: true })
    expect(refused.status).toBe(200)
    expect(refused.body).toMatchObject({ ok: false, committed_ids: [] })
    expect(refused.body.error).toMatch(/milestone_token.*AOS_TEST_MODE/)
    const milestone = await world.ask('POST', `/runs/${runId}/milestone`, { body: {} })
    expect(milestone.body).toEqual({
      episode_id: expect.stringMatching(/^ep_/),
      episode_path: `episodes/${milestone.body.episode_id}.v2.1.json`,
      committed_memory_ids: [],
      milestone_token: expect.stringMatching(/^milestone_[0-9a-f]{16}$/),
    })
    const { milestone_token } = milestone.body
    expect((await commit({ batch_id: batchId, milestone_token }, other)).body.ok).toBe(false)
    expect((await commit({ batch_id: batchId, milestone_token: 'milestone_0000000000000000' })).body.ok).toBe(false)
    expect((await commit({ batch_id: batchId, milestone_token })).body.ok).toBe(true)
    const late = await propose()
    await world.clock.advance(300_000)
    expect((await commit({ batch_id: late, milestone_token })).body.ok).toBe(false)
  })

  it('commits a batch with a milestone, and nothing with a milestone of an unknown batch', async () => {
    const world = await createServerWorld()
    const runId = await boot(world)
    const unknown = await world.ask('POST', `/runs/${runId}/milestone`, { body: { memory_batch_id: 'batch_no' } })
    expect([unknown.status, unknown.body.detail]).toEqual([400, 'memory commit: unknown batch_id'])
    const { body } = await world.ask('POST', `/runs/${runId}/memory/propose`, { body: { mcrs: [MCR] } })
    const done = await world.ask('POST', `/runs/${runId}/milestone`, {
      body: { reason: 'half', memory_batch_id: body.batch_id, next_entry_point: 'chapter 2' },
    })
    expect(done.body.committed_memory_ids).toHaveLength(1)
    const run = await world.runtime.open(runId)
    expect(run.episodes()).toEqual([
      expect.objectContaining({ nextEntryPoint: 'chapter 2', memoryCommits: done.body.committed_memory_ids }),
    ])
  })

  it('commits outside of milestones in test mode, when asked to', async () => {
    const world = await createServerWorld({ testMode: true })
    const runId = await boot(world)
    const { body } = await world.ask('POST', `/runs/${runId}/memory/propose`, { body: { mcrs: [MCR] } })
    const commit = (more: object): Promise<Answered> =>
      world.ask('POST', `/runs/${runId}/memory/commit`, { body: { batch_id: body.batch_id, ...more } })
    expect((await commit({})).body.ok).toBe(false)
    expect((await commit({ allow_outside_milestone: true })).body.ok).toBe(true)
  })

  it('searches what the run remembers, and nothing of another user', async () => {
    const world = await createServerWorld()
    const remember = async (user_id: string, content: string): Promise<string> => {
      const runId = await begin(world)
      const mcrs = [{ ...MCR, scope: 'user', content }]
      const { body } = await world.ask('POST', `/runs/${runId}/memory/propose`, {
        body: { mcrs, scope_filters: { user_id } },
      })
      await world.ask('POST', `/runs/${runId}/memory/commit`, { body: { batch_id: body.batch_id } })
      return runId
    }
    const ada = await remember('ada', 'the pump of Ada is blue')
    await remember('bob', 'the pump of Bob is red')
    const found = await world.ask('GET', `/runs/${ada}/memory/search?q=pump`)
    expect(found.body).toMatchObject({ ok: true, count: 1, error: null })
    // Without a question it is what the run remembers at all.
    expect((await world.ask('GET', `/runs/${ada}/memory/search`)).body).toEqual(found.body)
    expect(found.body.items).toEqual([
      {
        memory_id: expect.any(String),
        content: 'the pump of Ada is blue',
        confidence: 0.9,
        type: 'fact',
        scope: 'user',
        status: 'active',
      },
    ])
    const other = await world.ask('POST', `/runs/${ada}/memory/propose`, {
      body: { mcrs: [MCR], scope_filters: { user_id: 'bob' } },
    })
    expect(other.body).toMatchObject({ ok: false, staged_count: 0 })
    for (const top of ['0', '-1', 'x'])
      expect((await world.ask('GET', `/runs/${ada}/memory/search?q=pump&top_k=${top}`)).status).toBe(422)
  })

  it('finds what was deprecated, when asked for that', async () => {
    const world = await createServerWorld()
    const runId = await begin(world)
    const change = async (mcr: object): Promise<readonly string[]> => {
      const { body } = await world.ask('POST', `/runs/${runId}/memory/propose`, { body: { mcrs: [mcr] } })
      return (await world.ask('POST', `/runs/${runId}/memory/commit`, { body: { batch_id: body.batch_id } })).body
        .committed_ids
    }
    const [id] = await change(MCR)
    await change({ ...MCR, op: 'deprecate', target_memory_id: id })
    expect((await world.ask('GET', `/runs/${runId}/memory/search?q=pump`)).body.count).toBe(0)
    const gone = await world.ask('GET', `/runs/${runId}/memory/search?q=pump&status=deprecated`)
    expect(gone.body.items).toEqual([expect.objectContaining({ memory_id: id, status: 'deprecated' })])
  })

  it('packs a task and goes on with it under another id, by the paths it was answered', async () => {
    const world = await createServerWorld()
    const runId = await begin(world)
    await world.ask('PATCH', `/runs/${runId}`, { body: { patch: { status: 'BUSY' }, expected_seq: 0 } })
    const simple = await world.ask('POST', `/runs/${runId}/snapshot`)
    expect(simple.body).toEqual({
      ok: true,
      pack_path: expect.stringMatching(/^task_.*_resume_\d{8}_\d{6}\.zip$/),
      error: null,
    })
    const full = await world.ask('POST', `/runs/${runId}/resume/snapshot`, { body: {} })
    expect(keys(full)).toEqual(['error', 'manifest_path', 'ok', 'pack_dir', 'pack_id', 'pack_zip'])
    expect(full.body).toMatchObject({ ok: true, pack_id: expect.stringMatching(/^pack_/), error: null })
    const bare = await world.ask('POST', `/runs/${runId}/resume/snapshot`, { body: { zip_pack: false, pointers: {} } })
    expect(bare.body.pack_zip).toBeNull()
    const load = (pack_path: string, new_run_id?: string): Promise<Answered> =>
      world.ask('POST', '/runs/resume/load', { body: { pack_path, new_run_id } })
    for (const path of [simple.body.pack_path, full.body.pack_zip, bare.body.pack_dir]) {
      const loaded = await load(path)
      expect(loaded.body).toMatchObject({
        ok: true,
        error: null,
        ws: { status: 'BUSY', _update_seq: 1, run_id: loaded.body.run_id },
      })
      expect(loaded.body.run_id).not.toBe(runId)
      expect((await world.ask('GET', `/runs/${loaded.body.run_id}`)).body).toEqual(loaded.body.ws)
    }
    expect((await load(full.body.pack_zip, 'mine')).body.ws.run_id).toBe('mine')
    expect((await load(full.body.pack_zip, 'mine')).body).toEqual({
      ok: false,
      run_id: null,
      ws: null,
      error: 'run_id already exists: mine',
    })
    expect((await world.ask('POST', '/runs/nope/snapshot')).body.detail).toBe('Run nope not found')
    expect((await world.ask('POST', '/runs/nope/resume/snapshot', { body: {} })).body.detail).toBe('run not found')
  })

  it.each(['/etc/passwd', '../callboard.db', 'nothing.zip', 'a/b.zip', '..', 'task.zip/../../x.zip'])(
    'loads nothing from %s: a path is one inside the folder of packs',
    async (path) => {
      const { ask } = await createServerWorld()
      const { status, body } = await ask('POST', '/runs/resume/load', { body: { pack_path: path } })
      expect(status).toBe(200)
      expect(body).toEqual({ ok: false, run_id: null, ws: null, error: `pack path not found: ${path}` })
    },
  )

  it('asks a task that goes on from a pack of a booted one for milestones, too', async () => {
    const world = await createServerWorld()
    const runId = await boot(world)
    const { body } = await world.ask('POST', `/runs/${runId}/resume/snapshot`, { body: {} })
    const loaded = await world.ask('POST', '/runs/resume/load', { body: { pack_path: body.pack_zip } })
    const path = `/runs/${loaded.body.run_id}/memory`
    const proposed = await world.ask('POST', `${path}/propose`, { body: { mcrs: [MCR] } })
    const committed = await world.ask('POST', `${path}/commit`, { body: { batch_id: proposed.body.batch_id } })
    expect(committed.body).toMatchObject({ ok: false, committed_ids: [] })
  })

  it('leads from / to its page', async () => {
    const { ask } = await createServerWorld()
    const { status, headers } = await ask('GET', '/')
    expect([status, headers.get('location')]).toEqual([307, '/static/index.html'])
    expect((await ask('GET', '/static/index.html')).status).toBe(200)
  })
})
