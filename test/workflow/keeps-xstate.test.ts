// What XState machines can do, they can do as workflows: nothing of it is lost by the board.
import { describe, expect, it } from 'vitest'
import {
  and,
  assign,
  enqueueActions,
  fromCallback,
  fromPromise,
  getNextTransitions,
  initialTransition,
  not,
  raise,
  sendParent,
  sendTo,
  setup,
  stateIn,
  transition,
} from 'xstate'
import { z } from 'zod'
import { defineContext, entry } from 'callboard'
import { createGate, createWorld } from '../runtime/world.ts'

const board = defineContext({
  result: entry(z.object({ successRate: z.number() })),
  log: entry(z.array(z.string()), { merge: 'append', default: [] }),
  count: entry(z.int(), { merge: 'replace', default: 0 }),
})

const log = (line: string) => board.write({ log: [line] })

it('what is named in the options is what could stand in its place', async () => {
  const { runtime } = await createWorld()
  const workflow = board
    .workflow({
      events: { add: z.object({ amount: z.int() }), done: z.object({}) },
      context: () => ({ sum: 0 }),
      guards: { isMoreThan: ({ context }, params: { readonly min: number }) => context.sum > params.min },
      actions: {
        add: assign({ sum: ({ context }, params: { readonly amount: number }) => context.sum + params.amount }),
        record: board.write({ count: ({ context }) => context.sum }),
        finish: raise({ type: 'done' }),
        recordAndFinish: enqueueActions(({ enqueue }) => {
          enqueue('record')
          enqueue('finish')
        }),
      },
    })
    .createMachine({
      initial: 'adding',
      states: {
        adding: {
          on: {
            add: { actions: { type: 'add', params: ({ event }) => ({ amount: event.amount }) } },
            done: 'done',
          },
          always: { guard: { type: 'isMoreThan', params: { min: 5 } }, actions: 'recordAndFinish', target: 'ending' },
        },
        ending: { on: { done: 'done' } },
        done: { type: 'final' },
      },
    })
  const run = await runtime.start(workflow)
  await run.send({ type: 'add', amount: 4 })
  expect(run.state).toBe('adding')
  await run.send({ type: 'add', amount: 3 })
  await run.done
  expect(run.get('count')).toBe(7)
})

describe('guards', () => {
  it('over entries, inline, by name, combined, and over states', async () => {
    const { runtime } = await createWorld()
    const workflow = board
      .workflow({ guards: { isPatient: ({ context }) => (context.board.get('count') ?? 0) < 3 } })
      .createMachine({
        type: 'parallel',
        states: {
          rating: {
            initial: 'unknown',
            states: {
              unknown: {
                on: {
                  judge: [
                    { guard: board.when('result', ({ successRate }) => successRate >= 0.7), target: 'good' },
                    { guard: and(['isPatient', not(board.when('result'))]), actions: log('no result yet') },
                    { guard: ({ context }) => context.board.has('result'), target: 'bad' },
                  ],
                },
              },
              good: {},
              bad: { on: { judge: 'unknown' } },
            },
          },
          report: {
            initial: 'open',
            states: { open: { on: { close: { guard: stateIn({ rating: 'good' }), target: 'closed' } } }, closed: {} },
          },
        },
      })
    const run = await runtime.start(workflow)
    await run.send({ type: 'judge' })
    expect(run.get('log')).toEqual(['no result yet'])
    await run.update({ result: { successRate: 0.5 } })
    await run.send({ type: 'judge' })
    expect(run.state).toEqual({ rating: 'bad', report: 'open' })
    expect(await run.send({ type: 'close' })).toBe(false)
    await run.send({ type: 'judge' })
    await run.update({ result: { successRate: 0.7 } })
    await run.send({ type: 'judge' })
    expect(await run.send({ type: 'close' })).toBe(true)
    expect(run.state).toEqual({ rating: 'good', report: 'closed' })
  })

  it('of eventless transitions are asked again after every update', async () => {
    const { runtime } = await createWorld()
    const workflow = board.workflow().createMachine({
      initial: 'low',
      states: {
        low: { always: { guard: board.when('count', (count) => count > 10), target: 'high' } },
        high: { entry: log('high'), type: 'final' },
      },
    })
    const run = await runtime.start(workflow)
    await run.update({ count: 10 })
    expect(run.state).toBe('low')
    await run.update({ count: 11 })
    await run.done
    expect(run.get('log')).toEqual(['high'])
    const last = (await run.ledger()).at(-1)
    expect(last).toMatchObject({ kind: 'update', author: 'outside' })
    expect(last?.changes.map(({ key }) => key).toSorted()).toEqual(['count', 'log'])
  })
})

