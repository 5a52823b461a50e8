// Merging never touches what it is given; the policies that promise it give the same for every order; a three-way merge
// keeps what only one side changed and names by path what both did.
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import type { MergeInput, MergeResult, PolicyName, Priority } from 'callboard'
import type { Modules } from './modules.ts'
import { anyValue, firstThawed, mergeableObject, plainValue } from './values.ts'

const POLICY_NAMES: readonly PolicyName[] = [
  'smart',
  'deep',
  'shallow',
  'safe',
  'replace',
  'append',
  'union',
  'counter',
  'max',
  'min',
  'reject',
]

const side = fc.oneof(mergeableObject, fc.array(plainValue, { maxLength: 3 }), fc.integer(), anyValue)

function inputOf(
  sides: Pick<MergeInput, 'base' | 'current' | 'update' | 'concurrent'>,
  priority: Priority = 'medium',
): MergeInput {
  return { key: 'k', priority, types: [], ...sides }
}

/** With unfrozen arguments, so that a merge that writes into one is not merely stopped by the freeze. */
export function propertyArgumentsStay({ context: { POLICIES }, base }: Modules): fc.IProperty<unknown> {
  return fc.property(
    fc.constantFrom(...POLICY_NAMES),
    fc.record({ base: side, current: side, update: side, concurrent: fc.boolean() }),
    fc.constantFrom<Priority>('critical', 'medium'),
    (name, given, priority) => {
      const sides = structuredClone(given)
      const before = base.canonicalJson(sides)
      POLICIES[name](inputOf(sides, priority))
      assert.equal(base.canonicalJson(sides), before, `${name} leaves its arguments as they are`)
    },
  )
}

/** Items that are told apart, or not, by very little. */
const twin = fc.constantFrom<unknown>(
  0,
  -0,
  '-0',
  '-0 as a number',
  { a: 1, b: 2 },
  { b: 2, a: 1 },
  { a: undefined },
  {},
  new Map([
    [1, 1],
    [2, 2],
  ]),
  new Map([
    [2, 2],
    [1, 1],
  ]),
  new Uint8Array([1]),
  new Int8Array([1]),
)

/** Updates of one kind each, as the policy asks for. */
const commuting = fc.oneof(
  fc.record({ name: fc.constant('union' as const), updates: many(fc.array(plainValue, { maxLength: 3 })) }),
  fc.record({ name: fc.constant('union' as const), updates: many(fc.array(anyValue, { maxLength: 2 })) }),
  fc.record({ name: fc.constant('union' as const), updates: many(fc.array(twin, { maxLength: 3 })) }),
  fc.record({
    name: fc.constant('union' as const),
    updates: many(fc.array(plainValue, { maxLength: 3 }).map((items) => new Set(items))),
  }),
  fc.record({ name: fc.constant('counter' as const), updates: many(fc.integer({ min: -1_000, max: 1_000 })) }),
  fc.record({ name: fc.constant('counter' as const), updates: many(fc.bigInt()) }),
  fc.record({
    name: fc.constantFrom('max' as const, 'min' as const),
    updates: fc.oneof(
      many(fc.oneof(fc.integer(), fc.constantFrom(0, -0), fc.double({ noNaN: true, noDefaultInfinity: true }))),
      many(fc.string({ unit: 'grapheme', maxLength: 4 })),
      many(fc.bigInt()),
      many(fc.date({ noInvalidDate: true })),
    ),
  }),
)

function many<Item>(item: fc.Arbitrary<Item>): fc.Arbitrary<Item[]> {
  return fc.array(item, { minLength: 2, maxLength: 5 })
}

export function propertyOrderDoesNotMatter(modules: Modules): fc.IProperty<unknown> {
  return fc.property(
    commuting.chain(({ name, updates }) =>
      fc.record({
        name: fc.constant(name),
        one: fc.constant(updates as unknown[]),
        other: fc.shuffledSubarray(updates as unknown[], { minLength: updates.length }),
        concurrent: fc.boolean(),
      }),
    ),
    ({ name, one, other, concurrent }) => {
      const results = [one, other].map((updates) =>
        modules.base.canonicalJson(mergeAll(modules, name, updates, concurrent)),
      )
      assert.equal(results[0], results[1], `${name} gives the same for every order`)
    },
  )
}

function mergeAll(
  { context: { POLICIES }, base: { admitValue } }: Modules,
  name: PolicyName,
  updates: readonly unknown[],
  concurrent: boolean,
): unknown {
  const [first, ...rest] = updates.map((update) => admitValue(update).value)
  return rest.reduce((current, update) => {
    const result = POLICIES[name](inputOf({ base: first, current, update, concurrent }))
    assert.equal(result.kind, 'accept', `${name} takes every one of them`)
    return (result as Extract<MergeResult, { kind: 'accept' }>).value
  }, first)
}

/** Places inside a value; the last two may be missing at first. */
const PLACES = ['a', 'b.x', 'b.y.z', 'c.__proto__', 'd.constructor', 'd.e'] as const
const edits = fc.uniqueArray(fc.tuple(fc.constantFrom(...PLACES), fc.integer({ min: 10, max: 12 })), {
  selector: ([place]) => place,
})

export function propertyThreeWay(modules: Modules): fc.IProperty<unknown> {
  const { admitValue, canonicalJson } = modules.base
  return fc.property(
    fc.record({
      name: fc.constantFrom<PolicyName>('smart', 'deep'),
      start: fc.subarray([...PLACES], { minLength: 3 }),
      theirs: edits,
      mine: edits,
      isWhole: fc.boolean(),
    }),
    ({ name, start, theirs, mine, isWhole }) => {
      const base = new Map(start.map((place, index) => [place as string, index]))
      const current = new Map([...base, ...theirs])
      const update = isWhole ? new Map([...base, ...mine]) : new Map<string, number>(mine)
      const result = modules.context.POLICIES[name](
        inputOf({
          base: admitValue(build(base)).value,
          current: admitValue(build(current)).value,
          update: admitValue(build(update)).value,
          concurrent: true,
        }),
      )
      assert.equal(result.kind, 'accept')
      const { value, conflicts } = result as Extract<MergeResult, { kind: 'accept' }>
      assert.equal(canonicalJson(value), canonicalJson(build(new Map([...current, ...mine]))), 'both changes survive')
      const disagreements = mine.filter(([place, wish]) =>
        theirs.some(([other, was]) => other === place && was !== wish),
      )
      assert.deepEqual(
        conflicts.map(({ path }) => path.join('.')).sort(),
        disagreements.map(([place]) => place).sort(),
        'a conflict is where both changed, and nowhere else',
      )
      for (const { path, theirs: there, mine: wish } of conflicts) {
        const place = path.join('.')
        assert.deepEqual([there, wish], [current.get(place), update.get(place)], 'both sides are kept')
      }
      assert.equal(firstThawed(value), undefined, 'the result is frozen')
    },
  )
}

/** `{ 'b.x': 1 }` as `{ b: { x: 1 } }`. */
function build(places: ReadonlyMap<string, number>): unknown {
  const root = new Map<string, unknown>()
  for (const [place, value] of places) {
    let node = root
    const path = place.split('.')
    for (const part of path.slice(0, -1)) {
      const child = (node.get(part) ?? new Map()) as Map<string, unknown>
      node.set(part, child)
      node = child
    }
    node.set(path.at(-1) ?? '', value)
  }
  return toObject(root)
}

function toObject(node: unknown): unknown {
  if (!(node instanceof Map)) return node
  return Object.fromEntries(Array.from(node as Map<string, unknown>, ([key, item]) => [key, toObject(item)]))
}
