import { createMachine } from 'xstate'
import type { AnyStateMachine, StateValue } from 'xstate'
import { isSameData } from '../base/index.ts'
import type { MachineState } from '../ledger/index.ts'

/**
 * A machine in which an ended run can be looked at. It will not move again, so where the definition has lost the states it
 * ended in, a machine that has nothing but those will do; its children and its history are of no use any more.
 */
export function machineForEnded(
  machine: AnyStateMachine,
  state: MachineState,
): { readonly machine: AnyStateMachine; readonly state: MachineState } {
  const quiet = { ...state, persisted: { ...(state.persisted as object), children: {}, historyValue: {} } }
  if (hasStates(machine, state.value)) return { machine, state: quiet }
  return { machine: createMachine({ id: machine.id, ...statesOf(state.value) } as never), state: quiet }
}

function hasStates(machine: AnyStateMachine, value: unknown): boolean {
  try {
    return isSameData(machine.resolveState({ value: value as StateValue, context: {} }).value, value)
  } catch {
    return false
  }
}

/** The states that a value names, and no others. */
function statesOf(value: unknown): object {
  if (typeof value === 'string') return { initial: value, states: { [value]: {} } }
  const regions = Object.entries(value ?? {})
  if (regions.length === 0) return {}
  const states = Object.fromEntries(regions.map(([name, inner]) => [name, statesOf(inner)]))
  return regions.length === 1 ? { initial: regions[0]?.[0], states } : { type: 'parallel', states }
}
