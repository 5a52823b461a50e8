// Stage: sorts what a transition asks for.
//   S1. What concerns only the machines of the run (children, events between them, delayed events) happens in memory, when
//       the transition is over: its consequences go into the same commit, so that none of them can be lost.
//   S2. What reaches the world (actions of the user, emitted events) is collected, to be done after the commit.
import type { ActorScope, AnyActorRef, EventObject, ExecutableActionObject, Snapshot } from 'xstate'
import type { Timers } from './timers.ts'

/** Something to be done after a commit. */
export type Effect = () => void

export type Scope = ActorScope<Snapshot<unknown>, EventObject>

interface DelayedParams {
  readonly event: EventObject
  readonly id: string | undefined
  readonly delay: number
  readonly to?: AnyActorRef
}

const NO_EFFECTS: readonly Effect[] = Object.freeze([])

export class Stage {
  readonly scope: Scope
  #acted = false
  #effects: Effect[] | undefined
  #delayed: ExecutableActionObject[] | undefined

  constructor(scope: Scope) {
    this.scope = {
      ...scope,
      actionExecutor: (action: ExecutableActionObject) => this.#take(action),
    } as Scope
  }

  /** Whether the transition asked for anything. */
  get acted(): boolean {
    return this.#acted
  }

  /** What is to be done after the commit; the stage is empty then. */
  takeEffects(): readonly Effect[] {
    this.#acted = false
    const effects = this.#effects ?? NO_EFFECTS
    this.#effects = undefined
    return effects
  }

  /**
   * Sets and cancels timers as asked.
   *
   * @param at the instant of the transition
   * @param arm called with what lets a new timer ring
   */
  applyTimers(timers: Timers, at: number, arm: (ring: () => void) => void): void {
    if (this.#delayed === undefined) return
    const source = this.scope.self
    for (const { type, params } of this.#delayed) {
      if (type === 'xstate.cancel') {
        timers.cancel(source, (params as unknown as { readonly sendId: string }).sendId)
        continue
      }
      const { event, id, delay, to = source } = params as unknown as DelayedParams
      arm(timers.set({ source, target: to, event, id, dueAt: at + delay }))
    }
    this.#delayed = undefined
  }

  #take(action: ExecutableActionObject): void {
    this.#acted = true
    const { type, info, params, exec } = action
    const perform = (): void => (exec as ((info: unknown, params: unknown) => void) | undefined)?.(info, params)
    switch (type) {
      case 'xstate.spawnChild':
      case 'xstate.stopChild':
        perform()
        return
      case 'xstate.sendTo':
      case 'xstate.raise':
        if (typeof (params as unknown as Partial<DelayedParams>).delay === 'number') this.#delay(action)
        else perform()
        return
      case 'xstate.cancel':
        this.#delay(action)
        return
      case 'xstate.emit':
        // XState's own would put it off to the next transition.
        this.#later(() => this.scope.emit((params as unknown as { readonly event: EventObject }).event))
        return
      default:
        this.#later(perform)
    }
  }

  #later(effect: Effect): void {
    this.#effects ??= []
    this.#effects.push(effect)
  }

  #delay(action: ExecutableActionObject): void {
    this.#delayed ??= []
    this.#delayed.push(action)
  }
}
