// Answers under idempotency keys: on every write, after a restart and after a crash, and in the file for nobody else.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createVolatileStore } from 'callboard'
import { openBook } from 'callboard/server'
import type { ServerBook } from 'callboard/server'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openText, sealText } from '../../src/server/sealed-text.ts'
import { secretOf } from '../support/token.ts'
import { createServerWorld } from './world.ts'
import type { Answered, World } from './world.ts'

const KEY = 'sixteen characters at least'

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'callboard-server-test-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

function open(path: string, key?: string): ServerBook {
  const book = openBook(path, { key })
  onTestFinished(() => book.close())
  return book
}

/** Everything in the files of a book. */
const bytesOf = (path: string): string =>
  readdirSync(path)
    .map((name) => readFileSync(join(path, name)).toString('latin1'))
    .join('')

const keyed = (key: string): { readonly 'idempotency-key': string } => ({ 'idempotency-key': key })

interface Write {
  readonly method: string
  readonly path: string
  readonly body?: unknown
}

/** One of every kind of write, each such that doing it twice would show. */
async function everyWrite({ ask, app }: World, token: string): Promise<readonly Write[]> {
  const start = (runId: string): Promise<Answered> =>
    ask('POST', '/api/runs', { token, body: { workflow: 'desk', runId } })
  for (const id of ['r1', 'r2', 'gone']) expect((await start(id)).status).toBe(201)
  await ask('POST', '/api/runs/gone/stop', { token, body: {} })
  const changes = [{ op: 'add', kind: 'semantic', scope: 'user', text: 'a fact', rationale: 'said' }]
  const batch = await ask('POST', '/api/runs/r1/memory/batches', { token, body: { user: 'ada', changes } })
  const other = await ask('POST', '/api/runs/r1/memory/batches', { token, body: { user: 'ada', changes } })
  await ask('POST', '/api/runs/r1/events', { token, body: { type: 'ask' } })
  const asked = await ask('GET', '/api/runs/r1/requests', { token })
  const victim = await ask('POST', '/api/tokens', { token, body: { name: 'victim', role: 'reader' } })
  await ask('PATCH', '/api/sessions/bob', { token, body: { part: { a: 1 } } })
  await ask('POST', '/runs', { token, body: { objective: 'a', run_id: 't1' } })
  const booted = await ask('POST', '/runs/boot', { token, body: { objective: 'a' } })
  const packed = await app.hono.request('http://localhost/api/runs/r2/pack', {
    headers: { authorization: `Bearer ${token}` },
  })
  const pack = new Uint8Array(await packed.arrayBuffer())
  const run = '/api/runs/r1'
  return [
    { method: 'POST', path: '/api/runs', body: { workflow: 'desk' } },
    { method: 'PUT', path: `${run}/entries/any.a`, body: { value: 1 } },
    { method: 'PATCH', path: `${run}/entries/any.b`, body: { value: { a: 1 } } },
    { method: 'DELETE', path: `${run}/entries/any.b` },
    { method: 'POST', path: `${run}/updates`, body: { set: { 'any.c': 1 } } },
    {
      method: 'POST',
      path: `${run}/requests/${encodeURIComponent(asked.body.items[0].id)}/answer`,
      body: { answer: 'yes' },
    },
    { method: 'POST', path: `${run}/events`, body: { type: 'ask' } },
    { method: 'POST', path: `${run}/fork`, body: { point: 1 } },
    { method: 'POST', path: `${run}/conflicts/none/resolve`, body: { value: 1 } },
    { method: 'POST', path: `${run}/episodes`, body: { name: 'one' } },
    { method: 'POST', path: `${run}/snapshots`, body: { reason: 'now' } },
    { method: 'POST', path: `${run}/restore`, body: { point: 1 } },
    { method: 'POST', path: `${run}/memory/batches`, body: { user: 'ada', changes } },
    { method: 'POST', path: `${run}/memory/batches/${batch.body.id}/review`, body: { user: 'ada' } },
    { method: 'POST', path: `${run}/memory/batches/${batch.body.id}/commit`, body: { user: 'ada' } },
    { method: 'DELETE', path: `${run}/memory/batches/${other.body.id}?user=ada` },
    { method: 'POST', path: '/api/packs', body: pack },
    { method: 'PATCH', path: '/api/sessions/ann', body: { part: { a: 1 } } },
    { method: 'DELETE', path: '/api/sessions/bob' },
    { method: 'POST', path: '/api/tokens', body: { name: 'new', role: 'reader' } },
    { method: 'DELETE', path: `/api/tokens/${victim.body.id}` },
    { method: 'POST', path: `${run}/stop`, body: {} },
    { method: 'DELETE', path: '/api/runs/gone' },
    { method: 'POST', path: '/runs', body: { objective: 'b' } },
    {
      method: 'PATCH',
      path: '/runs/t1',
      body: { patch: { _schema_version: '2.1', set: { next_action: 'x' } }, expected_seq: 0 },
    },
    { method: 'POST', path: '/runs/boot', body: { objective: 'b' } },
    {
      method: 'POST',
      path: `/runs/${booted.body.run_id}/step/update`,
      body: { patch: { _schema_version: '2.1', expected_seq: 0, set: { next_action: 'y' } } },
    },
    { method: 'POST', path: `/runs/${booted.body.run_id}/milestone`, body: {} },
    { method: 'POST', path: '/runs/t1/memory/propose', body: { mcrs: [{}] } },
    { method: 'POST', path: '/runs/t1/memory/commit', body: { batch_id: 'none' } },
    { method: 'POST', path: '/runs/t1/snapshot' },
    { method: 'POST', path: `/runs/${booted.body.run_id}/resume/snapshot`, body: {} },
    { method: 'POST', path: '/runs/resume/load', body: { pack_path: 'none.zip' } },
  ]
}

