import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { createRuntime, createVolatileStore, defineContext, entry } from 'callboard'
import type { Runtime, RuntimeOptions, Store } from 'callboard'
import { failAt, setFaultHandler } from 'callboard/testing'
import { freshPath, openStore } from '../store/world.ts'
import { createTestClock } from '../support/clock.ts'
import { createGate, createWorld, idle, refusalOf } from './world.ts'
import type { World } from './world.ts'

const board = defineContext({
  note: entry(z.string()),
  count: entry(z.int(), { merge: 'counter', default: 0 }),
  passing: entry(z.string(), { ephemeral: true }),
  approval: entry(z.boolean(), { outside: true }),
})
const writing = board.workflow({ name: 'writing' }).createMachine({
  id: 'writing',
  initial: 'open',
  states: { open: { on: { stop: 'closed' } }, closed: { type: 'final' } },
})
const workflows = [writing]

/** A runtime that is abandoned, as by a process that is killed. */
async function createDoomed(options: RuntimeOptions): Promise<World> {
  const clock = createTestClock()
  return { clock, runtime: await createRuntime({ clock, ...options }) }
}

/** What a runtime reports under `failure`. */
function failuresOf(runtime: Runtime): readonly { readonly topic: string; readonly error: unknown }[] {
  const failures: { readonly topic: string; readonly error: unknown }[] = []
  runtime.on('failure', (failure) => failures.push(failure))
  return failures
}

/** A store that notes how many records are read from it. */
function countReads(store: Store): { readonly store: Store; readonly reads: number[] } {
  const reads: number[] = []
  const counting = new Proxy(store, {
    get(target, name) {
      if (name !== 'read') {
        const found: unknown = Reflect.get(target, name)
        return typeof found === 'function' ? (found as (...all: unknown[]) => unknown).bind(target) : found
      }
      return async (...all: Parameters<Store['read']>) => {
        const records = await target.read(...all)
        reads.push(records.length)
        return records
      }
    },
  })
  return { store: counting, reads }
}

/** One after the other, each in a turn of its own, as messages arrive. */
async function writeNotes(run: { update(changes: { note: string }): Promise<unknown> }, count: number): Promise<void> {
  for (let index = 1; index <= count; index++) {
    await run.update({ note: `note ${index}` })
    await new Promise((resolve) => setImmediate(resolve))
  }
}

