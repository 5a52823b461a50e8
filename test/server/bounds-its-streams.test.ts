// Readers that take nothing: nobody waits for them, and what waits for them is bounded. The clock stands still unless a test
// moves it, so that whoever would wait for a silent reader would wait for ever.
import { describe, expect, it, onTestFinished } from 'vitest'
import { openBook } from 'callboard/server'
import { LOCAL_CALLER } from '../../src/server/caller.ts'
import { SERVER_LIMITS } from '../../src/server/limits.ts'
import { asStream } from '../../src/server/passed-stream.ts'
import { Streams } from '../../src/server/streams.ts'
import { createTestClock } from '../support/clock.ts'
import { begin, follow, seqs } from './stream-reader.ts'
import type { World } from './world.ts'

const KIB = 1_024
const PIECE_BYTES = 64 * KIB

interface Silent {
  /** Whether its connection was ended. */
  isCut: boolean
  /** Takes one piece of what there is. */
  take(): Promise<string>
}

/** Opens a stream and reads its greeting and as many pieces as it is told, then nothing. */
async function openSilent({ app }: World, path: string, pieces = 0): Promise<Silent> {
  const decoder = new TextDecoder()
  // As a connection does it: who hangs up takes no more.
  const env = {
    outgoing: {
      destroy: () => {
        silent.isCut = true
        void source?.cancel()
      },
    },
  }
  const response = await app.hono.request(`http://localhost${path}`, {}, env)
  const source = response.body?.getReader()
  const silent: Silent = {
    isCut: false,
    take: async () => decoder.decode((await source?.read())?.value, { stream: true }),
  }
  for (let piece = 0; piece <= pieces; piece++) await silent.take()
  return silent
}

const PATHS = ['/api/runs/r1/stream', '/api/runs/r1/views/writer/stream', '/api/stream']

describe('readers that take nothing', () => {
  it.each(PATHS)('hold up nobody else: %s', async (path) => {
    const world = await begin()
    const silent: Silent[] = []
    for (let one = 0; one < 20; one++) silent.push(await openSilent(world, path))
    const { reader, close } = await follow(world, path)
    const run = await world.runtime.open('r1')
    for (let done = 0; done < 1_000; done++) await run.update({ notes: [`note ${done}`] } as never)
    // No time has passed: nobody was cut, and whoever reads has everything.
    const isThere = (): boolean => JSON.stringify(reader.events.at(-1)?.data ?? '').includes('note 999')
    const lastSeq = (): boolean => reader.events.at(-1)?.data.change?.seq === run.seq || seqs(reader).at(-1) === run.seq
    await reader.until(() => isThere() || lastSeq())
    expect(silent.some(({ isCut }) => isCut)).toBe(false)
    expect(world.app.openStreams).toBe(21)
    await close()
  })

  it('are cut after their time in the middle of a snapshot too, and the others go on', async () => {
    const world = await begin()
    await world.write('x'.repeat(1_000_000))
    const silent = await openSilent(world, '/api/runs/r1/stream', 2)
    const steady = await openSilent(world, '/api/runs/r1/stream', 2)
    expect(world.app.streamBytes).toBeGreaterThan(1_000_000)
    // Who takes a piece now and then is slow, not silent: a large snapshot over a thin line comes whole.
    for (let second = 0; second < 60; second += 20) {
      await world.clock.advance(20_000)
      await steady.take()
    }
    expect([silent.isCut, steady.isCut]).toEqual([true, false])
    expect(world.app.openStreams).toBe(1)
  })

  it('share what is the same for them: it is made and counted once', async () => {
    const world = await begin()
    const run = await world.runtime.open('r1')
    await run.update({ notes: ['x'.repeat(1_000_000)] } as never)
    let before = 0
    for (const path of ['/api/runs/r1/stream', '/api/runs/r1/views/writer/stream?type=writer']) {
      for (let one = 0; one < 20; one++) await openSilent(world, path, 1)
      const { streamBytes } = world.app
      expect(streamBytes - before).toBeGreaterThan(1_000_000)
      expect(streamBytes - before).toBeLessThan(1_010_000)
      before = streamBytes
    }
  })

  it('get pieces that are small, however large an event is, and exactly what was written', async () => {
    const world = await begin()
    // Of one, two, three and four bytes each.
    const value = '€x\u{1f600}é'.repeat(50_000)
    await world.write(value)
    const response = await world.app.hono.request('http://localhost/api/runs/r1/stream')
    const source = response.body?.getReader()
    const decoder = new TextDecoder()
    let text = ''
    while (!text.endsWith('}\n\n')) {
      const { value: piece } = (await source?.read()) ?? {}
      expect(piece?.length).toBeLessThanOrEqual(PIECE_BYTES)
      expect(piece?.buffer.byteLength).toBeLessThanOrEqual(PIECE_BYTES)
      text += decoder.decode(piece, { stream: true })
    }
    await source?.cancel()
    const data = /^data: (?<json>.*)$/m.exec(text)?.groups?.['json'] ?? ''
    expect(JSON.parse(data).entries[0].value).toBe(value)
  })
})

