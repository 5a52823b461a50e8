import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createRuntime, createVolatileStore, defineContext, drop, entry, patch, put } from 'callboard'
import type { AgentContext, Store } from 'callboard'
import { wrapStore } from '../store/wrapped.ts'
import { createTestClock } from '../support/clock.ts'
import { createGate, createWorld, keysWritten, refusalOf, together } from './world.ts'

const board = defineContext({
  settings: entry(z.record(z.string(), z.unknown()), { default: { theme: 'light', size: 10 } }),
  count: entry(z.int(), { merge: 'counter', default: 0 }),
  list: entry(z.array(z.string()), { merge: 'append', default: [] }),
  tags: entry(z.array(z.string()), { merge: 'union', default: [] }),
  first: entry(z.string(), { merge: 'safe' }),
  title: entry(z.string(), { merge: 'reject' }),
  plan: entry(z.string(), { outside: true }),
  summary: entry(z.string(), { dependsOn: ['plan'] }),
  goal: entry(z.string(), { protected: true }),
  quote: entry(z.int(), { ttlMs: 100 }),
  rate: entry(z.int(), { scope: 'global' }),
})
type Context = AgentContext<Record<string, never>, Record<string, never>, unknown>
type Work = (context: Context) => Promise<unknown>
type Changes = Parameters<Context['update']>[0]

/** A workflow with an agent on a branch that does what the test says, and one that looks on; it is done when told to. */
function branched(work: Work, { isolation = 'branch' }: { readonly isolation?: 'branch' | undefined } = {}) {
  const rights = { reads: ['*'], writes: ['*'], grants: { sensitive: ['*'] } } as const
  const author = board.agent({
    ...rights,
    phase: 'authoring',
    ...(isolation === undefined ? {} : { isolation }),
    run: (context) => work(context as never),
  })
  const onlooker = board.agent({ ...rights, run: () => createGate().passed })
  return together(board, { author, onlooker })
}

/** What a test writes is typed by no catalogue. */
const write = (changes: Readonly<Record<string, unknown>>): Changes => changes as Changes

/** Starts the agent; gives the run when the agent has come to its gate, and what lets it end. */
async function start(work: Work) {
  const { runtime, clock } = await createWorld()
  const atGate = createGate()
  const gate = createGate()
  const run = await runtime.start(
    branched(async (context) => {
      const result = await work(context)
      atGate.open()
      await gate.passed
      return result
    }),
  )
  await atGate.passed
  const end = async (): Promise<void> => {
    gate.open()
    await clock.settle()
  }
  return { run, runtime, clock, end }
}