describe('states', () => {
  it('in parallel end together', async () => {
    const { runtime } = await createWorld()
    const region = (event: string) => ({
      initial: 'on' as const,
      states: { on: { on: { [event]: 'off' as const } }, off: { type: 'final' as const } },
    })
    const workflow = board.workflow().createMachine({
      initial: 'both',
      states: {
        both: { type: 'parallel', states: { a: region('a'), b: region('b') }, onDone: 'end' },
        end: { type: 'final' },
      },
    })
    const run = await runtime.start(workflow)
    await run.send({ type: 'b' })
    expect(run.state).toEqual({ both: { a: 'on', b: 'off' } })
    await run.send({ type: 'a' })
    await run.done
  })

  it('remember where they were: shallow and deep history', async () => {
    const { runtime } = await createWorld()
    const workflow = board.workflow().createMachine({
      id: 'h',
      initial: 'work',
      states: {
        work: {
          initial: 'a',
          states: {
            a: { on: { next: 'b' } },
            b: { initial: 'b1', states: { b1: { on: { deeper: 'b2' } }, b2: {} } },
            shallow: { type: 'history' },
            deep: { type: 'history', history: 'deep' },
          },
          on: { pause: 'paused' },
        },
        paused: { on: { shallow: '#h.work.shallow', deep: '#h.work.deep' } },
      },
    })
    const run = await runtime.start(workflow)
    for (const type of ['next', 'deeper', 'pause']) await run.send({ type })
    await run.send({ type: 'deep' })
    expect(run.state).toEqual({ work: { b: 'b2' } })
    await run.send({ type: 'pause' })
    await run.update({ count: 1 })
    await run.send({ type: 'shallow' })
    expect(run.state).toEqual({ work: { b: 'b1' } })
  })

  it('run their entry and exit actions, and tags stay readable on the machine', async () => {
    const { runtime } = await createWorld()
    const workflow = board.workflow().createMachine({
      initial: 'a',
      entry: log('root in'),
      states: {
        a: {
          tags: 'busy',
          entry: log('a in'),
          exit: log('a out'),
          on: { next: { target: 'b', actions: log('going') } },
        },
        b: { entry: log('b in'), type: 'final' },
      },
    })
    const run = await runtime.start(workflow)
    await run.send({ type: 'next' })
    await run.done
    expect(run.get('log')).toEqual(['root in', 'a in', 'a out', 'going', 'b in'])
    expect(workflow.getStateNodeById('(machine).a').tags).toEqual(['busy'])
  })
})

