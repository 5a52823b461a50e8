import { describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import {
  createRuntime,
  createVolatileStore,
  defineContext,
  drop,
  entry,
  exportLedger,
  importLedger,
  put,
  replayRun,
} from 'callboard'

import { packRun, unpackRun } from 'callboard/pack'
import type { Runtime, Store } from 'callboard'
import { createTestClock } from '../support/clock.ts'
import { wrapStore } from '../store/wrapped.ts'
import type { TestClock } from '../support/clock.ts'
import { createGate, createWorld, idle, refusalOf, together } from './world.ts'

const prices = defineContext({
  rate: entry(z.number(), { scope: 'global' }),
  quote: entry(z.string(), { dependsOn: ['rate'] }),
})
const news = defineContext({
  rate: entry(z.number(), { scope: 'global' }),
  headline: entry(z.string()),
})

it('a global entry is seen by every run of every workflow, now and later', async () => {
  const { runtime } = await createWorld()
  const one = await runtime.start(idle(prices))
  const other = await runtime.start(idle(news))
  await one.update({ rate: 7 })
  expect(other.get('rate')).toBe(7)
  const late = await runtime.start(idle(news))
  expect(late.get('rate')).toBe(7)
  expect(late.entries().map(({ key, scope }) => [key, scope])).toEqual([['rate', 'global']])
  expect(late.seq).toBe(1)
})

it('entries of the workflow stay in their run', async () => {
  const { runtime } = await createWorld()
  const one = await runtime.start(idle(prices))
  const other = await runtime.start(idle(prices))
  await one.update({ quote: 'mine' })
  expect(other.get('quote')).toBeUndefined()
})

it('waits and subscriptions of another run learn of a global change', async () => {
  const { runtime, clock } = await createWorld()
  const told: string[] = []
  const reads = news.agent({
    reads: ['rate'],
    writes: ['headline'],
    run: async ({ waitFor, update, on, view }) => {
      on('rate', ({ by, runId, version }) => told.push(`${by} ${runId} ${version}`))
      await update({ headline: `rate is ${await waitFor('rate')}` })
      await waitFor('rate', { since: view.entry('rate')?.version ?? 0 })
    },
  })
  const reader = await runtime.start(together(news, { reads }), { runId: 'reader' })
  const writer = await runtime.start(idle(prices), { runId: 'writer' })
  const outside = reader.waitFor('rate')
  await writer.update({ rate: 3 }, { by: 'bank' })
  expect(await outside).toBe(3)
  await clock.settle()
  expect(reader.get('headline')).toBe('rate is 3')
  await writer.update({ rate: 4 }, { by: 'bank' })
  await reader.done
  expect(told).toContain('bank reader 1')
})

it('what another run made from a global entry becomes stale when the entry changes', async () => {
  const { runtime, clock } = await createWorld()
  const one = await runtime.start(idle(prices))
  const other = await runtime.start(idle(news))
  await other.update({ rate: 1 })
  await one.update({ quote: 'at rate 1' })
  expect(one.entry('quote')?.stale).toBe(false)
  const seq = one.seq
  await other.update({ rate: 2 })
  await clock.settle()
  expect(one.entry('quote')).toMatchObject({ stale: true, version: 1 })
  expect((await one.ledger()).at(-1)).toMatchObject({ seq: seq + 1, kind: 'upkeep' })
})

it('what is made from a global entry becomes stale although its run was not there when the entry changed', async () => {
  const store = createVolatileStore()
  const workflow = idle(prices)
  const workflows = [workflow]
  const before = await createRuntime({ store, workflows })
  const run = await before.start(workflow, { runId: 'r' })
  await run.update({ rate: 1 })
  await run.update({ quote: 'at rate 1' })
  await before.close({ runs: 'keep' })
  const clock = createTestClock(before.now + 1)
  const after = await createRuntime({ store, clock, workflows })
  await after.open('r')
  await clock.settle()
  expect((await store.summary('r'))?.seq).toBe(3)
  await after.close({ runs: 'keep' })
  const later = await createWorld({ store, clock, workflows })
  const other = await later.runtime.start(idle(news))
  await other.update({ rate: 2 })
  const back = await later.runtime.open('r')
  await clock.settle()
  expect(back.entry('quote')).toMatchObject({ stale: true, version: 1 })
})

it('what is made from a global entry becomes stale although that could not be stored at first', async () => {
  const inner = createVolatileStore()
  let failures = 0
  const store = wrapStore(inner, {
    append: (batches) =>
      failures > 0 && batches[0]?.runId === 'r' && failures-- > 0
        ? Promise.reject(new Error('disk full'))
        : inner.append(batches),
  })
  const { runtime, clock } = await createWorld({ store })
  const run = await runtime.start(idle(prices), { runId: 'r' })
  const other = await runtime.start(idle(news))
  await run.update({ rate: 1 })
  await run.update({ quote: 'at rate 1' })
  failures = 2
  await other.update({ rate: 2 })
  await clock.advance(60_000)
  expect(failures).toBe(0)
  expect(run.entry('quote')).toMatchObject({ stale: true, version: 1 })
})

it('versions of a global entry count on over all runs that write it, and nothing is lost', async () => {
  const { runtime } = await createWorld()
  const counters = defineContext({ hits: entry(z.int(), { scope: 'global', merge: 'counter' }) })
  const hits = counters.agent({
    writes: ['hits'],
    run: async ({ update }) => {
      for (let count = 0; count < 10; count++) await update({ hits: 1 })
    },
  })
  const runs = await Promise.all(
    Array.from({ length: 5 }, () => runtime.start(together(counters, { a: hits, b: hits }))),
  )
  await Promise.all(runs.map(({ done }) => done))
  expect(runs[0]?.get('hits')).toBe(100)
  expect(runs[4]?.entry('hits')?.version).toBe(100)
})

it('a workflow entry of the same key hides the global one in its run only', async () => {
  const { runtime } = await createWorld()
  const one = await runtime.start(idle(prices))
  const other = await runtime.start(idle(prices))
  await one.update({ rate: 7 })
  await one.update({ rate: put(8, { scope: 'workflow' }) })
  expect(one.get('rate')).toBe(8)
  expect(other.get('rate')).toBe(7)
})

it('tenants of one store do not see each other', async () => {
  const store = createVolatileStore()
  const { runtime: a } = await createWorld({ store, tenant: 'a' })
  const { runtime: b } = await createWorld({ store, tenant: 'b' })
  const one = await a.start(idle(prices))
  const other = await b.start(idle(prices))
  await one.update({ rate: 7 })
  expect(other.get('rate')).toBeUndefined()
})

it('a global entry stays when the run that wrote it has ended', async () => {
  const { runtime } = await createWorld()
  const one = await runtime.start(idle(prices))
  await one.update({ rate: 7 })
  await one.stop()
  expect((await refusalOf(one.done)).code).toBe('run.stopped')
  const next = await runtime.start(idle(news))
  expect(next.get('rate')).toBe(7)
})

it('a run that has ended shows global entries as they are, held since or opened later', async () => {
  const store = createVolatileStore()
  const reader = prices.agent({ reads: ['rate'], run: async () => {} })
  const workflow = prices.workflow({ name: 'read', agents: { reader } }).createMachine({ id: 'read' })
  const { runtime } = await createWorld({ store })
  const ended = await runtime.start(workflow, { runId: 'ended' })
  await ended.update({ rate: 7 })
  await ended.stop()
  const shown = (run: Pick<typeof ended, 'get' | 'view'>): unknown => [run.get('rate'), run.view('reader').get('rate')]
  expect(shown(ended)).toEqual([7, 7])
  await (await runtime.start(idle(prices))).update({ rate: 8 })
  const { runtime: other } = await createWorld({ store, workflows: [workflow] })
  expect([shown(ended), shown(await other.open('ended'))]).toEqual([
    [8, 8],
    [8, 8],
  ])
})

describe('a point of a run', () => {
  const board = defineContext({
    rate: entry(z.number(), { scope: 'global' }),
    price: entry(z.number()),
  })
  const pricer = board.agent({
    reads: ['*'],
    writes: ['price'],
    run: async ({ view, update }) => void (await update({ price: 10 * view.getOrThrow('rate') })),
  })
  const pricing = board.workflow({ name: 'pricing', agents: { pricer } }).createMachine({
    initial: 'idle',
    states: {
      idle: { on: { go: 'pricing' } },
      pricing: { invoke: { src: 'pricer', onDone: 'idle' } },
    },
  })
  type Pricing = Awaited<ReturnType<typeof start>>
  const start = (runtime: Runtime, runId: string) => runtime.start(pricing, { runId })
  const price = async (run: Pricing, clock: TestClock): Promise<void> => {
    await run.send({ type: 'go' })
    await clock.settle()
  }
  const ratesOf = async (run: Pricing): Promise<unknown[]> => {
    const rates: unknown[] = []
    for (let seq = 1; seq <= run.seq; seq++) {
      const then = await run.at(seq)
      expect((await run.viewAt('pricer', seq)).get('rate')).toBe(then.get('rate'))
      rates.push(then.get('rate'))
    }
    return rates
  }

  it('has the global entries that the run saw then, whoever wrote them, at whatever instant', async () => {
    const { runtime, clock } = await createWorld()
    const run = await start(runtime, 'r')
    const other = await start(runtime, 'other')
    await other.update({ rate: 3 })
    await price(run, clock)
    await run.update({ rate: 4 })
    await other.update({ rate: 5 })
    await price(run, clock)
    expect(await ratesOf(run)).toEqual([undefined, 3, 3, 3, 4, 5, 5, 5])
    expect(run.get('price')).toBe(50)
    const changed = (await run.diff(4, 6)).map(({ key, kind }) => [key, kind])
    expect(changed).toEqual([['rate', 'changed']])
  })

  it('has them after a restart, from snapshots, and in a fork', async () => {
    const store = createVolatileStore()
    const options = { store, workflows: [pricing], snapshots: { everyRecords: 3 } }
    const { runtime, clock } = await createWorld(options)
    const run = await start(runtime, 'r')
    const other = await start(runtime, 'other')
    for (let rate = 1; rate <= 3; rate++) {
      await other.update({ rate })
      await price(run, clock)
    }
    await runtime.close({ runs: 'keep' })
    const { runtime: later, clock: laterClock } = await createWorld(options)
    const again = (await later.open('r')) as unknown as Pricing
    await (await later.open('other')).update({ rate: 4 } as never)
    await price(again, laterClock)
    const rates = [undefined, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]
    expect(await ratesOf(again)).toEqual(rates)
    const fork = (await again.fork(3)) as unknown as Pricing
    await fork.update({ price: 1 })
    expect((await ratesOf(fork)).slice(0, 2)).toEqual([4, 4])
  })

  it('has those that the run had written itself where the others were dropped', async () => {
    const { runtime, clock } = await createWorld({
      snapshots: { everyRecords: 4, keep: 1 },
      retention: { keepRecords: 0 },
    })
    const run = await start(runtime, 'r')
    const other = await start(runtime, 'other')
    await run.update({ rate: 1 })
    await other.update({ rate: 2 })
    await run.update({ price: 1 })
    expect(await ratesOf(run)).toEqual([undefined, 1, 2])
    for (let rate = 3; rate < 12; rate++) await other.update({ rate })
    await clock.settle()
    expect(await ratesOf(run)).toEqual([undefined, 1, 1])
  })

  it('of a run from another database has no global entries of this one', async () => {
    const store = createVolatileStore()
    const { runtime, clock } = await createWorld()
    const run = await start(runtime, 'r')
    const other = await start(runtime, 'other')
    await other.update({ rate: 3 })
    await price(run, clock)
    const text = await exportLedger(runtime.store, 'r')
    const { runtime: here, clock: hereClock } = await createWorld({ store, workflows: [pricing] })
    await hereClock.advance(1000)
    await (await start(here, 'here')).update({ rate: 99 })
    await importLedger(store, text)
    const imported = (await here.open('r')) as unknown as Pricing
    expect(await ratesOf(imported)).toEqual([undefined, undefined, undefined, undefined])
    await imported.update({ price: 5 })
    expect(await ratesOf(imported)).toEqual([undefined, undefined, undefined, undefined, 99])
  })
})

describe('a run that goes on in another database', () => {
  let hangs = false
  const board = defineContext({
    rate: entry(z.number(), { scope: 'global', default: 2 }),
    ok: entry(z.boolean()),
    price: entry(z.number()),
  })
  const pricer = board.agent({
    reads: ['*'],
    writes: ['price'],
    run: async ({ view, update }) => {
      if (hangs) await new Promise(() => {})
      await update({ price: 10 * view.getOrThrow('rate') })
    },
  })
  const workflow = board.workflow({ name: 'pricing', agents: { pricer } }).createMachine({
    initial: 'idle',
    states: { idle: { on: { go: 'pricing' } }, pricing: { invoke: { src: 'pricer', onDone: 'done' } }, done: {} },
  })

  async function move(store: Store, isAtWork = false): Promise<void> {
    const { runtime } = await createWorld()
    const run = await runtime.start(workflow, { runId: 'r' })
    hangs = true
    if (isAtWork) await run.send({ type: 'go' })
    await unpackRun(store, (await packRun(runtime.store, 'r')).bytes, { runId: 'moved' })
    hangs = false
  }

  it('finds the defaults of global entries there, before its agents go on', async () => {
    const store = createVolatileStore()
    await move(store, true)
    const { runtime, clock } = await createWorld({ store, workflows: [workflow] })
    const run = await runtime.open('moved')
    await clock.settle()
    expect([run.get('rate'), run.get('price'), run.state]).toEqual([2, 20, 'done'])
    expect((await runtime.start(workflow)).entry('rate')).toMatchObject({ version: 1, updatedBy: 'workflow' })
    expect((await replayRun({ store, workflow, runId: 'moved' })).difference).toBeUndefined()
  })

  it('takes what is there as it is, what was deleted too', async () => {
    const store = createVolatileStore()
    const { runtime: before } = await createWorld({ store })
    await (await before.start(workflow)).update({ rate: drop() })
    await move(store)
    const { runtime } = await createWorld({ store, workflows: [workflow] })
    const run = await runtime.open('moved')
    const { seq } = run
    await run.send({ type: 'unknown' })
    expect([run.get('rate'), run.seq]).toEqual([undefined, seq])
  })
})

it('a run begins on the global entries that another process has written meanwhile', async () => {
  const store = createVolatileStore()
  const workflow = idle(
    defineContext({ hits: entry(z.int(), { scope: 'global', merge: 'counter', default: 0 }), rate: entry(z.int()) }),
  )
  const { runtime: one } = await createWorld({ store })
  const { runtime: two } = await createWorld({ store })
  const first = await one.start(workflow)
  await first.update({ hits: 3 })
  const ends: string[] = []
  two.on('end', ({ runId }) => void ends.push(runId))
  const second = await two.start(workflow)
  expect(second.get('hits')).toBe(3)
  await second.update({ rate: 1 })
  expect((await two.list()).map(({ runId }) => runId)).toEqual([first.id, second.id])
  expect(ends).toEqual([])
  await expect(two.start(workflow, { runId: first.id })).rejects.toMatchObject({ code: 'run.exists' })
})

it('a run that is beaten to the global entries again and again is told of that, and not of its id', async () => {
  const store = createVolatileStore()
  const workflow = idle(prices)
  const { runtime: one } = await createWorld({ store })
  const first = await one.start(workflow)
  const { runtime: two } = await createWorld({ store })
  const append = store.append.bind(store)
  let rate = 2
  vi.spyOn(store, 'append').mockImplementation(async (batches) => {
    if (batches[0]?.runId === 'late') await first.update({ rate: ++rate })
    return append(batches)
  })
  const eager = defineContext({ rate: entry(z.number(), { scope: 'global', default: 1 }) })
  const writes = eager.workflow({ name: 'writes' }).createMachine({ entry: eager.write({ rate: 2 }) })
  const error = await refusalOf(two.start(writes, { runId: 'late' }))
  expect([error.code, error.details['runId']]).toEqual(['store.conflict', 'global:default'])
  expect(two.activeRuns).toBe(0)
})

it('a machine that went by what another run has not stored goes back with it, and is told', async () => {
  const flags = defineContext({
    flag: entry(z.boolean(), { scope: 'global', outside: true }),
    note: entry(z.string(), { outside: true }),
  })
  const plain = defineContext({ note: entry(z.string(), { outside: true }) })
  const inner = createVolatileStore()
  const gate = createGate()
  const store = wrapStore(inner, {
    append: async (batches) => {
      if (batches.length < 2) return inner.append(batches)
      await gate.passed
      throw new Error('disk full')
    },
  })
  const guarded = flags.workflow({ name: 'guarded' }).createMachine({
    initial: 'off',
    states: { off: { on: { go: { target: 'on', guard: flags.when('flag', (flag) => flag) } } }, on: {} },
  })
  const { runtime, clock } = await createWorld({ store, workflows: [guarded] })
  const one = await runtime.start(idle(flags), { runId: 'one' })
  const two = await runtime.start(guarded, { runId: 'two' })
  const other = await runtime.start(idle(plain), { runId: 'other' })
  const refused = refusalOf(one.update({ flag: true }))
  const went = refusalOf(two.send({ type: 'go' }))
  await other.update({ note: 'who does not know the key does not wait' })
  await clock.settle()
  expect([two.state, await inner.summary('two')]).toMatchObject(['off', { seq: 1 }])
  gate.open()
  expect([(await refused).code, (await went).code]).toEqual(['store.failed', 'globals.lost'])
  await clock.settle()
  expect([two.state, two.get('flag'), await two.send({ type: 'go' })]).toEqual(['off', undefined, false])
})

it('a machine that went by what another run was about to store goes on when it is stored', async () => {
  const flags = defineContext({ flag: entry(z.boolean(), { scope: 'global', outside: true }) })
  const inner = createVolatileStore()
  const gate = createGate()
  const stored: (string | undefined)[] = []
  const store = wrapStore(inner, {
    append: async (batches) => {
      if (batches.length > 1) await gate.passed
      stored.push(batches[0]?.runId)
      return inner.append(batches)
    },
  })
  const guarded = flags.workflow({ name: 'guarded' }).createMachine({
    initial: 'off',
    states: { off: { on: { go: { target: 'on', guard: flags.when('flag', (flag) => flag) } } }, on: {} },
  })
  const { runtime, clock } = await createWorld({ store, workflows: [guarded] })
  const one = await runtime.start(idle(flags), { runId: 'one' })
  const two = await runtime.start(guarded, { runId: 'two' })
  const all = [one.update({ flag: true }), two.send({ type: 'go' })]
  await clock.settle()
  gate.open()
  expect(await Promise.all(all)).toMatchObject([{ kind: 'accepted' }, true])
  expect([two.state, stored]).toEqual(['on', ['one', 'two', 'one', 'two']])
})

it('a change of a global entry that is lost before it was on its way is nobody else’s to see', async () => {
  const inner = createVolatileStore()
  const gate = createGate()
  let fails = false
  const store = wrapStore(inner, {
    append: async (batches) => {
      if (!fails || batches[0]?.runId !== 'one') return inner.append(batches)
      fails = false
      await gate.passed
      throw new Error('disk full')
    },
  })
  const counted = defineContext({
    hits: entry(z.int(), { scope: 'global', merge: 'counter', outside: true }),
    note: entry(z.string(), { outside: true }),
  })
  const { runtime, clock } = await createWorld({ store })
  const one = await runtime.start(idle(counted), { runId: 'one' })
  const two = await runtime.start(idle(counted), { runId: 'two' })
  fails = true
  const lost = [refusalOf(one.update({ note: 'fails' })), refusalOf(one.update({ hits: 5 }))]
  gate.open()
  expect((await Promise.all(lost)).map(({ code }) => code)).toEqual(['store.failed', 'store.failed'])
  await clock.settle()
  await two.update({ hits: 1 })
  expect([two.get('hits'), one.get('hits')]).toEqual([1, 1])
})