describe('an agent on a branch', () => {
  it('sees what it writes; nobody else does, and nothing is recorded, until it has ended well', async () => {
    const own: unknown[] = []
    const { run, end } = await start(async ({ update, view }) => {
      const { versions } = await update(write({ plan: 'mine', settings: patch({ size: 11 }) }))
      own.push(versions, view.get('plan' as never), view.current.toObject(), view.has('plan' as never))
      await update(write({ plan: 'mine again' }))
      own.push(view.get('plan' as never))
    })
    expect(own).toEqual([
      { plan: 1, settings: 2 },
      'mine',
      { plan: 'mine', settings: { theme: 'light', size: 11 }, count: 0, list: [], tags: [] },
      true,
      'mine again',
    ])
    const seen = run.view('onlooker')
    expect(run.get('plan')).toBeUndefined()
    expect(seen.get('plan')).toBeUndefined()
    expect(await keysWritten(run)).toEqual(['settings', 'count', 'list', 'tags'])
    const seq = run.seq
    await end()
    const [record] = await run.ledger({ afterSeq: seq })
    expect(record).toMatchObject({ kind: 'update', author: 'author' })
    expect(record?.changes.map(({ key, cell }) => [key, cell.entry.version])).toEqual([
      ['plan', 1],
      ['settings', 2],
    ])
    expect(run.entry('plan')).toMatchObject({ value: 'mine again', owner: 'author', version: 1 })
    expect((await run.log({ afterSeq: seq })).map(({ by, operation, key }) => [by, operation, key])).toContainEqual([
      'author',
      'merge',
      'plan',
    ])
    expect(run.snapshots().at(-1)).toMatchObject({ id: 'after_authoring', metadata: { status: 'finished' } })
  })

  it('keeps what others changed elsewhere meanwhile, and lists where they disagree', async () => {
    const { run, end } = await start(async ({ view, update }) => {
      view.get('settings' as never)
      await update(write({ settings: { theme: 'dark', size: 10 } }))
      await update(write({ settings: { theme: 'dark', size: 12 } }))
    })
    await run.update({ settings: { theme: 'grey', size: 10, font: 'serif' } }, { by: 'ann' })
    await end()
    expect(run.get('settings')).toEqual({ theme: 'dark', size: 12, font: 'serif' })
    expect(run.entry('settings')?.version).toBe(3)
    expect(await run.conflicts()).toEqual([
      {
        id: 'workflow:settings@3.1',
        key: 'settings',
        address: { scope: 'workflow', holder: undefined, key: 'settings' },
        path: ['theme'],
        base: 'light',
        theirs: 'grey',
        mine: 'dark',
        policy: 'smart',
        result: { theme: 'dark', size: 12, font: 'serif' },
        author: 'author',
        against: 'ann',
        version: 3,
      },
    ])
    await run.update({ settings: { theme: 'blue' } })
    await run.resolveConflict('workflow:settings@3.1', { policy: 'max' })
    expect(run.get('settings')).toMatchObject({ theme: 'grey' })
  })

  it('merges by each key’s own policy what it asked for, not what it saw of it', async () => {
    const { run, end } = await start(async ({ update }) => {
      await update(write({ count: 1, list: ['a'], tags: ['x'], first: 'mine' }))
      await update(write({ count: 1, list: ['b'], tags: ['y'] }))
    })
    await run.update({ count: 40, list: ['z'], tags: ['z'], first: 'theirs' })
    await end()
    expect([run.get('count'), run.get('list'), run.get('tags'), run.get('first')]).toEqual([
      42,
      ['z', 'a', 'b'],
      ['x', 'y', 'z'],
      'theirs',
    ])
    expect(run.entry('count')?.version).toBe(3)
  })

  it('that fails merges nothing, and one that is stopped neither, even if its code goes on', async () => {
    const { runtime, clock } = await createWorld()
    const gate = createGate()
    const stubborn = board.agent({
      writes: ['*'],
      isolation: 'branch',
      phase: 'trying',
      run: async ({ update }) => {
        await update({ plan: 'mine' })
        await gate.passed
      },
    })
    const fails = board.agent({
      writes: ['*'],
      isolation: 'branch',
      phase: 'failing',
      run: async ({ update }) => {
        await update({ plan: 'mine' })
        throw new Error('no idea')
      },
    })
    const workflow = board.workflow({ agents: { stubborn, fails } }).createMachine({
      initial: 'trying',
      states: {
        trying: { on: { leave: 'failing' }, invoke: { src: 'stubborn', onDone: 'end' } },
        failing: { invoke: { src: 'fails', onError: 'end' } },
        end: {},
      },
    })
    const run = await runtime.start(workflow)
    await clock.settle()
    await run.send({ type: 'leave' })
    gate.open()
    await clock.settle()
    expect([run.state, run.get('plan')]).toEqual(['end', undefined])
    expect(run.snapshots().map(({ id, metadata }) => [id, metadata['status']])).toEqual([
      ['before_trying', undefined],
      ['after_trying', 'stopped'],
      ['before_failing', undefined],
      ['after_failing', 'failed'],
    ])
  })

  it('is refused on its branch what it would be refused anywhere, and goes on', async () => {
    const codes: string[] = []
    const { run, end } = await start(async ({ update, tryUpdate }) => {
      codes.push((await refusalOf(update(write({ count: 'many' })))).code)
      const result = await tryUpdate(write({ goal: 'other', plan: 'mine' }))
      codes.push(result.kind === 'refused' ? result.reason : result.kind)
      codes.push((await refusalOf(update(write({ goal: 'second' })))).code)
    })
    expect(codes).toEqual(['update.refused', 'accepted', 'update.refused'])
    await end()
    expect([run.get('goal'), run.get('plan')]).toEqual(['other', 'mine'])
  })

  it('whose merge is refused fails with the reason: nothing of it is merged, and the refusal is kept', async () => {
    const { run, end } = await start(async ({ view, update }) => {
      view.get('title' as never)
      await update(write({ title: 'mine', count: 1, goal: 'mine' }))
    })
    await run.update({ title: 'theirs' }, { by: 'ann' })
    const failed = refusalOf(run.done)
    await end()
    expect((await failed).code).toBe('update.refused')
    expect((await failed).message).toContain('ann has written version 1 since')
    expect([run.get('title'), run.get('count'), run.get('goal')]).toEqual(['theirs', 0, undefined])
    expect((await run.log({ key: 'title' })).map(({ operation }) => operation)).toEqual(['set', 'refuse'])
    expect(run.snapshots().at(-1)).toMatchObject({ id: 'after_authoring', metadata: { status: 'failed' } })
  })

  it('does not overwrite what was protected meanwhile', async () => {
    const { run, end } = await start(({ update }) => update(write({ goal: 'mine' })))
    await run.update({ goal: 'theirs' })
    const failed = refusalOf(run.done)
    await end()
    expect((await failed).message).toContain('is protected')
    expect(run.get('goal')).toBe('theirs')
  })

  it('sees the board as it is beside what it has written itself, and can wait for both', async () => {
    const { runtime, clock } = await createWorld()
    const saw: unknown[] = []
    const run = await runtime.start(
      branched(async ({ update, waitFor, view }) => {
        await update(write({ settings: { theme: 'mine' } }))
        saw.push(await waitFor('plan' as never), view.get('settings' as never))
        const own = waitFor('summary' as never)
        await update(write({ summary: 'of it' }))
        saw.push(await own)
      }),
    )
    await clock.settle()
    await run.update({ settings: { theme: 'theirs' } })
    await run.update({ plan: 'from outside' })
    await clock.settle()
    expect(saw).toEqual(['from outside', { theme: 'mine', size: 10 }, 'of it'])
  })

  it('deletes, writes private and global entries, and makes stale what depends on its writes only when it is merged', async () => {
    const { run, end } = await start(async ({ view, update }) => {
      await update(write({ list: drop(), rate: 5 }))
      await update(write({ title: put('a note to myself', { scope: 'private' }) }))
      await update(write({ plan: 'new', quote: 5 }))
      return view.has('list' as never)
    })
    await run.update({ summary: 'of nothing' })
    await run.update({ list: ['kept'] })
    expect([run.get('rate'), run.get('list'), run.entry('summary')?.stale]).toEqual([undefined, ['kept'], false])
    await end()
    expect([run.get('rate'), run.get('list'), run.entry('summary')?.stale]).toEqual([5, undefined, true])
    expect(run.view('author').get('title')).toBe('a note to myself')
    expect(run.view('onlooker').get('title')).toBeUndefined()
  })

  it('has nobody else’s condition looked at again for what is on its branch', async () => {
    const asked = { own: 0, other: 0 }
    const gate = createGate()
    const rights = { reads: ['*'], writes: ['*'] } as const
    const author = board.agent({
      ...rights,
      isolation: 'branch',
      run: async ({ update, waitFor }) => {
        const done = waitFor((view) => {
          asked.own += 1
          return view.get('plan' as never) === 'two'
        })
        await update(write({ plan: 'one' }))
        await update(write({ plan: 'two' }))
        await done
        await gate.passed
      },
    })
    const onlooker = board.agent({
      ...rights,
      run: ({ waitFor }) =>
        waitFor((view) => {
          asked.other += 1
          return view.get('plan' as never) !== undefined
        }),
    })
    const { runtime, clock } = await createWorld()
    const run = await runtime.start(together(board, { author, onlooker }))
    await clock.settle()
    expect(asked).toEqual({ own: 3, other: 1 })
    gate.open()
    await run.done
    expect(asked).toEqual({ own: 3, other: 2 })
  })

  it('does not see what it wrote once that has expired', async () => {
    const saw: unknown[] = []
    const { runtime, clock } = await createWorld()
    const gate = createGate()
    const run = await runtime.start(
      branched(async ({ update, view }) => {
        await update(write({ quote: 5, plan: 'mine' }))
        saw.push(view.get('quote' as never))
        await gate.passed
        saw.push(view.get('quote' as never), view.get('plan' as never))
      }),
    )
    await clock.advance(100)
    gate.open()
    await clock.settle()
    expect(saw).toEqual([5, undefined, 'mine'])
    expect(run.get('plan')).toBe('mine')
    expect(run.get('quote')).toBeUndefined()
  })

  it('leaves no trace with others of what is on its branch', async () => {
    const { run, end } = await start(async ({ update }) => {
      await update(write({ plan: 'mine', count: 3 }))
    })
    const before = [JSON.stringify(run.view('onlooker')), run.seq, JSON.stringify(run.explain().waits)]
    await end()
    const { run: quiet } = await start(async () => {})
    expect(before).toEqual([JSON.stringify(quiet.view('onlooker')), quiet.seq, JSON.stringify(quiet.explain().waits)])
  })
})

