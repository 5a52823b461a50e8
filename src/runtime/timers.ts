// Timers: the delayed events of one machine, known from what its transitions ask for.
//   T1. A timer is due at the instant of its transition plus its delay, however long the commit took.
//   T2. A timer that a transition cancelled never reaches the machine, even if it rings before that is committed.
//   T3. Pending timers are plain data: they are recorded with the machine and set again after a restart.
import type { EventObject, ExecutableActionObject } from 'xstate'

/** A delayed event that has not come yet. */
export interface Timer {
  readonly id: string
  readonly event: EventObject
  readonly dueAt: number
  /** The child it is for; undefined for the machine itself. */
  readonly target: string | undefined
}

interface DelayedParams {
  readonly event: EventObject
  readonly id: string | undefined
  readonly delay: number
  readonly to?: { readonly id: string }
}

export class Timers {
  readonly #pending = new Map<string, Timer>()
  readonly #cancelled = new WeakSet<EventObject>()
  #count = 0

  get size(): number {
    return this.#pending.size
  }

  list(): readonly Timer[] {
    return [...this.#pending.values()]
  }

  /** Takes over what a transition asked for; answers whether anything about the timers changed. */
  apply(effects: readonly ExecutableActionObject[], at: number, selfId: string): boolean {
    let changed = false
    for (const effect of effects) {
      const delayed = delayedParamsOf(effect)
      if (delayed !== undefined) {
        const id = delayed.id ?? `#${(this.#count += 1)}`
        const target = delayed.to === undefined || delayed.to.id === selfId ? undefined : delayed.to.id
        this.#cancel(id)
        // XState makes the event of an `after` once: the same object as that of a timer that was cancelled before.
        this.#cancelled.delete(delayed.event)
        this.#pending.set(id, { id, event: delayed.event, dueAt: at + delayed.delay, target })
        changed = true
      } else if (effect.type === 'xstate.cancel') {
        changed = this.#cancel((effect.params as unknown as { readonly sendId: string }).sendId) || changed
      }
    }
    return changed
  }

  /** Sets the timers of a stored run again. */
  restore(timers: readonly Timer[]): void {
    for (const timer of timers) this.#pending.set(timer.id, timer)
    this.#count = timers.length
  }

  /** The pending timer that an effect has set. */
  of(effect: ExecutableActionObject): Timer | undefined {
    const event = delayedParamsOf(effect)?.event
    return event === undefined ? undefined : this.list().find((timer) => timer.event === event)
  }

  /** An event reaches the machine: false when it is a timer's that was cancelled meanwhile. */
  admit(event: EventObject): boolean {
    if (this.#cancelled.has(event)) return false
    for (const [id, timer] of this.#pending) if (timer.event === event) this.#pending.delete(id)
    return true
  }

  #cancel(id: string): boolean {
    const timer = this.#pending.get(id)
    if (timer === undefined) return false
    this.#cancelled.add(timer.event)
    return this.#pending.delete(id)
  }
}

/** The parameters of an effect that sends an event later; undefined for any other. */
function delayedParamsOf({ type, params }: ExecutableActionObject): DelayedParams | undefined {
  if (type !== 'xstate.raise' && type !== 'xstate.sendTo') return undefined
  const delayed = params as unknown as DelayedParams
  return typeof delayed.delay === 'number' ? delayed : undefined
}
