import { describe, expect, it } from 'vitest'
import { assign, createMachine, fromCallback, fromPromise, sendParent, sendTo, setup } from 'xstate'
import { createVolatileStore, defineContext } from 'callboard'
import { wrapStore } from '../store/wrapped.ts'
import { createGate, createWorld } from './world.ts'

const board = defineContext({})

describe('a machine inside a workflow', () => {
  it('has each of its transitions in the ledger, with where it stands', async () => {
    const light = createMachine({
      id: 'light',
      initial: 'red',
      states: { red: { on: { turn: 'green' } }, green: { on: { turn: 'red' } } },
    })
    const { runtime } = await createWorld()
    const workflow = board.workflow({ agents: { light } }).createMachine({
      invoke: { src: 'light', id: 'light' },
      on: { turn: { actions: sendTo('light', { type: 'turn' }) } },
    })
    const run = await runtime.start(workflow)
    await run.send({ type: 'turn' })
    const records = await run.ledger()
    expect(records.slice(1).map(({ seq, kind, asked }) => ({ seq, kind, asked }))).toEqual([
      { seq: 2, kind: 'event', asked: { event: { type: 'turn' } } },
      { seq: 3, kind: 'event', asked: { event: { type: 'turn' }, actor: ['light'] } },
    ])
    expect(records.at(-1)?.machine?.persisted).toMatchObject({ children: { light: { snapshot: { value: 'green' } } } })
  })

  it('does nothing to the world before its record is stored; what it says inside is in the same commit', async () => {
    const done: string[] = []
    const letGo = createGate()
    let held = false
    const sizes: number[] = []
    const inner = createVolatileStore()
    const store = wrapStore(inner, {
      append: async (batches) => {
        sizes.push(batches[0]?.records.length ?? 0)
        if (held) await letGo.passed
        await inner.append(batches)
      },
    })
    const works = fromPromise(async () => void done.push('promise'))
    const hears = fromCallback(({ receive }) => receive(({ type }) => done.push(`callback hears ${type}`)))
    const acts = setup({ actors: { works } }).createMachine({
      id: 'acts',
      initial: 'idle',
      states: {
        idle: { on: { go: 'busy' } },
        busy: { entry: [() => done.push('action'), sendParent({ type: 'busy' })], invoke: { src: 'works' } },
      },
    })
    const { runtime, clock } = await createWorld({ store })
    const workflow = board.workflow({ agents: { acts, hears } }).createMachine({
      invoke: [
        { src: 'acts', id: 'acts' },
        { src: 'hears', id: 'hears' },
      ],
      on: {
        go: { actions: sendTo('acts', { type: 'go' }) },
        busy: { actions: sendTo('hears', { type: 'news' }) },
      },
    })
    const run = await runtime.start(workflow)
    held = true
    sizes.length = 0
    const sent = run.send({ type: 'go' })
    await clock.settle()
    expect(done).toEqual([])
    letGo.open()
    await sent
    await clock.settle()
    // The event, what the inner machine made of it, and what its parent heard of that.
    expect(sizes[0]).toBe(3)
    expect(done).toEqual(['action', 'promise', 'callback hears news'])
  })

  it('that spawns an actor while assigning does not start it before that is stored', async () => {
    const found: unknown[] = []
    const { runtime } = await createWorld()
    const observes = fromPromise(async () => found.push((await runtime.store.read('r1')).length))
    const workflow = board.workflow({ agents: { observes }, context: () => ({ ref: undefined }) }).createMachine({
      initial: 'a',
      states: {
        a: { on: { go: 'b' } },
        b: { entry: assign({ ref: (({ spawn }: never) => (spawn as (src: string) => unknown)('observes')) as never }) },
      },
    })
    const run = await runtime.start(workflow, { runId: 'r1' })
    await run.send({ type: 'go' })
    expect(found).toEqual([2])
  })

  it('fails by itself when one of its actions throws: its parent handles that', async () => {
    const breaks = createMachine({
      id: 'breaks',
      on: {
        go: {
          actions: () => {
            throw new Error('broken action')
          },
        },
      },
    })
    const { runtime, clock } = await createWorld()
    const workflow = board.workflow({ agents: { breaks } }).createMachine({
      initial: 'on',
      states: {
        on: {
          invoke: { src: 'breaks', id: 'breaks', onError: 'failed' },
          on: { go: { actions: sendTo('breaks', { type: 'go' }) } },
        },
        failed: {},
      },
    })
    const run = await runtime.start(workflow)
    await run.send({ type: 'go' })
    await clock.settle()
    expect(run.state).toBe('failed')
    expect(run.status).toBe('active')
  })

  it('may hold itself: a machine that invokes its own kind', async () => {
    const actors: Record<string, never> = {}
    const nests = setup({ actors }).createMachine({
      id: 'nests',
      initial: 'leaf',
      states: {
        leaf: { on: { grow: 'branch' } },
        branch: {
          invoke: { src: 'nests' as never, id: 'inner' },
          on: { grow: { actions: sendTo('inner' as never, { type: 'grow' } as never) } },
        },
      },
    })
    Object.assign(nests.implementations.actors, { nests })
    const { runtime } = await createWorld()
    const workflow = board.workflow({ agents: { nests } }).createMachine({
      invoke: { src: 'nests', id: 'root' },
      on: { grow: { actions: sendTo('root', { type: 'grow' }) } },
    })
    const run = await runtime.start(workflow)
    for (let times = 0; times < 3; times++) await run.send({ type: 'grow' })
    const [record] = (await run.ledger()).slice(-1)
    expect(record?.asked).toMatchObject({ actor: ['root', 'inner', 'inner'] })
  })
})
