// Binds the named actors of a workflow to one run: agents to processes, child workflows to runs of their own.
import type { ActorScope, AnyActorLogic, EventObject, Snapshot } from 'xstate'
import { CallboardError, isCallboardError } from '../base/index.ts'
import { isAgentLogic, workflowOf } from '../workflow/index.ts'
import type { AgentDefinition, WorkflowDefinition } from '../workflow/index.ts'

/** What the actor of an agent or a child run is at any time; plain data. */
export interface InvocationSnapshot {
  readonly status: 'active' | 'done' | 'error' | 'stopped'
  readonly input: unknown
  readonly output: unknown
  readonly error: unknown
  /** Names this invocation over restarts; for a child workflow, the id of its run. */
  readonly invocation: string
}

/** What a run does for the actors bound to it. */
export interface InvocationHost {
  /** A name for the invocation that begins now. */
  nextInvocation(id: string): string
  startAgent(
    id: string,
    type: string,
    definition: AgentDefinition,
    invocation: string,
    input: unknown,
  ): Promise<unknown>
  stopAgent(invocation: string): void
  startChild(id: string, machine: AnyActorLogic, invocation: string, input: unknown): Promise<unknown>
  stopChild(invocation: string): void
  /** The machine has been told how an invocation ended. */
  onTold(invocation: string): void
}

const DONE = 'callboard.invocation.done'
const FAILED = 'callboard.invocation.failed'

interface DoneEvent extends EventObject {
  readonly output: unknown
}
interface FailedEvent extends EventObject {
  readonly error: unknown
}

/** The actors as `machine.provide()` takes them. */
export function bindActors(definition: WorkflowDefinition, host: InvocationHost): Record<string, AnyActorLogic> {
  const bound: Record<string, AnyActorLogic> = {}
  for (const [name, logic] of Object.entries(definition.actors)) {
    if (isAgentLogic(logic)) {
      const agent = logic.definition
      bound[name] = invocationLogic(
        host,
        (id, invocation, input) => host.startAgent(id, name, agent, invocation, input),
        (invocation) => host.stopAgent(invocation),
      )
    } else if (workflowOf(logic) !== undefined) {
      bound[name] = invocationLogic(
        host,
        (id, invocation, input) => host.startChild(id, logic, invocation, input),
        (invocation) => host.stopChild(invocation),
      )
    } else {
      bound[name] = logic
    }
  }
  return bound
}

function invocationLogic(
  host: InvocationHost,
  start: (id: string, invocation: string, input: unknown) => Promise<unknown>,
  stop: (invocation: string) => void,
): AnyActorLogic {
  const logic = {
    transition: (state: InvocationSnapshot, event: EventObject): InvocationSnapshot => {
      if (state.status !== 'active') return state
      switch (event.type) {
        case DONE:
          return { ...state, status: 'done', output: (event as DoneEvent).output }
        case FAILED:
          return { ...state, status: 'error', error: (event as FailedEvent).error }
        case 'xstate.stop':
          stop(state.invocation)
          return { ...state, status: 'stopped' }
        default:
          return state
      }
    },
    getInitialSnapshot: ({ id }: { id: string }, input: unknown): InvocationSnapshot => ({
      status: 'active',
      input,
      output: undefined,
      error: undefined,
      invocation: host.nextInvocation(id),
    }),
    getPersistedSnapshot: (state: InvocationSnapshot): InvocationSnapshot => state,
    restoreSnapshot: (state: InvocationSnapshot): InvocationSnapshot => state,
    start: (state: InvocationSnapshot, { id, self }: ActorScope<Snapshot<unknown>, EventObject>): void => {
      if (state.status !== 'active') return
      // What ends after its actor was stopped has nobody to tell; XState would complain on the console.
      const tell = (event: DoneEvent | FailedEvent): void => {
        if (self.getSnapshot().status === 'active') self.send(event)
        host.onTold(state.invocation)
      }
      start(id, state.invocation, state.input).then(
        (output) => tell({ type: DONE, output }),
        (error: unknown) => tell({ type: FAILED, error: asError(error, id) }),
      )
    },
  }
  return logic as unknown as AnyActorLogic
}

/** What `onError` gets: an error with a code, whatever was thrown. */
function asError(error: unknown, agent: string): unknown {
  if (isCallboardError(error)) return error
  const message = error instanceof Error ? error.message : String(error)
  return new CallboardError('agent.failed', `agent ${agent} failed: ${message}`, { agent }, { cause: error })
}
