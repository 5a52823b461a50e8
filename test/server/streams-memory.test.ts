// What a server keeps for readers that take nothing, measured in a process of its own, over real connections: large values,
// large changes, large views.
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { ensureBuilt } from '../support/built-package.ts'
import { openStreamedServer } from './streamed-server.ts'
import type { CountingReader, StreamedServer } from './streamed-server.ts'

const MB = 1_000_000
/** Four times less than a server has by default, so that it is reached soon. */
const STREAM_BYTES = 16 * MB
/** Garbage and parts of the heap that are kept for later. */
const SLACK = 48 * MB
const SILENT = 40

beforeAll(ensureBuilt)

async function openWorld(): Promise<StreamedServer> {
  const server = await openStreamedServer({ streamBytes: STREAM_BYTES })
  onTestFinished(() => server.close())
  return server
}

const silence = (server: StreamedServer, path: string, lastId?: number): Promise<CountingReader> =>
  server.read(path, lastId === undefined ? { isSilent: true } : { isSilent: true, lastId })

describe('readers that take nothing', () => {
  it('of changes of a megabyte have nothing kept for them, and get all of it when they come again', async () => {
    const server = await openWorld()
    const { seq } = server.first
    const path = '/api/runs/r1/stream'
    await Promise.all(Array.from({ length: SILENT }, () => silence(server, path, seq)))
    const reading = await server.read(path, { lastId: seq })
    // 8,000 entries of 500 characters: four megabytes of values, and a megabyte that is told of them.
    const updates = 12
    await server.order({ kind: 'write', updates: 1, keys: 8_000, bytes: 500 })
    const before = await server.order({ kind: 'look' })
    const after = await server.order({ kind: 'write', updates: updates - 1, keys: 8_000, bytes: 500 })
    await reading.until(seq + updates)
    expect([reading.count, reading.gaps]).toEqual([updates, 0])
    // For each of them alone it would be twelve.
    expect(after.used - before.used).toBeLessThan(STREAM_BYTES + SLACK)
    const again = await Promise.all(Array.from({ length: 5 }, () => server.read(path, { lastId: seq })))
    await Promise.all(again.map((reader) => reader.until(seq + updates)))
    expect(again.map(({ count, gaps }) => [count, gaps])).toEqual(again.map(() => [updates, 0]))
  })

  it('of views of up to ten megabytes, each another one, are cut when it is too much, and get theirs when they come again', async () => {
    const server = await openWorld()
    const path = '/api/runs/r1/views/watcher/stream?type=watcher'
    const reading = await server.read(path)
    const before = await server.order({ kind: 'look' })
    const silent: CountingReader[] = []
    let peak = before
    let written = 0
    for (let one = 0; one < SILENT; one++) {
      peak = await server.order({ kind: 'write', updates: 1, keys: 1, bytes: 250_000 })
      written += 1
      silent.push(await silence(server, path))
      await reading.until(written)
    }
    const after = await server.order({ kind: 'look' })
    expect([reading.lastId, reading.gaps]).toEqual([written, 0])
    // All of these views together are 200 megabytes; the newest is ten, and in the run's own memory too.
    expect(after.used - before.used).toBeLessThan(STREAM_BYTES + 2 * 10 * MB + SLACK)
    expect(peak.peakRss - before.rss).toBeLessThan(300 * MB)
    expect(after.openStreams).toBeLessThan(SILENT)
    const again = await Promise.all(silent.slice(0, 5).map(() => server.read(path)))
    await Promise.all(again.map((reader) => reader.until(written)))
    expect(again.map(({ count }) => count)).toEqual(again.map(() => 1))
  })
})
