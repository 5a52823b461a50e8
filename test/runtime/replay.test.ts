// What is executed again with the same workflow comes out the same; with another one, the first difference is found.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { assign, createMachine, sendParent } from 'xstate'
import type { AnyStateMachine } from 'xstate'
import {
  createRuntime,
  createVolatileStore,
  defineContext,
  drop,
  entry,
  exportLedger,
  importLedger,
  patch,
  put,
  replayRun,
} from 'callboard'
import type { ReplayReport, Run, Store } from 'callboard'
import { openSqlite } from 'callboard/sqlite'
import { createTestClock } from '../support/clock.ts'

/** What is different in one version of the workflow from another. */
interface Variant {
  readonly limit?: number
  readonly merge?: 'union' | 'append'
  readonly note?: string
  readonly first?: string
}

/** Calls of actions: only of a run that is alive. */
const calls: string[] = []

function makeWorkflow({ limit = 3, merge = 'union', note = 'over', first = 'low' }: Variant = {}): AnyStateMachine {
  const board = defineContext({
    count: entry(z.number(), { merge: 'counter', default: 0 }),
    list: entry(z.array(z.string()), { merge }),
    settings: entry(z.object({ theme: z.string(), size: z.number() })),
    note: entry(z.string(), { dependsOn: ['list'] }),
    kept: entry(z.string(), { protected: true }),
    passing: entry(z.string(), { ephemeral: true }),
    short: entry(z.string(), { ttlMs: 300 }),
    shared: entry(z.number(), { scope: 'global', merge: 'max' }),
    api_key: entry(z.string()),
    'free.*': entry(z.unknown(), { infer: true }),
  })
  const lamp = createMachine({
    id: 'lamp',
    initial: 'off',
    context: { times: 0 },
    states: {
      off: { after: { 500: 'on' } },
      on: {
        entry: [assign({ times: ({ context }) => context.times + 1 }), sendParent({ type: 'lit' })],
        after: { 200: 'off' },
      },
    },
  })
  const child = board.workflow({ name: 'child', output: z.string() }).createMachine({
    initial: 'on',
    states: { on: { after: { 400: 'end' } }, end: { type: 'final' } },
    output: 'from the child',
  })
  const worker = board.agent({
    reads: ['settings', 'list', 'count'],
    writes: ['*'],
    run: async ({ step, update, tryUpdate, view, waitFor }) => {
      await update({ list: [await step('think', () => 'a')], settings: { theme: 'light', size: 1 } })
      view.get('settings')
      await update({ settings: patch({ size: 2 }), api_key: 'sk-secret', passing: 'soon gone' })
      await tryUpdate({ list: ['x'] }, { expectedVersion: { list: 9 } })
      await waitFor('count', { fresh: true, timeoutMs: 100 }).catch(() => {})
      throw Object.assign(new Error('out of ink'), { code: 'ink' })
    },
  })
  return board.workflow({ name: 'replayed', agents: { worker, child, lamp } }).createMachine({
    id: 'replayed',
    type: 'parallel',
    states: {
      work: {
        initial: 'going',
        states: {
          going: {
            invoke: {
              src: 'worker',
              onError: {
                target: 'failed',
                actions: board.write({
                  note: ({ event }) => String((event as unknown as { error: { message: string } }).error.message),
                }),
              },
            },
          },
          failed: {},
        },
      },
      level: {
        initial: first,
        states: {
          low: { always: { guard: board.when('count', (count) => Number(count) > limit), target: 'high' } },
          high: {
            entry: [board.write({ list: [note] }), () => void calls.push('high')],
            on: { again: { target: 'low', actions: board.write({ count: -1 }) } },
          },
        },
      },
      lights: {
        invoke: { src: 'lamp', id: 'lamp' },
        on: { lit: { actions: board.write({ 'free.lit': 'lit' }) } },
      },
      nested: { initial: 'on', states: { on: { invoke: { src: 'child', onDone: 'off' } }, off: {} } },
    },
  }) as unknown as AnyStateMachine
}

type Step =
  | readonly ['count', number]
  | readonly ['list', readonly string[]]
  | readonly ['settings', string]
  | readonly ['drop', 'list' | 'settings' | 'short']
  | readonly ['other', number]
  | readonly ['event', string]
  | readonly ['later', number]

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    fc.tuple(fc.constant('count' as const), fc.integer({ min: -3, max: 5 })),
    fc.tuple(fc.constant('list' as const), fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 3 })),
    fc.tuple(fc.constant('settings' as const), fc.constantFrom('dark', 'light')),
    fc.tuple(fc.constant('drop' as const), fc.constantFrom('list' as const, 'settings' as const, 'short' as const)),
    fc.tuple(fc.constant('other' as const), fc.nat(9)),
    fc.tuple(fc.constant('event' as const), fc.constantFrom('again', 'unknown')),
    fc.tuple(fc.constant('later' as const), fc.integer({ min: 1, max: 400 })),
  ),
  { maxLength: 16 },
)

