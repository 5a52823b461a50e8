import { isDeepStrictEqual } from 'node:util'

/** Whether two admitted values are the same data. */
export function isSameData(one: unknown, other: unknown): boolean {
  if (one === other) return one !== 0 || Object.is(one, other)
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false
  if (Array.isArray(one)) return Array.isArray(other) && isSameList(one, other)
  // Plain objects, by far the most frequent, are compared here; Date, Map, Set and typed arrays by Node.
  if (Object.getPrototypeOf(one) !== Object.prototype || Object.getPrototypeOf(other) !== Object.prototype) {
    return isDeepStrictEqual(one, other)
  }
  return isSameRecord(one as Readonly<Record<string, unknown>>, other as Readonly<Record<string, unknown>>)
}

function isSameList(one: readonly unknown[], other: readonly unknown[]): boolean {
  return one.length === other.length && one.every((item, index) => isSameData(item, other[index]))
}

function isSameRecord(one: Readonly<Record<string, unknown>>, other: Readonly<Record<string, unknown>>): boolean {
  const keys = Object.keys(one)
  if (keys.length !== Object.keys(other).length) return false
  return keys.every((key) => Object.hasOwn(other, key) && isSameData(one[key], other[key]))
}
