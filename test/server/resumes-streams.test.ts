// Ids that a stream is to go on from and that are none of its own: nobody misses anything without being told.
import { describe, expect, it, onTestFinished } from 'vitest'
import { openBook } from 'callboard/server'
import { begin, follow, seqs } from './stream-reader.ts'
import { createHouse } from './world.ts'

const RUN = '/api/runs/r1/stream'
const VIEW = '/api/runs/r1/views/writer/stream?type=writer'
const ALL = '/api/stream'

describe('an id that is none', () => {
  const ids = ['x', '-1', '1.5', '1e3', '0x1', '٣', 'NaN', '__proto__', '9'.repeat(400), "1'; --", '1-', '-', 'a-b-c']
  it.each([RUN, VIEW, ALL])('begins with everything: %s', async (path) => {
    const world = await begin()
    await world.write(1)
    for (const lastId of ids) {
      const encoded = Buffer.from(lastId).toString('latin1')
      const { reader, status, close } = await follow(world, path, { lastId: encoded })
      expect(status).toBe(200)
      await reader.until(() => reader.events.length === 1)
      expect(reader.events[0]?.event).toBe(path === VIEW ? 'view' : 'snapshot')
      await close()
    }
  })
})

describe('an id of something else', () => {
  it('that a run has not come to is refused: it is of another ledger, and what is missing would never come', async () => {
    const world = await begin()
    await world.write(1)
    for (const asked of [{ lastId: '3' }, { lastId: '999999999999999' }]) {
      expect((await follow(world, RUN, asked)).status).toBe(404)
    }
    const { status, body } = await world.ask('GET', `${RUN}?afterSeq=3`)
    expect([status, body.code]).toEqual([404, 'run.no-such-seq'])
    expect(body.error).toContain('its newest is 2')
    const { reader, close } = await follow(world, RUN, { lastId: '2' })
    await world.write(2)
    await reader.until(() => reader.events.length === 1)
    expect(seqs(reader)).toEqual([3])
    await close()
  })

  it('of the run that had the name before is refused', async () => {
    const world = await begin()
    for (let value = 0; value < 5; value++) await world.write(value)
    await world.ask('POST', '/api/runs/r1/stop', { body: {} })
    expect(await world.runtime.remove('r1')).toBe(true)
    await world.ask('POST', '/api/runs', { body: { workflow: 'desk', runId: 'r1' } })
    expect((await follow(world, RUN, { lastId: '6' })).status).toBe(404)
    const { reader, close } = await follow(world, RUN)
    await reader.until(() => reader.events.length === 1)
    expect(reader.events[0]).toMatchObject({ id: '1', data: { seq: 1, entries: [] } })
    await close()
  })

  it('that another view had begins with the whole view', async () => {
    const world = await begin()
    await world.write(1)
    const run = await world.runtime.open('r1')
    await run.update({ notes: ['a'] } as never)
    const own = run.view('writer', 'writer').seq
    for (const lastId of [own + 1, own + 1_000, 0, own, `${own}-`, `${own}-0123456789abcdef`]) {
      const { reader, close } = await follow(world, VIEW, { lastId: String(lastId) })
      await reader.until(() => reader.events.length === 1)
      expect(reader.events[0]).toMatchObject({ event: 'view', data: { seq: own } })
      await close()
    }
  })

  it('of another process, of another tenant, or of the future begins with all runs', async () => {
    const book = openBook()
    const other = await createHouse()
    onTestFinished(() => other.runtime.close())
    const world = await begin({ book, openTenant: () => Promise.resolve(other) })
    const [mine, theirs] = [world.token('reader'), world.token('reader', { tenant: 'other' })]
    const placeOf = async (token: string): Promise<string> => {
      const { reader, close } = await follow(world, ALL, { token })
      await reader.until(() => reader.events.length === 1)
      await close()
      return reader.events[0]?.id ?? ''
    }
    const [own, foreign] = [await placeOf(mine), await placeOf(theirs)]
    const future = own.replace(/\d+$/, '999')
    await world.write(1)
    for (const lastId of [foreign, future, 'ffffffffffff-0']) {
      const { reader, close } = await follow(world, ALL, { token: mine, lastId })
      await reader.until(() => reader.events.length === 1)
      expect(reader.events[0]).toMatchObject({ event: 'snapshot', data: { runs: [{ runId: 'r1' }] } })
      await close()
    }
    const theirsNow = await follow(world, ALL, { token: theirs, lastId: own })
    await theirsNow.reader.until(() => theirsNow.reader.events.length === 1)
    expect(theirsNow.reader.events[0]).toMatchObject({ event: 'snapshot', data: { runs: [] } })
    await theirsNow.close()
    const { reader, close } = await follow(world, ALL, { token: mine, lastId: own })
    await reader.until(() => reader.events.length === 1)
    expect(reader.events[0]).toMatchObject({ event: 'change', data: { runId: 'r1', change: { seq: 2 } } })
    await close()
  })
})

describe('a reader that is behind what is kept in memory', () => {
  it('of one run reads the ledger, of all runs begins again, and both miss nothing, however large changes are', async () => {
    const world = await begin()
    const run = await world.runtime.open('r1')
    const first = await follow(world, ALL)
    await first.reader.until(() => first.reader.events.length === 1)
    await first.close()
    // Keys of a thousand characters, a thousand to a change: a megabyte each.
    for (let done = 0; done < 20; done++) {
      const keys = Array.from({ length: 1_000 }, (_, index) => [`any.${'k'.repeat(1_000)}${index}`, done])
      await run.update(Object.fromEntries(keys) as never)
    }
    const { reader, close } = await follow(world, RUN, { lastId: '1' })
    await reader.until(() => reader.events.length === 20)
    expect(seqs(reader)).toEqual(Array.from({ length: 20 }, (_, index) => index + 2))
    await close()
    const again = await follow(world, ALL, { lastId: first.reader.events[0]?.id ?? '' })
    await again.reader.until(() => again.reader.events.length === 1)
    expect(again.reader.events[0]).toMatchObject({ event: 'snapshot', data: { runs: [{ runId: 'r1', seq: 21 }] } })
    await again.close()
  })

  it('is told at its next try that records were dropped while it was away', async () => {
    const world = await begin()
    for (let value = 0; value < 5; value++) await world.write(value)
    const { reader, close } = await follow(world, RUN, { lastId: '1' })
    await reader.until(() => reader.events.length === 5)
    await close()
    const { store } = world.runtime
    const snapshot = { runId: 'r1', seq: 4, id: 'cover', reason: 'test', at: 0, metadata: {} }
    await store.putSnapshot({ ...snapshot, state: (await store.snapshot('r1'))?.state ?? {} })
    expect(await store.trim('r1', 4)).toBeGreaterThan(0)
    expect((await follow(world, RUN, { lastId: '2' })).status).toBe(410)
  })
})