describe('what waits for readers', () => {
  const limits = { streamBytes: 3_000_000 }
  const PATH = '/api/runs/r1/stream'

  it('is bounded: those who have taken nothing for longest make room for who begins', async () => {
    const world = await begin({ limits })
    const silent: Silent[] = []
    for (let one = 0; one < 10; one++) {
      // Each gets a snapshot of its own.
      await world.write(`${one} `.padEnd(1_000_000, 'x'))
      silent.push(await openSilent(world, PATH, 1))
      expect(world.app.streamBytes).toBeLessThan(4_100_000)
      await world.clock.advance(1_500)
    }
    expect(silent.map(({ isCut }) => isCut)).toEqual([...Array(7).fill(true), ...Array(3).fill(false)])
  })

  it('is waited for by who begins, and given room when somebody is done or is silent for too long', async () => {
    const world = await begin({ limits })
    const first: Silent[] = []
    for (let one = 0; one < 3; one++) {
      await world.write(`${one} `.padEnd(1_000_000, 'x'))
      first.push(await openSilent(world, PATH, 1))
    }
    await world.write('y'.repeat(1_000_000))
    const { reader, close } = await follow(world, PATH)
    const other = await follow(world, `${PATH}?afterSeq=${(await world.runtime.open('r1')).seq}`)
    // Who wants no snapshot waits for nobody.
    await world.write('z'.repeat(1_000_000))
    await other.reader.until(() => other.reader.events.length === 1)
    expect([reader.events.length, first.some(({ isCut }) => isCut)]).toEqual([0, false])
    await world.clock.advance(1_500)
    await reader.until(() => reader.events.length === 1)
    expect(reader.events[0]).toMatchObject({ event: 'snapshot' })
    expect(first.filter(({ isCut }) => isCut).length).toBeGreaterThan(0)
    await close()
    await other.close()
  })

  it('is bounded for those too who have begun: who reads gets all of it, who was cut goes on from its id', async () => {
    const world = await begin({ limits })
    const path = '/api/runs/r1/views/writer/stream?type=writer'
    const run = await world.runtime.open('r1')
    const writer = { id: 'writer', type: 'writer' }
    const put = (text: string): Promise<unknown> => run.update({ draft: text } as never, { agent: writer } as never)
    const { reader, close } = await follow(world, path)
    const silent: Silent[] = []
    for (let one = 0; one < 10; one++) {
      await put(`${one} `.padEnd(1_000_000, 'x'))
      silent.push(await openSilent(world, path, 1))
      await reader.until(() => reader.events.at(-1)?.data.entries[0]?.value.startsWith(`${one} `) === true)
      expect(world.app.streamBytes).toBeLessThan(4_100_000)
      await world.clock.advance(1_000)
    }
    expect(silent.filter(({ isCut }) => isCut).length).toBeGreaterThan(5)
    await close()
    const again = await follow(world, path, { lastId: '1' })
    await again.reader.until(() => again.reader.events.length === 1)
    expect(again.reader.events[0]?.data.entries[0].value).toMatch(/^9 x{999998}$/)
    await again.close()
  })

  it('is none when all of them have left', async () => {
    const world = await begin({ limits })
    await world.write('x'.repeat(1_000_000))
    for (const path of PATHS) await openSilent(world, path, 1)
    expect(world.app.streamBytes).toBeGreaterThan(0)
    world.app.close()
    expect([world.app.streamBytes, world.app.openStreams]).toEqual([0, 0])
  })
})

describe('an answer that somebody else makes', () => {
  function open(): {
    readonly streams: Streams
    say(bytes: number): Promise<void>
    end(): void
    readonly source: ReadableStreamDefaultReader<Uint8Array>
    cuts(): number
  } {
    const clock = createTestClock()
    const book = openBook()
    onTestFinished(() => book.close())
    const streams = new Streams(clock, book, { ...SERVER_LIMITS, streamBytes: 1_000_000 })
    let cuts = 0
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>(undefined, undefined, {
      highWaterMark: Infinity,
    })
    const writer = writable.getWriter()
    writer.closed.catch(() => {})
    const entered = streams.enter(LOCAL_CALLER, () => (cuts += 1))
    const body = asStream(new Response(readable), entered).body as ReadableStream<Uint8Array>
    return {
      streams,
      async say(bytes) {
        await writer.write(new Uint8Array(bytes)).catch(() => {})
        await clock.settle()
      },
      end: () => void writer.close(),
      source: body.getReader(),
      cuts: () => cuts,
    }
  }

  it('is passed on piece by piece, and what is not taken is counted, until its reader has taken nothing of too much', async () => {
    const { streams, say, source, cuts } = open()
    await say(10)
    expect((await source.read()).value?.length).toBe(10)
    for (let piece = 0; piece < 9; piece++) await say(100_000)
    expect([streams.heldBytes, cuts()]).toEqual([900_000, 0])
    await say(100_000)
    await say(100_000)
    expect([streams.heldBytes, streams.size, cuts()]).toEqual([0, 0, 1])
    await say(100_000)
    expect(streams.heldBytes).toBe(0)
    expect((await source.read()).done).toBe(true)
  })

  it('comes whole, however large one piece is, and ends when it does', async () => {
    const { streams, say, source, end, cuts } = open()
    const first = source.read()
    await say(5_000_000)
    expect((await first).value?.length).toBe(5_000_000)
    const second = source.read()
    await say(10)
    end()
    expect((await second).value?.length).toBe(10)
    expect((await source.read()).done).toBe(true)
    expect([streams.heldBytes, streams.size, cuts()]).toEqual([0, 0, 0])
  })
})
