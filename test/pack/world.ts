// What the tests of packs share: a workflow with something of everything, stories that happen to it, and what is left of
// a run when its names are taken out.
import fc from 'fast-check'
import { z } from 'zod'
import { createRuntime, createVolatileStore, defineContext, drop, entry } from 'callboard'
import type { LedgerRecord, Run, Runtime, RuntimeOptions, Store } from 'callboard'
import { createTestClock } from '../support/clock.ts'
import type { TestClock } from '../support/clock.ts'

export const board = defineContext({
  'data.*': entry(z.unknown(), { merge: 'replace' }),
  count: entry(z.number(), { merge: 'counter', default: 0 }),
  brief: entry(z.string(), { ttlMs: 900 }),
  made: entry(z.string(), { dependsOn: ['data.a'] }),
  passing: entry(z.string(), { ephemeral: true }),
  mine: entry(z.string(), { scope: 'private' }),
  go: entry(z.number(), { merge: 'replace', outside: true }),
  log: entry(z.array(z.string()), { merge: 'append' }),
  answer: entry(z.string(), { merge: 'replace', outside: true }),
  token: entry(z.string(), { merge: 'replace' }),
})

/** Waits for `go` twice, does a step each time, and waits in vain at the end. */
const walker = board.agent({
  reads: ['go', 'log'],
  writes: ['mine', 'log', 'token', 'passing'],
  run: async ({ waitFor, step, update }) => {
    const first = await waitFor('go', { timeoutMs: 5_000 }).catch(() => -1)
    const thought = await step('think', () => `thought of ${first}`)
    await update({ mine: thought, log: [thought], token: 'opensesame-4711', passing: 'soon gone' })
    const second = await waitFor('go', { timeoutMs: 3_000, fresh: true }).catch(() => -2)
    await update({ log: [`then ${second}`] })
    await step('slow', () => Promise.reject(new Error('not yet')), { retries: 2, backoffMs: 700 }).catch(() => {})
    await update({ log: ['walked'] })
  },
})

const asker = board.agent({
  reads: ['answer'],
  writes: ['log'],
  run: async ({ ask, update }) => void (await update({ log: [`heard ${await ask('answer', { question: 'well?' })}`] })),
})

const helper = board.agent({
  reads: ['go'],
  writes: ['log'],
  run: async ({ step, update, waitFor }) => {
    await update({ log: [await step('help', () => 'helped')] })
    await waitFor('go', { timeoutMs: 1_500 }).catch(() => {})
  },
})
/** A run of its own below the run. */
const below = board.workflow({ name: 'below', agents: { helper } }).createMachine({
  initial: 'on',
  states: { on: { invoke: { src: 'helper', onDone: 'off' } }, off: { type: 'final' } },
  output: ({ context }) => context.board.get('log')?.length,
})

export const journey = board
  .workflow({ name: 'journey', version: '3', agents: { walker, asker, below }, input: z.object({ for: z.string() }) })
  .createMachine({
    id: 'journey',
    type: 'parallel',
    states: {
      walking: { initial: 'on', states: { on: { invoke: { src: 'walker', onDone: 'off' } }, off: {} } },
      asking: { initial: 'on', states: { on: { invoke: { src: 'asker', onDone: 'off' } }, off: {} } },
      below: {
        initial: 'off',
        states: { off: { on: { dig: 'on' } }, on: { invoke: { src: 'below', onDone: 'off' } } },
      },
      time: { initial: 'early', states: { early: { after: { 2_500: 'late' } }, late: { on: { again: 'early' } } } },
    },
    on: { end: { actions: board.write({ log: ['ended'] }) } },
  })

export type Step =
  | { readonly kind: 'write'; readonly key: string; readonly value: unknown }
  | { readonly kind: 'drop'; readonly key: string }
  | { readonly kind: 'send'; readonly type: 'dig' | 'again' | 'end' }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'answer'; readonly text: string }
  | { readonly kind: 'name'; readonly name: string }

