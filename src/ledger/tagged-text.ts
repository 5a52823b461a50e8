// Text of admitted values: JSON in which nothing is lost (toTagged), in the order in which keys and items stand.
// Keys are not sorted: their order is part of a value, and a reader after a restart sees the order it saw before.
import { fromTagged, toTagged } from '../base/index.ts'

/** What `JSON.stringify` writes without loss; the value itself where that is already so. */
export function tag(value: unknown): unknown {
  return isPlainJson(value) ? value : toTagged(value)
}

/** Whether JSON holds the value as it is: no exotic parts, no `undefined`, no -0, no `$type` of its own. */
function isPlainJson(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0)
    case 'object':
      break
    default:
      return false
  }
  if (value === null) return true
  if (Array.isArray(value)) {
    for (const item of value) if (!isPlainJson(item)) return false
    return true
  }
  if (Object.getPrototypeOf(value) !== Object.prototype) return false
  const record = value as Readonly<Record<string, unknown>>
  for (const key in record) if (key === '$type' || !isPlainJson(record[key])) return false
  return true
}

/** The value behind a tag, frozen as far as JavaScript can freeze it. `data` must be the caller's to give away. */
export function untag(data: unknown): unknown {
  return freezeDeep(fromTagged(data))
}

/** Freezes in place what `JSON.parse` has made. Ledgers are read through it: every list that is not made counts. */
export function freezeJson<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === 'object') freezeJson(item)
  } else {
    for (const key in value) if (typeof value[key] === 'object') freezeJson(value[key])
  }
  return Object.freeze(value)
}

/** Freezes plain data in place; Date, Map, Set and typed arrays stay as they are, their contents are frozen. */
export function freezeDeep<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) for (const item of value) freezeDeep(item)
  else if (value instanceof Map) {
    for (const [key, item] of value) {
      freezeDeep(key)
      freezeDeep(item)
    }
    return value
  } else if (value instanceof Set) {
    for (const item of value) freezeDeep(item)
    return value
  } else if (value instanceof Date || ArrayBuffer.isView(value)) return value
  else for (const key of Object.keys(value)) freezeDeep((value as Record<string, unknown>)[key])
  return Object.freeze(value)
}

/** An admitted value as text. */
export function encodeValue(value: unknown): string {
  return JSON.stringify(tag(value))
}

/** The inverse of `encodeValue`, frozen. */
export function decodeValue(text: string): unknown {
  const data: unknown = JSON.parse(text)
  return text.includes('"$type"') ? untag(data) : freezeJson(data)
}
