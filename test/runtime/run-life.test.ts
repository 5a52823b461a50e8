import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { assign, setup } from 'xstate'
import { createRuntime, createVolatileStore, defineContext, entry, isCallboardError } from 'callboard'
import { createGate, createWorld, idle, refusalOf, together } from './world.ts'

const board = defineContext({ note: entry(z.string()) })

const greeting = board
  .workflow({
    name: 'greeting',
    version: '2',
    input: z.object({ name: z.string(), times: z.int().default(1) }),
    output: z.object({ text: z.string() }),
    events: { greet: z.object({ with: z.string().trim() }), leave: z.object({}) },
  })
  .createMachine({
    id: 'greeting',
    initial: 'waiting',
    states: {
      waiting: {
        on: {
          greet: {
            target: 'end',
            actions: board.write({
              note: ({ context, event }) => `${event.with} ${context.input.name}`.repeat(context.input.times),
            }),
          },
          leave: 'gone',
        },
      },
      end: { type: 'final' },
      gone: { type: 'final' },
    },
    output: ({ context }) => ({ text: context.board.get('note') ?? (undefined as never) }),
  })

describe('run.done', () => {
  it('gives the output, checked by the schema', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(greeting, { input: { name: 'Ada' } })
    expect(run.status).toBe('active')
    expect(await run.send({ type: 'greet', with: ' hello ' })).toBe(true)
    expect(await run.done).toEqual({ text: 'hello Ada' })
    expect(run.status).toBe('done')
    expect(run.state).toBe('end')
  })

  it('rejects when the output does not fit, and the run counts as failed', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(greeting, { input: { name: 'Ada' }, runId: 'r1' })
    await run.send({ type: 'leave' })
    const error = await refusalOf(run.done)
    expect(error.code).toBe('run.output')
    expect(error.message).toContain('run r1: the output of greeting does not fit its schema: at text')
    expect(run.status).toBe('error')
  })

  it('rejects with `run.stopped` and the reason when the run is stopped', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board), { runId: 'r1' })
    await run.stop('not needed any more')
    const error = await refusalOf(run.done)
    expect(error.code).toBe('run.stopped')
    expect(error.message).toBe('run r1 was stopped: not needed any more')
    expect(run.status).toBe('stopped')
    expect((await run.ledger()).at(-1)).toMatchObject({ kind: 'end', asked: { reason: 'not needed any more' } })
  })

  it('rejects with what an action threw', async () => {
    const { runtime } = await createWorld()
    const workflow = board
      .workflow({
        actions: {
          explode: () => {
            throw new RangeError('boom')
          },
        },
      })
      .createMachine({ initial: 'a', states: { a: { on: { go: { actions: 'explode' } } } } })
    const run = await runtime.start(workflow)
    await run.send({ type: 'go' })
    await expect(run.done).rejects.toThrow('boom')
    expect(run.status).toBe('error')
    expect((await runtime.list())[0]?.status).toBe('error')
  })

  it('stays what it is when an action throws that ended the run; the topic `failure` tells of it', async () => {
    const { runtime } = await createWorld()
    const told: unknown[] = []
    runtime.on('failure', (failure) => told.push(failure))
    const explode = (): void => {
      throw new RangeError('boom')
    }
    const workflow = board.workflow({ actions: { explode } }).createMachine({
      initial: 'a',
      states: { a: { on: { go: { target: 'b', actions: 'explode' } } }, b: { type: 'final' } },
    })
    const run = await runtime.start(workflow)
    await run.send({ type: 'go' })
    await run.done
    expect(told).toEqual([{ topic: 'action', error: new RangeError('boom') }])
  })

  it.each([
    ['a function', () => ({ call: () => 1 }), 'a function at context.kept.call cannot be kept'],
    ['an instance', () => new URL('http://127.0.0.1/'), 'an instance of URL at context.kept cannot be kept'],
    [
      'a circle',
      () => {
        const circle: Record<string, unknown> = {}
        return Object.assign(circle, { circle })
      },
      'its context holds a cycle',
    ],
  ])('rejects when its machine keeps %s in its context, and nobody is left waiting', async (_, make, why) => {
    const { runtime } = await createWorld()
    const workflow = board
      .workflow({ context: () => ({ kept: undefined as unknown }) })
      .createMachine({ initial: 'a', states: { a: { on: { go: { actions: assign({ kept: make }) } } } } })
    const run = await runtime.start(workflow, { runId: 'r1' })
    const refused = await refusalOf(run.send({ type: 'go' }))
    expect(refused.code).toBe('run.not-recordable')
    expect(refused.message).toContain(`run r1: the state of its machine cannot be recorded: ${why}`)
    expect(await refusalOf(run.done)).toBe(refused)
    expect((await runtime.list())[0]?.status).toBe('error')
    expect((await refusalOf(run.send({ type: 'go' }))).code).toBe('run.finished')
  })

  it('comes all the same when its machine keeps an error in its context: a store has what it says', async () => {
    const store = createVolatileStore()
    const { runtime } = await createWorld({ store })
    const fails = board.agent({ run: () => Promise.reject(new Error('no luck')) })
    const workflow = board
      .workflow({ agents: { fails }, context: () => ({ error: undefined as unknown }) })
      .createMachine({
        initial: 'a',
        states: {
          a: {
            invoke: { src: 'fails', onError: { target: 'b', actions: assign({ error: ({ event }) => event.error }) } },
          },
          b: { type: 'final' },
        },
      })
    const run = await runtime.start(workflow)
    await run.done
    const { machine } = (await run.ledger()).findLast((record) => record.machine !== undefined) ?? {}
    expect(machine?.context).toEqual({
      error: { name: 'CallboardError', code: 'agent.failed', message: 'agent fails failed: no luck' },
    })
  })

  it('rejects with what a guard threw', async () => {
    const { runtime } = await createWorld()
    const workflow = board
      .workflow({
        guards: {
          explodes: () => {
            throw new RangeError('boom')
          },
        },
      })
      .createMachine({ initial: 'a', states: { a: { on: { go: { guard: 'explodes', target: 'b' } } }, b: {} } })
    const run = await runtime.start(workflow)
    await expect(run.send({ type: 'go' })).rejects.toThrow('boom')
    await expect(run.done).rejects.toThrow('boom')
    expect((await runtime.list())[0]?.status).toBe('error')
  })

  it('that nobody asks for is no uncaught rejection', async () => {
    const { runtime, clock } = await createWorld()
    const run = await runtime.start(idle(board))
    await run.stop()
    await clock.settle()
    expect(run.status).toBe('stopped')
  })
})