describe('time', () => {
  it('passes by the clock of the runtime: `after`, by number, name and function', async () => {
    const { runtime, clock } = await createWorld()
    const workflow = board
      .workflow({ delays: { soon: 50, later: ({ context }) => 100 * (context.board.get('count') ?? 0) } })
      .createMachine({
        initial: 'a',
        states: {
          a: { after: { 1000: 'b' } },
          b: { after: { soon: 'c' } },
          c: { after: { later: 'd' } },
          d: { type: 'final' },
        },
      })
    const run = await runtime.start(workflow)
    await run.update({ count: 2 })
    await clock.advance(999)
    expect(run.state).toBe('a')
    await clock.advance(1)
    expect(run.state).toBe('b')
    await clock.advance(50)
    expect(run.state).toBe('c')
    await clock.advance(199)
    expect(run.state).toBe('c')
    await clock.advance(1)
    await run.done
    expect(clock.armed).toBe(0)
  })

  it('delays events, and leaving a state takes its delays back', async () => {
    const { runtime, clock } = await createWorld()
    const workflow = board.workflow().createMachine({
      initial: 'a',
      on: { tick: { actions: log('tick') } },
      states: {
        a: {
          entry: raise({ type: 'tick' }, { delay: 100 }),
          after: { 500: { actions: log('never') } },
          on: { next: 'b' },
        },
        b: {},
      },
    })
    const run = await runtime.start(workflow)
    expect(run.explain().hasTimers).toBe(true)
    await run.send({ type: 'next' })
    await clock.advance(100)
    expect(run.get('log')).toEqual(['tick'])
    await clock.advance(1000)
    expect(run.get('log')).toEqual(['tick'])
    expect(run.explain().hasTimers).toBe(false)
    expect(clock.armed).toBe(0)
  })
})

describe('actions', () => {
  it('of the user run once the record is stored, in order, also when nothing else changes', async () => {
    const { runtime } = await createWorld()
    const done: string[] = []
    const workflow = board
      .workflow({ actions: { note: ({ event, context }) => done.push(`${event.type} ${context.board.get('count')}`) } })
      .createMachine({
        on: {
          only: { actions: 'note' },
          both: { actions: ['note', board.write({ count: 7 }), 'note'] },
        },
      })
    const run = await runtime.start(workflow)
    expect(await run.send({ type: 'only' })).toBe(true)
    expect(done).toEqual(['only 0'])
    await run.send({ type: 'both' })
    expect(done).toEqual(['only 0', 'both 0', 'both 7'])
    expect((await run.ledger()).map(({ kind }) => kind)).toEqual(['start', 'event', 'event'])
  })

  it('assign to the extra context beside the board', async () => {
    const { runtime } = await createWorld()
    const workflow = board
      .workflow({ input: z.object({ from: z.int() }), context: ({ input }) => ({ rounds: input.from }) })
      .createMachine({
        on: {
          next: {
            actions: [
              assign({ rounds: ({ context }) => context.rounds + 1 }),
              board.write({ count: ({ context }) => (context as unknown as { rounds: number }).rounds }),
            ],
          },
          end: '.end',
        },
        initial: 'on',
        states: { on: {}, end: { type: 'final' } },
        output: ({ context }) => ({ rounds: context.rounds, count: context.board.get('count') }),
      })
    const run = await runtime.start(workflow, { input: { from: 5 } })
    await run.send({ type: 'next' })
    await run.send({ type: 'next' })
    expect((await run.ledger()).at(-1)?.machine?.context).toEqual({ rounds: 7, input: { from: 5 } })
    await run.send({ type: 'end' })
    expect(await run.done).toEqual({ rounds: 7, count: 7 })
  })

  it('raise and enqueueActions are part of one macrostep and one record', async () => {
    const { runtime } = await createWorld()
    const workflow = board.workflow().createMachine({
      initial: 'a',
      states: {
        a: {
          on: {
            go: { actions: [log('go'), raise({ type: 'follow' })] },
            follow: { target: 'b', actions: log('follow') },
          },
        },
        b: {
          entry: enqueueActions(({ enqueue, check }) => {
            if (check(({ context }) => context.board.get('log')?.length === 2)) enqueue(log('checked') as never)
          }),
        },
      },
    })
    const run = await runtime.start(workflow)
    const { seq } = run
    await run.send({ type: 'go' })
    expect(run.get('log')).toEqual(['go', 'follow', 'checked'])
    expect(run.state).toBe('b')
    expect(run.seq).toBe(seq + 1)
  })

  it('that write what is refused fail the run, and the entries stay as they were', async () => {
    const { runtime } = await createWorld()
    const workflow = board.workflow().createMachine({
      on: { bad: { actions: [board.write({ count: 1 }), board.write({ result: { successRate: 'high' } as never })] } },
    })
    const run = await runtime.start(workflow)
    await expect(run.send({ type: 'bad' })).rejects.toMatchObject({ code: 'update.refused' })
    await expect(run.done).rejects.toMatchObject({ code: 'update.refused' })
    expect(run.status).toBe('error')
    expect(run.get('count')).toBe(0)
    expect((await run.ledger()).at(-1)).toMatchObject({ kind: 'end', asked: { error: { code: 'update.refused' } } })
  })
})

