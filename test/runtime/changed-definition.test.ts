// A run is stored by one runtime with one definition of its workflow, and opened by another one with a changed one.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { AnyActorLogic, AnyStateMachine } from 'xstate'
import { fromPromise, setup } from 'xstate'
import { z } from 'zod'
import { createRuntime, defineContext, entry, put } from 'callboard'
import type { LedgerRecord, Migrate, MigrationInput, Run, Runtime, RuntimeOptions } from 'callboard'
import { openSqlite } from 'callboard/sqlite'
import { failAt, setFaultHandler } from 'callboard/testing'
import { createTestClock } from '../support/clock.ts'
import type { TestClock } from '../support/clock.ts'
import { refusalOf } from './world.ts'

const KEYS = {
  title: entry(z.string()),
  budget: entry(z.number()),
  notes: entry(z.string(), { scope: 'private' }),
}

interface Shape {
  readonly keys?: Parameters<typeof defineContext>[0]
  readonly config?: object
  readonly version?: string
  readonly migrate?: Migrate
  readonly agents?: readonly string[]
  readonly input?: z.ZodType
  readonly agentInput?: z.ZodType
  readonly worksUntil?: Promise<unknown>
  readonly onWork?: (agent: string) => void
  readonly actors?: Readonly<Record<string, AnyActorLogic>>
}

const CONFIG = {
  id: 'w',
  initial: 'drafting',
  states: {
    drafting: { on: { next: 'reviewing' }, after: { 60_000: 'given-up' } },
    reviewing: { invoke: { src: 'reviewer', onDone: 'ended' }, on: { back: 'drafting' } },
    'given-up': {},
    ended: { type: 'final' },
  },
}

/** The workflow, with what a test changes about it. Its agents work until they are told that they may end. */
function define({ keys = KEYS, config = CONFIG, version = '1', ...more }: Shape = {}): AnyStateMachine {
  const board = defineContext(keys)
  const { agents = ['reviewer'], worksUntil = new Promise(() => {}), onWork = () => {}, migrate } = more
  const made = agents.map((name) => {
    const agent = board.agent({
      ...(more.agentInput === undefined ? {} : { input: more.agentInput }),
      run: async ({ step }) => {
        await step('once', () => onWork(name))
        await worksUntil
      },
    })
    return [name, agent] as const
  })
  return board
    .workflow({
      name: 'w',
      version,
      agents: { ...Object.fromEntries(made), ...more.actors },
      ...(migrate === undefined ? {} : { migrate }),
      ...(more.input === undefined ? {} : { input: more.input }),
    })
    .createMachine(config as never) as AnyStateMachine
}

interface World {
  /** The clock of the newest process; those of processes that are gone stand still. */
  readonly clock: TestClock
  /** A new process, as far as the file can tell. */
  reopen(...workflows: readonly AnyStateMachine[]): Promise<Runtime>
}

interface WorldOptions {
  /** Snapshots and retention of every process. */
  readonly keeping?: Pick<RuntimeOptions, 'snapshots' | 'retention'>
}

