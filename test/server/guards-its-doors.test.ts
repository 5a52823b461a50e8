// Who may do what. The matrix is made from the OpenAPI document: every operation with no token, a wrong one, each role, and
// another tenant.
import { describe, expect, it, onTestFinished } from 'vitest'
import { CallboardError, createRuntime, createVolatileStore, defineContext, entry } from 'callboard'
import { createApp, openBook, ROLES } from 'callboard/server'
import type { AppOptions, Role, SessionsDoor } from 'callboard/server'
import { follow } from './stream-reader.ts'
import { z } from 'zod'
import { secretOf } from '../support/token.ts'
import { askApp, createHouse, createServerWorld, desk } from './world.ts'
import type { Answered, World } from './world.ts'

interface DocumentedOperation {
  readonly operationId: string
  readonly responses: Readonly<Record<string, unknown>>
  readonly 'x-callboard-roles': readonly Role[]
  readonly security: readonly unknown[]
  readonly requestBody?: unknown
}

interface Cell {
  readonly method: string
  readonly path: string
  readonly operation: DocumentedOperation
}

async function operationsOf(world: World): Promise<readonly Cell[]> {
  const { body } = await world.ask('GET', '/openapi.json')
  const paths = body.paths as Readonly<Record<string, Readonly<Record<string, DocumentedOperation>>>>
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  )
}

/** The path with the ids of what is there. */
function pathOf(path: string, runId: string): string {
  const ids: Readonly<Record<string, string>> = {
    runId,
    run_id: runId,
    name: 'desk',
    key: 'notes',
    agent: 'writer',
    point: '1',
    requestId: 'none',
    conflictId: 'none',
    batchId: 'none',
    memoryId: 'none',
    sessionId: 'ann',
    tokenId: 'none',
  }
  return path.replaceAll(/\{([^}]+)\}/g, (_whole, name: string) => ids[name] ?? name)
}

