// REQUIREMENTS 57 to 87: what is protected and ephemeral, phases, snapshots, versions and the change log.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { createRuntime, createVolatileStore, defineContext, drop, entry, patch, put } from 'callboard'
import type { Run } from 'callboard'
import { openSqlite } from 'callboard/sqlite'
import { createTestClock } from '../support/clock.ts'
import { createWorld, idle, refusalOf } from '../runtime/world.ts'

const board = defineContext({
  goal: entry(z.record(z.string(), z.unknown()).nullable(), { protected: true }),
  'goal.second': entry(z.string(), { protected: true }),
  plan: entry(z.string().nullable()),
  scratch: entry(z.string(), { ephemeral: true }),
  'scratch.more': entry(z.string(), { ephemeral: true }),
  token: entry(z.string(), { sensitive: true }),
  when: entry(z.map(z.string(), z.date())),
  output: entry(z.object({ pages: z.int() })),
})
const workflow = idle(board)

it('a protected key takes the value it has, without a version and a line of the log, and no other', async () => {
  const { runtime } = await createWorld()
  const run = await runtime.start(workflow)
  await run.update({ goal: { ship: true } })
  expect(await run.update({ goal: { ship: true } })).toMatchObject({ versions: {}, skipped: ['goal'] })
  expect([run.entry('goal')?.version, await run.log()]).toMatchObject([1, [{ operation: 'set' }]])
  expect((await refusalOf(run.update({ goal: { ship: false } }))).message).toContain('"goal" is protected')
  expect((await refusalOf(run.update({ goal: null }))).code).toBe('update.refused')
  expect(run.get('goal')).toEqual({ ship: true })
})

it('a protected key cannot be deleted, not even where nothing is there', async () => {
  const { runtime } = await createWorld()
  const run = await runtime.start(workflow)
  for (const _ of ['absent', 'present']) {
    const error = await refusalOf(run.update({ goal: drop() }))
    expect(error.message).toContain('"goal" is protected')
    expect(error.message).toContain('delete')
    await run.update({ goal: { ship: true } })
  }
})

it('what a run was given to begin with cannot be overwritten, and another run is given its own', async () => {
  const { runtime } = await createWorld()
  const task = board
    .workflow({ input: z.object({ task: z.string() }) })
    .createMachine({ entry: board.write({ 'goal.second': ({ context }) => context.input.task }) })
  const runs = [
    await runtime.start(task, { input: { task: 'one' } }),
    await runtime.start(task, { input: { task: 'two' } }),
  ]
  expect(runs.map((run) => run.get('goal.second'))).toEqual(['one', 'two'])
  for (const run of runs) expect((await refusalOf(run.update({ 'goal.second': 'three' }))).code).toBe('update.refused')
  expect(runs[0]?.id).not.toBe(runs[1]?.id)
  expect(() => Object.assign(runs[0] as object, { id: 'mine' })).toThrow(TypeError)
})

it.each<[string, (run: Run<unknown, { goal: unknown; 'goal.second': string }>) => Promise<unknown>]>([
  ['replace', (run) => run.tryUpdate({ goal: {} }, { policy: 'replace' })],
  ['a part of it', (run) => run.tryUpdate({ goal: patch({ ship: false }) })],
  ['a policy of its own', (run) => run.tryUpdate({ goal: put({}, { policy: 'deep' }) })],
  ['prefixed', (run) => run.tryUpdate({ second: 'other' } as never, { policy: 'prefixed', prefix: 'goal.' })],
  ['an update that is the whole context', (run) => run.tryUpdate({} as never, { others: 'drop' })],
  ['going back to before it was there', (run) => run.restore(1)],
  ['going back to another value', (run) => run.restore(2)],
])('protection holds against %s', async (_way, attempt) => {
  const { runtime } = await createWorld()
  const run = await runtime.start(workflow)
  await run.update({ goal: { ship: 'earlier' } })
  await run.update({ goal: { ship: true }, 'goal.second': 'kept' }, { override: true })
  await attempt(run as never)
  expect([run.get('goal'), run.get('goal.second')]).toEqual([{ ship: true }, 'kept'])
})

it('protection holds in a fork, on a branch, and after the run was read from a file', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'callboard-protected-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const store = await openSqlite(join(folder, 'runs.db'), { durability: 'process' })
  onTestFinished(() => store.close())
  const before = await createRuntime({ store, clock: createTestClock() })
  const first = await before.start(workflow, { runId: 'r' })
  await first.update({ goal: { ship: true } })
  const { runtime } = await createWorld({ store, workflows: [workflow] })
  const run = await runtime.open('r')
  for (const some of [run, await run.fork(run.seq)]) {
    expect((await refusalOf(some.update({ goal: {} }))).message).toContain('"goal" is protected')
    expect(some.get('goal')).toEqual({ ship: true })
  }
})