/** A run in which these things happened. */
async function makeRun(done: readonly Step[], workflow = makeWorkflow()): Promise<Store> {
  const clock = createTestClock()
  const store = createVolatileStore()
  const runtime = await createRuntime({ store, clock })
  const run = await runtime.start<AnyStateMachine>(workflow, { runId: 'r' })
  const other = await runtime.start<AnyStateMachine>(workflow, { runId: 'other' })
  await clock.settle()
  for (const step of done) {
    // Two runs that change global entries at one instant would leave open who was first.
    await clock.advance(1)
    switch (step[0]) {
      case 'count':
        await run.update({ count: step[1], short: put('x', { priority: 'high', metadata: { by: step[1] } }) } as never)
        break
      case 'list':
        await run.update({ list: step[1], 'free.thing': step[1] } as never, { by: 'Ada' })
        break
      case 'settings':
        await run.tryUpdate({ settings: patch({ theme: step[1] }), kept: step[1] } as never)
        break
      case 'drop':
        await run.tryUpdate({ [step[1]]: drop() } as never)
        break
      case 'other':
        await other.update({ shared: step[1] } as never)
        await clock.advance(1)
        await run.update({ shared: 5, note: 'n' } as never)
        break
      case 'event':
        await run.send({ type: step[1], when: new Date(5), many: [1n, undefined] })
        break
      default:
        await clock.advance(step[1])
    }
  }
  await run.snapshot('here')
  await runtime.close()
  return store
}

const replay = (store: Store, variant: Variant = {}): Promise<ReplayReport> =>
  replayRun({ store, workflow: makeWorkflow(variant), runId: 'r' })

const USUAL: readonly Step[] = [
  ['list', ['b', 'a']],
  ['count', 2],
  ['settings', 'dark'],
  ['other', 7],
  ['count', 5],
  ['later', 400],
  ['event', 'again'],
  ['drop', 'list'],
  ['later', 350],
  ['list', ['c']],
]

describe('a run that is replayed with the workflow it was made with', () => {
  it('comes out the same, record by record, whatever happened in it', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (done) => {
        const store = await makeRun(done)
        const { difference, takenOver, records } = await replay(store)
        expect(difference).toBeUndefined()
        expect(takenOver).toEqual([])
        expect(records).toBe((await store.summary('r'))?.seq)
      }),
      { numRuns: 60 },
    )
  })

  it('does nothing to the world, and nothing to the store', async () => {
    const store = await makeRun(USUAL)
    const before = await store.verify()
    calls.length = 0
    expect((await replay(store)).difference).toBeUndefined()
    expect(calls).toEqual([])
    expect(await store.verify()).toEqual(before)
  })

  it('goes through its child runs by themselves', async () => {
    const store = await makeRun(USUAL)
    const children = (await store.list()).filter(({ parent }) => parent?.runId === 'r')
    expect(children).toHaveLength(1)
    const child = defineContext({})
      .workflow({ name: 'child' })
      .createMachine({
        initial: 'on',
        states: { on: { after: { 400: 'end' } }, end: { type: 'final' } },
        output: 'from the child',
      })
    const report = await replayRun({ store, workflow: child, runId: children[0]?.runId ?? '' })
    expect(report.difference?.message).toMatch(/"count" does not change now/)
  })

  it('goes on behind a restart, and behind records that were dropped', async () => {
    const clock = createTestClock()
    const store = createVolatileStore()
    const workflow = makeWorkflow()
    const options = {
      store,
      clock,
      workflows: [workflow],
      snapshots: { everyRecords: 5 },
      retention: { keepRecords: 4 },
    }
    const first = await createRuntime(options)
    const run = await first.start<AnyStateMachine>(workflow, { runId: 'r' })
    await clock.settle()
    for (let count = 0; count < 8; count++) await run.update({ count: 1, list: [`${count}`] } as never)
    const later = createTestClock(clock.now())
    const second = await createRuntime({ ...options, clock: later })
    const again = await second.open('r')
    await later.advance(600)
    for (let count = 0; count < 8; count++) await again.update({ count: 1 } as never)
    await again.send({ type: 'again' })
    await later.settle()
    const report = await replay(store)
    expect(report.difference).toBeUndefined()
    expect(report.records).toBeGreaterThan(4)
    expect(report.records).toBeLessThan(again.seq)
  })
})

