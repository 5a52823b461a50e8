import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createRuntime, createVolatileStore, defineContext, entry, replayRun } from 'callboard'
import type { Store } from 'callboard'
import { createTestClock } from '../support/clock.ts'

const board = defineContext({
  draft: entry(z.string()),
  seen: entry(z.int(), { merge: 'counter' }),
  approval: entry(z.boolean(), { outside: true }),
  shared: entry(z.string(), { scope: 'global' }),
})

/** The store outlives the runtime that is abandoned, as a file outlives a process. */
async function restart(store: Store, workflows: Parameters<typeof createRuntime>[0], clock = createTestClock()) {
  const runtime = await createRuntime({ ...workflows, store, clock })
  const { runs, failures } = await runtime.recover()
  expect(failures).toEqual([])
  return { runtime, runs, clock }
}

describe('a run whose process has gone', () => {
  it('goes on where it was: finished steps are not repeated, the step in flight is told its attempt', async () => {
    const store = createVolatileStore()
    const calls: string[] = []
    let hangs = true
    const worker = board.agent({
      writes: ['draft'],
      run: async ({ step, update }) => {
        const first = await step('first', () => {
          calls.push('first')
          return 'one'
        })
        const second = await step('second', async ({ attempt, idempotencyKey }) => {
          calls.push(`second, attempt ${attempt}, ${idempotencyKey}`)
          if (hangs) await new Promise(() => {})
          return 'two'
        })
        await update({ draft: `${first} ${second}` })
        return 'done'
      },
    })
    const workflow = board.workflow({ name: 'w', agents: { worker } }).createMachine({
      initial: 'on',
      states: { on: { invoke: { src: 'worker', onDone: 'end' } }, end: { type: 'final' } },
      output: ({ context }) => context.board.get('draft'),
    })
    const before = await createRuntime({ store })
    await before.start(workflow, { runId: 'r' })
    await createTestClock().settle()
    hangs = false
    const { runs } = await restart(store, { workflows: [workflow] })
    expect(await runs[0]?.done).toBe('one two')
    expect(calls).toEqual(['first', 'second, attempt 1, r.worker.1/second', 'second, attempt 2, r.worker.1/second'])
  })

  it('keeps the instants of delayed transitions: what was due during the outage comes at once, the rest in time', async () => {
    const store = createVolatileStore()
    const workflow = board.workflow({ name: 'w' }).createMachine({
      type: 'parallel',
      states: {
        short: { initial: 'a', states: { a: { after: { 1000: 'b' } }, b: {} } },
        long: { initial: 'a', states: { a: { after: { 5000: 'b' } }, b: {} } },
      },
    })
    const clock = createTestClock()
    const before = await createRuntime({ store, clock })
    await before.start(workflow, { runId: 'r' })
    const later = createTestClock(clock.now() + 3000)
    const { runs } = await restart(store, { workflows: [workflow] }, later)
    await later.advance(0)
    expect(runs[0]?.state).toEqual({ short: 'b', long: 'a' })
    await later.advance(1999)
    expect(runs[0]?.state).toEqual({ short: 'b', long: 'a' })
    await later.advance(1)
    expect(runs[0]?.state).toEqual({ short: 'b', long: 'b' })
  })

  it('is not asked again by a delay that came to nothing, at rest or after a restart, and replays the same', async () => {
    const flags = defineContext({ flag: entry(z.boolean(), { scope: 'global', outside: true }) })
    const workflow = flags.workflow({ name: 'delayed' }).createMachine({
      initial: 'off',
      states: { off: { after: { 1000: { target: 'on', guard: flags.when('flag', (flag) => flag) } } }, on: {} },
    })
    const other = flags.workflow({ name: 'other' }).createMachine({ initial: 'a', states: { a: {} } })
    const store = createVolatileStore()
    const clock = createTestClock()
    const runtime = await createRuntime({ store, clock, workflows: [workflow, other], maxActiveRuns: 1 })
    const run = await runtime.start(workflow, { runId: 'r' })
    await clock.advance(2_000)
    expect((await run.ledger()).at(-1)).toMatchObject({
      kind: 'upkeep',
      asked: { isTaken: false },
      machine: { timers: [] },
    })
    const switches = await runtime.start(other)
    await clock.settle()
    expect(runtime.activeRuns).toBe(1)
    await switches.update({ flag: true })
    await clock.advance(10_000)
    await runtime.open('r')
    await clock.advance(10_000)
    expect(run.state).toBe('off')
    const later = createTestClock(clock.now() + 3000)
    const after = await createRuntime({ store, clock: later, workflows: [workflow, other] })
    const restarted = await after.open('r')
    await later.advance(10_000)
    expect(restarted.state).toBe('off')
    expect((await replayRun({ store, workflow, runId: 'r' })).difference).toBeUndefined()
  })

  it('asks a person again only if they have not answered', async () => {
    const store = createVolatileStore()
    let asked = 0
    const asks = board.agent({
      reads: ['approval'],
      run: async ({ ask }) => {
        asked += 1
        return ask('approval', { question: 'go on?' })
      },
    })
    const workflow = board.workflow({ name: 'w', agents: { asks } }).createMachine({
      initial: 'on',
      states: { on: { invoke: { src: 'asks', onDone: 'end' } }, end: { type: 'final' } },
    })
    const before = await createRuntime({ store })
    const run = await before.start(workflow, { runId: 'r' })
    await createTestClock().settle()
    const [request] = run.requests()
    const { runs, runtime } = await restart(store, { workflows: [workflow] })
    await createTestClock().settle()
    expect(runs[0]?.requests()).toEqual([expect.objectContaining({ id: request?.id, question: 'go on?' })])
    await runs[0]?.answer(request?.id ?? '', true)
    await runs[0]?.done
    expect(asked).toBe(2)
    expect((await runtime.open('r')).status).toBe('done')
  })

  it('finds its child run again and does not start it anew; global entries and ended runs are there', async () => {
    const store = createVolatileStore()
    let started = 0
    let hangs = true
    const inner = board.agent({
      writes: ['shared'],
      run: async ({ update, step }) => {
        await step('count', () => {
          started += 1
          return started
        })
        if (hangs) await new Promise(() => {})
        await update({ shared: 'from the child' })
      },
    })
    const child = board.workflow({ name: 'child', agents: { inner } }).createMachine({
      initial: 'on',
      states: { on: { invoke: { src: 'inner', onDone: 'end' } }, end: { type: 'final' } },
      output: () => 42,
    })
    const parent = board.workflow({ name: 'parent', agents: { child } }).createMachine({
      initial: 'on',
      states: { on: { invoke: { src: 'child', onDone: 'end' } }, end: { type: 'final' } },
      output: ({ context }) => context.board.get('shared'),
    })
    const before = await createRuntime({ store })
    await before.start(parent, { runId: 'p' })
    await createTestClock().settle()
    hangs = false
    const { runs } = await restart(store, { workflows: [parent, child] })
    expect(await runs[0]?.done).toBe('from the child')
    expect(started).toBe(1)
    const third = await createRuntime({ store, workflows: [parent, child] })
    expect(await (await third.open('p')).done).toBe('from the child')
    expect((await third.open('p.child.1')).get('shared')).toBe('from the child')
  })
})
