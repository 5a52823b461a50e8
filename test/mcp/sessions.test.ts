// Clients of the protocol with sessions: a session is its caller's own, and a stream that broke is gone on with.
import { expect, it } from 'vitest'
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
