// Chart: a machine with the events it is to be driven by, as a plain XState machine and as a workflow.
import { setup } from 'xstate'
import type { AnyActorLogic, AnyStateMachine, EventObject } from 'xstate'
import { defineContext } from 'callboard'
import type { Workflow } from 'callboard'

/** An event, or time that passes. */
export type Step = EventObject | { readonly after: number }

export interface Chart {
  /** What it is about; unique. */
  readonly name: string
  readonly config: object
  readonly script: readonly (Step | string)[]
  readonly context?: object
  readonly actors?: Readonly<Record<string, AnyActorLogic>>
  readonly guards?: Readonly<Record<string, unknown>>
  readonly actions?: Readonly<Record<string, unknown>>
  readonly delays?: Readonly<Record<string, unknown>>
}

/** What the actions of all charts have done, oldest first. */
export const trace: string[] = []

/** An action that can be seen: its name, and the type of the event it answers to. */
export function note(name: string): (args: { readonly event: EventObject }) => void {
  return ({ event }) => void trace.push(`${name} (${event.type})`)
}

export function stepsOf({ script }: Chart): readonly Step[] {
  return script.map((step) => (typeof step === 'string' ? { type: step } : step))
}

const board = defineContext({})

export function workflowFrom({ name, config, context = {}, actors, guards, actions, delays }: Chart): Workflow {
  const options = { name, agents: actors, guards, actions, delays, context: () => structuredClone(context) }
  return board.workflow(options as never).createMachine({ id: 'chart', ...config } as never) as unknown as Workflow
}

export function plainFrom({ config, context = {}, actors, guards, actions, delays }: Chart): AnyStateMachine {
  const parts = { actors, guards, actions, delays } as never
  return setup(parts).createMachine({ id: 'chart', ...config, context: structuredClone(context) } as never) as never
}
