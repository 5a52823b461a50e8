import { expect, it } from 'vitest'
import { z } from 'zod'
import { defineContext, entry, patch } from 'callboard'
import type { Policy, Workflow } from 'callboard'
import { createGate, createWorld, refusalOf, together } from './world.ts'

const settings = defineContext({
  settings: entry(z.record(z.string(), z.unknown()), { default: { theme: 'light', size: 10 } }),
})

const OPEN = { staysOpen: true } as const

/** Two agents that read `settings` before either writes, then write one after the other. */
function twoWriters(
  first: Readonly<Record<string, unknown>>,
  second: Readonly<Record<string, unknown>>,
  options?: typeof OPEN,
): Workflow<undefined> {
  const bothHaveRead = createGate()
  const firstIsDone = createGate()
  const writesSettings = { reads: ['settings'], writes: ['settings'] } as const
  const ann = settings.agent({
    ...writesSettings,
    async run({ view, update }) {
      view.get('settings')
      await bothHaveRead.passed
      await update({ settings: first })
      firstIsDone.open()
    },
  })
  const bob = settings.agent({
    ...writesSettings,
    async run({ view, update }) {
      view.get('settings')
      bothHaveRead.open()
      await firstIsDone.passed
      await update({ settings: second })
    },
  })
  return together(settings, { ann, bob }, options)
}

it('keeps the changes of both when two agents change different parts of one entry', async () => {
  const { runtime } = await createWorld()
  const run = await runtime.start(twoWriters({ theme: 'dark', size: 10 }, { theme: 'light', size: 12 }))
  await run.done
  expect(run.get('settings')).toEqual({ theme: 'dark', size: 12 })
  expect(await run.conflicts()).toEqual([])
})

it('lists what two agents disagreed about, with base, theirs, mine, policy, result and path', async () => {
  const { runtime } = await createWorld()
  const run = await runtime.start(twoWriters({ theme: 'dark', size: 10 }, { theme: 'blue', size: 10 }))
  await run.done
  expect(run.get('settings')).toEqual({ theme: 'blue', size: 10 })
  expect(await run.conflicts()).toEqual([
    {
      id: expect.any(String) as string,
      key: 'settings',
      address: { scope: 'workflow', holder: undefined, key: 'settings' },
      path: ['theme'],
      base: 'light',
      theirs: 'dark',
      mine: 'blue',
      policy: 'smart',
      result: { theme: 'blue', size: 10 },
      author: 'bob',
      against: 'ann',
      version: 3,
    },
  ])
})

it('lets a person decide a conflict anew by a value', async () => {
  const { runtime } = await createWorld()
  const run = await runtime.start(twoWriters({ theme: 'dark', size: 10 }, { theme: 'blue', size: 10 }, OPEN))
  await run.waitFor('settings', { since: 2 })
  const [conflict] = await run.conflicts()
  await run.resolveConflict(conflict!.id, { value: { theme: 'dark', size: 11 } }, { by: 'maria' })
  expect(run.get('settings')).toEqual({ theme: 'dark', size: 11 })
  expect(run.entry('settings')).toMatchObject({ version: 4, updatedBy: 'maria' })
})

const joined: Policy = ({ current, update }) => ({
  kind: 'accept',
  value: `${String(current)}+${String(update)}`,
  conflicts: [],
})

it.each<[string, string | Policy, string]>([
  ['max', 'max', 'dark'],
  ['safe', 'safe', 'dark'],
  ['a function', joined, 'dark+blue'],
])(
  'lets a person decide a conflict anew by another policy, at the place of the conflict only: %s',
  async (_name, policy, theme) => {
    const { runtime } = await createWorld()
    const run = await runtime.start(twoWriters({ theme: 'dark', size: 10 }, { theme: 'blue', size: 12 }, OPEN))
    await run.waitFor('settings', { since: 2 })
    const [conflict] = await run.conflicts()
    expect(conflict).toMatchObject({ path: ['theme'], theirs: 'dark', mine: 'blue' })
    await run.update({ settings: { theme: 'grey', size: 13 } })
    await run.resolveConflict(conflict!.id, { policy })
    expect(run.get('settings')).toEqual({ theme, size: 13 })
  },
)

it('marks a conflict that was decided anew with who and when, and does not let it be decided twice', async () => {
  const { runtime, clock } = await createWorld()
  const run = await runtime.start(twoWriters({ theme: 'dark', size: 10 }, { theme: 'blue', size: 10 }, OPEN))
  await run.waitFor('settings', { since: 2 })
  const [conflict] = await run.conflicts({ open: true })
  expect(conflict).not.toHaveProperty('resolvedBy')
  await clock.advance(5)
  await run.resolveConflict(conflict!.id, { policy: 'max' }, { by: 'maria' })
  const resolvedAt = clock.now()
  await clock.advance(5)
  expect(await run.conflicts({ open: true })).toEqual([])
  expect(await run.conflicts()).toEqual([{ ...conflict, resolvedBy: 'maria', resolvedAt }])
  const late = await refusalOf(run.resolveConflict(conflict!.id, { value: {} }, { by: 'tom' }))
  expect(late.code).toBe('conflict.resolved')
  expect(late.message).toContain('decided by maria')
  expect(run.get('settings')).toEqual({ theme: 'dark', size: 10 })
})

