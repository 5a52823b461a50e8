// What crosses a run's border is checked here: inputs, outputs and events, each against the workflow's schema.
import { CallboardError } from '../base/index.ts'
import { parseBy } from '../context/index.ts'
import type { Parsed } from '../context/index.ts'
import type { WorkflowDefinition } from '../workflow/index.ts'

/** Where and why a value does not fit its schema: `at a.b: expected …`. */
export function describeIssue({ path, problem }: Exclude<Parsed, { readonly success: true }>): string {
  return path === '' ? problem : `at ${path}: ${problem}`
}

/** @throws CallboardError `run.input` */
export function parseInput({ input: schema, name }: WorkflowDefinition, runId: string, input: unknown): unknown {
  if (schema === undefined) return input
  const parsed = parseBy(schema, input)
  if (parsed.success) return parsed.data
  throw new CallboardError(
    'run.input',
    `run ${runId}: the input of ${name} does not fit its schema: ${describeIssue(parsed)}`,
    { runId },
  )
}

/** @throws CallboardError `run.output` */
export function parseOutput({ output: schema, name }: WorkflowDefinition, runId: string, output: unknown): unknown {
  if (schema === undefined) return output
  const parsed = parseBy(schema, output)
  if (parsed.success) return parsed.data
  throw new CallboardError(
    'run.output',
    `run ${runId}: the output of ${name} does not fit its schema: ${describeIssue(parsed)}`,
    { runId },
  )
}

/** @throws CallboardError `event.reserved`, `event.unknown`, `event.invalid` */
export function parseEvent(
  { events, name }: WorkflowDefinition,
  runId: string,
  event: { readonly type: string },
): { readonly type: string } {
  const { type, ...payload } = event
  if (typeof type !== 'string' || type === '') {
    throw new CallboardError('event.invalid', `run ${runId}: an event needs a type, a non-empty text`, { runId })
  }
  if (type.startsWith('callboard.') || type.startsWith('xstate.')) {
    throw new CallboardError(
      'event.reserved',
      `run ${runId}: events of type "${type}" belong to the runtime; choose another type`,
      { runId, type },
    )
  }
  if (events === undefined) return event
  const schema = Object.hasOwn(events, type) ? events[type] : undefined
  if (schema === undefined) {
    throw new CallboardError(
      'event.unknown',
      `run ${runId}: workflow ${name} declares no event "${type}"; declared are ${Object.keys(events).join(', ')}`,
      { runId, type },
    )
  }
  const parsed = parseBy(schema, payload)
  if (parsed.success) return { ...(parsed.data as object), type }
  throw new CallboardError(
    'event.invalid',
    `run ${runId}: event "${type}" does not fit its schema: ${describeIssue(parsed)}`,
    { runId, type },
  )
}