describe('a run with snapshots', () => {
  it('takes them after as many records as it has entries, so that an update costs the same on any board', async () => {
    const items = defineContext({ 'item.*': entry(z.int()) })
    const collecting = items.workflow({ name: 'collecting' }).createMachine({ id: 'collecting' })
    const store = createVolatileStore()
    const { runtime, clock } = await createWorld({ store, snapshots: { everyRecords: 10, keep: 10 } })
    const run = await runtime.start(collecting, { runId: 'r' })
    await run.update(Object.fromEntries(Array.from({ length: 25 }, (_, index) => [`item.${index}`, 0])))
    for (let index = 1; index <= 60; index++) {
      await run.update({ 'item.0': index })
      await clock.settle()
    }
    expect((await store.snapshots('r')).map(({ seq }) => seq)).toEqual([10, 35, 60])
  })

  it('is opened from the newest one and the records after it, however long its history is', async () => {
    const { store, reads } = countReads(await openStore(freshPath()))
    const { runtime, clock } = await createDoomed({ store, snapshots: { everyRecords: 10 } })
    const run = await runtime.start(writing, { runId: 'r' })
    await writeNotes(run, 43)
    await clock.settle()
    expect((await store.snapshots('r')).map(({ seq }) => seq)).toEqual([30, 40])
    reads.length = 0
    const next = await createWorld({ store, workflows })
    const opened = await next.runtime.open('r')
    expect(reads.at(-1)).toBe(4)
    expect(reads.slice(0, -1)).toEqual([0]) // the global entries
    expect(opened.entries()).toEqual(run.entries())
    expect([opened.seq, opened.state, opened.entry('note')?.version]).toEqual([44, 'open', 43])
    await opened.update({ note: 'goes on' })
    expect(opened.entry('note')?.version).toBe(44)
  })

  it('takes the next one so many records after the last, over restarts too', async () => {
    const store = createVolatileStore()
    const first = await createDoomed({ store, snapshots: { everyRecords: 10, keep: 9 } })
    await writeNotes(await first.runtime.start(writing, { runId: 'r' }), 14)
    await first.clock.settle()
    const next = await createWorld({ store, workflows, snapshots: { everyRecords: 10, keep: 9 } })
    await writeNotes(await next.runtime.open('r'), 9)
    await next.clock.settle()
    expect((await store.snapshots('r')).map(({ seq }) => seq)).toEqual([10, 20])
  })

  it('acknowledges updates while a snapshot is on its way, or hangs', async () => {
    const store = createVolatileStore()
    const stored = createGate()
    store.putSnapshot = () => stored.passed
    const { runtime, clock } = await createWorld({ store, snapshots: { everyRecords: 2 } })
    const run = await runtime.start(writing)
    await writeNotes(run, 5)
    await clock.settle()
    await writeNotes(run, 5)
    expect(run.seq).toBe(11)
    stored.open()
  })

  it('reports a snapshot that fails, goes on, and tries again after the next so many records', async () => {
    const store = await openStore(freshPath())
    const { runtime, clock } = await createWorld({ store, snapshots: { everyRecords: 5 } })
    const failures = failuresOf(runtime)
    const run = await runtime.start(writing, { runId: 'r' })
    setFaultHandler(failAt('snapshot:before', 1, 'throw'))
    onTestFinished(() => setFaultHandler(undefined))
    await writeNotes(run, 8)
    await clock.settle()
    expect(failures).toEqual([{ topic: 'snapshot', error: expect.objectContaining({ code: 'fault.injected' }) }])
    expect(await store.snapshots('r')).toEqual([])
    await writeNotes(run, 3)
    await clock.settle()
    expect((await store.snapshots('r')).map(({ seq }) => seq)).toEqual([10])
    expect(failures).toHaveLength(1)
  })

  it('keeps values of ephemeral entries out of them', async () => {
    const store = createVolatileStore()
    const { runtime, clock } = await createDoomed({ store, snapshots: { everyRecords: 2 } })
    const run = await runtime.start(writing, { runId: 'r' })
    await run.update({ passing: 'a secret of the moment', note: 'stays' })
    await clock.settle()
    const snapshot = await store.snapshot('r')
    expect(JSON.stringify(snapshot?.state)).toContain('stays')
    expect(JSON.stringify(snapshot?.state)).not.toContain('a secret of the moment')
    const opened = await (await createWorld({ store, workflows })).runtime.open('r')
    expect(opened.get('passing')).toBeUndefined()
    await opened.update({ passing: 'anew' })
    expect(opened.entry('passing')?.version).toBe(2)
  })

  it('has the global entries as it wrote them itself, and where those of others are to be read', async () => {
    const shared = defineContext({ rate: entry(z.int(), { scope: 'global' }), note: entry(z.string()) })
    const workflow = shared
      .workflow({ name: 'sharing' })
      .createMachine({ initial: 'on', states: { on: { on: { stop: 'off' } }, off: { type: 'final' } } })
    const store = createVolatileStore()
    const { runtime, clock } = await createDoomed({ store, snapshots: { everyRecords: 3 } })
    const one = await runtime.start(workflow, { runId: 'one' })
    const other = await runtime.start(workflow, { runId: 'other' })
    await one.update({ rate: 1 })
    await other.update({ rate: 2 })
    await one.update({ note: 'third' })
    await clock.settle()
    expect((await store.snapshot('one'))?.seq).toBe(3)
    expect((await one.at(3)).get('rate')).toBe(2)
    const next = await createWorld({ store, workflows: [workflow] })
    expect((await next.runtime.open('one')).get('rate')).toBe(2)
  })

  it('is gone on with after a restart: finished steps and answers before the snapshot are not asked for again', async () => {
    const store = createVolatileStore()
    const calls: string[] = []
    let hangs = true
    const worker = board.agent({
      reads: ['approval'],
      run: async ({ step, ask }) => {
        await step('first', () => calls.push('first'))
        await ask('approval')
        await step('second', () => calls.push('second'))
        if (hangs) await new Promise(() => {})
        return calls.length
      },
    })
    const workflow = board.workflow({ name: 'w', agents: { worker } }).createMachine({
      initial: 'on',
      states: { on: { invoke: { src: 'worker', onDone: 'end' } }, end: { type: 'final' } },
    })
    const options = { store, workflows: [workflow], snapshots: { everyRecords: 4 }, retention: { keepRecords: 0 } }
    const { runtime, clock } = await createDoomed(options)
    const run = await runtime.start(workflow, { runId: 'r' })
    await clock.settle()
    await run.answer(run.requests()[0]?.id ?? '', true)
    await writeNotes(run, 8)
    await clock.settle()
    expect((await refusalOf(store.read('r'))).code).toBe('store.trimmed')
    hangs = false
    const next = await createWorld(options)
    const { runs, failures } = await next.runtime.recover()
    expect(failures).toEqual([])
    await runs[0]?.done
    expect(calls).toEqual(['first', 'second'])
  })
})

