// Values: what an entry may hold, copied and frozen once on the way in.
//   V1. Admitted: JSON, `undefined` inside objects, bigint, Date, Map, Set, ArrayBuffer views; plain data only.
//   V2. An admitted value shares nothing with the caller's, and is frozen as far as JavaScript can freeze it.
//   V3. What cannot be frozen (Date, Map, Set, typed arrays) makes the value "exotic": it is handed out as a copy.
//   V4. `__proto__` and the like are ordinary keys; every object handed out has Object.prototype.
// Secrets are looked for on the same walk, because the walk is what costs.
import { Buffer } from 'node:buffer'
import { CallboardError } from './error.ts'
import { holdsSecret, isSecretName } from './secret.ts'
import { TYPED_ARRAYS } from './typed-array.ts'
import type { TypedArray } from './typed-array.ts'

/** A value that entered: the frozen copy and what the walk learnt about it. */
export interface AdmittedValue {
  readonly value: unknown
  /** It holds a Date, Map, Set or typed array, which cannot be frozen (V3). */
  readonly exotic: boolean
  /** Somewhere inside is a secret: a string under a telling name, or a text with the look of a key. */
  readonly secret: boolean
  /** About how many characters its JSON has. */
  readonly size: number
}

/** Deepest nesting that is admitted. */
export const MAX_DEPTH = 64

interface Walk {
  exotic: boolean
  secret: boolean
  depth: number
  size: number
}

/** What a number, boolean, date or bracket adds to the size. */
const SIZE_OF_SMALL = 8

/**
 * Copies and freezes a value.
 *
 * @throws CallboardError `value.unsupported` with the path of the offending part
 */
export function admitValue(value: unknown): AdmittedValue {
  const walk: Walk = { exotic: false, secret: false, depth: 0, size: 0 }
  const copy = copyPart(value, walk, undefined)
  if (copy === undefined && value === undefined) throw unsupported('undefined', [])
  return { value: copy, exotic: walk.exotic, secret: walk.secret, size: walk.size }
}

/** A copy whose unfreezable parts are the caller's own; frozen parts without such parts are shared. */
export function handOut(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return Object.freeze(value.map(handOut))
  if (value instanceof Date) return new Date(value)
  if (value instanceof Map) return new Map(Array.from(value, ([key, item]) => [handOut(key), handOut(item)]))
  if (value instanceof Set) return new Set(Array.from(value, handOut))
  if (ArrayBuffer.isView(value)) return (value as TypedArray).slice()
  const copy: Record<string, unknown> = {}
  for (const key of Object.keys(value)) setOwn(copy, key, handOut((value as Record<string, unknown>)[key]))
  return Object.freeze(copy)
}

/** Sets an own property whatever its name is, `__proto__` included. */
export function setOwn(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true })
  } else {
    target[key] = value
  }
}

/** A plain object, as opposed to a list, a Date, a Map, a Set or a typed array. */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** An own property, or undefined: never something inherited. */
export function ownValue(object: Readonly<Record<string, unknown>>, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined
}

function unsupported(what: string, path: readonly (string | number)[]): CallboardError {
  const place = path.length === 0 ? '' : ` at ${formatPath(path)}`
  return new CallboardError(
    'value.unsupported',
    `${what}${place} cannot be kept: use plain data (JSON, Date, Map, Set, bigint, typed arrays)`,
    { path, what },
  )
}

/** `tasks[2].title`; keys that are not identifiers are quoted. */
export function formatPath(path: readonly (string | number)[]): string {
  return path
    .map((part, index) => {
      if (typeof part === 'number') return `[${part}]`
      if (/^[\p{L}_$][\p{L}\p{N}_$-]*$/u.test(part)) return index === 0 ? part : `.${part}`
      return `[${JSON.stringify(part)}]`
    })
    .join('')
}

/** Re-throws a refusal from inside with one more path part in front. */
function within(part: string | number, error: unknown): never {
  if (error instanceof CallboardError && error.code === 'value.unsupported') {
    throw unsupported(String(error.details['what']), [part, ...(error.details['path'] as (string | number)[])])
  }
  throw error
}

