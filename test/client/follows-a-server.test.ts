// The client over real connections: the words of a run that is here, for one that is elsewhere.
import { describe, expect, it, onTestFinished } from 'vitest'
import { createRuntime, drop, isCallboardError, patch, put } from 'callboard'
import type { Refusal, Runtime } from 'callboard'
import { createClient } from 'callboard/client'
import type { Client } from 'callboard/client'
import { openBook, openServer } from 'callboard/server'
import type { HttpServer, ServerBook } from 'callboard/server'
import { refusalOf } from '../runtime/world.ts'
import { desk } from '../server/world.ts'

interface World {
  readonly client: Client
  readonly runtime: Runtime
  readonly book: ServerBook
  readonly url: string
  /** Ends the server and opens another one at its address. */
  restart(): Promise<void>
}

async function createWorld(): Promise<World> {
  const runtime = await createRuntime({ workflows: [desk] })
  const book = openBook()
  let server: HttpServer = await openServer({ runtime, workflows: [desk], book, port: 0 })
  const { url, port } = server
  onTestFinished(async () => {
    await server.close({ graceMs: 50 })
    await runtime.close()
    book.close()
  })
  const restart = async (): Promise<void> => {
    await server.close({ graceMs: 50 })
    server = await openServer({ runtime, workflows: [desk], book, port })
  }
  return { client: createClient({ url }), runtime, book, url, restart }
}

