import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createVolatileStore, defineContext, entry } from 'callboard'
import type { Run } from 'callboard'
import { freshPath, openStore } from '../store/world.ts'
import { createWorld, refusalOf } from './world.ts'

const board = defineContext({ count: entry(z.int(), { merge: 'counter', default: 0 }) })
const counting = board.workflow({ name: 'counting' }).createMachine({
  id: 'counting',
  initial: 'open',
  states: { open: { on: { stop: 'closed' } }, closed: { type: 'final' } },
})
const workflows = [counting]

/** Two runtimes with a connection each to one file, as two processes have. */
async function createTwo() {
  const path = freshPath()
  const [here, there] = [await openStore(path), await openStore(path)]
  const one = await createWorld({ store: here, workflows })
  const two = await createWorld({ store: there, workflows })
  return { one: one.runtime, two: two.runtime }
}

describe('a run that another process goes on with', () => {
  it('is read anew when it is opened, and both can go on in turn', async () => {
    const { one, two } = await createTwo()
    await one.start(counting, { runId: 'r' })
    for (let round = 1; round <= 4; round++) {
      for (const runtime of [one, two]) await (await runtime.open('r')).update({ count: 1 })
      expect((await one.open('r')).get('count')).toBe(2 * round)
    }
  })

  it('is the same object as long as nobody else has written to it', async () => {
    const { one, two } = await createTwo()
    const run = await one.start(counting, { runId: 'r' })
    expect(await one.open('r')).toBe(run)
    await (await two.open('r')).update({ count: 1 })
    const again = await one.open('r')
    expect(again).not.toBe(run)
    expect(one.get('r')).toBe(again)
    await expect(run.done).rejects.toMatchObject({ code: 'run.overtaken' })
  })

  it('is waited for by who opens it while it begins', async () => {
    const { one } = await createTwo()
    const starting = one.start(counting, { runId: 'r' })
    // Its place is taken once the store has said that there is no other.
    while (one.get('r') === undefined) await new Promise((resolve) => setImmediate(resolve))
    expect((await one.open('r')).get('count')).toBe(0)
    await starting
  })

  it('is opened once, whoever asks at the same time', async () => {
    const { one, two } = await createTwo()
    await one.start(counting, { runId: 'r' })
    await (await two.open('r')).update({ count: 1 })
    const opened = await Promise.all(Array.from({ length: 8 }, () => one.open('r')))
    expect(new Set(opened).size).toBe(1)
    expect(opened[0]?.get('count')).toBe(1)
  })

  it('goes on after a lost race', async () => {
    const { one, two } = await createTwo()
    const run = await one.start(counting, { runId: 'r' })
    await (await two.open('r')).update({ count: 1 })
    expect((await refusalOf(run.update({ count: 1 }))).code).toBe('store.conflict')
    expect(run.status).toBe('active')
    const again = await one.open('r')
    expect(again).toBe(run)
    await again.update({ count: 1 })
    expect(again.get('count')).toBe(2)
  })

  it('is known to have ended there', async () => {
    const { one, two } = await createTwo()
    await one.start(counting, { runId: 'r' })
    await (await two.open('r')).send({ type: 'stop' })
    expect((await one.open('r')).status).toBe('done')
  })

  it('is unknown when it was removed', async () => {
    const { one, two } = await createTwo()
    await one.start(counting, { runId: 'r' })
    await two.store.remove('r')
    expect((await refusalOf(one.open('r'))).code).toBe('run.unknown')
  })
})

describe('a run that is removed', () => {
  it('is forgotten with its ledger, and its id may be used again', async () => {
    const { runtime } = await createWorld({ workflows })
    const run = await runtime.start(counting, { runId: 'r' })
    await run.update({ count: 4 })
    expect((await refusalOf(runtime.remove('r'))).code).toBe('run.active')
    await run.send({ type: 'stop' })
    await run.done
    expect(await runtime.remove('r')).toBe(true)
    expect(await runtime.remove('r')).toBe(false)
    expect(runtime.get('r')).toBeUndefined()
    expect((await refusalOf(runtime.open('r'))).code).toBe('run.unknown')
    expect((await runtime.start(counting, { runId: 'r' })).get('count')).toBe(0)
  })

  it('by another process is not in the way of a new one', async () => {
    const { one, two } = await createTwo()
    await (await one.start(counting, { runId: 'r' })).send({ type: 'stop' })
    await two.remove('r')
    expect((await refusalOf(one.open('r'))).code).toBe('run.unknown')
    expect((await one.start(counting, { runId: 'r' })).status).toBe('active')
  })
})

describe('a runtime that is closed and keeps its runs', () => {
  it('leaves them as they are stored, with everything that was asked for before, and they go on elsewhere', async () => {
    const store = createVolatileStore()
    const { runtime } = await createWorld({ store, workflows })
    const run = await runtime.start(counting, { runId: 'r' })
    const asked = [1, 2, 3].map((by) => run.update({ count: by }))
    await runtime.close({ runs: 'keep' })
    await Promise.all(asked)
    await expect(run.done).rejects.toMatchObject({ code: 'run.left' })
    expect((await refusalOf(run.update({ count: 1 }))).code).toBe('run.finished')
    const next = await createWorld({ store, workflows })
    const again = await next.runtime.open('r')
    expect(again.status).toBe('active')
    expect(again.get('count')).toBe(6)
  })
})

describe('a run of which a commit failed', () => {
  it('goes on from what is stored, opened again or not', async () => {
    const store = createVolatileStore()
    let failures = 1
    const fragile = new Proxy(store, {
      get(target, name) {
        if (name === 'append' && failures > 0) {
          return (...all: Parameters<typeof store.append>) => {
            if (all[0][0]?.expectedSeq !== 1) return target.append(...all)
            failures -= 1
            return Promise.reject(new Error('disk full'))
          }
        }
        const found: unknown = Reflect.get(target, name)
        return typeof found === 'function' ? (found as (...all: unknown[]) => unknown).bind(target) : found
      },
    })
    const { runtime } = await createWorld({ store: fragile, workflows })
    const run: Run = await runtime.start(counting, { runId: 'r' })
    await expect(run.update({ count: 1 })).rejects.toThrow('disk full')
    const again = await runtime.open('r')
    expect(again).toBe(run)
    await again.update({ count: 5 })
    expect(again.get('count')).toBe(5)
  })
})
