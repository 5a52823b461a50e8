// Policies: how an update meets an existing value. Each is a pure function; time and ids never enter.
import { admitValue, canonicalJson, handOut, isSameData } from '../base/index.ts'
import type { PathConflict } from './conflict.ts'
import { mergeDeep, mergeShallow, replaceValue, uniteInOrder } from './merge.ts'
import type { ThreeWay } from './merge.ts'
import type { Priority } from './priority.ts'

/** What a policy is given. It is called only when there is an existing value. */
export interface MergeInput extends ThreeWay {
  readonly key: string
  readonly priority: Priority
  /** Registered types that know how to merge two of their values. */
  readonly types: readonly MergeableType[]
}

/** What a policy answers. `keep` leaves the entry as it is and counts as skipped. */
export type MergeResult =
  | { readonly kind: 'accept'; readonly value: unknown; readonly conflicts: readonly PathConflict[] }
  | { readonly kind: 'keep' }
  | { readonly kind: 'refuse'; readonly reason: string }

export type Policy = (input: MergeInput) => MergeResult

/**
 * A kind of value with a merge of its own, used by `smart` when both values are of the kind. Both functions are called
 * inside a transition: they must be pure, must not keep or change their arguments, and an error they throw refuses the
 * update.
 */
export interface MergeableType {
  readonly name: string
  readonly is: (value: unknown) => boolean
  readonly merge: (existing: unknown, incoming: unknown) => unknown
}

function accept(value: unknown, conflicts: readonly PathConflict[] = []): MergeResult {
  return { kind: 'accept', value, conflicts }
}

function refuse(reason: string): MergeResult {
  return { kind: 'refuse', reason }
}

const deep: Policy = (input) => {
  const conflicts: PathConflict[] = []
  return accept(mergeDeep(input, conflicts), conflicts)
}

const shallow: Policy = (input) => {
  const conflicts: PathConflict[] = []
  return accept(mergeShallow(input, conflicts), conflicts)
}

const replace: Policy = (input) => {
  const conflicts: PathConflict[] = []
  return accept(replaceValue(input, conflicts), conflicts)
}

const smart: Policy = (input) => {
  const { current, update, priority } = input
  const type = input.types.find(({ is }) => is(current) && is(update))
  if (type !== undefined) return accept(admitValue(type.merge(handOut(current), handOut(update))).value)
  if (Array.isArray(current) && Array.isArray(update) && (priority === 'critical' || priority === 'high')) {
    return accept(uniteInOrder(current, update))
  }
  return deep(input)
}

const safe: Policy = () => ({ kind: 'keep' })

const append: Policy = ({ current, update }) =>
  Array.isArray(current) && Array.isArray(update)
    ? accept(Object.freeze([...(current as unknown[]), ...(update as unknown[])]))
    : refuse('append joins lists; both the existing and the new value must be lists')

const union: Policy = ({ current, update }) => {
  if (Array.isArray(current) && Array.isArray(update)) return accept(canonicalUnion(current, update))
  if (current instanceof Set && update instanceof Set) {
    return accept(new Set(canonicalUnion([...(current as Set<unknown>)], [...(update as Set<unknown>)])))
  }
  return refuse('union joins two lists or two sets; the existing and the new value are not both of one kind')
}

/** Sorted by canonical JSON, so that the result is the same for every order of the updates. */
function canonicalUnion(current: readonly unknown[], update: readonly unknown[]): readonly unknown[] {
  const items = new Map<string, unknown>()
  for (const item of [...current, ...update]) {
    const text = canonicalJson(item)
    if (!items.has(text)) items.set(text, item)
  }
  const sorted = [...items].sort(([a], [b]) => (a < b ? -1 : 1))
  const result = Object.freeze(sorted.map(([, item]) => item))
  return isSameData(result, current) ? current : result
}

/** Integers only: adding floating-point numbers gives another sum in another order. */
const counter: Policy = ({ current, update }) => {
  if (typeof current === 'bigint' && typeof update === 'bigint') return accept(current + update)
  if (!Number.isSafeInteger(current) || !Number.isSafeInteger(update)) {
    return refuse('counter adds integers (or bigints); count in the smallest unit, such as cents or milliseconds')
  }
  const sum = (current as number) + (update as number)
  return Number.isSafeInteger(sum) ? accept(sum) : refuse('the sum leaves the safe integers; use a bigint')
}

const max: Policy = (input) => pickBy(input, 1)
const min: Policy = (input) => pickBy(input, -1)

function pickBy({ current, update }: MergeInput, sign: 1 | -1): MergeResult {
  const order = compareValues(current, update)
  if (order === undefined) return refuse('max and min compare two numbers, bigints, texts or dates of one kind')
  return accept(order * sign >= 0 ? current : update)
}

function compareValues(a: unknown, b: unknown): number | undefined {
  if (a instanceof Date && b instanceof Date) return a.getTime() - b.getTime()
  if (typeof a !== typeof b) return undefined
  if (typeof a === 'number' || typeof a === 'bigint' || typeof a === 'string') {
    if (Object.is(a, b)) return 0
    if (a === b) return Object.is(a, -0) ? -1 : 1
    return a < (b as typeof a) ? -1 : 1
  }
  return undefined
}

/** Accepts an update only if its author saw the version that is current. */
const reject: Policy = ({ concurrent, update }) => (concurrent ? refuse('concurrent-change') : accept(update))

/** The policies every board knows by name. */
export const POLICIES = { smart, deep, shallow, safe, replace, append, union, counter, max, min, reject } as const

export type PolicyName = keyof typeof POLICIES
