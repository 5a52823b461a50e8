// Merge: pure functions from (base, current, update) to a result. Arguments are admitted, frozen values; results share
// every part that did not change with `current`, or are the update itself where nothing of `current` is left, and are frozen.
import { isPlainObject, isSameData, ownValue, setOwn } from '../base/index.ts'
import type { PathConflict } from './conflict.ts'

/** What a merge starts from. `concurrent` says that `current` is not what the author had seen (`base`). */
export interface ThreeWay {
  readonly base: unknown
  readonly current: unknown
  readonly update: unknown
  readonly concurrent: boolean
}

/**
 * Merges objects key by key, at every depth; anything else is replaced. A part that only one side changed keeps that
 * side's change; where both changed it, the update wins and the place is added to `conflicts`.
 */
export function mergeDeep(
  sides: ThreeWay,
  conflicts: PathConflict[],
  path: readonly (string | number)[] = [],
): unknown {
  const { base, current, update, concurrent } = sides
  if (isSameData(current, update)) return current
  if (!isPlainObject(current) || !isPlainObject(update)) return replaceValue(sides, conflicts, path)
  const baseObject = isPlainObject(base) ? base : {}
  const names = Object.keys(update)
  // Where nothing is left of what was there, the update is the result itself: the ledger then keeps it once.
  let isWhole = isSameOrder(names, Object.keys(current))
  let result: Record<string, unknown> | undefined
  for (const key of names) {
    const mine = update[key]
    const here = Object.hasOwn(current, key)
    const part = { base: ownValue(baseObject, key), current: ownValue(current, key), update: mine, concurrent }
    const merged = here ? mergeDeep(part, conflicts, [...path, key]) : addPart(part, baseObject, key, conflicts, path)
    if (merged !== mine) isWhole = false
    if (merged === ABSENT || (here && merged === current[key])) continue
    result ??= copyObject(current)
    setOwn(result, key, merged)
  }
  if (isWhole) return update
  return result === undefined ? current : Object.freeze(result)
}

/** The order of names is part of a value. */
function isSameOrder(names: readonly string[], others: readonly string[]): boolean {
  return names.length === others.length && names.every((name, index) => name === others[index])
}

const ABSENT = Symbol('absent')

/** A key the current value lacks: new, or deleted by someone else since the author looked. */
function addPart(
  { update, concurrent }: ThreeWay,
  base: Readonly<Record<string, unknown>>,
  key: string,
  conflicts: PathConflict[],
  path: readonly (string | number)[],
): unknown {
  if (!concurrent || !Object.hasOwn(base, key)) return update
  if (isSameData(base[key], update)) return ABSENT
  conflicts.push({ path: [...path, key], base: base[key], theirs: undefined, mine: update })
  return update
}

function copyObject(object: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const copy: Record<string, unknown> = {}
  for (const key of Object.keys(object)) setOwn(copy, key, object[key])
  return copy
}

/** The update wins; if someone else had changed the value too, that is a conflict. */
export function replaceValue(
  sides: ThreeWay,
  conflicts: PathConflict[],
  path: readonly (string | number)[] = [],
): unknown {
  const { base, current, update, concurrent } = sides
  if (isSameData(current, update)) return current
  if (!concurrent || isSameData(base, current)) return update
  if (isSameData(base, update)) return current
  conflicts.push({ path, base, theirs: current, mine: update })
  return update
}

/** Merges the first level only: each field of the update replaces the current one. */
export function mergeShallow(sides: ThreeWay, conflicts: PathConflict[]): unknown {
  const { base, current, update, concurrent } = sides
  if (!isPlainObject(current) || !isPlainObject(update)) return replaceValue(sides, conflicts)
  const baseObject = isPlainObject(base) ? base : {}
  const result = copyObject(current)
  for (const key of Object.keys(update)) {
    const part = { base: ownValue(baseObject, key), current: ownValue(current, key), update: update[key], concurrent }
    setOwn(result, key, replaceValue(part, conflicts, [key]))
  }
  return isSameData(current, result) ? current : Object.freeze(result)
}

/** The items of both lists, each once, in the order in which they first appear. */
export function uniteInOrder(current: readonly unknown[], update: readonly unknown[]): readonly unknown[] {
  const seen = new SeenItems()
  const kept = current.filter((item) => seen.add(item))
  const added = update.filter((item) => seen.add(item))
  return kept.length === current.length && added.length === 0 ? current : Object.freeze([...kept, ...added])
}

const MINUS_ZERO = Symbol('-0')

/** Remembers items by value; primitives by a set, the rest by comparison. */
class SeenItems {
  readonly #simple = new Set<unknown>()
  readonly #others: unknown[] = []

  /** True the first time. */
  add(item: unknown): boolean {
    if (typeof item !== 'object' || item === null) {
      const size = this.#simple.size
      this.#simple.add(Object.is(item, -0) ? MINUS_ZERO : item)
      return this.#simple.size > size
    }
    if (this.#others.some((other) => isSameData(other, item))) return false
    this.#others.push(item)
    return true
  }
}