describe('a run that is replayed when a process has ended in which it had ephemeral entries', () => {
  const board = defineContext({
    scratch: entry(z.string(), { ephemeral: true }),
    count: entry(z.number(), { merge: 'counter' }),
    made: entry(z.string(), { dependsOn: ['scratch'] }),
  })
  const workflow = board.workflow({ name: 'w' }).createMachine({
    initial: 'one',
    states: {
      one: { tags: 'phase', on: { go: 'two' } },
      two: { on: { end: { guard: board.when('count', (count) => Number(count) > 0), target: 'three' } } },
      three: { type: 'final' },
    },
  })
  const lost = 'what was ephemeral was lost with a process that had ended'

  /** One that forgets what is ephemeral. */
  async function openStore(): Promise<Store> {
    const folder = mkdtempSync(join(tmpdir(), 'callboard-replay-'))
    const store = await openSqlite(join(folder, 'runs.db'), { durability: 'process' })
    onTestFinished(async () => {
      await store.close()
      rmSync(folder, { recursive: true })
    })
    return store
  }

  /** A run in processes that follow each other. */
  async function makeRunOf(...processes: readonly ((run: Run) => Promise<unknown>)[]): Promise<Store> {
    const store = await openStore()
    const clock = createTestClock()
    for (const [index, act] of processes.entries()) {
      const runtime = await createRuntime({ store, clock, workflows: [workflow] })
      await act(
        (index === 0 ? await runtime.start(workflow, { runId: 'r' }) : await runtime.open('r')) as unknown as Run,
      )
      await clock.advance(1)
      await runtime.close({ runs: 'keep' })
    }
    return store
  }
  const write = (run: Run): Promise<unknown> => run.update({ scratch: 'x', made: 'of x', count: 1 } as never)
  const end = async (run: Run): Promise<void> => {
    await run.send({ type: 'go' })
    await run.send({ type: 'end' })
    await run.done
  }

  it('comes out the same, as it went on without them', async () => {
    const store = await makeRunOf(write, end)
    const report = await replayRun({ store, workflow, runId: 'r' })
    expect(report.difference).toBeUndefined()
    expect(report.takenOver).toEqual([{ seq: 4, why: lost }])
    expect(report.records).toBe((await store.summary('r'))?.seq)
  })

  it('comes out the same where they were written anew, in as many processes as there were', async () => {
    const store = await makeRunOf(write, write, write, end)
    const report = await replayRun({ store, workflow, runId: 'r' })
    expect(report.difference).toBeUndefined()
    expect(report.takenOver.map(({ why }) => why)).toEqual([lost, lost, lost])
  })

  it('takes nothing over where the process that had them went on to the end', async () => {
    const store = await makeRunOf(async (run) => {
      await write(run)
      await end(run)
    })
    expect(await replayRun({ store, workflow, runId: 'r' })).toMatchObject({ difference: undefined, takenOver: [] })
  })

  it('still finds what is different for another reason, and says where', async () => {
    const other = board.workflow({ name: 'w' }).createMachine({
      initial: 'one',
      states: { one: { tags: 'phase', on: { go: 'three' } }, three: { type: 'final' } },
    })
    const store = await makeRunOf(write, end)
    const report = await replayRun({ store, workflow: other, runId: 'r' })
    expect(report.difference).toMatchObject({ seq: 4 })
    expect(report).toMatchObject({ records: 3, takenOver: [] })
  })

  it('takes over what became of those from before the records that are kept', async () => {
    const clock = createTestClock()
    const store = await openStore()
    const keeping = { snapshots: { everyRecords: 4, keep: 1 }, retention: { keepRecords: 0 } }
    const runtime = await createRuntime({ store, clock, ...keeping })
    const run = await runtime.start(workflow, { runId: 'r' })
    await write(run as unknown as Run)
    for (let count = 0; count < 6; count++) await run.update({ count: 1 })
    await end(run as unknown as Run)
    await runtime.close()
    const report = await replayRun({ store, workflow, runId: 'r' })
    expect(report.difference).toBeUndefined()
    expect(report.takenOver.map(({ why }) => why)).toEqual(['what was ephemeral before is not known'])
  })
})

