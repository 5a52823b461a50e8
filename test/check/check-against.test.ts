import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { AnyStateMachine } from 'xstate'
import { z } from 'zod'
import { createRuntime, createVolatileStore, defineContext, entry } from 'callboard'
import type { Migrate, Store } from 'callboard'
import { checkAgainst } from 'callboard/check'
import { openSqlite } from 'callboard/sqlite'
import { createTestClock } from '../support/clock.ts'
import { refusalOf } from '../runtime/world.ts'
import { freshPath } from '../store/world.ts'

const board = defineContext({ title: entry(z.string()) })
const agent = board.agent({ run: () => new Promise(() => {}) })

interface Shape {
  readonly name?: string
  readonly version?: string
  readonly states?: object
  readonly migrate?: Migrate
  readonly agents?: Parameters<typeof board.workflow>[0]
}

/** A workflow in which a run waits in its first state. */
function define({ name = 'w', version = '1', states = { waiting: {} }, migrate, agents }: Shape = {}): AnyStateMachine {
  return board
    .workflow({ name, version, ...agents, ...(migrate === undefined ? {} : { migrate }) })
    .createMachine({ id: name, initial: Object.keys(states)[0], states } as never) as AnyStateMachine
}

/** Starts runs in a store; what they had in memory is gone afterwards. */
async function fill(store: Store, runs: Readonly<Record<string, AnyStateMachine>>): Promise<void> {
  const runtime = await createRuntime({ store, clock: createTestClock() })
  for (const [runId, machine] of Object.entries(runs)) await runtime.start(machine, { runId } as never)
  await createTestClock().settle()
}

/** The same store, which fails when anything is written. */
function readOnly(store: Store): Store {
  const writing = new Set(['append', 'putSnapshot', 'dropSnapshot', 'trim', 'remove'])
  return new Proxy(store, {
    get: (target, name) => {
      if (writing.has(String(name))) throw new Error(`${String(name)} was called`)
      const found: unknown = Reflect.get(target, name)
      return typeof found === 'function' ? found.bind(target) : found
    },
  })
}

const outcomesOf = async (store: Store, workflows: readonly AnyStateMachine[]): Promise<Record<string, string>> => {
  const { runs } = await checkAgainst(readOnly(store), workflows)
  return Object.fromEntries(runs.map(({ runId, outcome }) => [runId, outcome]))
}