it('lets one of two people decide who decide at once; a decision that is refused leaves the conflict open', async () => {
  const { runtime } = await createWorld()
  const run = await runtime.start(twoWriters({ theme: 'dark', size: 10 }, { theme: 'blue', size: 10 }, OPEN))
  await run.waitFor('settings', { since: 2 })
  const [conflict] = await run.conflicts()
  expect((await refusalOf(run.resolveConflict(conflict!.id, { value: 'no settings' }))).code).toBe('update.refused')
  expect(await run.conflicts({ open: true })).toHaveLength(1)
  const first = run.resolveConflict(conflict!.id, { value: { theme: 'one' } })
  const second = refusalOf(run.resolveConflict(conflict!.id, { value: { theme: 'two' } }))
  expect((await second).code).toBe('conflict.resolved')
  await first
  expect(run.get('settings')).toEqual({ theme: 'one' })
})

it('says which conflict or policy it does not know, and what the policy cannot decide', async () => {
  const { runtime } = await createWorld()
  const run = await runtime.start(twoWriters({ theme: 'dark', size: 10 }, { theme: 'blue', size: 10 }, OPEN))
  await run.waitFor('settings', { since: 2 })
  const [conflict] = await run.conflicts()
  expect((await refusalOf(run.resolveConflict('no-such', { value: 1 }))).code).toBe('conflict.unknown')
  const unknown = await refusalOf(run.resolveConflict(conflict!.id, { policy: 'newest' }))
  expect(unknown.code).toBe('policy.unknown')
  expect(unknown.message).toContain('"newest"')
  const refused = await refusalOf(run.resolveConflict(conflict!.id, { policy: 'counter' }))
  expect(refused.code).toBe('policy.refused')
  expect(run.get('settings')).toEqual({ theme: 'blue', size: 10 })
})

it('gives the same union whoever of many parallel writers comes first', async () => {
  const { runtime } = await createWorld()
  const board = defineContext({ found: entry(z.array(z.string()), { merge: 'union' }) })
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
  const results: unknown[] = []
  for (const order of [names, names.toReversed()]) {
    const agents = order.map((name) => [
      name,
      board.agent({ writes: ['found'], run: async ({ update }) => void (await update({ found: [name, 'all'] })) }),
    ])
    const run = await runtime.start(together(board, Object.fromEntries(agents)))
    await run.done
    results.push(run.get('found'))
    expect(await run.conflicts()).toEqual([])
    expect(run.entry('found')?.version).toBe(names.length)
  }
  expect(results[0]).toEqual(['a', 'all', 'b', 'c', 'd', 'e', 'f', 'g', 'h'])
  expect(results[1]).toEqual(results[0])
})

it('loses no count when a hundred updates are on their way at once', async () => {
  const { runtime } = await createWorld()
  const board = defineContext({ hits: entry(z.int(), { merge: 'counter', default: 0 }) })
  const worker = board.agent({
    writes: ['hits'],
    run: async ({ update }) => void (await Promise.all(Array.from({ length: 25 }, () => update({ hits: 1 })))),
  })
  const run = await runtime.start(together(board, { w1: worker, w2: worker, w3: worker, w4: worker }))
  await run.done
  expect(run.get('hits')).toBe(100)
  expect(run.entry('hits')?.version).toBe(101)
})

it('tells the second of two writers under `reject` that it was too late, naming who was first', async () => {
  const { runtime } = await createWorld()
  const board = defineContext({ lead: entry(z.string(), { merge: 'reject', default: 'nobody' }) })
  const bothHaveRead = createGate()
  const firstIsDone = createGate()
  const ann = board.agent({
    reads: ['lead'],
    writes: ['lead'],
    async run({ view, update }) {
      view.get('lead')
      await bothHaveRead.passed
      await update({ lead: 'ann' })
      firstIsDone.open()
    },
  })
  const bob = board.agent({
    reads: ['lead'],
    writes: ['lead'],
    async run({ view, tryUpdate }) {
      view.get('lead')
      bothHaveRead.open()
      await firstIsDone.passed
      const late = await tryUpdate({ lead: 'bob' })
      const seen = view.get('lead')
      const again = await tryUpdate({ lead: 'ann and bob' })
      return { late, seen, again }
    },
  })
  const workflow = board.workflow({ agents: { ann, bob } }).createMachine({
    type: 'parallel',
    states: {
      a: { invoke: { src: 'ann' } },
      b: { invoke: { src: 'bob', onDone: '.done' }, initial: 'on', states: { on: {}, done: {} } },
    },
  })
  const run = await runtime.start(workflow)
  await run.waitFor('lead', { since: 2 })
  expect(run.get('lead')).toBe('ann and bob')
  const refused = (await run.ledger()).flatMap(({ refusals }) => refusals)
  expect(refused).toHaveLength(1)
  expect(refused[0]).toMatchObject({ reason: 'concurrent-change', key: 'lead', author: 'bob', actualVersion: 2 })
  expect(refused[0]?.message).toBe(
    'bob may not write "lead": version 1 was read, but ann has written version 2 since; read again and retry',
  )
})

it('lets an agent go on with what it wrote itself, though it may not read it', async () => {
  const drafts = defineContext({ draft: entry(z.record(z.string(), z.unknown())) })
  const blind = drafts.agent({
    writes: ['draft'],
    async run({ view, update }) {
      await update({ draft: { title: 'one', words: 10 } })
      view.entries()
      await update({ draft: patch({ title: 'two' }) })
      await update({ draft: { title: 'two', words: 11 } })
    },
  })
  const { runtime } = await createWorld()
  const run = await runtime.start(together(drafts, { blind }))
  await run.done
  expect(run.get('draft')).toEqual({ title: 'two', words: 11 })
  expect(await run.conflicts()).toEqual([])
})
