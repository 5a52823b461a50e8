// Callboard's own resources: what is written is what is read, once, by whom it was expected.
import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createVolatileStore } from 'callboard'
import { openBook } from 'callboard/server'
import { createServerWorld } from './world.ts'
import type { World } from './world.ts'

async function begin(world: World, runId = 'r1'): Promise<string> {
  const started = await world.ask('POST', '/api/runs', { body: { workflow: 'desk', runId, labels: { team: 'a' } } })
  expect(started.status).toBe(201)
  expect(started.headers.get('location')).toBe(`/api/runs/${runId}`)
  return `/api/runs/${runId}`
}

describe('a run over HTTP', () => {
  it('is started by the name of its workflow, listed page by page, sent events, stopped and forgotten', async () => {
    const world = await createServerWorld()
    const { ask } = world
    for (const id of ['r1', 'r2', 'r3']) await begin(world, id)
    const first = await ask('GET', '/api/runs?limit=2')
    expect(first.body.items.map(({ runId }: { runId: string }) => runId)).toEqual(['r1', 'r2'])
    const second = await ask('GET', `/api/runs?limit=2&cursor=${first.body.next}`)
    expect(second.body).toMatchObject({ items: [{ runId: 'r3', labels: { team: 'a' }, parent: null }], next: null })
    expect((await ask('POST', '/api/runs/r1/events', { body: { type: 'nothing' } })).body).toEqual({ taken: false })
    expect((await ask('POST', '/api/runs/r1/events', { body: { type: 'stop' } })).body).toEqual({ taken: true })
    expect((await ask('GET', '/api/runs/r1')).body).toMatchObject({ status: 'done', state: 'closed' })
    expect((await ask('DELETE', '/api/runs/r2')).body.code).toBe('run.active')
    expect((await ask('POST', '/api/runs/r2/stop', { body: {} })).body.status).toBe('stopped')
    expect((await ask('DELETE', '/api/runs/r2')).status).toBe(204)
    expect((await ask('GET', '/api/runs/r2')).body).toMatchObject({ code: 'run.unknown', status: 404 })
  })

  it('has its entries written one by one and together, and read exactly as they were written', async () => {
    const world = await createServerWorld()
    const run = await begin(world)
    const odd = {
      $type: 'Map',
      value: [
        [1, { $type: 'Date', value: '2026-01-01T00:00:00.000Z' }],
        ['__proto__', { $type: 'bigint', value: '12345678901234567890' }],
      ],
    }
    const wrote = await world.ask('POST', `${run}/updates`, {
      body: `{"set":{"plan":{"title":"a"},"notes":["x"],"any.odd":${JSON.stringify(odd)},"any.proto":{"__proto__":1,"constructor":2}}}`,
    })
    expect(wrote.body).toMatchObject({
      kind: 'accepted',
      versions: { plan: 1, notes: 1, 'any.odd': 1, 'any.proto': 1 },
    })
    const part = await world.ask('PATCH', `${run}/entries/plan`, { body: { value: { pages: 2 } } })
    expect(part.body.versions).toEqual({ plan: 2 })
    expect((await world.ask('GET', `${run}/entries/plan`)).body.value).toEqual({ title: 'a', pages: 2 })
    expect((await world.ask('GET', `${run}/entries/any.odd`)).body.value).toEqual(odd)
    expect(Object.keys((await world.ask('GET', `${run}/entries/any.proto`)).body.value)).toEqual([
      '__proto__',
      'constructor',
    ])
    expect((await world.ask('DELETE', `${run}/entries/notes`)).body.versions).toEqual({ notes: 2 })
    expect((await world.ask('GET', `${run}/entries/notes`)).status).toBe(404)
    const half = await world.ask('POST', `${run}/updates`, { body: { set: { notes: ['y'], plan: { title: 5 } } } })
    expect([half.status, half.body.reason]).toEqual([422, 'schema'])
    expect((await world.ask('GET', `${run}/entries/notes`)).status).toBe(404)
    const page = await world.ask('GET', `${run}/entries?limit=2&prefix=any.`)
    expect(page.body.items.map(({ key }: { key: string }) => key)).toEqual(['any.odd', 'any.proto'])
  })

  it('expects what If-Match says, and answers If-None-Match with nothing', async () => {
    const world = await createServerWorld()
    const run = await begin(world)
    const put = (value: string, etag?: string): ReturnType<World['ask']> =>
      world.ask('PUT', `${run}/entries/any.a`, {
        body: { value },
        headers: etag === undefined ? {} : { 'if-match': etag },
      })
    expect((await put('new', '"0"')).status).toBe(200)
    const refused = await put('stale', '"0"')
    expect([refused.status, refused.body.code, refused.body.reason]).toEqual([
      412,
      'update.refused',
      'expected-version',
    ])
    const { headers } = await world.ask('GET', `${run}/entries/any.a`)
    const etag = headers.get('etag') ?? ''
    expect(etag).toMatch(/^"1-[\w-]{16}"$/)
    const same = await world.ask('GET', `${run}/entries/any.a`, { headers: { 'if-none-match': etag } })
    expect([same.status, same.body]).toEqual([304, ''])
    const body = { set: { 'any.a': 'next' } }
    expect((await world.ask('POST', `${run}/updates`, { body, headers: { 'if-match': '"1"' } })).status).toBe(412)
    expect((await world.ask('POST', `${run}/updates`, { body: { ...body, expectedSeq: 1 } })).status).toBe(409)
    const { headers: of } = await world.ask('GET', run)
    expect(
      (await world.ask('POST', `${run}/updates`, { body, headers: { 'if-match': of.get('etag') ?? '' } })).status,
    ).toBe(200)
    expect((await put('x', 'gibberish')).status).toBe(412)
  })

  it('says by its ETag that an entry has become stale, while a write expects its version only', async () => {
    const world = await createServerWorld()
    const run = await begin(world)
    await world.ask('PUT', `${run}/entries/any.a`, { body: { value: 1 } })
    await world.ask('PUT', `${run}/entries/any.b`, { body: { value: 2, dependsOn: ['any.a'] } })
    const fresh = await world.ask('GET', `${run}/entries/any.b`)
    const etag = fresh.headers.get('etag') ?? ''
    await world.ask('PUT', `${run}/entries/any.a`, { body: { value: 3 } })
    const again = await world.ask('GET', `${run}/entries/any.b`, { headers: { 'if-none-match': etag } })
    expect([fresh.body.stale, again.status, again.body.stale]).toEqual([false, 200, true])
    expect(again.body.version).toBe(fresh.body.version)
    const written = await world.ask('PUT', `${run}/entries/any.b`, {
      body: { value: 4 },
      headers: { 'if-match': etag },
    })
    expect(written.status).toBe(200)
    const late = await world.ask('PUT', `${run}/entries/any.b`, { body: { value: 5 }, headers: { 'if-match': etag } })
    expect(late.status).toBe(412)
  })

  it('carries a write out once under an idempotency key, also when it is asked at the same time or after a restart', async () => {
    const book = openBook()
    const store = createVolatileStore()
    const world = await createServerWorld({ book, store })
    const run = await begin(world)
    const headers = { 'idempotency-key': 'k1' }
    const write = (ask: World['ask'], value: string): ReturnType<World['ask']> =>
      ask('PUT', `${run}/entries/any.a`, { body: { value }, headers })
    const answers = await Promise.all([write(world.ask, 'a'), write(world.ask, 'a'), write(world.ask, 'a')])
    expect(answers.map(({ body }) => body.versions)).toEqual([{ 'any.a': 1 }, { 'any.a': 1 }, { 'any.a': 1 }])
    expect((await write(world.ask, 'b')).body.code).toBe('server.idempotency-reused')
    const after = await createServerWorld({ book })
    expect((await write(after.ask, 'a')).body).toEqual(answers[0]?.body)
    // Claimed by a process that did not live to answer.
    const place = { owner: 'default/', key: 'k2', token: undefined }
    const fingerprint = createHash('sha256').update(`["put","${run}/entries/any.b",{"value":"c"}]`).digest('base64url')
    await book.claimKey(place, { fingerprint, at: world.clock.now() })
    const open = await world.ask('PUT', `${run}/entries/any.b`, {
      body: { value: 'c' },
      headers: { 'idempotency-key': 'k2' },
    })
    expect([open.status, open.body.code]).toEqual([409, 'server.idempotency-open'])
    expect((await world.ask('GET', `${run}/entries/any.b`)).status).toBe(404)
    book.close()
  })

  it('takes no other query and no other precondition for the same request', async () => {
    const world = await createServerWorld()
    const run = await begin(world)
    const packed = await world.app.hono.request(`http://localhost${run}/pack`)
    const bytes = new Uint8Array(await packed.arrayBuffer())
    const send = (query: string): Response | Promise<Response> =>
      world.app.hono.request(`http://localhost/api/packs?${query}`, {
        method: 'POST',
        body: new Blob([bytes]),
        headers: { 'idempotency-key': 'k' },
      })
    expect((await send('runId=one')).status).toBe(201)
    expect((await send('runId=one')).status).toBe(201)
    const other = await send('runId=two')
    expect([other.status, await other.json()]).toEqual([
      422,
      expect.objectContaining({ code: 'server.idempotency-reused' }),
    ])
    const put = (etag: string): ReturnType<World['ask']> =>
      world.ask('PUT', `${run}/entries/any.a`, {
        body: { value: 1 },
        headers: { 'idempotency-key': 'k2', 'if-match': etag },
      })
    expect((await put('"7"')).status).toBe(412)
    expect((await put('"7"')).status).toBe(412)
    expect((await put('"0"')).body.code).toBe('server.idempotency-reused')
  })

  it('keeps refusals under their key, too', async () => {
    const world = await createServerWorld()
    const run = await begin(world)
    const asked = { body: { value: { title: 5 } }, headers: { 'idempotency-key': 'k' } }
    const one = await world.ask('PUT', `${run}/entries/plan`, asked)
    const other = await world.ask('PUT', `${run}/entries/plan`, asked)
    expect(one.status).toBe(422)
    expect(other.body).toEqual(one.body)
    expect((await (await world.runtime.open('r1')).ledger()).filter(({ kind }) => kind === 'refusal')).toHaveLength(1)
  })

  it('answers people’s requests, once', async () => {
    const world = await createServerWorld()
    const run = await begin(world)
    await world.ask('POST', `${run}/events`, { body: { type: 'ask' } })
    const { body } = await world.ask('GET', `${run}/requests`)
    expect(body.items).toEqual([expect.objectContaining({ question: 'send it?', target: { key: 'approval' } })])
    const path = `${run}/requests/${encodeURIComponent(body.items[0].id)}/answer`
    expect((await world.ask('POST', path, { body: { answer: 'maybe' } })).body.code).toBe('request.refused')
    expect((await world.ask('POST', path, { body: { answer: 'yes' } })).status).toBe(204)
    expect((await world.ask('POST', path, { body: { answer: 'no' } })).body.code).toBe('request.not-open')
    expect((await world.ask('GET', `${run}/entries/approval`)).body.value).toBe('yes')
  })

  it('is waited for by the key, by the workflow and by an agent', async () => {
    const world = await createServerWorld()
    const run = await begin(world)
    const waiting = world.ask('GET', `${run}/waits/notes?timeoutMs=1000`)
    const asAgent = world.ask('GET', `${run}/waits/notes?timeoutMs=1000&agent=reviewer`)
    const late = world.ask('GET', `${run}/waits/plan?timeoutMs=1000`)
    // Two agents and the workflow are waiting before anything is written.
    await world.clock.advance(1)
    await world.ask('PUT', `${run}/entries/notes`, { body: { value: ['here'] } })
    for (const answer of [await waiting, await asAgent])
      expect(answer.body).toMatchObject({ kind: 'found', entry: { key: 'notes', value: ['here'], version: 1 } })
    await world.clock.advance(1_000)
    expect((await late).body).toMatchObject({ kind: 'timeout', code: 'wait.timeout' })
  })

  it('has a history that can be looked at, gone back to and forked', async () => {
    const world = await createServerWorld()
    const run = await begin(world)
    const { ask } = world
    await ask('PUT', `${run}/entries/any.a`, { body: { value: 1 } })
    await ask('POST', `${run}/episodes`, { body: { name: 'one', nextEntryPoint: 'two' } })
    await ask('PUT', `${run}/entries/any.a`, { body: { value: 2 } })
    await ask('PUT', `${run}/entries/secret`, { body: { value: 'opensesame' } })
    expect((await ask('GET', `${run}/at/2`)).body.entries).toEqual([
      expect.objectContaining({ key: 'any.a', value: 1 }),
    ])
    await ask('PUT', `${run}/entries/plan`, { body: { value: { title: 'seen' } } })
    const saw = await ask('GET', `${run}/views/somebody?type=writer&at=6`)
    expect(saw.body.entries).toEqual([expect.objectContaining({ key: 'plan' })])
    expect((await ask('GET', `${run}/views/somebody?at=6`)).body.code).toBe('agent.unknown')
    const { body: diff } = await ask('GET', `${run}/diff?from=2&to=4`)
    expect(diff.items).toEqual([
      expect.objectContaining({
        key: 'any.a',
        before: expect.objectContaining({ value: 1 }),
        after: expect.objectContaining({ value: 2 }),
      }),
    ])
    expect((await ask('GET', `${run}/episodes`)).body.items).toEqual([
      expect.objectContaining({ name: 'one', nextEntryPoint: 'two' }),
    ])
    const { body: log } = await ask('GET', `${run}/log?key=any.a`)
    expect(log.items.map(({ from, to }: { from: number; to: number }) => [from, to])).toEqual([
      [0, 1],
      [1, 2],
    ])
    const forked = await ask('POST', `${run}/fork`, { body: { point: 2, runId: 'other' } })
    expect([forked.status, forked.headers.get('location')]).toEqual([201, '/api/runs/other'])
    expect((await ask('GET', '/api/runs/other/entries/any.a')).body.value).toBe(1)
    expect((await ask('POST', `${run}/fork`, { body: { point: '2', runId: 'another' } })).status).toBe(201)
    await ask('POST', `${run}/restore`, { body: { point: 2 } })
    expect((await ask('GET', `${run}/entries/any.a`)).body).toMatchObject({ value: 1, version: 3 })
    const { body: changes } = await ask('GET', `${run}/changes?afterSeq=1&limit=2`)
    expect(changes.items.map(({ seq }: { seq: number }) => seq)).toEqual([2, 3])
    expect((await ask('GET', `${run}/changes?cursor=${changes.next}&limit=2`)).body.items[0].seq).toBe(4)
    expect((await ask('GET', `${run}/at/99`)).body.code).toBe('run.no-such-seq')
    expect((await ask('GET', `${run}/conflicts`)).body.items).toEqual([])
    const decided = await ask('POST', `${run}/conflicts/none/resolve`, { body: { value: 1 } })
    expect(decided.body.code).toBe('conflict.unknown')
  })

  it('shows nothing sensitive but to admins who ask', async () => {
    const world = await createServerWorld()
    const run = await begin(world)
    await world.ask('PUT', `${run}/entries/secret`, { body: { value: 'opensesame' } })
    await world.ask('PUT', `${run}/entries/secret`, { body: { value: 'opensesame 2' } })
    const token = world.token('operator')
    const paths = [
      '/entries',
      '/entries/secret',
      '/log',
      '/at/2',
      '/diff?from=1&to=3',
      '/conflicts',
      '/export',
      '/changes',
      '/explain',
    ]
    for (const path of paths) {
      const shown = await world.ask('GET', `${run}${path}`, { token })
      expect(shown.status, path).toBe(200)
      expect(JSON.stringify(shown.body), path).not.toContain('opensesame')
    }
    expect((await world.ask('GET', `${run}/entries?secrets=true`, { token })).status).toBe(403)
    const all = await world.ask('GET', `${run}/entries?secrets=true`, { token: world.token('admin') })
    expect(JSON.stringify(all.body)).toContain('opensesame 2')
  })

  it('is remembered for: proposed, reviewed, committed, found and withdrawn', async () => {
    const world = await createServerWorld()
    const run = await begin(world)
    const changes = [
      { op: 'add', kind: 'semantic', scope: 'user', text: 'Ada takes no sugar', rationale: 'she said so' },
    ]
    const proposed = await world.ask('POST', `${run}/memory/batches`, { body: { user: 'ada', changes } })
    expect(proposed.status).toBe(201)
    const batch = `${run}/memory/batches/${proposed.body.id}`
    expect((await world.ask('POST', `${batch}/review`, { body: { user: 'ada' } })).body).toMatchObject({
      canCommit: true,
    })
    expect((await world.ask('POST', `${batch}/commit`, { body: { user: 'bob' } })).body.code).toBe(
      'memory.unknown-batch',
    )
    expect((await world.ask('POST', `${batch}/commit`, { body: { user: 'ada' } })).body).toMatchObject({
      kind: 'committed',
      repeated: false,
    })
    const found = await world.ask('GET', `${run}/memory?q=sugar&user=ada`)
    expect(found.body.items).toEqual([
      expect.objectContaining({ item: expect.objectContaining({ text: 'Ada takes no sugar' }) }),
    ])
    expect((await world.ask('GET', `${run}/memory?q=sugar&user=bob`)).body.items).toEqual([])
    expect((await world.ask('DELETE', `${run}/memory/batches/none`)).status).toBe(404)
  })

  it('is packed, and goes on from its pack under another id', async () => {
    const world = await createServerWorld()
    const run = await begin(world)
    await world.ask('PUT', `${run}/entries/notes`, { body: { value: ['packed'] } })
    const packed = await world.app.hono.request(`http://localhost${run}/pack`)
    expect(packed.headers.get('content-type')).toBe('application/zip')
    const bytes = new Uint8Array(await packed.arrayBuffer())
    const send = (body: Uint8Array, id: string): Response | Promise<Response> =>
      world.app.hono.request(`http://localhost/api/packs?runId=${id}`, {
        method: 'POST',
        body: new Blob([body as never]),
      })
    const other = await send(bytes, 'other')
    expect([other.status, other.headers.get('location')]).toEqual([201, '/api/runs/other'])
    expect((await world.ask('GET', '/api/runs/other/entries/notes')).body).toMatchObject({
      value: ['packed'],
      version: 1,
    })
    expect((await send(bytes, 'other')).status).toBe(409)
    const damaged = bytes.slice(0, -30)
    expect((await send(damaged, 'third')).status).toBe(422)
    expect((await world.ask('GET', '/api/runs/third')).status).toBe(404)
  })

  it('has sessions beside it', async () => {
    const { ask } = await createServerWorld()
    expect((await ask('PATCH', '/api/sessions/ann', { body: { part: { cart: { pen: 1 } } } })).body.data).toEqual({
      cart: { pen: 1 },
    })
    expect((await ask('PATCH', '/api/sessions/ann', { body: { part: { cart: { ink: 2 } } } })).body.data).toEqual({
      cart: { pen: 1, ink: 2 },
    })
    expect((await ask('GET', '/api/sessions')).body.items).toEqual(['ann'])
    expect((await ask('DELETE', '/api/sessions/ann')).status).toBe(204)
    expect((await ask('GET', '/api/sessions/ann')).body.code).toBe('session.unknown')
  })

  it('answers who writes to a session whose id a run of another workflow has, and leaves that run alone', async () => {
    const { ask } = await createServerWorld()
    await ask('POST', '/api/runs', { body: { workflow: 'desk', runId: 'session:zed' } })
    const patched = await ask('PATCH', '/api/sessions/zed', { body: { part: { a: 1 } } })
    expect(patched).toMatchObject({ status: 409, body: { code: 'session.taken' } })
    expect((await ask('GET', '/api/sessions/zed')).status).toBe(404)
    expect((await ask('DELETE', '/api/sessions/zed')).status).toBe(404)
    expect((await ask('GET', '/api/sessions')).body.items).toEqual([])
    expect((await ask('GET', '/api/runs/session:zed')).body).toMatchObject({ workflow: 'desk', status: 'active' })
  })
})
