// What a stranger tries: streams that are never read, tokens that are taken away meanwhile, errors in the middle,
// preconditions that nobody looks at.
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { createRuntime, createVolatileStore } from 'callboard'
import type { Run } from 'callboard'
import { createApp, openBook, openServer } from 'callboard/server'
import type { HttpServer, ServerBook, ServerLimits } from 'callboard/server'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createServerWorld, desk } from './world.ts'
import type { World } from './world.ts'

async function begin(options: Parameters<typeof createServerWorld>[0] = {}): Promise<World> {
  const world = await createServerWorld(options)
  await world.ask('POST', '/api/runs', { body: { workflow: 'desk', runId: 'r1' } })
  return world
}

describe('a stream', () => {
  it('is not opened by a HEAD request, which would never read it', async () => {
    const { app } = await begin()
    for (const path of ['/api/stream', '/api/runs/r1/stream', '/api/runs/r1/views/writer/stream']) {
      const response = await app.hono.request(`http://localhost${path}`, { method: 'HEAD' })
      expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8'])
    }
    expect(app.openStreams).toBe(0)
  })

  it('that cannot begin is answered with a problem, over a real connection, too', async () => {
    const store = createVolatileStore()
    const first = await createRuntime({ store, workflows: [desk] })
    await first.start(desk, { runId: 'r1' })
    await first.close()
    const runtime = await createRuntime({ store })
    await using server = await openServer({ runtime, workflows: [], port: 0 })
    onTestFinished(() => runtime.close())
    const response = await fetch(`${server.url}/api/runs/r1/stream`)
    expect(response.status).toBe(409)
    expect(await response.json()).toMatchObject({ code: 'workflow.unregistered' })
  })

  it('that breaks says so as a problem, and nothing of the inside', async () => {
    const failures: unknown[] = []
    const store = createVolatileStore()
    const runtime = await createRuntime({ store, workflows: [desk] })
    await runtime.start(desk, { runId: 'r1' })
    const app = createApp({ runtime, workflows: [desk], onFailure: (error) => failures.push(error) })
    onTestFinished(async () => {
      app.close()
      await runtime.close()
    })
    Object.assign(store, { list: () => Promise.reject(new Error('/etc/secret: opensesame')) })
    const response = await app.hono.request('http://localhost/api/stream')
    const text = await response.text()
    expect(text).toContain('event: problem')
    expect(text).not.toMatch(/opensesame|secret/)
    expect(failures).toHaveLength(1)
    expect(app.openStreams).toBe(0)
  })
})

describe('a wait', () => {
  it('ends when its token is revoked, and tells nothing of what comes then', async () => {
    const world = await begin()
    const [agent, admin] = [world.token('agent', { agent: 'reviewer' }), world.token('admin')]
    const waiting = world.ask('GET', '/api/runs/r1/waits/notes?timeoutMs=50000', { token: agent })
    await world.clock.advance(1)
    const id = world.book.tokens().find(({ role }) => role === 'agent')?.id ?? ''
    expect((await world.ask('DELETE', `/api/tokens/${id}`, { token: admin })).status).toBe(204)
    await world.clock.advance(1_000)
    await world.ask('PUT', '/api/runs/r1/entries/notes', { token: admin, body: { value: ['later'] } })
    const answer = await waiting
    expect([answer.status, answer.body.code]).toEqual([401, 'server.wrong-token'])
    expect(JSON.stringify(answer.body)).not.toContain('later')
  })

  it('ends when the server does, which is no failure, nor is who comes too late', async () => {
    const failures: unknown[] = []
    const world = await begin({ onFailure: (error) => failures.push(error) })
    const waiting = world.ask('GET', '/api/runs/r1/waits/notes?timeoutMs=50000')
    await world.clock.advance(1)
    world.app.close()
    expect((await waiting).body.code).toBe('server.stopping')
    expect((await world.ask('GET', '/api/runs')).status).toBe(503)
    expect(failures).toEqual([])
  })
})

describe('a precondition', () => {
  it('that is not looked at is refused, never passed over', async () => {
    const { ask, runtime } = await begin()
    const tried: readonly (readonly [string, string, unknown, Readonly<Record<string, string>>])[] = [
      ['POST', '/api/runs/r1/stop', {}, { 'if-match': '"99"' }],
      ['DELETE', '/api/runs/r1', undefined, { 'if-match': '"99"' }],
      ['PATCH', '/api/sessions/ann', { part: {} }, { 'if-match': '"1"' }],
      ['PUT', '/api/runs/r1/entries/any.a', { value: 1 }, { 'if-none-match': '*' }],
      ['PUT', '/api/runs/r1/entries/any.a', { value: 1 }, { 'if-match': '*' }],
    ]
    await ask('PUT', '/api/runs/r1/entries/any.b', { body: { value: 1 } })
    const both: typeof tried = [
      ['PUT', '/api/runs/r1/entries/any.b', { value: 2, expectedVersion: 7 }, { 'if-match': '"1"' }],
      ['PATCH', '/api/runs/r1/entries/any.b', { value: 2, expectedVersion: 7 }, { 'if-match': '"1"' }],
      ['POST', '/api/runs/r1/updates', { set: { 'any.b': 2 }, expectedSeq: 1 }, { 'if-match': '"2"' }],
      ['DELETE', '/api/runs/r1/entries/any.b', { expectedVersion: 7 }, {}],
      ['DELETE', '/api/runs/r1/entries/any.b', { expectedVersion: 7 }, { 'if-match': '"1"' }],
      ['DELETE', '/api/sessions/ann', { expectedVersion: 7 }, {}],
    ]
    for (const [method, path, body, headers] of [...tried, ...both]) {
      const answer = await ask(method, path, { body, headers })
      expect([answer.status, answer.body.code], `${method} ${path}`).toEqual([422, 'server.invalid'])
    }
    const run = await runtime.open('r1')
    expect([run.status, run.entry('any.a'), run.entry('any.b')?.version]).toEqual(['active', undefined, 1])
    expect((await ask('GET', '/api/runs/r1', { headers: { 'if-match': 'gibberish' } })).status).toBe(200)
    const agreed = { body: { value: 2, expectedVersion: 1 }, headers: { 'if-match': '"1"' } }
    expect((await ask('PUT', '/api/runs/r1/entries/any.b', agreed)).status).toBe(200)
  })

  it('of a key that is not written, or one that contradicts another, refuses the update', async () => {
    const { ask } = await begin()
    const updates = [
      { set: { 'any.a': 1 }, expectedVersion: { 'any.b': 3 } },
      {
        writes: [{ kind: 'put', key: 'any.a', value: 1, expectedVersion: 0 }],
        expectedVersion: { 'any.a': 1 },
      },
    ]
    for (const body of updates) {
      const answer = await ask('POST', '/api/runs/r1/updates', { body })
      expect([answer.status, answer.body.reason]).toEqual([409, 'expected-version'])
    }
    expect((await ask('GET', '/api/runs/r1/entries/any.a')).status).toBe(404)
  })
})

