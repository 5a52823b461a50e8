import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createRuntime, createVolatileStore, defineContext, drop, entry, put } from 'callboard'
import type { Compaction, ContextDefinition, Run, WorkflowLimits } from 'callboard'
import { freshPath, openStore } from '../store/world.ts'
import { createTestClock } from '../support/clock.ts'
import { createGate, createWorld, refusalOf } from './world.ts'

const board = defineContext({
  'note.*': entry(z.string(), { merge: 'replace' }),
  plan: entry(z.string(), { priority: 'high' }),
  charter: entry(z.string(), { protected: true, priority: 'low' }),
  summary: entry(z.string(), { pinned: true, merge: 'replace' }),
  verdict: entry(z.string(), { dependsOn: ['plan'], pinned: true }),
})
type Values = typeof board extends ContextDefinition<infer Known> ? Known : never

function limited(limits: WorkflowLimits<Values>, name = 'limited') {
  return board.workflow({ name, limits }).createMachine({
    id: name,
    initial: 'open',
    states: {
      open: { on: { note: { actions: board.write({ 'note.machine': 'by the machine' }) }, stop: 'closed' } },
      closed: { type: 'final' },
    },
  })
}

/** One after the other, each a millisecond later. */
async function writeNotes(
  run: Run<unknown, Values>,
  names: readonly string[],
  clock: { advance(ms: number): unknown },
) {
  for (const name of names) {
    await run.update({ [`note.${name}`]: name } as Values)
    await clock.advance(1)
  }
}

const keysOf = (run: Pick<Run, 'entries'>): readonly string[] =>
  run
    .entries()
    .map(({ key }) => key)
    .sort()

