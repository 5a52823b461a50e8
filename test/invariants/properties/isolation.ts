// Nothing a caller holds can change stored state, nor the other way round: every object that was handed in or out is
// vandalised at every depth, by every means JavaScript has, and nothing stored is another than before.
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { z } from 'zod'
import type { View } from 'callboard'
import type { Modules } from './modules.ts'
import { startPuppets } from './puppets.ts'
import type { PuppetShow } from './puppets.ts'
import { anyValue, firstThawed, mergeableObject } from './values.ts'

const KEYS = ['plain', 'merged', 'united', 'decided', 'given', '__proto__'] as const

const act = fc.record({
  by: fc.constantFrom('ann', 'ben', 'outside'),
  key: fc.constantFrom(...KEYS),
  value: fc.oneof(anyValue, mergeableObject, fc.array(anyValue, { maxLength: 3 })),
  metadata: fc.option(mergeableObject, { nil: undefined }),
})

export function propertyIsolation(modules: Modules): fc.IAsyncProperty<unknown> {
  return fc.asyncProperty(
    fc.array(act, { minLength: 1, maxLength: 4 }),
    fc.record({ default: anyValue, metadata: mergeableObject }),
    async (...generated) => {
      // Copies: what is generated is still needed to shrink a failure.
      const [acts, given] = structuredClone(generated)
      const held: unknown[] = [given]
      const show = await startPuppets(modules, definitionsOf(modules, given) as never, {
        ann: { reads: ['*'], writes: ['*'], grants: { sensitive: ['*'] } },
        ben: { reads: ['*'], writes: ['*'] },
      })
      const { ann } = show.agents
      ann.on('*', (notification) => held.push(notification), { own: true })
      held.push(await ann.step('think', () => given.default), await ann.update({}), await ann.update({}))
      for (const { by, key, value, metadata } of acts) {
        const writer = by === 'outside' ? show.run : show.agents[by as 'ann' | 'ben']
        const asked = { [key]: modules.context.put(value, metadata === undefined ? {} : { metadata }) }
        held.push(asked, value, metadata, await writer.tryUpdate(asked))
      }
      const kept = ann.view.current
      const keptText = textOf(modules, kept)
      held.push(...(await everythingOf(show)))
      const before = await storedText(modules, show)
      assert.ok(!before.startsWith('cannot'), before)
      vandaliseEverything(held)
      assert.equal(await storedText(modules, show), before, 'what callers do to their objects changes nothing stored')
      assert.equal(textOf(modules, kept), keptText, 'nor what a view shows')
      for (const key of KEYS) await ann.tryUpdate({ [key]: [1] }, { policy: 'replace' })
      assert.equal(textOf(modules, kept), keptText, 'what is written later does not change a view that was handed out')
      assert.equal(firstThawed(kept.entries()), undefined, 'and it is frozen through and through')
      await show.runtime.close()
    },
  )
}

function definitionsOf({ workflow: { entry } }: Modules, given: { default: unknown; metadata: object }): object {
  const any = z.unknown()
  return {
    plain: entry(any, { merge: 'replace', metadata: given.metadata as Readonly<Record<string, unknown>> }),
    merged: entry(any),
    united: entry(any, { priority: 'high' }),
    // A policy of the user's that keeps hold of what it is given and of what it gives back.
    decided: entry(any, {
      merge: ({ current, update }) => {
        const value = {
          items: new Map([
            ['current', current],
            ['update', update],
          ]),
          list: [new Date(0)],
        }
        vandalise(current, new Set())
        return { kind: 'accept', value, conflicts: [] }
      },
    }),
    given: entry(any, { default: given.default }),
    ['__proto__']: entry(any),
  }
}

/** Everything that can be had from a run, by all doors. */
async function everythingOf({ run, agents: { ann } }: PuppetShow<'ann' | 'ben'>): Promise<readonly unknown[]> {
  const moment = await run.at(run.seq)
  const records = await run.ledger()
  return [
    ...KEYS.flatMap((key) => [ann.view.get(key), ann.view.entry(key), run.get(key), run.entry(key), moment.get(key)]),
    await ann.waitForAll(KEYS.filter((key) => ann.view.has(key))),
    ann.view.entries(),
    ann.view.keys(),
    ann.view.toObject(),
    ann.view.render({ maxTokens: 1_000 }),
    run.entries(),
    moment.entries(),
    moment.view('ann').entries(),
    await run.diff(1, run.seq),
    await run.conflicts(),
    run.explain(),
    run.deliveries('ann'),
    records,
  ]
}

function textOf({ base }: Modules, view: View): string {
  try {
    return base.canonicalJson([view.seq, view.entries(), view.toObject()])
  } catch (error) {
    return `cannot be read any more: ${String(error)}`
  }
}

async function storedText({ base }: Modules, { run, clock }: PuppetShow<'ann' | 'ben'>): Promise<string> {
  await clock.settle()
  try {
    const records = (await run.ledger()).map(({ machine: _snapshot, ...record }) => record)
    return base.canonicalJson([records, run.entries(), (await run.at(run.seq)).entries(), run.deliveries('ann')])
  } catch (error) {
    return `cannot be read any more: ${String(error)}`
  }
}

/** Most damage is refused with an error; taking down where from would take longer than all the rest. */
function vandaliseEverything(held: readonly unknown[]): void {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  const seen = new Set<unknown>()
  for (const one of held) vandalise(one, seen)
  Error.stackTraceLimit = stackTraceLimit
}

/** Does what it can to an object and everything in it. */
function vandalise(value: unknown, seen: Set<unknown>): void {
  if (typeof value !== 'object' || value === null || seen.has(value)) return
  seen.add(value)
  // What is inside first: some of what follows empties the object.
  if (value instanceof Map) for (const [key, item] of value) vandaliseAll([key, item], seen)
  else if (value instanceof Set) vandaliseAll([...value], seen)
  else if (!ArrayBuffer.isView(value)) {
    vandaliseAll(
      Reflect.ownKeys(value).map((key) => (value as Record<PropertyKey, unknown>)[key]),
      seen,
    )
  }
  for (const damage of DAMAGE) {
    try {
      damage(value)
    } catch {
      // Refused: it is frozen, or of another kind.
    }
  }
}

function vandaliseAll(values: readonly unknown[], seen: Set<unknown>): void {
  for (const value of values) vandalise(value, seen)
}

const DAMAGE: readonly ((value: object) => void)[] = [
  (value) => Date.prototype.setTime.call(value, 42),
  (value) => Map.prototype.set.call(value, 'vandal', 'was here'),
  (value) => Map.prototype.delete.call(value, Map.prototype.keys.call(value).next().value),
  (value) => Set.prototype.add.call(value, 'vandal'),
  (value) => Set.prototype.clear.call(value),
  (value) => new Uint8Array((value as Uint8Array).buffer).fill(255),
  (value) => Array.prototype.push.call(value, 'vandal'),
  (value) => Array.prototype.reverse.call(value),
  (value) => Array.prototype.splice.call(value, 0, 1),
  (value) => Object.assign(value, { vandal: true, value: 'vandal', seq: 99, version: 99 }),
  (value) => Reflect.defineProperty(value, 'vandal', { value: true, enumerable: true }),
  (value) => {
    for (const key of Reflect.ownKeys(value)) Reflect.set(value, key, 'vandal')
  },
  (value) => {
    for (const key of Reflect.ownKeys(value)) Reflect.deleteProperty(value, key)
  },
  (value) => Reflect.setPrototypeOf(value, null),
]