it('ephemeral values are entries with a flag: no file, snapshot, restore, fork or export has them', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'callboard-ephemeral-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const store = await openSqlite(join(folder, 'runs.db'), { durability: 'process' })
  onTestFinished(() => store.close())
  const before = await createRuntime({ store, clock: createTestClock() })
  const first = await before.start(workflow, { runId: 'r' })
  await first.update({ scratch: 'a thought', plan: 'one' })
  const then = await first.snapshot('then')
  expect(first.get('scratch')).toBe('a thought')
  const exported = await first.export()
  expect([exported.ephemeral, exported.entries]).toMatchObject([['scratch'], [{ key: 'plan' }]])
  await first.update({ plan: 'two' })
  await first.restore(then)
  const texts = [exported, await first.log(), await store.read('r'), await (await first.fork(then)).ledger()]
  const { runtime } = await createWorld({ store, workflows: [workflow] })
  const run = await runtime.open('r')
  expect([run.get('scratch'), run.get('plan')]).toEqual([undefined, 'one'])
  expect((await run.at(then.id)).get('scratch')).toBeUndefined()
  for (const text of texts) expect(JSON.stringify(text)).not.toContain('a thought')
})

it('ephemeral entries are cleared together, in one record, when their phase ends', async () => {
  const { runtime } = await createWorld()
  const run = await runtime.start(
    board.workflow().createMachine({ initial: 'a', states: { a: { on: { next: 'b' } }, b: {} } }),
  )
  await run.update({ scratch: 'one', 'scratch.more': 'two', plan: 'kept' })
  await run.send({ type: 'next' })
  expect(run.entries().map(({ key }) => key)).toEqual(['plan'])
  expect((await run.log({ afterSeq: 2 })).map(({ seq, operation, key }) => [seq, operation, key])).toEqual([
    [3, 'clear', 'scratch'],
    [3, 'clear', 'scratch.more'],
  ])
})

it('the output of a phase is what onDone gets, and is stored under any key from there', async () => {
  const { runtime } = await createWorld()
  const writer = board.agent({ phase: 'writing', run: () => ({ pages: 3 }) })
  const run = await runtime.start(
    board.workflow({ agents: { writer } }).createMachine({
      initial: 'on',
      states: {
        on: {
          invoke: {
            src: 'writer',
            onDone: {
              target: 'end',
              actions: board.write({ output: ({ event }) => event['output'] as { pages: number } }),
            },
          },
        },
        end: { type: 'final' },
      },
    }),
  )
  await run.done
  expect(run.get('output')).toEqual({ pages: 3 })
  expect((await run.at('after_writing')).get('output')).toEqual({ pages: 3 })
})

it('live objects are not taken, on a branch neither', async () => {
  const { runtime } = await createWorld()
  const any = defineContext({ manager: entry(z.any()) })
  const agent = any.agent({
    writes: ['*'],
    isolation: 'branch',
    run: ({ update }) => update({ manager: { approve: () => true } }),
  })
  const run = await runtime.start(any.workflow({ agents: { agent } }).createMachine({ invoke: { src: 'agent' } }))
  const error = await refusalOf(run.done)
  expect(error.message).toContain('approve')
  expect(run.entries()).toEqual([])
})

it('a run can be exported as plain JSON: what it is, its entries, snapshots, milestones, conflicts and log; secrets on demand only', async () => {
  const { runtime, clock } = await createWorld()
  const run = await runtime.start(workflow, { runId: 'r' })
  const startedAt = clock.now()
  await clock.advance(5)
  await run.update({ plan: null, goal: {}, token: 'hunter2', when: new Map([['launch', new Date(0)]]), scratch: 'x' })
  await run.episode('first')
  const exported = await run.export()
  expect(JSON.parse(JSON.stringify(exported))).toEqual(exported)
  expect(exported).toMatchObject({
    format: 'callboard-run',
    version: 1,
    run: { runId: 'r', status: 'active', seq: 3, createdAt: startedAt, updatedAt: startedAt + 5 },
    protected: ['goal'],
    ephemeral: ['scratch'],
    snapshots: [{ reason: 'first', seq: 3 }],
    conflicts: [],
  })
  const valueOf = (made: typeof exported, key: string): unknown =>
    (made.entries as readonly { key: string; value: unknown }[]).find((line) => line.key === key)?.value
  expect(valueOf(exported, 'token')).toBe('[redacted: sensitive]')
  expect(valueOf(exported, 'when')).toEqual({
    $type: 'Map',
    value: [['launch', { $type: 'Date', value: '1970-01-01T00:00:00.000Z' }]],
  })
  expect(JSON.stringify(exported)).not.toContain('hunter2')
  expect(exported.log).toHaveLength(6)
  expect(valueOf(await run.export({ secrets: true }), 'token')).toBe('hunter2')
})

it('all operations are in the log, and the log and the ledger are complete after the run is read from the store again', async () => {
  const store = createVolatileStore()
  const before = await createRuntime({ store, clock: createTestClock() })
  const first = await before.start(workflow, { runId: 'r' })
  await first.update({ plan: 'one' }, { by: 'ann' })
  await first.tryUpdate({ goal: 1 } as never, { by: 'tom' })
  await first.snapshot('then')
  await first.update({ plan: drop() })
  await first.restore()
  const { runtime } = await createWorld({ store, workflows: [workflow] })
  const run = await runtime.open('r')
  expect(await run.log()).toEqual(await first.log())
  expect((await run.log()).map(({ seq, operation }) => [seq, operation])).toEqual([
    [2, 'set'],
    [3, 'refuse'],
    [4, 'snapshot'],
    [5, 'delete'],
    [6, 'restore'],
  ])
  expect(await run.ledger()).toEqual(await first.ledger())
})
