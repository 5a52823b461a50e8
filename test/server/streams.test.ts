// Live: a snapshot, then every change, once, in order; resumed without gap or repetition; nothing is kept for slow readers.
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { openBook, openServer } from 'callboard/server'
import type { HttpServer } from 'callboard/server'
import { idOf } from '../support/token.ts'
import { begin, follow, seqs } from './stream-reader.ts'
import { createHouse } from './world.ts'

describe('the stream of a run', () => {
  it('begins with a snapshot, goes on with every change, and ends with the run', async () => {
    const world = await begin()
    await world.write(1)
    const { reader, status } = await follow(world, '/api/runs/r1/stream')
    expect(status).toBe(200)
    await reader.until(() => reader.events.length === 1)
    expect(reader.events[0]).toMatchObject({
      id: '2',
      event: 'snapshot',
      data: { seq: 2, state: 'open', entries: [{ key: 'any.a', value: 1 }] },
    })
    await world.write(2)
    await world.ask('POST', '/api/runs/r1/events', { body: { type: 'stop' } })
    await reader.until(() => reader.hasEnded)
    expect(reader.events.slice(1).map(({ event, id }) => [event, id])).toEqual([
      ['change', '3'],
      ['change', '4'],
      ['end', '4'],
    ])
    expect(reader.events[1]?.data).toMatchObject({ seq: 3, kind: 'update', entries: [{ key: 'any.a', version: 2 }] })
    expect(world.app.openStreams).toBe(0)
  })

  it('goes on after any id without a gap or a repetition, however far back, while others write', async () => {
    const world = await begin()
    for (let value = 0; value < 700; value++) await world.write(value)
    const all: number[] = []
    let lastId = '1'
    // Comes and goes; in between, more is written than is kept for readers.
    for (let turn = 0; turn < 6; turn++) {
      const writing = (async () => {
        for (let value = 0; value < 250; value++) await world.write({ turn, value })
      })()
      const { reader, close } = await follow(world, '/api/runs/r1/stream', { lastId })
      await reader.until(() => reader.events.length >= 300)
      await close()
      all.push(...seqs(reader))
      lastId = reader.events.at(-1)?.id ?? lastId
      await writing
    }
    expect(all.length).toBeGreaterThan(1_500)
    expect(all).toEqual(Array.from({ length: all.length }, (_, index) => index + 2))
  })

  it('gives signs of life while nothing happens', async () => {
    const world = await begin()
    const { reader, close } = await follow(world, '/api/runs/r1/stream')
    await reader.until(() => reader.events.length === 1)
    expect(reader.comments).toBe(1)
    await world.clock.advance(15_000)
    await reader.until(() => reader.comments === 2)
    await close()
  })

  it('ends within a second when its token is revoked', async () => {
    const world = await begin()
    const token = world.token('reader')
    const { reader } = await follow(world, '/api/runs/r1/stream', { token })
    const other = await follow(world, '/api/runs/r1/stream', { token: world.token('reader') })
    await reader.until(() => reader.events.length === 1)
    world.book.revokeToken(idOf(token), world.clock.now())
    await world.clock.advance(999)
    await reader.until(() => reader.hasEnded)
    expect(other.reader.hasEnded).toBe(false)
    expect(world.app.openStreams).toBe(1)
    await other.close()
  })

  it('is refused beyond the number of streams that are allowed', async () => {
    const world = await begin({ limits: { streams: 1 } })
    const first = await follow(world, '/api/runs/r1/stream')
    expect((await follow(world, '/api/runs/r1/stream')).status).toBe(429)
    await first.reader.until(() => first.reader.events.length === 1)
    await first.close()
    expect((await follow(world, '/api/runs/r1/stream')).status).toBe(200)
  })

  it('cuts a reader that takes nothing of what there is, and nobody who waits for something', async () => {
    const world = await begin()
    const cut: string[] = []
    const open = async (name: string): Promise<ReadableStreamDefaultReader<Uint8Array>> => {
      const env = { outgoing: { destroy: () => cut.push(name) } }
      const response = await world.app.hono.request('http://localhost/api/runs/r1/stream?afterSeq=0', {}, env)
      return (response.body as ReadableStream<Uint8Array>).getReader()
    }
    const slow = await open('slow')
    // The greeting, and the first change; it is never asked for more.
    await slow.read()
    await slow.read()
    const patient = await open('patient')
    const reading = (async () => {
      while (!(await patient.read()).done);
    })()
    await world.write(1)
    await world.clock.advance(29_000)
    expect(cut).toEqual([])
    await world.clock.advance(2_000)
    expect(cut).toEqual(['slow'])
    expect(world.app.openStreams).toBe(1)
    await patient.cancel()
    await reading
  })

  it('says at once that records it is to go on from are not kept any more', async () => {
    const world = await begin()
    for (let value = 0; value < 5; value++) await world.write(value)
    const { store } = world.runtime
    const state = await store.snapshot('r1')
    await store.putSnapshot({
      runId: 'r1',
      seq: 4,
      id: 'cover',
      reason: 'test',
      at: 0,
      metadata: {},
      state: state?.state ?? {},
    })
    expect(await store.trim('r1', 4)).toBeGreaterThan(0)
    const { status, body } = await world.ask('GET', '/api/runs/r1/stream?afterSeq=1')
    expect([status, body.code]).toEqual([410, 'run.trimmed'])
    const { reader, close } = await follow(world, '/api/runs/r1/stream?afterSeq=4')
    await reader.until(() => reader.events.length === 2)
    expect(seqs(reader)).toEqual([5, 6])
    await close()
  })

  it('says that there is no such run', async () => {
    const world = await begin()
    expect((await world.ask('GET', '/api/runs/none/stream')).status).toBe(404)
  })
})

