import { describe, expect, it } from 'vitest'
import { taskLedger, taskLedgerLines } from 'callboard/machines/task'
import type { LedgerEvent } from 'callboard/machines/task'
import { freshPath, openStore } from '../../store/world.ts'
import { refusalOf } from '../../runtime/world.ts'
import { createTaskWorld, patchOf, sliding, tokens } from './world.ts'

const SECRET = `ghp_${'a1'.repeat(18)}`

function eventsOf(lines: string): readonly LedgerEvent[] {
  return lines
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as LedgerEvent)
}

describe('the ledger of a task', () => {
  it('has every patch, applied or refused, in the order in which they were judged, each naming the one before', async () => {
    const { tasks } = await createTaskWorld()
    const { run_id } = await tasks.create({ objective: 'o', run_id: 'run_1' })
    const items = [sliding('a', tokens(1_000), 9), sliding('b', tokens(1_000), 1)]
    await tasks.patch(run_id, patchOf(0, { status: 'BUSY', sliding_context: items }), { by: 'ann' })
    await tasks.patch(run_id, patchOf(0))
    await tasks.patch(run_id, patchOf(1, { constraints: [tokens(3_000)] }))
    await tasks.patch(run_id, { nonsense: true })
    await tasks.milestone(run_id, 'halfway', { nextEntryPoint: 'go on' })
    const events = eventsOf(await tasks.ledger(run_id))
    expect(events.map(({ event_type }) => event_type)).toEqual([
      'RUN_START',
      'WS_UPDATE_APPLIED',
      'WS_UPDATE_REJECTED',
      'WS_UPDATE_REJECTED',
      'WS_UPDATE_REJECTED',
      'MILESTONE',
    ])
    expect(events.map(({ sequence_id }) => sequence_id)).toEqual([1, 2, 3, 4, 5, 6])
    expect(events.map(({ parent_event_id }) => parent_event_id)).toEqual([
      null,
      ...events.slice(0, -1).map(({ event_id }) => event_id),
    ])
    expect(events[1]).toMatchObject({
      _schema_version: '2.1',
      writer_id: 'ann',
      task_id: 'task_1',
      thread_id: 'thread_1',
      run_id: 'run_1',
      timestamp: '2026-01-01T00:00:00.000Z',
      payload: {
        expected_seq: 0,
        new_seq: 1,
        set: { status: 'BUSY', sliding_context: [{ id: 'a' }] },
        redacted: [],
        evicted: ['b'],
      },
    })
    expect(events[2]?.payload).toEqual({ current_seq: 1, error: 'LOCK_ERROR expected_seq=0 current_seq=1' })
    expect(events[3]?.payload['error']).toMatch(/^WS_SIZE_ERROR/)
    expect(events[4]?.payload['error']).toMatch(/^patch schema: /)
    expect(events[5]?.payload).toMatchObject({ reason: 'halfway', next_entry_point: 'go on' })
  })

  it('has what agents log, and refuses what is no such event', async () => {
    const { tasks } = await createTaskWorld()
    const { run_id } = await tasks.create({ objective: 'o' })
    const call = { event_type: 'TOOL_CALL', payload: { tool: 'search', call_id: '1', arguments: { q: 'x' } } } as const
    await tasks.log(run_id, call, { by: 'ben' })
    expect(eventsOf(await tasks.ledger(run_id)).at(-1)).toMatchObject({ ...call, writer_id: 'ben', sequence_id: 2 })
    for (const wrong of [
      { event_type: 'TOOL_CALL', payload: { tool: 'search' } },
      { event_type: 'TOOL_CALL', payload: { ...call.payload, more: 1 } },
      { event_type: 'WS_UPDATE_APPLIED', payload: {} },
    ]) {
      expect((await refusalOf(tasks.log(run_id, wrong as never))).code).toBe('task.invalid')
    }
    expect(eventsOf(await tasks.ledger(run_id))).toHaveLength(2)
  })

  it('has no secret, neither of the working set nor of what was logged', async () => {
    const { tasks } = await createTaskWorld()
    const { run_id } = await tasks.create({ objective: 'o' })
    await tasks.patch(run_id, patchOf(0, { next_action: `use ${SECRET}`, current_stage: 'two' }))
    await tasks.log(run_id, { event_type: 'MODEL_ACTION', payload: { action: 'a', arguments: { api_key: 'k' } } })
    await tasks.log(run_id, {
      event_type: 'TOOL_RESULT',
      payload: { tool: 't', call_id: '1', ok: true, result: SECRET },
    })
    const lines = await tasks.ledger(run_id)
    expect(lines).not.toContain(SECRET)
    const [, applied, action] = eventsOf(lines)
    expect(applied?.payload).toMatchObject({ set: { current_stage: 'two' }, redacted: ['next_action'] })
    expect(action?.payload).toEqual({ action: 'a', arguments: { api_key: '[redacted: sensitive]' } })
  })

  it('is the same, byte for byte, whenever it is written, and agrees with the working set after a crash', async () => {
    const path = freshPath()
    const store = await openStore(path)
    const { tasks, runtime } = await createTaskWorld({ store })
    const { run_id } = await tasks.create({ objective: 'o' })
    for (let seq = 0; seq < 5; seq++) await tasks.patch(run_id, patchOf(seq, { next_action: `step ${seq}` }))
    const lines = await tasks.ledger(run_id)
    expect(taskLedgerLines(await (await runtime.open(run_id)).ledger())).toBe(lines)
    // Abandoned, as by a process that is killed.
    const after = await createTaskWorld({ store: await openStore(path) })
    expect(await after.tasks.ledger(run_id)).toBe(lines)
    const ws = await after.tasks.get(run_id)
    const last = eventsOf(lines).at(-1)?.payload
    expect(last).toMatchObject({ new_seq: ws?._update_seq, set: { next_action: ws?.next_action } })
  })

  it('is empty for no records', () => {
    expect(taskLedger([])).toEqual([])
    expect(taskLedgerLines([])).toBe('')
  })
})
