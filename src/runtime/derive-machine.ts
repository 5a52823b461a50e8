import { StateMachine } from 'xstate'
import type { AnyActorLogic, AnyStateMachine } from 'xstate'

/** What the constructor of a machine binds to it. */
const BOUND = ['transition', 'getInitialSnapshot', 'getPersistedSnapshot', 'restoreSnapshot', 'start'] as const

/**
 * A machine with other actors, for one run. Unlike `machine.provide()`, which builds every state anew (a kilobyte each),
 * it shares its states with the machine it is made from: XState asks a snapshot's machine for implementations, and a
 * state's machine only for other states.
 */
export function deriveMachine(
  machine: AnyStateMachine,
  actors: Readonly<Record<string, AnyActorLogic>> = {},
): AnyStateMachine {
  const derived = Object.create(machine) as AnyStateMachine
  const { implementations } = machine
  const own: Record<string, unknown> = {
    implementations: { ...implementations, actors: { ...implementations.actors, ...actors } },
  }
  for (const name of BOUND) own[name] = (StateMachine.prototype[name] as () => unknown).bind(derived as never)
  return Object.assign(derived, own)
}
