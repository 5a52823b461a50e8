import { describe, expect, it } from 'vitest'
import type { AnyStateMachine } from 'xstate'
import { z } from 'zod'
import { createRuntime, createVolatileStore, defineContext, drop, entry, isCallboardError } from 'callboard'
import type { Run, Store } from 'callboard'
import { createTestClock } from 'callboard/testing'
import type { TestClock } from 'callboard/testing'

const board = defineContext({
  answer: entry(z.string(), { outside: true }),
  other: entry(z.string(), { outside: true }),
})
const READS = ['answer', 'other'] as const

function workflowOf(agents: Record<string, never>): AnyStateMachine {
  const regions = Object.keys(agents).map((name) => [name, { invoke: { src: name, id: name } }] as const)
  return board
    .workflow({ name: 'waiting', agents })
    .createMachine({ type: 'parallel', states: Object.fromEntries(regions) } as never) as unknown as AnyStateMachine
}

/** A process of its own: the one before is left as it is, as a crash leaves it. */
async function boot(store: Store, workflow: AnyStateMachine, at?: number): Promise<{ run: Run; clock: TestClock }> {
  const clock = createTestClock(at)
  const runtime = await createRuntime({ store, clock, workflows: [workflow] })
  const stored = await store.summary('r')
  const run = stored === undefined ? ((await runtime.start(workflow, { runId: 'r' })) as Run) : await runtime.open('r')
  await clock.settle()
  return { run, clock }
}

function waitRecords(run: Run): Promise<readonly unknown[]> {
  return run.ledger().then((records) => records.filter(({ kind }) => kind === 'wait').map(({ asked }) => asked))
}

describe('a wait, after a restart', () => {
  it('ends at the instant at which it would have ended', async () => {
    const store = createVolatileStore()
    const ends: string[] = []
    const waits = board.agent({
      reads: READS,
      run: async ({ waitFor }) => {
        const end = await waitFor('answer', { timeoutMs: 60_000 }).catch((error: unknown) =>
          isCallboardError(error) ? error.code : String(error),
        )
        ends.push(end)
      },
    })
    const workflow = workflowOf({ waits: waits as never })
    const first = await boot(store, workflow)
    const beganAt = first.clock.now()
    await first.clock.advance(40_000)
    const second = await boot(store, workflow, beganAt + 50_000)
    expect(second.run.explain().waits).toMatchObject([{ waiter: 'waits', sinceAt: beganAt, timeoutMs: 60_000 }])
    await second.clock.advance(9_999)
    expect(ends).toEqual([])
    await second.clock.advance(1)
    expect(ends).toEqual(['wait.timeout'])
  })

  it('that fell due during the outage ends at once; what came meanwhile is found all the same', async () => {
    const store = createVolatileStore()
    const ends: string[] = []
    const waits = board.agent({
      reads: READS,
      run: async ({ waitFor }) => {
        for (const key of READS) {
          ends.push(await waitFor(key, { timeoutMs: 60_000 }).catch(() => `no ${key}`))
        }
      },
    })
    const workflow = workflowOf({ waits: waits as never })
    const first = await boot(store, workflow)
    const beganAt = first.clock.now()
    await first.clock.advance(5_000)
    const second = await boot(store, workflow, beganAt + 3_600_000)
    await second.clock.advance(0)
    expect(ends).toEqual(['no answer'])
    await second.clock.advance(59_999)
    expect(ends).toEqual(['no answer'])
    await second.run.update({ other: 'here' })
    await second.clock.settle()
    expect(ends).toEqual(['no answer', 'here'])
  })

  it('among many of the same is the one that was open: those that had timed out do so at once', async () => {
    const store = createVolatileStore()
    let polls = 0
    const polling = board.agent({
      reads: READS,
      run: async ({ waitFor }) => {
        polls = 0
        for (;;) {
          const found = await waitFor('answer', { timeoutMs: 10_000 }).catch(() => undefined)
          if (found !== undefined) return
          polls += 1
        }
      },
    })
    const workflow = workflowOf({ polling: polling as never })
    const first = await boot(store, workflow)
    const beganAt = first.clock.now()
    await first.clock.advance(34_000)
    expect(polls).toBe(3)
    const second = await boot(store, workflow, beganAt + 36_000)
    await second.clock.advance(0)
    expect(polls).toBe(3)
    await second.clock.advance(3_999)
    expect(polls).toBe(3)
    await second.clock.advance(1)
    expect(polls).toBe(4)
  })

  it('that had been met, and is made again because the entry has gone, begins its time anew', async () => {
    const store = createVolatileStore()
    const ends: string[] = []
    const waits = board.agent({
      reads: READS,
      run: async ({ waitFor }) => {
        ends.push(await waitFor('answer', { timeoutMs: 60_000 }).catch(() => 'timeout'))
        await waitFor('other', { timeoutMs: Number.POSITIVE_INFINITY })
      },
    })
    const workflow = workflowOf({ waits: waits as never })
    const first = await boot(store, workflow)
    const beganAt = first.clock.now()
    await first.clock.advance(30_000)
    await first.run.update({ answer: 'yes' })
    await first.run.update({ answer: drop() })
    await first.clock.advance(1_000)
    expect(ends).toEqual(['yes'])
    const second = await boot(store, workflow, beganAt + 50_000)
    await second.clock.advance(59_999)
    expect(ends).toEqual(['yes'])
    await second.clock.advance(1)
    expect(ends).toEqual(['yes', 'timeout'])
  })

  it('is known by what it waits for: for conditions, for newer versions, for all and for any', async () => {
    const store = createVolatileStore()
    const ends: string[] = []
    const waits = board.agent({
      reads: READS,
      run: async ({ waitFor, waitForAll, waitForAny }) => {
        const told = (name: string) => (): void => void ends.push(name)
        await Promise.all([
          waitFor('answer', { since: 7, timeoutMs: 61_000 }).catch(told('newer')),
          waitFor('answer', { fresh: true, timeoutMs: 62_000 }).catch(told('fresh')),
          waitForAll(['answer', 'other'], { timeoutMs: 63_000 }).catch(told('all')),
          waitForAny(['answer', 'other'], { timeoutMs: 64_000 }).catch(told('any')),
          waitFor((view) => view.has('answer'), { timeoutMs: 65_000 }).catch(told('condition')),
          waitFor((view) => view.has('other'), { timeoutMs: 65_000 }).catch(told('other condition')),
        ])
      },
    })
    const workflow = workflowOf({ waits: waits as never })
    const first = await boot(store, workflow)
    const beganAt = first.clock.now()
    await first.clock.advance(2_000)
    const second = await boot(store, workflow, beganAt + 60_000)
    await second.clock.advance(5_000)
    expect(ends).toEqual(['newer', 'fresh', 'all', 'any', 'condition', 'other condition'])
  })

  it('is found again from a snapshot, and in a fork with the time that was left', async () => {
    const store = createVolatileStore()
    const waits = board.agent({ reads: READS, run: ({ waitFor }) => waitFor('answer', { timeoutMs: 60_000 }) })
    const workflow = workflowOf({ waits: waits as never })
    const first = await boot(store, workflow)
    const beganAt = first.clock.now()
    await first.clock.advance(10_000)
    const fork = await first.run.fork(first.run.seq)
    await first.clock.settle()
    // The point is a second after the beginning, and now is nine seconds after the point.
    expect(fork.explain().waits).toMatchObject([{ sinceAt: beganAt + 9_000 }])
    await first.run.snapshot('here')
    const second = await boot(store, workflow, beganAt + 20_000)
    expect(second.run.explain().waits).toMatchObject([{ sinceAt: beganAt }])
  })
})

