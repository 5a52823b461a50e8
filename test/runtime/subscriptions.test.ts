import { expect, it } from 'vitest'
import { z } from 'zod'
import { createVolatileStore, defineContext, drop, entry } from 'callboard'
import type { Notification } from 'callboard'
import { wrapStore } from '../store/wrapped.ts'
import { createGate, createWorld, idle, refusalOf, together } from './world.ts'

const board = defineContext({
  'plan.title': entry(z.string()),
  'plan.tasks': entry(z.array(z.string()), { dependsOn: ['source'] }),
  source: entry(z.string(), { outside: true }),
  echo: entry(z.int(), { outside: true }),
  secret: entry(z.string(), { sensitive: true }),
})

const brief = ({ key, kind, version, by }: Notification): string => `${kind} ${key}@${version} by ${by}`

it('tells an agent of the keys and patterns it asked for, after the commit, in the order of commits', async () => {
  const { runtime, clock } = await createWorld()
  const told: string[] = []
  const values: unknown[] = []
  const listens = board.agent({
    reads: ['plan.*', 'source'],
    run: async ({ on, view, waitFor }) => {
      on(['plan.*', 'source'], (notification) => {
        told.push(brief(notification))
        values.push(view.get('plan.title'))
      })
      await waitFor('source', { since: 1 })
    },
  })
  const run = await runtime.start(together(board, { listens }, { staysOpen: true }))
  await run.update({ 'plan.title': 'one', echo: 1 })
  await run.update({ 'plan.title': 'two', source: 's' }, { by: 'maria' })
  await run.update({ 'plan.title': drop() })
  await clock.settle()
  expect(told).toEqual([
    'put plan.title@1 by outside',
    'put plan.title@2 by maria',
    'put source@1 by maria',
    'drop plan.title@3 by outside',
  ])
})

it('does not tell an agent of its own updates unless it asks for them', async () => {
  const { runtime, clock } = await createWorld()
  const told: string[] = []
  const writes = board.agent({
    reads: ['echo'],
    writes: ['echo'],
    run: async ({ on, update, waitFor }) => {
      on('echo', (notification) => told.push(`others: ${brief(notification)}`))
      on('echo', (notification) => told.push(`all: ${brief(notification)}`), { own: true })
      await update({ echo: 1 })
      await waitFor('echo', { since: 1 })
    },
  })
  const run = await runtime.start(together(board, { writes }, { staysOpen: true }))
  await run.waitFor('echo')
  await clock.settle()
  expect(told).toEqual(['all: put echo@1 by writes'])
  await run.update({ echo: 2 })
  await clock.settle()
  expect(told.slice(1).toSorted()).toEqual(['all: put echo@2 by outside', 'others: put echo@2 by outside'])
})

it('goes on when a handler throws: the commit stands, the others are told, and the history keeps the failure', async () => {
  const { runtime, clock } = await createWorld()
  const run = await runtime.start(idle(board))
  const told: string[] = []
  run.subscribe(
    'echo',
    () => {
      throw new Error('no thanks')
    },
    { by: 'grumpy' },
  )
  run.subscribe('echo', () => Promise.reject(new Error('not now')), { by: 'late' })
  run.subscribe('echo', (notification) => told.push(brief(notification)), { by: 'kind' })
  expect(await run.update({ echo: 1 })).toMatchObject({ kind: 'accepted' })
  await run.update({ echo: 2 })
  await clock.settle()
  expect(told).toEqual(['put echo@1 by outside', 'put echo@2 by outside'])
  const line = { type: 'context_update', key: 'echo', at: clock.now() }
  expect(run.deliveries('grumpy')).toEqual([
    { ...line, version: 1, error: 'no thanks' },
    { ...line, version: 2, error: 'no thanks' },
  ])
  expect(run.deliveries('late').map(({ error }) => error)).toEqual(['not now', 'not now'])
  expect(run.deliveries('kind').map(({ error }) => error)).toEqual([undefined, undefined])
  expect(run.deliveries('nobody')).toEqual([])
})

it('keeps the last hundred deliveries of a subscriber', async () => {
  const { runtime, clock } = await createWorld()
  const run = await runtime.start(idle(board))
  run.subscribe('echo', () => {}, { by: 'me' })
  for (let count = 1; count <= 105; count++) await run.update({ echo: count })
  await clock.settle()
  const deliveries = run.deliveries('me')
  expect(deliveries).toHaveLength(100)
  expect(deliveries[0]?.version).toBe(6)
  expect(deliveries.at(-1)?.version).toBe(105)
})