const patternOf = (path: string): RegExp => new RegExp(`^${path.replaceAll(/\{[^}]+\}/g, '[^/]+')}$`)

async function send(world: World, write: Write, token: string, key: string): Promise<readonly [number, string]> {
  const { body } = write
  const isFile = body instanceof Uint8Array
  const response = await world.app.hono.request(`http://localhost${write.path}`, {
    method: write.method,
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': isFile ? 'application/zip' : 'application/json',
      ...keyed(key),
    },
    ...(body === undefined ? {} : { body: isFile ? new Blob([body as never]) : JSON.stringify(body) }),
  })
  return [response.status, await response.text()]
}

describe('a write under an idempotency key', () => {
  it('is done once, whichever write it is, and gives the same bytes again, also to a server that was started anew', async () => {
    const path = join(folder(), 'book.db')
    const book = open(path)
    const store = createVolatileStore()
    const world = await createServerWorld({ book, store })
    const token = world.token('admin')
    const writes = await everyWrite(world, token)
    for (const { method, path: template } of world.app.operations) {
      if (method === 'get' || template === '/mcp') continue
      const isThere = writes.some(
        (one) => one.method === method.toUpperCase() && patternOf(template).test(one.path.split('?')[0] ?? ''),
      )
      expect(isThere, `${method} ${template} is tried`).toBe(true)
    }
    const answers = new Map<Write, readonly [number, string]>()
    for (const [index, write] of writes.entries()) answers.set(write, await send(world, write, token, `k${index}`))
    // Nearly all of them are really done; of the rest, the refusal is kept.
    const done = [...answers.values()].filter(([status]) => status < 300)
    expect(done.length).toBe(writes.length - 1)
    const seqs = async (): Promise<unknown> =>
      (await world.runtime.list()).map(({ runId, seq }) => [runId, seq]).toSorted()
    const before = await seqs()
    const tokens = book.tokens().length
    for (const [index, write] of writes.entries())
      expect(await send(world, write, token, `k${index}`), JSON.stringify(write)).toEqual(answers.get(write))
    expect(await seqs()).toEqual(before)
    expect(book.tokens()).toHaveLength(tokens)
    book.close()
    // Another process: other runs are there, and the answers are those of before.
    const again = await createServerWorld({ book: open(path) })
    for (const [index, write] of writes.entries())
      expect(await send(again, write, token, `k${index}`), JSON.stringify(write)).toEqual(answers.get(write))
  })

  it('belongs to its caller: the same key of another token is another one', async () => {
    const world = await createServerWorld()
    const [one, other] = [world.token('admin'), world.token('admin')]
    const write = { method: 'POST', path: '/api/runs', body: { workflow: 'desk' } }
    const [[, mine], [, theirs]] = [await send(world, write, one, 'k'), await send(world, write, other, 'k')]
    expect(JSON.parse(mine).runId).not.toBe(JSON.parse(theirs).runId)
  })
})

