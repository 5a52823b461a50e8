// For any chart and any way through it: what was only added to changes nothing, what was lost under a run is noticed.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { AnyStateMachine } from 'xstate'
import { createRuntime, createVolatileStore, defineContext } from 'callboard'
import type { Run, Store } from 'callboard'
import { createTestClock } from '../support/clock.ts'
import { SEED } from '../invariants/properties/run-property.ts'
import { refusalOf } from './world.ts'

/** A state of a chart that can be edited before it becomes a config. */
interface Chart {
  readonly type: 'atomic' | 'compound' | 'parallel'
  /** Event → index of a sibling. */
  readonly on: Readonly<Record<string, number>>
  readonly after: number | undefined
  readonly states: readonly Chart[]
}

const EVENTS = ['a', 'b', 'c'] as const
const on = fc.dictionary(fc.constantFrom(...EVENTS), fc.nat(3), { maxKeys: 3 })
const after = fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined, freq: 4 })

const chart = fc.letrec<{ state: Chart }>((tie) => ({
  state: fc.oneof(
    { depthSize: 'small', maxDepth: 3 },
    fc.record({ type: fc.constant('atomic' as const), on, after, states: fc.constant([]) }),
    fc.record({
      type: fc.constantFrom('compound' as const, 'parallel' as const),
      on,
      after,
      states: fc.array(tie('state'), { minLength: 1, maxLength: 3 }),
    }),
  ),
})).state

const root: fc.Arbitrary<Chart> = fc.record({
  type: fc.constant('compound' as const),
  on: fc.constant({}),
  after: fc.constant(undefined),
  states: fc.array(chart, { minLength: 1, maxLength: 3 }),
})

interface Edit {
  /** Every compound state gets one more state, to which nothing leads. */
  readonly extra?: boolean
  /** The state at this path is called otherwise. */
  readonly renamed?: string
}

function configOf({ type, states, ...own }: Chart, edit: Edit, path: string, siblings: readonly string[]): object {
  const names = states.map((_, index) => nameOf(`${path}.s${index}`, edit))
  const inner = states.map((state, index) =>
    configOf(state, edit, `${path}.s${index}`, type === 'compound' ? names : []),
  )
  const children = Object.fromEntries(names.map((name, index) => [name, inner[index]]))
  const target = (index: number): string => siblings[index % siblings.length] ?? ''
  const isFree = siblings.length > 0
  return {
    ...(isFree ? { on: Object.fromEntries(Object.entries(own.on).map(([event, to]) => [event, target(to)])) } : {}),
    ...(isFree && own.after !== undefined ? { after: { [own.after * 1000]: target(own.after) } } : {}),
    ...(type === 'atomic'
      ? {}
      : { states: type === 'compound' && edit.extra === true ? { extra: {}, ...children } : children }),
    ...(type === 'parallel' ? { type } : {}),
    ...(type === 'compound' ? { initial: names[0] } : {}),
  }
}

function nameOf(path: string, { renamed }: Edit): string {
  const name = path.slice(path.lastIndexOf('.') + 1)
  return path === renamed ? `${name}-renamed` : name
}

const define = (shape: Chart, edit: Edit = {}): AnyStateMachine =>
  defineContext({})
    .workflow({ name: 'w' })
    .createMachine({ id: 'w', ...configOf(shape, edit, '', []) } as never) as AnyStateMachine

async function walk(run: Run, clock: { advance(ms: number): Promise<void> }, events: readonly string[]): Promise<void> {
  for (const type of events) {
    await run.send({ type })
    await clock.advance(700)
  }
}

/** The path of an active state without states of its own, as the edits write it. */
function leafOf(value: unknown, path = ''): string {
  if (typeof value === 'string') return `${path}.${value}`
  const [name, inner] = Object.entries(value ?? {})[0] ?? []
  return name === undefined ? path : leafOf(inner, `${path}.${name}`)
}

const events = fc.array(fc.constantFrom(...EVENTS), { maxLength: 6 })
const PARAMETERS = { numRuns: 60, seed: SEED }

it('goes on in an extended chart as if it had never stopped', async () => {
  await fc.assert(
    fc.asyncProperty(root, events, events, async (shape, before, later) => {
      const calm = createTestClock()
      const whole = await (await createRuntime({ clock: calm })).start(define(shape))
      await walk(whole as Run, calm, [...before, ...later])

      const store: Store = createVolatileStore()
      const first = createTestClock()
      const begun = await (await createRuntime({ clock: first, store })).start(define(shape), { runId: 'r' } as never)
      await walk(begun as Run, first, before)
      const second = createTestClock(first.now())
      const changed = define(shape, { extra: true })
      const run = await (await createRuntime({ clock: second, store, workflows: [changed] })).open('r')
      await walk(run, second, later)
      expect(run.state).toEqual(whole.state)
    }),
    PARAMETERS,
  )
})

it('is refused where the state it is in has another name, and is left as it was', async () => {
  await fc.assert(
    fc.asyncProperty(root, events, async (shape, before) => {
      const store: Store = createVolatileStore()
      const clock = createTestClock()
      const begun = await (await createRuntime({ clock, store })).start(define(shape), { runId: 'r' } as never)
      await walk(begun as Run, clock, before)
      const leaf = leafOf(begun.state)
      const lost = define(shape, { renamed: leaf })
      const error = await refusalOf((await createRuntime({ clock, store, workflows: [lost] })).open('r'))
      expect([error.code, error.message]).toEqual([
        'run.definition-changed',
        expect.stringContaining(`"${leaf.slice(1)}" is gone`),
      ])
      const same = await createRuntime({ clock: createTestClock(clock.now()), store, workflows: [define(shape)] })
      expect((await same.open('r')).state).toEqual(begun.state)
    }),
    PARAMETERS,
  )
})