it('is not held up by a slow handler, which gets one notification at a time', async () => {
  const { runtime, clock } = await createWorld()
  const run = await runtime.start(idle(board))
  const gates = [createGate(), createGate()]
  const slow: number[] = []
  const quick: number[] = []
  run.subscribe('echo', async ({ version }) => {
    slow.push(version)
    await gates[version - 1]?.passed
  })
  run.subscribe('echo', ({ version }) => quick.push(version))
  await run.update({ echo: 1 })
  await run.update({ echo: 2 })
  await run.update({ echo: 3 })
  await clock.settle()
  expect(quick).toEqual([1, 2, 3])
  expect(slow).toEqual([1])
  gates[0]?.open()
  await clock.settle()
  expect(slow).toEqual([1, 2])
  gates[1]?.open()
  await clock.settle()
  expect(slow).toEqual([1, 2, 3])
})

it('tells a slow handler of everything that was committed, although the run goes back after a failed commit', async () => {
  const inner = createVolatileStore()
  let fails = false
  const store = wrapStore(inner, {
    append: (batches) => (fails ? Promise.reject(new Error('disk full')) : inner.append(batches)),
  })
  const { runtime, clock } = await createWorld({ store })
  const run = await runtime.start(idle(board))
  const gate = createGate()
  const heard: number[] = []
  const off = run.subscribe('echo', async ({ version }) => {
    heard.push(version)
    await gate.passed
  })
  for (const echo of [1, 2, 3]) await run.update({ echo })
  fails = true
  await refusalOf(run.update({ echo: 4 }))
  fails = false
  await clock.settle()
  gate.open()
  await clock.settle()
  expect(heard).toEqual([1, 2, 3])
  await run.update({ echo: 5 })
  await clock.settle()
  expect(heard).toEqual([1, 2, 3, 4])
  off()
  await run.update({ echo: 6 })
  await clock.settle()
  expect(heard).toEqual([1, 2, 3, 4])
})

it('lets a handler update the board itself', async () => {
  const { runtime } = await createWorld()
  const counts = board.agent({
    reads: ['source', 'echo'],
    writes: ['echo'],
    run: async ({ on, update, waitFor }) => {
      on('source', async ({ version }) => void (await update({ echo: version })))
      await waitFor((view) => view.get('echo') === 2)
    },
  })
  const run = await runtime.start(together(board, { counts }, { staysOpen: true }))
  await run.update({ source: 'a' })
  await run.update({ source: 'b' })
  await run.waitFor('echo', { since: 1 })
  expect(run.get('echo')).toBe(2)
})

it('tells those who listen to what depends on a change that it has become stale', async () => {
  const { runtime, clock } = await createWorld()
  const run = await runtime.start(idle(board))
  const told: string[] = []
  await run.update({ source: 'a', 'plan.tasks': ['x'] })
  run.subscribe('plan.*', (notification) => told.push(brief(notification)))
  await run.update({ source: 'b' })
  await clock.settle()
  expect(told).toEqual(['stale plan.tasks@1 by outside'])
  expect(run.entry('plan.tasks')).toMatchObject({ stale: true, version: 1, value: ['x'] })
})

it('tells an agent nothing of what it may not see, and carries no values', async () => {
  const { runtime, clock } = await createWorld()
  const told: Notification[] = []
  const listens = board.agent({
    reads: ['*'],
    run: async ({ on, waitFor }) => {
      on('*', (notification) => told.push(notification))
      await waitFor('source')
    },
  })
  const run = await runtime.start(together(board, { listens }, { staysOpen: true }))
  await run.update({ secret: 's3cr3t', echo: 7 })
  await clock.settle()
  expect(told).toEqual([
    { runId: run.id, key: 'echo', kind: 'put', scope: 'workflow', version: 1, by: 'outside', at: clock.now() },
  ])
})

it('ends when asked to, when the agent ends and when the run ends', async () => {
  const { runtime, clock } = await createWorld()
  const told: string[] = []
  const leaves = board.agent({
    reads: ['echo', 'source'],
    run: async ({ on, waitFor }) => {
      on('echo', () => told.push('agent'))
      await waitFor('source')
    },
  })
  const run = await runtime.start(together(board, { leaves }, { staysOpen: true }))
  const end = run.subscribe('echo', () => told.push('ended'))
  run.subscribe('echo', () => told.push('outside'))
  end()
  end()
  await run.update({ echo: 1 })
  await clock.settle()
  expect(told.toSorted()).toEqual(['agent', 'outside'])
  await run.update({ source: 'go' })
  await clock.settle()
  await run.update({ echo: 2 })
  await clock.settle()
  expect(told.toSorted()).toEqual(['agent', 'outside', 'outside'])
  await run.send({ type: 'stop' })
  await run.done
})
