// What both surfaces share: finding a task, and saying that there is none.
import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { CallboardError, isCallboardError } from '../../base/index.ts'
import type { Caller } from '../caller.ts'
import type { House, TasksDoor, WireWorkingSet } from '../house.ts'
import { thrown } from '../problem.ts'

const text = z.string()
const list = z.array(text)

/** The format of version 2.1, as it is answered. */
export const WorkingSetShape = z
  .object({
    _schema_version: z.literal('2.1'),
    _update_seq: z.int(),
    task_id: text,
    thread_id: text,
    run_id: text,
    status: text,
    objective: text,
    acceptance_criteria: list,
    current_stage: text,
    next_action: text,
    constraints: list,
    artifact_refs: z.array(z.looseObject({ type: text, id: text })),
    blockers: list,
    last_action_summary: text,
    pinned_context: z.array(z.looseObject({ id: text, content: text })),
    sliding_context: z.array(z.looseObject({ id: text, content: text, timestamp: text, priority: z.int() })),
  })
  .meta({ id: 'WorkingSet' })

/** A run id is part of paths in packs: nothing in it may lead elsewhere. */
const RunId = text.regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/, 'a run id has letters, digits, _, - and . only')

/** Fields that are not known are passed over, as AoS does. */
export const NewTaskBody = z.object({
  objective: text.min(1),
  acceptance_criteria: list.nullish(),
  constraints: list.nullish(),
  task_id: text.min(1).nullish(),
  thread_id: text.min(1).nullish(),
  run_id: RunId.nullish(),
})

/** How a run was made: who boots one has to show a milestone token before it may commit to memory. */
export type Surface = 'runs' | 'boot'
const SURFACE_LABEL = 'aos'

export function tasksOf({ tasks }: House): TasksDoor {
  if (tasks !== undefined) return tasks
  throw new CallboardError('server.not-found', 'this tenant has no working sets here', {})
}

/** The working set of a run. @throws a problem in the words of the surface */
export async function workingSetOf(
  house: House,
  runId: string,
  missing: (runId: string) => string,
): Promise<WireWorkingSet> {
  const ws = await tasksOf(house).get(runId)
  if (ws === undefined) throw notFound(missing(runId))
  return ws as WireWorkingSet
}

export const readmeMissing = (runId: string): string => `Run ${runId} not found`
export const fullMissing = (): string => 'run not found'

export function notFound(message: string): Error {
  return thrown({ status: 404, code: 'run.unknown', message })
}

export async function createTask(
  house: House,
  asked: z.output<typeof NewTaskBody>,
  surface: Surface,
): Promise<WireWorkingSet> {
  const { objective, acceptance_criteria, constraints, task_id, thread_id } = asked
  const run_id = asked.run_id ?? (surface === 'boot' ? `run_${randomBytes(16).toString('hex')}` : undefined)
  try {
    const ws = await tasksOf(house).create(
      {
        objective,
        ...(acceptance_criteria ? { acceptance_criteria } : {}),
        ...(constraints ? { constraints } : {}),
        ...(task_id ? { task_id } : {}),
        ...(thread_id ? { thread_id } : {}),
        ...(run_id === undefined ? {} : { run_id }),
      },
      { labels: { [SURFACE_LABEL]: surface } },
    )
    return ws as WireWorkingSet
  } catch (error) {
    if (!isCallboardError(error, 'task.size') && !isCallboardError(error, 'task.invalid')) throw error
    const issue = { type: 'value_error', loc: ['body', 'objective'], msg: error.message, input: objective }
    throw thrown({ status: 422, code: error.code, message: error.message, issues: [issue] })
  }
}

export async function surfaceOf(house: House, runId: string): Promise<Surface> {
  const summary = await house.runtime.store.summary(runId)
  return summary?.labels?.[SURFACE_LABEL] === 'boot' ? 'boot' : 'runs'
}

/** In whose name the ledger has it. */
export const writerOf = ({ name }: Caller): { readonly by: string } => ({ by: name })
