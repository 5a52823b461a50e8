import { describe, expect, it } from 'vitest'
import { createRuntime } from 'callboard'
import { createTasks, task } from 'callboard/machines/task'
import { freshPath, openStore } from '../../store/world.ts'
import { refusalOf } from '../../runtime/world.ts'
import { createTaskWorld, patchOf, sliding, tokens } from './world.ts'

describe('a task', () => {
  it('begins with exactly the fields of the format', async () => {
    const { tasks } = await createTaskWorld()
    const ws = await tasks.create({ objective: 'write it down', acceptance_criteria: ['done'], run_id: 'run_1' })
    expect(ws).toEqual({
      _schema_version: '2.1',
      _update_seq: 0,
      task_id: 'task_1',
      thread_id: 'thread_1',
      run_id: 'run_1',
      status: 'BOOT',
      objective: 'write it down',
      acceptance_criteria: ['done'],
      current_stage: 'BOOT',
      next_action: '',
      constraints: [],
      artifact_refs: [],
      blockers: [],
      last_action_summary: '',
      pinned_context: [],
      sliding_context: [],
    })
    expect(await tasks.get('run_1')).toEqual(ws)
    expect(await tasks.list()).toEqual(['run_1'])
  })

  it('has ids of its own where none are given', async () => {
    const { tasks } = await createTaskWorld()
    const [one, other] = [await tasks.create({ objective: 'a' }), await tasks.create({ objective: 'b' })]
    expect(one.run_id).toMatch(/^run_[0-9a-f]{16}$/)
    expect(one.run_id).not.toBe(other.run_id)
  })

  it('is not begun twice, empty, too large, or with half an emoji, and nothing is left behind', async () => {
    const { tasks } = await createTaskWorld()
    await tasks.create({ objective: 'first', run_id: 'r' })
    expect((await refusalOf(tasks.create({ objective: 'second', run_id: 'r' }))).code).toBe('run.exists')
    expect((await refusalOf(tasks.create({ objective: '' }))).code).toBe('task.invalid')
    expect((await refusalOf(tasks.create({ objective: '\ud83d' }))).code).toBe('task.invalid')
    const large = await refusalOf(tasks.create({ objective: tokens(1_976), run_id: 'large' }))
    expect(large).toMatchObject({ code: 'task.size' })
    expect(large.message).toContain('WS_SIZE_ERROR: base_load_tokens=2001 exceeds ws_max_tokens=2000')
    expect(await tasks.list()).toEqual(['r'])
    expect(await tasks.get('large')).toBeUndefined()
  })

  it('has states that are its statuses, in any order', async () => {
    const { tasks, runtime } = await createTaskWorld()
    const { run_id } = await tasks.create({ objective: 'o' })
    const run = await runtime.open(run_id)
    expect(run.state).toBe('BOOT')
    for (const [seq, status] of (['DONE', 'BUSY', 'FAILED', 'IDLE', 'IDLE'] as const).entries()) {
      expect(await tasks.patch(run_id, patchOf(seq, { status }))).toMatchObject({ ok: true, new_ws: { status } })
      expect(run.state).toBe(status)
    }
  })
})

