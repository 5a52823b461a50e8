import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { admitValue, canonicalJson, fromTagged, isSameData, toTagged } from '../../src/base/index.ts'
import { failureOf } from '../invariants/properties/run-property.ts'
import { anyValue } from '../invariants/properties/values.ts'

it('writes every value as JSON and reads it back as it was', async () => {
  const property = fc.property(anyValue, (value) => {
    const text = JSON.stringify(toTagged(value))
    const back = fromTagged(JSON.parse(text))
    expect(isSameData({ back }, { back: value })).toBe(true)
    expect(canonicalJson(back)).toBe(canonicalJson(value))
  })
  expect(await failureOf(property)).toBeUndefined()
})

it('writes one text for one value, whatever order its keys were made in', async () => {
  const property = fc.property(fc.dictionary(fc.string(), anyValue, { noNullPrototype: true }), (object) => {
    const turned = Object.fromEntries(Object.entries(object).reverse())
    expect(canonicalJson(turned)).toBe(canonicalJson(object))
  })
  expect(await failureOf(property)).toBeUndefined()
})

it('writes two texts for two values', async () => {
  const property = fc.property(anyValue, anyValue, (one, other) => {
    const isOneText = canonicalJson(one) === canonicalJson(other)
    expect(!isOneText || isSameData({ it: one }, { it: other })).toBe(true)
  })
  expect(await failureOf(property)).toBeUndefined()
})

it('is not confused by data that looks like its own tags', () => {
  for (const value of [
    { $type: 'Date', value: '2026-01-01' },
    { $type: 'object', value: { $type: '-0' } },
    { $type: undefined },
  ]) {
    expect(fromTagged(JSON.parse(JSON.stringify(toTagged(value))))).toEqual(value)
  }
})

it('reads back every typed array that may be kept', () => {
  const kinds = [
    Int8Array,
    Uint8Array,
    Uint8ClampedArray,
    Int16Array,
    Uint16Array,
    Int32Array,
    Uint32Array,
    Float32Array,
    Float64Array,
  ]
  for (const Kind of kinds) {
    const { value } = admitValue(new Kind([1, 2]))
    expect(fromTagged(JSON.parse(JSON.stringify(toTagged(value))))).toEqual(new Kind([1, 2]))
  }
  // New in Node 24; TypeScript's es2024 library does not know it.
  const { Float16Array } = globalThis as unknown as { readonly Float16Array: typeof Float32Array }
  const half = admitValue(new Float16Array([1.5])).value
  expect(fromTagged(JSON.parse(JSON.stringify(toTagged(half))))).toEqual(new Float16Array([1.5]))
})

it('says so when it meets a tag it did not write', () => {
  const read = (): unknown => fromTagged({ a: { $type: 'Task', value: 'x' } })
  expect(read).toThrow('a stored value has the unknown tag "Task"')
  expect(read).toThrow(expect.objectContaining({ code: 'value.unknown-tag' }))
})

it('takes nothing for a value but the text that was written for it', () => {
  const changed = [
    { $type: 'Date', value: '1970-01-01,00:00:00.000Z' },
    { $type: 'Date', value: 'soon' },
    { $type: 'bigint', value: ' 12' },
    { $type: 'bigint', value: '1.5' },
    { $type: 'number', value: '12' },
    { $type: 'Uint8Array', value: 'AQI' },
    { $type: 'Float64Array', value: 'AQI=' },
    { $type: 'Map' },
    { $type: 'Map', value: ['ab'] },
    { $type: 'Map', value: [[1, 2, 3]] },
    { $type: 'Set', value: 'ab' },
    { $type: 'object', value: null },
    { $type: 'object', value: ['a'] },
  ]
  for (const value of changed)
    expect(() => fromTagged({ a: value })).toThrow(expect.objectContaining({ code: 'value.malformed' }))
})