describe('the file of the book', () => {
  it('has no secret that is shown once, and no value of a caller with a token', async () => {
    const path = folder()
    const world = await createServerWorld({ book: open(join(path, 'book.db')) })
    const token = world.token('admin')
    await world.ask('POST', '/api/runs', { token, body: { workflow: 'desk', runId: 'r1' } })
    const made = await world.ask('POST', '/api/tokens', {
      token,
      body: { name: 'ann', role: 'reader' },
      headers: keyed('a'),
    })
    const stone = await world.ask('POST', '/runs/boot', { token, body: { objective: 'a' } })
    const milestone = await world.ask('POST', `/runs/${stone.body.run_id}/milestone`, {
      token,
      body: {},
      headers: keyed('b'),
    })
    const patched = await world.ask('PATCH', '/api/sessions/ann', {
      token,
      body: { part: { card: 'opensesame' } },
      headers: keyed('c'),
    })
    expect([made.status, milestone.status, patched.status]).toEqual([201, 200, 200])
    const bytes = bytesOf(path)
    expect(bytes).toContain('/api/tokens')
    for (const secret of [secretOf(made.body.token as string), milestone.body.milestone_token, 'opensesame'])
      expect(bytes).not.toContain(secret)
  })

  it('has no value of a caller without a token where the book has a key, and answers again with that key only', async () => {
    const path = folder()
    const write = { body: { part: { card: 'opensesame' } }, headers: keyed('c') }
    const ask = async (key: string | undefined): Promise<Answered> => {
      const book = openBook(join(path, 'book.db'), { key })
      const answer = await (await createServerWorld({ book })).ask('PATCH', '/api/sessions/ann', write)
      book.close()
      return answer
    }
    const first = await ask(KEY)
    expect(bytesOf(path)).not.toContain('opensesame')
    expect((await ask(KEY)).body).toEqual(first.body)
    for (const other of [undefined, `not ${KEY}`])
      expect((await ask(other)).body.code).toBe('server.idempotency-reused')
    expect(() => openBook(join(path, 'book.db'), { key: 'short' })).toThrow('at least 16 bytes')
  })
})

describe('a sealed text', () => {
  it('opens under its secret, in its place, whole', () => {
    const sealed = sealText(KEY, 'ünïcode', 'here')
    expect(openText(KEY, sealed, 'here')).toBe('ünïcode')
    expect(openText(KEY, sealText(KEY, '', 'here'), 'here')).toBe('')
    expect(sealText(KEY, 'ünïcode', 'here')).not.toBe(sealed)
    expect(openText('another secret that is long', sealed, 'here')).toBeUndefined()
    expect(openText(KEY, sealed, 'there')).toBeUndefined()
    for (const damaged of ['', 'AAAA', sealed.slice(0, -8), `${sealed.startsWith('A') ? 'B' : 'A'}${sealed.slice(1)}`])
      expect(openText(KEY, damaged, 'here')).toBeUndefined()
  })
})