describe('a patch', () => {
  it('replaces fields whole, adds 1 to the sequence, also when it is empty, and leaves the rest alone', async () => {
    const { tasks } = await createTaskWorld()
    const { run_id } = await tasks.create({ objective: 'o', constraints: ['a', 'b'] })
    const first = await tasks.patch(run_id, patchOf(0, { constraints: ['c'], next_action: 'go' }))
    expect(first).toMatchObject({ ok: true, new_ws: { _update_seq: 1, constraints: ['c'], next_action: 'go' } })
    const second = await tasks.patch(run_id, patchOf(1))
    expect(second).toEqual({ ok: true, new_ws: { ...(first.ok ? first.new_ws : {}), _update_seq: 2 } })
    expect(await tasks.get(run_id)).toEqual(second.ok ? second.new_ws : undefined)
  })

  it('that expects another sequence changes nothing and is told both', async () => {
    const { tasks } = await createTaskWorld()
    const { run_id } = await tasks.create({ objective: 'o' })
    await tasks.patch(run_id, patchOf(0))
    expect(await tasks.patch(run_id, patchOf(0, { next_action: 'late' }))).toEqual({
      ok: false,
      kind: 'lock',
      error: 'LOCK_ERROR expected_seq=0 current_seq=1',
    })
    expect(await tasks.get(run_id)).toMatchObject({ _update_seq: 1, next_action: '' })
  })

  it.each([
    ['another version', { _schema_version: '2.0', expected_seq: 0, set: {} }, '_schema_version'],
    ['no lock', { _schema_version: '2.1', set: {} }, 'expected_seq'],
    ['the objective', patchOf(0, { objective: 'another' }), 'set'],
    ['an id', patchOf(0, { run_id: 'x' }), 'set'],
    ['the sequence', patchOf(0, { _update_seq: 9 }), 'set'],
    ['an unknown status', patchOf(0, { status: 'SLEEPING' as never }), 'set.status'],
    ['an unknown field', patchOf(0, { mood: 'good' } as never), 'set'],
    [
      'an eleventh pinned item',
      patchOf(0, { pinned_context: Array.from({ length: 11 }, () => ({ id: 'a', content: 'b' })) }),
      'set.pinned',
    ],
    ['an empty content', patchOf(0, { sliding_context: [sliding('a', '')] }), 'set.sliding_context.0.content'],
    ['a priority of 10', patchOf(0, { sliding_context: [sliding('a', 'b', 10)] }), 'set.sliding_context.0.priority'],
    ['a time that is none', patchOf(0, { sliding_context: [sliding('a', 'b', 1, 'yesterday')] }), '0.timestamp'],
    ['a short hash', patchOf(0, { artifact_refs: [{ type: 't', id: 'i', sha256: 'abc' }] }), 'artifact_refs.0.sha256'],
    ['half an emoji', patchOf(0, { next_action: 'a\ud83d' }), 'set.next_action'],
    ['a text', 'patch', 'expected object'],
    ['nothing', undefined, 'expected object'],
  ])('with %s is refused before anything else is looked at', async (_what, patch, place) => {
    const { tasks } = await createTaskWorld()
    const { run_id } = await tasks.create({ objective: 'o' })
    const refused = await tasks.patch(run_id, patch)
    expect(refused).toMatchObject({ ok: false, kind: 'schema' })
    expect(!refused.ok && refused.error).toMatch(/^patch schema: /)
    expect(!refused.ok && refused.error).toContain(place)
    expect(await tasks.get(run_id)).toMatchObject({ _update_seq: 0 })
  })

  it('is judged by its format, then by the lock, then by its size', async () => {
    const { tasks } = await createTaskWorld()
    const { run_id } = await tasks.create({ objective: 'o' })
    const all = { ...patchOf(7, { constraints: [tokens(3_000)] }), more: 1 }
    expect(await tasks.patch(run_id, all)).toMatchObject({ kind: 'schema' })
    expect(await tasks.patch(run_id, patchOf(7, { constraints: [tokens(3_000)] }))).toMatchObject({ kind: 'lock' })
    expect(await tasks.patch(run_id, patchOf(0, { constraints: [tokens(3_000)] }))).toMatchObject({ kind: 'size' })
    expect(await tasks.patch(run_id, patchOf(0))).toMatchObject({ ok: true })
  })

  it('of several at once, exactly one is applied and the others are told the lock', async () => {
    const { tasks } = await createTaskWorld()
    const { run_id } = await tasks.create({ objective: 'o' })
    for (let seq = 0; seq < 20; seq++) {
      const results = await Promise.all(
        Array.from({ length: 16 }, (_, index) => tasks.patch(run_id, patchOf(seq, { next_action: String(index) }))),
      )
      const winners = results.flatMap((result) => (result.ok ? [result.new_ws.next_action] : []))
      expect(winners).toHaveLength(1)
      const error = `LOCK_ERROR expected_seq=${seq} current_seq=${seq + 1}`
      expect(results.filter((result) => !result.ok && result.error === error)).toHaveLength(15)
      expect(await tasks.get(run_id)).toMatchObject({ _update_seq: seq + 1, next_action: winners[0] })
    }
  })

  it('may hold a very long list of references: they cost nothing', async () => {
    const { tasks } = await createTaskWorld()
    const { run_id } = await tasks.create({ objective: 'o' })
    const artifact_refs = Array.from({ length: 2_000 }, (_, index) => ({ type: 'file', id: `a${index}`, path: 'p' }))
    expect(await tasks.patch(run_id, patchOf(0, { artifact_refs }))).toMatchObject({ ok: true })
  })

  it('of an unknown task, or of a run that is no task, is an error', async () => {
    const { tasks, runtime } = await createTaskWorld()
    expect((await refusalOf(tasks.patch('nobody', patchOf(0)))).code).toBe('run.unknown')
    expect(await tasks.get('nobody')).toBeUndefined()
    await runtime.start(task, { runId: 'plain', input: { objective: 'o' } })
    await runtime.stop('plain')
    expect((await refusalOf(tasks.patch('plain', patchOf(0)))).code).toBe('run.finished')
  })
})

describe('a task in a file', () => {
  it('is there after a restart, with what was evicted and its sequence', async () => {
    const path = freshPath()
    const before = await createTasks({ store: await openStore(path) })
    const { run_id } = await before.create({ objective: 'o' })
    await before.patch(run_id, patchOf(0, { status: 'BUSY', sliding_context: [sliding('a', 'x')] }))
    const ws = await before.get(run_id)
    await before.close()
    await before.close()
    expect((await refusalOf(before.patch(run_id, patchOf(1)))).code).toBe('runtime.closed')
    const after = await createTasks({ store: await openStore(path) })
    expect(await after.get(run_id)).toEqual(ws)
    expect(await after.patch(run_id, patchOf(1))).toMatchObject({ ok: true, new_ws: { _update_seq: 2 } })
    await after.close()
  })

  it('whose limits are others than S4’s keeps to those', async () => {
    const tasks = await createTasks({ limits: { ws_max_tokens: 40, pinned_context_max_items: 1 } })
    const { run_id } = await tasks.create({ objective: 'o' })
    const pinned_context = [
      { id: 'a', content: 'a' },
      { id: 'b', content: 'b' },
    ]
    expect(await tasks.patch(run_id, patchOf(0, { pinned_context }))).toMatchObject({
      new_ws: { pinned_context: [{ id: 'b' }] },
    })
    expect(await tasks.patch(run_id, patchOf(1, { constraints: [tokens(20)] }))).toMatchObject({
      error: 'WS_SIZE_ERROR: base_load_tokens=47 exceeds ws_max_tokens=40',
    })
    await tasks.close()
  })

  it('leaves a runtime alone that it was given', async () => {
    const runtime = await createRuntime({ workflows: [task] })
    const tasks = await createTasks({ runtime })
    const { run_id } = await tasks.create({ objective: 'o' })
    await tasks.close()
    expect((await runtime.open(run_id)).status).toBe('active')
    await runtime.close()
  })
})