describe('what waits cost in the ledger', () => {
  it('shorter than a second: nothing; all that last longer at the same time: one record', async () => {
    const waits = board.agent({
      reads: READS,
      run: async ({ waitFor }) => {
        await waitFor('answer')
        await Promise.allSettled([waitFor('other', { timeoutMs: 20_000 }), waitFor('answer', { since: 9 })])
      },
    })
    const { run, clock } = await boot(
      createVolatileStore(),
      workflowOf({ waits: waits as never, twin: waits as never }),
    )
    await clock.advance(999)
    await run.update({ answer: 'in time' })
    await clock.advance(999)
    expect(await waitRecords(run)).toEqual([])
    await clock.advance(1)
    expect(await waitRecords(run)).toEqual([
      {
        until: [
          ['r.waits.1', 'wait: one of other, 20000 ms#0', expect.any(Number)],
          ['r.waits.1', 'wait: one of answer, since 9, 30000 ms#0', expect.any(Number)],
          ['r.twin.2', 'wait: one of other, 20000 ms#0', expect.any(Number)],
          ['r.twin.2', 'wait: one of answer, since 9, 30000 ms#0', expect.any(Number)],
        ],
      },
    ])
    await run.update({ other: 'at last' })
    await clock.advance(1_000)
    expect((await waitRecords(run)).slice(1)).toEqual([
      {
        over: [
          ['r.waits.1', 'wait: one of other, 20000 ms#0'],
          ['r.twin.2', 'wait: one of other, 20000 ms#0'],
        ],
      },
    ])
    await clock.advance(60_000)
    expect(await waitRecords(run)).toHaveLength(2)
  })
})
