// What MCP clients do wrong is logged, and what waits for them ends when they have gone or may not wait any more.
import { describe, expect, it, vi } from 'vitest'
import { call } from '../mcp/team.ts'
import { idOf } from '../support/token.ts'
import { INITIALIZE, mount } from './mcp-world.ts'
import type { Mounted } from './mcp-world.ts'

const VERSION = { 'mcp-protocol-version': '2025-06-18' }

/** The ids under which somebody outside waits in the run. */
async function waitsIn({ house }: Mounted): Promise<() => number> {
  const run = await house.runtime.open('r1')
  return () => run.explain().waits.filter(({ waiter }) => waiter === 'outside').length
}

const callOf = (name: string, args: object, id = 7): string =>
  JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args } })

async function beginSession({ post }: Mounted, token: string): Promise<Readonly<Record<string, string>>> {
  const begun = await post(token)
  await begun.text()
  return { ...VERSION, 'mcp-session-id': begun.headers.get('mcp-session-id') ?? '' }
}

describe('a session whose token is revoked', () => {
  it('ends within a second with what waits in it, also when no stream of it is open; others go on', async () => {
    const world = await mount()
    const { post, token, book, clock, server } = world
    const [first, second] = [token('operator', { name: 'robot' }), token('operator', { name: 'robot' })]
    const waits = await waitsIn(world)
    const cut = new AbortController()
    for (const [text, signal] of [
      [first, cut.signal],
      [second, undefined],
    ] as const) {
      const session = await beginSession(world, text)
      const waiting = callOf('wait_for', { runId: 'r1', keys: ['plan'], timeoutMs: 55_000 })
      const asked = post(text, waiting, session, signal)
      asked.catch(() => {})
    }
    await vi.waitUntil(() => waits() === 2)
    // Whoever loses the connection may come back to the answer: the wait goes on.
    cut.abort()
    await vi.waitUntil(() => server.app.openStreams === 1)
    expect(waits()).toBe(2)

    book.revokeToken(idOf(first), clock.now())
    await clock.advance(999)
    await vi.waitUntil(() => waits() < 2)

    expect(waits()).toBe(1)
  })
})

describe.each(['current', 'sessions'] as const)('a wait that its client calls off, %s protocol', (protocol) => {
  it('ends at once, and is neither a failure nor a refusal', async () => {
    const failures: unknown[] = []
    const world = await mount({ onFailure: (error) => failures.push(error) })
    const { connect, token, book } = world
    const client = await connect(token('operator'), protocol)
    const waits = await waitsIn(world)
    const over = new AbortController()
    const waited = client
      .callTool(
        { name: 'wait_for', arguments: { runId: 'r1', keys: ['plan'], timeoutMs: 55_000 } },
        { signal: over.signal },
      )
      .catch((error: unknown) => error)
    await vi.waitUntil(() => waits() === 1)

    over.abort(new Error('never mind'))
    await vi.waitUntil(() => waits() === 0)

    expect(await waited).toBeInstanceOf(Error)
    expect(await call(client, 'show_run', { runId: 'r1' })).toMatchObject({ runId: 'r1' })
    expect(failures).toEqual([])
    expect(book.audited('default', { afterId: 0, limit: 10 })).toEqual([])
  })
})

describe('what a client does against the protocol', () => {
  it('is told to whoever keeps the log, without what it had sent', async () => {
    const told: unknown[] = []
    const world = await mount({ onFailure: (error, id) => told.push([id, (error as Error).message]) })
    const { post, token } = world
    const text = token('operator')
    const session = await beginSession(world, text)
    const answers = [
      // A session that is begun twice, an answer that nobody asked for, a session that is not there, a version that is none.
      await post(text, INITIALIZE, session),
      await post(text, JSON.stringify({ jsonrpc: '2.0', id: 99, result: { secret: 'opensesame' } }), session),
      await post(text, INITIALIZE, { ...VERSION, 'mcp-session-id': 'none' }),
      await post(text, callOf('list_runs', {}), { ...session, 'mcp-protocol-version': '1999-01-01' }),
    ]

    expect(answers.map(({ status }) => status)).toEqual([400, 202, 404, 400])
    expect(told).toEqual([
      ['mcp', expect.stringContaining('Server already initialized')],
      ['mcp', expect.stringMatching(/Received a response for an unknown message ID$/)],
      ['mcp', expect.stringContaining('a session is named that is not there for whoever asks')],
      ['mcp', expect.stringContaining('Unsupported protocol version')],
    ])
    expect(JSON.stringify(told)).not.toContain('opensesame')
  })
})
