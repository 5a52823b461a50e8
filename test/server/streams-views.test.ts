// The stream of a view tells an agent what its view is at every moment, and of nothing else: not that it is there, not that it
// was, not that something happened.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createRuntime, defineContext, entry, patch } from 'callboard'
import type { Runtime, Run } from 'callboard'
import { createApp, openBook } from 'callboard/server'
import { openSqlite } from 'callboard/sqlite'
import { z } from 'zod'
import { createTestClock } from '../support/clock.ts'
import type { TestClock } from '../support/clock.ts'
import { follow } from './stream-reader.ts'
import type { OpenedStream } from './stream-reader.ts'
import { askApp } from './world.ts'

const outside = { outside: true } as const
const board = defineContext({
  shared: entry(z.string(), outside),
  news: entry(z.string(), { ...outside, scope: 'global' }),
  own: entry(z.string(), { ...outside, scope: 'private' }),
  team: entry(z.string(), { ...outside, scope: 'group', group: 'coders' }),
  password: entry(z.string(), { ...outside, sensitive: true }),
  others: entry(z.string(), outside),
  passing: entry(z.string(), { ...outside, ephemeral: true }),
})
const keys = ['shared', 'news', 'own', 'team', 'password'] as const
const ann = board.agent({ reads: [...keys, 'passing'], writes: ['own', 'shared'], run: () => {} })
const bob = board.agent({ reads: keys, writes: ['own'], groups: ['coders'], run: () => {} })
const desk = board.workflow({ name: 'desk', agents: { ann, bob } }).createMachine({
  id: 'desk',
  initial: 'open',
  states: { open: { on: { stop: 'closed' } }, closed: { type: 'final' } },
})

interface ViewWorld {
  readonly clock: TestClock
  readonly runtime: Runtime
  readonly run: Run
  /** The stream of an agent's view, asked for with its own token. */
  follow(agent: string, lastId?: string): Promise<OpenedStream & { view(): Readonly<Record<string, unknown>> }>
  put(changes: object, agent?: string): Promise<void>
}

async function createWorld(): Promise<ViewWorld> {
  const clock = createTestClock()
  const runtime = await createRuntime({ workflows: [desk], clock })
  const book = openBook()
  const app = createApp({ runtime, workflows: [desk], book, clock })
  onTestFinished(async () => {
    app.close()
    await runtime.close()
    book.close()
  })
  const run = (await runtime.start(desk, { runId: 'r1' })) as unknown as Run
  return {
    clock,
    runtime,
    run,
    async put(changes, agent) {
      const by = agent === undefined ? {} : { agent: { id: agent, type: agent } }
      await run.update(changes as never, by as never)
      await clock.settle()
    },
    async follow(agent, lastId) {
      const identity = { type: agent, id: agent }
      const { text: token } = book.addToken(
        { name: agent, role: 'agent', tenant: 'default', agent: identity },
        clock.now(),
      )
      const path = `/api/runs/r1/views/${agent}/stream`
      const opened = await follow({ app }, path, lastId === undefined ? { token } : { token, lastId })
      await clock.settle()
      return { ...opened, view: () => viewFrom(opened) }
    },
  }
}

/** What somebody knows who has followed a stream. */
function viewFrom({ reader }: OpenedStream): Readonly<Record<string, unknown>> {
  const known = new Map<string, unknown>()
  for (const { event, data } of reader.events) {
    if (event === 'view') known.clear()
    for (const key of data.gone ?? []) known.delete(key)
    for (const { key, value } of data.entries ?? []) known.set(key, value)
  }
  return Object.fromEntries(known)
}

/** A server over a database, as long as its process lives. */
async function openProcess(folder: string): Promise<{
  readonly run: Run
  follow(path: string, lastId?: string): Promise<OpenedStream>
  /** Status and body of a view, or of the whole board. */
  ask(path: string, etag?: string): Promise<{ readonly status: number; readonly etag: string; readonly keys: unknown }>
  end(): Promise<void>
}> {
  const store = await openSqlite(join(folder, 'runs.db'), { durability: 'process' })
  const runtime = await createRuntime({ workflows: [desk], store })
  await runtime.recover()
  const app = createApp({ runtime, workflows: [desk] })
  const run = (await runtime.open('r1').catch(() => runtime.start(desk, { runId: 'r1' }))) as unknown as Run
  return {
    run,
    follow: (path, lastId) => follow({ app }, path, lastId === undefined ? {} : { lastId }),
    async ask(path, etag) {
      const headers = etag === undefined ? {} : { 'if-none-match': etag }
      const { status, body, headers: said } = await askApp(app, 'GET', path, { headers })
      const shown = body.entries ?? body.items
      return { status, etag: said.get('etag') ?? '', keys: shown?.map(({ key }: { readonly key: string }) => key) }
    },
    async end() {
      app.close()
      await runtime.close({ runs: 'keep' })
      await store.close()
    },
  }
}

