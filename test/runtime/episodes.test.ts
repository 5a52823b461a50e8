import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createRuntime, createVolatileStore, defineContext, entry } from 'callboard'
import { createTestClock } from '../support/clock.ts'
import { createWorld, idle, refusalOf } from './world.ts'

const board = defineContext({
  plan: entry(z.string()),
  goal: entry(z.string(), { protected: true }),
  token: entry(z.string(), { sensitive: true }),
  'note.*': entry(z.string()),
})
const workflow = idle(board)

describe('an episode', () => {
  it('is a milestone with a name, an id, its place, what led to it, and where to go on', async () => {
    const { runtime, clock } = await createWorld()
    const run = await runtime.start(workflow)
    await run.update({ plan: 'one' })
    const first = await run.episode('drafted', {
      memoryCommits: ['m1'],
      nextEntryPoint: 'review',
      metadata: { round: 1 },
    })
    expect(first).toMatchObject({
      id: expect.stringMatching(/^ep_/) as string,
      name: 'drafted',
      seq: 3,
      fromSeq: 3,
      at: clock.now(),
      memoryCommits: ['m1'],
      nextEntryPoint: 'review',
    })
    expect(first.metadata).toMatchObject({ round: 1 })
    await run.update({ plan: 'two' })
    const second = await run.episode('reviewed')
    expect(second).toMatchObject({ seq: 5, fromSeq: first.seq, memoryCommits: [], nextEntryPoint: undefined })
    expect(run.episodes()).toEqual([first, second])
    expect(run.snapshots().map(({ id }) => id)).toEqual([first.id, second.id])
  })

  it('is a point like any other: by itself, its id or its name', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(workflow)
    await run.update({ plan: 'one' })
    const drafted = await run.episode('drafted')
    await run.update({ plan: 'two' })
    for (const point of [drafted, drafted.id, 'drafted', drafted.seq]) {
      expect((await run.at(point)).get('plan')).toBe('one')
    }
    expect(await run.diff('drafted', run.seq)).toMatchObject([{ key: 'plan', kind: 'changed' }])
    await run.restore('drafted')
    expect(run.get('plan')).toBe('one')
  })

  it('sums up what happened since the one before: counts by kind in alphabetical order, then the last five events', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(workflow)
    await run.update({ plan: 'one' }, { by: 'ann' })
    await run.update({ goal: 'ship' })
    await run.tryUpdate({ goal: 'rest' }, { by: 'tom' })
    for (let index = 1; index <= 3; index++) await run.update({ [`note.${index}`]: 'x' } as { 'note.1': string })
    expect((await run.episode('a')).summary).toBe(
      [
        'Event counts:',
        '- refusal: 1',
        '- start: 1',
        '- update: 5',
        'Last events:',
        '- 3 update by outside: goal',
        '- 4 refusal by tom: goal',
        '- 5 update by outside: note.1',
        '- 6 update by outside: note.2',
        '- 7 update by outside: note.3',
      ].join('\n'),
    )
    await run.update({ plan: 'two' })
    expect((await run.episode('b')).summary).toBe(
      'Event counts:\n- update: 1\nLast events:\n- 9 update by outside: plan',
    )
  })

  it('has a summary of at most 1,200 characters, without values', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(workflow)
    await run.update({ token: 'hunter2', plan: 'a secret plan' })
    const keys = Array.from({ length: 8 }, (_, index) => `note.${String(index).repeat(400)}`)
    await run.update(Object.fromEntries(keys.map((key) => [key, 'x'])) as { 'note.1': string })
    const { summary } = await run.episode('long')
    expect(Array.from(summary)).toHaveLength(1200)
    expect(summary).not.toMatch(/hunter2|secret/)
  })

  it('is never overwritten or edited', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(workflow)
    const kept = { round: 1, deep: { list: [1] } }
    const first = await run.episode('drafted', { metadata: kept })
    kept.deep.list.push(2)
    const taken = await refusalOf(run.episode('drafted'))
    expect(taken.code).toBe('episode.exists')
    expect((await refusalOf(run.episode(''))).code).toBe('episode.exists')
    expect(() => Object.assign(first, { summary: 'better' })).toThrow(TypeError)
    expect(() => (first.metadata['deep'] as { list: number[] }).list.push(3)).toThrow(TypeError)
    expect(run.episodes()).toEqual([first])
    expect(run.episodes()[0]?.metadata).toMatchObject({ round: 1, deep: { list: [1] } })
  })

  it('asked for twice at once is noted once; two of different names follow each other', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(workflow)
    const asked = await Promise.allSettled([run.episode('a'), run.episode('a'), run.episode('b')])
    expect(asked.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(run.episodes().map(({ name, seq, fromSeq }) => [name, seq, fromSeq])).toEqual([
      ['a', 2, 2],
      ['b', 3, 2],
    ])
  })

  it('is there after a restart, in the same order', async () => {
    const store = createVolatileStore()
    const clock = createTestClock()
    const before = await createRuntime({ store, clock })
    const run = await before.start(workflow, { runId: 'r' })
    await run.episode('a')
    await run.update({ plan: 'one' })
    await run.episode('b')
    const after = await createRuntime({ store, clock, workflows: [workflow] })
    const again = await after.open('r')
    expect(again.episodes()).toEqual(run.episodes())
    expect((await again.at('b')).get('plan')).toBe('one')
    await after.close()
  })

  it('outlives the retention, which takes other snapshots and records away', async () => {
    const { runtime, clock } = await createWorld({
      snapshots: { everyRecords: 4, keep: 1 },
      retention: { keepRecords: 0, keepSnapshots: 0 },
    })
    const run = await runtime.start(workflow)
    await run.update({ plan: 'one' })
    await run.episode('a')
    await run.snapshot('not a milestone')
    for (let round = 0; round < 12; round++) {
      await run.update({ plan: `round ${round}` })
      await clock.settle()
    }
    expect((await refusalOf(run.at(2))).code).toBe('run.trimmed')
    expect(run.snapshots().map(({ reason }) => reason)).toEqual(['a'])
    expect((await run.at('a')).get('plan')).toBe('one')
    const [first] = await run.log({ key: 'plan' })
    expect(first).toMatchObject({
      operation: 'update',
      hadPrevious: true,
      before: expect.stringMatching(/^round/) as string,
    })
    expect((await run.episode('b')).fromSeq).toBe(3)
    expect((await run.fork('a')).get('plan')).toBe('one')
  })

  it('cannot be noted after the end of a run, but be read', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(workflow)
    await run.episode('a')
    await run.stop()
    expect((await refusalOf(run.episode('b'))).code).toBe('run.finished')
    expect((await run.at('a')).seq).toBe(2)
  })
})