describe('a branch and a crash', () => {
  /** A store that stops answering, as a process does that is killed, once a record matches: before or after it is stored. */
  function dyingStore(matches: (asked: object) => boolean, when: 'before' | 'after'): { dying: Store; store: Store } {
    const store = createVolatileStore()
    let isDead = false
    const dying = wrapStore(store, {
      append: (batches) => {
        const isLast = batches.some(({ records }) => records.some(({ asked }) => matches((asked ?? {}) as object)))
        if (isDead || (isLast && when === 'before')) return new Promise<void>(() => {})
        isDead = isLast
        return store.append(batches)
      },
    })
    return { dying, store }
  }

  it.each([
    ['before it was merged', 'before', 2],
    ['after it was merged, before its end was known', 'after', 1],
  ] as const)('%s: what it wrote is there once, and its steps are not repeated', async (_when, when, runs) => {
    let started = 0
    const steps: string[] = []
    const workflow = branched(async ({ step, update }) => {
      started += 1
      const name = await step('name', () => {
        steps.push('name')
        return 'from a step'
      })
      await update(write({ count: 1, plan: name }))
      return { made: name }
    })
    const { dying, store } = dyingStore((asked) => 'merges' in asked, when)
    const before = await createRuntime({ store: dying, clock: createTestClock() })
    await before.start(workflow, { runId: 'r' })
    await createTestClock().settle()
    const { runtime, clock } = await createWorld({ store, workflows: [workflow] })
    const run = await runtime.open('r')
    await clock.settle()
    expect([run.get('count'), run.get('plan'), started, steps]).toEqual([1, 'from a step', runs, ['name']])
    const end = (await run.ledger()).find(
      ({ kind, asked }) => kind === 'event' && JSON.stringify(asked).includes('xstate.done.actor.author'),
    )
    expect(end?.asked).toMatchObject({ event: { output: { made: 'from a step' } } })
    expect((await run.ledger()).filter(({ asked }) => 'merges' in (asked as object))).toHaveLength(1)
  })
})

