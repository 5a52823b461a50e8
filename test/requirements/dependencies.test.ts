// REQUIREMENTS 107 to 113 and 121: what entries are made from.
import { expect, it } from 'vitest'
import { z } from 'zod'
import { createRuntime, defineContext, drop, entry, put } from 'callboard'
import { createWorld, idle, together } from '../runtime/world.ts'

const text = z.string()

it('an entry names what it is made from, and becomes stale, with what depends on it in turn, when that changes', async () => {
  const { runtime } = await createWorld()
  const board = defineContext({
    a: entry(text),
    b: entry(text, { dependsOn: ['a'] }),
    c: entry(text, { dependsOn: ['b'] }),
    d: entry(text),
  })
  const run = await runtime.start(idle(board))
  await run.update({ a: '1', b: '1', c: '1', d: '1' })
  const stale = (): readonly string[] =>
    run
      .entries()
      .filter((each) => each.stale)
      .map(({ key }) => key)
      .sort()
  expect(run.entry('b')?.dependsOn).toEqual(['a'])
  expect(stale()).toEqual([])
  await run.update({ a: '2' })
  expect(stale()).toEqual(['b', 'c'])
  await run.update({ b: '2' })
  expect(stale()).toEqual(['c'])
  await run.update({ a: drop() })
  expect(stale()).toEqual(['b', 'c'])
})

it('dependencies can be given with a write, and changing them removes the old ones', async () => {
  const { runtime } = await createWorld()
  const run = await runtime.start(idle(defineContext({ '*': entry(text) })))
  await run.update({ a: '1', b: '1', it: put('1', { dependsOn: ['a'] }) })
  await run.update({ it: put('2', { dependsOn: ['b'] }) })
  expect(run.entry('it')?.dependsOn).toEqual(['b'])
  await run.update({ a: '2' })
  expect(run.entry('it')?.stale).toBe(false)
  await run.update({ b: '2' })
  expect(run.entry('it')?.stale).toBe(true)
  await run.update({ it: put('3', { dependsOn: [] }) })
  await run.update({ b: '3' })
  expect(run.entry('it')?.stale).toBe(false)
})

it('a deleted entry makes nothing stale on account of what it once depended on', async () => {
  const { runtime } = await createWorld()
  const run = await runtime.start(idle(defineContext({ a: entry(text), it: entry(text, { dependsOn: ['a'] }) })))
  await run.update({ a: '1', it: '1' })
  await run.update({ it: drop() })
  await run.update({ a: '2' })
  const [last] = (await run.ledger()).slice(-1)
  expect(last?.changes.map(({ key, kind }) => [key, kind])).toEqual([['a', 'put']])
})

it('dependencies of one run are no business of another', async () => {
  const { runtime } = await createWorld()
  const board = defineContext({ a: entry(text), it: entry(text, { dependsOn: ['a'] }) })
  const [one, other] = [await runtime.start(idle(board)), await runtime.start(idle(board))]
  for (const run of [one, other]) await run.update({ a: '1', it: '1' })
  await one.update({ a: '2' })
  expect([one, other].map((run) => run.entry('it')?.stale)).toEqual([true, false])
})

it('a wait is over when everything it waits for is there, one at a time, in any order', async () => {
  const { runtime, clock } = await createWorld()
  const board = defineContext({ a: entry(text, { outside: true }), b: entry(text, { outside: true, ttlMs: 50 }) })
  const got: unknown[] = []
  const agent = board.agent({
    reads: ['*'],
    run: async ({ waitForAll }) => void got.push(await waitForAll(['a', 'b'])),
  })
  const run = await runtime.start(together(board, { agent }))
  await run.update({ b: 'too early' })
  await clock.advance(50)
  await run.update({ a: '1' })
  await clock.settle()
  expect(got).toEqual([])
  await run.update({ b: 'in time' })
  await run.done
  expect(got).toEqual([{ a: '1', b: 'in time' }])
})

it('a circle of dependencies is refused when it is declared, spelled out', () => {
  const circle = () =>
    defineContext({
      a: entry(text, { dependsOn: ['c'] }),
      b: entry(text, { dependsOn: ['a'] }),
      c: entry(text, { dependsOn: ['b'] }),
    })
  expect(circle).toThrow(
    expect.objectContaining({ code: 'catalogue.cycle', message: expect.stringMatching(/a → c → b → a/) }),
  )
})

it('ids may contain any character', async () => {
  const { runtime } = await createWorld()
  const board = defineContext({ '*': entry(text, { outside: true }) })
  const heard: string[] = []
  const agent = board.agent({
    reads: ['*'],
    async run({ on, waitFor }) {
      on('*', ({ key, by }) => heard.push(`${key} ${by}`))
      await waitFor('x:y')
    },
  })
  const workflow = board.workflow({ agents: { 'agent: one/2 ü': agent } }).createMachine({
    id: 'odd',
    initial: 'on',
    states: { on: { invoke: { src: 'agent: one/2 ü', onDone: 'off' } }, off: { type: 'final' } },
  })
  const run = await runtime.start(workflow, { runId: 'wf:1/../ü' })
  await run.update({ 'x:y': '1', 'a b': '2' }, { by: 'who:me' })
  await run.done
  expect(heard.sort()).toEqual(['a b who:me', 'x:y who:me'])
  expect(run.deliveries('agent: one/2 ü')).toHaveLength(2)
  expect(runtime.get('wf:1/../ü')).toBe(run)
})

it('several runs go on at once, and none is the current one', async () => {
  await using runtime = await createRuntime()
  const board = defineContext({ count: entry(z.number().int(), { merge: 'counter', default: 0 }) })
  const runs = await Promise.all(Array.from({ length: 5 }, () => runtime.start(idle(board))))
  await Promise.all(runs.flatMap((run, index) => Array.from({ length: index }, () => run.update({ count: 1 }))))
  expect(runs.map((run) => run.get('count'))).toEqual([0, 1, 2, 3, 4])
})
