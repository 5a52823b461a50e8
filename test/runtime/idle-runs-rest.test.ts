import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it, onTestFinished } from 'vitest'
import { fromPromise } from 'xstate'
import { z } from 'zod'
import { createRuntime, createVolatileStore, defineContext, drop, entry } from 'callboard'
import type { OpenRequest, Run, RuntimeOptions } from 'callboard'
import { failAt, setFaultHandler } from 'callboard/testing'
import { freshPath, openStore } from '../store/world.ts'
import { createTestClock } from '../support/clock.ts'
import { createGate, createWorld, refusalOf } from './world.ts'
import type { World } from './world.ts'

const board = defineContext({
  note: entry(z.string()),
  made: entry(z.string(), { dependsOn: ['shared'] }),
  brief: entry(z.string(), { ttlMs: 60_000 }),
  passing: entry(z.string(), { ephemeral: true }),
  approval: entry(z.boolean(), { outside: true }),
  shared: entry(z.string(), { scope: 'global' }),
})
/** Waits for events and for its own clock; no agent is at work. */
const office = board.workflow({ name: 'office' }).createMachine({
  id: 'office',
  initial: 'open',
  states: {
    open: { on: { close: 'closed', lunch: 'away' } },
    away: { after: { 3_600_000: 'open' } },
    closed: { type: 'final' },
  },
  output: ({ context }) => context.board.get('note'),
})
const plain = board.workflow({ name: 'plain' }).createMachine({ id: 'plain', initial: 'on', states: { on: {} } })

/** A runtime in which whatever is idle and not the newest rests. */
async function createCrowdedWorld(options: RuntimeOptions = {}): Promise<World & { rest(run: Run): Promise<void> }> {
  const world = await createWorld({ maxActiveRuns: 1, ...options })
  let others = 0
  return {
    ...world,
    /** Sends a run to rest by using others. */
    async rest(run) {
      await world.clock.settle()
      await world.runtime.start(plain, { runId: `other ${++others} than ${run.id}` })
      await world.clock.settle()
    },
  }
}

