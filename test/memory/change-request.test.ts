import { itemToWire, parseChangeRequests } from 'callboard/memory'
import { describe, expect, it } from 'vitest'
import { openWorld } from './world.ts'

const REQUEST = {
  _schema_version: '2.1',
  op: 'add',
  type: 'preference',
  scope: 'user',
  content: 'Ada takes no sugar',
  confidence: 0.9,
  rationale: 'she said so',
  source_refs: ['chat 5'],
}
const ADA = { user: 'ada', project: 'house' }

describe('a change request', () => {
  it('is proposed, committed and read back in the form of its clients', async () => {
    const { memory, clock } = await openWorld()
    const me = memory.for({ runId: 'run', ...ADA })
    const parsed = parseChangeRequests([REQUEST, { ...REQUEST, op: 'noop' }], ADA)
    if (!parsed.ok) throw new Error(parsed.error)
    const batch = await me.propose(parsed.changes)
    expect(await me.commit(batch.id)).toMatchObject({ ids: ['mem_0002'] })
    const [item] = await me.list()
    if (item === undefined) throw new Error('nothing was committed')
    expect(itemToWire(item)).toEqual({
      memory_id: 'mem_0002',
      type: 'preference',
      scope: 'user',
      user_id: 'ada',
      project_id: null,
      content: 'Ada takes no sugar',
      confidence: 0.9,
      status: 'active',
      supersedes: [],
      source_refs: ['chat 5'],
      created_at: new Date(clock.now()).toISOString(),
      updated_at: new Date(clock.now()).toISOString(),
    })
  })

  it('supersedes and deprecates; a tombstone is deprecated to its clients', async () => {
    const { memory } = await openWorld()
    const me = memory.for({ runId: 'run', ...ADA })
    const commit = async (...requests: unknown[]): Promise<readonly string[]> => {
      const parsed = parseChangeRequests(requests, ADA)
      if (!parsed.ok) throw new Error(parsed.error)
      const result = await me.remember(parsed.changes)
      return result.kind === 'committed' ? result.ids : []
    }
    await commit({ ...REQUEST, memory_id: 'sugar', user_id: 'ada', created_at: '2025-01-01T00:00:00Z' })
    expect(
      await commit({ ...REQUEST, op: 'supersede', supersedes: ['sugar'], content: 'Ada takes sugar' }),
    ).toHaveLength(1)
    const old = await me.get('sugar')
    expect(old?.status).toBe('superseded')
    expect(old?.data).toEqual({ created_at: '2025-01-01T00:00:00Z' })
    expect(old === undefined ? '' : itemToWire(old).status).toBe('deprecated')
    const [active] = await me.list()
    expect(await commit({ ...REQUEST, op: 'deprecate', target_memory_id: active?.id })).toEqual([])
    expect(await me.list()).toEqual([])
  })

  it.each<[string, unknown, string]>([
    ['of an unknown version', { ...REQUEST, _schema_version: '1.0' }, 'mcr schema: [0]._schema_version: '],
    ['with an unknown operation', { ...REQUEST, op: 'erase' }, 'mcr schema: [0].op: '],
    ['of an unknown type', { ...REQUEST, type: 'rumour' }, 'mcr schema: [0].type: '],
    ['of an unknown scope', { ...REQUEST, scope: 'agent' }, 'mcr schema: [0].scope: '],
    ['with too much confidence', { ...REQUEST, confidence: 2 }, 'mcr schema: [0].confidence: '],
    ['without sources', { ...REQUEST, source_refs: undefined }, 'mcr schema: [0].source_refs: '],
    ['with a field too many', { ...REQUEST, colour: 'red' }, 'mcr schema: [0]: '],
    ['that supersedes nothing', { ...REQUEST, op: 'supersede' }, 'mcr schema: [0].supersedes: '],
    ['that supersedes an empty list', { ...REQUEST, op: 'supersede', supersedes: [] }, 'mcr schema: [0].supersedes: '],
    ['that deprecates nothing', { ...REQUEST, op: 'deprecate' }, 'mcr schema: [0].target_memory_id: '],
    ['with a short id', { ...REQUEST, memory_id: 'ab' }, 'mcr schema: [0].memory_id: '],
    ['for another user', { ...REQUEST, user_id: 'bob' }, 'mcr schema: [0].user_id: is not the user of this run'],
    ['for another project', { ...REQUEST, project_id: 'x' }, 'mcr schema: [0].project_id: is not the project'],
  ])('%s is refused with its place', (_what, request, error) => {
    expect(parseChangeRequests([request], ADA)).toEqual({ ok: false, error: expect.stringContaining(error) })
    expect(parseChangeRequests([REQUEST, request], ADA)).toMatchObject({ ok: false })
  })

  it('is needed: an empty batch is refused', () => {
    expect(parseChangeRequests([], ADA).ok).toBe(false)
    expect(parseChangeRequests({}, ADA).ok).toBe(false)
  })
})
