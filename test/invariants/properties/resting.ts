// A rest is invisible: whatever happens to a run, its ledger and what is read of it are the same whether it rests whenever
// it can, is abandoned and recovered in between, or never leaves memory; and so is what its child runs do.
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { z } from 'zod'
import type { Clock, Run, Runtime } from 'callboard'
import { createVolatileStore } from '../../../src/store/index.ts'
import { createTestClock } from '../../support/clock.ts'
import type { TestClock } from '../../support/clock.ts'
import type { Modules } from './modules.ts'
import { plainValue } from './values.ts'

const RUNS = ['one', 'two', 'three'] as const

const act = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      key: fc.constantFrom('note', 'made', 'brief', 'shared'),
      value: plainValue,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('send' as const),
      type: fc.constantFrom('go', 'back', 'ask', 'count', 'hire', 'fire'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('answer' as const),
      of: fc.constantFrom('run', 'child run'),
      value: plainValue,
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 9_000 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('name' as const) }) },
)
const command = fc.record({ run: fc.constantFrom(...RUNS), act })

type Command = typeof command extends fc.Arbitrary<infer Item> ? Item : never

/** How a world treats its runs between two commands. */
type Treatment = 'stay' | 'rest' | 'recover'

export function propertyResting(modules: Modules): fc.IAsyncProperty<unknown> {
  const workflow = makeWorkflow(modules)
  return fc.asyncProperty(fc.array(command, { maxLength: 8, size: 'max' }), async (commands) => {
    const stayed = await play(modules, workflow, commands, 'stay')
    const rested = await play(modules, workflow, commands, 'rest')
    const recovered = await play(modules, workflow, commands, 'recover')
    assert.equal(stayed.rests, 0, 'no run has rested where none should')
    assert.ok(rested.rests >= RUNS.length - 1, 'runs have rested where they should')
    assert.deepEqual(rested.seen, stayed.seen, 'runs that rest do the same')
    assert.deepEqual(recovered.seen, stayed.seen, 'runs that are recovered do the same')
  })
}

function makeWorkflow({ workflow: { defineContext, entry } }: Modules): never {
  const board = defineContext({
    note: entry(z.unknown(), { outside: true, merge: 'replace' }),
    made: entry(z.unknown(), { dependsOn: ['note', 'shared'], outside: true, merge: 'replace' }),
    brief: entry(z.unknown(), { ttlMs: 5_000, outside: true, merge: 'replace' }),
    shared: entry(z.unknown(), { scope: 'global', outside: true, merge: 'replace' }),
    answer: entry(z.unknown(), { outside: true, merge: 'replace' }),
    told: entry(z.unknown(), { merge: 'replace' }),
    advice: entry(z.unknown(), { merge: 'replace' }),
    steps: entry(z.number(), { merge: 'counter', default: 0 }),
  })
  const asking = (timeoutMs: number) =>
    board.agent({
      reads: ['*'],
      writes: ['steps', 'told'],
      run: async ({ ask, step, update }) => {
        const before = await step('before', () => 1)
        const answer = await ask('answer', { timeoutMs }).catch((error: { code?: string }) => {
          if (error.code !== 'request.timeout') throw error
          return 'nobody answered'
        })
        const after = await step('after', () => answer)
        await update({ steps: before, told: after })
      },
    })
  // Of what is due at the same instant in two runs, either may come first.
  const helper = board.workflow({ name: 'helper', agents: { asks: asking(6_123) } }).createMachine({
    id: 'helper',
    initial: 'on',
    states: { on: { invoke: { src: 'asks', onDone: 'off', onError: 'off' } }, off: { type: 'final' } },
    output: ({ context }: { context: { board: { get(key: string): unknown } } }) => context.board.get('told'),
  } as never)
  return board.workflow({ name: 'restful', agents: { asks: asking(7_000), helper } }).createMachine({
    id: 'restful',
    type: 'parallel',
    states: {
      timed: {
        initial: 'idle',
        states: { idle: { on: { go: 'busy' } }, busy: { after: { 4_000: 'idle' }, on: { back: 'idle' } } },
      },
      asking: {
        initial: 'off',
        states: { off: { on: { ask: 'on' } }, on: { invoke: { src: 'asks', onDone: 'off', onError: 'off' } } },
      },
      helping: {
        initial: 'off',
        states: {
          off: { on: { hire: 'on' } },
          on: {
            invoke: {
              src: 'helper',
              onDone: { target: 'off', actions: board.write({ advice: ({ event }: never) => event['output'] }) },
              onError: 'off',
            },
            on: { fire: 'off' },
          },
        },
      },
      counting: { on: { count: { actions: board.write({ made: 'counted' }) } } },
    },
  } as never) as never
}