describe('a snapshot that cannot be used', () => {
  async function damagedRun(options: {
    readonly trimmed: boolean
    readonly broken: readonly number[]
  }): Promise<Store> {
    const path = freshPath()
    const store = await openStore(path)
    const { runtime, clock } = await createDoomed({
      store,
      snapshots: { everyRecords: 10 },
      ...(options.trimmed ? { retention: { keepRecords: 0 } } : {}),
    })
    await writeNotes(await runtime.start(writing, { runId: 'r' }), 25)
    await clock.settle()
    await store.close()
    const db = new DatabaseSync(path)
    for (const seq of options.broken)
      db.prepare(`UPDATE snapshots SET state = replace(state, 'note 9', 'nope') || ' ' WHERE seq = ?`).run(seq)
    db.close()
    return openStore(path)
  }

  it('is reported, and an older one stands in for it', async () => {
    const { runtime } = await createWorld({ store: await damagedRun({ trimmed: true, broken: [20] }), workflows })
    const failures = failuresOf(runtime)
    const run = await runtime.open('r')
    expect([run.seq, run.get('note')]).toEqual([26, 'note 25'])
    expect(failures).toEqual([{ topic: 'snapshot', error: expect.objectContaining({ code: 'store.damaged' }) }])
  })

  it('is no loss while all records are kept', async () => {
    const { runtime } = await createWorld({ store: await damagedRun({ trimmed: false, broken: [10, 20] }), workflows })
    const failures = failuresOf(runtime)
    expect((await runtime.open('r')).get('note')).toBe('note 25')
    expect(failures).toHaveLength(2)
  })

  it('is an error that names it, when nothing is left to stand in', async () => {
    const { runtime } = await createWorld({ store: await damagedRun({ trimmed: true, broken: [10, 20] }), workflows })
    const error = await refusalOf(runtime.open('r'))
    expect([error.code, error.details['seq']]).toEqual(['store.damaged', 20])
  })

  it('is not looked for where the last records are lost: whoever looks back at a run is told of that', async () => {
    const path = freshPath()
    const { runtime } = await createWorld({ store: await openStore(path) })
    const run = await runtime.start(writing, { runId: 'r' })
    await writeNotes(run, 3)
    const db = new DatabaseSync(path)
    db.exec('DELETE FROM records WHERE id = (SELECT max(id) FROM records)')
    db.close()
    for (const looking of [run.at(1), run.diff(1, 2), run.viewAt('nobody', 1), runtime.fork('r', 1)]) {
      const error = await refusalOf(looking)
      expect([error.code, error.details['what']]).toEqual(['store.damaged', 'lost-tail'])
    }
  })

  it('because a newer version wrote it, is passed over like a damaged one, or named', async () => {
    for (const keepRecords of [Number.POSITIVE_INFINITY, 0]) {
      const store = createVolatileStore()
      const first = await createDoomed({ store, snapshots: { everyRecords: 5, keep: 1 }, retention: { keepRecords } })
      await writeNotes(await first.runtime.start(writing, { runId: 'r' }), 6)
      await first.clock.settle()
      const { snapshot } = store
      store.snapshot = async (...all) => {
        const found = await snapshot.apply(store, all)
        return found && { ...found, state: { format: 99 } }
      }
      const { runtime } = await createWorld({ store, workflows })
      if (keepRecords > 0) expect((await runtime.open('r')).get('note')).toBe('note 6')
      else
        expect(await refusalOf(runtime.open('r'))).toMatchObject({ code: 'snapshot.format', details: { format: 99 } })
    }
  })
})

