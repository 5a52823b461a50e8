// The workflows of a runtime: those it was given, those it has run, and the child workflows of all of them.
import type { AnyStateMachine } from 'xstate'
import type { RunSummary } from '../store/index.ts'
import { workflowOf } from '../workflow/index.ts'
import { isWrittenGlobally } from './rest.ts'
import { definitionOf, unregisteredError } from './runtime-errors.ts'

export class KnownWorkflows {
  readonly #machines = new Map<string, AnyStateMachine>()

  /** @param given come before child workflows of the same name, and of one name the last counts */
  constructor(given: readonly AnyStateMachine[]) {
    for (const machine of given) this.#machines.set(definitionOf(machine).name, machine)
    for (const machine of given) this.#addChildren(machine)
  }

  has(name: string): boolean {
    return this.#machines.has(name)
  }

  get(name: string): AnyStateMachine | undefined {
    return this.#machines.get(name)
  }

  /** From now on its stored runs can be opened, and those of its child workflows. The first of a name stays. */
  add(machine: AnyStateMachine): void {
    const { name } = definitionOf(machine)
    if (this.has(name)) return
    this.#machines.set(name, machine)
    this.#addChildren(machine)
  }

  /** @throws CallboardError `workflow.unregistered` */
  of({ runId, workflow }: RunSummary): AnyStateMachine {
    const machine = this.get(workflow)
    if (machine !== undefined) return machine
    throw unregisteredError(runId, workflow, this.#machines.keys())
  }

  /** Whether a run of one of them could write a key that a pattern names for all runs. */
  couldWriteGlobally(pattern: string): boolean {
    return isWrittenGlobally(pattern, Array.from(this.#machines.values(), definitionOf))
  }

  #addChildren(machine: AnyStateMachine): void {
    for (const actor of Object.values(definitionOf(machine).actors)) {
      if (workflowOf(actor) !== undefined) this.add(actor as AnyStateMachine)
    }
  }
}
