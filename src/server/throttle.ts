// Throttle: how often somebody may do something: a bucket of permissions that fills evenly.
import type { Clock } from '../base/index.ts'

interface Bucket {
  left: number
  at: number
}

/** Callers that are remembered; the one that was seen longest ago is forgotten first. */
const MOST_CALLERS = 10_000
const SECOND_MS = 1_000

export class Throttle {
  readonly #clock: Clock
  readonly #perSecond: number
  readonly #atOnce: number
  readonly #buckets = new Map<string, Bucket>()

  constructor(clock: Clock, { perSecond, atOnce }: { readonly perSecond: number; readonly atOnce: number }) {
    this.#clock = clock
    this.#perSecond = perSecond
    this.#atOnce = atOnce
  }

  /** Takes one permission. Gives 0, or the milliseconds until there is one again. */
  take(caller: string): number {
    const now = this.#clock.now()
    const { left, at } = this.#buckets.get(caller) ?? { left: this.#atOnce, at: now }
    const filled = Math.min(this.#atOnce, left + (Math.max(0, now - at) / SECOND_MS) * this.#perSecond)
    const isFree = filled >= 1
    this.#buckets.delete(caller)
    this.#buckets.set(caller, { left: isFree ? filled - 1 : filled, at: now })
    if (this.#buckets.size > MOST_CALLERS) this.#buckets.delete(this.#buckets.keys().next().value ?? '')
    return isFree ? 0 : Math.ceil(((1 - filled) / this.#perSecond) * SECOND_MS)
  }
}
