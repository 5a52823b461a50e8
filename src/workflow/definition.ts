// Definition: what the runtime knows of a workflow, found by its machine.
import type { AnyActorLogic, AnyStateMachine } from 'xstate'
import type { z } from 'zod'
import type { Catalogue } from '../context/index.ts'
import { isAgentLogic } from './agent.ts'
import type { AgentDefinition } from './agent.ts'
import type { Compact } from './limits.ts'
import type { EventSchemas } from './machine-setup.ts'
import type { Migrate } from './migrate.ts'

/** What the runtime needs to know of a workflow's machine. */
export interface WorkflowDefinition {
  readonly name: string
  readonly version: string
  readonly catalogue: Catalogue
  /** Told of what was evicted. */
  readonly compact: Compact | undefined
  readonly agents: ReadonlyMap<string, AgentDefinition>
  readonly actors: Readonly<Record<string, AnyActorLogic>>
  readonly input: z.ZodType | undefined
  readonly output: z.ZodType | undefined
  readonly events: EventSchemas | undefined
  readonly migrate: Migrate | undefined
}

/** By the config of their machines, which `provide()` leaves as it is. */
const definitions = new WeakMap<object, WorkflowDefinition>()
/** Of machines with other actors than those of their workflow, by their implementations. */
const changed = new WeakMap<object, WorkflowDefinition>()

/** The definition behind a machine, also of one that was changed by `provide()`; undefined for a plain machine. */
export function workflowOf(machine: AnyActorLogic): WorkflowDefinition | undefined {
  const { config, implementations } = machine as Partial<AnyStateMachine>
  const definition = typeof config === 'object' && config !== null ? definitions.get(config) : undefined
  if (definition === undefined || implementations === undefined) return definition
  const provided = implementations.actors as Readonly<Record<string, AnyActorLogic>>
  const { actors } = definition
  const names = Object.keys(actors)
  if (names.every((name) => provided[name] === actors[name])) return definition
  const known = changed.get(implementations)
  if (known !== undefined) return known
  const made = {
    ...definition,
    ...named(Object.fromEntries(names.map((name) => [name, provided[name] as AnyActorLogic]))),
  }
  changed.set(implementations, made)
  return made
}

/** The actors of a definition, with the agents among them. */
export function named(actors: Readonly<Record<string, AnyActorLogic>>): Pick<WorkflowDefinition, 'actors' | 'agents'> {
  const agents = new Map<string, AgentDefinition>()
  for (const [name, logic] of Object.entries(actors)) if (isAgentLogic(logic)) agents.set(name, logic.definition)
  return { actors, agents }
}

/** Says what the runtime is to know of a machine. */
export function define(machine: AnyStateMachine, definition: WorkflowDefinition): void {
  definitions.set(machine.config, definition)
}