describe('a run that is idle', () => {
  it('leaves memory when more runs are active than wanted, the one used longest ago first', async () => {
    const { runtime, clock } = await createWorld({ maxActiveRuns: 3 })
    const resting: string[] = []
    const runs: Run[] = []
    for (const runId of ['a', 'b', 'c']) runs.push(await runtime.start(office, { runId }))
    await runs[0]?.update({ note: 'a is used again' })
    await runtime.start(office, { runId: 'd' })
    await clock.settle()
    expect(runtime.activeRuns).toBe(3)
    for (const runId of ['a', 'b', 'c', 'd']) {
      const before = runtime.activeRuns
      await runtime.send(runId, { type: 'nobody listens' })
      if (runtime.activeRuns > before) resting.push(runId)
    }
    expect(resting).toEqual(['b'])
  })

  it('can be read as it is, by whoever holds it, while it rests', async () => {
    const { runtime, rest } = await createCrowdedWorld()
    const run = await runtime.start(office, { runId: 'r' })
    await run.update({ note: 'kept' })
    await run.snapshot('named')
    await rest(run)
    expect(runtime.activeRuns).toBe(1)
    expect([run.get('note'), run.entry('note')?.version, run.state, run.seq, run.status]).toEqual([
      'kept',
      1,
      'open',
      3,
      'active',
    ])
    expect(run.entries().map(({ key }) => key)).toEqual(['note'])
    expect(run.snapshots().map(({ reason }) => reason)).toEqual(['named'])
    expect(run.explain().text).toContain('r')
    expect(run.requests()).toEqual([])
    expect(await run.ledger()).toHaveLength(3)
    expect((await run.at(2)).get('note')).toBe('kept')
    expect(runtime.get('r')).toBe(run)
    expect(runtime.activeRuns).toBe(1)
  })

  it('comes back for whatever is asked of it, and its holder is never told of the past', async () => {
    const { runtime, rest } = await createCrowdedWorld()
    const run = await runtime.start(office, { runId: 'r' })
    await rest(run)
    await run.update({ note: 'through the run' })
    expect([run.get('note'), run.seq]).toEqual(['through the run', 2])
    await rest(run)
    expect(await run.send({ type: 'lunch' })).toBe(true)
    expect(run.state).toBe('away')
    await rest(run)
    await runtime.send('r', { type: 'nobody listens' })
    const again = await runtime.open('r')
    expect(again).toBe(run)
    await again.update({ note: 'through the runtime' })
    expect(run.get('note')).toBe('through the runtime')
    await rest(run)
    expect(run.get('note')).toBe('through the runtime')
    await rest(run)
    await run.snapshot('after a rest')
    expect(run.snapshots()).toHaveLength(1)
    expect((await run.ledger()).map(({ kind }) => kind)).toEqual(['start', 'update', 'event', 'update', 'snapshot'])
  })

  it('comes back once for several who want it at the same time, and takes them in order', async () => {
    const { runtime, rest } = await createCrowdedWorld()
    const run = await runtime.start(office, { runId: 'r' })
    await rest(run)
    const results = await Promise.all([
      run.update({ note: 'first' }),
      run.update({ note: 'second' }),
      runtime.open('r'),
      run.update({ note: 'third' }),
    ])
    expect(results[2]).toBe(run)
    expect(run.entry('note')).toMatchObject({ value: 'third', version: 3 })
  })

  it('settles `done` when it ends later, even if nobody holds anything but the promise', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const { runtime, clock, rest } = await createCrowdedWorld()
    const outcomes: unknown[] = []
    const start = async (): Promise<Run> => {
      const run = await runtime.start(office, { runId: 'r' })
      run.done.then(
        (output) => outcomes.push(output),
        () => outcomes.push('failed'),
      )
      return run
    }
    await rest(await start())
    for (let turn = 0; turn < 3; turn++) {
      collect()
      await clock.settle()
    }
    await (await runtime.open('r')).update({ note: 'at last' })
    await runtime.send('r', { type: 'close' })
    await clock.settle()
    expect(outcomes).toEqual(['at last'])
  })

  it('is forgotten by the runtime when nobody holds it, and opened from the store', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const { runtime, clock, rest } = await createCrowdedWorld()
    await rest(await runtime.start(office, { runId: 'r' }))
    for (let turn = 0; turn < 3; turn++) {
      collect()
      await clock.settle()
    }
    expect(runtime.get('r')).toBeUndefined()
    expect((await runtime.open('r')).state).toBe('open')
    await runtime.stop('r')
    expect((await runtime.list({ status: 'stopped' })).map(({ runId }) => runId)).toEqual(['r'])
  })

  it('comes back at its next deadline: a delayed transition, an expiry', async () => {
    const { runtime, clock, rest } = await createCrowdedWorld()
    const run = await runtime.start(office, { runId: 'r' })
    await run.send({ type: 'lunch' })
    await rest(run)
    await clock.advance(3_599_999)
    expect(run.state).toBe('away')
    await clock.advance(1)
    expect(run.state).toBe('open')
    await run.update({ brief: 'a minute' })
    await rest(run)
    await clock.advance(59_999)
    expect(run.get('brief')).toBe('a minute')
    await clock.advance(1)
    expect(run.get('brief')).toBeUndefined()
    expect((await run.ledger()).at(-1)).toMatchObject({ kind: 'upkeep', at: clock.now() })
  })

  it('keeps its promises to subscribers, waiters and readers of changes that come while it rests', async () => {
    const { runtime, clock, rest } = await createCrowdedWorld()
    const run = await runtime.start(office, { runId: 'r' })
    await rest(run)
    const told: string[] = []
    const off = run.subscribe('note', ({ version }) => told.push(`version ${version}`))
    const ended = run.subscribe('note', () => told.push('never'))
    ended()
    await runtime.send('r', { type: 'lunch' })
    await run.update({ note: 'one' })
    await clock.settle()
    expect(told).toEqual(['version 1'])
    await rest(run)
    await runtime.start(plain)
    await clock.settle()
    await run.update({ note: 'two' })
    await clock.settle()
    expect(told).toEqual(['version 1', 'version 2'])
    off()
    await rest(run)
    const waiting = run.waitFor('brief')
    const changes = run.changes({ afterSeq: run.seq })
    const next = changes.next()
    await run.update({ brief: 'here' })
    expect(await waiting).toBe('here')
    expect((await next).value).toMatchObject({ kind: 'update', entries: [{ key: 'brief' }] })
    expect(run.deliveries('outside').map(({ version }) => version)).toEqual([1, 2])
  })
})

