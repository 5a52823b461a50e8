// What an operator does by MCP, and that clients are told of changes, over the current protocol and the one with sessions.
import { isCallboardError } from 'callboard'
import type { Client } from '@modelcontextprotocol/client'
import { describe, expect, it, vi } from 'vitest'
import { loadSdk } from '../../src/mcp/sdk.ts'
import { call, gather, NOT_THERE, PLANNER, read } from './team.ts'

describe.each(['current', 'sessions'] as const)('an operator by MCP, %s protocol', (protocol) => {
  it('starts a run, sees why it waits, lets it go on and sees it end', async () => {
    const { runtime, connect } = await gather()
    const client = await connect({ kind: 'operator', name: 'ada' }, protocol)

    const { runId } = await call(client, 'start_run', { workflow: 'teamwork', labels: { for: 'ada' } })
    const waiting = await call(client, 'show_run', { runId })
    const drafted = call(client, 'wait_for', { runId, keys: ['draft.text'] })
    await call(client, 'update', { runId, writes: [{ key: 'plan.steps', value: ['think', 'write'] }] })
    await drafted
    const early = await call(client, 'send_event', { runId, type: 'go on', payload: {} })
    const { taken } = await call(client, 'send_event', { runId, type: 'go on', payload: { why: 'it is good' } })

    expect(waiting).toMatchObject({ status: 'active', state: 'writing', labels: { for: 'ada' } })
    expect(waiting['text']).toContain('writer waits for "plan.steps"')
    expect((await drafted)['entries']).toEqual([expect.objectContaining({ value: 'think, then write' })])
    expect(early).toMatchObject({ code: 'event.invalid', isError: true })
    expect(taken).toBe(true)
    expect(await runtime.get(String(runId))?.done).toBe('think, then write')
    expect(runtime.get(String(runId))?.entry('plan.steps')?.updatedBy).toBe('ada')
    expect(await call(client, 'show_run', { runId })).toMatchObject({ status: 'done' })
  })

  it('is told of changes to what it listens to, and of nothing else', async () => {
    const { run, other, connect } = await gather()
    const client = await connect({ kind: 'operator' }, protocol)
    const uri = `callboard://runs/${run.id}/entries/plan.budget`
    const told = await listenTo(client, [uri], protocol)

    await other.update({ 'task.question': 'elsewhere' })
    await run.update({ 'task.question': 'again' })
    await run.update({ 'plan.budget': 5 })
    await vi.waitUntil(() => told.length > 0)

    expect(told).toEqual([uri])
    expect(await read(client, uri)).toContain('"value": 5')
  })

  it('tells an agent of changes in its view and of no others', async () => {
    const { run, connect } = await gather()
    const client = await connect(PLANNER, protocol)
    const view = `callboard://runs/${run.id}/entries`
    const told = await listenTo(client, [view, `callboard://runs/${run.id}`], protocol)

    await run.update({ 'board.minutes': 'hidden', 'credentials.registry': 'hidden' })
    await run.update({ 'task.question': 'why?' })
    await vi.waitUntil(() => told.length > 0)

    expect(told).toEqual([view])
  })
})

/** The URIs that are told of from now on. */
async function listenTo(client: Client, uris: readonly string[], protocol: 'current' | 'sessions'): Promise<string[]> {
  const told: string[] = []
  client.setNotificationHandler('notifications/resources/updated', ({ params }) => void told.push(params.uri))
  if (protocol === 'current') await client.listen({ resourceSubscriptions: [...uris] })
  else for (const uri of uris) await client.subscribeResource({ uri })
  return told
}

describe('the resources of a door', () => {
  it('are listed, read and completed', async () => {
    const { run, connect } = await gather()
    const client = await connect({ kind: 'operator' })

    const { resources } = await client.listResources()
    const complete = async (uri: string, name: string, value: string): Promise<readonly string[]> => {
      const ref = { type: 'ref/resource', uri } as const
      const context = { arguments: { runId: run.id } }
      return (await client.complete({ ref, argument: { name, value }, context })).completion.values
    }

    expect(resources.map(({ uri }) => uri)).toEqual(
      expect.arrayContaining([
        'callboard://runs',
        `callboard://runs/${run.id}`,
        `callboard://runs/${run.id}/entries`,
        'callboard://workflows/teamwork/chart',
      ]),
    )
    for (const { uri } of resources) expect((await read(client, uri)).length).toBeGreaterThan(10)
    expect(await read(client, `callboard://runs/${run.id}/views/planner`)).toContain('task.question')
    expect(await read(client, 'callboard://workflows/teamwork/chart')).toContain('stateDiagram')
    expect(await complete('callboard://runs/{runId}', 'runId', run.id.slice(0, 6))).toContain(run.id)
    expect(await complete('callboard://runs/{runId}/entries/{key}', 'key', 'task.')).toEqual(['task.question'])
    expect(await complete('callboard://runs/{runId}/views/{agent}', 'agent', 'pl')).toEqual(['planner'])
    expect(await complete('callboard://workflows/{workflow}/chart', 'workflow', 'team')).toEqual(['teamwork'])
  })

  it('are not there for a URI that names nothing', async () => {
    const { connect } = await gather()
    const client = await connect({ kind: 'operator' })
    const nowhere = ['callboard://runs/none', 'callboard://runs//entries', 'callboard://runs/%E0', 'callboard://else']

    const withSession = await connect({ kind: 'operator' }, 'sessions')
    for (const uri of nowhere) {
      await expect(read(client, uri)).rejects.toThrow(NOT_THERE)
      await expect(withSession.subscribeResource({ uri })).rejects.toThrow(NOT_THERE)
    }
  })
})

