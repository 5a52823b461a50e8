// What a runtime answers about runs it does not know, or cannot make.
import type { AnyStateMachine } from 'xstate'
import { CallboardError, isCallboardError } from '../base/index.ts'
import { isGlobals } from '../ledger/index.ts'
import { workflowOf } from '../workflow/index.ts'
import type { WorkflowDefinition } from '../workflow/index.ts'

/** @throws CallboardError `workflow.unknown` for a plain machine */
export function definitionOf(machine: AnyStateMachine): WorkflowDefinition {
  const definition = workflowOf(machine)
  if (definition !== undefined) return definition
  throw new CallboardError(
    'workflow.unknown',
    `machine "${machine.id}" is not a workflow; make it with defineContext(…).workflow(…).createMachine(…)`,
    { machine: machine.id },
  )
}

export function unknownError(runId: string): CallboardError {
  return new CallboardError('run.unknown', `there is no run ${runId} here; runtime.list() lists them`, { runId })
}

export function existsError(runId: string): CallboardError {
  return new CallboardError('run.exists', `there is a run ${runId} already; choose another id`, { runId })
}

/** What it means that a run cannot be made: a conflict about its ledger says that its id is taken. */
export function takenOr(error: unknown): unknown {
  if (!isCallboardError(error, 'store.conflict')) return error
  const runId = String(error.details['runId'])
  return isGlobals(runId) ? error : existsError(runId)
}

/** @param known the names of the workflows that are */
export function unregisteredError(runId: string, workflow: string, known: Iterable<string>): CallboardError {
  return new CallboardError(
    'workflow.unregistered',
    `run ${runId} belongs to workflow "${workflow}", which this runtime does not know; give it to createRuntime({ workflows }); known are ${[...known].join(', ') || 'none'}`,
    { runId, workflow },
  )
}
