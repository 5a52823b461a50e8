import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createVolatileStore, defineContext, entry } from 'callboard'
import type { StepContext, StepOptions } from 'callboard'
import { wrapStore } from '../store/wrapped.ts'
import { createGate, createWorld, refusalOf, together } from './world.ts'

const board = defineContext({ result: entry(z.unknown()) })

/** A run of one agent that does one step and writes what came of it. */
function stepping<Result>(run: (context: StepContext) => Result | Promise<Result>, options?: StepOptions) {
  const works = board.agent({
    writes: ['result'],
    run: async ({ step, update }) => void (await update({ result: await step('work', run, options) })),
  })
  return together(board, { works })
}

describe('a step', () => {
  it('is recorded before it begins and when it has ended, with its result', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(stepping(() => ({ answer: 42 })))
    await run.done
    const lines = (await run.ledger()).filter(({ kind }) => kind === 'step')
    expect(lines.map(({ author, asked }) => [author, asked])).toEqual([
      ['works', { agent: 'works', invocation: `${run.id}.works.1`, step: 'work', attempt: 1, phase: 'begun' }],
      [
        'works',
        {
          agent: 'works',
          invocation: `${run.id}.works.1`,
          step: 'work',
          attempt: 1,
          phase: 'finished',
          result: { answer: 42 },
        },
      ],
    ])
    expect(run.get('result')).toEqual({ answer: 42 })
  })

  it('is tried again with doubled backoff and jitter, up to the longest', async () => {
    const { runtime, clock } = await createWorld({ random: () => 0.5 })
    const attemptsAt: number[] = []
    const start = clock.now()
    const run = await runtime.start(
      stepping(
        () => {
          attemptsAt.push(clock.now() - start)
          if (attemptsAt.length < 5) throw new Error(`failure ${attemptsAt.length}`)
          return 'done'
        },
        { retries: 4, backoffMs: 100, maxBackoffMs: 300 },
      ),
    )
    await clock.advance(10_000)
    await run.done
    // Half of the backoff, and half again for random() = 0.5: 75 of 100, 150 of 200, 225 of 300, 225 of 300.
    expect(attemptsAt).toEqual([0, 75, 225, 450, 675])
    const phases = (await run.ledger()).flatMap(({ kind, asked }) =>
      kind === 'step' ? [(asked as { phase: string; attempt: number }).phase] : [],
    )
    expect(phases).toEqual([
      'begun',
      'failed',
      'begun',
      'failed',
      'begun',
      'failed',
      'begun',
      'failed',
      'begun',
      'finished',
    ])
  })

  it('waits at least half of the backoff and never more than all of it', async () => {
    for (const [random, expected] of [
      [0, 50],
      [0.999, 99.95],
    ] as const) {
      const { runtime, clock } = await createWorld({ random: () => random })
      const attemptsAt: number[] = []
      const start = clock.now()
      const run = await runtime.start(
        stepping(
          () => {
            attemptsAt.push(clock.now() - start)
            if (attemptsAt.length === 1) throw new Error('once')
          },
          { retries: 1, backoffMs: 100 },
        ),
      )
      await clock.advance(1000)
      expect(attemptsAt[1]).toBeCloseTo(expected)
      expect((await refusalOf(run.done)).code).toBe('update.refused')
    }
  })

  it('fails after its last attempt, with the last error as the cause', async () => {
    const { runtime, clock } = await createWorld()
    let attempts = 0
    const run = await runtime.start(
      stepping(
        () => {
          attempts += 1
          throw new RangeError(`attempt ${attempts}`)
        },
        { retries: 2 },
      ),
      { runId: 'r1' },
    )
    await clock.advance(60_000)
    const error = await refusalOf(run.done)
    expect(error.code).toBe('step.failed')
    expect(error.message).toBe('run r1: step "work" of works was tried 3 times and failed: attempt 3')
    expect(error.cause).toEqual(new RangeError('attempt 3'))
    expect(error.details).toEqual({ runId: 'r1', agent: 'works', step: 'work', attempts: 3 })
  })

  it('is not tried again for an error that is not worth it', async () => {
    const { runtime, clock } = await createWorld()
    let attempts = 0
    const run = await runtime.start(
      stepping(
        () => {
          attempts += 1
          throw new TypeError('wrong for ever')
        },
        { retries: 5, retryOn: (error) => !(error instanceof TypeError) },
      ),
    )
    await clock.advance(60_000)
    expect((await refusalOf(run.done)).message).toContain('was tried once and failed')
    expect(attempts).toBe(1)
  })

  it('has the same idempotency key in every attempt, and another one than every other step', async () => {
    const { runtime, clock } = await createWorld()
    const keys: string[] = []
    const attempts: number[] = []
    const works = board.agent({
      run: async ({ step }) => {
        const note = ({ idempotencyKey, attempt }: StepContext): void => {
          keys.push(idempotencyKey)
          attempts.push(attempt)
          if (keys.length === 1) throw new Error('once')
        }
        await step('pay', note, { retries: 1 })
        await step('pay', note)
        await step('post', note)
      },
    })
    const run = await runtime.start(together(board, { works, other: works }))
    await clock.advance(1000)
    await run.done
    expect(keys).toHaveLength(7)
    expect(new Set(keys).size).toBe(6)
    expect(attempts.toSorted()).toEqual([1, 1, 1, 1, 1, 1, 2])
  })

  it('is given up at its timeout and told so by its signal; the next attempt has a signal of its own', async () => {
    const { runtime, clock } = await createWorld({ random: () => 0 })
    const signals: AbortSignal[] = []
    const never = createGate()
    const run = await runtime.start(
      stepping(
        async ({ signal, attempt }) => {
          signals.push(signal)
          if (attempt === 1) await never.passed
          return attempt
        },
        { timeoutMs: 1000, retries: 1, backoffMs: 10 },
      ),
    )
    await clock.advance(999)
    expect(signals.map(({ aborted }) => aborted)).toEqual([false])
    await clock.advance(100)
    await run.done
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false])
    expect(signals[0]?.reason).toMatchObject({
      code: 'step.timeout',
      message: 'step "work" of works took longer than 1000 ms; raise timeoutMs or make it do less',
    })
    expect(run.get('result')).toBe(2)
    expect(clock.armed).toBe(0)
  })

  it('is stopped with its agent, in an attempt or between two', async () => {
    for (const failsFirst of [false, true]) {
      const { runtime, clock } = await createWorld()
      let attempts = 0
      const signals: AbortSignal[] = []
      const never = createGate()
      const run = await runtime.start(
        stepping(
          async ({ signal }) => {
            attempts += 1
            signals.push(signal)
            if (failsFirst) throw new Error('try later')
            await never.passed
          },
          { retries: 3, backoffMs: 1000 },
        ),
      )
      await clock.settle()
      await run.stop()
      await clock.advance(100_000)
      expect(attempts).toBe(1)
      expect(signals[0]?.aborted).toBe(!failsFirst)
      expect(clock.armed).toBe(0)
      expect((await run.ledger()).at(-1)?.kind).toBe('end')
    }
  })

  it('does not begin any more when its agent is stopped while that is being recorded', async () => {
    for (const end of ['stop', 'leave'] as const) {
      const inner = createVolatileStore()
      const [begins, stores] = [createGate(), createGate()]
      const store = wrapStore(inner, {
        append: async (batches) => {
          if (batches[0]?.records[0]?.kind === 'update') await stores.passed
          return inner.append(batches)
        },
      })
      const { runtime, clock } = await createWorld({ store })
      let attempts = 0
      const pays = board.agent({
        run: async ({ step }) => {
          await begins.passed
          await step('pay', () => void (attempts += 1))
        },
      })
      const machine = board.workflow({ agents: { pays } }).createMachine({
        initial: 'paying',
        states: { paying: { invoke: { src: 'pays' }, on: { leave: 'left' } }, left: {} },
      })
      const run = await runtime.start(machine)
      const before = run.update({ result: 'what is stored before' })
      begins.open()
      await clock.settle()
      const ended = end === 'stop' ? run.stop() : run.send({ type: 'leave' })
      stores.open()
      await Promise.all([before, ended])
      await clock.settle()
      expect(attempts).toBe(0)
    }
  })

  it('may give nothing, but nothing that is not plain data', async () => {
    const { runtime } = await createWorld()
    const nothing = board.agent({ run: async ({ step }) => void (await step('quiet', () => {})) })
    await (
      await runtime.start(together(board, { nothing }))
    ).done
    const run = await runtime.start(stepping(() => ({ connection: { close: () => {} } })))
    const error = await refusalOf(run.done)
    expect(error.code).toBe('step.failed')
    expect(error.cause).toMatchObject({ code: 'step.result' })
    expect(error.message).toContain('a function at connection.close')
  })

  it('gives back a copy that cannot change what is recorded', async () => {
    const { runtime } = await createWorld()
    const mine = { list: [1], when: new Date(0) }
    const works = board.agent({
      writes: ['result'],
      run: async ({ step, update }) => {
        const got = await step('work', () => mine)
        mine.list.push(2)
        got.when.setTime(99)
        expect(() => got.list.push(3)).toThrow(TypeError)
        await update({ result: got.list })
      },
    })
    const run = await runtime.start(together(board, { works }))
    await run.done
    expect(run.get('result')).toEqual([1])
    const asked = (await run.ledger()).flatMap((record) => (record.kind === 'step' ? [record.asked] : []))[1]
    expect(asked).toMatchObject({ result: { list: [1], when: new Date(0) } })
  })

  it('that is awaited later, or never, harms nobody when its agent is stopped before', async () => {
    const { runtime } = await createWorld()
    const [begun, gate] = [createGate<AbortSignal>(), createGate()]
    const prepares = board.agent({
      reads: ['result'],
      writes: ['result'],
      run: async ({ step, update, send, waitFor }) => {
        const prepared = step('work', ({ signal }) => {
          begun.open(signal)
          return gate.passed
        })
        void step('fails', () => Promise.reject(new Error('no')))
        void send({ type: 'unknown' })
        void update({ result: 1n << 1n }, { expectedSeq: 99 })
        await waitFor('result')
        await prepared
      },
    })
    const run = await runtime.start(together(board, { prepares }))
    const signal = await begun.passed
    await run.stop()
    expect(signal.aborted).toBe(true)
    // An unhandled rejection would fail the test run.
    await setImmediate()
  })

  it('that is under way when its agent returns ends with it', async () => {
    const { runtime } = await createWorld()
    const [begun, gate] = [createGate<AbortSignal>(), createGate()]
    const left: Promise<unknown>[] = []
    const hurries = board.agent({
      run: async ({ step }) => {
        left.push(
          step('work', ({ signal }) => {
            begun.open(signal)
            return gate.passed
          }),
        )
        await begun.passed
      },
    })
    const run = await runtime.start(together(board, { hurries }))
    await run.done
    expect((await begun.passed).aborted).toBe(true)
    expect((await refusalOf(left[0]!)).code).toBe('agent.ended')
  })

  it('of one name may run many times in parallel, each for itself', async () => {
    const { runtime } = await createWorld()
    const works = board.agent({
      writes: ['result'],
      run: async ({ step, update }) => {
        const all = await Promise.all(['a', 'b', 'c'].map((item) => step('fetch', () => `got ${item}`)))
        await update({ result: all })
      },
    })
    const run = await runtime.start(together(board, { works }))
    await run.done
    expect(run.get('result')).toEqual(['got a', 'got b', 'got c'])
    const begun = (await run.ledger()).flatMap(({ kind, asked }) => {
      const line = asked as { step: string; phase: string }
      return kind === 'step' && line.phase === 'begun' ? [line.step] : []
    })
    expect(begun).toEqual(['fetch', 'fetch#2', 'fetch#3'])
  })
})