describe('a workflow with limits', () => {
  it('lets the least important entries go, the oldest first, in the record of the update that needs the room', async () => {
    const { runtime, clock } = await createWorld()
    const run = await runtime.start(limited({ maxEntries: 4 }))
    await run.update({ plan: 'the plan' })
    await writeNotes(run, ['a', 'b', 'c'], clock)
    const before = run.seq
    await run.update({ 'note.d': 'd', 'note.e': 'e' })
    expect(run.seq).toBe(before + 1)
    expect(keysOf(run)).toEqual(['note.c', 'note.d', 'note.e', 'plan'])
    const [record] = await run.ledger({ afterSeq: before })
    expect(record?.changes.map(({ kind, key }) => `${kind} ${key}`)).toEqual([
      'put note.d',
      'put note.e',
      'evict note.a',
      'evict note.b',
    ])
  })

  it('keeps to tokens and to bytes as well', async () => {
    const { runtime, clock } = await createWorld()
    // "## note.a (medium, v1, by outside, stale)\n" and 40 characters and two ends of a line: 84 characters, 21 tokens.
    const tokens = await runtime.start(limited({ maxTokens: 43 }))
    const bytes = await runtime.start(limited({ maxBytes: 100 }))
    for (const run of [tokens, bytes]) {
      for (const name of ['a', 'b', 'c']) {
        await run.update({ [`note.${name}`]: '€'.repeat(run === tokens ? 40 : 13) } as Values)
        await clock.advance(1)
      }
    }
    expect(keysOf(tokens)).toEqual(['note.b', 'note.c'])
    // 6 bytes of key, 39 of euros and 2 quotation marks.
    expect(keysOf(bytes)).toEqual(['note.b', 'note.c'])
  })

  it('holds the promise that the whole context fits into a prompt of as many tokens', async () => {
    const { runtime, clock } = await createWorld()
    const reader = board.agent({ reads: ['*'], run: () => undefined })
    const workflow = board.workflow({ limits: { maxTokens: 90 }, agents: { reader } }).createMachine({ id: 'reading' })
    const run = await runtime.start(workflow)
    for (let index = 0; index < 20; index++) {
      await run.update({ [`note.${index}`]: 'word '.repeat(index % 7) } as Values)
      await clock.advance(1)
      expect(
        run
          .view('reader')
          .render({ maxTokens: 90 })
          .plan.filter(({ decision }) => decision !== 'in'),
      ).toEqual([])
    }
    expect((await run.evictions()).length).toBeGreaterThan(5)
  })

  it('never lets go of what is pinned, critical or protected: it refuses, says which limit, and nothing has changed', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(limited({ maxEntries: 3 }))
    await run.update({ summary: 'pinned', charter: 'protected', 'note.a': put('critical', { priority: 'critical' }) })
    const result = await run.tryUpdate({ 'note.b': 'b' })
    expect(result).toMatchObject({ kind: 'refused', reason: 'limit', key: 'note.b' })
    expect(result).toHaveProperty(
      'message',
      'outside may not write "note.b": the run may have 3 entries (limits.maxEntries), and nothing less important than what this update writes can be evicted to make room; write less, drop something, give it a higher priority, or raise the limit',
    )
    expect(keysOf(run)).toEqual(['charter', 'note.a', 'summary'])
    expect(await run.evictions()).toEqual([])
    // What gives room is taken, and so is what takes the place of something else.
    await run.update({ 'note.a': drop(), 'note.b': 'b' })
    expect(keysOf(run)).toEqual(['charter', 'note.b', 'summary'])
  })

  it('does not let something important go for something that matters less', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(limited({ maxEntries: 1 }))
    await run.update({ plan: 'the plan' })
    expect(await run.tryUpdate({ 'note.a': 'a' })).toMatchObject({ kind: 'refused', reason: 'limit' })
    expect(run.get('plan')).toBe('the plan')
  })

  it('lets what has expired go before anything is evicted', async () => {
    const { runtime, clock } = await createWorld()
    const run = await runtime.start(limited({ maxEntries: 2 }))
    await run.update({ 'note.a': 'stays', 'note.b': put('short', { ttlMs: 10, priority: 'high' }) })
    await clock.advance(10)
    await run.update({ 'note.c': 'c' })
    expect(keysOf(run)).toEqual(['note.a', 'note.c'])
    expect(await run.evictions()).toEqual([])
  })

  it('marks what depends on an evicted entry as stale', async () => {
    const { runtime, clock } = await createWorld()
    const run = await runtime.start(limited({ maxEntries: 2 }))
    await run.update({ plan: put('the plan', { priority: 'low' }) })
    await run.update({ verdict: 'good' })
    await clock.advance(1)
    await run.update({ 'note.a': 'a' })
    expect(run.get('plan')).toBeUndefined()
    expect(run.entry('verdict')?.stale).toBe(true)
  })

  it('holds for what the machine writes, too', async () => {
    const { runtime, clock } = await createWorld()
    const run = await runtime.start(limited({ maxEntries: 2 }))
    await writeNotes(run, ['a', 'b'], clock)
    await run.send({ type: 'note' })
    expect(keysOf(run)).toEqual(['note.b', 'note.machine'])
  })

  it('fits in without a catalogue knowing of it: the same board without limits keeps everything', async () => {
    const { runtime, clock } = await createWorld()
    limited({ maxEntries: 2 })
    const run = await runtime.start(board.workflow({ name: 'free' }).createMachine({ id: 'free' }))
    await writeNotes(run, ['a', 'b', 'c'], clock)
    expect(keysOf(run)).toEqual(['note.a', 'note.b', 'note.c'])
  })

  it.each([{ maxTokens: 0 }, { maxEntries: 1.5 }, { maxBytes: Number.NaN }])(
    'refuses limits that make no sense: %j',
    (limits) => {
      expect(() => limited(limits)).toThrow(/limits\.max\w+ is .*; it is a whole number of at least 1/)
    },
  )

  it('says at the start that its own defaults have no room', async () => {
    const { runtime } = await createWorld()
    const full = defineContext({ a: entry(z.int(), { default: 1 }), b: entry(z.int(), { default: 2 }) })
    const workflow = full.workflow({ limits: { maxEntries: 1 } }).createMachine({ id: 'full' })
    expect(await refusalOf(runtime.start(workflow))).toMatchObject({ code: 'update.refused' })
  })
})

