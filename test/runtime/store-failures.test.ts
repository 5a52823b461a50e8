import { describe, expect, it } from 'vitest'
import { emit } from 'xstate'
import { z } from 'zod'
import { createRuntime, createVolatileStore, defineContext, entry } from 'callboard'
import type { Store } from 'callboard'
import { wrapStore } from '../store/wrapped.ts'
import { createTestClock } from '../support/clock.ts'
import { createGate, createWorld, idle, refusalOf, together } from './world.ts'

const board = defineContext({
  note: entry(z.string()),
  other: entry(z.string()),
  rate: entry(z.int(), { scope: 'global' }),
})

interface FragileStore extends Store {
  failNext(error: Error): void
  /** Fails every append from now on, or none any more. */
  fail(error: Error | undefined): void
  holdNext(): () => void
}

/** A real store whose appends can be made to fail, or to wait. */
function createFragileStore(): FragileStore {
  const inner = createVolatileStore()
  let failure: Error | undefined
  let broken: Error | undefined
  let hold: Promise<void> | undefined
  const store = wrapStore(inner, {
    async append(batches) {
      const wait = hold
      hold = undefined
      await wait
      const error = failure ?? broken
      failure = undefined
      if (error !== undefined) throw error
      await inner.append(batches)
    },
  })
  return {
    ...store,
    failNext(error) {
      failure = error
    },
    fail(error) {
      broken = error
    },
    holdNext() {
      const gate = createGate()
      hold = gate.passed
      return () => gate.open()
    },
  }
}

const diskFull = new Error('disk full')
const failed = { code: 'store.failed', cause: diskFull }

