// The runs of a server for MCP clients, at /mcp: with the rights of the token, under the rules of the server.
import type { Client } from '@modelcontextprotocol/client'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { ROLES } from 'callboard/server'
import { call } from '../mcp/team.ts'
import { idOf } from '../support/token.ts'
import { INITIALIZE, mount } from './mcp-world.ts'
import { createHouse } from './world.ts'

const toolsOf = async (client: Client): Promise<readonly string[]> =>
  (await client.listTools()).tools.map(({ name }) => name)

async function codeOf(response: Response): Promise<unknown> {
  return ((await response.json()) as { readonly code: unknown }).code
}

describe.each(['current', 'sessions'] as const)('a server, at /mcp, %s protocol', (protocol) => {
  it('lets whoever reaches it do everything while there is no token', async () => {
    const { connect, house } = await mount()
    const client = await connect(undefined, protocol)

    await call(client, 'update', { runId: 'r1', writes: [{ key: 'notes', value: ['by mcp'] }] })

    const run = await house.runtime.open('r1')
    expect(run.entry('notes')).toMatchObject({ value: ['by mcp'], updatedBy: 'outside' })
    expect(await toolsOf(client)).toContain('search_memory')
  })

  it('gives each role what it may: an agent its view, a reader what changes nothing, operators and admins all', async () => {
    const { connect, token, house } = await mount()
    const run = await house.runtime.open('r1')
    await run.update({ notes: ['seen'], plan: { title: 'hidden' } } as never)
    const seen: Record<string, unknown> = {}
    for (const role of ROLES) {
      const client = await connect(token(role), protocol)
      const { entries } = await call(client, 'read_entries', { runId: 'r1' })
      const tools = await toolsOf(client)
      const keys = (entries as readonly { key: string }[]).map(({ key }) => key).toSorted()
      seen[role] = [keys, tools.includes('update'), tools.includes('start_run')]
    }
    expect(seen).toEqual({
      reader: [['notes', 'plan'], false, false],
      agent: [['notes'], true, false],
      operator: [['notes', 'plan'], true, true],
      admin: [['notes', 'plan'], true, true],
    })
    const agent = await connect(token('agent'), protocol)
    expect(
      await call(agent, 'update', { runId: 'r1', writes: [{ key: 'plan', value: { title: 'x' } }] }),
    ).toMatchObject({ reason: 'not-writable', isError: true })
  })

  it('gives another tenant its own runs only, under the same ids', async () => {
    const other = await createHouse()
    onTestFinished(() => other.runtime.close())
    const { connect, token, house } = await mount({
      openTenant: (tenant) => Promise.resolve(tenant === 'other' ? other : undefined),
    })
    const theirs = await connect(token('admin', { tenant: 'other' }), protocol)

    expect(await call(theirs, 'show_run', { runId: 'r1' })).toMatchObject({ code: 'run.unknown', isError: true })
    await call(theirs, 'start_run', { workflow: 'desk', runId: 'r1' })
    await call(theirs, 'update', { runId: 'r1', writes: [{ key: 'notes', value: ['theirs'] }] })

    expect((await house.runtime.open('r1')).entry('notes')).toBeUndefined()
    expect((await other.runtime.open('r1')).entry('notes')).toMatchObject({ value: ['theirs'] })
  })

  it('ends the streams of a token within a second after it is revoked, and no others', async () => {
    const { connect, token, house, server, book, clock } = await mount()
    const told: string[] = []
    const listen = async (name: string, text: string): Promise<void> => {
      const client = await connect(text, protocol)
      client.setNotificationHandler('notifications/resources/updated', () => void told.push(name))
      const uri = 'callboard://runs/r1/entries'
      if (protocol === 'current') await client.listen({ resourceSubscriptions: [uri] })
      else await client.subscribeResource({ uri })
    }
    const [first, second] = [token('reader', { name: 'first' }), token('reader', { name: 'second' })]
    await listen('first', first)
    await listen('second', second)
    const run = await house.runtime.open('r1')
    await vi.waitUntil(() => server.app.openStreams === 2)
    await run.update({ notes: ['a'] } as never)
    await vi.waitUntil(() => told.length === 2)

    book.revokeToken(idOf(first), clock.now())
    await clock.advance(999)
    await vi.waitUntil(() => server.app.openStreams === 1)
    await run.update({ notes: ['b'] } as never)
    await vi.waitUntil(() => told.length === 3)

    expect(told.toSorted()).toEqual(['first', 'second', 'second'])
  })

  it('ends a call that waits within a second after its token is revoked', async () => {
    const { connect, token, house, server, book, clock } = await mount()
    const text = token('operator')
    const client = await connect(text, protocol)
    const run = await house.runtime.open('r1')
    const isWaiting = (): boolean => run.explain().waits.some(({ waiter }) => waiter === 'outside')
    const waited = call(client, 'wait_for', { runId: 'r1', keys: ['plan'] }).catch((error: unknown) => error)
    await vi.waitUntil(isWaiting)

    book.revokeToken(idOf(text), clock.now())
    await clock.advance(999)
    await vi.waitUntil(() => server.app.openStreams === 0)
    await vi.waitUntil(() => !isWaiting())
    await run.update({ plan: { title: 'too late' } } as never)
    await client.close()

    expect(await waited).toBeInstanceOf(Error)
  })

  it('records who wrote what with which tool, and what was refused, without values', async () => {
    const { connect, token, book } = await mount()
    const olga = await connect(token('operator', { name: 'olga' }), protocol)
    const { runId } = await call(olga, 'start_run', { workflow: 'desk' })
    await call(olga, 'read_entries', { runId: 'r1' })
    await call(olga, 'update', { runId: 'r1', writes: [{ key: 'any.a', value: 'a-value-that-is-mine' }] })
    await call(olga, 'update', { runId: 'r1', writes: [{ key: 'plan', value: 5 }] })
    await call(olga, 'stop_run', { runId: 'none' })
    const rita = await connect(token('reader', { name: 'rita' }), protocol)
    await rita.callTool({ name: 'update', arguments: { runId: 'r1', writes: [] } }).catch(() => {})
    await rita.callTool({ name: 'no_such_tool', arguments: { runId: 'r1' } }).catch(() => {})
    await call(olga, 'update', { runId: 'r1', writes: [{ key: 7, value: 'a-value-that-is-mine' }] })
    await call(rita, 'read_entries', { runId: 'r1', keys: 'plan' })
    await call(rita, 'read_entries', { runId: 'none' })
    await call(rita, 'wait_for', { runId: 'r1', keys: ['plan'], timeoutMs: 0 })

    const records = book.audited('default', { afterId: 0, limit: 100 })

    const shared = { route: '/mcp', method: 'post', status: 200, tenant: 'default' }
    const refused = (caller: string, ids: object, code: string): unknown =>
      expect.objectContaining({ ...shared, caller, ids, code })
    expect(records).toEqual([
      expect.objectContaining({ ...shared, caller: 'olga', ids: { tool: 'start_run', runId }, code: null }),
      expect.objectContaining({ ...shared, caller: 'olga', ids: { tool: 'update', runId: 'r1' }, code: null }),
      expect.objectContaining({ ...shared, ids: { tool: 'update', runId: 'r1' }, code: 'update.refused' }),
      expect.objectContaining({ ...shared, ids: { tool: 'stop_run', runId: 'none' }, code: 'run.unknown' }),
      expect.objectContaining({ ...shared, caller: 'rita', ids: { tool: 'update', runId: 'r1' }, code: 'mcp.no-tool' }),
      refused('rita', { tool: 'no_such_tool', runId: 'r1' }, 'mcp.no-tool'),
      refused('olga', { tool: 'update', runId: 'r1' }, 'mcp.invalid-input'),
      refused('rita', { tool: 'read_entries', runId: 'r1' }, 'mcp.invalid-input'),
      refused('rita', { tool: 'read_entries', runId: 'none' }, 'run.unknown'),
    ])
    expect(JSON.stringify(records)).not.toContain('a-value-that-is-mine')
  })
})