describe('the stream of a view', () => {
  it('tells an agent what changes in its view, with values, and nothing of the rest', async () => {
    const world = await begin()
    const token = world.token('agent', { agent: 'reviewer' })
    const { reader, close } = await follow(world, '/api/runs/r1/views/reviewer/stream', { token })
    await reader.until(() => reader.events.length === 1)
    expect(reader.events[0]).toMatchObject({ event: 'view', data: { seq: 0, entries: [] } })
    const run = await world.runtime.open('r1')
    for (let value = 0; value < 5; value++) await world.write(value)
    await run.update({ plan: { title: 'hidden' } } as never)
    await run.update({ notes: ['seen'] } as never)
    await reader.until(() => reader.events.length === 2)
    expect(reader.events[1]).toMatchObject({
      event: 'change',
      data: { seq: 1, entries: [{ key: 'notes', value: ['seen'] }], gone: [] },
    })
    expect(JSON.stringify(reader.events)).not.toMatch(/any\.a|hidden|plan/)
    await close()
    // Nothing of its view has changed since: it goes on from there. Otherwise it begins with the whole view.
    const lastId = reader.events[1]?.id ?? ''
    const same = await follow(world, '/api/runs/r1/views/reviewer/stream', { token, lastId })
    await run.update({ notes: ['more'] } as never)
    await same.reader.until(() => same.reader.events.length === 1)
    expect(same.reader.events[0]).toMatchObject({ event: 'change', data: { seq: 2 } })
    await same.close()
    const late = await follow(world, '/api/runs/r1/views/reviewer/stream', { token, lastId })
    await late.reader.until(() => late.reader.events.length === 1)
    expect(late.reader.events[0]).toMatchObject({
      event: 'view',
      id: same.reader.events[0]?.id,
      data: { seq: 2, entries: [{ value: ['more', 'seen'] }] },
    })
    await late.close()
    expect((await world.ask('GET', '/api/runs/r1/stream', { token })).status).toBe(403)
    expect((await world.ask('GET', '/api/stream', { token })).status).toBe(403)
    expect((await world.ask('GET', '/api/runs/r1/views/writer/stream', { token })).status).toBe(404)
  })
})

describe('the stream of all runs', () => {
  it('begins with all of them, tells of any, and goes on from its id or begins again', async () => {
    const world = await begin()
    const first = await follow(world, '/api/stream')
    await first.reader.until(() => first.reader.events.length === 1)
    expect(first.reader.events[0]).toMatchObject({ event: 'snapshot', data: { runs: [{ runId: 'r1', seq: 1 }] } })
    await world.write(1)
    await world.ask('POST', '/api/runs', { body: { workflow: 'desk', runId: 'r2' } })
    await first.reader.until(() => first.reader.events.length === 3)
    expect(first.reader.events.slice(1).map(({ data }) => [data.runId, data.change.seq])).toEqual([
      ['r1', 2],
      ['r2', 1],
    ])
    await first.close()
    await world.write(2)
    const again = await follow(world, '/api/stream', { lastId: first.reader.events[1]?.id ?? '' })
    await again.reader.until(() => again.reader.events.length === 2)
    expect(again.reader.events.map(({ data }) => [data.runId, data.change.seq])).toEqual([
      ['r2', 1],
      ['r1', 3],
    ])
    await again.close()
    const stale = await follow(world, '/api/stream', { lastId: 'ffffffffffff-7' })
    await stale.reader.until(() => stale.reader.events.length === 1)
    expect(stale.reader.events[0]).toMatchObject({ event: 'snapshot' })
    await stale.close()
  })
})

