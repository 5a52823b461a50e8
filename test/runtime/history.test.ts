import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineContext, drop, entry } from 'callboard'
import { createWorld, refusalOf } from './world.ts'

const board = defineContext({
  plan: entry(z.string()),
  budget: entry(z.int()),
  hidden: entry(z.string(), { sensitive: true }),
})
const planner = board.agent({
  reads: ['*'],
  run: async ({ signal }) => {
    await new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error))
    })
  },
})
const workflow = board.workflow({ agents: { planner } }).createMachine({
  initial: 'drafting',
  invoke: { src: 'planner' },
  states: { drafting: { on: { submit: 'review' } }, review: {} },
})

describe('time travel', () => {
  it('reads the run as it was at any seq: entries, state, and what an agent saw', async () => {
    const { runtime, clock } = await createWorld()
    const run = await runtime.start(workflow)
    const startedAt = clock.now()
    await run.update({ plan: 'one', hidden: 'x' })
    await clock.advance(50)
    await run.update({ plan: 'two', budget: 5 })
    await run.send({ type: 'submit' })
    await run.update({ plan: drop() })
    const early = await run.at(2)
    expect(early).toMatchObject({ seq: 2, at: startedAt, state: 'drafting' })
    expect(early.get('plan')).toBe('one')
    expect(early.entries().map(({ key, version }) => [key, version])).toEqual([
      ['plan', 1],
      ['hidden', 1],
    ])
    expect(early.view('planner').toObject()).toEqual({ plan: 'one' })
    const later = await run.at(4)
    expect(later).toMatchObject({ seq: 4, at: startedAt + 50, state: 'review' })
    expect((await run.viewAt('planner', 3)).toObject()).toEqual({ plan: 'two', budget: 5 })
    expect((await run.viewAt('planner', 5)).toObject()).toEqual({ budget: 5 })
    // By its type, whoever was not invoked.
    expect((await run.viewAt('somebody', 3, { type: 'planner' })).toObject()).toEqual({ plan: 'two', budget: 5 })
    await expect(run.viewAt('somebody', 3)).rejects.toThrow('agent type "somebody"')
    expect(run.get('plan')).toBeUndefined()
    expect(run.seq).toBe(5)
  })

  it('gives the same for the newest seq as the live run', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(workflow)
    await run.update({ plan: 'one', budget: 5 })
    await run.update({ budget: 6 })
    const now = await run.at(run.seq)
    expect(now.entries()).toEqual(run.entries())
    expect(now.view('planner').toObject()).toEqual(run.view('planner').toObject())
    expect(now.view('planner').seq).toBe(run.view('planner').seq)
    expect(now.state).toEqual(run.state)
  })

  it('compares any two points, in both directions', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(workflow)
    await run.update({ plan: 'one', budget: 5 })
    await run.update({ plan: 'two', hidden: 'x' })
    await run.update({ budget: drop() })
    const forward = await run.diff(2, 4)
    expect(forward.map(({ kind, key, before, after }) => [kind, key, before?.value, after?.value])).toEqual([
      ['removed', 'budget', 5, undefined],
      ['added', 'hidden', undefined, 'x'],
      ['changed', 'plan', 'one', 'two'],
    ])
    const backward = await run.diff(4, 2)
    expect(backward.map(({ kind, key }) => [kind, key])).toEqual([
      ['added', 'budget'],
      ['removed', 'hidden'],
      ['changed', 'plan'],
    ])
    expect(await run.diff(3, 3)).toEqual([])
  })

  it('says which points there are when asked for one there is not', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(workflow, { runId: 'r1' })
    await run.update({ budget: 1 })
    for (const point of [0, 3, 1.5, -1, Number.NaN, 'nothing', '3', '']) {
      const error = await refusalOf(run.at(point))
      expect(error.code).toBe('run.no-such-seq')
      expect(error.message).toContain('its last record is 2')
    }
    for (const nothing of [null, undefined, {}] as never[]) {
      for (const asked of [
        run.at(nothing),
        run.viewAt('writer', nothing),
        run.diff(1, nothing),
        runtime.fork('r1', nothing),
      ])
        expect((await refusalOf(asked)).code).toBe('run.no-such-seq')
    }
  })

  it('takes the number of a record as a text, too, unless an episode has that name', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(workflow, { runId: 'r1' })
    await run.update({ budget: 1 })
    await run.update({ budget: 2 })
    expect((await run.at('2')).get('budget')).toBe(1)
    expect((await run.fork('2', { runId: 'other' })).get('budget')).toBe(1)
    await run.episode('2')
    expect((await run.at('2')).get('budget')).toBe(2)
  })

  it('goes on working after the run has ended', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(workflow)
    await run.update({ plan: 'one' })
    await run.stop()
    expect((await run.at(2)).get('plan')).toBe('one')
    expect((await run.at(1)).get('plan')).toBeUndefined()
  })
})

describe('snapshots', () => {
  it('name a point by an id of their own, with a reason and metadata, and can be read and compared', async () => {
    const { runtime, clock } = await createWorld()
    const run = await runtime.start(workflow)
    await run.update({ budget: 1 })
    const before = await run.snapshot('before the change', { round: 1 })
    const again = await run.snapshot('before the change')
    expect(before).toMatchObject({ seq: 3, at: clock.now(), reason: 'before the change', metadata: { round: 1 } })
    expect(again.id).not.toBe(before.id)
    await run.update({ budget: 2 })
    expect((await run.at(before.id)).get('budget')).toBe(1)
    expect((await run.diff(before.id, run.seq)).map(({ key, kind }) => [key, kind])).toEqual([['budget', 'changed']])
    expect(run.snapshots()).toEqual([before, again])
    expect((await run.ledger()).filter(({ kind }) => kind === 'snapshot')).toHaveLength(2)
  })

  it('handed out cannot change what is kept', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(workflow)
    const metadata = { round: 1 }
    const info = await run.snapshot('mine', metadata)
    metadata.round = 2
    expect(info.metadata).toEqual({ round: 1 })
    expect(() => Object.assign(info, { seq: 0 })).toThrow(TypeError)
    ;(run.snapshots() as unknown[]).pop()
    expect(run.snapshots()).toHaveLength(1)
  })
})

it('what is read from a run cannot be used to change it', async () => {
  const { runtime } = await createWorld()
  const things = defineContext({ thing: entry(z.object({ when: z.date(), list: z.array(z.int()) })) })
  const run = await runtime.start(things.workflow().createMachine({}))
  const mine = { when: new Date(0), list: [1] }
  await run.update({ thing: mine })
  mine.list.push(2)
  mine.when.setTime(5)
  for (const read of [
    () => run.get('thing'),
    () => run.entry('thing')?.value,
    () => run.entries()[0]?.value as typeof mine,
  ]) {
    const got = read()
    got?.when.setTime(99)
    expect(() => got?.list.push(3)).toThrow(TypeError)
    expect(run.get('thing')).toEqual({ when: new Date(0), list: [1] })
  }
})