describe('the rules of the server at /mcp', () => {
  it('are no token, no answer; a wrong one neither, and then not too often', async () => {
    const { post, token, book } = await mount({ limits: { wrongTokensPerMinute: 2 } })
    token('reader')
    const wrong = `cbt_${'0'.repeat(16)}_${'A'.repeat(43)}`

    const none = await post(undefined)
    expect([none.status, await codeOf(none)]).toEqual([401, 'server.no-token'])
    const statuses: number[] = []
    for (let turn = 0; turn < 3; turn++) statuses.push((await post(wrong)).status)
    expect(statuses).toEqual([401, 401, 429])
    const records = book.audited('default', { afterId: 0, limit: 100 })
    expect(records.map(({ route, status }) => [route, status])).toEqual([401, 401, 401, 429].map((at) => ['/mcp', at]))
  })

  it('are its limits on bodies, requests and streams', async () => {
    const { post, token, connect } = await mount({ limits: { bodyBytes: 500, requestsPerSecond: 10, streams: 1 } })
    const text = token('reader')

    expect((await post(text, JSON.stringify({ jsonrpc: '2.0', method: 'x'.repeat(600) }))).status).toBe(413)
    expect((await post(text, '{')).status).toBe(422)
    const client = await connect(token('operator'))
    await client.listen({ resourceSubscriptions: ['callboard://runs'] })
    const full = await post(text)
    expect([full.status, await codeOf(full)]).toEqual([429, 'server.streams'])
    const statuses: number[] = []
    for (let turn = 0; turn < 20; turn++) statuses.push((await post(text, '{')).status)
    expect(statuses.filter((status) => status === 429)).toHaveLength(3)
  })

  it('are its checks of the place: no page of another origin', async () => {
    const { post } = await mount()

    expect((await post(undefined, INITIALIZE, { origin: 'https://evil.example' })).status).toBe(403)
    expect((await post(undefined, INITIALIZE)).status).toBe(200)
  })

  it('keep a session to the token that began it', async () => {
    const { post, token } = await mount()
    const anns = token('reader', { name: 'ann' })
    const begun = await post(anns)
    await begun.text()
    const session = { 'mcp-session-id': begun.headers.get('mcp-session-id') ?? '' }
    expect(session['mcp-session-id']).toMatch(/./)
    const list = JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'tools/list' })

    expect((await post(token('operator', { name: 'bob' }), list, session)).status).toBe(404)
    // Another token of the same name and role is another client.
    expect((await post(token('reader', { name: 'ann' }), list, session)).status).toBe(404)
    expect((await post(anns, list, session)).status).toBe(200)
  })

  it('tell an agent of a type that no workflow has nothing of the types there are', async () => {
    const { post, token } = await mount()
    const answered = await post(token('agent', { type: 'cook' }))

    expect(answered.status).toBe(403)
    expect(await answered.text()).not.toMatch(/writer|reviewer/)
  })

  it('cut a client that takes nothing of what it listens to', async () => {
    const { post, house, server, clock } = await mount()
    const begun = await post(undefined)
    await begun.text()
    const headers = { accept: 'text/event-stream', 'mcp-session-id': begun.headers.get('mcp-session-id') ?? '' }
    const cut: string[] = []
    const env = { outgoing: { destroy: () => cut.push('slow') } }
    const stream = await server.app.hono.request('http://localhost/mcp', { headers }, env)
    const reader = (stream.body as ReadableStream<Uint8Array>).getReader()
    const begin = (): Promise<unknown> => house.runtime.start(house.workflows[0] as never, {} as never)
    await begin()
    await reader.read()
    await begin()
    await vi.waitUntil(() => server.app.openStreams === 1)
    await clock.advance(31_000)

    expect(cut).toEqual(['slow'])
    expect(server.app.openStreams).toBe(0)
  })
})
