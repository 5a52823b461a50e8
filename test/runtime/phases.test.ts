import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createRuntime, createVolatileStore, defineContext, entry } from 'callboard'
import type { Run } from 'callboard'
import { createTestClock } from '../support/clock.ts'
import { createGate, createWorld } from './world.ts'

const board = defineContext({
  plan: entry(z.string()),
  notes: entry(z.string(), { ephemeral: true }),
})

/** The snapshots of a run, without their places. */
const taken = (run: Pick<Run, 'snapshots'>): readonly unknown[] =>
  run.snapshots().map(({ id, reason, metadata }) => [id, reason, metadata])

describe('a state with the tag `phase`', () => {
  const phased = board.workflow().createMachine({
    initial: 'research',
    states: {
      research: { tags: 'phase', entry: board.write({ plan: 'none' }), on: { next: 'planning' } },
      planning: {
        tags: 'phase',
        on: { again: 'research', finish: { target: 'end', actions: board.write({ plan: 'final' }) }, idle: 'idle' },
      },
      idle: { on: { next: 'planning' } },
      end: { type: 'final' },
    },
  })

  it('has a snapshot before and after it, taken with the transition that begins or ends it', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(phased)
    await run.update({ plan: 'one', notes: 'for now' })
    await run.send({ type: 'next' })
    await run.update({ plan: 'two' })
    await run.send({ type: 'idle' })
    expect(taken(run)).toEqual([
      ['before_research', 'before_research', { phase: 'research' }],
      ['after_research', 'after_research', { phase: 'research', status: 'finished' }],
      ['before_planning', 'before_planning', { phase: 'planning' }],
      ['after_planning', 'after_planning', { phase: 'planning', status: 'finished' }],
    ])
    const values = await Promise.all(run.snapshots().map(async (point) => (await run.at(point)).get('plan')))
    expect(values).toEqual(['none', 'one', 'one', 'two'])
    expect((await run.at('after_research')).get('notes')).toBeUndefined()
  })

  it('that comes again has snapshots of its own each time', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(phased)
    for (const type of ['next', 'again', 'next', 'idle']) await run.send({ type })
    expect(run.snapshots().map(({ id }) => id)).toEqual([
      'before_research',
      'after_research',
      'before_planning',
      'after_planning',
      'before_research#2',
      'after_research#2',
      'before_planning#2',
      'after_planning#2',
    ])
    expect(run.snapshots()[4]).toMatchObject({ reason: 'before_research' })
  })

  it('that ends with the run has its snapshot after it all the same', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(phased)
    await run.send({ type: 'next' })
    await run.send({ type: 'finish' })
    await run.done
    expect(run.snapshots().at(-1)).toMatchObject({ id: 'after_planning', seq: run.seq })
    expect((await run.at('after_planning')).get('plan')).toBe('final')
    expect((await run.ledger()).map(({ seq }) => seq)).toEqual(Array.from({ length: run.seq }, (_, index) => index + 1))
  })

  it('is known in the middle of it after a restart: no snapshot is taken twice, and numbers go on', async () => {
    const store = createVolatileStore()
    const before = await createRuntime({ store, clock: createTestClock() })
    const first = await before.start(phased, { runId: 'r' })
    await first.send({ type: 'next' })
    await first.send({ type: 'again' })
    const { runtime } = await createWorld({ store, workflows: [phased] })
    const run = await runtime.open('r')
    expect(run.snapshots()).toEqual(first.snapshots())
    await run.send({ type: 'next' })
    expect(
      run
        .snapshots()
        .slice(5)
        .map(({ id }) => id),
    ).toEqual(['after_research#2', 'before_planning#2'])
  })

  it('is the only one: states without the tag have none', async () => {
    const { runtime } = await createWorld()
    const plain = board.workflow().createMachine({ initial: 'a', states: { a: { on: { next: 'b' } }, b: {} } })
    const run = await runtime.start(plain)
    await run.send({ type: 'next' })
    expect(run.snapshots()).toEqual([])
    expect(run.seq).toBe(2)
  })
})

describe('an agent that is a phase', () => {
  /** A workflow whose agent does what the test says. */
  function withAgent(work: () => Promise<unknown>) {
    const drafter = board.agent({
      phase: 'drafting',
      writes: ['plan'],
      run: async ({ update }) => {
        await update({ plan: 'drafted' })
        return work()
      },
    })
    return board.workflow({ name: 'w', agents: { drafter } }).createMachine({
      initial: 'on',
      states: {
        on: { on: { leave: 'off' }, invoke: { src: 'drafter', onDone: 'off', onError: 'failed' } },
        off: {},
        failed: {},
      },
    })
  }
  const before = ['before_drafting', 'before_drafting', { phase: 'drafting', agent: 'drafter' }]
  const after = (status: string): unknown => [
    'after_drafting',
    'after_drafting',
    { phase: 'drafting', agent: 'drafter', status },
  ]

  it('has a snapshot before it begins and after it has finished', async () => {
    const { runtime, clock } = await createWorld()
    const run = await runtime.start(withAgent(async () => {}))
    await clock.settle()
    expect(run.state).toBe('off')
    expect(taken(run)).toEqual([before, after('finished')])
    expect((await run.at('before_drafting')).get('plan')).toBeUndefined()
    expect((await run.at('after_drafting')).get('plan')).toBe('drafted')
  })

  it('that fails, or is stopped because its state is left, is said to have', async () => {
    const { runtime, clock } = await createWorld()
    const failing = await runtime.start(withAgent(() => Promise.reject(new Error('no idea'))))
    const stopped = await runtime.start(withAgent(() => createGate().passed))
    await clock.settle()
    expect(taken(failing)).toEqual([before, after('failed')])
    expect(taken(stopped)).toEqual([before])
    await stopped.send({ type: 'leave' })
    expect(taken(stopped)).toEqual([before, after('stopped')])
  })

  it('stands beside others: each has its own end', async () => {
    const { runtime, clock } = await createWorld()
    const gates = { one: createGate(), two: createGate() }
    const one = board.agent({ phase: 'one', run: () => gates.one.passed })
    const two = board.agent({ phase: 'two', run: () => gates.two.passed })
    const region = (src: 'one' | 'two') => ({
      initial: 'on',
      states: { on: { invoke: { src, onDone: 'off' } }, off: {} },
    })
    const workflow = board
      .workflow({ agents: { one, two } })
      .createMachine({ type: 'parallel', states: { one: region('one'), two: region('two') } })
    const run = await runtime.start(workflow)
    await clock.settle()
    gates.two.open()
    gates.one.open()
    await clock.settle()
    expect(run.snapshots().map(({ id, metadata }) => [id, metadata['status']])).toEqual([
      ['before_one', undefined],
      ['before_two', undefined],
      ['after_two', 'finished'],
      ['after_one', 'finished'],
    ])
  })
})
