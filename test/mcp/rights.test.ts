// A caller that is an agent has exactly that agent's view and rights.
import { put } from 'callboard'
import { createMemory } from 'callboard/memory'
import { openMcp } from 'callboard/mcp'
import { describe, expect, it } from 'vitest'
import { call, gather, NOT_THERE, PLANNER, read } from './team.ts'

describe('an agent by MCP', () => {
  it('reads what its type may read, and nothing else is there', async () => {
    const { run, connect } = await gather()
    const client = await connect(PLANNER)

    const { entries, seq } = await call(client, 'read_entries', { runId: run.id })

    expect(entries).toEqual([expect.objectContaining({ key: 'task.question', value: 'how?', version: 1 })])
    expect(seq).toBe(run.view('planner').seq)
    expect(seq).not.toBe(run.seq)
    await expect(read(client, `callboard://runs/${run.id}/entries/board.minutes`)).rejects.toThrow(NOT_THERE)
    await expect(read(client, `callboard://runs/${run.id}/entries/no.such`)).rejects.toThrow(NOT_THERE)
  })

  it('writes with the rights of its type, in its own name', async () => {
    const { run, connect } = await gather()
    const client = await connect({ kind: 'agent', type: 'planner', id: 'planner-2' })

    const accepted = await call(client, 'update', {
      runId: run.id,
      writes: [
        { key: 'plan.steps', value: ['think'] },
        { key: 'planner.notes', value: 'mine' },
      ],
    })
    const refused = await call(client, 'update', {
      runId: run.id,
      writes: [
        { key: 'plan.budget', value: 3 },
        { key: 'draft.text', value: 'not mine to write' },
      ],
    })

    expect(accepted).toMatchObject({ kind: 'accepted', versions: { 'plan.steps': 1 }, isError: false })
    expect(refused).toMatchObject({ kind: 'refused', reason: 'not-writable', isError: true })
    expect(run.entry('plan.steps')).toMatchObject({ owner: 'planner-2', updatedBy: 'planner-2' })
    expect(run.get('plan.budget')).toBeUndefined()
    expect(run.view('planner-2', 'planner').get('planner.notes')).toBe('mine')
    expect(run.view('planner').get('planner.notes')).toBeUndefined()
  })

  it('is not told which keys there are that it may not write', async () => {
    const { run, connect } = await gather()
    const client = await connect(PLANNER)
    const tried = async (key: string): Promise<string> => {
      const refused = await call(client, 'update', { runId: run.id, writes: [{ key, value: 'x' }] })
      return JSON.stringify(refused).replaceAll(key, '<key>')
    }
    expect(await tried('nothing.there')).toBe(await tried('board.minutes'))
    expect(await tried('board.minutes')).toContain('not-writable')
    expect(await tried('plan.nothing')).toContain('unknown-key')
  })

  it('waits for what it may see only, and is told so', async () => {
    const { run, connect } = await gather()
    const client = await connect(PLANNER)

    const waiting = call(client, 'wait_for', { runId: run.id, keys: ['plan.budget'] })
    await run.update({ 'plan.budget': 40 })
    const late = await call(client, 'wait_for', { runId: run.id, keys: ['plan.steps'], timeoutMs: 0 })
    const hidden = await call(client, 'wait_for', { runId: run.id, keys: ['board.minutes'] })

    expect((await waiting)['entries']).toEqual([expect.objectContaining({ key: 'plan.budget', value: 40 })])
    expect(late).toMatchObject({ kind: 'timeout', code: 'wait.timeout', entries: [], isError: true })
    expect(hidden).toMatchObject({ code: 'view.not-readable', isError: true })
  })

  it('sends events, and is told neither which there are nor whether the machine took one', async () => {
    const { run, connect } = await gather()
    const client = await connect(PLANNER)

    const unknown = await call(client, 'send_event', { runId: run.id, type: 'nonsense' })
    const sent = await call(client, 'send_event', { runId: run.id, type: 'go on', payload: { why: 'it is good' } })

    expect(unknown).toMatchObject({ code: 'event.unknown', message: 'there is no such event here', isError: true })
    expect(sent).toMatchObject({ taken: null, isError: false })
  })

  it('gets the same bytes whatever happens out of its sight', async () => {
    const told = async (hidden: string): Promise<string> => {
      const { run, connect } = await gather()
      const client = await connect(PLANNER)
      await run.update({ 'board.minutes': hidden, 'credentials.registry': put(`${hidden} secret`) })
      if (hidden === 'more') await run.update({ 'board.minutes': 'and more' })
      const { runId: _own, ...shown } = await call(client, 'show_run', { runId: run.id })
      const answers = [
        shown,
        await call(client, 'update', { runId: run.id, writes: [{ key: 'board.minutes', value: 'x' }] }),
        await call(client, 'update', { runId: run.id, writes: [{ key: 'plan.steps', value: ['a'] }] }),
        await call(client, 'wait_for', { runId: run.id, keys: ['credentials.registry'], timeoutMs: 0 }),
        await call(client, 'wait_for', { runId: run.id, keys: ['plan.budget'], timeoutMs: 0 }),
        await client.listTools(),
        await client.listResourceTemplates(),
      ]
      const { entries } = await call(client, 'read_entries', { runId: run.id })
      const timeless = (entries as readonly object[]).map((one) => ({ ...one, createdAt: 0, updatedAt: 0 }))
      return JSON.stringify([answers, timeless]).replaceAll(run.id, 'the run')
    }

    expect(await told('more')).toBe(await told('less'))
  })

  it('finds the runs of workflows with its type; others are not there', async () => {
    const { run, other, connect } = await gather()
    const client = await connect(PLANNER)

    const { runs } = await call(client, 'list_runs')
    const absent = await call(client, 'show_run', { runId: other.id })
    const unknown = await call(client, 'show_run', { runId: 'no such run' })

    expect(runs).toEqual([expect.objectContaining({ runId: run.id, workflow: 'teamwork' })])
    expect(JSON.stringify(runs)).not.toContain('seq')
    expect(absent['message']).toBe((unknown['message'] as string).replace('no such run', other.id))
    expect(absent['code']).toBe('run.unknown')
  })

  it('has no tool or resource for what an agent cannot do', async () => {
    const { run, connect } = await gather()
    const client = await connect(PLANNER)

    const { tools } = await client.listTools()
    const { resourceTemplates } = await client.listResourceTemplates()

    expect(tools.map(({ name }) => name).toSorted()).toEqual([
      'list_runs',
      'read_entries',
      'send_event',
      'show_run',
      'update',
      'wait_for',
    ])
    expect(resourceTemplates.map(({ name }) => name)).toEqual(['run', 'entries', 'entry'])
    await expect(client.callTool({ name: 'start_run', arguments: { workflow: 'teamwork' } })).rejects.toThrow(NOT_THERE)
    for (const uri of ['ledger', 'views/writer']) {
      await expect(read(client, `callboard://runs/${run.id}/${uri}`)).rejects.toThrow(NOT_THERE)
    }
    await expect(read(client, 'callboard://workflows/teamwork/chart')).rejects.toThrow(NOT_THERE)
    const asOther = await call(client, 'read_entries', { runId: run.id, agent: { id: 'writer' } })
    expect(asOther).toMatchObject({ code: 'agent.unknown', isError: true })
  })

  it('keeps the rights of its own type, whatever an agent of its name was invoked as', async () => {
    const { run, connect } = await gather()
    const client = await connect({ kind: 'agent', type: 'planner', id: 'writer' })

    const result = await call(client, 'update', { runId: run.id, writes: [{ key: 'draft.text', value: 'x' }] })

    expect(run.explain().agents).toContainEqual(expect.objectContaining({ id: 'writer', type: 'writer' }))
    expect(result).toMatchObject({ kind: 'refused', reason: 'not-writable' })
  })

  it('searches what its type remembers', async () => {
    const memory = await createMemory()
    const { run, connect } = await gather({ memory })
    const change = { op: 'add', kind: 'semantic', type: 'fact', text: 'apples are red', scope: 'agent' }
    await memory.for({ runId: run.id, agent: 'planner' }).remember([change as never])

    const ask = { runId: run.id, query: 'apples' }
    const own = await call(await connect(PLANNER), 'search_memory', ask)
    const others = await call(await connect({ kind: 'agent', type: 'writer' }), 'search_memory', ask)

    expect(own['hits']).toEqual([expect.objectContaining({ text: 'apples are red' })])
    expect(others['hits']).toEqual([])
  })

  it('is refused where no workflow has its type', async () => {
    const { runtime } = await gather()

    await expect(openMcp({ runtime, caller: { kind: 'agent', type: 'cook' } })).rejects.toMatchObject({
      code: 'mcp.unknown-agent',
    })
  })
})

describe('a reader by MCP', () => {
  it('sees all but what is sensitive, and has no tool that changes anything', async () => {
    const { run, connect } = await gather()
    const client = await connect({ kind: 'reader' })

    const { tools } = await client.listTools()
    const { entries } = await call(client, 'read_entries', { runId: run.id, keys: ['board.*', 'credentials.registry'] })
    const ledger = await read(client, `callboard://runs/${run.id}/ledger`)

    expect(tools.every(({ annotations }) => annotations?.readOnlyHint === true)).toBe(true)
    expect(tools.length).toBeGreaterThan(5)
    expect(entries).toHaveLength(2)
    expect(JSON.stringify(entries) + ledger).not.toContain('s3cret-value')
    expect(ledger).toContain('board.minutes')
  })
})