describe('a run with an agent that waits for a person', () => {
  function asking(): { readonly calls: string[]; readonly workflow: typeof office } {
    const calls: string[] = []
    const asks = board.agent({
      reads: ['approval'],
      writes: ['note'],
      run: async ({ step, ask, update }) => {
        calls.push('run')
        await step('prepare', () => calls.push('prepare'))
        const approved = await ask('approval', { question: 'Go on?', timeoutMs: 86_400_000 })
        await update({ note: approved ? 'approved' : 'declined' })
      },
    })
    const workflow = board.workflow({ name: 'asking', agents: { asks } }).createMachine({
      id: 'asking',
      initial: 'on',
      states: { on: { invoke: { src: 'asks', onDone: 'end', onError: 'late' } }, end: { type: 'final' }, late: {} },
      output: ({ context }) => context.board.get('note'),
    })
    return { calls, workflow: workflow as unknown as typeof office }
  }

  it('rests without a trace, can be answered while it rests, and repeats no finished step', async () => {
    const { calls, workflow } = asking()
    const { runtime, rest } = await createCrowdedWorld()
    const asked: OpenRequest[] = []
    runtime.on('request', ({ request }) => asked.push(request))
    const run = await runtime.start(workflow, { runId: 'r' })
    await rest(run)
    const before = await run.ledger()
    expect(runtime.activeRuns).toBe(1)
    const [request] = run.requests()
    expect(request).toMatchObject({ question: 'Go on?', agent: 'asks' })
    expect(run.explain().requests).toHaveLength(1)
    await runtime.send('r', { type: 'nobody listens' })
    await rest(run)
    expect(await run.ledger()).toEqual(before)
    expect(run.requests()).toEqual([request])
    await run.answer(request?.id ?? '', true)
    expect(await run.done).toBe('approved')
    expect(calls).toEqual(['run', 'prepare', 'run', 'run'])
    expect(asked).toEqual([request])
  })

  it('keeps the time that the person has', async () => {
    const { workflow } = asking()
    const { runtime, clock, rest } = await createCrowdedWorld()
    const run = await runtime.start(workflow, { runId: 'r' })
    for (let hour = 0; hour < 23; hour++) {
      await rest(run)
      await clock.advance(3_600_000)
      await runtime.send('r', { type: 'nobody listens' })
    }
    await rest(run)
    await clock.advance(3_599_999)
    expect(run.requests()).toHaveLength(1)
    await clock.advance(1)
    expect(run.state).toBe('late')
    expect(run.requests()).toEqual([])
  })

  it('rests when the time of the person is over, too', async () => {
    const reasons: unknown[] = []
    const asks = board.agent({
      reads: ['approval'],
      run: async ({ ask, waitFor, signal }) => {
        signal.addEventListener('abort', () => reasons.push((signal.reason as { readonly code: string }).code))
        await ask('approval', { timeoutMs: 5_000 }).catch(() => {})
        await waitFor('approval', { timeoutMs: Number.POSITIVE_INFINITY })
      },
    })
    const patient = board.workflow({ name: 'patient', agents: { asks } }).createMachine({ invoke: { src: 'asks' } })
    const { runtime, clock, rest } = await createCrowdedWorld()
    const run = await runtime.start(patient, { runId: 'r' })
    await clock.advance(5_000)
    expect(run.requests()).toEqual([])
    await rest(run)
    expect(reasons).toEqual(['agent.resting'])
  })

  it('or for an entry, for a limited time, rests and still times out at the instant at which it would have', async () => {
    const waits = board.agent({
      reads: ['approval'],
      run: async ({ waitFor }) => waitFor('approval', { timeoutMs: 30_000 }),
    })
    const workflow = board.workflow({ name: 'limited', agents: { waits } }).createMachine({
      initial: 'on',
      states: { on: { invoke: { src: 'waits', onDone: 'end', onError: 'late' } }, end: {}, late: {} },
    })
    const { runtime, clock, rest } = await createCrowdedWorld()
    const run = await runtime.start(workflow, { runId: 'r' })
    await clock.advance(1_000) // it is noted after a second
    const rests = [runtime.activeRuns]
    for (const ms of [9_000, 10_000, 9_999]) {
      await rest(run)
      rests.push(runtime.activeRuns)
      await clock.advance(ms)
      await runtime.send('r', { type: 'nobody listens' })
    }
    expect(rests).toEqual([1, 1, 1, 1])
    expect(run.state).toBe('on')
    await clock.advance(1)
    expect(run.state).toBe('late')
  })

  it('that holds resources is told, so that it can let them go', async () => {
    const reasons: unknown[] = []
    const holds = board.agent({
      reads: ['approval'],
      run: async ({ ask, signal }) => {
        signal.addEventListener('abort', () => reasons.push(signal.reason))
        try {
          await ask('approval')
        } catch (error) {
          reasons.push(error)
          throw error
        }
      },
    })
    const workflow = board.workflow({ name: 'holding', agents: { holds } }).createMachine({ invoke: { src: 'holds' } })
    const { runtime, rest } = await createCrowdedWorld()
    const statuses: string[] = []
    runtime.on('agent', ({ status }) => statuses.push(status))
    const run = await runtime.start(workflow, { runId: 'r' })
    await rest(run)
    expect(reasons).toEqual([
      expect.objectContaining({ code: 'agent.resting' }),
      expect.objectContaining({ code: 'agent.resting' }),
    ])
    expect(statuses).toEqual(['running', 'resting'])
    expect(run.status).toBe('active')
  })
})

