import fc from 'fast-check'
import { expect, it } from 'vitest'
import { LayeredMap } from '../../src/context/layered-map.ts'

interface Value {
  readonly n: number
}

const KEYS = 300

function changed(map: LayeredMap<Value>, changes: readonly (readonly [string, Value])[]): LayeredMap<Value> {
  const draft = map.draft(changes.length)
  for (const [key, value] of changes) {
    draft.set(key, value)
    expect(draft.get(key)).toBe(value)
  }
  return draft.done()
}

it('is after any changes what a Map would be, and older maps stay as they were', () => {
  const change = fc.tuple(
    fc.integer({ min: 0, max: KEYS }).map((number) => `section.entry-${number}`),
    fc.nat().map((n) => ({ n })),
  )
  const updates = fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.array(change, { minLength: 1, maxLength: 1 }) },
      { weight: 2, arbitrary: fc.array(change, { maxLength: 20 }) },
      { weight: 1, arbitrary: fc.array(change, { minLength: 50, maxLength: 400 }) },
    ),
    { minLength: 20, maxLength: 120 },
  )
  let flattened = 0
  fc.assert(
    fc.property(updates, (all) => {
      let map = new LayeredMap<Value>()
      const model = new Map<string, Value>()
      const kept: (readonly [LayeredMap<Value>, ReadonlyMap<string, Value>])[] = []
      for (const changes of all) {
        const before = map
        map = changed(map, changes)
        if (map.above.size === 0 && before.above.size > 0) flattened += 1
        for (const [key, value] of changes) model.set(key, value)
        kept.push([map, new Map(model)])
      }
      for (const [each, expected] of kept) {
        expect(new Set(each.values())).toEqual(new Set(expected.values()))
        expect([...each.values()]).toHaveLength(expected.size)
        for (const [key, value] of expected) expect(each.get(key)).toBe(value)
        expect(each.get('section.none')).toBeUndefined()
      }
    }),
    { numRuns: 100 },
  )
  expect(flattened).toBeGreaterThan(50)
})