describe('a door', () => {
  it('refuses an update whole and says why; a stale version overwrites nothing', async () => {
    const { run, connect } = await gather()
    const client = await connect({ kind: 'operator' })
    await run.update({ 'plan.budget': 1 })
    const update = (writes: readonly object[]): Promise<object> => call(client, 'update', { runId: run.id, writes })

    expect(await update([{ key: 'plan.budget', value: 2, expectedVersion: 7 }])).toMatchObject({
      reason: 'expected-version',
      actualVersion: 1,
      isError: true,
    })
    expect(await update([{ key: 'plan.budget', value: 'much' }])).toMatchObject({ reason: 'schema', isError: true })
    const twice = [
      { key: 'plan.budget', value: 2 },
      { key: 'plan.budget', value: 3 },
    ]
    expect(await update(twice)).toMatchObject({ code: 'mcp.invalid-write' })
    expect(await update([{ key: 'plan.budget' }])).toMatchObject({ code: 'mcp.invalid-write' })
    expect(await update([{ key: '__proto__', value: 1 }])).toMatchObject({ reason: 'unknown-key' })
    expect(run.entry('plan.budget')).toMatchObject({ value: 1, version: 1 })
    expect(await update([{ key: 'plan.budget', kind: 'drop' }])).toMatchObject({ kind: 'accepted' })
    expect(run.get('plan.budget')).toBeUndefined()
  })

  it('waits for the first of several entries, and not for longer than it is asked to', async () => {
    const { run, connect } = await gather()
    const client = await connect({ kind: 'operator' })

    const first = call(client, 'wait_for', { runId: run.id, keys: ['plan.steps', 'plan.budget'], mode: 'any' })
    await vi.waitUntil(() => run.explain().waits.filter(({ waiter }) => waiter === 'outside').length === 2)
    await run.update({ 'plan.budget': 9 })
    const both = await call(client, 'wait_for', { runId: run.id, keys: ['plan.steps', 'plan.budget'], timeoutMs: 1 })

    expect((await first)['entries']).toEqual([expect.objectContaining({ key: 'plan.budget', value: 9 })])
    expect(both).toMatchObject({ kind: 'timeout', entries: [{ key: 'plan.budget' }] })
    expect(run.explain().waits.filter(({ waiter }) => waiter === 'outside')).toEqual([])
  })

  it('says of a value that is tagged as what it is not that it is the client’s to correct', async () => {
    const failures: unknown[] = []
    const { run, connect } = await gather({ onFailure: (error) => void failures.push(error) })
    const client = await connect(PLANNER)
    for (const value of [
      { $type: 'Map' },
      { $type: 'Set', value: 7 },
      { $type: 'object' },
      { $type: 'Date', value: '' },
    ]) {
      const answer = await call(client, 'update', { runId: run.id, writes: [{ key: 'plan.steps', value: [value] }] })
      expect(answer).toMatchObject({ code: 'value.malformed', isError: true })
    }
    expect(failures).toEqual([])
  })

  it('keeps what went wrong inside to itself, and tells whoever runs it', async () => {
    const failures: unknown[] = []
    const { connect } = await gather({
      onFailure: (error) => void failures.push(error),
      open: () => Promise.reject(new Error('/secret/path broke')),
    })
    const client = await connect({ kind: 'operator' })

    const answer = await call(client, 'show_run', { runId: 'some run' })

    expect(answer['isError']).toBe(true)
    expect(JSON.stringify(answer)).not.toContain('secret')
    expect(failures).toEqual([expect.objectContaining({ message: '/secret/path broke' })])
  })

  it('says which package to install where the SDK is missing', async () => {
    const missing = Object.assign(new Error("Cannot find package '@modelcontextprotocol/server'"), {
      code: 'ERR_MODULE_NOT_FOUND',
    })
    const error = await loadSdk(() => Promise.reject(missing)).catch((reason: unknown) => reason)

    expect(isCallboardError(error, 'mcp.package-missing')).toBe(true)
    expect((error as Error).message).toContain('npm i @modelcontextprotocol/server@2.4.0')
  })

  it('answers nobody from another host or page, nor after it was closed', async () => {
    const { door, url } = await gather()
    const ask = (headers: Readonly<Record<string, string>>): Promise<Response> =>
      door.fetch(new Request(url, { method: 'POST', body: '{}', headers: { host: '127.0.0.1', ...headers } }))

    expect((await ask({ host: 'evil.example' })).status).toBe(403)
    expect((await ask({ origin: 'https://evil.example' })).status).toBe(403)
    await door.close()
    await door.close()
    expect((await ask({})).status).toBe(503)
  })
})
