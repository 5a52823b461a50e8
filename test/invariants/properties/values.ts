// Arbitrary values of every admitted kind, with the keys and numbers that have broken other systems.
import * as fc from 'fast-check'

const ODD_KEYS = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '$type', 'value', '', 'a b', 'ключ', '😀']

const key = fc.oneof(fc.constantFrom('a', 'b', 'c'), fc.constantFrom(...ODD_KEYS))

const scalar = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.integer({ min: -5, max: 5 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(-0, Number.MAX_SAFE_INTEGER, 1e21),
  fc.string({ maxLength: 6, unit: 'grapheme' }),
  fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
)

const date = fc.date({ noInvalidDate: true, min: new Date('0001-01-01'), max: new Date('9999-12-31') })

const typedArray = fc.oneof(
  fc.uint8Array({ maxLength: 4 }),
  fc.int16Array({ maxLength: 4 }),
  fc.float64Array({ maxLength: 3, noNaN: true, noDefaultInfinity: true }),
  fc.bigInt64Array({ maxLength: 2 }),
)

/** An object with its keys set as own properties, `__proto__` included. */
function objectOf(item: fc.Arbitrary<unknown>, maxKeys: number): fc.Arbitrary<Record<string, unknown>> {
  return fc
    .uniqueArray(fc.tuple(key, item), { maxLength: maxKeys, selector: ([name]) => name })
    .map((entries) => Object.fromEntries(entries))
}

const { data, exotic } = fc.letrec<{ data: unknown; exotic: unknown }>((tie) => ({
  data: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    fc.array(tie('data'), { maxLength: 3 }),
    objectOf(tie('data'), 3),
  ),
  exotic: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    date,
    typedArray,
    fc.array(tie('exotic'), { maxLength: 3 }),
    objectOf(fc.oneof(tie('exotic'), fc.constant(undefined)), 3),
    fc.array(fc.tuple(tie('data'), tie('exotic')), { maxLength: 2 }).map((entries) => new Map(entries)),
    fc.array(tie('exotic'), { maxLength: 2 }).map((items) => new Set(items)),
  ),
}))

/** JSON with bigint and minus zero. */
export const plainValue: fc.Arbitrary<unknown> = data

/** Everything an entry may hold. */
export const anyValue: fc.Arbitrary<unknown> = exotic

/** Objects, so that there is something to merge; few keys, so that they meet. */
export const mergeableObject: fc.Arbitrary<Record<string, unknown>> = fc.letrec<{ node: Record<string, unknown> }>(
  (tie) => ({
    node: fc
      .uniqueArray(
        fc.tuple(
          fc.constantFrom('a', 'b', 'c', '__proto__'),
          fc.oneof(
            { maxDepth: 3, depthIdentifier: 'mergeable' },
            fc.integer({ min: 0, max: 3 }),
            fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 2 }),
            tie('node'),
          ),
        ),
        { maxLength: 3, selector: ([name]) => name },
      )
      .map((entries) => Object.fromEntries(entries)),
  }),
).node

/** Whether everything that can be frozen is, at every depth. Gives the path of the first part that is not. */
export function firstThawed(value: unknown, path = ''): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  if (value instanceof Date || ArrayBuffer.isView(value)) return undefined
  if (value instanceof Map) {
    return firstOf(
      [...value].flatMap(([name, item]) => [name, item]),
      (item) => firstThawed(item, `${path}<map>`),
    )
  }
  if (value instanceof Set) return firstOf([...value], (item) => firstThawed(item, `${path}<set>`))
  if (!Object.isFrozen(value)) return path === '' ? 'the value itself' : path
  return firstOf(Reflect.ownKeys(value), (name) =>
    firstThawed((value as Record<PropertyKey, unknown>)[name], `${path}.${String(name)}`),
  )
}

function firstOf<Item>(items: readonly Item[], find: (item: Item) => string | undefined): string | undefined {
  for (const item of items) {
    const found = find(item)
    if (found !== undefined) return found
  }
  return undefined
}
