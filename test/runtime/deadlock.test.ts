import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineContext, entry, isCallboardError } from 'callboard'
import type { CallboardError, WaitForGraph, Workflow } from 'callboard'
import { enqueueActions, fromPromise } from 'xstate'
import { createGate, createWorld, refusalOf, together } from './world.ts'

const board = defineContext({
  egg: entry(z.string()),
  hen: entry(z.string()),
  letter: entry(z.string(), { outside: true }),
  news: entry(z.string(), { scope: 'global' }),
})

const hatches = board.agent({
  reads: ['egg'],
  writes: ['hen'],
  run: async ({ waitFor, update }) => {
    await update({ hen: `from ${await waitFor('egg')}` })
  },
})
const lays = board.agent({
  reads: ['hen'],
  writes: ['egg'],
  run: async ({ waitFor, update }) => {
    await update({ egg: `from ${await waitFor('hen')}` })
  },
})
const waitsForEgg = board.agent({ reads: ['egg'], run: async ({ waitFor }) => void (await waitFor('egg')) })

describe('a deadlock', () => {
  it('of two agents that wait for each other is named at once, with the circle', async () => {
    const { runtime, clock } = await createWorld()
    const graphs: WaitForGraph[] = []
    runtime.on('deadlock', ({ graph }) => graphs.push(graph))
    const run = await runtime.start(together(board, { hatches, lays }), { runId: 'r1' })
    const error = await refusalOf(run.done)
    expect(error.code).toBe('wait.deadlock')
    expect(error.message).toBe(
      'run r1 is deadlocked: hatches waits for "egg", which lays would write; lays waits for "hen", which hatches would ' +
        'write (circle: hatches → lays → hatches); let one of them write first, catch wait.deadlock and go on without it, or mark an ' +
        'entry that someone outside writes with outside: true',
    )
    expect(graphs).toEqual([
      {
        nodes: [
          { agent: 'hatches', waitsFor: ['egg'], writers: { egg: ['lays'] } },
          { agent: 'lays', waitsFor: ['hen'], writers: { hen: ['hatches'] } },
        ],
        cycle: ['hatches', 'lays', 'hatches'],
      },
    ])
    expect(error.details).toMatchObject({ runId: 'r1', graph: graphs[0] })
    await clock.settle()
    expect(clock.armed).toBe(0)
  })

  it('tells an agent of no keys that it may neither read nor write; whoever runs it is told of all', async () => {
    const { runtime } = await createWorld()
    const graphs: WaitForGraph[] = []
    runtime.on('deadlock', ({ graph }) => graphs.push(graph))
    const told: unknown[] = []
    const waitsForHen = board.agent({
      reads: ['hen'],
      run: ({ waitFor }) => waitFor('hen').catch((error: CallboardError) => void told.push(error.details['graph'])),
    })
    const run = await runtime.start(together(board, { waitsForHen, waitsForEgg }))
    await refusalOf(run.done)
    expect(told).toEqual([
      {
        nodes: [
          { agent: 'waitsForHen', waitsFor: ['hen'], writers: { hen: [] } },
          { agent: 'waitsForEgg', waitsFor: ['(a key out of sight)'], writers: { '(a key out of sight)': [] } },
        ],
        cycle: undefined,
      },
    ])
    expect(graphs[0]?.nodes[1]).toEqual({ agent: 'waitsForEgg', waitsFor: ['egg'], writers: { egg: [] } })
  })

  it('of one agent that waits for what nobody writes is named at once', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(together(board, { waitsForEgg }), { runId: 'r1' })
    const error = await refusalOf(run.done)
    expect(error.code).toBe('wait.deadlock')
    expect(error.message).toContain('waitsForEgg waits for "egg", which no running agent writes')
  })

  it('reaches every agent in it, and each may go on in its own way', async () => {
    const { runtime } = await createWorld()
    const caught: CallboardError[] = []
    const forgives = (key: 'egg' | 'hen') =>
      board.agent({
        reads: ['egg', 'hen'],
        writes: ['egg', 'hen'],
        run: async ({ waitFor, update }) => {
          await waitFor(key).catch((error: unknown) => isCallboardError(error) && caught.push(error))
          await update({ [key]: 'after all' })
        },
      })
    const run = await runtime.start(together(board, { one: forgives('egg'), other: forgives('hen') }))
    await run.done
    expect(caught.map(({ code }) => code)).toEqual(['wait.deadlock', 'wait.deadlock'])
    expect([run.get('egg'), run.get('hen')]).toEqual(['after all', 'after all'])
  })

  it('is found when the last agent that could have written has ended', async () => {
    const { runtime } = await createWorld()
    const gate = createGate()
    const gaveUp = board.agent({ writes: ['egg'], run: () => gate.passed })
    const run = await runtime.start(together(board, { waitsForEgg, gaveUp }))
    expect(run.status).toBe('active')
    gate.open()
    expect((await refusalOf(run.done)).code).toBe('wait.deadlock')
  })
})