describe('when the store refuses an append', () => {
  it('everything that was not acknowledged is refused with the error, and nothing in memory stays ahead', async () => {
    const store = createFragileStore()
    const { runtime } = await createWorld({ store })
    const run = await runtime.start(idle(board))
    await run.update({ note: 'safe' })
    const letGo = store.holdNext()
    store.failNext(diskFull)
    const lost = [run.update({ note: 'lost' }), run.update({ other: 'lost too' }), run.send({ type: 'stop' })]
    const outcomes = Promise.allSettled(lost)
    expect(run.get('note')).toBe('safe')
    letGo()
    for (const outcome of await outcomes) expect(outcome).toMatchObject({ status: 'rejected', reason: failed })
    expect(run.status).toBe('active')
    expect(run.get('note')).toBe('safe')
    expect(run.get('other')).toBeUndefined()
    expect(run.seq).toBe(2)
    expect(await store.read(run.id)).toHaveLength(2)
    await run.update({ note: 'after' })
    expect(run.get('note')).toBe('after')
    expect(run.seq).toBe(3)
  })

  it('nobody outside has learnt of what was lost: no wait, no notification, no action, no agent', async () => {
    const store = createFragileStore()
    const { runtime, clock } = await createWorld({ store })
    const told: string[] = []
    const waits = board.agent({
      reads: ['note'],
      run: async ({ waitFor, on }) => {
        on('note', () => told.push('notified'))
        await waitFor('note')
        told.push('waited')
      },
    })
    const begins = board.agent({ run: () => void told.push('begun') })
    const workflow = board
      .workflow({ agents: { waits, begins }, actions: { acts: () => told.push('acted') } })
      .createMachine({
        invoke: { src: 'waits' },
        initial: 'a',
        states: { a: { on: { go: { target: 'b', actions: 'acts' } } }, b: { invoke: { src: 'begins' } } },
        on: { write: { actions: board.write({ note: 'lost' }) } },
      })
    const run = await runtime.start(workflow)
    const letGo = store.holdNext()
    store.failNext(diskFull)
    const lost = Promise.allSettled([run.send({ type: 'write' }), run.send({ type: 'go' })])
    await clock.settle()
    expect(told).toEqual([])
    letGo()
    await lost
    await clock.settle()
    expect(told).toEqual([])
    expect(run.state).toBe('a')
  })

  it('the agents of the run are stopped and run again, and the other runs go on', async () => {
    const store = createFragileStore()
    const { runtime, clock } = await createWorld({ store })
    const signals: AbortSignal[] = []
    const never = createGate()
    const stays = board.agent({
      run: async ({ signal }) => {
        signals.push(signal)
        await never.passed
      },
    })
    const statuses: string[] = []
    runtime.on('agent', ({ status }) => statuses.push(status))
    const run = await runtime.start(together(board, { stays }))
    const other = await runtime.start(idle(board))
    store.failNext(diskFull)
    await expect(run.update({ note: 'lost' })).rejects.toMatchObject(failed)
    await clock.settle()
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false])
    expect(signals[0]?.reason).toMatchObject({ code: 'run.taken-back' })
    expect(statuses).toEqual(['running', 'taken-back', 'running'])
    await other.update({ note: 'fine' })
    expect(other.get('note')).toBe('fine')
  })

  it('whoever stops a run that is just ending is told that its end was lost, and can stop it again', async () => {
    const store = createFragileStore()
    const { runtime } = await createWorld({ store })
    const run = await runtime.start(idle(board))
    const letGo = store.holdNext()
    store.failNext(diskFull)
    const outcomes = Promise.allSettled([run.send({ type: 'stop' }), run.stop()])
    letGo()
    for (const outcome of await outcomes) expect(outcome).toMatchObject({ status: 'rejected', reason: failed })
    expect(run.status).toBe('active')
    await run.stop()
    expect(run.status).toBe('stopped')
  })

  it('a run whose stop is lost goes on, with its child runs; its agents run again', async () => {
    const store = createFragileStore()
    const { runtime, clock } = await createWorld({ store })
    const never = createGate()
    let starts = 0
    const works = board.agent({ run: async () => ((starts += 1), await never.passed) })
    const child = board.workflow({ name: 'child' }).createMachine({})
    const parent = board.workflow({ agents: { works, child } }).createMachine({
      type: 'parallel',
      states: {
        own: { invoke: { src: 'works' } },
        other: { initial: 'on', states: { on: { invoke: { src: 'child', onError: 'failed' } }, failed: {} } },
      },
    })
    const run = await runtime.start(parent, { runId: 'r' })
    await clock.settle()
    store.failNext(diskFull)
    await expect(run.stop()).rejects.toMatchObject(failed)
    await clock.settle()
    expect({ starts, state: run.state }).toEqual({ starts: 2, state: { own: {}, other: 'on' } })
    expect((await runtime.list()).map(({ status }) => status)).toEqual(['active', 'active'])
    await run.stop()
    await clock.settle()
    expect((await runtime.list()).map(({ status }) => status)).toEqual(['stopped', 'stopped'])
  })

  it('closing the runtime ends all the same: the run is left as it is stored', async () => {
    const store = createFragileStore()
    const { runtime } = await createWorld({ store })
    const run = await runtime.start(idle(board))
    const letGo = store.holdNext()
    store.failNext(diskFull)
    const lost = refusalOf(run.update({ note: 'lost' }))
    const closed = runtime.close({ runs: 'keep' })
    letGo()
    await closed
    expect((await lost).code).toBe('store.failed')
    expect((await refusalOf(run.done)).code).toBe('run.left')
    expect(await store.read(run.id)).toHaveLength(1)
  })

  it('closing the runtime stops what can be stopped, and says what could not', async () => {
    const inner = createVolatileStore()
    const store = wrapStore(inner, {
      append: (batches) =>
        batches[0]?.runId === 'a' && batches[0].expectedSeq > 0 ? Promise.reject(diskFull) : inner.append(batches),
    })
    const runtime = await createRuntime({ store, clock: createTestClock() })
    const [a, b] = [await runtime.start(idle(board), { runId: 'a' }), await runtime.start(idle(board), { runId: 'b' })]
    await expect(runtime.close({ runs: 'stop' })).rejects.toMatchObject(failed)
    expect((await refusalOf(a.done)).code).toBe('run.left')
    expect((await refusalOf(b.done)).code).toBe('run.stopped')
    expect((await inner.list()).map(({ status }) => status)).toEqual(['active', 'stopped'])
  })

  it('a child run that is just beginning is begun once, though its parent goes back to what is stored', async () => {
    const inner = createVolatileStore()
    const begins = createGate()
    const store = wrapStore(inner, {
      append: async (batches) => {
        if (batches[0]?.runId === 'r.child.1') await begins.passed
        if (batches[0]?.records[0]?.kind === 'update') throw diskFull
        return inner.append(batches)
      },
    })
    const { runtime, clock } = await createWorld({ store })
    const child = board.workflow({ name: 'child' }).createMachine({
      initial: 'on',
      states: { on: { on: { end: 'off' } }, off: { type: 'final' } },
    })
    const parent = board.workflow({ agents: { child } }).createMachine({
      initial: 'on',
      states: { on: { invoke: { src: 'child', onDone: 'done', onError: 'failed' } }, done: {}, failed: {} },
    })
    const run = await runtime.start(parent, { runId: 'r' })
    await expect(run.update({ note: 'lost' })).rejects.toMatchObject(failed)
    await clock.settle()
    begins.open()
    await clock.settle()
    expect(run.state).toBe('on')
    await runtime.send('r.child.1', { type: 'end' })
    await clock.settle()
    expect(run.state).toBe('done')
  })

  it('a run that cannot store its beginning does not exist, and its id is free', async () => {
    const store = createFragileStore()
    const { runtime } = await createWorld({ store })
    store.failNext(diskFull)
    await expect(runtime.start(idle(board), { runId: 'r1' })).rejects.toMatchObject(failed)
    expect(runtime.get('r1')).toBeUndefined()
    const run = await runtime.start(idle(board), { runId: 'r1' })
    expect(run.status).toBe('active')
  })

  it('a global entry that was lost is seen by nobody, and can be written again by another run', async () => {
    const store = createFragileStore()
    const { runtime } = await createWorld({ store })
    const run = await runtime.start(idle(board))
    const other = await runtime.start(idle(board))
    store.failNext(diskFull)
    await expect(run.update({ rate: 1 })).rejects.toMatchObject(failed)
    expect(other.get('rate')).toBeUndefined()
    await other.update({ rate: 2 })
    expect(other.get('rate')).toBe(2)
    expect(other.entry('rate')?.version).toBe(1)
  })

  it('for the end of a run whose machine fails, the run has not failed: it goes on from what is stored', async () => {
    const store = createVolatileStore()
    let fails = false
    const { runtime, clock } = await createWorld({
      store: wrapStore(store, {
        append: (batches) => (fails ? Promise.reject(new Error('disk full')) : store.append(batches)),
      }),
    })
    const guard = (): boolean => {
      throw new Error('boom')
    }
    const child = board.workflow({ name: 'child' }).createMachine({ initial: 'on', states: { on: {} } })
    const machine = board.workflow({ name: 'frail', agents: { child } }).createMachine({
      initial: 'on',
      states: { on: { invoke: { src: 'child' }, on: { go: { guard, target: 'off' } } }, off: {} },
    })
    const run = await runtime.start(machine, { runId: 'r' })
    await clock.settle()
    fails = true
    await expect(run.send({ type: 'go' })).rejects.toThrow('boom')
    await clock.settle()
    fails = false
    await clock.advance(60_000)
    const statuses = async (): Promise<unknown> => (await store.list()).map(({ status }) => status)
    expect([run.status, await statuses()]).toEqual(['active', ['active', 'active']])
    await expect(run.send({ type: 'go' })).rejects.toThrow('boom')
    await expect(run.done).rejects.toThrow('boom')
    await clock.settle()
    expect([run.status, await statuses()]).toEqual(['error', ['error', 'stopped']])
  })

  it('because another process was faster, the run goes on from what that has written', async () => {
    const store = createVolatileStore()
    const { runtime } = await createWorld({ store })
    const run = await runtime.start(idle(board))
    const [record] = await store.read(run.id)
    const summary = await store.summary(run.id)
    await store.append([
      { runId: run.id, expectedSeq: 1, records: [{ ...record!, seq: 2 }], summary: { ...summary!, seq: 2 } },
    ])
    expect((await refusalOf(run.update({ note: 'late' }))).code).toBe('store.conflict')
    await run.update({ note: 'again' })
    expect(run.seq).toBe(3)
    expect(await store.read(run.id)).toHaveLength(3)
  })

  it('whoever listens to the run goes on listening, and whoever waits goes on waiting', async () => {
    const store = createFragileStore()
    const { runtime, clock } = await createWorld({ store })
    const told: string[] = []
    const workflow = board.workflow().createMachine({
      on: { say: { actions: emit({ type: 'said' }) }, write: { actions: board.write({ note: 'x' }) } },
    })
    const run = await runtime.start(workflow)
    run.subscribe('note', () => void told.push('subscriber'))
    run.on('said', () => told.push('listener'))
    void run.waitFor('note', { timeoutMs: 1_000 }).then(() => told.push('waiter'))
    const late = run.waitFor('other', { timeoutMs: 1_000 }).catch(({ code }: { code: string }) => told.push(code))
    await clock.advance(600)
    store.failNext(diskFull)
    await expect(run.send({ type: 'write' })).rejects.toMatchObject(failed)
    await clock.settle()
    expect(told).toEqual([])
    await run.send({ type: 'write' })
    await run.send({ type: 'say' })
    await clock.settle()
    expect([...told].sort()).toEqual(['listener', 'subscriber', 'waiter'])
    await clock.advance(400)
    await late
    expect(told.at(-1)).toBe('wait.timeout')
  })

  it('again and again, the run tries less and less often, and goes on when the store does', async () => {
    const store = createFragileStore()
    const { runtime, clock } = await createWorld({ store })
    const attemptedAt: number[] = []
    const beganAt = clock.now()
    const writes = board.agent({
      reads: ['other'],
      writes: ['note'],
      run: async ({ waitFor, update }) => {
        await waitFor('other')
        attemptedAt.push(clock.now() - beganAt)
        await update({ note: 'written' })
      },
    })
    const run = await runtime.start(together(board, { writes }))
    run.subscribe('other', () => store.fail(diskFull))
    await run.update({ other: 'go' })
    await clock.advance(200_000)
    expect(attemptedAt.slice(0, 6)).toEqual([0, 0, 1_000, 3_000, 7_000, 15_000])
    expect(attemptedAt.length).toBeLessThan(12)
    store.fail(undefined)
    await clock.advance(60_000)
    await run.done
    expect(run.get('note')).toBe('written')
  })
})

describe('while an append is under way', () => {
  it('nothing is acknowledged and readers see what was committed before; what comes meanwhile shares the next append', async () => {
    const store = createFragileStore()
    let appends = 0
    const counted: Store = { ...store, append: (batches) => ((appends += 1), store.append(batches)) }
    const { runtime, clock } = await createWorld({ store: counted })
    const run = await runtime.start(idle(board))
    appends = 0
    const letGo = store.holdNext()
    const acknowledged: string[] = []
    const first = run.update({ note: 'first' }).then(() => acknowledged.push('first'))
    const rest = Array.from({ length: 20 }, (_unused, index) =>
      run.update({ other: String(index) }).then(() => acknowledged.push(String(index))),
    )
    await clock.settle()
    expect(acknowledged).toEqual([])
    expect(run.get('note')).toBeUndefined()
    expect(run.seq).toBe(1)
    letGo()
    await Promise.all([first, ...rest])
    expect(acknowledged).toEqual(['first', ...Array.from({ length: 20 }, (_unused, index) => String(index))])
    expect(appends).toBe(2)
    expect(run.entry('other')?.version).toBe(20)
  })
})