async function play(
  { runtime: { createRuntime } }: Modules,
  workflow: never,
  commands: readonly Command[],
  treatment: Treatment,
): Promise<{ readonly seen: readonly unknown[]; readonly rests: number }> {
  const store = createVolatileStore()
  const clock = createTestClock()
  let rests = 0
  const { noteRest } = store
  store.noteRest = (runId, note) => {
    rests += 1
    return noteRest.call(store, runId, note)
  }
  let mortal = mortalClock(clock)
  const open = (): Promise<Runtime> =>
    createRuntime({
      store,
      clock: mortal.clock,
      workflows: [workflow],
      maxActiveRuns: treatment === 'stay' ? 100 : 1,
      snapshots: { everyRecords: treatment === 'stay' ? Number.POSITIVE_INFINITY : 3 },
    })
  let runtime = await open()
  const runs = new Map<string, Run>()
  for (const runId of RUNS) runs.set(runId, await runtime.start(workflow, { runId } as never))
  const seen: unknown[] = []
  for (const { run: runId, act: what } of commands) {
    if (treatment === 'recover') {
      mortal.kill()
      mortal = mortalClock(clock)
      runtime = await open()
      for (const id of RUNS) runs.set(id, await runtime.open(id))
      await clock.settle()
    }
    seen.push(await perform(runtime, runs.get(runId) as Run, what, clock))
    await clock.settle()
    seen.push(RUNS.map((id) => lookAt(runs.get(id) as Run)))
  }
  await clock.advance(10_000)
  for (const { runId } of await runtime.list()) {
    const run = await runtime.open(runId)
    seen.push(lookAt(run), await ledgerOf(run))
  }
  await runtime.close()
  return { seen, rests }
}

/** The clock of a process that may be killed: its timers do not fire any more after that. */
function mortalClock(clock: TestClock): { readonly clock: Clock; kill(): void } {
  let isAlive = true
  const guarded = (fire: () => void) => () => {
    if (isAlive) fire()
  }
  const own: Clock = {
    now: () => clock.now(),
    setTimeout: (fire, ms) => clock.setTimeout(guarded(fire), ms),
    clearTimeout: (id) => clock.clearTimeout(id),
  }
  return { clock: own, kill: () => (isAlive = false) }
}

async function perform(runtime: Runtime, run: Run, what: Command['act'], clock: TestClock): Promise<unknown> {
  switch (what.kind) {
    case 'write':
      return (await run.tryUpdate({ [what.key]: what.value }, { by: 'tester' })).kind
    case 'send':
      return run.send({ type: what.type })
    case 'answer': {
      const asked = what.of === 'run' ? run : await childOf(runtime, run)
      const request = asked?.requests()[0]
      if (asked === undefined || request === undefined) return 'nobody asks'
      return asked.answer(request.id, what.value).then(
        () => 'answered',
        (error: { code: string }) => error.code,
      )
    }
    case 'pass':
      return clock.advance(what.ms)
    case 'name':
      return (await run.snapshot('named')).seq
    default:
      throw new TypeError(`unknown act ${String(what satisfies never)}`)
  }
}

async function childOf(runtime: Runtime, { id }: Run): Promise<Run | undefined> {
  const child = (await runtime.list({ status: 'active' })).find(({ parent }) => parent?.runId === id)
  return child === undefined ? undefined : runtime.open(child.runId)
}

function lookAt(run: Run): unknown {
  const { id, state, status, seq } = run
  return { id, state, status, seq, entries: run.entries(), requests: run.requests() }
}

async function ledgerOf(run: Run): Promise<unknown> {
  const records = await run.ledger()
  // Ids of updates and snapshots are random or count over all runs.
  return records.map(({ asked, ...record }) => ({
    ...record,
    asked: { ...(asked as object), update: '', id: '' },
  }))
}
