// What a value in an update may be wrapped in, to say more than "this is the new value".
import type { Policy, PolicyName } from './policy.ts'
import type { Scope } from './scope.ts'
import type { WriteOptions } from './update.ts'

const WRITE: unique symbol = Symbol.for('callboard.write') as never

/** What `put` and `patch` may say of one key. */
export interface PutOptions extends WriteOptions {
  /** How it meets an existing value, instead of the catalogue's policy. */
  readonly policy?: PolicyName | Policy | (string & {})
  /** Refused unless this version is there; 0 for none. */
  readonly expectedVersion?: number
  /** A narrower scope than the catalogue's: the entry then shadows the wider one for those who see it. */
  readonly scope?: Scope
  readonly group?: string
  /** Whose private entry, when the workflow or someone outside writes it. */
  readonly holder?: string
}

/** A value with options. */
export interface Put<Value> {
  readonly kind: 'put'
  readonly value: Value
  readonly options: PutOptions
}

/** Part of a value: merged into what is there by a merging policy, and checked after that. */
export interface Patch<Value> {
  readonly kind: 'patch'
  readonly value: PartialDeep<Value>
  readonly options: PutOptions
}

/** A deletion. */
export interface Drop {
  readonly kind: 'drop'
  readonly scope?: Scope
  readonly group?: string
  readonly holder?: string
}

export type Write<Value = unknown> = Put<Value> | Patch<Value> | Drop

/** Objects with every field optional, at every depth; anything else as it is. */
export type PartialDeep<Value> = Value extends
  | readonly unknown[]
  | Date
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  ? Value
  : Value extends object
    ? { readonly [Field in keyof Value]?: PartialDeep<Value[Field]> }
    : Value

function marked<Marked extends Write>(write: Marked): Marked {
  Object.defineProperty(write, WRITE, { value: true })
  return Object.freeze(write)
}

/** The new value of a key, with options: `update({ quote: put(42, { ttlMs: 60_000 }) })`. */
export function put<Value>(value: Value, options: PutOptions = {}): Put<Value> {
  return marked({ kind: 'put', value, options: Object.freeze({ ...options }) })
}

/** Part of the new value of a key: `update({ settings: patch({ theme: 'dark' }) })`. */
export function patch<Value>(
  value: Value,
  options: PutOptions = {},
): { readonly kind: 'patch'; readonly value: Value; readonly options: PutOptions } {
  return marked({ kind: 'patch', value, options: Object.freeze({ ...options }) } as Patch<Value> & { value: Value })
}

/** Deletes a key: `update({ draft: drop() })`. */
export function drop(where: Omit<Drop, 'kind'> = {}): Drop {
  return marked({ kind: 'drop', ...where })
}

/** Whether a value in an update was made by `put`, `patch` or `drop`. */
export function isWrite(value: unknown): value is Write {
  return typeof value === 'object' && value !== null && WRITE in value
}
