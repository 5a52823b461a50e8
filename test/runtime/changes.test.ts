import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createVolatileStore, defineContext, entry } from 'callboard'
import type { Change } from 'callboard'
import { wrapStore } from '../store/wrapped.ts'
import { createGate, createWorld, idle } from './world.ts'

const board = defineContext({ count: entry(z.int()), secret: entry(z.string()) })

async function collect(changes: AsyncIterable<Change>): Promise<readonly Change[]> {
  const all: Change[] = []
  for await (const change of changes) all.push(change)
  return all
}

describe('run.changes()', () => {
  it('gives the whole history, then what comes, and ends with the run', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board))
    await run.update({ count: 1 })
    const all = collect(run.changes())
    await run.update({ count: 2 }, { by: 'maria' })
    await run.tryUpdate({ count: 0.5 })
    await run.send({ type: 'stop' })
    expect((await all).map(({ seq, kind, author }) => [seq, kind, author])).toEqual([
      [1, 'start', 'outside'],
      [2, 'update', 'outside'],
      [3, 'update', 'maria'],
      [4, 'refusal', 'outside'],
      [5, 'event', 'workflow'],
    ])
    expect((await all)[2]).toMatchObject({
      entries: [{ kind: 'put', scope: 'workflow', holder: undefined, key: 'count', version: 2 }],
      conflicts: 0,
      refusals: [],
      state: undefined,
    })
    expect((await all)[3]?.refusals).toEqual([expect.stringContaining('outside may not write "count"')])
    expect((await all)[4]?.state).toBe('end')
    expect(await collect(run.changes())).toEqual(await all)
  })

  it('begins after a given seq', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board))
    for (let count = 0; count < 5; count++) await run.update({ count })
    const rest = collect(run.changes({ afterSeq: 4 }))
    await run.send({ type: 'stop' })
    expect((await rest).map(({ seq }) => seq)).toEqual([5, 6, 7])
  })

  it('carries no values', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board))
    await run.update({ secret: 'hunter2' })
    await run.send({ type: 'stop' })
    expect(JSON.stringify(await collect(run.changes()))).not.toContain('hunter2')
  })

  it('loses nothing for a reader that is much slower than the writer, and holds the writer up in no way', async () => {
    const { runtime, clock } = await createWorld()
    const run = await runtime.start(idle(board))
    const changes = run.changes()
    const seqs: number[] = []
    const first = await changes.next()
    seqs.push((first.value as Change).seq)
    for (let count = 0; count < 1000; count++) await run.update({ count })
    await run.send({ type: 'stop' })
    await run.done
    for await (const { seq } of { [Symbol.asyncIterator]: () => changes }) {
      seqs.push(seq)
      if (seq % 100 === 0) await clock.settle()
    }
    expect(seqs).toEqual(Array.from({ length: 1002 }, (_unused, index) => index + 1))
  })

  it('gives every reader everything', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board))
    const readers = Array.from({ length: 5 }, () => collect(run.changes()))
    for (let count = 0; count < 20; count++) await run.update({ count })
    await run.send({ type: 'stop' })
    for (const changes of await Promise.all(readers)) expect(changes).toHaveLength(22)
  })

  it('ends when its signal aborts, also while it waits', async () => {
    const { runtime, clock } = await createWorld()
    const run = await runtime.start(idle(board))
    const abort = new AbortController()
    const seen = collect(run.changes({ signal: abort.signal }))
    await clock.settle()
    abort.abort()
    expect(await seen).toHaveLength(1)
    expect(await collect(run.changes({ signal: AbortSignal.abort() }))).toEqual([])
    expect(run.status).toBe('active')
  })

  it('ends when its signal aborts while it reads', async () => {
    const inner = createVolatileStore()
    const [asked, reads] = [createGate(), createGate()]
    const store = wrapStore(inner, {
      read: async (runId, options) => {
        if (runId === 'r') {
          asked.open()
          await reads.passed
        }
        return inner.read(runId, options)
      },
    })
    const { runtime } = await createWorld({ store })
    const run = await runtime.start(idle(board), { runId: 'r' })
    const abort = new AbortController()
    const seen = collect(run.changes({ afterSeq: run.seq, signal: abort.signal }))
    await asked.passed
    abort.abort()
    reads.open()
    expect(await seen).toEqual([])
  })

  it('can be left in the middle', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board))
    await run.update({ count: 1 })
    const seen: number[] = []
    for await (const { seq } of run.changes()) {
      seen.push(seq)
      if (seq === 2) break
    }
    expect(seen).toEqual([1, 2])
  })
})