describe('actors', () => {
  it('from promises give their output, or their error', async () => {
    const { runtime } = await createWorld()
    const looksUp = fromPromise<number, { readonly good: boolean }>(({ input }) =>
      input.good ? Promise.resolve(3) : Promise.reject(new Error('not found')),
    )
    const workflow = board.workflow({ agents: { looksUp } }).createMachine({
      initial: 'first',
      states: {
        first: {
          invoke: {
            src: 'looksUp',
            id: 'one',
            input: { good: true },
            onDone: { target: 'second', actions: board.write({ count: ({ event }) => event.output }) },
          },
        },
        second: {
          invoke: {
            src: 'looksUp',
            id: 'two',
            input: { good: false },
            onError: { target: 'end', actions: log('failed') },
          },
        },
        end: { type: 'final' },
      },
    })
    const run = await runtime.start(workflow)
    await run.done
    expect(run.get('count')).toBe(3)
    expect(run.get('log')).toEqual(['failed'])
  })

  it('from callbacks receive events and send some back, and are cleaned up', async () => {
    const { runtime, clock } = await createWorld()
    const cleaned: string[] = []
    const echo = fromCallback(({ sendBack, receive }) => {
      receive(({ type }) => sendBack({ type: `${type} back` }))
      return () => cleaned.push('cleaned')
    })
    const workflow = board.workflow({ agents: { echo } }).createMachine({
      initial: 'on',
      states: {
        on: {
          invoke: { src: 'echo', id: 'echo' },
          on: {
            hello: { actions: sendTo('echo', { type: 'hello' }) },
            'hello back': { actions: log('heard') },
            off: 'off',
          },
        },
        off: {},
      },
    })
    const run = await runtime.start(workflow)
    await run.send({ type: 'hello' })
    await clock.settle()
    expect(run.get('log')).toEqual(['heard'])
    await run.send({ type: 'off' })
    await clock.settle()
    expect(cleaned).toEqual(['cleaned'])
  })

  it('that are plain machines run inside, with their own delays, and give their output', async () => {
    const { runtime, clock } = await createWorld()
    const traffic = setup({ types: { output: {} as { readonly color: string } } }).createMachine({
      initial: 'red',
      states: {
        red: { after: { 100: 'green' } },
        green: { entry: sendParent({ type: 'turned' }), after: { 100: 'end' } },
        end: { type: 'final' },
      },
      output: { color: 'green' },
    })
    const workflow = board.workflow({ agents: { traffic } }).createMachine({
      initial: 'on',
      on: { turned: { actions: log('turned') } },
      states: {
        on: {
          invoke: {
            src: 'traffic',
            onDone: { target: 'off', actions: board.write({ log: ({ event }) => [event.output.color] }) },
          },
        },
        off: { type: 'final' },
      },
    })
    const run = await runtime.start(workflow)
    await clock.advance(100)
    expect(run.get('log')).toEqual(['turned'])
    await clock.advance(100)
    await run.done
    expect(run.get('log')).toEqual(['turned', 'green'])
  })

  it('do not start before the record that invoked them is stored', async () => {
    const { runtime } = await createWorld()
    const found: unknown[] = []
    const observes = fromPromise(async () => {
      const records = await runtime.store.read('r1')
      found.push(records.at(-1)?.machine?.value)
    })
    const workflow = board.workflow({ agents: { observes } }).createMachine({
      initial: 'a',
      states: { a: { on: { go: 'b' } }, b: { invoke: { src: 'observes', onDone: 'c' } }, c: { type: 'final' } },
    })
    const run = await runtime.start(workflow, { runId: 'r1' })
    await run.send({ type: 'go' })
    await run.done
    expect(found).toEqual(['b'])
  })
})

