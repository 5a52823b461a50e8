// Agent: a definition that is an XState actor logic. By itself it can only be drawn and simulated; a runtime gives it
// its life by providing logic bound to a run.
import type { ActorLogic, AnyActorLogic, EventObject, Snapshot } from 'xstate'
import type { z } from 'zod'
import { CallboardError } from '../base/index.ts'
import { isPattern } from '../context/index.ts'
import type { AccessRules, Catalogue, Grants, Scope } from '../context/index.ts'
import type { AgentContext } from './agent-context.ts'

/** What an agent's actor is at any time. */
export interface AgentSnapshot<Output> {
  readonly status: 'active' | 'done' | 'error' | 'stopped'
  readonly input: unknown
  readonly output: Output | undefined
  readonly error: unknown
  /** Names this invocation: what it did is remembered under it, over restarts. */
  readonly invocation: string | undefined
}

/** What a person is asked for: an entry, or an event for the machine. */
export type PersonTarget = { readonly key: string } | { readonly event: string }

/** What `board.agent()` knows. Reads and writes are key patterns. */
export interface AgentDefinition {
  readonly role: string | undefined
  readonly reads: readonly string[]
  readonly writes: readonly string[]
  readonly groups: readonly string[]
  readonly grants: Grants
  readonly scopes: readonly Scope[] | undefined
  readonly input: z.ZodType | undefined
  readonly description: string | undefined
  /** The phase that it is. */
  readonly phase: string | undefined
  /** `branch`: what it writes is merged when it ends well. */
  readonly isolation: 'branch' | undefined
  /** Set when the agent stands for a person. */
  readonly person: PersonTarget | undefined
  readonly catalogue: Catalogue
  readonly run: (context: AgentContext<object, object, unknown>) => unknown
}

/** An agent as XState sees it. */
export interface AgentLogic<Input, Output> extends ActorLogic<
  AgentSnapshot<Output> & Snapshot<Output>,
  EventObject,
  Input
> {
  readonly definition: AgentDefinition
}

const AGENT: unique symbol = Symbol.for('callboard.agent') as never

/** Makes the logic that stands for an agent until a runtime takes over. */
export function createAgentLogic<Input, Output>(definition: AgentDefinition): AgentLogic<Input, Output> {
  type State = AgentSnapshot<Output> & Snapshot<Output>
  const logic: AgentLogic<Input, Output> = {
    definition,
    transition: (state) => state,
    getInitialSnapshot: (_scope, input) =>
      ({ status: 'active', input, output: undefined, error: undefined, invocation: undefined }) as State,
    getPersistedSnapshot: (state) => state,
    start: (_state, { id }) => {
      throw new CallboardError(
        'agent.no-runtime',
        `agent ${id} was started by a plain XState actor; start the workflow with runtime.start()`,
        { agent: id },
      )
    },
  }
  Object.defineProperty(logic, AGENT, { value: true })
  return logic
}

/** Whether an actor logic is an agent of ours. */
export function isAgentLogic(logic: AnyActorLogic): logic is AgentLogic<unknown, unknown> {
  return AGENT in logic
}

/** The rights of an agent under the name it is registered by. */
export function accessRulesOf(
  type: string,
  { role, reads, writes, groups, grants, scopes }: AgentDefinition,
): AccessRules {
  return { type, role, reads, writes, groups, grants, scopes }
}

/**
 * Checks the patterns of an agent against its catalogue.
 *
 * @throws CallboardError `agent.invalid` naming the pattern and what it should have matched
 */
export function assertPatterns(catalogue: Catalogue, field: 'reads' | 'writes', patterns: readonly string[]): void {
  for (const pattern of patterns) {
    if (isPattern(pattern) && catalogue.isMatchedBy(pattern)) continue
    throw new CallboardError(
      'agent.invalid',
      `an agent's ${field} name "${pattern}", which matches no entry of the catalogue; correct it or add the entry`,
      { field, pattern },
    )
  }
}