function copyPart(value: unknown, walk: Walk, name: string | undefined): unknown {
  switch (typeof value) {
    case 'string':
      if (!value.isWellFormed()) throw unsupported('a string that is not well-formed Unicode', [])
      walk.size += value.length + 2
      if (!walk.secret && holdsSecret(value, name)) walk.secret = true
      return value
    case 'number':
      if (!Number.isFinite(value)) throw unsupported(String(value), [])
      walk.size += SIZE_OF_SMALL
      return value
    case 'boolean':
    case 'bigint':
    case 'undefined':
      walk.size += SIZE_OF_SMALL
      return value
    case 'function':
    case 'symbol':
      throw unsupported(`a ${typeof value}`, [])
    default:
      return value === null ? null : copyObject(value as object, walk, name)
  }
}

function copyObject(value: object, walk: Walk, name: string | undefined): unknown {
  if (++walk.depth > MAX_DEPTH) {
    throw unsupported(`nesting deeper than ${MAX_DEPTH} levels (or a cycle)`, [])
  }
  walk.size += SIZE_OF_SMALL
  const copy = copyContainer(value, walk, name)
  walk.depth -= 1
  return copy
}

function copyContainer(value: object, walk: Walk, name: string | undefined): unknown {
  // By prototype, not by instanceof: an instance of a subclass would come back as something else.
  switch (Object.getPrototypeOf(value)) {
    case Object.prototype:
    case null:
      return copyRecord(value as Record<string, unknown>, walk)
    case Array.prototype:
      return copyList(value as unknown[], walk, name)
    case Date.prototype:
      if (Number.isNaN((value as Date).getTime())) throw unsupported('an invalid Date', [])
      walk.exotic = true
      return new Date(value as Date)
    case Map.prototype:
      return copyMap(value as Map<unknown, unknown>, walk)
    case Set.prototype:
      walk.exotic = true
      return new Set(copyList([...(value as Set<unknown>)], walk, name))
    default:
      return copyTypedArray(value, walk)
  }
}

function copyList(list: readonly unknown[], walk: Walk, name: string | undefined): readonly unknown[] {
  const copy: unknown[] = Array.from({ length: list.length })
  for (let index = 0; index < list.length; index++) {
    try {
      const item = list[index]
      if (item === undefined) throw unsupported(index in list ? 'undefined' : 'a hole', [])
      copy[index] = copyPart(item, walk, name)
    } catch (error) {
      within(index, error)
    }
  }
  return Object.freeze(copy)
}

function copyRecord(record: Readonly<Record<string, unknown>>, walk: Walk): unknown {
  const copy: Record<string, unknown> = {}
  for (const key of Reflect.ownKeys(record)) {
    if (typeof key === 'symbol') throw unsupported('a symbol key', [])
    if (!Object.prototype.propertyIsEnumerable.call(record, key)) continue
    if (!key.isWellFormed()) throw unsupported('a key that is not well-formed Unicode', [])
    try {
      const part = record[key]
      const copied = copyPart(part, walk, key)
      walk.size += key.length + 4
      if (key === '__proto__') setOwn(copy, key, copied)
      else copy[key] = copied
    } catch (error) {
      within(key, error)
    }
  }
  return Object.freeze(copy)
}

function copyMap(map: ReadonlyMap<unknown, unknown>, walk: Walk): Map<unknown, unknown> {
  walk.exotic = true
  const copy = new Map<unknown, unknown>()
  for (const [key, item] of map) {
    const label = typeof key === 'string' ? key : String(copy.size)
    try {
      const name = typeof key === 'string' && isSecretName(key) ? key : undefined
      copy.set(copyPart(key, walk, undefined), copyPart(item, walk, name))
    } catch (error) {
      within(label, error)
    }
  }
  return copy
}

/** A Buffer is kept as the Uint8Array that it is. */
function copyTypedArray(value: object, walk: Walk): TypedArray {
  const label = (value as { constructor?: { name?: string } }).constructor?.name ?? 'unknown'
  const kind = value instanceof Buffer ? Uint8Array : TYPED_ARRAYS.get(label)
  const isPlain = value instanceof Buffer || Object.getPrototypeOf(value) === kind?.prototype
  if (kind === undefined || !isPlain) throw unsupported(`an instance of ${label}`, [])
  walk.exotic = true
  walk.size += (value as TypedArray).byteLength * 2
  return new kind(value as never)
}