describe('wildcards', () => {
  it('are not triggered by the runtime’s own events, and do not swallow updates', async () => {
    const { runtime, clock } = await createWorld()
    const short = defineContext({
      cache: entry(z.string(), { ttlMs: 10 }),
      seen: entry(z.array(z.string()), { merge: 'append', default: [] }),
    })
    const note = short.write({ seen: ({ event }) => [event.type] })
    const workflow = short.workflow().createMachine({
      initial: 'a',
      on: { '*': { actions: note } },
      states: {
        a: {
          on: { '*': { actions: note } },
          type: 'parallel',
          states: { x: { on: { '*': { actions: note } } }, y: {} },
        },
      },
    })
    const run = await runtime.start(workflow)
    await run.update({ cache: 'x' })
    expect(run.get('cache')).toBe('x')
    await clock.advance(10)
    expect(run.get('cache')).toBeUndefined()
    expect(run.get('seen')).toEqual([])
    await run.send({ type: 'anything' })
    expect(run.get('seen')).toEqual(['anything'])
    await run.send({ type: 'some.thing' })
    expect(run.get('seen')).toEqual(['anything', 'some.thing'])
  })

  it('apply an update once, however many regions it reaches', async () => {
    const { runtime } = await createWorld()
    const counts = defineContext({ hits: entry(z.int(), { merge: 'counter', default: 0 }) })
    const region = { on: { '*': { actions: counts.write({}) } } }
    const workflow = counts.workflow().createMachine({
      type: 'parallel',
      states: { a: region, b: region, c: region, d: {} },
    })
    const run = await runtime.start(workflow)
    await run.update({ hits: 1 })
    expect(run.get('hits')).toBe(1)
    expect(run.entry('hits')?.version).toBe(2)
  })

  it('forbidden transitions and partial wildcards stay what they are', async () => {
    const { runtime } = await createWorld()
    const workflow = board.workflow().createMachine({
      initial: 'a',
      on: { 'mouse.*': { actions: log('root') } },
      states: { a: { on: { 'mouse.click': {}, 'mouse.move': { actions: log('a') } } } },
    })
    const run = await runtime.start(workflow)
    await run.send({ type: 'mouse.move' })
    await run.send({ type: 'mouse.click' })
    await run.send({ type: 'mouse.wheel' })
    expect(run.get('log')).toEqual(['a', 'root'])
  })
})

describe('pure transitions', () => {
  it('of XState work on a workflow’s machine without a runtime: nothing runs', async () => {
    const never = createGate()
    const works = board.agent({
      run: () => {
        never.open()
        throw new Error('must not run')
      },
    })
    const workflow = board.workflow({ agents: { works } }).createMachine({
      initial: 'idle',
      states: {
        idle: { on: { go: { target: 'working', actions: board.write({ count: 5 }) } } },
        working: { invoke: { src: 'works', onDone: 'end' } },
        end: { type: 'final' },
      },
    })
    const [first] = initialTransition(workflow)
    expect(first.value).toBe('idle')
    expect(getNextTransitions(first).map(({ eventType }) => eventType)).toContain('go')
    const [second, actions] = transition(workflow, first, { type: 'go' })
    expect(second.value).toBe('working')
    expect(second.context.board.get('count')).toBe(5)
    expect(first.context.board.get('count')).toBe(0)
    expect(actions.length).toBeGreaterThan(0)
  })
})
