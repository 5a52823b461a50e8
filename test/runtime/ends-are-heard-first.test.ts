// Between the end of an agent and the moment its machine hears of it, nothing is judged: what the machine does then may
// be what the others wait for.
import { defineContext, entry } from 'callboard'
import type { Runtime } from 'callboard'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createWorld } from './world.ts'

const board = defineContext({ word: entry(z.string()) })
const waiter = board.agent({ reads: ['word'], run: ({ waitFor }) => waitFor('word') })
const write = { actions: board.write({ word: 'said' }) }

const shape = (speaker: object): never =>
  ({
    id: 'speaking',
    initial: 'on',
    states: {
      on: {
        invoke: [
          { src: 'waiter', onDone: 'off' },
          { src: 'speaker', ...speaker },
        ],
      },
      off: { type: 'final' },
    },
    output: ({ context }: { context: { board: { get(key: string): unknown } } }) => context.board.get('word'),
  }) as never

function countDeadlocks(runtime: Runtime): () => number {
  let count = 0
  runtime.on('deadlock', () => void (count += 1))
  return () => count
}

/** Promises settle in turns: whatever turn an end falls into, it has to be heard first. */
const turns = [0, 1, 2, 3, 4]

async function pass(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await undefined
}

describe('no deadlock is declared before the machine has heard', () => {
  it.each(turns)('that an agent is done (turn %i)', async (turn) => {
    const { runtime } = await createWorld()
    const deadlocks = countDeadlocks(runtime)
    const speaker = board.agent({ run: () => pass(turn) })
    const run = await runtime.start(
      board.workflow({ agents: { waiter, speaker } }).createMachine(shape({ onDone: write })),
    )
    expect(await run.done).toBe('said')
    expect(deadlocks()).toBe(0)
  })

  it.each(turns)('that an agent has failed (turn %i)', async (turn) => {
    const { runtime } = await createWorld()
    const deadlocks = countDeadlocks(runtime)
    const speaker = board.agent({
      run: async () => {
        await pass(turn)
        throw new Error('lost its voice')
      },
    })
    const run = await runtime.start(
      board.workflow({ agents: { waiter, speaker } }).createMachine(shape({ onError: write })),
    )
    expect(await run.done).toBe('said')
    expect(deadlocks()).toBe(0)
  })

  it('that a child workflow is done', async () => {
    const { runtime } = await createWorld()
    const deadlocks = countDeadlocks(runtime)
    const speaker = board.workflow().createMachine({ id: 'child', initial: 'end', states: { end: { type: 'final' } } })
    const run = await runtime.start(
      board.workflow({ agents: { waiter, speaker } }).createMachine(shape({ onDone: write })),
    )
    expect(await run.done).toBe('said')
    expect(deadlocks()).toBe(0)
  })
})

describe('a deadlock is still found after the machine has heard', () => {
  it('of an end that it does nothing about', async () => {
    const { runtime } = await createWorld()
    const speaker = board.agent({ run: () => pass(1) })
    const run = await runtime.start(board.workflow({ agents: { waiter, speaker } }).createMachine(shape({})))
    await expect(run.done).rejects.toMatchObject({ code: 'wait.deadlock' })
  })

  it('of a child workflow that it does nothing about', async () => {
    const { runtime } = await createWorld()
    const speaker = board.workflow().createMachine({ id: 'child', initial: 'end', states: { end: { type: 'final' } } })
    const run = await runtime.start(board.workflow({ agents: { waiter, speaker } }).createMachine(shape({})))
    await expect(run.done).rejects.toMatchObject({ code: 'wait.deadlock' })
  })
})
