// Runs with child runs rest as others do: parent and child each by itself, and who rests hears of the other's end.
import { DatabaseSync } from 'node:sqlite'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createRuntime, createVolatileStore, defineContext, entry } from 'callboard'
import type { Run, Runtime, Store } from 'callboard'
import { freshPath, openStore } from '../store/world.ts'
import { createTestClock } from '../support/clock.ts'
import type { TestClock } from '../support/clock.ts'
import { createWorld } from './world.ts'
import type { World } from './world.ts'

const board = defineContext({ answer: entry(z.string(), { outside: true }), result: entry(z.string()) })

/** Asks a person, for at most a day. */
const clerk = board
  .workflow({
    name: 'clerk',
    output: z.string(),
    agents: {
      asks: board.agent({ reads: ['answer'], run: ({ ask }) => ask('answer', { timeoutMs: 86_400_000 }) }),
    },
  })
  .createMachine({
    initial: 'asking',
    states: {
      asking: { invoke: { src: 'asks', onDone: 'end', onError: 'late' } },
      late: { type: 'final' },
      end: { type: 'final' },
    },
    output: ({ context }) => context.board.get('answer') ?? 'nobody answered',
  })
const office = board.workflow({ name: 'office', output: z.string(), agents: { clerk } }).createMachine({
  initial: 'working',
  states: {
    working: {
      invoke: {
        src: 'clerk',
        onDone: { target: 'end', actions: board.write({ result: ({ event }) => `said ${event.output}` }) },
        onError: 'failed',
      },
      on: { cancel: 'cancelled' },
    },
    cancelled: {},
    failed: {},
    end: { type: 'final' },
  },
  output: ({ context }) => context.board.get('result') ?? '',
})
const firm = board.workflow({ name: 'firm', output: z.string(), agents: { office } }).createMachine({
  initial: 'working',
  states: {
    working: {
      invoke: {
        src: 'office',
        onDone: { target: 'end', actions: board.write({ result: ({ event }) => event.output }) },
      },
    },
    end: { type: 'final' },
  },
  output: ({ context }) => `the office ${context.board.get('result')}`,
})

const CLERK_OF_OFFICE = 'o.clerk.1'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Nobody holds what rests any more. */
async function forget(clock: TestClock): Promise<void> {
  for (let turn = 0; turn < 3; turn++) {
    collect()
    await clock.settle()
  }
}

async function answer(runtime: Runtime, runId: string, text: string): Promise<void> {
  const run = await runtime.open(runId)
  const [request] = run.requests()
  await run.answer(request?.id ?? '', text)
}

describe('a run with a child run', () => {
  it('rests, as its child does: of ever so many families no more than wanted are in memory', async () => {
    const { runtime, clock } = await createWorld({ maxActiveRuns: 3 })
    for (let index = 0; index < 20; index++) await runtime.start(firm, { runId: `f${index}` })
    await clock.settle()
    expect((await runtime.list({ status: 'active' })).length).toBe(60)
    expect(runtime.activeRuns).toBe(3)
  })

  it('comes back when its child, three generations down, has ended, and goes on with its output', async () => {
    const { runtime, clock } = await createWorld({ maxActiveRuns: 1 })
    const outputs: unknown[] = []
    void (await runtime.start(firm, { runId: 'f' })).done.then((output) => outputs.push(output))
    await runtime.start(firm, { runId: 'g' })
    await clock.settle()
    expect(runtime.activeRuns).toBe(1)
    await forget(clock)
    await answer(runtime, 'f.office.1.clerk.1', 'yes')
    await clock.settle()
    expect(outputs).toEqual(['the office said yes'])
    expect((await runtime.list({ status: 'done' })).map(({ runId }) => runId)).toEqual([
      'f',
      'f.office.1',
      'f.office.1.clerk.1',
    ])
  })

  it('comes back when the time of its child is over', async () => {
    const { runtime, clock } = await createWorld({ maxActiveRuns: 1 })
    await runtime.start(office, { runId: 'o' })
    await runtime.start(firm)
    await clock.settle()
    await forget(clock)
    await clock.advance(86_400_000)
    expect((await runtime.open('o')).get('result')).toBe('said nobody answered')
  })

  it('keeps no deadline from before, once its child has brought it back', async () => {
    const hurried = board.workflow({ name: 'hurried', agents: { clerk } }).createMachine({
      initial: 'working',
      states: {
        working: { invoke: { src: 'clerk', onDone: 'end' }, after: { 86_000_000: 'late' } },
        late: {},
        end: { type: 'final' },
      },
    })
    const { runtime, clock } = await createWorld({ maxActiveRuns: 1, workflows: [hurried] })
    const failures: unknown[] = []
    runtime.on('failure', ({ error }) => failures.push(error))
    await runtime.start(hurried, { runId: 'h' })
    await runtime.start(firm)
    await clock.settle()
    await answer(runtime, 'h.clerk.1', 'yes')
    await clock.settle()
    expect(await runtime.remove('h')).toBe(true)
    await clock.advance(86_400_000)
    expect(failures).toEqual([])
  })

  it('stops a child that rests, when it leaves the state that invoked it and when it is stopped itself', async () => {
    for (const end of ['cancel', 'stop'] as const) {
      const { runtime, clock } = await createWorld({ maxActiveRuns: 1 })
      await runtime.start(office, { runId: 'o' })
      await runtime.start(firm)
      await clock.settle()
      await forget(clock)
      if (end === 'stop') await runtime.stop('o')
      else await runtime.send('o', { type: 'cancel' })
      await clock.settle()
      expect((await runtime.list()).find(({ runId }) => runId === CLERK_OF_OFFICE)?.status).toBe('stopped')
    }
  })

  it('hears of a child that is stopped while it rests', async () => {
    const { runtime, clock } = await createWorld({ maxActiveRuns: 1 })
    await runtime.start(office, { runId: 'o' })
    await runtime.start(firm)
    await clock.settle()
    await forget(clock)
    await runtime.stop(CLERK_OF_OFFICE, 'not wanted')
    await clock.settle()
    expect((await runtime.open('o')).state).toBe('failed')
  })

  it('goes on after a restart, whichever of the family rested, and its child can be asked for by its id', async () => {
    for (const maxActiveRuns of [1, 100]) {
      const path = freshPath()
      const first = await createWorld({ store: await openStore(path), maxActiveRuns })
      await first.runtime.start(firm, { runId: 'f' })
      await first.runtime.start(office, { runId: 'o' })
      await first.clock.settle()
      await first.runtime.close()

      const { runtime, clock } = await createWorld({ store: await openStore(path), maxActiveRuns, workflows: [firm] })
      const { failures } = await runtime.recover()
      await clock.settle()
      expect(failures).toEqual([])
      await answer(runtime, 'f.office.1.clerk.1', 'yes')
      await answer(runtime, CLERK_OF_OFFICE, 'no')
      await clock.settle()
      expect((await runtime.list({ status: 'done' })).length).toBe(5)
      const outputs = await Promise.all(['f', 'o'].map(async (runId) => (await runtime.open(runId)).done))
      expect(outputs).toEqual(['the office said yes', 'said no'])
    }
  })
})

