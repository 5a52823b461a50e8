import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { createRuntime, createVolatileStore, defineContext, drop, entry } from 'callboard'
import { openSqlite } from 'callboard/sqlite'
import { wrapStore } from '../store/wrapped.ts'
import { createTestClock } from '../support/clock.ts'
import { createGate, createWorld, idle, refusalOf } from './world.ts'

const board = defineContext({
  plan: entry(z.string()),
  draft: entry(z.string()),
  goal: entry(z.string(), { protected: true }),
  scratch: entry(z.string(), { ephemeral: true }),
  price: entry(z.int(), { ttlMs: 1000 }),
  rate: entry(z.int(), { scope: 'global' }),
  approval: entry(z.boolean(), { outside: true }),
  when: entry(z.map(z.string(), z.date())),
})

/** A worker with two steps; it hangs in the second until it is let go on. */
function workshop() {
  const calls: string[] = []
  const gate = createGate()
  const worker = board.agent({
    reads: ['plan'],
    writes: ['draft'],
    run: async ({ step, update, view, runId }) => {
      const first = await step('first', ({ idempotencyKey }) => {
        calls.push(idempotencyKey)
        return `${view.get('plan')} drafted`
      })
      const second = await step('second', async ({ idempotencyKey, attempt }) => {
        calls.push(`${idempotencyKey} ${attempt}`)
        await gate.passed
        return `in ${runId}`
      })
      await update({ draft: `${first} ${second}` })
    },
  })
  const workflow = board.workflow({ name: 'workshop', agents: { worker } }).createMachine({
    initial: 'ready',
    states: {
      ready: { on: { begin: 'working' } },
      working: { invoke: { src: 'worker', onDone: 'done' } },
      done: { type: 'final' },
    },
    output: ({ context }) => context.board.get('draft'),
  })
  return { workflow, calls, gate }
}