describe('a run elsewhere', () => {
  it('is started, written, read and ended with the words of one that is here', async () => {
    const { client, runtime } = await createWorld()
    const run = await client.start(desk, { runId: 'r1', labels: { team: 'a' } })
    const accepted = await run.update({ plan: { title: 'one' }, notes: put(['x'], { ttlMs: 60_000 }) })
    expect(accepted).toEqual({ kind: 'accepted', versions: { plan: 1, notes: 1 }, conflicts: [], skipped: [] })
    await run.update({ plan: patch({ pages: 2 }) })
    expect(await run.get('plan')).toEqual({ title: 'one', pages: 2 })
    expect((await run.entry('notes'))?.expiresAt).toEqual(expect.any(Number))
    await run.update({ notes: drop() })
    expect(await run.get('notes')).toBeUndefined()
    expect((await run.entries()).map(({ key }) => key)).toEqual(['plan'])
    const here = await runtime.open('r1')
    expect(await run.info()).toMatchObject({
      runId: 'r1',
      workflow: 'desk',
      seq: here.seq,
      state: 'open',
      labels: { team: 'a' },
    })
    expect((await client.list({ workflow: 'desk' })).map(({ runId }) => runId)).toEqual(['r1'])
    const done = run.done()
    expect(await run.send({ type: 'stop' })).toBe(true)
    expect(await done).toBeUndefined()
    expect(await client.run<typeof desk>('r1').done()).toBeUndefined()
  })

  it('keeps every kind of value as it is', async () => {
    const { client, runtime } = await createWorld()
    const run = await client.start(desk)
    const value = {
      at: new Date(0),
      map: new Map<unknown, unknown>([['a', new Set([1n])]]),
      bytes: new Uint8Array([1, 2]),
      gone: undefined,
    }
    await run.update({ 'any.odd': value })
    expect(await run.get('any.odd')).toEqual(value)
    expect((await runtime.open(run.id)).get('any.odd')).toEqual(value)
    const view = await run.view('writer')
    expect(view.seq).toBe(0)
    expect(view.keys()).toEqual([])
  })

  it('refuses with the errors of a run that is here', async () => {
    const { client } = await createWorld()
    const run = await client.start(desk)
    const refused = await refusalOf(run.update({ plan: { title: 5 } } as never))
    expect(refused).toMatchObject({ code: 'update.refused', details: { reason: 'schema', status: 422 } })
    expect(await run.tryUpdate({ plan: 'x' } as never)).toMatchObject({
      kind: 'refused',
      reason: 'schema',
      key: 'plan',
    })
    expect(await run.tryUpdate({ plan: { title: 'a' } }, { expectedVersion: { plan: 7 } })).toMatchObject({
      reason: 'expected-version',
    })
    expect((await refusalOf(client.run('nothing').info())).code).toBe('run.unknown')
    expect((await refusalOf(run.waitFor('plan', { timeoutMs: 1 }))).code).toBe('wait.timeout')
    await run.stop('enough')
    expect((await refusalOf(run.done())).code).toBe('run.stopped')
    const policy = await refusalOf(run.update({ plan: put({ title: 'a' }, { policy: () => ({ kind: 'keep' }) }) }))
    expect(policy.code).toBe('client.policy')
  })

  it('is waited for like one that is here, also when it has ended', async () => {
    const { client, runtime } = await createWorld()
    const run = await client.start(desk)
    const here = (await runtime.open(run.id)) as unknown as typeof run
    for (const one of [here, run]) {
      for (const timeoutMs of [Number.NaN, -1])
        expect((await refusalOf(one.waitFor('plan', { timeoutMs }))).code).toBe('wait.invalid-timeout')
      const late = await refusalOf(one.waitFor('plan', { timeoutMs: 1.5 }))
      expect(late).toMatchObject({ code: 'wait.timeout', details: { keys: ['plan'] } })
    }
    const waiting = refusalOf(run.waitFor('notes'))
    await run.update({ plan: { title: 'here' } })
    await run.stop()
    expect(await waiting).toMatchObject({ code: 'run.finished' })
    for (const one of [here, run]) {
      expect(await refusalOf(one.waitFor('notes', { timeoutMs: 5_000 }))).toMatchObject({
        code: 'run.finished',
        message: `run ${run.id} has ended; "notes" will not come any more`,
        details: { runId: run.id, key: 'notes' },
      })
      expect(await one.waitFor('plan')).toEqual({ title: 'here' })
    }
  })

  it('is not written what cannot be kept, and says so in the words of one that is here', async () => {
    const { client, runtime } = await createWorld()
    const run = await client.start(desk)
    const here = await runtime.open(run.id)
    const circular: Record<string, unknown> = {}
    circular['self'] = circular
    const values = [circular, () => 1, new URL('http://a'), new Date(Number.NaN), Number.NaN, undefined, '\ud800']
    for (const value of values) {
      const changes = { 'any.a': value } as never
      const { reason, key, author, message } = (await here.tryUpdate(changes)) as Refusal
      expect(await run.tryUpdate(changes)).toMatchObject({ kind: 'refused', reason, key, author, message })
      const { code, message: told } = await refusalOf(here.update(changes))
      expect(await refusalOf(run.update(changes))).toMatchObject({ code, message: told })
    }
    expect(await run.tryUpdate({ 'any.a': put(1, { metadata: circular }) })).toMatchObject({ reason: 'value' })
    expect((await refusalOf(run.send({ type: 'ask', circular }))).code).toBe('value.unsupported')
    expect((await refusalOf(run.answer('one', circular))).code).toBe('value.unsupported')
    expect((await refusalOf(run.resolveConflict('one', { value: circular }))).code).toBe('value.unsupported')
    expect((await refusalOf(client.start(desk, { input: circular }))).code).toBe('value.unsupported')
    expect(here.entries()).toEqual([])
  })

  it('is waited for, asked and answered, gone back to and forked', async () => {
    const { client } = await createWorld()
    const run = await client.start(desk)
    const waiting = run.waitFor('plan')
    await run.update({ plan: { title: 'here' } })
    expect(await waiting).toEqual({ title: 'here' })
    const { id: snapshot } = await run.snapshot('before')
    await run.send({ type: 'ask' })
    const [request] = await run.requests()
    expect(request?.question).toBe('send it?')
    await run.answer(request?.id ?? '', 'yes')
    expect(await run.get('approval')).toBe('yes')
    expect((await run.at(snapshot)).entries.map(({ key }) => key)).toEqual(['plan'])
    const fork = await run.fork(snapshot, { runId: 'other' })
    expect(await fork.get('plan')).toEqual({ title: 'here' })
    expect(await fork.get('approval')).toBeUndefined()
    expect((await run.episode('one')).name).toBe('one')
    expect((await run.log({ key: 'plan' })).map(({ operation }) => operation)).toEqual(['set'])
    expect((await run.explain()).text).toContain(run.id)
  })

  it('is followed without gap or repetition, though the server is another one in between', async () => {
    const world = await createWorld()
    const run = await world.client.start(desk, { runId: 'r1' })
    const here = await world.runtime.open('r1')
    const seqs: number[] = []
    const reached = Promise.withResolvers<void>()
    const following = (async () => {
      for await (const { seq } of run.changes()) {
        seqs.push(seq)
        if (seq === 20) reached.resolve()
      }
    })()
    for (let value = 1; value < 20; value++) await here.update({ 'any.a': value })
    await reached.promise
    await world.restart()
    for (let value = 0; value < 20; value++) await here.update({ 'any.a': { again: value } })
    await here.send({ type: 'stop' })
    await following
    expect(seqs).toEqual(Array.from({ length: 41 }, (_, index) => index + 1))
  })

  it('is not followed any longer than somebody wants', async () => {
    const { client } = await createWorld()
    const run = await client.start(desk)
    const stop = new AbortController()
    for await (const { seq } of run.changes({ signal: stop.signal })) {
      expect(seq).toBe(1)
      stop.abort()
    }
    const error = await client
      .run('nothing')
      .changes()
      .next()
      .catch((reason: unknown) => reason)
    expect(isCallboardError(error, 'run.unknown')).toBe(true)
  })

  it('is written once, though the answer to a write is lost', async () => {
    const { url, runtime } = await createWorld()
    await runtime.start(desk, { runId: 'r1' })
    let lost = 0
    const client = createClient({
      url,
      fetch: async (...args) => {
        const response = await fetch(...args)
        const [, { method = 'GET' } = {}] = args
        if (method === 'GET' || lost++ > 1) return response
        await response.text()
        throw new TypeError('connection lost')
      },
    })
    expect(await client.run<typeof desk>('r1').update({ 'any.a': 1 })).toMatchObject({ versions: { 'any.a': 1 } })
    expect(lost).toBe(3)
    expect((await runtime.open('r1')).entry('any.a' as never)).toMatchObject({ version: 1 })
  })

  it('is seen in the order in which its agent is shown it, however it came', async () => {
    const { client } = await createWorld()
    const run = await client.start(desk)
    const views = run.views('writer')
    expect((await views.next()).value?.keys()).toEqual([])
    const write = async (changes: Parameters<typeof run.update>[0]): Promise<readonly string[] | undefined> => {
      const [{ value: view }] = await Promise.all([views.next(), run.update(changes)])
      expect(view?.keys()).toEqual((await run.view('writer')).keys())
      return view?.keys()
    }
    expect(await write({ plan: { title: 'one' } })).toEqual(['plan'])
    expect(await write({ notes: put(['first'], { priority: 'critical' }) })).toEqual(['notes', 'plan'])
    expect(await write({ plan: put({ title: 'two' }, { priority: 'high' }) })).toEqual(['notes', 'plan'])
    expect(await write({ notes: put(['last'], { priority: 'low' }) })).toEqual(['plan', 'notes'])
    await views.return(undefined)
  })

  it('is seen by an agent’s token as its agent', async () => {
    const { url, book, runtime } = await createWorld()
    const { text } = book.addToken(
      { name: 'robot', role: 'agent', tenant: 'default', agent: { type: 'reviewer', id: 'reviewer' } },
      Date.now(),
    )
    const here = await runtime.start(desk, { runId: 'r1' })
    const run = createClient({ url, token: text }).run<typeof desk>('r1')
    const views = run.views('reviewer')
    expect((await views.next()).value?.keys()).toEqual([])
    await here.update({ plan: { title: 'hidden' } })
    await here.update({ notes: ['seen'] })
    expect((await views.next()).value?.toObject()).toEqual({ notes: ['seen'] })
    expect(await run.waitFor('notes')).toEqual(['seen'])
    await run.update({ notes: ['mine'] })
    expect(here.entry('notes')?.updatedBy).toBe('reviewer')
    expect((await refusalOf(run.info())).code).toBe('server.forbidden')
    await views.return(undefined)
  })

  it('says that nobody answers', async () => {
    const client = createClient({
      url: 'http://127.0.0.1:9',
      clock: { now: () => 0, setTimeout: (fn) => void fn(), clearTimeout: () => {} },
    })
    expect((await refusalOf(client.list())).code).toBe('client.unreachable')
  })
})