const key = fc.constantFrom('data.a', 'data.b', 'data.__proto__')

/** What may happen to a journey. */
export const story: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('write' as const), key, value: fc.jsonValue({ maxDepth: 2 }) }),
    fc.record({ kind: fc.constant('write' as const), key: fc.constant('go'), value: fc.integer() }),
    fc.record({
      kind: fc.constant('write' as const),
      key: fc.constant('count'),
      value: fc.integer({ min: 1, max: 9 }),
    }),
    fc.record({
      kind: fc.constant('write' as const),
      key: fc.constantFrom('brief', 'made', 'passing'),
      value: fc.string({ unit: 'grapheme' }),
    }),
    fc.record({ kind: fc.constant('drop' as const), key }),
    fc.record({
      kind: fc.constant('send' as const),
      type: fc.constantFrom('dig' as const, 'again' as const, 'end' as const),
    }),
    fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 1_800 }) }),
    fc.record({ kind: fc.constant('answer' as const), text: fc.string() }),
    fc.record({ kind: fc.constant('name' as const), name: fc.constantFrom('north', 'south') }),
  ),
  { maxLength: 10 },
)

/** Lets something happen to a run. What is refused is refused: it is in the ledger either way. */
export async function tell(run: Run, clock: TestClock, step: Step): Promise<void> {
  switch (step.kind) {
    case 'write':
      await run.tryUpdate({ [step.key]: step.value })
      break
    case 'drop':
      await run.tryUpdate({ [step.key]: drop() })
      break
    case 'send':
      await run.send({ type: step.type })
      break
    case 'pass':
      await clock.advance(step.ms)
      break
    case 'answer': {
      const [request] = run.requests()
      if (request !== undefined) await run.answer(request.id, step.text)
      break
    }
    case 'name':
      if (!run.snapshots().some(({ reason }) => reason === step.name))
        await run.episode(step.name, { memoryCommits: ['item_1'] })
      break
    default:
      throw new TypeError(`unknown step ${String(step satisfies never)}`)
  }
  await clock.settle()
}

export interface Host {
  readonly runtime: Runtime
  readonly clock: TestClock
}

/** A process of its own, as far as a runtime can tell. */
export async function openHost(store: Store, startAt?: number, options: RuntimeOptions = {}): Promise<Host> {
  const clock = createTestClock(startAt)
  return {
    clock,
    runtime: await createRuntime({ store, clock, random: () => 0.5, workflows: [journey, below], ...options }),
  }
}

/** Records without what is not theirs: names of the run, and where the ledger is. */
export function nameless(records: readonly LedgerRecord[], runId: string, shift = 0): unknown {
  const plain = records.map(({ seq, ...record }) => ({ seq: seq - shift, ...record }))
  return JSON.parse(JSON.stringify(plain, bigText).replaceAll(runId, '<run>')) as unknown
}

const bigText = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value)

/** Everything of a run that somebody could see. */
export function lookOf(run: Run): unknown {
  const look = {
    status: run.status,
    state: run.state,
    entries: run.entries(),
    requests: run.requests(),
    conflicts: run.explain(),
  }
  return JSON.parse(JSON.stringify(look).replaceAll(run.id, '<run>')) as unknown
}

/** A journey to which these things happened, at rest in a store of its own. */
export async function makeJourney(
  steps: readonly Step[],
  store: Store = createVolatileStore(),
  options: RuntimeOptions = {},
): Promise<{ readonly store: Store; readonly clock: TestClock }> {
  const { runtime, clock } = await openHost(store, undefined, options)
  const run = (await runtime.start(journey, { runId: 'journey', input: { for: 'a walk' } })) as unknown as Run
  await clock.settle()
  for (const step of steps) await tell(run, clock, step)
  await runtime.close({ runs: 'keep' })
  return { store, clock }
}
