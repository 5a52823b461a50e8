// Timers: the delayed events of a run's machine and of the machines inside it.
//   T1. A timer is due at the instant of its transition plus its delay, however long the commit took.
//   T2. A timer that was cancelled, or whose actor has ended, never rings.
//   T3. One that rings in vain (its event is not taken, or makes no record) is recorded as gone: it does not ring again
//       after a rest or a restart.
//   T4. Pending timers are plain data: they are recorded with the machine and set again after a restart, in their order.
import type { AnyActorRef, EventObject } from 'xstate'
import type { Deadline, Deadlines } from '../base/index.ts'
import type { MachineState } from '../ledger/index.ts'
import { actorAt, pathOf } from './actor-path.ts'

/** A timer as it is recorded. */
export type StoredTimer = MachineState['timers'][number]

interface Pending {
  readonly id: string
  readonly event: EventObject
  readonly dueAt: number
  readonly source: AnyActorRef
  readonly target: AnyActorRef
  /** Undefined until it is let ring. */
  deadline: Deadline | 'over' | undefined
}

/** What sets a timer. */
export interface TimerRequest {
  /** Who asks for it, and may cancel it by its id. */
  readonly source: AnyActorRef
  /** Who is to get the event. */
  readonly target: AnyActorRef
  readonly event: EventObject
  readonly id: string | undefined
  readonly dueAt: number
}

/** Whose timers they are. */
export interface TimersHost {
  readonly deadlines: Deadlines
  /** A timer has rung, and no record says so yet. */
  onRungInVain(target: AnyActorRef, event: EventObject): void
}

const NONE: Pending[] = []
Object.freeze(NONE)
const NO_TIMERS: readonly StoredTimer[] = Object.freeze([])

export class Timers {
  readonly #host: TimersHost
  /** A list, because a run has few at a time and sets take room. */
  #pending = NONE
  #count = 0
  #changed = false

  constructor(host: TimersHost) {
    this.#host = host
  }

  get size(): number {
    return this.#pending.length
  }

  /** The instant of the next one. */
  get nextDueAt(): number | undefined {
    return this.#pending.length === 0 ? undefined : Math.min(...this.#pending.map(({ dueAt }) => dueAt))
  }

  /** Sets a timer; gives the function that lets it ring from now on. */
  set({ id, ...request }: TimerRequest): () => void {
    this.#count += 1
    this.#changed = true
    const pending: Pending = { id: id ?? `#${this.#count}`, ...request, deadline: undefined }
    if (this.#pending === NONE) this.#pending = [pending]
    else this.#pending.push(pending)
    return () => this.#arm(pending)
  }

  cancel(source: AnyActorRef, id: string): void {
    this.#drop((pending) => pending.source === source && pending.id === id)
  }

  /** An actor has ended. */
  cancelAll(source: AnyActorRef): void {
    this.#drop((pending) => pending.source === source)
  }

  /** The run goes no further here. */
  clear(): void {
    this.#drop(() => true)
  }

  /** Whether there is something that has not been recorded. */
  get hasChanged(): boolean {
    return this.#changed
  }

  /** The timers as they are recorded now; those of actors that are no more are forgotten. */
  record(isInTree: (actor: AnyActorRef) => boolean): readonly StoredTimer[] {
    this.#drop(({ source, target }) => !isInTree(source) || !isInTree(target))
    this.#changed = false
    if (this.#pending.length === 0) return NO_TIMERS
    return this.#pending.map(({ id, event, dueAt, source, target }) => ({
      id,
      event,
      dueAt,
      source: pathOf(source),
      target: pathOf(target),
    }))
  }

  /** Sets the timers of a stored run again. */
  restore(timers: readonly StoredTimer[], root: AnyActorRef): void {
    for (const { source, target, ...timer } of timers) {
      const [from, to] = [actorAt(root, source), actorAt(root, target)]
      if (from !== undefined && to !== undefined) this.set({ ...timer, source: from, target: to })()
    }
    this.#changed = false
  }

  #arm(pending: Pending): void {
    if (pending.deadline !== undefined) return
    pending.deadline = this.#host.deadlines.add(pending.dueAt, () => this.#ring(pending))
  }

  #ring(pending: Pending): void {
    const { source, target, event } = pending
    this.#forget((other) => other === pending)
    const { system } = source as unknown as {
      readonly system: { _relay(source: AnyActorRef, target: AnyActorRef, event: EventObject): void }
    }
    if ((target.getSnapshot() as { readonly status: string }).status === 'active') system._relay(source, target, event)
    if (this.#changed) this.#host.onRungInVain(target, event)
  }

  #drop(which: (pending: Pending) => boolean): void {
    if (this.#pending.length === 0) return
    for (const pending of this.#pending)
      if (which(pending) && typeof pending.deadline === 'object') pending.deadline.cancel()
    this.#forget(which)
  }

  #forget(which: (pending: Pending) => boolean): void {
    const kept = this.#pending.filter((pending) => {
      if (!which(pending)) return true
      pending.deadline = 'over'
      return false
    })
    if (kept.length === this.#pending.length) return
    this.#pending = kept.length === 0 ? NONE : kept
    this.#changed = true
  }
}