it('with nobody else at work, a branch comes to the same entries as no branch', async () => {
  const key = fc.constantFrom('settings', 'count', 'list', 'tags', 'first', 'plan', 'summary', 'title', 'goal')
  const letter = fc.constantFrom('a', 'b', 'c')
  const change = key.chain((name): fc.Arbitrary<readonly [string, unknown]> => {
    const value =
      name === 'settings'
        ? fc.dictionary(letter, fc.integer({ min: 0, max: 3 }), { noNullPrototype: true })
        : name === 'count'
          ? fc.integer({ min: -3, max: 3 })
          : name === 'list' || name === 'tags'
            ? fc.array(letter, { maxLength: 3 })
            : letter
    return fc
      .oneof({ weight: 5, arbitrary: value }, { weight: 1, arbitrary: fc.constant('drop') })
      .map((made) => [name, made])
  })
  const updates = fc.array(fc.array(change, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 6 })
  await fc.assert(
    fc.asyncProperty(updates, async (asked) => {
      const outcomes = await Promise.all(
        (['branch', undefined] as const).map(async (isolation) => {
          const { runtime, clock } = await createWorld()
          const workflow = branched(
            async ({ tryUpdate, view }) => {
              const said: unknown[] = []
              for (const changes of asked) {
                const made = changes.map(([name, value]) => [name, value === 'drop' ? drop() : value])
                const result = await tryUpdate(write(Object.fromEntries(made) as object as Record<string, unknown>))
                said.push(result.kind === 'refused' ? result.message : result.skipped, view.current.toObject())
              }
              told = said
            },
            { isolation },
          )
          let told: unknown
          const run = await runtime.start(workflow)
          await clock.settle()
          const entries = run.entries().map(({ key: name, value, stale, owner }) => [name, value, stale, owner])
          return { told, entries: entries.sort() }
        }),
      )
      expect(outcomes[0]).toEqual(outcomes[1])
    }),
    { numRuns: 60 },
  )
})