describe('a run with a retention', () => {
  const retention = { keepRecords: 20 }

  it('keeps about so many records, however many there were, and what is kept verifies', async () => {
    const store = await openStore(freshPath())
    const { runtime, clock } = await createWorld({ store, snapshots: { everyRecords: 10 }, retention })
    const run = await runtime.start(writing, { runId: 'r' })
    const kept: number[] = []
    for (let round = 0; round < 12; round++) {
      await writeNotes(run, 10)
      await clock.settle()
      const first = await refusalOf(run.ledger()).catch(() => undefined)
      if (first !== undefined) kept.push(run.seq - Number(first.details['firstSeq']) + 1)
    }
    expect(Math.min(...kept)).toBeGreaterThanOrEqual(20)
    expect(Math.max(...kept)).toBeLessThanOrEqual(35)
    expect((await store.snapshots('r')).length).toBeLessThanOrEqual(3)
    expect((await store.verify('r')).damage).toEqual([])
  })

  it('says from where on it can be read: ledger, changes, a moment before', async () => {
    const { runtime, clock } = await createWorld({ snapshots: { everyRecords: 10 }, retention })
    const run = await runtime.start(writing, { runId: 'r' })
    await writeNotes(run, 60)
    await clock.settle()
    const error = await refusalOf(run.ledger())
    const firstSeq = Number(error.details['firstSeq'])
    expect(error).toMatchObject({ code: 'run.trimmed', details: { runId: 'r', seq: 1 } })
    expect(error.message).toContain(`afterSeq: ${firstSeq - 1}`)
    expect((await refusalOf(run.changes().next())).code).toBe('run.trimmed')
    expect((await refusalOf(run.at(firstSeq - 2))).code).toBe('run.trimmed')
    expect((await run.ledger({ afterSeq: firstSeq - 1 }))[0]?.seq).toBe(firstSeq)
    for (let seq = firstSeq - 1; seq <= run.seq; seq++) expect((await run.at(seq)).get('note')).toBe(`note ${seq - 1}`)
    expect((await run.diff(firstSeq, run.seq)).map(({ key }) => key)).toEqual(['note'])
    expect(await run.conflicts()).toEqual([])
  })

  it('keeps the newest named points readable when their records have gone, over restarts too', async () => {
    const store = createVolatileStore()
    const options = { store, workflows, snapshots: { everyRecords: 10 }, retention: { ...retention, keepSnapshots: 2 } }
    const { runtime, clock } = await createDoomed(options)
    const run = await runtime.start(writing, { runId: 'r' })
    const named: string[] = []
    for (let round = 0; round < 4; round++) {
      await writeNotes(run, 2)
      named.push((await run.snapshot(`round ${round}`, { round })).id)
    }
    await writeNotes(run, 70)
    await clock.settle()
    const next = await createWorld(options)
    for (const at of [run, await next.runtime.open('r')]) {
      expect(at.snapshots().map(({ reason, metadata }) => [reason, metadata])).toEqual([
        ['round 2', { round: 2 }],
        ['round 3', { round: 3 }],
      ])
      expect((await at.at(named[2] ?? '')).entries().find(({ key }) => key === 'note')?.version).toBe(6)
      expect((await refusalOf(at.at(named[0] ?? ''))).code).toBe('run.no-such-seq')
    }
  })

  it('loses nothing when it is interrupted at any point', async () => {
    for (const point of ['snapshot:before', 'snapshot:after', 'trim:before', 'trim:after']) {
      for (const count of [1, 2, 3, 4]) {
        const store = await openStore(freshPath())
        const { runtime, clock } = await createDoomed({ store, snapshots: { everyRecords: 5 }, retention })
        const run = await runtime.start(writing, { runId: 'r' })
        await run.snapshot('named')
        setFaultHandler(failAt(point, count, 'throw'))
        onTestFinished(() => setFaultHandler(undefined))
        await writeNotes(run, 60)
        await clock.settle()
        setFaultHandler(undefined)
        const opened = await (await createDoomed({ store, workflows })).runtime.open('r')
        expect([opened.seq, opened.get('note'), opened.entry('note')?.version]).toEqual([62, 'note 60', 60])
        expect((await opened.at(opened.snapshots()[0]?.id ?? '')).seq).toBe(2)
        expect((await store.verify()).damage).toEqual([])
      }
    }
  })

  it('is refused when its numbers make no sense', async () => {
    for (const options of [
      { snapshots: { everyRecords: 0 } },
      { snapshots: { keep: 1.5 } },
      { retention: { keepRecords: -1 } },
      { retention: { keepSnapshots: Number.NaN } },
    ])
      expect((await refusalOf(createWorld(options))).code).toBe('runtime.option')
  })
})

