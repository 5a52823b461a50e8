// Inner actors: what a run's machine invokes and spawns.
//   I1. Machines and reducers are part of the run: each of their transitions is recorded, with the whole tree.
//   I2. Everything else (agents, child runs, promises, callbacks, observables) belongs to the world: it is started, told
//       and stopped only once the record that says so is in the store.
import { StateMachine } from 'xstate'
import type { AnyActorLogic, AnyActorRef, AnyStateMachine, EventObject, Snapshot } from 'xstate'
import { faultPoint } from '../base/index.ts'
import type { Clock } from '../base/index.ts'
import { isSameSnapshot } from './machine-snapshot.ts'
import { Stage } from './stage.ts'
import type { Effect, Scope } from './stage.ts'
import type { Timers } from './timers.ts'

/** What the engine does for the actors inside its machine. */
export interface InnerHost {
  readonly clock: Clock
  readonly timers: Timers
  /** Whether records are on their way to the store. */
  readonly isAhead: boolean
  /** Whether an event is to be passed over: the run is at its end, or says again what it has said before a restart. */
  ignores(event: EventObject): boolean
  /** Records a transition; its effects come once that is stored. */
  record(transition: InnerTransition): void
  /** Does it as soon as every record so far is in the store. */
  afterCommit(effect: Effect): void
}

/** What an inner machine or reducer has done. */
export interface InnerTransition {
  readonly self: AnyActorRef
  readonly event: EventObject
  readonly at: number
  readonly effects: readonly Effect[]
}

type Transit = (snapshot: Snapshot<unknown>, event: EventObject, scope: Scope) => Snapshot<unknown>

/** Makes an actor fail from outside its transitions. */
const FAIL_EVENT = 'callboard.fail'

/** @throws the error that a fail event carries */
function throwIfFailed(event: EventObject): void {
  if (event.type === FAIL_EVENT) throw (event as EventObject & { readonly error: unknown }).error
}

/** Binds the logics that one machine names to a host, and all they name in turn. */
export class InnerActors {
  readonly #host: InnerHost
  #bound: Map<AnyActorLogic, AnyActorLogic> | undefined
  /** The actor whose transition is being recorded: it is not yet what it will be. */
  #moving: { readonly self: AnyActorRef; readonly before: unknown; readonly after: Snapshot<unknown> } | undefined

  constructor(host: InnerHost) {
    this.#host = host
  }

  bindAll(actors: Readonly<Record<string, AnyActorLogic>>): Record<string, AnyActorLogic> {
    return Object.fromEntries(Object.entries(actors).map(([name, logic]) => [name, this.#bind(logic)]))
  }

  /** What an actor is, or in the middle of its transition is about to be. */
  snapshotOf(actor: AnyActorRef): unknown {
    return actor === this.#moving?.self ? this.#moving.after : actor.getSnapshot()
  }

  #bind(logic: AnyActorLogic): AnyActorLogic {
    const known = this.#bound?.get(logic)
    if (known !== undefined) return known
    if (logic instanceof StateMachine) return this.#bindMachine(logic)
    const bound = logic.start === undefined ? Object.create(logic) : gated(logic, this.#host)
    if (logic.start === undefined) this.#tap(bound as AnyActorLogic, logic)
    this.#remember(logic, bound as AnyActorLogic)
    return bound as AnyActorLogic
  }

  #bindMachine(machine: AnyStateMachine): AnyStateMachine {
    const bound = new StateMachine(this.#bindInvoked(machine.config), machine.implementations) as AnyStateMachine
    // Before its actors, because one of them may be the machine itself.
    this.#remember(machine, bound)
    Object.assign(bound.implementations, { actors: this.bindAll(machine.implementations.actors as never) })
    this.#tap(bound, {
      transition: bound.transition,
      getInitialSnapshot: bound.getInitialSnapshot,
      getPersistedSnapshot: bound.getPersistedSnapshot,
    } as unknown as AnyActorLogic)
    return bound
  }

  #remember(logic: AnyActorLogic, bound: AnyActorLogic): void {
    this.#bound ??= new Map()
    this.#bound.set(logic, bound)
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
    const newest = (snapshot: unknown): unknown => (snapshot === this.#moving?.before ? this.#moving?.after : snapshot)
    Object.assign(bound, {
      transition: (before: Snapshot<unknown>, event: EventObject, scope: Scope) =>
        this.#transit(transition as unknown as Transit, before, event, scope),
      getInitialSnapshot: (scope: Scope, input: unknown) =>
        this.#begin(scope, (staged) => getInitialSnapshot(staged as never, input)),
      getPersistedSnapshot: (snapshot: unknown, options: unknown) =>
        getPersistedSnapshot(newest(snapshot) as never, options),
    })
  }

  /** What an actor asks for at its beginning comes when it is started; until then it may be dropped again. */
  #begin<Made>(scope: Scope, make: (scope: Scope) => Made): Made {
    const { timers, clock } = this.#host
    const stage = new Stage(scope)
    const made = make(stage.scope)
    stage.applyTimers(timers, clock.now(), (ring) => scope.defer(ring))
    for (const effect of stage.takeEffects()) {
      scope.defer(() => this.#host.afterCommit(failingIts(scope.self, effect)))
    }
    return made
  }

  #transit(transition: Transit, before: Snapshot<unknown>, event: EventObject, scope: Scope): Snapshot<unknown> {
    const { timers, clock } = this.#host
    const { self } = scope
    const stage = new Stage(scope)
    if (event.type === 'xstate.stop') {
      timers.cancelAll(self)
      return transition(before, event, stage.scope)
    }
    throwIfFailed(event)
    if (this.#host.ignores(event)) return before
    const after = transition(before, event, stage.scope)
    if (!stage.acted && isSameSnapshot(before, after)) return before
    const at = clock.now()
    stage.applyTimers(timers, at, (ring) => ring())
    if (after.status !== 'active') timers.cancelAll(self)
    this.#moving = { self, before, after }
    try {
      this.#host.record({ self, event, at, effects: stage.takeEffects().map((effect) => failingIts(self, effect)) })
    } finally {
      this.#moving = undefined
    }
    return after
  }
}

/** An action of an inner actor that fails makes that actor fail. */
function failingIts(self: AnyActorRef, effect: Effect): Effect {
  return () => {
    try {
      faultPoint('effect:before')
      effect()
      faultPoint('effect:after')
    } catch (error) {
      if ((self.getSnapshot() as Snapshot<unknown>).status !== 'active') throw error
      self.send({ type: FAIL_EVENT, error } as EventObject)
    }
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