describe('a run that has something to do', () => {
  const machineOf = (config: object, agents: object = {}, name = 'busy'): typeof office =>
    board.workflow({ name, agents: agents as never }).createMachine(config as never) as unknown as typeof office
  const invoking = (src: string): object => ({ invoke: { src } })
  const child = machineOf({ initial: 'on', states: { on: {} } }, {}, 'child')

  it.each([
    ['an agent at work', machineOf(invoking('works'), { works: board.agent({ run: () => new Promise(() => {}) }) })],
    [
      'an agent in a step',
      machineOf(invoking('steps'), {
        steps: board.agent({ run: ({ step }) => step('long', () => new Promise(() => {})) }),
      }),
    ],
    [
      'an agent that waits for a time that is in no record yet',
      machineOf(invoking('waits'), {
        waits: board.agent({ reads: ['approval'], run: ({ waitFor }) => waitFor('approval') }),
      }),
    ],
    ['a child run', machineOf(invoking('child'), { child })],
    [
      'an actor of which nothing is known',
      machineOf(invoking('other'), { other: fromPromise(() => new Promise(() => {})) }),
    ],
    ['a deadline in a moment', machineOf({ initial: 'on', states: { on: { after: { 500: 'off' } }, off: {} } })],
  ])('stays: %s', async (_what, workflow) => {
    const { runtime, clock, rest } = await createCrowdedWorld()
    const run = await runtime.start(workflow as never, { runId: 'r' } as never)
    await clock.settle()
    const before = runtime.activeRuns
    await rest(run)
    expect(runtime.activeRuns).toBe(before)
    expect(runtime.get('r')).toBe(run)
    await run.stop()
  })

  it.each([
    ['a subscriber', (run: Run) => run.subscribe('*', () => {})],
    ['a listener to what its machine emits', (run: Run) => run.on('*', () => {})],
    ['somebody who waits for an entry', (run: Run) => void run.waitFor('note').catch(() => {})],
    ['a reader of its changes', (run: Run) => void run.changes({ afterSeq: run.seq }).next()],
    ['an ephemeral value', (run: Run) => run.update({ passing: 'not stored anywhere' })],
  ])('stays: %s', async (_what, take) => {
    const { runtime, rest } = await createCrowdedWorld()
    const run = await runtime.start(office, { runId: 'r' })
    await take(run as Run)
    await rest(run as Run)
    expect(runtime.activeRuns).toBe(1)
    // The other one was idle, and is not there.
    expect((await runtime.list()).length).toBe(2)
    await run.send({ type: 'nobody listens' })
    expect(runtime.activeRuns).toBe(1)
  })

  it('rests as soon as it has nothing to do any more', async () => {
    const { runtime, clock, rest } = await createCrowdedWorld()
    const run = await runtime.start(office, { runId: 'r' })
    await run.update({ passing: 'for now' })
    const off = run.subscribe('*', () => {})
    await rest(run)
    off()
    await run.update({ passing: drop() })
    await clock.settle()
    await runtime.start(plain, { runId: 'last' })
    await clock.settle()
    expect(runtime.activeRuns).toBe(1)
    await runtime.send('last', { type: 'nobody listens' })
    expect(runtime.activeRuns).toBe(1)
  })
})

