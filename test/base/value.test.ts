import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { admitValue, formatPath, handOut, isCallboardError, isSameData, MAX_DEPTH } from '../../src/base/index.ts'
import { failureOf } from '../invariants/properties/run-property.ts'
import { anyValue, firstThawed } from '../invariants/properties/values.ts'

function refusalOf(value: unknown): string {
  try {
    admitValue(value)
  } catch (error) {
    if (isCallboardError(error, 'value.unsupported')) return error.message
    throw error
  }
  throw new Error('the value was admitted')
}

class Task {
  readonly title = 'a class has methods, which cannot be kept'
}

describe('what an entry may hold', () => {
  it('keeps any plain data as it was, shares nothing with it, and freezes it', async () => {
    const property = fc.property(anyValue, (value) => {
      const admitted = admitValue({ value })
      expect(isSameData(admitted.value, { value })).toBe(true)
      expect(firstThawed(admitted.value)).toBeUndefined()
    })
    expect(await failureOf(property)).toBeUndefined()
  })

  it('hands out what cannot be frozen as a copy of its own', async () => {
    const property = fc.property(anyValue, (value) => {
      const stored = admitValue({ value }).value
      const given = handOut(stored)
      expect(isSameData(given, stored)).toBe(true)
      expect(sharedExotics(given, stored)).toEqual([])
    })
    expect(await failureOf(property)).toBeUndefined()
  })

  it.each([
    ['a function', { a: [() => {}] }, 'a function at a[0]'],
    ['a symbol', { a: Symbol('s') }, 'a symbol at a'],
    ['a symbol as a key', { a: { [Symbol('s')]: 1 } }, 'a symbol key at a'],
    ['an instance of a class', { list: [new Task()] }, 'an instance of Task at list[0]'],
    ['a promise', { later: Promise.resolve() }, 'an instance of Promise at later'],
    ['NaN', { deep: { er: NaN } }, 'NaN at deep.er'],
    ['infinity', [1, -Infinity], '-Infinity at [1]'],
    ['an invalid date', { at: new Date(NaN) }, 'an invalid Date at at'],
    ['a lone surrogate', { text: '\uD800' }, 'a string that is not well-formed Unicode at text'],
    ['a lone surrogate in a key', { o: { '\uDC00': 1 } }, 'a key that is not well-formed Unicode at o'],
    ['undefined in a list', { list: [1, undefined] }, 'undefined at list[1]'],
    // oxlint-disable-next-line no-sparse-arrays
    ['a hole in a list', { list: [1, , 3] }, 'a hole at list[1]'],
    ['a function inside a map', new Map([['do', () => {}]]), 'a function at do'],
    ['undefined by itself', undefined, 'undefined cannot be kept'],
    ['a key that needs quotes', { 'a b': { c: NaN } }, 'NaN at ["a b"].c'],
  ])('refuses %s and says where it is', (_what, value, place) => {
    expect(refusalOf(value)).toContain(place)
  })

  it('refuses a cycle instead of looping', () => {
    const loop: { self?: unknown } = {}
    loop.self = loop
    expect(refusalOf(loop)).toContain(`nesting deeper than ${MAX_DEPTH} levels (or a cycle)`)
  })

  it('admits exactly 64 levels of depth', () => {
    const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)])
    expect(() => admitValue(nested(MAX_DEPTH))).not.toThrow()
    expect(refusalOf(nested(MAX_DEPTH + 1))).toContain('nesting deeper than 64')
  })

  it('keeps undefined inside objects, where it is data', () => {
    expect(admitValue({ a: undefined }).value).toEqual({ a: undefined })
    expect(Object.hasOwn(admitValue({ a: undefined }).value as object, 'a')).toBe(true)
  })

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
    'takes %s as an ordinary key and pollutes nothing',
    (key) => {
      const value = JSON.parse(`{ "${key}": { "polluted": true } }`) as object
      const copy = admitValue(value).value as object
      expect(Object.hasOwn(copy, key)).toBe(true)
      expect(Object.getPrototypeOf(copy)).toBe(Object.prototype)
      expect(Object.hasOwn(handOut(copy) as object, key)).toBe(true)
      expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
    },
  )

  it('refuses a typed array of a class of its own, whose methods are not to be trusted', () => {
    class Sly extends Float32Array {
      override slice(): never {
        return this as never
      }
    }
    expect(refusalOf({ bytes: new Sly(2) })).toContain('an instance of Sly at bytes')
  })

  it('refuses subclasses of Array, Map, Set and Date, which would come back as something else', () => {
    class Tasks extends Array<number> {}
    class Index extends Map<string, number> {}
    expect(refusalOf({ tasks: Tasks.from([1]) })).toContain('an instance of Tasks at tasks')
    expect(refusalOf({ index: new Index() })).toContain('an instance of Index at index')
  })
})

describe('paths', () => {
  it('are written as one would write them in code', () => {
    expect(formatPath(['tasks', 2, 'title'])).toBe('tasks[2].title')
    expect(formatPath(['a b', 'c'])).toBe('["a b"].c')
    expect(formatPath([])).toBe('')
  })
})

describe('sameness', () => {
  it('tells minus zero, absence and kinds apart', () => {
    expect(isSameData(0, -0)).toBe(false)
    expect(isSameData({ a: undefined }, {})).toBe(false)
    expect(isSameData(new Uint8Array([1]), new Int8Array([1]))).toBe(false)
    expect(isSameData({ a: 1, b: 2 }, { b: 2, a: 1 })).toBe(true)
  })
})

/** The Dates, Maps, Sets and typed arrays that two values have in common. */
function sharedExotics(one: unknown, other: unknown): readonly unknown[] {
  const all = new Set(exoticsOf(one))
  return exoticsOf(other).filter((exotic) => all.has(exotic))
}

function exoticsOf(value: unknown): readonly unknown[] {
  if (typeof value !== 'object' || value === null) return []
  if (value instanceof Date || ArrayBuffer.isView(value)) return [value]
  if (value instanceof Map) return [value, ...[...value].flat().flatMap(exoticsOf)]
  if (value instanceof Set) return [value, ...[...value].flatMap(exoticsOf)]
  return Object.values(value).flatMap(exoticsOf)
}
