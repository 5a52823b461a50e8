import { isDeepStrictEqual } from 'node:util'

/** Whether two admitted values are the same data. */
export function isSameData(one: unknown, other: unknown): boolean {
  if (one === other) return true
  if (typeof one !== 'object' || typeof other !== 'object') return Object.is(one, other)
  return isDeepStrictEqual(one, other)
}
