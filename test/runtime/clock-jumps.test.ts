// Somebody sets the clock while runs are at work, or while nothing runs. Everything that a run waits for comes once, and
// never before its time.
import { describe, expect, it } from 'vitest'
import type { AnyStateMachine } from 'xstate'
import { z } from 'zod'
import { createRuntime, createVolatileStore, defineContext, entry } from 'callboard'
import type { Clock, Run, Store } from 'callboard'
import { createTestClock } from 'callboard/testing'
import type { TestClock } from 'callboard/testing'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** Beyond it, a timeout of the platform fires at once. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1

const board = defineContext({
  cache: entry(z.string()),
  answer: entry(z.string(), { outside: true }),
  approval: entry(z.string(), { outside: true }),
})

/** Everything that takes a time: each says when it is over. */
function everythingAfter(ms: number, over: string[]): AnyStateMachine {
  const waits = board.agent({
    reads: ['answer'],
    run: ({ waitFor }) => waitFor('answer', { timeoutMs: ms }).catch(() => over.push('wait')),
  })
  const asks = board.agent({
    reads: ['approval'],
    run: ({ ask }) => ask('approval', { timeoutMs: ms }).catch(() => over.push('question')),
  })
  let failed = false
  const retries = board.agent({
    run: ({ step }) =>
      step(
        'fragile',
        () => {
          if (failed) return over.push('retry')
          failed = true
          throw new Error('not yet')
        },
        { retries: 1, backoffMs: 2 * ms, maxBackoffMs: 2 * ms },
      ),
  })
  return board
    .workflow({ name: 'everything', agents: { waits, asks, retries }, actions: { tell: () => over.push('delay') } })
    .createMachine({
      type: 'parallel',
      entry: board.write({ cache: 'warm' }),
      states: {
        delay: { initial: 'a', states: { a: { after: { [ms]: { target: 'b', actions: 'tell' } } }, b: {} } },
        waits: { invoke: { src: 'waits', id: 'waits' } },
        asks: { invoke: { src: 'asks', id: 'asks' } },
        retries: { invoke: { src: 'retries', id: 'retries' } },
      },
    }) as unknown as AnyStateMachine
}

const ALL = ['delay', 'question', 'retry', 'wait'] as const

async function boot(store: Store, workflow: AnyStateMachine, clock: TestClock): Promise<Run> {
  const platform: Clock = {
    ...clock,
    setTimeout: (fire, ms) => clock.setTimeout(fire, ms > LONGEST_TIMEOUT_MS ? 1 : ms),
  }
  // A retry is put off by half of its pause at least, and here by no more.
  const runtime = await createRuntime({ store, clock: platform, workflows: [workflow], random: () => 0 })
  const stored = await store.summary('r')
  const run = stored === undefined ? ((await runtime.start(workflow, { runId: 'r' })) as Run) : await runtime.open('r')
  await clock.settle()
  return run
}

describe('a clock that is set while a run is at work', () => {
  for (const [name, by] of [
    ['an hour back', -HOUR_MS],
    ['a day ahead', DAY_MS],
  ] as const) {
    it(`${name} neither loses, doubles, advances nor puts off anything`, async () => {
      const over: string[] = []
      const clock = createTestClock()
      const run = await boot(createVolatileStore(), everythingAfter(10_000, over), clock)
      await clock.advance(4_000)
      clock.correct(by)
      await clock.advance(5_999)
      expect(over).toEqual([])
      await clock.advance(1)
      expect([...over].sort()).toEqual(ALL)
      await clock.advance(2 * DAY_MS)
      expect([...over].sort()).toEqual(ALL)
      const instants = (await run.ledger()).map(({ at }) => at)
      expect(instants).toEqual([...instants].sort((a, b) => a - b))
    })

    it(`${name} lets an entry live as long as it was given`, async () => {
      const short = defineContext({ cache: entry(z.string(), { ttlMs: 10_000 }) })
      const clock = createTestClock()
      const runtime = await createRuntime({ clock })
      const run = await runtime.start(short.workflow().createMachine({}))
      await run.update({ cache: 'x' })
      await clock.advance(4_000)
      clock.correct(by)
      await clock.advance(5_999)
      expect(run.get('cache')).toBe('x')
      await clock.advance(1)
      expect(run.get('cache')).toBeUndefined()
      const expired = (await run.ledger()).flatMap(({ changes }) => changes).filter(({ kind }) => kind === 'expire')
      expect(expired).toHaveLength(1)
    })
  }

  it('again and again, back and forth, changes nothing', async () => {
    const over: string[] = []
    const clock = createTestClock()
    await boot(createVolatileStore(), everythingAfter(10_000, over), clock)
    for (let second = 1; second < 10; second++) {
      clock.correct(second % 2 === 0 ? DAY_MS : -DAY_MS - HOUR_MS)
      await clock.advance(1_000)
    }
    expect(over).toEqual([])
    await clock.advance(1_000)
    expect([...over].sort()).toEqual(ALL)
  })
})

describe('a clock that is set while nothing runs', () => {
  it('a day ahead: what is due comes once, at once', async () => {
    const over: string[] = []
    const store = createVolatileStore()
    const workflow = everythingAfter(10_000, over)
    const before = createTestClock()
    await boot(store, workflow, before)
    await before.advance(4_000)
    const after = createTestClock(before.now() + DAY_MS)
    await boot(store, workflow, after)
    await after.advance(0)
    expect(over).toContain('delay')
    expect(over).toContain('wait')
    expect(over).toContain('retry')
    await after.advance(DAY_MS)
    expect([...over].sort()).toEqual(ALL)
  })

  it('an hour back: nothing comes before its time, and nothing is lost', async () => {
    const over: string[] = []
    const store = createVolatileStore()
    const workflow = everythingAfter(10_000, over)
    const before = createTestClock()
    await boot(store, workflow, before)
    await before.advance(4_000)
    const after = createTestClock(before.now() - HOUR_MS)
    await boot(store, workflow, after)
    await after.advance(5_999)
    expect(over).toEqual([])
    await after.advance(2 * HOUR_MS)
    expect([...over].sort()).toEqual(ALL)
  })
})

describe('times longer than a timeout of the platform', () => {
  it('come at their instants, over a restart too', async () => {
    const over: string[] = []
    const store = createVolatileStore()
    const workflow = everythingAfter(60 * DAY_MS, over)
    const before = createTestClock()
    await boot(store, workflow, before)
    await before.advance(26 * DAY_MS)
    expect(over).toEqual([])
    const after = createTestClock(before.now() + 3 * DAY_MS)
    await boot(store, workflow, after)
    await after.advance(31 * DAY_MS - 1)
    expect(over).toEqual([])
    await after.advance(1)
    expect(over).toEqual(expect.arrayContaining(['delay', 'wait', 'retry']))
    await after.advance(60 * DAY_MS)
    expect([...over].sort()).toEqual(ALL)
  })

  it('are lives of entries as well', async () => {
    const long = defineContext({ cache: entry(z.string(), { ttlMs: 60 * DAY_MS }) })
    const clock = createTestClock()
    const platform: Clock = {
      ...clock,
      setTimeout: (fire, ms) => clock.setTimeout(fire, ms > LONGEST_TIMEOUT_MS ? 1 : ms),
    }
    const runtime = await createRuntime({ clock: platform })
    const run = await runtime.start(long.workflow().createMachine({}))
    await run.update({ cache: 'x' })
    await clock.advance(60 * DAY_MS - 1)
    expect(run.get('cache')).toBe('x')
    await clock.advance(1)
    expect(run.get('cache')).toBeUndefined()
  })
})
