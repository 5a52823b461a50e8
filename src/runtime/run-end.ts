// How runs end, as it happens and as it was stored.
import { CallboardError } from '../base/index.ts'
import type { MachineState } from '../ledger/index.ts'
import type { WorkflowDefinition } from '../workflow/index.ts'
import type { MachineSnapshot } from './machine-snapshot.ts'
import type { EndLine } from './run-notes.ts'
import type { RuntimeTopics } from './runtime-services.ts'
import { parseOutput } from './schema-check.ts'

/** How a run ended. */
export type RunEnd =
  | { readonly kind: 'done'; readonly output: unknown }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'stopped'; readonly error: CallboardError }
  /** It has not ended, but is no longer in this process. */
  | { readonly kind: 'left'; readonly error: CallboardError }

/** What listeners are told of an end. */
export function endMessage(runId: string, { kind, ...end }: Exclude<RunEnd, { kind: 'left' }>): RuntimeTopics['end'] {
  return { runId, status: kind, ...('error' in end ? { error: end.error } : {}) }
}

/** The output of a run that is done. @throws how it ended otherwise */
export function outputOf(end: RunEnd): unknown {
  if (end.kind === 'done') return end.output
  throw end.error
}

/** The end that a machine's state is; only asked of one that is not active. */
export function endOf(
  definition: WorkflowDefinition,
  runId: string,
  { status, error, output }: Pick<MachineSnapshot, 'status' | 'error' | 'output'>,
): RunEnd {
  if (status === 'error') return { kind: 'failed', error }
  try {
    return { kind: 'done', output: parseOutput(definition, runId, output) }
  } catch (invalid) {
    return { kind: 'failed', error: invalid }
  }
}

/** The end of a stored run; undefined for one that goes on. */
export function endOfStored(
  definition: WorkflowDefinition,
  runId: string,
  machine: MachineState | undefined,
  end: EndLine | undefined,
): RunEnd | undefined {
  if (end?.status === 'stopped') {
    return {
      kind: 'stopped',
      error: new CallboardError('run.stopped', `run ${runId} was stopped: ${end.reason ?? ''}`, { runId }),
    }
  }
  const error = end?.error ?? machine?.error
  if (error !== undefined) return { kind: 'failed', error: new CallboardError(error.code, error.message, { runId }) }
  if (machine?.status !== 'done') return undefined
  return endOf(definition, runId, { status: 'done', output: machine.output, error: undefined })
}