describe('many readers', () => {
  // The whole of it: CALLBOARD_READERS=1000 CALLBOARD_UPDATES=10000.
  const READERS = Number(process.env['CALLBOARD_READERS'] ?? 200)
  const UPDATES = Number(process.env['CALLBOARD_UPDATES'] ?? 2_000)
  const SILENT = READERS / 10
  const PATIENCE_MS = 900_000

  it(
    `of whom some never read hold nobody up and cost no memory: ${READERS}, ${SILENT} of them silent, ${UPDATES} updates`,
    { timeout: PATIENCE_MS },
    async () => {
      const house = await createHouse()
      const server = await openServer({ ...house, port: 0, book: openBook() })
      const ends: (() => void)[] = []
      onTestFinished(async () => {
        for (const end of ends) end()
        await server.close()
        await house.runtime.close()
      })
      await house.runtime.start(house.workflows[0] as never, { runId: 'r1' } as never)
      const run = await house.runtime.open('r1')
      const connect = async (lastId: number, isSilent: boolean): Promise<CountingReader> => {
        const { response, end } = await connectTo(server, '/api/runs/r1/stream', { 'last-event-id': String(lastId) })
        ends.push(end)
        const reader = new CountingReader(lastId)
        // Silent from its first change on.
        response.on('data', (bytes: Buffer) => {
          reader.take(bytes)
          if (isSilent && reader.lastId > lastId) response.pause()
        })
        return reader
      }
      const readers = await Promise.all(Array.from({ length: READERS }, (_, index) => connect(1, index < SILENT)))
      const [silent, reading] = [readers.slice(0, SILENT), readers.slice(SILENT)]
      const before = memoryUsed()
      const large = 'x'.repeat(300)
      for (let value = 0; value < UPDATES; value++) await run.update({ [`any.${value % 50}`]: large + value } as never)
      await Promise.all(reading.map((reader) => reader.until(UPDATES + 1)))
      for (const reader of reading) expect([reader.count, reader.gaps]).toEqual([UPDATES, 0])
      // What the silent ones have not taken lies in the ledger, not here: less than it would be for five of them.
      // Looked at until it holds: what is outside of the heap is freed some collections later.
      const isSmall = (): boolean => memoryUsed() - before < 5 * UPDATES * 1_000
      await vi.waitUntil(isSmall, { timeout: 10_000, interval: 200 })
      // They are far behind, and go on from what they have.
      for (const reader of silent) expect(reader.lastId).toBeGreaterThan(1)
      expect(silent.some(({ lastId }) => lastId < UPDATES + 1)).toBe(true)
      const resumed = await Promise.all(silent.map(({ lastId }) => connect(lastId, false)))
      await Promise.all(resumed.map((reader) => reader.until(UPDATES + 1)))
      for (const [index, reader] of resumed.entries()) {
        expect([reader.count, reader.gaps]).toEqual([UPDATES + 1 - (silent[index]?.lastId ?? 0), 0])
      }
    },
  )
})

/** Reads the ids of a stream and keeps none of its events: a thousand readers share this process with their server. */
class CountingReader {
  lastId: number
  count = 0
  gaps = 0
  #rest = ''
  #wanted = Infinity
  #wake = (): void => {}

  constructor(lastId: number) {
    this.lastId = lastId
  }

  take(bytes: Buffer): void {
    const blocks = (this.#rest + bytes.toString('latin1')).split('\n\n')
    this.#rest = blocks.pop() ?? ''
    for (const block of blocks) {
      if (!block.startsWith('id: ')) continue
      const id = Number(block.slice('id: '.length, block.indexOf('\n')))
      if (id !== this.lastId + 1) this.gaps += 1
      this.lastId = id
      this.count += 1
    }
    if (this.lastId >= this.#wanted) this.#wake()
  }

  /** Resolves when an id was read. */
  until(id: number): Promise<void> {
    return new Promise((resolve) => {
      this.#wanted = id
      this.#wake = resolve
      if (this.lastId >= id) resolve()
    })
  }
}

/** What is kept, bytes outside of the heap included: what waits to be sent lies there. */
function memoryUsed(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

function connectTo(
  server: HttpServer,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly response: IncomingMessage; end(): void }> {
  return new Promise((resolve, reject) => {
    const sent = request(`${server.url}${path}`, { headers, agent: false }, (response) => {
      response.on('error', () => {})
      resolve({ response, end: () => sent.destroy() })
    })
    sent.on('error', reject)
    sent.end()
  })
}