describe('a run that is replayed when changes to global entries were dropped', () => {
  const board = defineContext({
    note: entry(z.string()),
    top: entry(z.number(), { scope: 'global', merge: 'max' }),
  })
  const counting = board.workflow({ name: 'counting' }).createMachine({ id: 'counting' })
  const quiet = defineContext({ note: entry(z.string()) })
  const noting = quiet.workflow({ name: 'noting' }).createMachine({ id: 'noting' })

  it('goes on from where they are known again, if it uses them at all', async () => {
    const clock = createTestClock()
    const store = createVolatileStore()
    const keeping = { snapshots: { everyRecords: 6, keep: 1 }, retention: { keepRecords: 0 } }
    const runtime = await createRuntime({ store, clock, ...keeping })
    const run = await runtime.start(counting, { runId: 'r' })
    const without = await runtime.start(noting, { runId: 'n' })
    const other = await runtime.start(counting, { runId: 'other' })
    await run.update({ top: 100 })
    await without.update({ note: 'early' })
    for (let top = 101; top <= 110; top++) {
      await clock.advance(1)
      await other.update({ top })
    }
    await clock.advance(1)
    await run.update({ top: 7, note: 'late' })
    expect(run.get('top')).toBe(110)
    await without.update({ note: 'late' })
    expect(await replayRun({ store, workflow: counting, runId: 'r' })).toEqual({
      runId: 'r',
      records: 1,
      takenOver: [{ seq: 2, why: 'the global entries of until then were dropped' }],
      difference: undefined,
    })
    expect(await replayRun({ store, workflow: noting, runId: 'n' })).toMatchObject({ records: 3, takenOver: [] })
  })
})

describe('a run that is replayed in another database', () => {
  const board = defineContext({
    rate: entry(z.number(), { scope: 'global', default: 2, merge: 'counter' }),
    price: entry(z.number()),
  })
  const workflow = board.workflow({ name: 'pricing' }).createMachine({
    initial: 'low',
    states: { low: { always: { guard: board.when('rate', (rate) => Number(rate) > 5), target: 'high' } }, high: {} },
  })
  const unknown = 'the global entries that it saw are not known here'

  /** Two runs that share a rate. */
  async function makeTwo(): Promise<Store> {
    const clock = createTestClock()
    const store = createVolatileStore()
    const runtime = await createRuntime({ store, clock })
    const [one, two] = [
      await runtime.start(workflow, { runId: 'one' }),
      await runtime.start(workflow, { runId: 'two' }),
    ]
    for (const run of [one, two, one]) {
      await clock.advance(1)
      await run.update({ rate: 2 })
      await run.update({ price: 1 })
    }
    await two.update({ price: 2 })
    return store
  }
  const replayed = (store: Store, runId: string): Promise<ReplayReport> => replayRun({ store, workflow, runId })

  it('takes over what comes of global entries that are not here', async () => {
    const here = createVolatileStore()
    const there = await makeTwo()
    expect(await replayed(there, 'two')).toMatchObject({ difference: undefined, takenOver: [] })
    await importLedger(here, await exportLedger(there, 'two'))
    const report = await replayed(here, 'two')
    expect(report.difference).toBeUndefined()
    expect(report.records).toBe((await here.summary('two'))?.seq)
    expect(new Set(report.takenOver.map(({ why }) => why))).toEqual(new Set([unknown]))
  })

  it('takes over the global changes of a run that was imported again under another id', async () => {
    const store = await makeTwo()
    for (const runId of ['one', 'two']) {
      await importLedger(store, await exportLedger(store, runId), { runId: `${runId}-copy` })
      const report = await replayed(store, `${runId}-copy`)
      expect(report.difference).toBeUndefined()
      expect(report.records).toBe((await store.summary(runId))?.seq)
    }
  })

  it('still finds what is different where it is known what it saw', async () => {
    const clock = createTestClock()
    const here = createVolatileStore()
    await importLedger(here, await exportLedger(await makeTwo(), 'two'))
    const runtime = await createRuntime({
      store: here,
      clock: createTestClock(clock.now() + 10),
      workflows: [workflow],
    })
    const run = await runtime.open('two')
    const imported = run.seq
    await run.update({ price: 3 } as never)
    await run.update({ rate: 9 } as never)
    await run.update({ price: 4 } as never)
    expect((await replayed(here, 'two')).difference).toBeUndefined()
    const other = defineContext({
      rate: entry(z.number(), { scope: 'global', default: 2, merge: 'max' }),
      price: entry(z.number(), { merge: 'counter' }),
    })
    const changed = other.workflow({ name: 'pricing' }).createMachine({
      initial: 'low',
      states: { low: { always: { guard: other.when('rate', (rate) => Number(rate) > 5), target: 'high' } }, high: {} },
    })
    const report = await replayRun({ store: here, workflow: changed, runId: 'two' })
    expect(report.difference?.key).toBe('price')
    expect(report.difference?.seq).toBeGreaterThan(imported)
  })
})

