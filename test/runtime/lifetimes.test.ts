import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineContext, entry, put } from 'callboard'
import { createWorld, idle, refusalOf, together } from './world.ts'

const board = defineContext({
  scratch: entry(z.string(), { ephemeral: true }),
  kept: entry(z.string()),
  cache: entry(z.string(), { ttlMs: 1000 }),
  summary: entry(z.string(), { dependsOn: ['cache'] }),
  settings: entry(z.object({ theme: z.string() }), { default: { theme: 'light' } }),
})

describe('ephemeral entries', () => {
  it('are gone at the end of the phase in which they were written', async () => {
    const { runtime } = await createWorld()
    const workflow = board.workflow().createMachine({
      initial: 'one',
      states: {
        one: { initial: 'a', states: { a: { on: { inside: 'b' } }, b: {} }, on: { next: 'two' } },
        two: { entry: board.write({ kept: 'still here' }), on: { next: 'three' } },
        three: {},
      },
    })
    const run = await runtime.start(workflow)
    await run.update({ scratch: 'notes', kept: 'results' })
    await run.send({ type: 'inside' })
    expect(run.get('scratch')).toBe('notes')
    await run.send({ type: 'next' })
    expect(run.get('scratch')).toBeUndefined()
    expect(run.get('kept')).toBe('still here')
    const cleared = (await run.ledger()).flatMap(({ changes }) => changes.filter(({ kind }) => kind === 'clear'))
    expect(cleared.map(({ key }) => key)).toEqual(['scratch'])
  })

  it('that the next phase begins with stay in it', async () => {
    const { runtime } = await createWorld()
    const workflow = board.workflow().createMachine({
      initial: 'one',
      states: {
        one: { on: { next: 'two' } },
        two: { entry: board.write({ scratch: 'of two' }), on: { next: 'three' } },
        three: {},
      },
    })
    const run = await runtime.start(workflow)
    await run.update({ scratch: 'of one' })
    await run.send({ type: 'next' })
    expect(run.get('scratch')).toBe('of two')
    await run.send({ type: 'next' })
    expect(run.get('scratch')).toBeUndefined()
  })

  it('last as long as a state that is tagged as the phase', async () => {
    const { runtime } = await createWorld()
    const workflow = board.workflow().createMachine({
      initial: 'all',
      states: {
        all: {
          initial: 'first',
          states: {
            first: {
              tags: 'phase',
              initial: 'a',
              states: { a: { on: { inside: 'b' } }, b: {} },
              on: { next: 'second' },
            },
            second: { tags: 'phase' },
          },
        },
      },
    })
    const run = await runtime.start(workflow)
    await run.update({ scratch: 'x' })
    await run.send({ type: 'inside' })
    expect(run.get('scratch')).toBe('x')
    await run.send({ type: 'next' })
    expect(run.get('scratch')).toBeUndefined()
  })

  it('leave no value in the ledger’s account of what was asked', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board))
    await run.update({ scratch: 'only now', kept: 'for ever' }, { policy: 'deep' })
    const asked = JSON.stringify((await run.ledger()).map((record) => record.asked))
    expect(asked).toContain('for ever')
    expect(asked).not.toContain('only now')
  })
})

describe('entries that expire', () => {
  it('are gone for every reader at that instant, by the clock that was handed in', async () => {
    const { runtime, clock } = await createWorld()
    const stays = board.agent({
      reads: ['*'],
      run: ({ signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
    })
    const run = await runtime.start(together(board, { stays }))
    await run.update({ cache: 'x' })
    expect(run.entry('cache')?.expiresAt).toBe(clock.now() + 1000)
    await clock.advance(999)
    expect(run.view('stays').get('cache')).toBe('x')
    // The hands move, but no timer has fired yet: readers must not see it all the same.
    clock.jump(1)
    expect(run.get('cache')).toBeUndefined()
    expect(run.view('stays').has('cache')).toBe(false)
    expect(run.entries().map(({ key }) => key)).toEqual(['settings'])
    await clock.advance(0)
    const last = (await run.ledger()).at(-1)
    expect(last).toMatchObject({ kind: 'upkeep', changes: [{ kind: 'expire', key: 'cache' }] })
    expect(clock.armed).toBe(0)
  })

  it('take a new lease with every write, or another one that the write names', async () => {
    const { runtime, clock } = await createWorld()
    const run = await runtime.start(idle(board))
    await run.update({ cache: 'x' })
    await clock.advance(900)
    await run.update({ cache: 'y' })
    await clock.advance(900)
    expect(run.get('cache')).toBe('y')
    await run.update({ cache: put('z', { ttlMs: 10 }) })
    await clock.advance(10)
    expect(run.get('cache')).toBeUndefined()
    expect((await run.update({ cache: 'again' })).versions).toEqual({ cache: 5 })
  })

  it('make stale what depends on them, and tell subscribers', async () => {
    const { runtime, clock } = await createWorld()
    const run = await runtime.start(idle(board))
    const told: string[] = []
    run.subscribe('*', ({ kind, key }) => told.push(`${kind} ${key}`))
    await run.update({ cache: 'x', summary: 'of x' })
    await clock.advance(1000)
    expect(run.entry('summary')?.stale).toBe(true)
    expect(told).toEqual(['put cache', 'put summary', 'expire cache', 'stale summary'])
  })

  it('do not meet a wait', async () => {
    const { runtime, clock } = await createWorld()
    const run = await runtime.start(idle(board))
    await run.update({ cache: 'x' })
    await clock.advance(1000)
    const next = run.waitFor('cache')
    await run.update({ cache: 'y' })
    expect(await next).toBe('y')
  })
})

describe('defaults', () => {
  it('are there from the start of a run, written by the workflow', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board))
    expect(run.entry('settings')).toMatchObject({ value: { theme: 'light' }, version: 1, owner: 'workflow' })
    expect((await run.ledger())[0]).toMatchObject({ kind: 'start', seq: 1, changes: [{ key: 'settings' }] })
  })

  it('that do not fit their schema keep the run from starting', async () => {
    const { runtime } = await createWorld()
    const wrong = defineContext({ count: entry(z.int(), { default: 1.5 }) })
    const error = await refusalOf(runtime.start(idle(wrong), { runId: 'r1' }))
    expect(error.code).toBe('update.refused')
    expect(error.message).toContain('"count"')
    expect(runtime.get('r1')).toBeUndefined()
    expect(await runtime.list()).toEqual([])
  })

  it('of a global entry do not overwrite what is there', async () => {
    const { runtime } = await createWorld()
    const shared = defineContext({ rate: entry(z.int(), { scope: 'global', default: 1 }) })
    const first = await runtime.start(idle(shared))
    expect(first.get('rate')).toBe(1)
    await first.update({ rate: 5 })
    const second = await runtime.start(idle(shared))
    expect(second.get('rate')).toBe(5)
    expect(second.entry('rate')?.version).toBe(2)
  })
})