it('a run that is stopped, or whose runtime is closed, while its own end is being stored, ends as its machine did', async () => {
  const { runtime } = await createWorld()
  const [stopped, closed] = [await runtime.start(idle(board)), await runtime.start(idle(board))]
  void stopped.send({ type: 'stop' })
  void closed.send({ type: 'stop' })
  await stopped.stop('too late')
  await runtime.close()
  expect([stopped.status, closed.status]).toEqual(['done', 'done'])
  await Promise.all([stopped.done, closed.done])
})

describe('starting a run', () => {
  it('refuses an input that does not fit, before anything is stored', async () => {
    const { runtime } = await createWorld()
    const error = await refusalOf(runtime.start(greeting, { input: { name: 7 } as never, runId: 'r1' }))
    expect(error.code).toBe('run.input')
    expect(error.message).toContain('run r1: the input of greeting does not fit its schema: at name')
    expect(await runtime.list()).toEqual([])
    expect(runtime.get('r1')).toBeUndefined()
  })

  it('refuses an id that is taken, by a living run, an ended one, and one that another runtime stored', async () => {
    const store = createVolatileStore()
    const { runtime } = await createWorld({ store })
    const run = await runtime.start(idle(board), { runId: 'r1' })
    expect((await refusalOf(runtime.start(idle(board), { runId: 'r1' }))).code).toBe('run.exists')
    await run.stop()
    expect((await refusalOf(runtime.start(idle(board), { runId: 'r1' }))).code).toBe('run.exists')
    const { runtime: other } = await createWorld({ store })
    const error = await refusalOf(other.start(idle(board), { runId: 'r1' }))
    expect(error.message).toBe('there is a run r1 already; choose another id')
    expect(await run.ledger()).toHaveLength(2)
  })

  it('lets only one of two have an id that both ask for at once', async () => {
    const { runtime } = await createWorld()
    const results = await Promise.allSettled([1, 2, 3].map(() => runtime.start(idle(board), { runId: 'r1' })))
    expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected', 'rejected'])
    const refusals = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []))
    expect(refusals.every((reason) => isCallboardError(reason, 'run.exists'))).toBe(true)
    const winner = results.find((result) => result.status === 'fulfilled')?.value
    expect(runtime.get('r1')).toBe(winner)
    await winner?.update({ note: 'still mine' })
    expect(runtime.get('r1')?.get('note')).toBe('still mine')
  })

  it('invokes the agents that `provide` put in place of others', async () => {
    const { runtime } = await createWorld()
    const real = board.agent({ run: (): Promise<string> => new Promise(() => {}) })
    const stub = board.agent({
      writes: ['note'],
      run: async ({ update }) => void (await update({ note: 'by a stub' })),
    })
    const workflow = together(board, { writer: real })
    const run = await runtime.start(workflow.provide({ actors: { writer: stub } } as never) as typeof workflow)
    await run.done
    expect(run.get('note')).toBe('by a stub')
  })

  it('refuses ids that are none, and machines that are no workflow', async () => {
    const { runtime } = await createWorld()
    for (const runId of ['', '\ud800', 'x'.repeat(2000), '.', '..', 'global:default'])
      expect((await refusalOf(runtime.start(idle(board), { runId }))).code).toBe('run.invalid-id')
    const plain = setup({}).createMachine({ id: 'plain' })
    const error = await refusalOf(runtime.start(plain as never, {} as never))
    expect(error.code).toBe('workflow.unknown')
    expect(error.message).toContain('machine "plain" is not a workflow')
  })

  it('makes an id where none is given', async () => {
    const { runtime } = await createWorld({ ids: { next: (kind) => `${kind}-7` } })
    expect((await runtime.start(idle(board))).id).toBe('run-7')
  })
})

