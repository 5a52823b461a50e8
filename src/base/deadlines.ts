// Deadlines: many instants, one armed timer.
//   D1. A deadline fires once, at or after its instant, in the order of instants, then of registration.
//   D2. A cancelled deadline never fires; cancelling twice is harmless.
//   D3. Delays beyond the platform's limit of 2^31-1 ms are reached in hops.
// Keeping deadlines across a restart is the runtime's job.
import TinyQueue from 'tinyqueue'
import type { Clock } from './clock.ts'
import { CallboardError } from './error.ts'
import { faultPoint } from './fault.ts'

/** One registered instant; `cancel()` withdraws it. */
export interface Deadline {
  readonly at: number
  cancel(): void
}

const LONGEST_HOP_MS = 2 ** 31 - 1
/** Dead entries are swept once they outnumber the living and this many. */
const SWEEP_ABOVE = 64

class Slot implements Deadline {
  readonly at: number
  readonly order: number
  fire: (() => void) | undefined
  readonly #owner: Deadlines

  constructor(at: number, order: number, fire: () => void, owner: Deadlines) {
    this.at = at
    this.order = order
    this.fire = fire
    this.#owner = owner
  }

  cancel(): void {
    if (this.fire === undefined) return
    this.fire = undefined
    this.#owner.forget()
  }
}

const bySlot = (a: Slot, b: Slot): number => a.at - b.at || a.order - b.order

export class Deadlines {
  readonly #clock: Clock
  #queue = new TinyQueue<Slot>([], bySlot)
  #order = 0
  #living = 0
  #timer: unknown
  #armedFor = Number.POSITIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** How many deadlines are pending. */
  get size(): number {
    return this.#living
  }

  /** Calls `fire` once the clock has reached `at`, never in the middle of this call. */
  add(at: number, fire: () => void): Deadline {
    if (Number.isNaN(at)) throw new CallboardError('deadline.invalid', 'a deadline needs an instant in milliseconds')
    const slot = new Slot(at, this.#order++, fire, this)
    this.#queue.push(slot)
    this.#living += 1
    if (at < this.#armedFor) this.#arm(at)
    else if (this.#living === 1) this.#clock.keepAlive?.(this.#timer, true)
    return slot
  }

  /** Withdraws everything and disarms the timer. */
  clear(): void {
    for (const slot of this.#queue.data) slot.fire = undefined
    this.#queue = new TinyQueue<Slot>([], bySlot)
    this.#living = 0
    this.#disarm()
  }

  /** Called by a slot that was cancelled. */
  forget(): void {
    this.#living -= 1
    if (this.#living === 0) {
      this.#queue.data.length = 0
      this.#queue.length = 0
      this.#rest()
      return
    }
    if (this.#queue.length > SWEEP_ABOVE && this.#queue.length > 2 * this.#living) {
      this.#queue = new TinyQueue<Slot>(
        this.#queue.data.filter((slot) => slot.fire !== undefined),
        bySlot,
      )
    }
  }

  /** Nothing is pending. A timer that is armed all the same costs less than setting the next one anew. */
  #rest(): void {
    if (this.#clock.keepAlive === undefined) this.#disarm()
    else if (this.#timer !== undefined) this.#clock.keepAlive(this.#timer, false)
  }

  #disarm(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer)
    this.#timer = undefined
    this.#armedFor = Number.POSITIVE_INFINITY
  }

  #arm(at: number): void {
    this.#disarm()
    this.#armedFor = at
    const delay = Math.min(Math.max(0, at - this.#clock.now()), LONGEST_HOP_MS)
    this.#timer = this.#clock.setTimeout(() => this.#ring(), delay)
  }

  /** One that throws is its owner's to hear of; the others still get their turn. */
  #ring(): void {
    this.#timer = undefined
    this.#armedFor = Number.POSITIVE_INFINITY
    try {
      this.#fireDue()
    } finally {
      this.#armNext()
    }
  }

  #fireDue(): void {
    const now = this.#clock.now()
    for (let slot = this.#queue.peek(); slot !== undefined && slot.at <= now; slot = this.#queue.peek()) {
      this.#queue.pop()
      const { fire } = slot
      if (fire === undefined) continue
      slot.fire = undefined
      this.#living -= 1
      faultPoint('deadline:before')
      fire()
      faultPoint('deadline:after')
    }
  }

  #armNext(): void {
    for (let slot = this.#queue.peek(); slot !== undefined; slot = this.#queue.peek()) {
      if (slot.fire !== undefined) {
        if (slot.at < this.#armedFor) this.#arm(slot.at)
        return
      }
      this.#queue.pop()
    }
  }
}