/** A server with the run r1 on an address, and what it says has failed. */
async function listening(limits: Partial<ServerLimits> = {}): Promise<{
  readonly server: HttpServer
  readonly book: ServerBook
  readonly run: Run
  readonly failures: readonly unknown[]
}> {
  const runtime = await createRuntime({ workflows: [desk] })
  const run = (await runtime.start(desk, { runId: 'r1' })) as unknown as Run
  const book = openBook()
  const failures: unknown[] = []
  const onFailure = (error: unknown): void => void failures.push(error)
  const server = await openServer({ runtime, workflows: [desk], book, limits, port: 0, onFailure })
  onTestFinished(async () => {
    await server.close()
    await runtime.close()
    book.close()
  })
  return { server, book, run, failures }
}

describe('an agent’s token', () => {
  it('is not told which other agents there are, nor of which run it is none', async () => {
    const { ask, token } = await begin()
    const stranger = token('agent', { agent: 'spy' })
    for (const path of [
      '/views/spy',
      '/views/spy/prompt?maxTokens=10',
      '/views/spy/stream',
      '/waits/notes?timeoutMs=0',
    ]) {
      const { status, body } = await ask('GET', `/api/runs/r1${path}`, { token: stranger })
      expect([status, JSON.stringify(body).match(/writer|reviewer|person/)], path).toEqual([404, null])
    }
    const wrote = await ask('PUT', '/api/runs/r1/entries/notes', { token: stranger, body: { value: [] } })
    expect(JSON.stringify(wrote.body)).not.toMatch(/writer|reviewer|person/)
    expect(wrote.status).toBeGreaterThanOrEqual(400)
  })
})

describe('what is no request', () => {
  it.each([
    ['no protocol at all', 'BLA\r\n\r\n', 400, 'server.invalid'],
    ['no Host', 'GET /health HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'server.invalid'],
    ['a Host that is no name', 'GET /health HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n', 400, 'server.invalid'],
    [
      'headers without end',
      `GET /health HTTP/1.1\r\nHost: localhost\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`,
      431,
      'server.too-large',
    ],
    [
      'two lengths',
      'POST /api/runs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n',
      400,
      'server.invalid',
    ],
  ])('is answered with a problem: %s', async (_what, request, status, code) => {
    const runtime = await createRuntime()
    await using server = await openServer({ runtime, workflows: [], port: 0 })
    onTestFinished(() => runtime.close())
    const socket = connect(server.port, server.host)
    socket.write(request)
    const answer = await text(socket)
    const [head = '', body = ''] = answer.split('\r\n\r\n')
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} \\w`))
    expect(head.toLowerCase()).toContain('content-type: application/problem+json')
    expect(body).toContain(`"code":"${code}"`)
    expect((await fetch(`${server.url}/health`)).status).toBe(200)
  })

  const PUT = 'PUT /api/runs/r1/entries/any.a HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
  it.each([
    ['its headers', 'PUT /api/runs/r1/entries/any.a HTTP/1.1\r\nHost: localhost\r\n'],
    ['its body', `${PUT}Content-Length: 11\r\n\r\n{"value"`],
    ['its body, in chunks', `${PUT}Transfer-Encoding: chunked\r\n\r\n8\r\n{"value"\r\n`],
  ])('that is too slow with %s is told so, and not carried out', async (_what, request) => {
    const { server, run, failures } = await listening({ requestTimeoutMs: 20 })
    const socket = connect(server.port, server.host)
    socket.write(request)
    const [head = '', body = ''] = (await text(socket)).split('\r\n\r\n')
    expect(head).toMatch(/^HTTP\/1.1 408 Request Timeout/)
    expect(body).toContain('took too long to arrive')
    expect([run.entry('any.a'), failures]).toEqual([undefined, []])
  })

  it.each([
    ['', `${PUT}Content-Length: 11\r\n\r\n{"value"`],
    [', in chunks', `${PUT}Transfer-Encoding: chunked\r\n\r\n8\r\n{"value"\r\n`],
  ])('whose client hangs up in the middle of its body%s is no failure of the server', async (_what, request) => {
    const { server, book, failures, run } = await listening()
    const audited = new Promise((resolve) => Object.assign(book, { audit: resolve }))
    const socket = connect(server.port, server.host)
    socket.write(request, () => socket.destroy())
    expect(await audited).toMatchObject({ status: 400, code: 'server.body' })
    expect([run.entry('any.a'), failures]).toEqual([undefined, []])
  })
})
