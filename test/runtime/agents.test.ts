import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineContext, entry } from 'callboard'
import { createGate, createWorld, keysWritten, refusalOf, together } from './world.ts'

const board = defineContext({ note: entry(z.string()), count: entry(z.int()) })

describe('what an agent gives back', () => {
  it('is what onDone gets', async () => {
    const { runtime } = await createWorld()
    const adds = board.agent({
      input: z.object({ a: z.int(), b: z.int().default(1) }),
      run: ({ input }) => ({ sum: input.a + input.b }),
    })
    const workflow = board.workflow({ agents: { adds } }).createMachine({
      initial: 'adding',
      states: {
        adding: {
          invoke: {
            src: 'adds',
            input: { a: 41 },
            onDone: { target: 'end', actions: board.write({ count: ({ event }) => event.output.sum }) },
          },
        },
        end: { type: 'final' },
      },
    })
    const run = await runtime.start(workflow)
    await run.done
    expect(run.entry('count')).toMatchObject({ value: 42, updatedBy: 'workflow' })
  })

  it('is what onError gets when it fails: an error with a code, the original as its cause', async () => {
    const { runtime } = await createWorld()
    const breaks = board.agent({
      run: () => {
        throw new RangeError('out of range')
      },
    })
    const workflow = board.workflow({ agents: { breaks } }).createMachine({
      initial: 'trying',
      states: {
        trying: {
          invoke: {
            src: 'breaks',
            onError: {
              target: 'failed',
              actions: board.write({ note: ({ event }) => `${(event.error as { code: string }).code}` }),
            },
          },
        },
        failed: { type: 'final' },
      },
    })
    const run = await runtime.start(workflow)
    await run.done
    expect(run.state).toBe('failed')
    expect(run.get('note')).toBe('agent.failed')
  })

  it('fails the run when nobody handles its failure', async () => {
    const { runtime } = await createWorld()
    const ends: unknown[] = []
    runtime.on('end', (end) => ends.push(end))
    const breaks = board.agent({ run: () => Promise.reject(new RangeError('out of range')) })
    const run = await runtime.start(together(board, { breaks }))
    const error = await refusalOf(run.done)
    expect(error).toMatchObject({
      code: 'agent.failed',
      message: 'agent breaks failed: out of range',
      cause: new RangeError('out of range'),
    })
    expect(run.status).toBe('error')
    expect(ends).toMatchObject([{ runId: run.id, status: 'failed', error: { code: 'agent.failed' } }])
  })

  it('may be anything that is thrown', async () => {
    const { runtime } = await createWorld()
    // eslint-disable-next-line no-throw-literal
    const breaks = board.agent({ run: () => Promise.reject('just a text') })
    const run = await runtime.start(together(board, { breaks }))
    expect((await refusalOf(run.done)).message).toBe('agent breaks failed: just a text')
  })
})

it('an agent invoked with an input that does not fit fails with where it does not', async () => {
  const { runtime } = await createWorld()
  const takes = board.agent({ input: z.object({ list: z.array(z.int()) }), run: () => {} })
  const workflow = board.workflow({ agents: { takes } }).createMachine({
    invoke: { src: 'takes', input: { list: [1, 'two'] } as never },
  })
  const run = await runtime.start(workflow)
  const error = await refusalOf(run.done)
  expect(error.code).toBe('agent.input')
  expect(error.message).toContain('agent takes was invoked with an input that does not fit its schema: at list.1')
})

it('progress is told on the topic and in the explanation, and is not in the ledger', async () => {
  const { runtime, clock } = await createWorld()
  const told: unknown[] = []
  runtime.on('progress', (progress) => told.push(progress))
  const gate = createGate()
  const works = board.agent({
    run: async ({ progress }) => {
      progress({ done: 1, total: 2 })
      await gate.passed
      progress({ done: 2, total: 2, message: 'ready' })
    },
  })
  const run = await runtime.start(together(board, { works }))
  await clock.settle()
  const { seq } = run
  gate.open()
  await run.done
  expect(told).toEqual([
    { runId: run.id, agent: 'works', done: 1, total: 2 },
    { runId: run.id, agent: 'works', done: 2, total: 2, message: 'ready' },
  ])
  expect(await keysWritten(run)).toEqual([])
  expect(seq).toBe(1)
})

it('agents tell of their beginning and end on the topic', async () => {
  const { runtime } = await createWorld()
  const told: string[] = []
  runtime.on('agent', ({ agent, type, status }) => told.push(`${agent}:${type}:${status}`))
  const quick = board.agent({ run: () => {} })
  const workflow = board.workflow({ agents: { quick } }).createMachine({
    initial: 'a',
    states: { a: { invoke: { src: 'quick', id: 'first', onDone: 'b' } }, b: { type: 'final' } },
  })
  await (
    await runtime.start(workflow)
  ).done
  expect(told).toEqual(['first:quick:running', 'first:quick:finished'])
})

it('an agent may send events to its machine', async () => {
  const { runtime } = await createWorld()
  const rings = board.agent({ run: ({ send }) => send({ type: 'ring', times: 2 }) })
  const workflow = board.workflow({ agents: { rings } }).createMachine({
    initial: 'quiet',
    states: {
      quiet: {
        invoke: { src: 'rings' },
        on: { ring: { target: 'loud', actions: board.write({ count: ({ event }) => event['times'] as number }) } },
      },
      loud: { type: 'final' },
    },
  })
  const run = await runtime.start(workflow)
  await run.done
  expect(run.get('count')).toBe(2)
})

it('an agent invoked again begins afresh: its steps are its own', async () => {
  const { runtime } = await createWorld()
  let runs = 0
  const works = board.agent({
    run: async ({ step }) => {
      await step('count', () => void (runs += 1))
    },
  })
  const workflow = board.workflow({ agents: { works } }).createMachine({
    initial: 'first',
    states: {
      first: { invoke: { src: 'works', onDone: 'second' } },
      second: { invoke: { src: 'works', onDone: 'end' } },
      end: { type: 'final' },
    },
  })
  await (
    await runtime.start(workflow)
  ).done
  expect(runs).toBe(2)
})