describe('the global entries', () => {
  const shared = defineContext({
    rate: entry(z.int(), { scope: 'global' }),
    name: entry(z.string(), { scope: 'global' }),
  })
  const pricing = shared.workflow({ name: 'pricing' }).createMachine({ id: 'pricing' })
  const GLOBALS = 'global:default'

  it('have snapshots and a retention like those of a run, and go on from there', async () => {
    const { store, reads } = countReads(await openStore(freshPath()))
    const keeping = { snapshots: { everyRecords: 10 }, retention: { keepRecords: 0 } }
    const { runtime } = await createDoomed({ store, ...keeping })
    const runs = [await runtime.start(pricing), await runtime.start(pricing)] as const
    await runs[0].update({ name: 'from the beginning' })
    for (let rate = 1; rate <= 48; rate++) {
      await runs[rate % 2 === 0 ? 0 : 1].update({ rate })
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect((await store.snapshots(GLOBALS)).map(({ seq }) => seq)).toEqual([30, 40])
    expect(await refusalOf(store.read(GLOBALS))).toMatchObject({ code: 'store.trimmed', details: { firstSeq: 31 } })
    expect((await store.verify()).damage).toEqual([])
    for (let restart = 0; restart < 2; restart++) {
      reads.length = 0
      const next = await createDoomed({ store, ...keeping, workflows: [pricing] })
      expect(reads).toEqual([restart === 0 ? 9 : 0]) // one was taken at 50
      const run = await next.runtime.start(pricing)
      expect([run.get('name'), run.get('rate')]).toEqual(['from the beginning', 48 + restart])
      await run.update({ rate: 49 + restart })
      expect(run.entry('rate')).toMatchObject({ version: 49 + restart })
      await new Promise((resolve) => setImmediate(resolve))
    }
  })

  it('of two processes that write them in turn are whole, whoever takes the snapshots', async () => {
    const path = freshPath()
    const processes = await Promise.all(
      [1, 2].map(async () =>
        createDoomed({
          store: await openStore(path),
          snapshots: { everyRecords: 3, keep: 1 },
          retention: { keepRecords: 0 },
        }),
      ),
    )
    const runs = await Promise.all(processes.map(({ runtime }) => runtime.start(pricing)))
    let written = 0
    for (let turn = 0; turn < 40; turn++) {
      const result = await runs[turn % 2]?.update({ rate: turn }).then(
        () => 1,
        () => 0, // the other was faster: it is read again
      )
      written += result ?? 0
      await new Promise((resolve) => setImmediate(resolve))
    }
    const { runtime } = await createWorld({ store: await openStore(path) })
    const run = await runtime.start(pricing)
    expect(written).toBeGreaterThan(10)
    expect(run.entry('rate')?.version).toBe(written)
    expect((await runtime.store.snapshots(GLOBALS)).length).toBeLessThanOrEqual(3)
    expect((await runtime.store.verify()).damage).toEqual([])
  })
})

it('without snapshots or a retention, every record is kept and read', async () => {
  const store = createVolatileStore()
  const { runtime, clock } = await createWorld({ store, snapshots: { everyRecords: Number.POSITIVE_INFINITY } })
  const run = await runtime.start(idle(board), { runId: 'r' })
  await writeNotes(run, 700)
  await clock.settle()
  expect(await store.snapshots('r')).toEqual([])
  expect(await run.ledger()).toHaveLength(701)
})