describe('a fork', () => {
  it('goes on from the point it was made at: agents in flight run again, finished steps keep their results, the other run is untouched', async () => {
    const { runtime, clock } = await createWorld()
    const { workflow, calls, gate } = workshop()
    const run = await runtime.start(workflow, { runId: 'r' })
    await run.update({ plan: 'one' })
    await run.send({ type: 'begin' })
    await clock.settle()
    const point = run.seq
    expect(calls).toEqual(['r.worker.1/first', 'r.worker.1/second 1'])
    await run.update({ plan: 'two' })
    const before = await run.ledger()

    const fork = await run.fork(point, { runId: 'f' })
    expect([fork.id, fork.status, fork.state, fork.get('plan')]).toEqual(['f', 'active', 'working', 'one'])
    await clock.settle()
    expect(calls.slice(2)).toEqual(['f.worker.1/second 2'])
    await fork.update({ plan: 'three' })
    expect(run.get('plan')).toBe('two')
    expect(await run.ledger()).toEqual(before)

    gate.open()
    expect(await fork.done).toBe('one drafted in f')
    expect(await run.done).toBe('one drafted in r')
    expect(fork.entry('plan')).toMatchObject({ value: 'three', version: 2 })
  })

  it('says in its first record from where it comes, and begins its own history there', async () => {
    const { runtime, clock } = await createWorld()
    const run = await runtime.start(idle(board), { runId: 'r' })
    await run.update({ plan: 'one', goal: 'ship' })
    const then = await run.snapshot('then')
    const at = clock.now()
    await clock.advance(500)
    const fork = await run.fork(then, { runId: 'f', by: 'ada', reason: 'what if' })
    const [first, ...rest] = await fork.ledger()
    expect(rest).toEqual([])
    expect(first).toMatchObject({
      seq: 1,
      runId: 'f',
      kind: 'start',
      author: 'ada',
      at: at + 500,
      asked: { forkedFrom: { runId: 'r', seq: then.seq, at }, reason: 'what if', steps: [] },
    })
    expect(fork.snapshots()).toEqual([])
    expect((await fork.log()).map(({ operation, key, to, detail }) => [operation, key, to, detail])).toEqual(
      expect.arrayContaining([
        ['fork', 'plan', 1, `from run r at ${then.seq}`],
        ['fork', 'goal', 1, `from run r at ${then.seq}`],
      ]),
    )
    expect((await fork.at(1)).get('plan')).toBe('one')
    expect(await runtime.list()).toMatchObject([
      { runId: 'r', seq: 3 },
      { runId: 'f', seq: 1, status: 'active', createdAt: at + 500 },
    ])
  })

  it('has the machine where it was, not where it has got to', async () => {
    const { runtime } = await createWorld()
    const doors = board
      .workflow()
      .createMachine({ initial: 'open', states: { open: { on: { shut: 'shut' } }, shut: { on: { open: 'open' } } } })
    const run = await runtime.start(doors)
    await run.send({ type: 'shut' })
    const fork = await run.fork(1)
    expect([run.state, fork.state]).toEqual(['shut', 'open'])
    await fork.send({ type: 'shut' })
    await run.send({ type: 'open' })
    expect([run.state, fork.state]).toEqual(['open', 'shut'])
  })

  it('can be made of a run that has ended, at any point before its end', async () => {
    const { runtime, clock } = await createWorld()
    const { workflow, gate } = workshop()
    gate.open()
    const run = await runtime.start(workflow, { runId: 'r' })
    await run.update({ plan: 'one' })
    const point = run.seq
    await run.send({ type: 'begin' })
    expect(await run.done).toBe('one drafted in r')
    const error = await refusalOf(run.fork(run.seq))
    expect(error.code).toBe('run.finished')
    expect(error.message).toContain('fork it at an earlier point')
    const fork = await run.fork(point, { runId: 'f' })
    await fork.update({ plan: 'another' })
    await fork.send({ type: 'begin' })
    expect(await fork.done).toBe('another drafted in f')
    await clock.settle()
    expect(run.status).toBe('done')
  })

  it('of a run that was stopped goes on from where it was stopped', async () => {
    const { runtime } = await createWorld()
    const { workflow, gate } = workshop()
    const run = await runtime.start(workflow, { runId: 'r' })
    await run.send({ type: 'begin' })
    await run.stop()
    const fork = await run.fork(run.seq, { runId: 'f' })
    gate.open()
    expect(await fork.done).toBe('undefined drafted in f')
    expect(run.status).toBe('stopped')
  })

  it('of a run that is not open does not wake it', async () => {
    const store = createVolatileStore()
    const { workflow, calls } = workshop()
    const before = await createRuntime({ store, clock: createTestClock() })
    const run = await before.start(workflow, { runId: 'r' })
    await run.update({ plan: 'one' })
    await run.episode('planned')
    await run.send({ type: 'begin' })
    await createTestClock().settle()
    const seq = run.seq
    const { runtime } = await createWorld({ store, workflows: [workflow] })
    const fork = await runtime.fork('r', 'planned', { runId: 'f' })
    expect([fork.state, fork.get('plan')]).toEqual(['ready', 'one'])
    await createTestClock().settle()
    expect(runtime.get('r')).toBeUndefined()
    expect(calls).toHaveLength(2)
    expect((await store.summary('r'))?.seq).toBe(seq)
  })

  it('leaves ephemeral entries behind; protection and versions come along, and deleted ones go on counting', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board))
    await run.update({ scratch: 'a thought', goal: 'ship', plan: 'one' })
    await run.update({ plan: drop() })
    const fork = await run.fork(run.seq)
    expect(fork.entries().map(({ key }) => key)).toEqual(['goal'])
    expect(JSON.stringify(await fork.ledger())).not.toContain('a thought')
    expect((await refusalOf(fork.update({ goal: 'rest' }))).code).toBe('update.refused')
    await fork.update({ plan: 'two', scratch: 'new' })
    expect([fork.entry('plan')?.version, fork.entry('scratch')?.version]).toEqual([3, 2])
    expect(run.get('scratch')).toBe('a thought')
  })

  it('has the time left that was left at its point: timers, expiry and pauses between attempts', async () => {
    const { runtime, clock } = await createWorld({ random: () => 1 })
    let attempts = 0
    const retries = board.agent({
      run: ({ step }) =>
        step(
          'shaky',
          () => {
            attempts += 1
            if (attempts === 1) throw new Error('not yet')
          },
          { retries: 1, backoffMs: 2000 },
        ),
    })
    const workflow = board.workflow({ agents: { retries } }).createMachine({
      type: 'parallel',
      states: {
        timed: { initial: 'a', states: { a: { after: { 1500: 'b' } }, b: {} } },
        shaky: { initial: 'a', states: { a: { invoke: { src: 'retries', onDone: 'b' } }, b: {} } },
      },
    })
    const run = await runtime.start(workflow)
    await run.update({ price: 5 })
    await clock.settle()
    const point = run.seq
    await clock.advance(400)
    await run.stop()
    await clock.advance(86_400_000)
    const fork = await run.fork(point)
    expect([fork.get('price'), fork.entry('price')?.expiresAt]).toEqual([5, clock.now() + 1000])
    await clock.advance(999)
    expect([fork.get('price'), fork.state]).toEqual([5, { timed: 'a', shaky: 'a' }])
    await clock.advance(1)
    expect(fork.get('price')).toBeUndefined()
    await clock.advance(499)
    expect(fork.state).toEqual({ timed: 'a', shaky: 'a' })
    await clock.advance(1)
    expect(fork.state).toEqual({ timed: 'b', shaky: 'a' })
    expect(attempts).toBe(1)
    await clock.advance(500)
    expect([attempts, fork.state]).toEqual([2, { timed: 'b', shaky: 'b' }])
  })

  it('lets its agents wait as long as they had left to wait', async () => {
    const { runtime, clock } = await createWorld()
    const waiter = board.agent({
      reads: ['approval'],
      run: ({ waitFor }) => waitFor('approval', { timeoutMs: 10_000 }),
    })
    const workflow = board.workflow({ agents: { waiter } }).createMachine({
      initial: 'waiting',
      states: { waiting: { invoke: { src: 'waiter', onError: 'late' } }, late: {} },
    })
    const run = await runtime.start(workflow)
    await clock.advance(4000)
    await run.update({ plan: 'one' })
    const point = run.seq
    await clock.advance(86_400_000)
    expect(run.state).toBe('late')
    const fork = await run.fork(point)
    await clock.advance(5999)
    expect(fork.state).toBe('waiting')
    await clock.advance(1)
    expect(fork.state).toBe('late')
  })

  it('leaves a person the time that was left to answer', async () => {
    const { runtime, clock } = await createWorld()
    const asker = board.agent({ reads: ['approval'], run: ({ ask }) => ask('approval', { timeoutMs: 60_000 }) })
    const workflow = board.workflow({ agents: { asker } }).createMachine({
      initial: 'asking',
      states: {
        asking: { invoke: { src: 'asker', onDone: 'end', onError: 'late' } },
        late: {},
        end: { type: 'final' },
      },
    })
    const run = await runtime.start(workflow, { runId: 'r' })
    await clock.advance(40_000)
    await run.update({ plan: 'a point' })
    const { seq } = run
    await clock.advance(600_000)
    expect(run.state).toBe('late')
    const fork = await run.fork(seq, { runId: 'f' })
    const again = await fork.fork(1, { runId: 'g' })
    await clock.advance(19_999)
    expect(fork.requests()).toMatchObject([{ runId: 'f', askedAt: clock.now() - 59_999 }])
    await again.answer(again.requests()[0]?.id ?? '', true)
    await again.done
    expect(fork.state).toBe('asking')
    await clock.advance(1)
    expect([fork.state, fork.requests()]).toEqual(['late', []])
  })

  it('shares the global entries, which are no run’s own', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board))
    await run.update({ rate: 1 })
    const point = run.seq
    await run.update({ rate: 2 })
    const fork = await run.fork(point)
    expect(fork.get('rate')).toBe(2)
    await fork.update({ rate: 3 })
    expect(run.get('rate')).toBe(3)
  })

  it('asks people again what was open at its point, under its own ids; what they had answered it knows', async () => {
    const { runtime, clock } = await createWorld()
    const asker = board.agent({
      reads: ['approval'],
      run: async ({ ask, askForEvent }) => {
        await ask('approval', { question: 'first?' })
        await askForEvent('go', { question: 'second?' })
      },
    })
    const workflow = board.workflow({ agents: { asker } }).createMachine({
      initial: 'asking',
      on: { go: {} },
      states: { asking: { invoke: { src: 'asker', onDone: 'end' } }, end: { type: 'final' } },
    })
    const run = await runtime.start(workflow, { runId: 'r' })
    await clock.settle()
    await run.answer(run.requests()[0]?.id ?? '', true)
    await clock.settle()
    expect(run.requests().map(({ question }) => question)).toEqual(['second?'])
    const fork = await run.fork(run.seq, { runId: 'f' })
    await clock.settle()
    expect(fork.requests().map(({ question, runId }) => [question, runId])).toEqual([['second?', 'f']])
    expect(fork.requests()[0]?.id).not.toBe(run.requests()[0]?.id)
    expect(run.requests()).toHaveLength(1)
  })

  it('forks the child runs that were at work as well, each going on from the same instant', async () => {
    const { runtime, clock } = await createWorld()
    const calls: string[] = []
    const gate = createGate()
    const inner = board.agent({
      run: async ({ step, runId }) => {
        const one = await step('one', () => {
          calls.push(`${runId} one`)
          return 1
        })
        const two = await step('two', async () => {
          calls.push(`${runId} two`)
          await gate.passed
          return 2
        })
        return one + two
      },
    })
    const child = board.workflow({ name: 'child', agents: { inner } }).createMachine({
      initial: 'on',
      context: {},
      states: { on: { invoke: { src: 'inner', onDone: 'end' } }, end: { type: 'final' } },
      output: 'child done',
    } as never)
    const parent = board.workflow({ name: 'parent', agents: { child } }).createMachine({
      initial: 'on',
      states: { on: { invoke: { src: 'child', onDone: 'end' } }, end: { type: 'final' } },
      output: ({ event }: { event: unknown }) => (event as { output: unknown }).output,
    } as never)
    const run = await runtime.start(parent, { runId: 'r' })
    await clock.advance(10)
    await run.update({ plan: 'one' } as never)
    const childLedger = await runtime.store.read('r.child.1')
    const fork = await run.fork(run.seq, { runId: 'f' })
    await clock.settle()
    expect(calls).toEqual(['r.child.1 one', 'r.child.1 two', 'f.child.1 two'])
    expect(await runtime.store.summary('f.child.1')).toMatchObject({
      parent: { runId: 'f', id: 'child' },
      status: 'active',
    })
    expect(await runtime.store.read('r.child.1')).toEqual(childLedger)
    gate.open()
    await Promise.all([fork.done, run.done])
    expect((await runtime.store.summary('f.child.1'))?.status).toBe('done')

    // At the very first record, the child had not begun.
    const early = await run.fork(1, { runId: 'e' })
    await early.done
    expect((await runtime.store.summary('e.child.1'))?.status).toBe('done')
  })

  it('is refused where the records of a child run at that point are not kept: nothing that it had done is done again', async () => {
    const { runtime, clock } = await createWorld({
      snapshots: { everyRecords: 5, keep: 1 },
      retention: { keepRecords: 2 },
    })
    let paid = 0
    const pays = board.agent({
      reads: ['approval'],
      run: async ({ step, waitFor }) => {
        await step('pay', () => (paid += 1))
        await waitFor('approval', { timeoutMs: Number.POSITIVE_INFINITY })
      },
    })
    const child = board.workflow({ name: 'child', agents: { pays } }).createMachine({
      initial: 'on',
      states: { on: { invoke: { src: 'pays', onDone: 'end' } }, end: { type: 'final' } },
    })
    const parent = board.workflow({ name: 'parent', agents: { child } }).createMachine({
      initial: 'ready',
      states: {
        ready: { on: { begin: 'on' } },
        on: { invoke: { src: 'child', onDone: 'end' } },
        end: { type: 'final' },
      },
    })
    const run = await runtime.start(parent, { runId: 'r' })
    await clock.advance(10)
    await run.send({ type: 'begin' })
    await clock.advance(10)
    await run.update({ plan: 'a point' })
    const { seq } = run
    const inner = runtime.get('r.child.1')
    for (let count = 0; count < 20; count++) {
      await clock.advance(10)
      await inner?.update({ plan: String(count) })
    }
    await clock.settle()
    expect((await refusalOf(run.fork(seq))).message).toMatch(/r\.child\.1.*r was at \d/)
    expect((await refusalOf(run.fork(seq))).code).toBe('run.trimmed')
    await run.update({ plan: 'a later point' })
    await run.fork(run.seq, { runId: 'late' })
    await run.fork(1, { runId: 'early' })
    await clock.settle()
    expect([paid, (await runtime.list()).map(({ runId }) => runId)]).toEqual([
      1,
      ['r', 'r.child.1', 'late', 'late.child.1', 'early'],
    ])
  })

  it('can be forked itself, and is a stored run like any other, in a file too', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'callboard-fork-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const store = await openSqlite(join(folder, 'runs.db'), { durability: 'process' })
    onTestFinished(() => store.close())
    const { workflow, gate, calls } = workshop()
    const clock = createTestClock()
    const first = await createRuntime({ store, clock })
    const run = await first.start(workflow, { runId: 'r' })
    const when = new Map([['launch', new Date(5)]])
    await run.update({ plan: 'one', when })
    await run.send({ type: 'begin' })
    await clock.settle()
    const fork = await run.fork(run.seq, { runId: 'f' })
    await clock.settle()
    const again = await fork.fork(fork.seq, { runId: 'g' })
    await clock.settle()
    expect(again.get('when')).toEqual(when)

    const { runtime } = await createWorld({ store, workflows: [workflow] })
    const { runs, failures } = await runtime.recover()
    expect(failures).toEqual([])
    gate.open()
    expect((await Promise.all(runs.map(({ done }) => done))).sort()).toEqual([
      'one drafted in f',
      'one drafted in g',
      'one drafted in r',
    ])
    expect(calls.filter((call) => call.endsWith('first'))).toEqual(['r.worker.1/first'])
    expect((await store.verify()).damage).toEqual([])
  })

  it('of a run whose workflow has changed since is migrated, or refused with the difference and not left behind', async () => {
    const store = createVolatileStore()
    const before = await createRuntime({ store, clock: createTestClock() })
    const old = board
      .workflow({ name: 'w' })
      .createMachine({ initial: 'draft', states: { draft: { on: { next: 'review' } }, review: {} } })
    const run = await before.start(old, { runId: 'r' })
    await run.update({ plan: 'one' })
    await run.send({ type: 'next' })
    const states = { initial: 'draft', states: { draft: { on: { next: 'check' } }, check: {} } } as const
    const changed = board.workflow({ name: 'w', version: '2' }).createMachine(states)
    const stranger = await createWorld({ store, workflows: [changed] })
    const error = await refusalOf(stranger.runtime.fork('r', 3, { runId: 'f' }))
    expect(error.code).toBe('run.definition-changed')
    expect(error.message).toContain('review')
    expect(await store.summary('f')).toBeUndefined()
    expect((await stranger.runtime.fork('r', 2, { runId: 'g' })).state).toBe('draft')

    const migrating = board
      .workflow({
        name: 'w',
        version: '2',
        migrate: ({ state: { value } }) => ({ value: value === 'review' ? 'check' : value }),
      })
      .createMachine(states)
    const { runtime } = await createWorld({ store, workflows: [migrating] })
    const fork = await runtime.fork('r', 3, { runId: 'f' })
    expect([fork.state, fork.get('plan')]).toEqual(['check', 'one'])
    expect(await store.read('r')).toHaveLength(3)
  })

  it('is refused with the reason where it cannot be made, and then there is none', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board), { runId: 'r' })
    const codeOf = async (fork: Promise<unknown>): Promise<string> => (await refusalOf(fork)).code
    expect(await codeOf(run.fork(9))).toBe('run.no-such-seq')
    expect(await codeOf(run.fork('nothing'))).toBe('run.no-such-seq')
    expect(await codeOf(run.fork(1, { runId: 'r' }))).toBe('run.exists')
    expect(await codeOf(run.fork(1, { runId: '' }))).toBe('run.invalid-id')
    expect(await codeOf(run.fork(1, { runId: 'global:x' }))).toBe('run.invalid-id')
    expect(await codeOf(runtime.fork('nobody', 1))).toBe('run.unknown')
    const [one, other] = await Promise.allSettled([run.fork(1, { runId: 'f' }), run.fork(1, { runId: 'f' })])
    expect([one.status, other.status].sort()).toEqual(['fulfilled', 'rejected'])
    const stranger = await createWorld({ store: runtime.store })
    expect(await codeOf(stranger.runtime.fork('r', 1))).toBe('workflow.unregistered')
    await runtime.close()
    expect(await codeOf(runtime.fork('r', 1))).toBe('runtime.closed')
    expect((await runtime.list()).map(({ runId }) => runId)).toEqual(['r', 'f'])
  })

  it('that the store refuses is an error with a code; one that it has stored all the same is there', async () => {
    const inner = createVolatileStore()
    let fails: 'before' | 'after' | undefined
    const store = wrapStore(inner, {
      append: async (batches) => {
        if (fails === 'before') throw new Error('disk full')
        await inner.append(batches)
        if (fails === 'after') throw new Error('connection lost')
      },
    })
    const { runtime } = await createWorld({ store })
    const run = await runtime.start(idle(board), { runId: 'r' })
    fails = 'before'
    expect((await refusalOf(run.fork(1, { runId: 'f' }))).code).toBe('store.failed')
    expect(await inner.summary('f')).toBeUndefined()
    fails = 'after'
    const fork = await run.fork(1, { runId: 'g' })
    fails = undefined
    await fork.update({ plan: 'goes on' })
    expect([fork.id, fork.seq, runtime.get('g')]).toEqual(['g', 2, fork])
  })
})
