// Clients of the protocol with sessions: a session is its caller's own, and a stream that broke is gone on with.
import type { JSONRPCMessage } from '@modelcontextprotocol/server'
import { expect, it } from 'vitest'
import { LastMessages } from '../../src/mcp/event-store.ts'
import { registerEverything } from './everything.ts'
import { gather, PLANNER } from './team.ts'

const BEGIN = {
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
}

it('belongs to the caller who began it; for others it is not there', async () => {
  const { url } = await gather()
  const own = { 'x-caller': JSON.stringify(PLANNER) }
  const session = (await post(url, BEGIN, own)).headers.get('mcp-session-id') ?? ''
  const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' }

  const others = await post(url, list, { 'mcp-session-id': session })
  const unknown = await post(url, list, { 'mcp-session-id': 'none' })
  const mine = await post(url, list, { ...own, 'mcp-session-id': session })

  expect(session).not.toBe('')
  expect(others.status).toBe(404)
  expect(await others.text()).toBe(await unknown.text())
  expect(mine.status).toBe(200)
  expect(await mine.text()).toContain('read_entries')
})

it('ends when its client says so', async () => {
  const { url } = await gather()
  const session = (await post(url, BEGIN)).headers.get('mcp-session-id') ?? ''
  const headers = { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' }

  const ended = await fetch(url, { method: 'DELETE', headers })
  const after = await post(url, { jsonrpc: '2.0', id: 1, method: 'tools/list' }, headers)

  expect(ended.ok).toBe(true)
  expect(after.status).toBe(404)
})

it('gives the answer to a client that comes back after its stream was cut', async () => {
  const { url } = await gather({ register: registerEverything })
  const session = (await post(url, BEGIN)).headers.get('mcp-session-id') ?? ''
  const headers = { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' }
  const asked = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'test_reconnection', arguments: {} } }

  const cut = await (await post(url, asked, headers)).text()
  const lastId = /^id: (.+)$/m.exec(cut)?.[1] ?? ''
  const resumed = await fetch(url, { headers: { ...headers, accept: 'text/event-stream', 'last-event-id': lastId } })
  const answer = await firstMessage(resumed)

  expect(cut).not.toContain('Reconnection test completed')
  expect(cut).toContain('retry: ')
  expect(answer).toContain('Reconnection test completed')
})

it('keeps of what was sent no more than there is room for, and always the last', async () => {
  const kept = new LastMessages()
  const large = (id: number): JSONRPCMessage => ({ jsonrpc: '2.0', id, result: { text: 'x'.repeat(3_000_000) } })
  const before = await kept.storeEvent('s', { jsonrpc: '2.0', method: 'small' })
  const ids: string[] = []
  for (let id = 0; id < 6; id++) ids.push(await kept.storeEvent('s', large(id)))
  const sent: unknown[] = []
  const send = (_id: string, message: JSONRPCMessage): Promise<void> => Promise.resolve(void sent.push(message))

  await expect(kept.replayEventsAfter(before, { send })).rejects.toMatchObject({ code: 'mcp.not-resumable' })
  await kept.replayEventsAfter(ids[4] ?? '', { send })

  expect(sent).toEqual([large(5)])
})

it('subscribes to so many resources and no more', async () => {
  const { connect, run } = await gather()
  const client = await connect(undefined, 'sessions')
  const subscribe = (key: string): Promise<unknown> =>
    client.subscribeResource({ uri: `callboard://runs/${run.id}/entries/${key}` })
  for (let index = 0; index < 500; index++) await subscribe(`key-${index}`)

  await expect(subscribe('key-500')).rejects.toThrow('unsubscribe from one first')
  await subscribe('key-499')
  await client.unsubscribeResource({ uri: `callboard://runs/${run.id}/entries/key-0` })
  await subscribe('key-500')
})

it('leaves room for others: whoever begins session after session pushes out its own', async () => {
  const { url } = await gather()
  const begin = async (headers: Readonly<Record<string, string>> = {}): Promise<string> => {
    const begun = await post(url, BEGIN, headers)
    await begun.body?.cancel()
    return begun.headers.get('mcp-session-id') ?? ''
  }
  const own = { 'x-caller': JSON.stringify(PLANNER) }
  const mine = await begin(own)
  const first = await begin()
  for (let index = 0; index < 100; index++) await begin()
  const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' }

  expect((await post(url, list, { 'mcp-session-id': first })).status).toBe(404)
  expect((await post(url, list, { ...own, 'mcp-session-id': mine })).status).toBe(200)
})

function post(url: string, body: object, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  const all = { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers }
  return fetch(url, { method: 'POST', headers: all, body: JSON.stringify(body) })
}

/** What a stream says first; it stays open after that. */
async function firstMessage(response: Response): Promise<string> {
  let text = ''
  for await (const chunk of (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
    text += chunk
    if (text.includes('data: {')) break
  }
  return text
}