function createWorld({ keeping = {} }: WorldOptions = {}): World {
  const folder = mkdtempSync(join(tmpdir(), 'callboard-definition-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  let clock = createTestClock()
  return {
    get clock() {
      return clock
    },
    reopen: async (...workflows) => {
      clock = createTestClock(clock.now())
      const store = await openSqlite(join(folder, 'runs.db'), { durability: 'process' })
      onTestFinished(() => store.close())
      return createRuntime({ store, clock, workflows, ...keeping })
    },
  }
}

/** A run that was begun with the definition as it was, and whose process has gone. */
async function stored(
  world: World,
  machine: AnyStateMachine = define(),
  act: (run: Run) => Promise<unknown> = async () => {},
  input?: unknown,
): Promise<void> {
  const runtime = await world.reopen(machine)
  const run = await runtime.start(machine, { runId: 'r', input } as never)
  await act(run as Run)
  await world.clock.settle()
}

const toReviewing = (run: Run): Promise<unknown> => run.send({ type: 'next' })
const kindsOf = async (run: Run): Promise<readonly string[]> => (await run.ledger()).map(({ kind }) => kind)
const hashIn = (record: LedgerRecord | undefined): unknown =>
  (record?.asked as { readonly definition?: { readonly hash: string } } | undefined)?.definition?.hash
const withStates = (states: object): object => ({ ...CONFIG, states: { ...CONFIG.states, ...states } })

describe('a definition that is the same', () => {
  it('is told in the first record, and opening the run writes nothing', async () => {
    const world = createWorld()
    await stored(world)
    const run = await (await world.reopen(define())).open('r')
    const [start] = await run.ledger()
    expect(start?.asked).toMatchObject({ definition: { version: '1', hash: expect.stringMatching(/^[\da-f]{32}$/) } })
    expect(await kindsOf(run)).toEqual(['start'])
  })

  it('may have another version: without migrate the run goes on', async () => {
    const world = createWorld()
    await stored(world)
    const run = await (await world.reopen(define({ version: '2' }))).open('r')
    expect(await kindsOf(run)).toEqual(['start'])
  })
})

describe('a changed definition that the stored state fits', () => {
  it('is gone on with, and a record says from which hash to which', async () => {
    const world = createWorld()
    await stored(world, define(), (run) => run.update({ title: 'kept' } as never))
    const changed = define({ version: '2', config: withStates({ extra: {} }) })
    const run = await (await world.reopen(changed)).open('r')
    expect([run.state, run.get('title')]).toEqual(['drafting', 'kept'])
    const record = (await run.ledger()).at(-1)
    const [start] = await run.ledger()
    expect(record).toMatchObject({
      kind: 'definition',
      author: 'workflow',
      asked: {
        from: { version: '1', hash: hashIn(start) },
        definition: { version: '2' },
        migrated: false,
      },
    })
    await run.send({ type: 'next' })
    expect(run.state).toBe('reviewing')
    expect((await (await world.reopen(changed)).list())[0]?.version).toBe('2')
  })

  it('is recorded once: the next opening finds the same definition', async () => {
    const world = createWorld()
    await stored(world)
    const changed = define({ config: withStates({ extra: {} }) })
    await (await world.reopen(changed)).open('r')
    const run = await (await world.reopen(changed)).open('r')
    expect(await kindsOf(run)).toEqual(['start', 'definition'])
  })

  it('is recorded once by two who open the run at the same time', async () => {
    const world = createWorld()
    await stored(world)
    const runtime = await world.reopen(define({ config: withStates({ extra: {} }) }))
    const [one, other] = await Promise.all([runtime.open('r'), runtime.open('r')])
    expect(one).toBe(other)
    expect(await kindsOf(one)).toEqual(['start', 'definition'])
  })

  it('lets agents in flight go on, without repeating finished steps', async () => {
    const world = createWorld()
    const worked: string[] = []
    const onWork = (agent: string): void => void worked.push(agent)
    await stored(world, define({ onWork }), toReviewing)
    const changed = define({ onWork, worksUntil: Promise.resolve(), config: withStates({ extra: {} }) })
    const run = await (await world.reopen(changed)).open('r')
    await run.done
    expect(worked).toEqual(['reviewer'])
  })

  it('keeps the points before it as they were', async () => {
    const world = createWorld()
    await stored(world, define(), (run) => run.update({ title: 'before' } as never))
    const run = await (await world.reopen(define({ config: withStates({ extra: {} }) }))).open('r')
    await run.update({ title: 'after' } as never)
    expect((await run.at(2)).get('title')).toBe('before')
    expect((await run.at(3)).state).toBe('drafting')
  })

  it('counts another delay from when the state was entered', async () => {
    const world = createWorld()
    await stored(world)
    await world.clock.advance(20_000)
    const drafting = { on: { next: 'reviewing' }, after: { 30_000: 'given-up' } }
    const run = await (await world.reopen(define({ config: withStates({ drafting }) }))).open('r')
    await world.clock.advance(9_999)
    expect(run.state).toBe('drafting')
    await world.clock.advance(1)
    expect(run.state).toBe('given-up')
  })

  it('counts a delay that is new from when the run goes on, and forgets one that is gone', async () => {
    const world = createWorld()
    await stored(world, define(), toReviewing)
    const patient = withStates({
      drafting: { on: { next: 'reviewing' } },
      reviewing: { ...CONFIG.states.reviewing, after: { 5_000: 'given-up' } },
    })
    await world.clock.advance(10_000)
    const run = await (await world.reopen(define({ config: patient }))).open('r')
    await world.clock.advance(4_999)
    expect(run.state).toBe('reviewing')
    await world.clock.advance(1)
    expect(run.state).toBe('given-up')
    const other = createWorld()
    await stored(other)
    const still = await (await other.reopen(define({ config: patient }))).open('r')
    await other.clock.advance(100_000)
    expect(still.state).toBe('drafting')
  })
})

describe('a changed definition that the stored state does not fit', () => {
  const REFUSED: readonly (readonly [string, Shape, (run: Run) => Promise<unknown>, string])[] = [
    [
      'the state is gone',
      { config: { ...CONFIG, initial: 'ended', states: { ended: CONFIG.states.ended } } },
      async () => {},
      'state "drafting" is gone, and the run is in it',
    ],
    [
      'the state has states of its own now',
      { config: withStates({ drafting: { initial: 'a', states: { a: {} } } }) },
      async () => {},
      'state "drafting" has states of its own now, and the run is in none of them',
    ],
    [
      'the state is final now',
      { config: withStates({ drafting: { type: 'final' } }) },
      async () => {},
      'state "drafting" is final now, and the run is in it without having ended',
    ],
    [
      'an agent in flight is not registered any more',
      {
        agents: ['checker'],
        config: withStates({ reviewing: { invoke: { src: 'checker', id: 'reviewer', onDone: 'ended' } } }),
      },
      toReviewing,
      'actor "reviewer" is not registered any more',
    ],
    [
      'the state invokes another agent',
      {
        agents: ['reviewer', 'checker'],
        config: withStates({ reviewing: { invoke: { src: 'checker', onDone: 'ended' } } }),
      },
      toReviewing,
      'state "reviewing" invokes checker (checker) now, which the run has not begun',
    ],
    [
      'the input of an agent at work does not pass its schema',
      { agentInput: z.object({ pages: z.int() }) },
      toReviewing,
      'agent reviewer is at work, and its input does not fit its schema',
    ],
    [
      'a key is gone',
      { keys: { budget: KEYS.budget } },
      (run) => run.update({ title: 'x' } as never),
      'entry "title" is not in the catalogue any more',
    ],
    [
      'a value does not pass its schema',
      { keys: { ...KEYS, title: entry(z.number()) } },
      (run) => run.update({ title: 'x' } as never),
      'the value of "title" does not fit its schema',
    ],
    [
      'an entry has another scope',
      { keys: { ...KEYS, title: entry(z.string(), { scope: 'global' }) } },
      (run) => run.update({ title: 'x' } as never),
      'entry "title" is stored as workflow and defined as global now',
    ],
  ]

  it.each(REFUSED)('refuses the run when %s, and leaves it as it was', async (_what, shape, act, message) => {
    const world = createWorld()
    await stored(world, define(), act)
    const runtime = await world.reopen(define({ version: '2', ...shape }))
    const error = await refusalOf(runtime.open('r'))
    expect(error.code).toBe('run.definition-changed')
    expect(error.message).toContain(message)
    expect(error.message).toMatch(/stored with version 1 \([\da-f]{8}\) .* does not fit version 2 \([\da-f]{8}\)/)
    expect(error.details).toMatchObject({ runId: 'r', from: { version: '1' }, to: { version: '2' } })
    const { failures } = await runtime.recover()
    expect(failures).toMatchObject([{ runId: 'r', error: { code: 'run.definition-changed' } }])
    const run = await (await world.reopen(define())).open('r')
    expect(await kindsOf(run)).not.toContain('definition')
  })

  it('refuses a run whose parallel states are not complete any more, and one whose history names a lost state', async () => {
    const regions = (names: readonly string[]): object => ({
      id: 'w',
      initial: 'both',
      states: {
        both: {
          type: 'parallel',
          states: Object.fromEntries(
            names.map((name) => [name, { initial: 'on', states: { on: { on: { flip: 'off' } }, off: {} } }]),
          ),
        },
      },
    })
    const world = createWorld()
    await stored(world, define({ config: regions(['one', 'two']) }))
    const more = await world.reopen(define({ config: regions(['one', 'two', 'three']) }))
    expect((await refusalOf(more.open('r'))).message).toContain('has the parallel states three')
    const fewer = await world.reopen(define({ config: regions(['one']) }))
    expect((await refusalOf(fewer.open('r'))).message).toContain('state "both.two" is gone')

    const remembering = (states: object, initial = 'a'): object => ({
      id: 'w',
      initial: 'in',
      states: {
        in: {
          initial,
          on: { leave: 'out' },
          states: { ...states, last: { type: 'history' }, c: {} },
        },
        out: { on: { back: 'in.last' } },
      },
    })
    const other = createWorld()
    await stored(other, define({ config: remembering({ a: { on: { go: 'b' } }, b: {} }) }), async (run) => {
      await run.send({ type: 'go' })
      await run.send({ type: 'leave' })
    })
    const forgetful = await other.reopen(define({ config: remembering({ a: {} }) }))
    expect((await refusalOf(forgetful.open('r'))).message).toContain('which is no state any more')
    const kept = await other.reopen(define({ config: remembering({ a: {}, b: {} }) }))
    const run = await kept.open('r')
    await run.send({ type: 'back' })
    expect(run.state).toEqual({ in: 'b' })
  })

  it('refuses a run whose input does not fit any more', async () => {
    const world = createWorld()
    await stored(world, define({ input: z.object({ a: z.string() }) }), undefined, { a: 'x' })
    const runtime = await world.reopen(define({ input: z.object({ a: z.number() }) }))
    expect((await refusalOf(runtime.open('r'))).message).toContain(`the run's input does not fit its schema: at a:`)
  })

  it('refuses a run that asks a person for what is not in the catalogue any more', async () => {
    const asking = (keys: Parameters<typeof defineContext>[0], key: string): AnyStateMachine => {
      const board = defineContext(keys)
      const asks = board.agent({ reads: ['*'] as never, run: async ({ ask }) => void (await ask(key as never)) })
      return board.workflow({ name: 'w', agents: { asks } }).createMachine({
        initial: 'on',
        states: { on: { invoke: { src: 'asks' } } },
      }) as AnyStateMachine
    }
    const world = createWorld()
    await stored(world, asking({ old: entry(z.string()) }, 'old'))
    const runtime = await world.reopen(asking({ new: entry(z.string()) }, 'new'))
    expect((await refusalOf(runtime.open('r'))).message).toContain('somebody is asked for "old"')
  })

  it('of a child run whose migrate fails is told of its parent too, as what it is', async () => {
    const childOf = (initial: string, migrate?: () => never): AnyStateMachine =>
      defineContext({})
        .workflow({ name: 'child', ...(migrate === undefined ? {} : { migrate }) })
        .createMachine({ id: 'c', initial, states: { [initial]: {} } } as never) as AnyStateMachine
    const parentOf = (child: AnyStateMachine): AnyStateMachine =>
      define({ actors: { child }, config: { id: 'w', initial: 'on', states: { on: { invoke: { src: 'child' } } } } })
    const world = createWorld()
    await stored(world, parentOf(childOf('waiting')))
    const failing = (): never => {
      throw new Error('no idea')
    }
    const runtime = await world.reopen(parentOf(childOf('other', failing)))
    const error = await refusalOf(runtime.open('r'))
    expect(error.code).toBe('run.migration-failed')
    expect(error.message).toMatch(
      /^run r of workflow "w" does not go on without its child runs: its child run r\.child\.1 /,
    )
    expect(error.message).toContain('migrate threw: no idea')
  })

  it('does not touch the parent of a child run that it breaks', async () => {
    const childOf = (states: object): AnyStateMachine =>
      defineContext({})
        .workflow({ name: 'child' })
        .createMachine({ id: 'c', initial: Object.keys(states)[0], states } as never) as AnyStateMachine
    const parentOf = (child: AnyStateMachine): AnyStateMachine =>
      define({
        actors: { child },
        config: { id: 'w', initial: 'on', states: { on: { invoke: { src: 'child', onError: 'failed' } }, failed: {} } },
      })
    const world = createWorld()
    await stored(world, parentOf(childOf({ waiting: {} })))
    const runtime = await world.reopen(parentOf(childOf({ other: {} })))
    const error = await refusalOf(runtime.open('r'))
    expect(error.message).toContain('its child run r.child.1 breaks')
    expect(error.message).toContain('state "waiting" is gone')
    const again = await (await world.reopen(parentOf(childOf({ waiting: {}, more: {} })))).open('r')
    expect(again.state).toBe('on')
  })

  it('still shows a run that has ended', async () => {
    const world = createWorld()
    const config = { id: 'w', initial: 'on', states: { on: { initial: 'a', states: { a: {} } } } }
    await stored(world, define({ config }), async (run) => {
      await run.update({ title: 'last words' } as never)
      await run.stop('enough')
    })
    const run = await (await world.reopen(define())).open('r')
    expect([run.status, run.state, run.get('title')]).toEqual(['stopped', { on: 'a' }, 'last words'])
  })
})

describe('a migration', () => {
  const RENAMED = {
    id: 'w',
    initial: 'writing',
    states: {
      writing: { on: { next: 'checking' }, after: { 60_000: 'given-up' } },
      checking: { invoke: { src: 'reviewer', onDone: 'ended' } },
      'given-up': {},
      ended: { type: 'final' },
    },
  }
  const renames: Record<string, string> = { drafting: 'writing', reviewing: 'checking' }
  const rename: Migrate = ({ state }) => ({ value: renames[String(state.value)] ?? state.value })

  it('maps the state, renames, transforms and deletes entries, in one record', async () => {
    const world = createWorld()
    await stored(world, define(), async (run) => {
      await run.update({ title: 'A', budget: 3 } as never)
      await run.update({ budget: 4 } as never)
    })
    const seen: MigrationInput[] = []
    const migrate: Migrate = (migration) => {
      seen.push(migration)
      const { entries } = migration.state
      return {
        value: 'writing',
        entries: [
          ...entries
            .filter(({ key }) => key === 'budget')
            .map((each) => ({ ...each, value: Number(each.value) * 100 })),
          ...entries.filter(({ key }) => key === 'title').map((each) => ({ ...each, key: 'heading' })),
          { key: 'motto', value: 'new' },
        ],
      }
    }
    const keys = { heading: entry(z.string()), budget: entry(z.number()), motto: entry(z.string()) }
    const changed = define({ version: '2', keys, config: RENAMED, migrate })
    const run = await (await world.reopen(changed)).open('r')
    expect(run.state).toBe('writing')
    expect([run.get('heading'), run.get('budget'), run.get('motto'), run.get('title')]).toEqual([
      'A',
      400,
      'new',
      undefined,
    ])
    expect(run.entry('budget')).toMatchObject({ version: 3, owner: 'outside', updatedBy: 'workflow' })
    expect(run.entry('heading')).toMatchObject({
      version: 1,
      owner: 'outside',
      createdAt: run.entry('budget')?.createdAt,
    })
    expect(await kindsOf(run)).toEqual(['start', 'update', 'update', 'definition'])
    expect((await run.ledger()).at(-1)?.asked).toMatchObject({ migrated: true })
    expect(seen).toMatchObject([
      {
        runId: 'r',
        from: { version: '1' },
        to: { version: '2' },
        state: { value: 'drafting', context: {}, invocations: {} },
      },
    ])
    expect((await run.at(3)).get('title')).toBe('A')
    expect((await run.at(4)).get('title')).toBeUndefined()
  })

  it('leaves entries alone that it gives back as they are, whatever they hold and whoever holds them', async () => {
    const keys = {
      since: entry(z.date()),
      notes: entry(z.string(), { scope: 'private' }),
      plan: entry(z.string(), { scope: 'group', group: 'editors' }),
      budget: entry(z.number()),
    }
    const world = createWorld()
    await stored(world, define({ keys }), async (run) => {
      await run.update({ since: new Date(0), budget: 1, plan: 'p', notes: put('n', { holder: 'ada' }) } as never)
    })
    const migrate: Migrate = ({ state }) => ({
      entries: state.entries.map((each) => (each.key === 'notes' ? { ...each, value: 'N', holder: 'bob' } : each)),
    })
    const run = await (await world.reopen(define({ keys, version: '2', migrate }))).open('r')
    const changes = (await run.ledger()).at(-1)?.changes.map(({ kind, key, holder }) => [kind, key, holder])
    expect(changes).toEqual([
      ['put', 'notes', 'bob'],
      ['drop', 'notes', 'ada'],
    ])
    const rest = run.entries().map(({ key, holder, value, version }) => [key, holder, value, version])
    expect(rest.sort()).toEqual([
      ['budget', undefined, 1, 1],
      ['notes', 'bob', 'N', 1],
      ['plan', 'editors', 'p', 1],
      ['since', undefined, new Date(0), 1],
    ])
  })

  it('is stored as a whole or not at all', async () => {
    const world = createWorld()
    await stored(world, define(), (run) => run.update({ budget: 1 } as never))
    const migrate: Migrate = ({ state }) => ({
      value: 'writing',
      entries: state.entries.map((each) => ({ ...each, value: 2 })),
    })
    const changed = define({ config: RENAMED, migrate })
    const runtime = await world.reopen(changed)
    onTestFinished(() => setFaultHandler(undefined))
    setFaultHandler(failAt('append:before', 1, 'throw'))
    await expect(runtime.open('r')).rejects.toThrow('append:before')
    setFaultHandler(undefined)
    const old = await (await world.reopen(define())).open('r')
    expect([old.state, old.get('budget')]).toEqual(['drafting', 1])
    const run = await (await world.reopen(changed)).open('r')
    expect([run.state, run.get('budget'), await kindsOf(run)]).toEqual([
      'writing',
      2,
      ['start', 'update', 'definition'],
    ])
  })

  it('happens once', async () => {
    const world = createWorld()
    await stored(world, define(), (run) => run.update({ budget: 1 } as never))
    let calls = 0
    const migrate: Migrate = ({ state }) => {
      calls += 1
      return { entries: state.entries.map((each) => ({ ...each, value: Number(each.value) + 1 })) }
    }
    const changed = define({ version: '2', config: withStates({ extra: {} }), migrate })
    await (await world.reopen(changed)).open('r')
    const run = await (await world.reopen(changed)).open('r')
    expect([calls, run.get('budget')]).toEqual([1, 2])
  })

  it('is asked about another version of the same structure too, and may leave everything as it is', async () => {
    const world = createWorld()
    await stored(world)
    const versions: string[] = []
    const migrate: Migrate = ({ from, to }) => {
      versions.push(`${from.version} to ${to.version}`)
      return undefined
    }
    const changed = define({ version: '2', migrate })
    await (await world.reopen(changed)).open('r')
    const run = await (await world.reopen(changed)).open('r')
    expect(versions).toEqual(['1 to 2'])
    expect(await kindsOf(run)).toEqual(['start', 'definition'])
  })

  it('begins what the new state invokes and delays: it is a run that has come to the state', async () => {
    const world = createWorld()
    await stored(world)
    const worked: string[] = []
    const changed = define({
      config: RENAMED,
      migrate: () => ({ value: 'checking' }),
      worksUntil: Promise.resolve(),
      onWork: (agent) => void worked.push(agent),
    })
    await (
      await (await world.reopen(changed)).open('r')
    ).done
    expect(worked).toEqual(['reviewer'])

    const other = createWorld()
    await stored(other)
    await other.clock.advance(50_000)
    const run = await (await other.reopen(define({ config: RENAMED, migrate: rename }))).open('r')
    await other.clock.advance(59_999)
    expect(run.state).toBe('writing')
    await other.clock.advance(1)
    expect(run.state).toBe('given-up')
  })

  it('lets an agent go on whose state has another name, and begins it anew where it is dropped', async () => {
    const worked: string[] = []
    const onWork = (agent: string): void => void worked.push(agent)
    const shape = { config: RENAMED, worksUntil: Promise.resolve(), onWork }
    const world = createWorld()
    await stored(world, define({ onWork }), toReviewing)
    await (
      await (await world.reopen(define({ ...shape, migrate: rename }))).open('r')
    ).done
    expect(worked).toEqual(['reviewer'])

    const other = createWorld()
    await stored(other, define({ onWork }), toReviewing)
    const migrate: Migrate = (migration) => ({ ...rename(migration), drop: ['reviewer'] })
    await (
      await (await other.reopen(define({ ...shape, migrate }))).open('r')
    ).done
    expect(worked).toEqual(['reviewer', 'reviewer', 'reviewer'])
  })

  it('ends the child runs that do not go on, together with the record', async () => {
    const child = defineContext({})
      .workflow({ name: 'child' })
      .createMachine({ id: 'c', initial: 'waiting', states: { waiting: {} } }) as AnyStateMachine
    const on = { id: 'w', initial: 'on', states: { on: { invoke: { src: 'child' } }, off: {} } }
    const world = createWorld()
    await stored(world, define({ actors: { child }, config: on }))
    const off = { id: 'w', initial: 'off', states: { off: {} } }
    const runtime = await world.reopen(define({ config: off, migrate: () => ({ value: 'off' }) }))
    const run = await runtime.open('r')
    expect(run.state).toBe('off')
    const summaries = await runtime.list()
    expect(summaries.map(({ runId, status }) => [runId, status])).toEqual([
      ['r', 'active'],
      ['r.child.1', 'stopped'],
    ])
  })

  it('changes the input and what context adds', async () => {
    const world = createWorld()
    await stored(world, define({ input: z.object({ name: z.string() }) }), undefined, { name: 'Ada' })
    const input = z.object({ names: z.array(z.string()) })
    const migrate: Migrate = ({ state }) => ({ input: { names: [(state.input as { name: string }).name] } })
    const run = await (await world.reopen(define({ input, migrate }))).open('r')
    const machine = (await run.ledger()).at(-1)?.machine
    expect(machine?.context).toEqual({ input: { names: ['Ada'] } })
  })

  const FAILING: readonly (readonly [string, Migrate, string])[] = [
    [
      'throws',
      () => {
        throw new Error('no idea')
      },
      'migrate threw: no idea',
    ],
    ['names a state that does not exist', () => ({ value: 'nowhere' }), 'migrate gave the state value "nowhere"'],
    ['ends the run', () => ({ value: 'ended' }), 'state "ended" is final now'],
    [
      'gives an entry that is not in the catalogue',
      () => ({ entries: [{ key: 'odd', value: 1 }] }),
      'entry "odd" is not in',
    ],
    [
      'gives a value that does not pass its schema',
      () => ({ value: 'writing', entries: [{ key: 'budget', value: 'much' }] }),
      'the value of "budget" does not fit its schema',
    ],
    [
      'gives a value that cannot be stored',
      () => ({ value: 'writing', entries: [{ key: 'title', value: () => 1 }] }),
      'entry "title": ',
    ],
    ['gives no object', () => 5 as never, 'migrate gives an object'],
    ['gives something unknown', () => ({ states: 'writing' }) as never, 'migrate gave states; it may give value,'],
    ['waits', (async () => ({ value: 'writing' })) as never, 'migrate gave a promise'],
    [
      'drops what is not there',
      () => ({ value: 'writing', drop: ['x'] }),
      'drop names x, which the run has not invoked',
    ],
    ['changes nothing', () => undefined, 'state "drafting" is gone'],
  ]

  it.each(FAILING)('that %s leaves the run as it was', async (_what, migrate, message) => {
    const world = createWorld()
    await stored(world, define(), (run) => run.update({ budget: 7 } as never))
    const runtime = await world.reopen(define({ config: RENAMED, migrate }))
    const error = await refusalOf(runtime.open('r'))
    expect(error.code).toMatch(/^run\.(migration-failed|definition-changed)$/)
    expect(error.message).toContain(message)
    const run = await (await world.reopen(define())).open('r')
    expect([run.state, run.get('budget'), await kindsOf(run)]).toEqual(['drafting', 7, ['start', 'update']])
  })
})

describe('a run whose first record was dropped by the retention', () => {
  const keeping = { snapshots: { everyRecords: 3 }, retention: { keepRecords: 2 } }

  const write = async (run: Run): Promise<void> => {
    for (let budget = 1; budget <= 12; budget++) await run.update({ budget } as never)
  }

  it('still knows its definition, and is migrated once', async () => {
    const world = createWorld({ keeping })
    await stored(world, define(), write)
    let calls = 0
    const migrate: Migrate = ({ from, state }) => {
      calls += 1
      expect([from.version, from.structure?.id]).toEqual(['1', 'w'])
      return { entries: state.entries.map((each) => ({ ...each, value: Number(each.value) * 100 })) }
    }
    const changed = define({ version: '2', migrate })
    const run = await (await world.reopen(changed)).open('r')
    expect((await refusalOf(run.ledger())).code).toBe('run.trimmed')
    expect(run.get('budget')).toBe(1200)
    await write(run)
    const again = await (await world.reopen(changed)).open('r')
    expect([calls, again.get('budget')]).toEqual([1, 12])
  })

  it('still knows what a person was asked', async () => {
    const asking = (keys: Parameters<typeof defineContext>[0], key: string): AnyStateMachine => {
      const board = defineContext({ budget: KEYS.budget, ...keys })
      const asks = board.agent({ reads: ['*'] as never, run: async ({ ask }) => void (await ask(key as never)) })
      return board.workflow({ name: 'w', agents: { asks } }).createMachine({
        initial: 'on',
        states: { on: { invoke: { src: 'asks' } } },
      }) as AnyStateMachine
    }
    const world = createWorld({ keeping })
    await stored(world, asking({ old: entry(z.string()) }, 'old'), async (run) => {
      await world.clock.settle()
      await write(run)
    })
    const runtime = await world.reopen(asking({ new: entry(z.string()) }, 'new'))
    expect((await refusalOf(runtime.open('r'))).message).toContain('somebody is asked for "old"')
  })
})

describe('a plain machine that a state invokes', () => {
  const lampOf = (states: object): AnyActorLogic =>
    setup({}).createMachine({ id: 'lamp', initial: Object.keys(states)[0] ?? '', states } as never) as never
  const config = { id: 'w', initial: 'on', states: { on: { invoke: { src: 'lamp' } } } }

  it('has to fit too, and is found by its own states', async () => {
    const world = createWorld()
    await stored(world, define({ config, actors: { lamp: lampOf({ bright: {}, dim: {} }) } }))
    const lost = await world.reopen(define({ config, actors: { lamp: lampOf({ dim: {} }) } }))
    expect((await refusalOf(lost.open('r'))).message).toContain('in lamp, state "bright" is gone')
    const kept = await world.reopen(define({ config, actors: { lamp: lampOf({ bright: {}, off: {} }) } }))
    expect((await kept.open('r')).state).toBe('on')
  })
})

describe('every way to a stored state', () => {
  it('gives a plain promise actor another try, as before', async () => {
    const world = createWorld()
    const config = {
      id: 'w',
      initial: 'on',
      states: { on: { invoke: { src: 'fetched', onDone: 'ended' } }, ended: { type: 'final' } },
    }
    await stored(world, define({ config, actors: { fetched: fromPromise(() => new Promise(() => {})) } }))
    const changed = define({
      config: { ...config, states: { ...config.states, more: {} } },
      actors: { fetched: fromPromise(async () => 1) },
    })
    const run = await (await world.reopen(changed)).open('r')
    await run.done
    expect(run.state).toBe('ended')
  })
})
