// Inner actors: what a run's machine invokes and spawns.
//   I1. Machines and reducers are part of the run: each of their transitions is recorded, with the whole tree.
//   I2. Everything else (agents, child runs, promises, callbacks, observables) belongs to the world: it is started, told
//       and stopped only once the record that says so is in the store.
import { StateMachine } from 'xstate'
import type { AnyActorLogic, AnyStateMachine, EventObject, Snapshot } from 'xstate'
import type { Effect, Scope } from './stage.ts'

/** What the engine does for the actors inside its machine. */
export interface InnerHost {
  /** A transition of an inner machine or reducer. */
  transit(transition: InnerTransition, before: Snapshot<unknown>, event: EventObject, scope: Scope): Snapshot<unknown>
  /** The scope for a first snapshot. */
  begin<Made>(scope: Scope, make: (scope: Scope) => Made): Made
  /** The snapshot that is about to replace this one, or this one. */
  newest(snapshot: Snapshot<unknown>): Snapshot<unknown>
  /** Whether records are on their way to the store. */
  readonly isAhead: boolean
  /** Does it as soon as every record so far is in the store. */
  afterCommit(effect: Effect): void
}

type InnerTransition = (snapshot: Snapshot<unknown>, event: EventObject, scope: Scope) => Snapshot<unknown>

/** Makes an actor fail from outside its transitions. */
export const FAIL_EVENT = 'callboard.fail'

/** @throws the error that a fail event carries */
export function throwIfFailed(event: EventObject): void {
  if (event.type === FAIL_EVENT) throw (event as EventObject & { readonly error: unknown }).error
}

/** Binds the logics that one machine names to a host, and all they name in turn. */
export class InnerActors {
  readonly #host: InnerHost
  readonly #bound = new Map<AnyActorLogic, AnyActorLogic>()

  constructor(host: InnerHost) {
    this.#host = host
  }

  bindAll(actors: Readonly<Record<string, AnyActorLogic>>): Record<string, AnyActorLogic> {
    return Object.fromEntries(Object.entries(actors).map(([name, logic]) => [name, this.#bind(logic)]))
  }

  #bind(logic: AnyActorLogic): AnyActorLogic {
    const known = this.#bound.get(logic)
    if (known !== undefined) return known
    if (logic instanceof StateMachine) return this.#bindMachine(logic)
    const bound = logic.start === undefined ? Object.create(logic) : gated(logic, this.#host)
    if (logic.start === undefined) this.#tap(bound as AnyActorLogic, logic)
    this.#bound.set(logic, bound as AnyActorLogic)
    return bound as AnyActorLogic
  }

  #bindMachine(machine: AnyStateMachine): AnyStateMachine {
    const bound = new StateMachine(this.#bindInvoked(machine.config), machine.implementations) as AnyStateMachine
    // Before its actors, because one of them may be the machine itself.
    this.#bound.set(machine, bound)
    Object.assign(bound.implementations, { actors: this.bindAll(machine.implementations.actors as never) })
    this.#tap(bound, {
      transition: bound.transition,
      getInitialSnapshot: bound.getInitialSnapshot,
      getPersistedSnapshot: bound.getPersistedSnapshot,
    } as unknown as AnyActorLogic)
    return bound
  }

  /** The config of a machine with the logics that its states invoke without a name. */
  #bindInvoked<Config extends object>(config: Config): Config {
    const { invoke, states } = config as { readonly invoke?: unknown; readonly states?: Record<string, object> }
    const bindOne = (invoked: unknown): unknown => {
      const { src } = invoked as { readonly src: unknown }
      return typeof src === 'string' ? invoked : { ...(invoked as object), src: this.#bind(src as AnyActorLogic) }
    }
    return {
      ...config,
      ...(invoke === undefined ? {} : { invoke: Array.isArray(invoke) ? invoke.map(bindOne) : bindOne(invoke) }),
      ...(states === undefined
        ? {}
        : {
            states: Object.fromEntries(Object.entries(states).map(([name, state]) => [name, this.#bindInvoked(state)])),
          }),
    }
  }

  #tap(bound: AnyActorLogic, { transition, getInitialSnapshot, getPersistedSnapshot }: AnyActorLogic): void {
    const host = this.#host
    Object.assign(bound, {
      transition: (before: Snapshot<unknown>, event: EventObject, scope: Scope) =>
        host.transit(transition as unknown as InnerTransition, before, event, scope),
      getInitialSnapshot: (scope: Scope, input: unknown) =>
        host.begin(scope, (staged) => getInitialSnapshot(staged as never, input)),
      getPersistedSnapshot: (snapshot: Snapshot<unknown>, options: unknown) =>
        getPersistedSnapshot(host.newest(snapshot), options),
    })
  }
}

/** An actor of the world behind a gate (I2). */
function gated(logic: AnyActorLogic, host: InnerHost): AnyActorLogic {
  const begun = new WeakSet<object>()
  const admitted = new WeakSet<EventObject>()
  const isActive = ({ self }: Scope): boolean => (self.getSnapshot() as Snapshot<unknown>).status === 'active'
  return Object.assign(Object.create(logic) as object, {
    start: (_state: Snapshot<unknown>, scope: Scope): void =>
      host.afterCommit(() => {
        if (!isActive(scope)) return
        begun.add(scope.self)
        try {
          logic.start?.(scope.self.getSnapshot() as never, scope as never)
        } catch (error) {
          scope.self.send({ type: FAIL_EVENT, error } as EventObject)
        }
      }),
    transition: (state: Snapshot<unknown>, event: EventObject, scope: Scope): Snapshot<unknown> => {
      throwIfFailed(event)
      const transit = (): Snapshot<unknown> =>
        logic.transition(state as never, event, scope as never) as Snapshot<unknown>
      if (event.type === 'xstate.stop') {
        if (begun.has(scope.self)) host.afterCommit(transit)
        return { ...state, status: 'stopped' } as Snapshot<unknown>
      }
      // What it says to itself concerns nobody else.
      const isOwn = event.type.startsWith('xstate.') || event.type.startsWith('callboard.')
      if (isOwn || admitted.delete(event) || !host.isAhead) return transit()
      host.afterCommit(() => {
        if (!isActive(scope)) return
        admitted.add(event)
        scope.self.send(event)
      })
      return state
    },
  }) as unknown as AnyActorLogic
}
