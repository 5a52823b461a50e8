// How streams end, and what they say while nothing happens: of a run, of a view, of all runs.
import { connect } from 'node:net'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { openBook, openServer } from 'callboard/server'
import { LOCAL_CALLER } from '../../src/server/caller.ts'
import { blockOf } from '../../src/server/block.ts'
import type { Block } from '../../src/server/block.ts'
import { SERVER_LIMITS } from '../../src/server/limits.ts'
import { streamEvents } from '../../src/server/sse.ts'
import { Streams } from '../../src/server/streams.ts'
import { createTestClock } from '../support/clock.ts'
import { idOf } from '../support/token.ts'
import { begin, follow } from './stream-reader.ts'
import { createHouse } from './world.ts'

const PATHS = ['/api/runs/r1/stream', '/api/runs/r1/views/writer/stream?type=writer', '/api/stream']

describe('a stream', () => {
  it.each(PATHS)('ends within a second when its token is revoked, and tells nothing after that: %s', async (path) => {
    const world = await begin()
    const added = world.token('operator')
    const { reader } = await follow(world, path, { token: added })
    await reader.until(() => reader.events.length === 1)
    world.book.revokeToken(idOf(added), world.clock.now())
    await world.clock.advance(999)
    await reader.until(() => reader.hasEnded)
    await (await world.runtime.open('r1')).update({ notes: ['after'] } as never)
    expect(reader.events.length).toBe(1)
    expect(world.app.openStreams).toBe(0)
  })

  it.each(PATHS)('gives a sign of life every 15 seconds in which it says nothing else: %s', async (path) => {
    const world = await begin()
    const { reader, close } = await follow(world, path)
    await reader.until(() => reader.events.length === 1)
    const heartbeats = (): number => reader.comments - 1
    await world.clock.advance(14_500)
    expect(heartbeats()).toBe(0)
    await world.clock.advance(500)
    expect(heartbeats()).toBe(1)
    await world.clock.advance(10_000)
    // Seen in each of the streams.
    await (await world.runtime.open('r1')).update({ notes: ['busy'] } as never)
    await reader.until(() => reader.events.length === 2)
    await world.clock.advance(14_500)
    expect(heartbeats()).toBe(1)
    await world.clock.advance(500)
    expect(heartbeats()).toBe(2)
    await world.clock.advance(60_000)
    expect(heartbeats()).toBe(6)
    await close()
  })

  it('lets go of what it needs, wherever its reader leaves', async () => {
    const clock = createTestClock()
    const book = openBook()
    onTestFinished(() => book.close())
    const streams = new Streams(clock, book, SERVER_LIMITS)
    for (const leaveAfter of [0, 1, 2, 3, 4]) {
      const wakes = new Set<() => void>()
      let isLeft = leaveAfter < 2
      const open = (signal: AbortSignal): Response =>
        streamEvents(
          {
            caller: LOCAL_CALLER,
            request: new Request('http://localhost', { signal }),
            services: { clock, book, limits: SERVER_LIMITS, streams } as never,
            hangUp: () => {},
            requestId: 'req_1',
          },
          async function* (context): AsyncGenerator<Block> {
            try {
              yield blockOf('x'.repeat(100_000))
              while (!context.isOver) await context.nap(wakes)
            } finally {
              isLeft = true
            }
          },
        )
      const source = open(new AbortController().signal).body?.getReader()
      for (let read = 0; read < leaveAfter; read++) await source?.read()
      expect(isLeft).toBe(leaveAfter < 2)
      await source?.cancel()
      expect([isLeft, streams.size, streams.heldBytes, wakes.size]).toEqual([true, 0, 0, 0])
    }
  })

  it('ends when its client disappears while a snapshot is being sent', async () => {
    const { server, run } = await openWorld()
    await run.update({ 'any.a': 'x'.repeat(8_000_000) } as never)
    const sockets = Array.from({ length: 5 }, () => {
      const socket = connect(server.port, '127.0.0.1', () =>
        socket.write('GET /api/runs/r1/stream HTTP/1.1\r\nhost: localhost\r\n\r\n'),
      )
      return socket
    })
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('data', resolve))))
    for (const socket of sockets) socket.pause()
    await vi.waitUntil(() => server.app.openStreams === 5 && server.app.streamBytes > 0)
    for (const socket of sockets) socket.destroy()
    await vi.waitUntil(() => server.app.openStreams === 0)
    expect(server.app.streamBytes).toBe(0)
  })
})

describe('a server that closes', () => {
  it('ends a thousand open streams, some of which nobody reads, without waiting for its grace', async () => {
    // On a clock that stands still: the time that is given to what is under way is never over.
    const { server, run } = await openWorld()
    await run.update({ 'any.a': 'x'.repeat(8_000_000) } as never)
    const ended: Promise<unknown>[] = []
    const begun: Promise<unknown>[] = []
    for (let index = 0; index < 1_000; index++) {
      const after = index % 10 === 0 ? '' : '?afterSeq=1'
      const socket = connect(server.port, '127.0.0.1', () =>
        socket.write(`GET /api/runs/r1/stream${after} HTTP/1.1\r\nhost: localhost\r\n\r\n`),
      )
      socket.on('error', () => {})
      begun.push(new Promise((resolve) => socket.once('data', resolve)))
      ended.push(new Promise((resolve) => socket.once('close', resolve)))
      // One of ten takes nothing of the snapshot.
      socket.on('data', () => (after === '' && server.app.openStreams > 0 ? socket.pause() : undefined))
    }
    await Promise.all(begun)
    await vi.waitUntil(() => server.app.openStreams === 1_000 && server.app.streamBytes > 0)
    await server.close()
    expect([server.app.openStreams, server.app.streamBytes]).toEqual([0, 0])
    expect(ended.length).toBe(1_000)
  })
})

async function openWorld() {
  const house = await createHouse()
  const book = openBook()
  const server = await openServer({ ...house, port: 0, book, clock: createTestClock() })
  onTestFinished(async () => {
    await server.close()
    await house.runtime.close()
    book.close()
  })
  await house.runtime.start(house.workflows[0] as never, { runId: 'r1' } as never)
  return { server, run: await house.runtime.open('r1') }
}