it('a run that another process has gone on with is given up here, and its child goes on', async () => {
  const path = freshPath()
  const worlds = await Promise.all(
    [1, 2].map(async () => createWorld({ store: await openStore(path), workflows: [office] })),
  )
  const [here, there] = worlds as [World, World]
  await here.runtime.start(office, { runId: 'o' })
  await here.clock.settle()
  await (await there.runtime.open('o')).update({ result: 'from there' })
  await here.runtime.open('o')
  await here.clock.settle()
  await there.clock.settle()
  expect((await here.runtime.list()).map(({ runId, status }) => [runId, status])).toEqual([
    ['o', 'active'],
    [CLERK_OF_OFFICE, 'active'],
  ])
  await answer(here.runtime, CLERK_OF_OFFICE, 'yes')
  await here.clock.settle()
  expect((await here.runtime.open('o')).get('result')).toBe('said yes')
})

it('a child run that another process has gone on with has not failed for its parent, which hears of its end', async () => {
  const path = freshPath()
  const worlds = await Promise.all(
    [1, 2].map(async () => createWorld({ store: await openStore(path), workflows: [office] })),
  )
  const [here, there] = worlds as [World, World]
  const ends: string[] = []
  here.runtime.on('end', ({ runId, status }) => ends.push(`${runId} ${status}`))
  const run = await here.runtime.start(office, { runId: 'o' })
  await here.clock.settle()
  await (await there.runtime.open(CLERK_OF_OFFICE)).update({ result: 'from there' })
  await there.runtime.close({ runs: 'keep' })
  await here.runtime.open(CLERK_OF_OFFICE)
  await here.clock.settle()
  expect({ state: run.state, ends }).toEqual({ state: 'working', ends: [] })
  await answer(here.runtime, CLERK_OF_OFFICE, 'yes')
  await here.clock.settle()
  expect(run.get('result')).toBe('said yes')
  expect(ends).toEqual([`${CLERK_OF_OFFICE} done`, 'o done'])
})

describe('a child run that was to be stopped when the process ended', () => {
  /** The process ends before a child run's end is in the store. */
  async function interrupt(act: (run: Run) => Promise<unknown>): Promise<Store> {
    const store = createVolatileStore()
    const clock = createTestClock()
    const run = await (await createRuntime({ store, clock })).start(office, { runId: 'o' })
    await clock.settle()
    const { append } = store
    store.append = (batches) =>
      batches.some(({ runId }) => runId === CLERK_OF_OFFICE) ? new Promise(() => {}) : append.call(store, batches)
    await act(run)
    await clock.settle()
    store.append = append
    expect((await store.summary(CLERK_OF_OFFICE))?.status).toBe('active')
    return store
  }

  it.each([
    ['its parent has ended', (run: Run) => run.stop()],
    ['its parent has left the state that invoked it', (run: Run) => run.send({ type: 'cancel' })],
  ])('is stopped by the next recovery: %s', async (_what, act) => {
    for (const maxActiveRuns of [1, 100]) {
      const store = await interrupt(act)
      const { runtime, clock } = await createWorld({ store, workflows: [office], maxActiveRuns })
      expect((await runtime.recover()).failures).toEqual([])
      await clock.settle()
      expect((await store.summary(CLERK_OF_OFFICE))?.status).toBe('stopped')
    }
  })

  it.each([
    ['row', `UPDATE runs SET workflow = 'nope' WHERE run_id = 'o'`],
    [
      'first record',
      `UPDATE records SET body = 'nope' WHERE run = (SELECT id FROM runs WHERE run_id = 'o') AND seq = 1`,
    ],
  ])('is left alone where its parent cannot be read, because its %s is damaged', async (_what, damage) => {
    const path = freshPath()
    const store = await openStore(path)
    const { runtime, clock } = await createWorld({ store })
    await runtime.start(office, { runId: 'o' })
    await clock.settle()
    await runtime.close()
    await store.close()
    const db = new DatabaseSync(path)
    db.exec(damage)
    db.close()
    const next = await createWorld({ store: await openStore(path), workflows: [office] })
    const { failures } = await next.runtime.recover()
    expect(failures.map(({ error }) => (error as { code: string }).code)).toContain('store.damaged')
    expect((await next.runtime.store.summary(CLERK_OF_OFFICE))?.status).toBe('active')
  })
})
