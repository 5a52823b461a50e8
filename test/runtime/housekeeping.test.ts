import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createRuntime, createVolatileStore, defineContext, entry } from 'callboard'
import type { Store } from 'callboard'
import { freshPath, openStore } from '../store/world.ts'
import { createTestClock } from '../support/clock.ts'
import { createWorld, idle, refusalOf } from './world.ts'
import type { World } from './world.ts'

const HOUR = 3_600_000
const board = defineContext({ note: entry(z.string()) })
const open = idle(board)
const brief = board.workflow({ name: 'brief' }).createMachine({ initial: 'on', states: { on: { type: 'final' } } })
const parent = board.workflow({ name: 'parent', agents: { brief } }).createMachine({
  id: 'parent',
  initial: 'on',
  states: { on: { invoke: { src: 'brief', onDone: 'off' } }, off: { on: { stop: 'end' } }, end: { type: 'final' } },
})

async function idsOf({ runtime }: World): Promise<readonly string[]> {
  return (await runtime.list()).map(({ runId }) => runId)
}

async function ended(world: World, ...runIds: readonly string[]): Promise<void> {
  for (const runId of runIds) await (await world.runtime.start(brief, { runId })).done
}

describe('pruning', () => {
  it('forgets runs that ended so long ago, but not the newest so many, nor one that goes on', async () => {
    const world = await createWorld()
    await ended(world, 'a', 'b')
    await world.runtime.start(open, { runId: 'active' })
    await world.clock.advance(HOUR)
    await ended(world, 'c', 'd')
    const told: (readonly string[])[] = []
    world.runtime.on('pruned', ({ runIds }) => told.push(runIds))

    expect(await world.runtime.prune({ olderThanMs: HOUR, keep: 3 })).toEqual(['a'])
    expect(await idsOf(world)).toEqual(['b', 'active', 'c', 'd'])
    expect(await world.runtime.prune({ olderThanMs: HOUR })).toEqual(['b'])
    expect(await world.runtime.prune({ keep: 0 })).toEqual(['c', 'd'])
    expect(await world.runtime.prune({ keep: 0 })).toEqual([])
    expect(told).toEqual([['a'], ['b'], ['c', 'd']])
    expect(world.runtime.get('a')).toBeUndefined()
  })

  it('takes what a run started with it, and never before it', async () => {
    const world = await createWorld()
    const run = await world.runtime.start(parent, { runId: 'p' })
    await world.clock.settle()
    expect(await idsOf(world)).toHaveLength(2)
    expect(await world.runtime.prune({ keep: 0 })).toEqual([])
    await run.send({ type: 'stop' })
    expect(await world.runtime.prune({ keep: 0 })).toHaveLength(2)
    expect(await idsOf(world)).toEqual([])
  })

  it('stops runs to which nothing was written for so long, where that is asked for', async () => {
    const world = await createWorld()
    const [idleRun, busy] = [await world.runtime.start(open), await world.runtime.start(open)]
    await world.clock.advance(HOUR)
    await busy.update({ note: 'here' })
    expect(await world.runtime.prune({ idleMs: HOUR })).toEqual([])
    expect([idleRun.status, busy.status]).toEqual(['stopped', 'active'])
    expect((await refusalOf(idleRun.done)).message).toContain(`nothing was written to it for ${HOUR} ms`)
  })

  it('asks what may go', async () => {
    const { runtime } = await createWorld()
    expect((await refusalOf(runtime.prune({}))).code).toBe('runtime.prune')
    expect((await refusalOf(runtime.prune({ keep: -1 }))).code).toBe('runtime.option')
    await expect(createRuntime({ housekeeping: { maxRuns: 0 } })).rejects.toMatchObject({ code: 'runtime.option' })
  })

  it('happens in the background, ends with the runtime, and keeps no process alive', async () => {
    const world = await createWorld({ housekeeping: { olderThanMs: HOUR, everyMs: HOUR } })
    await ended(world, 'a')
    await world.clock.advance(HOUR)
    expect(await idsOf(world)).toEqual([])
    await ended(world, 'b')
    await world.clock.advance(2 * HOUR)
    expect(await idsOf(world)).toEqual([])
    await world.runtime.close()
    expect(world.clock.armed).toBe(0)

    const kept: boolean[] = []
    const clock = { ...createTestClock(), keepAlive: (_id: unknown, isKept: boolean) => void kept.push(isKept) }
    const other = await createRuntime({ clock, housekeeping: { keep: 1 } })
    expect(kept).toEqual([false])
    await other.close()
  })

  it('that fails is reported, and done the next time', async () => {
    const store = createVolatileStore()
    let isBroken = false
    const failing: Store = new Proxy(store, {
      get(target, name: keyof Store) {
        if (name === 'list' && isBroken) return () => Promise.reject(new Error('no connection'))
        const value = target[name] as unknown
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const world = await createWorld({ store: failing, housekeeping: { keep: 0, everyMs: HOUR } })
    const failures: string[] = []
    world.runtime.on('failure', ({ topic }) => failures.push(topic))
    await ended(world, 'a')
    isBroken = true
    await world.clock.advance(HOUR)
    expect(failures).toEqual(['housekeeping'])
    isBroken = false
    expect(await idsOf(world)).toEqual(['a'])
    await world.clock.advance(HOUR)
    expect(await idsOf(world)).toEqual([])
  })
})

it('a damaged run is reported and holds up neither pruning nor starting: it takes its place, and what it started stays', async () => {
  const path = freshPath()
  const store = await openStore(path)
  const world = await createWorld({ store, workflows: [open, brief, parent] })
  await world.runtime.start(parent, { runId: 'p' })
  await ended(world, 'a')
  await world.clock.settle()
  await world.runtime.close({ runs: 'keep' })
  await store.close()
  const db = new DatabaseSync(path)
  db.exec(`UPDATE runs SET workflow = 'nope' WHERE run_id = 'p'`)
  db.close()
  const { runtime } = await createWorld({
    store: await openStore(path),
    workflows: [open, brief, parent],
    housekeeping: { maxRuns: 4, everyMs: Number.POSITIVE_INFINITY },
  })
  const told: unknown[] = []
  runtime.on('failure', (failure) => told.push(failure))
  await runtime.start(open, { runId: 'fourth' })
  expect((await refusalOf(runtime.start(open))).code).toBe('runtime.full')
  expect(await runtime.prune({ keep: 0 })).toEqual(['a'])
  expect(told).toEqual([{ topic: 'housekeeping', error: expect.objectContaining({ code: 'store.damaged' }) }])
  await runtime.start(open, { runId: 'fifth' })
  expect((await runtime.store.summary('p.brief.1'))?.status).toBe('done')
})

describe('a runtime with a most number of runs', () => {
  it('refuses to start another one, however many are started at once, and takes one again when there is room', async () => {
    const world = await createWorld({ housekeeping: { maxRuns: 3 } })
    const starting = Array.from({ length: 10 }, (_, index) => world.runtime.start(open, { runId: `r${index}` }))
    const results = await Promise.allSettled(starting)
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(3)
    expect(await idsOf(world)).toHaveLength(3)
    const error = await refusalOf(world.runtime.start(open))
    expect([error.code, error.message]).toEqual(['runtime.full', expect.stringContaining('maxRuns allows (3)')])
    const [first = ''] = await idsOf(world)
    expect((await refusalOf(world.runtime.start(open, { runId: first }))).code).toBe('run.exists')
    await world.runtime.stop(first)
    expect((await refusalOf(world.runtime.start(open))).code).toBe('runtime.full')
    await world.runtime.remove(first)
    await world.runtime.start(open, { runId: 'next' })
    expect(await idsOf(world)).toContain('next')
  })

  it('forgets ended ones first, where it may', async () => {
    const world = await createWorld({ housekeeping: { maxRuns: 1_000, keep: 10, everyMs: Infinity } })
    for (let index = 0; index < 1_002; index++) await ended(world, `r${index}`)
    const left = await idsOf(world)
    expect(left.length).toBeLessThanOrEqual(1_000)
    expect(left.at(-1)).toBe('r1001')
    expect(left).not.toContain('r0')
  })

  it('has room for another run after one could not begin', async () => {
    const world = await createWorld({ housekeeping: { maxRuns: 1 } })
    const strict = board.workflow({ input: z.object({ name: z.string() }) }).createMachine({})
    expect((await refusalOf(world.runtime.start(strict, { input: {} as never }))).code).toBe('run.input')
    await world.runtime.start(open)
    expect(await idsOf(world)).toHaveLength(1)
  })
})