describe('global entries', () => {
  it('are read as they are by whoever holds a run that rests', async () => {
    const { runtime, rest } = await createCrowdedWorld()
    const run = await runtime.start(office, { runId: 'r' })
    await run.update({ shared: 'old' })
    await rest(run)
    const other = await runtime.start(office, { runId: 'other' })
    await other.update({ shared: 'new' })
    expect(run.get('shared')).toBe('new')
    expect(run.entries().map(({ value }) => value)).toEqual(['new'])
  })

  it('bring back a run that they concern: what is made from them is stale, who waits for them goes on', async () => {
    const { runtime, clock, rest } = await createCrowdedWorld()
    const waits = board.agent({
      reads: ['shared'],
      writes: ['note'],
      run: async ({ waitFor, update }) => {
        await update({ note: await waitFor('shared', { timeoutMs: Number.POSITIVE_INFINITY }) })
      },
    })
    const waiting = board.workflow({ name: 'waiting', agents: { waits } }).createMachine({
      initial: 'on',
      states: { on: { invoke: { src: 'waits', onDone: 'end' } }, end: {} },
    })
    const made = await runtime.start(office, { runId: 'made' })
    await made.update({ made: 'from nothing' })
    await rest(made)
    const run = await runtime.start(waiting, { runId: 'waits' })
    await rest(run as Run)
    expect(runtime.activeRuns).toBe(1)
    const writer = await runtime.start(office, { runId: 'writer' })
    await writer.update({ shared: 'news' })
    await clock.settle()
    expect(made.entry('made')?.stale).toBe(true)
    expect([run.get('note'), run.state]).toEqual(['news', 'end'])
  })
})

describe('after a restart', () => {
  it('runs at rest are left alone until they are due or sent something', async () => {
    const path = freshPath()
    const clock = createTestClock()
    const before = await createRuntime({ store: await openStore(path), clock, maxActiveRuns: 1 })
    for (const runId of ['idle', 'away', 'newest']) {
      const run = await before.start(office, { runId })
      if (runId === 'away') await run.send({ type: 'lunch' })
    }
    await clock.settle()
    expect(before.activeRuns).toBe(1)
    await before.store.close()
    const store = await openStore(path)
    const { runtime } = await createWorld({ store, clock, workflows: [office] })
    const { runs, resting, failures } = await runtime.recover()
    expect([runs.map(({ id }) => id), resting, failures]).toEqual([['newest'], ['idle', 'away'], []])
    expect(runtime.activeRuns).toBe(1)
    await clock.advance(3_600_000)
    expect(runtime.activeRuns).toBe(2)
    expect((await runtime.open('away')).state).toBe('open')
    expect(await runtime.send('idle', { type: 'close' })).toBe(true)
  })

  it('a run at rest whose workflow is not known is still reported', async () => {
    const store = createVolatileStore()
    const clock = createTestClock()
    const before = await createRuntime({ store, clock, maxActiveRuns: 1 })
    await before.start(office, { runId: 'idle' })
    await before.start(plain, { runId: 'newest' })
    await clock.settle()
    const { runtime } = await createWorld({ store, clock, workflows: [plain] })
    const { resting, failures } = await runtime.recover()
    expect(resting).toEqual([])
    expect(failures).toEqual([
      { runId: 'idle', error: expect.objectContaining({ code: 'workflow.unregistered' }) as unknown },
    ])
  })
})

