// The machine of one run: the user's, with actors of this run, driven by its engine. There is one for every run at work, so
// it holds nothing but these two; what machines of one workflow have in common is made once.
import { StateMachine } from 'xstate'
import type { AnyActorLogic, AnyStateMachine, EventObject } from 'xstate'
import type { MachineSnapshot } from './machine-snapshot.ts'
import type { Scope } from './stage.ts'

/** Who stands between a run's machine and its actor. */
export interface MachineDriver {
  begin(scope: Scope, input: unknown): MachineSnapshot
  transit(before: MachineSnapshot, event: EventObject, scope: Scope): MachineSnapshot
}

export type RunMachine = AnyStateMachine & { driver: MachineDriver | undefined }

interface Methods {
  getInitialSnapshot(this: RunMachine, scope: Scope, input: unknown): MachineSnapshot
  transition(this: RunMachine, snapshot: MachineSnapshot, event: EventObject, scope: Scope): MachineSnapshot
}

const plain = StateMachine.prototype as unknown as Methods

/** The constructor of a machine binds these to it. */
const { getPersistedSnapshot, restoreSnapshot, start } = StateMachine.prototype
const METHODS = {
  getPersistedSnapshot,
  restoreSnapshot,
  start,
  getInitialSnapshot(this: RunMachine, scope: Scope, input: unknown) {
    return this.driver === undefined
      ? plain.getInitialSnapshot.call(this, scope, input)
      : this.driver.begin(scope, input)
  },
  transition(this: RunMachine, snapshot: MachineSnapshot, event: EventObject, scope: Scope) {
    return this.driver === undefined
      ? plain.transition.call(this, snapshot, event, scope)
      : this.driver.transit(snapshot, event, scope)
  },
}

const bases = new WeakMap<AnyStateMachine, object>()

/** What all machines derived from one share. */
function baseOf(machine: AnyStateMachine): object {
  const known = bases.get(machine)
  if (known !== undefined) return known
  const base: object = Object.assign(Object.create(machine), METHODS)
  bases.set(machine, base)
  return base
}

/**
 * A machine with other actors, for one run. Unlike `machine.provide()`, which builds every state anew (a kilobyte each),
 * it shares its states with the machine it is made from: XState asks a snapshot's machine for implementations, and a
 * state's machine only for other states.
 */
export function deriveMachine(
  machine: AnyStateMachine,
  actors: Readonly<Record<string, AnyActorLogic>> = {},
): RunMachine {
  const derived = Object.create(baseOf(machine)) as RunMachine
  derived.driver = undefined
  provideActors(derived, actors)
  return derived
}

/** Gives the machine of a run other actors under these names. */
export function provideActors(machine: RunMachine, actors: Readonly<Record<string, AnyActorLogic>>): void {
  if (Object.keys(actors).length === 0) return
  const { implementations } = machine
  machine.implementations = { ...implementations, actors: { ...implementations.actors, ...actors } }
}

/** The transition as the machine itself makes it. */
export function transitMachine(
  machine: RunMachine,
  snapshot: MachineSnapshot,
  event: EventObject,
  scope: Scope,
): MachineSnapshot {
  return plain.transition.call(machine, snapshot, event, scope)
}

/** The first snapshot as the machine itself makes it. */
export function beginMachine(machine: RunMachine, scope: Scope, input: unknown): MachineSnapshot {
  return plain.getInitialSnapshot.call(machine, scope, input)
}