/** A stream that is answered is closed again. */
async function statusOf(world: World, cell: Cell, path: string, token: string | undefined): Promise<number> {
  const controller = new AbortController()
  const response = await world.app.hono.request(`http://localhost${path}`, {
    method: cell.method,
    signal: controller.signal,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(cell.operation.requestBody === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(cell.operation.requestBody === undefined ? {} : { body: '{}' }),
  })
  if (response.headers.get('content-type')?.startsWith('text/event-stream') === true) await response.body?.cancel()
  else await response.text()
  controller.abort()
  return response.status
}

describe('every operation of the document', () => {
  it('answers no token, a wrong one, each role and another tenant with a documented status, and none is forgotten', async () => {
    const book = openBook()
    const other = await createHouse()
    const world = await createServerWorld({
      book,
      openTenant: (tenant) => Promise.resolve(tenant === 'other' ? other : undefined),
    })
    onTestFinished(() => other.runtime.close())
    const { app } = world
    await world.ask('POST', '/api/runs', { body: { workflow: 'desk', runId: 'r1' } })
    await world.ask('PATCH', '/api/sessions/ann', { body: { part: {} } })
    const { body } = await world.ask('POST', '/runs', { body: { objective: 'a', run_id: 't1' } })
    expect(body.run_id).toBe('t1')
    const cells = await operationsOf(world)
    // The document is what the app really has.
    expect(cells.map(({ method, path }) => `${method} ${path}`).toSorted()).toEqual(
      app.operations.map(({ method, path }) => `${method.toUpperCase()} ${path}`).toSorted(),
    )
    const tokens = new Map(ROLES.map((role) => [role, world.token(role, role === 'agent' ? { agent: 'writer' } : {})]))
    const stranger = world.token('admin', { tenant: 'other' })
    const nowhere = world.token('admin', { tenant: 'nowhere' })
    const wrong = `cbt_${'0'.repeat(16)}_${'A'.repeat(43)}`
    const seen: string[] = []
    for (const cell of cells) {
      const runId = cell.path.startsWith('/runs') ? 't1' : 'r1'
      const path = pathOf(cell.path, runId)
      const { operation } = cell
      const what = `${cell.method} ${cell.path}`
      const isPublic = operation.security.length === 0
      const documented = (status: number, who: string): void => {
        seen.push(`${what} ${who}`)
        expect(Object.keys(operation.responses), `${what} as ${who}: ${status}`).toContain(String(status))
      }
      const none = await statusOf(world, cell, path, undefined)
      documented(none, 'nobody')
      expect(none, what).toBe(isPublic ? 200 : 401)
      await world.clock.advance(10_000)
      const mistaken = await statusOf(world, cell, path, wrong)
      documented(mistaken, 'a wrong token')
      expect(mistaken, what).toBe(isPublic ? 200 : 401)
      for (const role of ROLES) {
        // Looked at as who may least first, so that nothing is gone before it is looked at.
        const status = await statusOf(world, cell, path, tokens.get(role))
        documented(status, role)
        const isAllowed = operation['x-callboard-roles'].includes(role)
        if (!isAllowed) expect(status, `${what} as ${role}`).toBe(403)
        else if (role !== 'agent') expect(status, `${what} as ${role}`).not.toBe(403)
        if (!isPublic) expect(status, `${what} as ${role}`).not.toBe(401)
      }
      const elsewhere = await statusOf(world, cell, path, stranger)
      documented(elsewhere, 'another tenant')
      // Either the body is looked at first, or the run is not there.
      if (cell.path.includes('{runId}') || cell.path.includes('{run_id}'))
        expect([404, 422], `${what} as another tenant`).toContain(elsewhere)
      const lost = await statusOf(world, cell, path, nowhere)
      documented(lost, 'a tenant without anything')
      if (!isPublic) expect(lost, what).toBe(403)
    }
    expect(seen).toHaveLength(cells.length * (4 + ROLES.length))
    book.close()
  })
})

/** What is sent where an agent may send something. */
const BODIES: Readonly<Record<string, unknown>> = {
  'PUT /api/runs/{runId}/entries/{key}': { value: ['a'] },
  'PATCH /api/runs/{runId}/entries/{key}': { value: ['a'] },
  'POST /api/runs/{runId}/updates': { set: { notes: ['a'] } },
  'POST /api/runs/{runId}/events': { type: 'stop' },
  'POST /api/runs/{runId}/memory/batches': {
    changes: [{ op: 'add', kind: 'semantic', scope: 'global', text: 'a', rationale: 'b' }],
  },
}
const QUERIES: Readonly<Record<string, string>> = {
  'GET /api/runs/{runId}/views/{agent}/prompt': '?maxTokens=100',
  'GET /api/runs/{runId}/waits/{key}': '?timeoutMs=0',
}

describe('a run whose workflow does not know an agent’s type', () => {
  it('is not there for the agent’s token, whatever operation it tries', async () => {
    const board = defineContext({ notes: entry(z.array(z.string()), { outside: true }) })
    const writer = board.agent({ reads: ['notes'], writes: ['notes'], run: () => {} })
    const shape = { initial: 'open', states: { open: { on: { stop: 'closed' } }, closed: { type: 'final' } } } as const
    const child = board.workflow({ name: 'child', agents: { writer } }).createMachine({ id: 'child', ...shape })
    const world = await createServerWorld({ workflows: [desk] })
    await world.runtime.start(desk, { runId: 'r1' })
    // Cannot be started over HTTP, and is there all the same.
    await world.runtime.start(child, { runId: 'r2' })
    const ended = await world.runtime.start(desk, { runId: 'r3' })
    await ended.stop()
    const stranger = world.token('agent', { agent: 'critic' })
    const onlyDesk = world.token('agent', { agent: 'reviewer' })
    const cells = (await operationsOf(world)).filter(
      ({ path, operation }) => path.includes('{runId}') && operation['x-callboard-roles'].includes('agent'),
    )
    expect(cells.length).toBeGreaterThan(10)
    const answered = async ({ method, path }: Cell, runId: string, token: string): Promise<unknown> => {
      const what = `${method} ${path}`
      const asked = pathOf(path, runId) + (QUERIES[what] ?? '')
      const body = BODIES[what] ?? (['GET', 'DELETE'].includes(method) ? undefined : {})
      const { status, headers, body: said } = await world.ask(method, asked, { token, body })
      const text = JSON.stringify({ ...said, requestId: undefined }).replaceAll(runId, '<id>')
      return [status, headers.get('etag'), text]
    }
    for (const cell of cells) {
      const what = `${cell.method} ${cell.path}`
      const absent = await answered(cell, 'nowhere', stranger)
      expect(absent, what).toEqual([404, null, expect.stringContaining('run.unknown')])
      for (const runId of ['r1', 'r2', 'r3']) expect(await answered(cell, runId, stranger), what).toEqual(absent)
      expect(await answered(cell, 'r2', onlyDesk), what).toEqual(absent)
    }
    expect((await world.runtime.open('r1')).status).toBe('active')
    // Those it concerns find it.
    const asWriter = world.token('agent', { agent: 'writer' })
    for (const runId of ['r1', 'r2', 'r3'])
      expect((await world.ask('GET', `/api/runs/${runId}/views/writer`, { token: asWriter })).status).toBe(200)
  })
})

describe('another tenant', () => {
  it('has its own runs under the same ids, and learns nothing of others', async () => {
    const book = openBook()
    const other = await createHouse()
    const world = await createServerWorld({ book, openTenant: () => Promise.resolve(other) })
    onTestFinished(() => other.runtime.close())
    const [mine, theirs] = [world.token('operator'), world.token('operator', { tenant: 'other' })]
    const start = (token: string): Promise<Answered> =>
      world.ask('POST', '/api/runs', { token, body: { workflow: 'desk', runId: 'same' } })
    expect((await start(mine)).status).toBe(201)
    expect((await world.ask('GET', '/api/runs/same', { token: theirs })).status).toBe(404)
    expect((await world.ask('GET', '/api/runs', { token: theirs })).body.items).toEqual([])
    expect((await start(theirs)).status).toBe(201)
    await world.ask('PUT', '/api/runs/same/entries/notes', { token: theirs, body: { value: ['theirs'] } })
    expect((await world.ask('GET', '/api/runs/same/entries', { token: mine })).body.items).toEqual([])
    book.close()
  })
})

describe('an agent’s token', () => {
  async function begin(): Promise<World & { readonly agent: string; readonly operator: string }> {
    const world = await createServerWorld()
    await world.ask('POST', '/api/runs', { body: { workflow: 'desk', runId: 'r1' } })
    return { ...world, agent: world.token('agent', { agent: 'reviewer' }), operator: world.token('operator') }
  }

  it('sees exactly its view', async () => {
    const { ask, agent, operator, runtime } = await begin()
    await ask('POST', '/api/runs/r1/updates', {
      token: operator,
      body: { set: { notes: ['a'], plan: { title: 'x' }, secret: 'opensesame' } },
    })
    const { body } = await ask('GET', '/api/runs/r1/views/reviewer', { token: agent })
    const view = (await runtime.open('r1')).view('reviewer')
    expect(body.seq).toBe(view.seq)
    expect(body.entries.map(({ key }: { key: string }) => key)).toEqual(view.keys())
    for (const path of [
      '/api/runs/r1/views/writer',
      '/api/runs/r1/views/reviewer?type=writer',
      '/api/runs/r1/views/x?type=reviewer',
    ])
      expect((await ask('GET', path, { token: agent })).body.code, path).toBe('agent.unknown')
    const waited = await ask('GET', '/api/runs/r1/waits/plan?timeoutMs=0', { token: agent })
    expect(waited.body).toMatchObject({ kind: 'timeout' })
  })

  it('writes with the rights of its type, in its own name', async () => {
    const { ask, agent, runtime } = await begin()
    const wrote = await ask('PUT', '/api/runs/r1/entries/notes', { token: agent, body: { value: ['mine'] } })
    expect(wrote.body.versions).toEqual({ notes: 1 })
    expect((await runtime.open('r1')).entry('notes')).toMatchObject({ owner: 'reviewer', updatedBy: 'reviewer' })
    const refused = await ask('PUT', '/api/runs/r1/entries/plan', { token: agent, body: { value: { title: 'x' } } })
    expect([refused.status, refused.body.reason]).toEqual([403, 'not-writable'])
    const forged = await ask('POST', '/api/runs/r1/updates', {
      token: agent,
      body: { set: { plan: { title: 'x' } }, override: true },
    })
    expect(forged.status).toBe(403)
  })

  it('cannot tell which keys there are that it may not write', async () => {
    const { ask, agent, operator } = await begin()
    const tried = async (key: string): Promise<unknown> => {
      const { status, body } = await ask('PUT', `/api/runs/r1/entries/${key}`, { token: agent, body: { value: ['a'] } })
      return [status, JSON.stringify({ ...body, requestId: undefined }).replaceAll(key, '<key>')]
    }
    expect(await tried('nothing')).toEqual(await tried('plan'))
    expect(await tried('plan')).toEqual([403, expect.stringContaining('not-writable')])
    // Who may write from outside is told that there is no such key.
    const said = await ask('PUT', '/api/runs/r1/entries/nothing', { token: operator, body: { value: 1 } })
    expect(said.body.reason).toBe('unknown-key')
  })

  it('cannot tell what it may not see: two histories that differ only there give it the same bytes', async () => {
    const told: unknown[] = []
    for (const isBusy of [false, true]) {
      const { ask, agent, operator } = await begin()
      const write = (key: string, value: unknown): Promise<Answered> =>
        ask('PUT', `/api/runs/r1/entries/${key}`, { token: operator, body: { value } })
      await write('notes', ['a'])
      if (isBusy) {
        await write('plan', { title: 'hidden' })
        await write('secret', 'opensesame')
        await write('any.thing', 5)
      }
      const asked: readonly (readonly [string, string, unknown?])[] = [
        ['GET', '/api/runs/r1/views/reviewer'],
        ['GET', '/api/runs/r1/views/reviewer/prompt?maxTokens=100'],
        ['PUT', '/api/runs/r1/entries/notes', { value: ['b'] }],
        ['POST', '/api/runs/r1/updates', { set: { notes: ['c'] }, expectedSeq: 2 }],
        ['POST', '/api/runs/r1/updates', { set: { notes: ['d'] }, expectedSeq: 99 }],
        ['POST', '/api/runs/r1/updates', { set: { plan: { title: 'y' } } }],
        ['GET', '/api/runs/r1/waits/any.thing?timeoutMs=0'],
        ['POST', '/api/runs/r1/events', { type: 'nothing' }],
        ['GET', '/api/runs/r1/explain'],
        ['GET', '/api/runs/r1'],
        ['GET', '/api/runs/r1/views/reviewer'],
      ]
      const answers: unknown[] = []
      for (const [method, path, body] of asked) {
        const { status, headers, body: said } = await ask(method, path, { token: agent, body })
        answers.push([status, headers.get('etag'), { ...said, requestId: undefined }])
      }
      told.push(answers)
    }
    expect(told[1]).toEqual(told[0])
  })
})

describe('a sensitive value', () => {
  async function hide(): Promise<World & { readonly put: (value: string) => Promise<Answered> }> {
    const world = await createServerWorld()
    const admin = world.token('admin')
    await world.ask('POST', '/api/runs', { token: admin, body: { workflow: 'desk', runId: 'r1' } })
    const put = (value: string): Promise<Answered> =>
      world.ask('PUT', '/api/runs/r1/entries/secret', { token: admin, body: { value } })
    await put('opensesame')
    return { ...world, put }
  }
  const run = '/api/runs/r1'
  const doors = [`${run}/views/keeper`, `${run}/waits/secret?timeoutMs=0&agent=keeper`]

  it('is shown to the agent with the grant, and to nobody who looks over its shoulder', async () => {
    const { ask, token } = await hide()
    const agent = token('agent', { agent: 'keeper' })
    for (const path of doors)
      expect(JSON.stringify((await ask('GET', path, { token: agent })).body)).toContain('opensesame')
    for (const role of ['reader', 'operator', 'admin'] as const) {
      const looking = token(role)
      for (const path of [...doors, `${run}/views/keeper?at=2`, `${run}/views/keeper/prompt?maxTokens=1000`]) {
        const { status, body } = await ask('GET', path, { token: looking })
        expect([status, JSON.stringify(body)], `${path} as ${role}`).toEqual([
          200,
          expect.stringContaining('[redacted'),
        ])
        expect(JSON.stringify(body), `${path} as ${role}`).not.toContain('opensesame')
      }
    }
  })

  it('is shown to an admin who asks, and asking is nothing for others', async () => {
    const { ask, token } = await hide()
    const [admin, operator] = [token('admin'), token('operator')]
    for (const path of [...doors, `${run}/views/keeper?at=2`]) {
      const asking = `${path}${path.includes('?') ? '&' : '?'}secrets=true`
      expect(JSON.stringify((await ask('GET', asking, { token: admin })).body)).toContain('opensesame')
      expect((await ask('GET', asking, { token: operator })).status, asking).toBe(403)
    }
  })

  it('is shown in the stream of a view to those who are shown it in the view', async () => {
    const world = await hide()
    const streamed = async (path: string, text: string): Promise<string> => {
      const { reader, close } = await follow(world, path, { token: text })
      await world.put(`opensesame ${reader.events.length}`)
      await world.clock.settle()
      await close()
      expect(reader.events.map(({ event }) => event)).toEqual(['view', 'change'])
      return JSON.stringify(reader.events)
    }
    const stream = `${run}/views/keeper/stream`
    expect(await streamed(stream, world.token('agent', { agent: 'keeper' }))).not.toContain('redacted')
    for (const role of ['reader', 'operator', 'admin'] as const)
      expect(await streamed(stream, world.token(role)), role).not.toContain('opensesame')
    expect(await streamed(`${stream}?secrets=true`, world.token('admin'))).not.toContain('redacted')
    expect((await world.ask('GET', `${stream}?secrets=true`, { token: world.token('reader') })).status).toBe(403)
  })
})

describe('what an agent says of its failure', () => {
  const board = defineContext({ secret: entry(z.string(), { sensitive: true }) })
  const own = (secret: string): Error => new CallboardError('deploy.login', `refused ${secret}`)
  const words: Readonly<
    Record<string, (secret: string, step: (name: string, work: () => unknown) => unknown) => unknown>
  > = {
    throwing: (secret) => Promise.reject(new Error(`login with ${secret} was refused`)),
    stepping: (secret, step) => step('login', () => Promise.reject(new Error(`refused ${secret}`))),
    coding: (secret) => Promise.reject(own(secret)),
  }
  const workflows = Object.entries(words).map(([name, fail]) => {
    const leaker = board.agent({
      reads: ['secret'],
      writes: [],
      grants: { sensitive: ['secret'] },
      run: async ({ view, step }) => void (await fail(view.getOrThrow('secret'), step)),
    })
    return board.workflow({ name, agents: { leaker } }).createMachine({
      id: name,
      entry: board.write({ secret: 'opensesame' }),
      initial: 'going',
      states: { going: { invoke: { src: 'leaker' } } },
    })
  })
  const machine = board.workflow({ name: 'machine' }).createMachine({
    id: 'machine',
    entry: board.write({ secret: 'opensesame' }),
    initial: 'open',
    states: {
      open: {
        on: {
          go: {
            actions: ({ context }) => {
              throw new Error(`refused ${context.board.get('secret')}`)
            },
          },
        },
      },
    },
  })
  const told: Readonly<Record<string, object>> = {
    throwing: { code: 'agent.failed', message: 'agent leaker failed; its ledger has the reason' },
    stepping: {
      code: 'step.failed',
      message: 'run stepping: step "login" of leaker was tried once and failed; its ledger has the reason',
    },
    coding: { code: 'deploy.login', message: 'the run failed; its ledger has the reason' },
    machine: { code: 'run.failed', message: 'the run failed; its ledger has the reason' },
  }

  it('is for admins who ask, and is in the ledger; others are told who has failed, also after a restart', async () => {
    const store = createVolatileStore()
    const known = [...workflows, machine]
    for (const isRestarted of [false, true]) {
      const runtime = await createRuntime({ store, workflows: known })
      for (const one of isRestarted ? [] : known) {
        const run = await runtime.start(one, { runId: one.id })
        if (one === machine) await run.send({ type: 'go' }).catch(() => {})
        await run.done.catch(() => {})
      }
      const world = await createServerWorld({ runtime, workflows: known })
      const [reader, operator, admin] = [world.token('reader'), world.token('operator'), world.token('admin')]
      for (const [name, error] of Object.entries(told)) {
        const run = `/api/runs/${name}`
        for (const token of [reader, operator, admin]) {
          expect((await world.ask('GET', run, { token })).body, name).toMatchObject({ status: 'error', error })
          for (const path of ['', '/log', '/changes', '/export', '/explain', '/entries', '/at/1', '/conflicts']) {
            const { status, body } = await world.ask('GET', run + path, { token })
            expect([status, JSON.stringify(body)], path).toEqual([200, expect.not.stringContaining('opensesame')])
          }
        }
        const asked = await world.ask('GET', `${run}?secrets=true`, { token: admin })
        expect(asked.body.error.message).toContain('opensesame')
        expect((await world.ask('GET', `${run}?secrets=true`, { token: operator })).status).toBe(403)
      }
      await runtime.close()
    }
  })
})

describe('the server', () => {
  it('is open without tokens, and never again once it had one', async () => {
    const world = await createServerWorld()
    expect((await world.ask('GET', '/api/runs')).status).toBe(200)
    const token = world.token('admin')
    expect((await world.ask('GET', '/api/runs')).status).toBe(401)
    expect((await world.ask('GET', '/api/runs', { token })).status).toBe(200)
    const id = world.book.tokens()[0]?.id ?? ''
    expect((await world.ask('DELETE', `/api/tokens/${id}`, { token })).status).toBe(204)
    expect((await world.ask('GET', '/api/runs', { token })).status).toBe(401)
    expect((await world.ask('GET', '/api/runs')).status).toBe(401)
  })

  it('keeps of a token only what cannot be used: no answer, record or row has it', async () => {
    const world = await createServerWorld()
    const admin = world.token('admin')
    const made = await world.ask('POST', '/api/tokens', { token: admin, body: { name: 'ann', role: 'reader' } })
    expect(made.body.token).toMatch(/^cbt_/)
    expect((await world.ask('GET', '/api/runs', { token: made.body.token })).status).toBe(200)
    const secret = secretOf(made.body.token as string)
    const shown = [
      (await world.ask('GET', '/api/tokens', { token: admin })).body,
      (await world.ask('GET', '/api/audit', { token: admin })).body,
      world.book.tokens(),
    ]
    expect(JSON.stringify(shown)).not.toContain(secret)
    expect((await world.ask('POST', '/api/tokens', { token: admin, body: { name: 'x', role: 'agent' } })).status).toBe(
      422,
    )
  })

  it('lets tokens end by themselves', async () => {
    const world = await createServerWorld()
    const { text } = world.book.addToken(
      { name: 'a', role: 'reader', tenant: 'default', agent: undefined, expiresAt: world.clock.now() + 1_000 },
      world.clock.now(),
    )
    expect((await world.ask('GET', '/api/runs', { token: text })).status).toBe(200)
    await world.clock.advance(1_000)
    expect((await world.ask('GET', '/api/runs', { token: text })).status).toBe(401)
  })

  it('is reached by its own names only, and not by pages of others', async () => {
    const world = await createServerWorld({ hosts: ['board.example'], origins: ['https://studio.example'] })
    const from = async (url: string, headers: Readonly<Record<string, string>> = {}): Promise<number> =>
      (await world.app.hono.request(url, { headers })).status
    expect(await from('http://localhost:1234/health')).toBe(200)
    expect(await from('http://127.0.0.1/health')).toBe(200)
    expect(await from('https://board.example/health')).toBe(200)
    for (const url of [
      'http://evil.example/health',
      'http://evil.example/docs',
      'http://evil.example/openapi.json',
      'http://localhost.evil.example/nothing',
    ])
      expect(await from(url), url).toBe(421)
    expect(await from('http://localhost:1234/health', { origin: 'http://localhost:1234' })).toBe(200)
    expect(await from('http://localhost:1234/health', { origin: 'https://studio.example' })).toBe(200)
    for (const origin of ['https://evil.example', 'http://localhost:9999', 'null'])
      expect(await from('http://localhost:1234/health', { origin }), origin).toBe(403)
  })

  it('has no CORS unless an origin is allowed, and then for that one', async () => {
    const closed = await createServerWorld()
    const asked = { headers: { origin: 'http://localhost' } }
    expect((await closed.ask('GET', '/health', asked)).headers.get('access-control-allow-origin')).toBeNull()
    const open = await createServerWorld({ origins: ['https://studio.example'] })
    const { headers } = await open.ask('GET', '/health', { headers: { origin: 'https://studio.example' } })
    expect(headers.get('access-control-allow-origin')).toBe('https://studio.example')
  })

  it('tells those who try tokens to wait, and those with a right one nothing', async () => {
    const world = await createServerWorld({ limits: { wrongTokensPerMinute: 5 } })
    const right = world.token('reader')
    const statuses: number[] = []
    for (let turn = 0; turn < 7; turn++)
      statuses.push((await world.ask('GET', '/api/runs', { token: `cbt_${'0'.repeat(16)}_${'A'.repeat(43)}` })).status)
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429])
    expect((await world.ask('GET', '/api/runs', { token: right })).status).toBe(200)
    await world.clock.advance(12_000)
    expect((await world.ask('GET', '/api/runs', { token: 'x' })).status).toBe(401)
  })

  it('holds an address that shows no token to its rate', async () => {
    const world = await createServerWorld({ limits: { requestsPerSecond: 2 } })
    const token = world.token('reader')
    const statuses: number[] = []
    for (let turn = 0; turn < 5; turn++) statuses.push((await world.ask('GET', '/api/runs')).status)
    expect(statuses).toEqual([401, 401, 401, 401, 429])
    expect((await world.ask('GET', '/api/runs', { token })).status).toBe(200)
  })

  it('holds every token to its rate', async () => {
    const world = await createServerWorld({ limits: { requestsPerSecond: 2 } })
    const [one, other] = [world.token('reader'), world.token('reader')]
    const ask = async (token: string): Promise<Answered> => world.ask('GET', '/api/runs', { token })
    for (let turn = 0; turn < 4; turn++) expect((await ask(one)).status).toBe(200)
    const late = await ask(one)
    expect([late.status, late.headers.get('retry-after')]).toEqual([429, '1'])
    expect((await ask(other)).status).toBe(200)
    await world.clock.advance(500)
    expect((await ask(one)).status).toBe(200)
  })

  it('records every write and every refusal, without values', async () => {
    const world = await createServerWorld()
    const [operator, reader, admin] = [
      world.token('operator', { name: 'olga' }),
      world.token('reader', { name: 'rita' }),
      world.token('admin'),
    ]
    await world.ask('POST', '/api/runs', { token: operator, body: { workflow: 'desk', runId: 'r1' } })
    await world.ask('PUT', '/api/runs/r1/entries/any.a', { token: operator, body: { value: 'a-value-that-is-mine' } })
    await world.ask('PUT', '/api/runs/r1/entries/plan', { token: operator, body: { value: 5 } })
    await world.ask('PUT', '/api/runs/r1/entries/any.a', { token: reader, body: { value: 1 } })
    await world.ask('GET', '/api/runs/r1', { token: reader })
    await world.ask('GET', '/api/runs/r1')
    const { body } = await world.ask('GET', '/api/audit', { token: admin })
    const route = '/api/runs/{runId}/entries/{key}'
    expect(body.items).toEqual([
      expect.objectContaining({ caller: 'olga', method: 'post', route: '/api/runs', status: 201, code: null }),
      expect.objectContaining({
        caller: 'olga',
        method: 'put',
        route,
        ids: { runId: 'r1', key: 'any.a' },
        status: 200,
      }),
      expect.objectContaining({ caller: 'olga', route, status: 422, code: 'update.refused' }),
      expect.objectContaining({ caller: 'rita', route, status: 403, code: 'server.forbidden' }),
      expect.objectContaining({ caller: 'unknown', route: '/api/runs/{runId}', status: 401, code: 'server.no-token' }),
    ])
    expect(JSON.stringify(body)).not.toContain('a-value-that-is-mine')
    const { body: page } = await world.ask('GET', '/api/audit?limit=2', { token: admin })
    expect(
      (await world.ask('GET', `/api/audit?limit=2&cursor=${page.next}`, { token: admin })).body.items[0].status,
    ).toBe(422)
  })

  it('tells nobody what broke inside, but its log', async () => {
    const failures: unknown[] = []
    const house = await createHouse()
    onTestFinished(() => house.runtime.close())
    const broken: AppOptions = {
      ...house,
      sessions: { ...house.sessions, list: () => Promise.reject(new Error('/etc/secret: opensesame')) } as SessionsDoor,
      onFailure: (error, requestId) => failures.push([error, requestId]),
    }
    const app = createApp(broken)
    const { status, body } = await askApp(app, 'GET', '/api/sessions')
    expect(status).toBe(500)
    expect(JSON.stringify(body)).not.toMatch(/secret|opensesame|\.ts\b/)
    expect(failures).toEqual([[expect.objectContaining({ message: '/etc/secret: opensesame' }), body.requestId]])
    app.close()
  })
})
