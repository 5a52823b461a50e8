// A server with its tokens on a clock of the test, and MCP clients of it.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { onTestFinished } from 'vitest'
import { openBook, openServer } from 'callboard/server'
import type { HttpServer, Role, ServerBook, ServerOptions } from 'callboard/server'
import { createTestClock } from '../support/clock.ts'
import type { TestClock } from '../support/clock.ts'
import { createHouse } from './world.ts'

export type Protocol = 'current' | 'sessions'

export interface Mounted {
  readonly server: HttpServer
  readonly book: ServerBook
  readonly clock: TestClock
  readonly house: Awaited<ReturnType<typeof createHouse>>
  token(role: Role, options?: { readonly tenant?: string; readonly name?: string; readonly type?: string }): string
  connect(token?: string, protocol?: Protocol): Promise<Client>
  /** One message without a client. */
  post(
    token: string | undefined,
    body?: string,
    headers?: Readonly<Record<string, string>>,
    signal?: AbortSignal,
  ): Promise<Response>
}

/** Begins a session. */
export const INITIALIZE = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
})

/** A server with the run `r1`. */
export async function mount(options: Partial<ServerOptions> = {}): Promise<Mounted> {
  const clock = createTestClock()
  const book = openBook()
  const house = await createHouse()
  const server = await openServer({ ...house, port: 0, book, clock, ...options })
  const clients: Client[] = []
  onTestFinished(async () => {
    for (const client of clients) await client.close()
    server.app.close()
    const closing = server.close()
    await clock.advance(5_000)
    await closing
    await house.runtime.close()
    book.close()
  })
  await house.runtime.start(house.workflows[0] as never, { runId: 'r1' } as never)
  const headersOf = (token: string | undefined): Readonly<Record<string, string>> =>
    token === undefined ? {} : { authorization: `Bearer ${token}` }
  return {
    server,
    book,
    clock,
    house,
    token: (role, { tenant = 'default', name = role, type = 'reviewer' } = {}) =>
      book.addToken({ name, role, tenant, agent: role === 'agent' ? { type, id: type } : undefined }, clock.now()).text,
    connect: async (token, protocol = 'current') => {
      const mode = protocol === 'current' ? ({ pin: '2026-07-28' } as const) : ('legacy' as const)
      const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } })
      const url = new URL(`${server.url}/mcp`)
      await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers: headersOf(token) } }))
      clients.push(client)
      return client
    },
    post: (token, body = INITIALIZE, headers = {}, signal) =>
      fetch(`${server.url}/mcp`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          ...headersOf(token),
          ...headers,
        },
        body,
        ...(signal === undefined ? {} : { signal }),
      }),
  }
}