describe('a view of before a restart', () => {
  it('is sent anew where an ephemeral entry was lost, and goes on where nothing was', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'callboard-views-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const paths = ['/api/runs/r1/views/ann', '/api/runs/r1/entries']
    const before = await openProcess(folder)
    await before.run.update({ shared: 'kept' } as never)
    const kept = await before.follow('/api/runs/r1/views/ann/stream')
    await kept.reader.until(() => kept.reader.events.length === 1)
    await before.run.update({ passing: 'lost' } as never)
    await kept.reader.until(() => kept.reader.events.length === 2)
    const bob = await before.follow('/api/runs/r1/views/bob/stream')
    await bob.reader.until(() => bob.reader.events.length === 1)
    const known = await Promise.all(paths.map((path) => before.ask(path)))
    expect(known.map(({ keys: shown }) => shown)).toEqual([
      ['passing', 'shared'],
      ['passing', 'shared'],
    ])
    await before.end()

    const after = await openProcess(folder)
    const again = await Promise.all(paths.map((path, index) => after.ask(path, known[index]?.etag)))
    expect(again.map(({ status, keys: shown }) => [status, shown])).toEqual([
      [200, ['shared']],
      [200, ['shared']],
    ])
    const resumed = await after.follow('/api/runs/r1/views/ann/stream', kept.reader.events[1]?.id)
    await resumed.reader.until(() => resumed.reader.events.length === 1)
    expect(resumed.reader.events[0]).toMatchObject({ event: 'view', data: { entries: [{ key: 'shared' }] } })
    // Bob never saw it: nothing has become another for him.
    const same = await after.follow('/api/runs/r1/views/bob/stream', bob.reader.events[0]?.id)
    await after.run.update({ shared: 'written since' } as never)
    await same.reader.until(() => same.reader.events.length === 1)
    expect(same.reader.events[0]).toMatchObject({ event: 'change', data: { entries: [{ value: 'written since' }] } })
    await resumed.close()
    await same.close()
    await after.end()
  })
})

describe('the stream of a view', () => {
  it('tells nothing of private entries, groups and secrets of others, not even that something happened', async () => {
    const { follow: open, put, clock } = await createWorld()
    const [seenByAnn, seenByBob] = [await open('ann'), await open('bob')]
    await put({ own: 'mine' }, 'ann')
    await put({ own: 'his' }, 'bob')
    await put({ password: 'hunter2' })
    await put({ others: 'nothing of theirs' })
    await put({ shared: 'for both' })
    await clock.settle()
    expect(seenByAnn.view()).toEqual({ own: 'mine', shared: 'for both' })
    expect(seenByBob.view()).toEqual({ own: 'his', shared: 'for both' })
    for (const { reader } of [seenByAnn, seenByBob]) {
      expect(reader.events.map(({ event, id, data }) => [event, id.split('-', 1)[0], data.seq])).toEqual([
        ['view', '0', 0],
        ['change', '1', 1],
        ['change', '2', 2],
      ])
    }
    await seenByAnn.close()
    await seenByBob.close()
  })

  it('is the same bytes, whatever happens that the agent cannot see', async () => {
    const bytesOf = async (hidden: boolean): Promise<string> => {
      const { follow: open, put } = await createWorld()
      const { reader, close } = await open('ann')
      for (let turn = 0; turn < 5; turn++) {
        await put({ shared: `turn ${turn}` })
        if (hidden) {
          await put({ own: `his ${turn}` }, 'bob')
          await put({ others: `${turn}`, password: `p${turn}` })
        }
      }
      await close()
      return JSON.stringify(reader.events)
    }
    expect(await bytesOf(true)).toBe(await bytesOf(false))
  })

  it('says that an entry is gone: dropped, expired, hidden by a filter, or behind one of its own', async () => {
    const { follow: open, put, clock, run, runtime } = await createWorld()
    const { view, reader, close } = await open('ann')
    await put({ shared: 'a' })
    await run.update({ shared: patch('b') } as never)
    const { drop, put: write } = await import('callboard')
    await put({ shared: drop() })
    expect(view()).toEqual({})
    expect(reader.events.at(-1)?.data).toMatchObject({ entries: [], gone: ['shared'] })
    await put({ shared: write('for a minute', { ttlMs: 60_000 }) })
    expect(view()).toEqual({ shared: 'for a minute' })
    await clock.advance(61_000)
    expect(view()).toEqual({})
    await put({ shared: 'c' })
    const withdraw = runtime.filters.forType('ann', ({ key }) => key !== 'shared')
    // Told with whatever is next, at the latest with the sign of life.
    await clock.advance(15_000)
    expect(view()).toEqual({})
    await put({ shared: 'never seen' })
    withdraw()
    await clock.advance(15_000)
    expect(view()).toEqual({ shared: 'never seen' })
    await close()
  })

  it('tells at once of a global entry that another run has written', async () => {
    const { follow: open, runtime, clock } = await createWorld()
    const { view, close } = await open('ann')
    const other = await runtime.start(desk, { runId: 'r2' })
    await other.update({ news: 'to everybody' } as never)
    await clock.settle()
    expect(view()).toEqual({ news: 'to everybody' })
    await close()
  })

  it('is the whole view at the end, however slowly it was read, and ends with the run', async () => {
    const { follow: open, put, run, clock } = await createWorld()
    const { view, reader } = await open('ann')
    for (let turn = 0; turn < 400; turn++) await run.update({ shared: `turn ${turn}` } as never)
    await put({ own: 'mine' }, 'ann')
    await run.send({ type: 'stop' })
    await clock.settle()
    await reader.until(() => reader.hasEnded)
    expect(view()).toEqual({ shared: 'turn 399', own: 'mine' })
    expect(reader.events.at(-1)).toMatchObject({ event: 'end', data: { status: 'done' } })
  })
})