describe('a run that is replayed with another workflow', () => {
  it.each<[what: string, variant: Variant, difference: object]>([
    ['another guard', { limit: 1 }, { key: 'list', message: '"list" changes now' }],
    ['another policy', { merge: 'append' }, { key: 'list', message: 'the value of "list" is another' }],
    [
      'another value that the machine writes',
      { note: 'above' },
      { key: 'list', message: 'the value of "list" is another' },
    ],
    ['another initial state', { first: 'high' }, { seq: 1, key: 'list', message: '"list" changes now' }],
  ])('%s: the first difference is told, with its place and without values', async (_what, variant, difference) => {
    const store = await makeRun(USUAL)
    const report = await replay(store, variant)
    expect(report.difference).toMatchObject(difference)
    expect(report.records).toBe((report.difference?.seq ?? 0) - 1)
    const records = await store.read('r', { afterSeq: report.records, limit: 1 })
    expect(records[0]?.seq).toBe(report.difference?.seq)
  })

  it('a ledger that says something else came of it is found out', async () => {
    const store = await makeRun(USUAL)
    const records = await store.read('r')
    // A later one: of the first, the value that was asked is the one that came of it.
    const index = records.findLastIndex(({ kind, changes }) => kind === 'update' && changes[0]?.key === 'count')
    const [record] = records.slice(index)
    const [change] = record?.changes ?? []
    if (record === undefined || change === undefined) throw new TypeError('there is no such record')
    const forged = { ...change, cell: { ...change.cell, entry: { ...change.cell.entry, value: 40 } } }
    const asked = record.asked
    const edited = createVolatileStore()
    const batch = {
      runId: 'r',
      expectedSeq: 0,
      records: records.with(index, { ...record, asked, changes: [forged, ...record.changes.slice(1)] }),
      summary: (await store.summary('r')) as never,
    }
    const [globals, about] = [await store.read('global:default'), await store.summary('global:default')]
    await edited.append([batch, { runId: 'global:default', expectedSeq: 0, records: globals, summary: about as never }])
    expect((await replay(edited)).difference).toMatchObject({ seq: record.seq, key: 'count' })
  })
})

describe('what a record does not tell', () => {
  it('is taken over and said: a restore, a branch, a policy given as a function', async () => {
    const board = defineContext({ list: entry(z.array(z.string()), { merge: 'union' }), done: entry(z.boolean()) })
    const scribe = board.agent({
      reads: ['list'],
      writes: ['list'],
      isolation: 'branch',
      run: async ({ update }) => void (await update({ list: ['from a branch'] })),
    })
    const workflow = board.workflow({ name: 'w', agents: { scribe } }).createMachine({
      initial: 'on',
      states: {
        on: { invoke: { src: 'scribe', onDone: 'off' } },
        off: { always: { guard: board.when('done', (done) => done === true), target: 'end' } },
        end: { type: 'final' },
      },
    })
    const clock = createTestClock()
    const store = createVolatileStore()
    const runtime = await createRuntime({ store, clock })
    const run = await runtime.start(workflow, { runId: 'r' })
    await clock.settle()
    await run.update({ list: ['b'] })
    const { seq } = await run.snapshot('before')
    const longest = function longest({ current, update }: { current?: unknown; update: unknown }) {
      return { kind: 'accept' as const, value: String(current).length > String(update).length ? current : update }
    }
    await run.update({ list: put(['a much longer text'], { policy: longest as never }) })
    await run.restore(seq)
    const fork = await run.fork(seq, { runId: 'f' })
    await run.update({ done: true })
    const report = await replayRun({ store, workflow, runId: 'r' })
    expect(report.difference).toBeUndefined()
    expect(report.takenOver.map(({ why }) => why)).toEqual([
      'a branch was merged',
      'the policy "longest" was given with the update',
      'entries were restored',
    ])
    await fork.update({ done: true })
    const forked = await replayRun({ store, workflow, runId: 'f' })
    expect(forked).toMatchObject({
      difference: undefined,
      takenOver: [{ seq: 1, why: 'it was forked from another run' }],
    })
    await runtime.close()
  })
})