describe('when something goes wrong', () => {
  it('on the way back, whoever asked is told, and the run can be asked again', async () => {
    const store = createVolatileStore()
    const { runtime, clock, rest } = await createCrowdedWorld({ store })
    const failures: unknown[] = []
    runtime.on('failure', (failure) => failures.push(failure))
    const run = await runtime.start(office, { runId: 'r' })
    await run.send({ type: 'lunch' })
    await rest(run)
    const { read } = store
    store.read = () => Promise.reject(new Error('unplugged'))
    await expect(run.update({ note: 'not now' })).rejects.toThrow('unplugged')
    await clock.advance(3_600_000)
    expect(failures).toEqual([{ topic: 'rest', error: expect.objectContaining({ code: 'store.failed' }) }])
    store.read = read
    expect(run.state).toBe('away')
    await clock.advance(1_000)
    expect(run.state).toBe('open')
    await run.update({ note: 'now' })
    expect(run.entry('note')).toMatchObject({ value: 'now', version: 1 })
  })

  it('a wait from outside ends when its run comes back ended', async () => {
    const path = freshPath()
    const { runtime, rest } = await createCrowdedWorld({ store: await openStore(path), workflows: [office, plain] })
    const elsewhere = await createWorld({ store: await openStore(path), workflows: [office, plain] })
    const run = await runtime.start(office, { runId: 'r' })
    await rest(run)
    await elsewhere.runtime.stop('r')
    const forEver = { timeoutMs: Number.POSITIVE_INFINITY }
    expect((await refusalOf(run.waitFor('note', forEver))).code).toBe('run.finished')
    expect((await refusalOf(run.waitFor('note', forEver))).code).toBe('run.finished')
  })

  it('a run that somebody else has removed is given up, and not looked for again and again', async () => {
    const { runtime, clock, rest } = await createCrowdedWorld()
    const failures: unknown[] = []
    runtime.on('failure', ({ error }) => failures.push((error as { readonly code: string }).code))
    const run = await runtime.start(office, { runId: 'r' })
    await run.send({ type: 'lunch' })
    const { done } = run
    await rest(run)
    await runtime.store.remove('r')
    await clock.advance(3_600_000)
    await clock.advance(60_000)
    expect(failures).toEqual(['run.unknown'])
    expect((await refusalOf(done)).code).toBe('run.unknown')
    expect((await refusalOf(run.update({ note: 'too late' }))).code).toBe('run.finished')
  })

  it('at a fault point, no run is lost', async () => {
    for (const point of ['rest:before', 'rest:after', 'wake:before', 'wake:after']) {
      const { runtime, clock, rest } = await createCrowdedWorld()
      const run = await runtime.start(office, { runId: 'r' })
      setFaultHandler(failAt(point, 1, 'throw'))
      onTestFinished(() => setFaultHandler(undefined))
      await rest(run)
      await run.update({ note: 'one' }).catch(() => {})
      setFaultHandler(undefined)
      await rest(run)
      await run.update({ note: 'two' })
      expect(run.get('note')).toBe('two')
      await runtime.close()
      await clock.settle()
    }
  })

  it('a runtime that is closed brings nobody back', async () => {
    const { runtime, clock, rest } = await createCrowdedWorld()
    const run = await runtime.start(office, { runId: 'r' })
    await run.send({ type: 'lunch' })
    await rest(run)
    await runtime.close()
    expect(clock.armed).toBe(0)
    expect((await refusalOf(run.update({ note: 'too late' }))).code).toBe('runtime.closed')
    expect(run.status).toBe('active')
  })
})

it('a limit that makes no sense is refused', async () => {
  for (const waitTimeoutMs of [-1, Number.NaN])
    expect((await refusalOf(createWorld({ waitTimeoutMs }))).code).toBe('runtime.option')
  for (const maxActiveRuns of [0, -1, 1.5, Number.NaN])
    expect((await refusalOf(createWorld({ maxActiveRuns }))).code).toBe('runtime.option')
})

it('a run that is stopped while it comes back is stopped once', async () => {
  const { runtime, rest } = await createCrowdedWorld()
  const run = await runtime.start(office, { runId: 'r' })
  await rest(run)
  const gate = createGate()
  const ends: string[] = []
  runtime.on('end', ({ status }) => ends.push(status))
  await Promise.all([run.stop('enough'), run.stop('enough'), runtime.stop('r', 'enough')])
  gate.open()
  await expect(run.done).rejects.toMatchObject({ code: 'run.stopped' })
  expect(ends).toEqual(['stopped'])
})
