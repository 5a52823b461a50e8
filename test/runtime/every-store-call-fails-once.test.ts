// One story, told once for every call that it makes to the store: that call fails, before the store has done anything or
// after it has done everything. Whatever fails, memory and store are the same afterwards, what was acknowledged is stored,
// what was refused is not, and the story comes to its end.
import { expect, it, vi } from 'vitest'
import { createMachine, sendParent, sendTo } from 'xstate'
import { z } from 'zod'
import { createRuntime, createVolatileStore, defineContext, entry, isCallboardError } from 'callboard'
import type { Run, Runtime, Store } from 'callboard'
import { createTestClock } from 'callboard/testing'
import { wrapStore } from '../store/wrapped.ts'

type Failure = 'before' | 'after' | 'twice'

const board = defineContext({
  told: entry(z.array(z.string()), { merge: 'append', default: [] }),
  worked: entry(z.array(z.string()), { merge: 'union', default: [] }),
  rate: entry(z.int(), { scope: 'global', merge: 'counter', default: 0 }),
  go: entry(z.boolean(), { outside: true }),
})

const inner = createMachine({
  id: 'inner',
  initial: 'off',
  states: { off: { on: { turn: 'on' } }, on: { entry: sendParent({ type: 'turned' }), after: { 100: 'off' } } },
})

const works = board.agent({
  reads: ['worked', 'go'],
  writes: ['worked', 'rate'],
  run: async ({ step, update, waitFor, view }) => {
    const first = await step('first', () => 'one')
    await update({ worked: [first] })
    await waitFor('go', { timeoutMs: Number.POSITIVE_INFINITY })
    const second = await step('second', () => 'two')
    if (view.get('worked')?.includes(second) !== true) await update({ worked: [second], rate: 1 })
    return 'worked'
  },
})

const child = board.workflow({ name: 'child', agents: { works } }).createMachine({
  initial: 'on',
  states: { on: { invoke: { src: 'works', id: 'works', onDone: 'end' } }, end: { type: 'final' } },
  entry: board.write({ go: true }),
  output: () => 'the child is done',
})

const story = board.workflow({ name: 'story', agents: { works, child, inner } }).createMachine({
  initial: 'on',
  invoke: { src: 'inner', id: 'inner' },
  on: {
    turn: { actions: sendTo('inner', { type: 'turn' }) },
    turned: { actions: board.write({ told: ['turned'] }) },
  },
  states: {
    on: {
      type: 'parallel',
      onDone: 'last',
      states: {
        agent: {
          initial: 'on',
          states: { on: { invoke: { src: 'works', id: 'works', onDone: 'off' } }, off: { type: 'final' } },
        },
        child: {
          initial: 'on',
          states: { on: { invoke: { src: 'child', id: 'child', onDone: 'off' } }, off: { type: 'final' } },
        },
      },
    },
    last: { after: { 1_000: 'end' } },
    end: { type: 'final' },
  },
  output: ({ context }) => context.board.get('worked'),
})

/** A store whose call number `failing` fails, and how many there were. */
function createFailing(failing: number, how: Failure): { store: Store; inside: Store; calls: () => number } {
  const inside = createVolatileStore()
  let calls = 0
  const failsOnce = async <Result>(call: () => Promise<Result>): Promise<Result> => {
    calls += 1
    const fails = calls === failing || (how === 'twice' && calls === failing + 1)
    if (fails && how !== 'after') throw new Error('the connection was lost')
    const result = await call()
    if (fails) throw new Error('the connection was lost before the answer came')
    return result
  }
  const store = wrapStore(inside, {
    append: (batches) => failsOnce(() => inside.append(batches)),
    read: (runId, options) => failsOnce(() => inside.read(runId, options)),
    summary: (runId) => failsOnce(() => inside.summary(runId)),
    putSnapshot: (snapshot) => failsOnce(() => inside.putSnapshot(snapshot)),
    snapshot: (runId, options) => failsOnce(() => inside.snapshot(runId, options)),
    snapshots: (runId) => failsOnce(() => inside.snapshots(runId)),
  })
  return { store, inside, calls: () => calls }
}

/** Tries until it succeeds: what fails does not fail for long. */
async function insist<Result>(act: () => Promise<Result>, refused: unknown[]): Promise<Result> {
  for (;;) {
    try {
      return await act()
    } catch (error) {
      refused.push(error)
      if (refused.length > 9) throw error
    }
  }
}

interface Told {
  readonly calls: number
  readonly output: unknown
}

/** Tells the story with one failing call and checks what must hold; gives how many calls it made. */
async function tell(failing: number, how: Failure): Promise<Told> {
  const { store, inside, calls } = createFailing(failing, how)
  const clock = createTestClock()
  const refused: unknown[] = []
  const options = { store, clock, workflows: [story, child], snapshots: { everyRecords: 5 } }
  const runtime: Runtime = await insist(() => createRuntime(options), refused)
  const acknowledged: string[] = []
  const run = (await insist(() => runtime.start(story, { runId: 'r' }), refused)) as Run
  const write = async (word: string): Promise<void> => {
    try {
      await run.update({ told: [word], rate: 1 } as never)
      acknowledged.push(word)
    } catch (error) {
      refused.push(error)
    }
  }
  await Promise.all([write('a'), write('b')])
  await clock.settle()
  await insist(() => run.send({ type: 'turn' }), refused)
  await clock.advance(50)
  await write('c')
  await clock.advance(50)
  await insist(() => run.snapshot('half way'), refused)
  await insist(() => run.update({ go: true } as never), refused)
  await clock.advance(500)
  await write('d')
  await clock.advance(100_000)
  const output = await run.done

  for (const error of refused) expect(isCallboardError(error) && error.code).toBe('store.failed')
  const told = (run.get('told') as readonly string[]).filter((word) => word.length === 1)
  expect(told).toEqual(acknowledged)
  await expectOneState(run, inside, clock)
  const runs = await inside.list()
  expect(runs.map(({ runId, status }) => [runId, status])).toContainEqual(['r.child.2', 'done'])
  await runtime.close()
  return { calls: calls(), output }
}

/** What is in memory is what the store says: every entry with its version, the machine, and the seq. */
async function expectOneState(run: Run, inside: Store, clock: ReturnType<typeof createTestClock>): Promise<void> {
  const other = await createRuntime({ store: inside, clock, workflows: [story, child] })
  const stored = await other.open(run.id)
  expect(stored.seq).toBe(run.seq)
  expect(stored.state).toEqual(run.state)
  expect(stored.status).toBe(run.status)
  const shown = (entries: Run): unknown => entries.entries().map(({ key, value, version }) => [key, version, value])
  expect(shown(stored)).toEqual(shown(run))
  await other.close()
}

const WHEN: Readonly<Record<Failure, string>> = {
  before: 'before the store has done its work',
  after: 'after the store has done its work',
  twice: 'together with the next',
}

for (const how of ['before', 'after', 'twice'] as const) {
  it(`whichever call fails ${WHEN[how]}, memory and store are one and the story ends well`, async () => {
    vi.spyOn(console, 'warn').mockImplementation(() => {})
    const { calls, output } = await tell(Number.POSITIVE_INFINITY, how)
    expect(output).toEqual(['one', 'two'])
    expect(calls).toBeGreaterThan(20)
    for (let failing = 1; failing <= calls; failing++) {
      const told = await tell(failing, how).catch((error: unknown) => {
        throw new Error(`with call ${failing} of ${calls} failing: ${String((error as Error).message)}`, {
          cause: error,
        })
      })
      expect(told.output).toEqual(output)
    }
  })
}