describe('what was evicted', () => {
  it('is listed with its value, for which limit it went, and how much was needed', async () => {
    const { runtime, clock } = await createWorld()
    const run = await runtime.start(limited({ maxEntries: 2 }))
    await writeNotes(run, ['a', 'b'], clock)
    await run.update({ 'note.c': 'c' }, { by: 'Ada' })
    const [evicted, ...others] = await run.evictions()
    expect(others).toEqual([])
    expect(evicted).toMatchObject({
      key: 'note.a',
      version: 1,
      seq: run.seq,
      by: 'Ada',
      limit: 'maxEntries',
      max: 2,
      needed: 3,
      entry: { value: 'a', version: 1 },
    })
    expect((await run.at(run.seq - 1)).get('note.a')).toBe('a')
  })

  it('is in the change log, with why', async () => {
    const { runtime, clock } = await createWorld()
    const run = await runtime.start(limited({ maxEntries: 1 }))
    await writeNotes(run, ['a', 'b'], clock)
    expect((await run.log()).at(-1)).toMatchObject({
      operation: 'evict',
      key: 'note.a',
      before: 'a',
      after: undefined,
      detail: '2 were needed, maxEntries allows 1',
    })
  })

  it('comes back when the run goes back to a point at which it was there, as far as there is room', async () => {
    const { runtime, clock } = await createWorld()
    const run = await runtime.start(limited({ maxEntries: 2 }))
    await writeNotes(run, ['a', 'b'], clock)
    const then = run.seq
    await writeNotes(run, ['c', 'd'], clock)
    await run.restore(then)
    expect(keysOf(run)).toEqual(['note.a', 'note.b'])
  })

  it('is explained, also after a restart that begins at a snapshot', async () => {
    const store = await openStore(freshPath())
    const workflow = limited({ maxEntries: 2 })
    const clock = createTestClock()
    const options = { store, clock, workflows: [workflow], snapshots: { everyRecords: 3 } }
    const before = await createRuntime(options)
    const run = await before.start(workflow, { runId: 'r' })
    await writeNotes(run, ['a', 'b', 'c', 'd'], clock)
    const sentence = '"note.b" made room at 5 for what outside wrote: 3 were needed, maxEntries allows 2'
    expect(run.explain().evictions.map(({ key }) => key)).toEqual(['note.a', 'note.b'])
    expect(run.explain().text).toContain(sentence)
    await clock.settle()
    // Abandoned, as by a process that is killed.
    const { runs } = await (await createRuntime(options)).recover()
    expect(runs[0]?.explain().text).toContain(sentence)
    expect(runs[0]?.explain().evictions).toEqual(run.explain().evictions)
    expect(keysOf(runs[0] as Run)).toEqual(['note.c', 'note.d'])
    // And it goes on evicting as if nothing had happened.
    await runs[0]?.update({ 'note.e': 'e' })
    expect(keysOf(runs[0] as Run)).toEqual(['note.d', 'note.e'])
  })

  it('counts its versions on when it is written again', async () => {
    const { runtime, clock } = await createWorld()
    const run = await runtime.start(limited({ maxEntries: 1 }))
    await writeNotes(run, ['a', 'b', 'a'], clock)
    expect(run.entry('note.a')).toMatchObject({ version: 3, metadata: { created_by: 'outside' } })
    expect(run.entry('note.a')?.metadata).not.toHaveProperty('evicted')
  })
})

describe('a compact hook', () => {
  it('is told after the commit what went, and can keep a summary of it', async () => {
    const { runtime, clock } = await createWorld()
    const told: Compaction<Values>[] = []
    const run = await runtime.start(
      limited({
        maxEntries: 3,
        compact: async (compaction) => {
          told.push(compaction)
          const { evicted, update } = compaction
          await update({ summary: evicted.map(({ entry: { value } }) => value).join(', ') })
        },
      }),
    )
    await run.update({ summary: 'nothing yet' })
    await writeNotes(run, ['a', 'b', 'c'], clock)
    await clock.settle()
    expect(told).toHaveLength(1)
    expect(told[0]).toMatchObject({
      runId: run.id,
      evicted: [{ entry: { key: 'note.a', value: 'a' }, limit: 'maxEntries', max: 3, needed: 4 }],
    })
    expect(run.entry('summary')).toMatchObject({ value: 'a', updatedBy: 'compact' })
  })

  it('is called one at a time: what goes meanwhile comes with the next call', async () => {
    const { runtime, clock } = await createWorld()
    const gate = createGate()
    const calls: string[][] = []
    const run = await runtime.start(
      limited({
        maxEntries: 1,
        compact: ({ evicted }) => {
          calls.push(evicted.map(({ entry: { key } }) => key))
          return gate.passed
        },
      }),
    )
    await writeNotes(run, ['a', 'b', 'c', 'd'], clock)
    expect(calls).toEqual([['note.a']])
    gate.open()
    await clock.settle()
    expect(calls).toEqual([['note.a'], ['note.b', 'note.c']])
  })

  it('that throws harms nothing and is reported', async () => {
    const { runtime, clock } = await createWorld()
    const failures: unknown[] = []
    runtime.on('failure', ({ topic, error }) => failures.push(`${topic}: ${String((error as Error).message)}`))
    const run = await runtime.start(
      limited({
        maxEntries: 1,
        compact: () => {
          throw new Error('no model today')
        },
      }),
    )
    await writeNotes(run, ['a', 'b', 'c'], clock)
    await clock.settle()
    expect(failures).toEqual(['compact: no model today', 'compact: no model today'])
    expect(keysOf(run)).toEqual(['note.c'])
  })

  it('is told of an ephemeral entry as it was, though no store keeps it', async () => {
    const scratch = defineContext({ 'scratch.*': entry(z.string(), { ephemeral: true }) })
    const values: unknown[] = []
    const store = createVolatileStore()
    const { runtime, clock } = await createWorld({ store })
    const workflow = scratch
      .workflow({
        limits: {
          maxEntries: 1,
          compact: ({ evicted }) => void values.push(...evicted.map(({ entry: { value } }) => value)),
        },
      })
      .createMachine({ id: 'scratch' })
    const run = await runtime.start(workflow)
    await run.update({ 'scratch.a': 'first' })
    await clock.advance(1)
    await run.update({ 'scratch.b': 'second' })
    await clock.settle()
    expect(values).toEqual(['first'])
  })
})