describe('events from outside', () => {
  it('are checked against what the workflow declares', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(greeting, { input: { name: 'Ada' }, runId: 'r1' })
    const unknown = await refusalOf(run.send({ type: 'sing' }))
    expect(unknown.code).toBe('event.unknown')
    expect(unknown.message).toBe('run r1: workflow greeting declares no event "sing"; declared are greet, leave')
    const invalid = await refusalOf(run.send({ type: 'greet', with: 7 }))
    expect(invalid.code).toBe('event.invalid')
    expect(invalid.message).toContain('run r1: event "greet" does not fit its schema: at with')
    expect((await refusalOf(run.send({ type: 'toString' }))).code).toBe('event.unknown')
    expect(run.seq).toBe(1)
  })

  it('of the runtime’s own types are refused', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board))
    for (const type of ['callboard.update', 'callboard.anything', 'xstate.stop', 'xstate.done.actor.x'])
      expect((await refusalOf(run.send({ type }))).code).toBe('event.reserved')
    expect(run.status).toBe('active')
  })

  it('that the machine does not take now resolve to false and leave no record', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board))
    expect(await run.send({ type: 'unheard of' })).toBe(false)
    expect(run.seq).toBe(1)
  })
})

describe('a runtime', () => {
  it('knows its runs, living and ended, and lists those in the store, by workflow and status', async () => {
    const { runtime, clock } = await createWorld()
    const one = await runtime.start(idle(board), { runId: 'one' })
    await clock.advance(10)
    await runtime.start(greeting, { runId: 'two', input: { name: 'Ada' } })
    await one.stop()
    expect(runtime.get('one')).toBe(one)
    expect(runtime.get('three')).toBeUndefined()
    expect(await runtime.list()).toEqual([
      {
        runId: 'one',
        workflow: 'together',
        version: '1',
        status: 'stopped',
        seq: 2,
        createdAt: clock.now() - 10,
        updatedAt: clock.now(),
        parent: undefined,
      },
      {
        runId: 'two',
        workflow: 'greeting',
        version: '2',
        status: 'active',
        seq: 1,
        createdAt: clock.now(),
        updatedAt: clock.now(),
        parent: undefined,
      },
    ])
    expect((await runtime.list({ status: 'active' })).map(({ runId }) => runId)).toEqual(['two'])
    expect((await runtime.list({ workflow: 'together' })).map(({ runId }) => runId)).toEqual(['one'])
  })

  it('sends events and stops by id, and says which id it does not know', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board), { runId: 'one' })
    expect(await runtime.send('one', { type: 'unheard of' })).toBe(false)
    await runtime.stop('one', 'by id')
    expect((await refusalOf(run.done)).message).toBe('run one was stopped: by id')
    expect((await refusalOf(Promise.resolve().then(() => runtime.stop('two')))).code).toBe('run.unknown')
    expect((await refusalOf(Promise.resolve().then(() => runtime.send('two', { type: 'x' })))).code).toBe('run.unknown')
  })

  it('tells of beginnings, ends and records, and of a listener that fails', async () => {
    const { runtime } = await createWorld()
    const told: string[] = []
    runtime.on('run', ({ runId, workflow }) => told.push(`run ${runId} of ${workflow}`))
    runtime.on('record', ({ record }) => {
      told.push(`record ${record.seq}`)
      throw new Error('no')
    })
    runtime.on('end', ({ runId, status }) => told.push(`end ${runId} ${status}`))
    runtime.on('failure', ({ topic }) => told.push(`failure ${topic}`))
    const off = runtime.on('record', () => told.push('never'))
    off()
    const run = await runtime.start(idle(board), { runId: 'one' })
    await run.send({ type: 'stop' })
    await run.done
    expect(told).toEqual([
      'record 1',
      'failure record',
      'run one of together',
      'record 2',
      'failure record',
      'end one done',
    ])
  })

  it('stops every run when it is closed, once, and starts none after that', async () => {
    const runtime = await createRuntime()
    const never = createGate()
    const stays = board.agent({ run: () => never.passed })
    const runs = await Promise.all([1, 2, 3].map(() => runtime.start(together(board, { stays }))))
    await runtime.close()
    await runtime.close()
    for (const run of runs) {
      expect(run.status).toBe('stopped')
      expect((await refusalOf(run.done)).message).toContain('the runtime was closed')
    }
    expect((await refusalOf(runtime.start(idle(board)))).code).toBe('runtime.closed')
  })

  it('is closed at the end of its block with `await using`', async () => {
    let escaped
    {
      await using runtime = await createRuntime()
      escaped = await runtime.start(idle(board))
    }
    expect(escaped.status).toBe('stopped')
  })

  it('leaves no timer behind when its runs have ended', async () => {
    const { runtime, clock } = await createWorld()
    const waits = board.agent({ reads: ['note'], run: async ({ waitFor }) => void (await waitFor('note')) })
    const timed = board.workflow({ agents: { waits } }).createMachine({
      invoke: { src: 'waits' },
      initial: 'a',
      states: { a: { after: { 60_000: 'b' } }, b: {} },
    })
    const run = await runtime.start(timed)
    await clock.settle()
    expect(clock.armed).toBe(1)
    await run.stop()
    await clock.settle()
    expect(clock.armed).toBe(0)
  })
})