describe('checking workflows against a store', () => {
  it('tells apart what goes on, what goes on changed, what needs a migration and what breaks', async () => {
    const store = createVolatileStore()
    const names = ['same', 'larger', 'renamed', 'lost', 'misled'] as const
    await fill(store, Object.fromEntries(names.map((name) => [`r-${name}`, define({ name })])))
    const now = [
      define({ name: 'same' }),
      define({ name: 'larger', states: { waiting: {}, more: {} } }),
      define({ name: 'renamed', version: '2', states: { idle: {} }, migrate: () => ({ value: 'idle' }) }),
      define({ name: 'lost', states: { idle: {} } }),
      define({ name: 'misled', states: { idle: {} }, migrate: () => ({ value: 'nowhere' }) }),
    ]
    expect(await outcomesOf(store, now)).toEqual({
      'r-same': 'restores',
      'r-larger': 'restores-changed',
      'r-renamed': 'needs-migration',
      'r-lost': 'breaks',
      'r-misled': 'breaks',
    })
    const { runs, counts } = await checkAgainst(store, now)
    expect(counts).toEqual({ restores: 1, 'restores-changed': 1, 'needs-migration': 1, breaks: 2 })
    expect(runs[2]).toMatchObject({
      workflow: 'renamed',
      from: { version: '1', hash: expect.any(String) },
      to: { version: '2', hash: expect.any(String) },
      differences: ['state "(root)" has other initial', 'state "idle" is new', 'state "waiting" is gone'],
      reasons: [],
    })
    expect(runs[3]?.reasons).toEqual(['state "waiting" is gone, and the run is in it'])
    expect(runs[4]?.reasons).toEqual([expect.stringContaining('migrate gave the state value "nowhere"')])
  })

  it('says of each run what opening it then does', async () => {
    const store = createVolatileStore()
    await fill(store, { a: define({ name: 'a' }), b: define({ name: 'b' }), c: define({ name: 'c' }) })
    const now = [
      define({ name: 'a', states: { waiting: {}, more: {} } }),
      define({ name: 'b', states: { idle: {} }, migrate: () => ({ value: 'idle' }) }),
      define({ name: 'c', states: { idle: {} } }),
    ]
    const said = await outcomesOf(store, now)
    const runtime = await createRuntime({ store, workflows: now, clock: createTestClock() })
    onTestFinished(() => runtime.close())
    const { runs, failures } = await runtime.recover()
    expect(said).toEqual({ a: 'restores-changed', b: 'needs-migration', c: 'breaks' })
    expect(runs.map(({ id, state }) => [id, state])).toEqual([
      ['a', 'waiting'],
      ['b', 'idle'],
    ])
    expect(failures.map(({ runId }) => runId)).toEqual(['c'])
  })

  it('breaks a run whose workflow is not given, and a parent with its child run', async () => {
    const store = createVolatileStore()
    const parentOf = (child: AnyStateMachine): AnyStateMachine =>
      define({ name: 'parent', agents: { agents: { child } }, states: { on: { invoke: { src: 'child' } } } })
    await fill(store, { other: define({ name: 'other' }), p: parentOf(define({ name: 'child' })) })
    expect(await outcomesOf(store, [parentOf(define({ name: 'child' }))])).toEqual({
      other: 'breaks',
      p: 'restores',
      'p.child.1': 'restores',
    })
    const { runs } = await checkAgainst(store, [parentOf(define({ name: 'child', states: { lost: {} } }))])
    expect(runs.map(({ runId, outcome, parent }) => [runId, outcome, parent])).toEqual([
      ['other', 'breaks', undefined],
      ['p', 'breaks', undefined],
      ['p.child.1', 'breaks', 'p'],
    ])
    expect(runs[0]?.reasons).toEqual([expect.stringContaining('no workflow "other" is given')])
    expect(runs[1]?.reasons).toEqual([expect.stringContaining('its child run p.child.1 breaks')])
  })

  it('passes over ended runs unless it is asked for them', async () => {
    const store = createVolatileStore()
    await fill(store, { r: define({ states: { over: { type: 'final' } } }) })
    expect(await outcomesOf(store, [define()])).toEqual({})
    const { runs } = await checkAgainst(store, [define()], { ended: true })
    expect(runs).toMatchObject([{ runId: 'r', outcome: 'restores' }])
  })

  it('breaks a run whose last record is lost, and says so', async () => {
    const path = freshPath()
    const store = await openSqlite(path, { durability: 'process' })
    await fill(store, { r: define() })
    const db = new DatabaseSync(path)
    db.exec('DELETE FROM records WHERE id = (SELECT max(id) FROM records)')
    db.close()
    const { runs } = await checkAgainst(store, [define()])
    expect(runs).toMatchObject([{ outcome: 'breaks', reasons: [expect.stringContaining('are gone')] }])
    await store.close()
  })

  it('breaks every run where the global entries are damaged: no runtime opens with them', async () => {
    const path = freshPath()
    const store = await openSqlite(path, { durability: 'process' })
    const rated = defineContext({ rate: entry(z.number(), { scope: 'global' }) })
    const machine = rated.workflow({ name: 'w' }).createMachine({ id: 'w', initial: 'on', states: { on: {} } })
    const runtime = await createRuntime({ store, clock: createTestClock() })
    await (await runtime.start(machine, { runId: 'r' })).update({ rate: 2 })
    await runtime.close()
    expect(await outcomesOf(store, [machine])).toEqual({ r: 'restores' })
    await store.close()
    const db = new DatabaseSync(path)
    db.exec(`UPDATE records SET body = '{}' WHERE run = (SELECT id FROM runs WHERE run_id = 'global:default')`)
    db.close()
    const again = await openSqlite(path)
    const { runs, counts } = await checkAgainst(again, [machine])
    expect(runs).toMatchObject([
      { runId: 'r', outcome: 'breaks', reasons: [expect.stringMatching(/^the global entries cannot be read: /)] },
    ])
    expect(counts.breaks).toBe(1)
    expect((await refusalOf(createRuntime({ store: again }))).code).toBe('store.damaged')
    await again.close()
  })

  it('reads a real file while a runtime goes on with it, and changes no record', async () => {
    const path = freshPath()
    const store = await openSqlite(path, { durability: 'process' })
    const runtime = await createRuntime({ store, clock: createTestClock() })
    const run = await runtime.start(define({ agents: { agents: { agent } } }), { runId: 'r' } as never)
    const { heads } = await store.verify()
    const reader = await openSqlite(path, { migrate: false })
    const changed = define({ states: { idle: {} }, migrate: () => ({ value: 'idle' }) })
    expect(await outcomesOf(reader, [changed])).toEqual({ r: 'needs-migration' })
    await reader.close()
    expect((await store.verify()).heads).toEqual(heads)
    await run.update({ title: 'still writing' } as never)
    expect(run.get('title' as never)).toBe('still writing')
    await store.close()
  })

  it('refuses two workflows of one name, and a plain machine', async () => {
    const store = createVolatileStore()
    const twice = checkAgainst(store, [define(), define({ states: { idle: {} } })])
    expect((await refusalOf(twice)).code).toBe('check.same-name')
    const { setup } = await import('xstate')
    const plain = checkAgainst(store, [setup({}).createMachine({ id: 'plain' }) as never])
    expect((await refusalOf(plain)).code).toBe('workflow.unknown')
  })
})