describe('no deadlock is declared', () => {
  /** How many deadlocks a run declares before and after something happens, and whether it waits until then. */
  async function observe(
    workflow: Workflow<undefined>,
    happen: () => void = () => {},
  ): Promise<{ readonly before: number; readonly waits: boolean; readonly after: number }> {
    const { runtime, clock } = await createWorld({ waitTimeoutMs: Number.POSITIVE_INFINITY })
    let declared = 0
    runtime.on('deadlock', () => (declared += 1))
    const run = await runtime.start(workflow)
    await clock.settle()
    const before = declared
    const waits = run.explain().waits.length > 0
    happen()
    await clock.settle()
    return { before, waits, after: declared }
  }
  const PATIENT = { before: 0, waits: true, after: 0 }
  const UNTIL_IT_HAPPENS = { before: 0, waits: true, after: 1 }

  it('while some agent is in a step', async () => {
    const gate = createGate()
    const busy = board.agent({ run: ({ step }) => step('work', () => gate.passed) })
    expect(await observe(together(board, { waitsForEgg, busy }), () => gate.open())).toEqual(UNTIL_IT_HAPPENS)
  })

  it('while some agent works without telling anybody', async () => {
    const gate = createGate()
    const busy = board.agent({ run: () => gate.passed })
    expect(await observe(together(board, { waitsForEgg, busy }), () => gate.open())).toEqual(UNTIL_IT_HAPPENS)
  })

  it('while a wait was made but is not awaited yet', async () => {
    const gate = createGate()
    const prepares = board.agent({
      reads: ['egg'],
      run: async ({ waitFor }) => {
        const egg = waitFor('egg')
        await gate.passed
        await egg
      },
    })
    expect(await observe(together(board, { prepares }), () => gate.open())).toEqual(UNTIL_IT_HAPPENS)
  })

  it('while an agent awaits something else besides: the first of a wait and its own work', async () => {
    const gate = createGate<string>()
    const races = board.agent({
      reads: ['egg'],
      run: async ({ waitFor, step }) => {
        await Promise.race([waitFor('egg'), step('other way', () => gate.passed)])
      },
    })
    expect(await observe(together(board, { races }))).toEqual(PATIENT)
  })

  it('before an agent that waits has gone on with what its step gave', async () => {
    const { runtime } = await createWorld()
    const gate = createGate<string>()
    const layThenWait = board.agent({
      reads: ['hen'],
      writes: ['egg'],
      run: async ({ step, update, waitFor }) => {
        const lay = async (): Promise<unknown> => update({ egg: await step('lay', () => gate.passed) })
        await Promise.all([waitFor('hen'), lay()])
      },
    })
    const run = await runtime.start(together(board, { layThenWait, hatches }))
    gate.open('fresh')
    await run.done
    expect(run.get('hen')).toBe('from fresh')
  })

  it('while a delayed transition is pending', async () => {
    const { runtime, clock } = await createWorld()
    const workflow = board.workflow({ agents: { waitsForEgg } }).createMachine({
      initial: 'wait',
      states: {
        wait: {
          invoke: { src: 'waitsForEgg', onDone: 'end' },
          after: { 1000: { actions: board.write({ egg: 'from the timer' }) } },
        },
        end: { type: 'final' },
      },
    })
    const run = await runtime.start(workflow)
    await clock.advance(999)
    expect(run.status).toBe('active')
    await clock.advance(1)
    expect(run.status).toBe('done')
  })

  it('while something on the board will expire: that may be what is waited for', async () => {
    const leases = defineContext({ lease: entry(z.string(), { ttlMs: 5_000 }), result: entry(z.string()) })
    const works = leases.agent({
      reads: ['lease'],
      writes: ['lease', 'result'],
      run: async ({ waitFor, update }) => {
        await update({ lease: 'mine' })
        await waitFor((view) => !view.has('lease'))
        await update({ result: 'free again' })
      },
    })
    const { runtime, clock } = await createWorld()
    const run = await runtime.start(together(leases, { works }))
    await clock.advance(5_000)
    expect({ status: run.status, result: run.get('result') }).toEqual({ status: 'done', result: 'free again' })
  })

  it('while a compact hook is at work, and it is when that has done nothing about it', async () => {
    const log = defineContext({ 'line.*': entry(z.string(), { priority: 'low' }), summary: entry(z.string()) })
    for (const writes of [true, false]) {
      const gate = createGate()
      const works = log.agent({
        reads: ['summary'],
        writes: ['line.*'],
        run: async ({ update, waitFor }) => {
          await update({ 'line.1': 'one' })
          await update({ 'line.2': 'two' })
          return waitFor('summary')
        },
      })
      const machine = log
        .workflow({
          agents: { works },
          limits: {
            maxEntries: 1,
            compact: async ({ update }) => {
              await gate.passed
              if (writes) await update({ summary: 'two lines' })
            },
          },
        })
        .createMachine({
          initial: 'on',
          states: { on: { invoke: { src: 'works', onDone: 'done', onError: 'stuck' } }, done: {}, stuck: {} },
        })
      const { runtime, clock } = await createWorld()
      const run = await runtime.start(machine)
      await clock.settle()
      expect(run.state).toBe('on')
      gate.open()
      await clock.settle()
      expect(run.state).toBe(writes ? 'done' : 'stuck')
    }
  })

  it('while a child run goes on, and it is when that has ended', async () => {
    const { runtime, clock } = await createWorld()
    const gate = createGate()
    const inner = defineContext({ note: entry(z.string()) })
    const works = inner.agent({ run: () => gate.passed })
    const child = together(inner, { works })
    const workflow = board.workflow({ agents: { waitsForEgg, child } }).createMachine({
      type: 'parallel',
      states: { a: { invoke: { src: 'waitsForEgg' } }, b: { invoke: { src: 'child' } } },
    })
    const run = await runtime.start(workflow)
    await clock.settle()
    expect(run.status).toBe('active')
    gate.open()
    expect((await refusalOf(run.done)).code).toBe('wait.deadlock')
  })

  it('while a promise actor of the machine is at work', async () => {
    const { runtime, clock } = await createWorld()
    const gate = createGate<string>()
    const lookup = fromPromise(() => gate.passed)
    const workflow = board.workflow({ agents: { waitsForEgg, lookup } }).createMachine({
      type: 'parallel',
      states: {
        a: { invoke: { src: 'waitsForEgg' } },
        b: {
          initial: 'on',
          states: {
            on: {
              invoke: {
                src: 'lookup',
                onDone: { target: 'off', actions: board.write({ egg: ({ event }) => event.output }) },
              },
            },
            off: {},
          },
        },
      },
    })
    const run = await runtime.start(workflow)
    await clock.settle()
    expect(run.status).toBe('active')
    gate.open('found')
    expect(await run.waitFor('egg')).toBe('found')
    await clock.settle()
    expect(run.explain().agents).toMatchObject([{ status: 'finished' }])
  })

  it('while a person is asked', async () => {
    const { runtime, clock } = await createWorld()
    const asks = board.agent({
      reads: ['hen'],
      writes: ['egg'],
      run: async ({ ask, update }) => {
        await update({ egg: await ask('hen') })
      },
    })
    const run = await runtime.start(together(board, { waitsForEgg, asks }))
    await clock.settle()
    expect(run.status).toBe('active')
    await run.answer(run.requests()[0]!.id, 'cluck')
    await run.done
  })

  it('for an entry that someone outside writes, or that other runs could write', async () => {
    const reads = (key: 'letter' | 'news') =>
      board.agent({ reads: [key], run: async ({ waitFor }) => void (await waitFor(key)) })
    expect(await observe(together(board, { a: reads('letter') }))).toEqual(PATIENT)
    expect(await observe(together(board, { a: reads('news') }))).toEqual(PATIENT)
  })

  describe('while the machine takes an event that', () => {
    const lays = board.write({ egg: 'laid' })
    const laysByName = { lay: lays } as never
    const laysFirst = board.agent({ writes: ['egg'], run: async ({ update }) => void (await update({ egg: 'laid' })) })
    const looks = board.agent({ run: () => 'looked' })
    const events = { go: z.unknown(), on: z.unknown() }
    const made = board.workflow({ agents: { waitsForEgg, laysFirst, looks }, events, actions: laysByName })
    const b = { to: { on: { go: 'b' } } }
    it.each<[string, Readonly<Record<string, object>>]>([
      ['writes the key', { a: { on: { go: { actions: lays } } } }],
      ['writes it by a named action', { a: { on: { go: { actions: 'lay' } } } }],
      [
        'writes it among other actions',
        { a: { on: { go: { actions: enqueueActions(({ enqueue }) => enqueue(lays)) } } } },
      ],
      ['leads to an agent that does', { a: b.to, b: { invoke: { src: 'laysFirst' } } }],
      ['leaves a state that does', { a: { ...b.to, exit: lays }, b: {} }],
      ['enters a state that does', { a: b.to, b: { entry: lays } }],
      ['leads to a state that goes on and does', { a: b.to, b: { always: { target: 'c', actions: lays } }, c: {} }],
      ['leads to a state that does after a while', { a: b.to, b: { after: { 5: { actions: lays } } } }],
      [
        'leads to an agent after which it is done',
        { a: b.to, b: { invoke: { src: 'looks', onDone: { actions: lays } } } },
      ],
      ['leads to another event that does', { a: b.to, b: { on: { on: { actions: lays } } } }],
      [
        'leads into a state whose parent does',
        { a: b.to, b: { initial: 'c', on: { on: { actions: lays } }, states: { c: {} } } },
      ],
    ])('%s', async (_, states) => {
      const { runtime, clock } = await createWorld()
      const run = await runtime.start(
        made.createMachine({
          type: 'parallel',
          states: { waiting: { invoke: { src: 'waitsForEgg' } }, laying: { initial: 'a', states } },
        } as never),
      )
      await clock.settle()
      expect(run.status).toBe('active')
      await run.send({ type: 'go' })
      await clock.advance(5)
      if (run.get('egg') === undefined) await run.send({ type: 'on' })
      expect(await run.waitFor('egg')).toBe('laid')
    })
  })

  it('for a condition over the whole view: what would meet it cannot be known', async () => {
    const looksAround = board.agent({
      reads: ['*'],
      run: async ({ waitFor }) => void (await waitFor((view) => view.keys().length > 3)),
    })
    expect(await observe(together(board, { looksAround }))).toEqual(PATIENT)
  })
})

it('an event that neither writes the key nor leads to a writer does not keep a deadlock hidden', async () => {
  const { runtime } = await createWorld()
  const workflow = board.workflow({ agents: { waitsForEgg } }).createMachine({
    initial: 'a',
    invoke: { src: 'waitsForEgg' },
    states: { a: { on: { other: 'b' } }, b: { on: { other: 'a' } }, c: { entry: board.write({ egg: 'by nobody' }) } },
  })
  const run = await runtime.start(workflow)
  expect((await refusalOf(run.done)).code).toBe('wait.deadlock')
})
