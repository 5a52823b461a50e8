// LayeredMap: a persistent map by key, of two layers: a plain Map that nobody changes any more, and in a structurally shared
// one what was set since. Making one of many values at once takes a fraction of what as many changes would.
//   L1. A map never changes; older ones stay as they were.
//   L2. What was set since is never more than what lies below it, or FEW; putting both into one costs each change a constant.
import { Map as PersistentMap } from 'immutable'

const FEW = 64
/** A change of the upper layer costs as much as copying so many values of the lower one. */
const WEIGHT = 4

export class LayeredMap<Value extends object> {
  readonly below: ReadonlyMap<string, Value>
  readonly above: PersistentMap<string, Value>

  /** @param below not to be changed any more */
  constructor(below: ReadonlyMap<string, Value> = new Map(), above = PersistentMap<string, Value>()) {
    this.below = below
    this.above = above
  }

  get(key: string): Value | undefined {
    return this.above.get(key) ?? this.below.get(key)
  }

  /** Every value, in no order that means anything. */
  *values(): IterableIterator<Value> {
    if (this.above.size === 0) yield* this.below.values()
    else {
      for (const [key, value] of this.below) if (!this.above.has(key)) yield value
      yield* this.above.values()
    }
  }

  /** What so many changes at most are made to. */
  draft(changes: number): LayeredDraft<Value> {
    return new LayeredDraft(this, changes)
  }
}

/** A map in the making. */
export class LayeredDraft<Value extends object> {
  /** Everything, where both layers become one (L2). */
  readonly #all: Map<string, Value> | undefined
  readonly #below: ReadonlyMap<string, Value>
  #above: PersistentMap<string, Value>

  constructor({ below, above }: LayeredMap<Value>, changes: number) {
    this.#below = below
    if (above.size + changes * WEIGHT > Math.max(FEW, below.size)) {
      const all = new Map(below)
      above.forEach((value, key) => all.set(key, value))
      this.#all = all
      this.#above = above
    } else {
      this.#above = changes > 1 ? above.asMutable() : above
    }
  }

  get(key: string): Value | undefined {
    return this.#all === undefined ? (this.#above.get(key) ?? this.#below.get(key)) : this.#all.get(key)
  }

  set(key: string, value: Value): void {
    if (this.#all === undefined) this.#above = this.#above.set(key, value)
    else this.#all.set(key, value)
  }

  /** The map; nothing is to be changed any more. */
  done(): LayeredMap<Value> {
    return this.#all === undefined ? new LayeredMap(this.#below, this.#above.asImmutable()) : new LayeredMap(this.#all)
  }
}
