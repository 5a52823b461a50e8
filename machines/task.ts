// Task: the working set of S4 as a workflow. Its states are the statuses of the working set. A patch is judged in the
// machine's own transition, so that looking at `_update_seq`, making everything fit and writing are one step, whoever
// patches at the same time, in whatever process:
//
//   patch    applied, or refused for its lock or its size; the event `patched` says which
//   reject   what was meant as a patch and is none; noted, so that the ledger has it
//   log      something an agent did, for the ledger
//   restore  what a pack of S4 holds, right after the beginning
//
// A task does not end by itself: any status may follow any other.
import { emit } from 'xstate'
import type { Runtime, RuntimeOptions } from 'callboard'
import { z } from 'zod'
import {
  applyPatch,
  board,
  FIELDS,
  idsFor,
  initialWorkingSet,
  LedgerLine,
  LoggedEvent,
  openTasks,
  readWorkingSet,
  restoredFields,
  restoredWorkingSet,
  STATUSES,
  TASK_LIMITS,
  WorkingSet,
  WorkingSetPatch,
} from './task/index.ts'
import type { PatchNote, TaskFields, TaskLimits, Tasks, TaskStatus, TaskValues, TaskWorkflow } from './task/index.ts'

export {
  applyPatch,
  ArtifactRef,
  baseLoadOf,
  contextBrief,
  initialWorkingSet,
  LedgerEvent,
  LoggedEvent,
  PinnedItem,
  readWorkingSet,
  SlidingItem,
  TASK_LIMITS,
  taskLedger,
  taskLedgerLines,
  taskPackForm,
  Tasks,
  TaskStatus,
  totalTokensOf,
  WorkingSet,
  WorkingSetPatch,
} from './task/index.ts'
export type {
  BriefMemory,
  Fitted,
  InitialWorkingSet,
  LedgerEventType,
  LoggedType,
  NewTask,
  PatchResult,
  TaskLimits,
  TaskPack,
  TaskPackKind,
  TaskRefusal,
  TaskUnpackOptions,
  TaskValues,
  TaskWorkflow,
} from './task/index.ts'

const { objective, acceptance_criteria, constraints, current_stage, task_id, thread_id, run_id } =
  WorkingSet.unwrap().shape

const Input = z.strictObject({
  objective,
  acceptance_criteria: acceptance_criteria.optional(),
  constraints: constraints.optional(),
  current_stage: current_stage.optional(),
  task_id: task_id.optional(),
  thread_id: thread_id.optional(),
  run_id: run_id.optional(),
})

const id = z.string().min(1)
const by = z.string().min(1)
const events = {
  patch: z.strictObject({ id, by, patch: WorkingSetPatch }),
  reject: z.strictObject({ id, by, error: z.string().min(1) }),
  log: z.strictObject({ by, logged: LoggedEvent }),
  restore: z.strictObject({ ws: WorkingSet, ledger: z.array(LedgerLine).readonly() }),
}

type Reading = Parameters<ReturnType<typeof board.when>>[0]['context']['board']

/** Makes the workflow for other limits; `task` is the one with S4's. */
export function createTaskWorkflow(asked: Partial<TaskLimits> = {}): TaskWorkflow {
  const limits = { ...TASK_LIMITS, ...asked }
  return board.workflow({ name: 'task', version: '2.1', input: Input, events }).createMachine({
    id: 'task',
    entry: board.write(({ context }) => beginning(context, limits)),
    on: {
      patch: {
        actions: [
          board.write(({ context, event }) => judge(context.board, event, limits)),
          emit(({ context }) => answer(context.board)),
        ],
      },
      reject: {
        actions: [
          board.write({ last_patch: ({ event }) => ({ id: event.id, error: event.error, evicted: [] }) }),
          emit(({ context }) => answer(context.board)),
        ],
      },
      log: { actions: emit({ type: 'logged' }) },
      restore: {
        guard: ({ context, event }) => isNew(context.board, event.ws),
        actions: board.write(({ event }) => restore(event.ws, limits)),
      },
    },
    initial: 'BOOT',
    states: Object.fromEntries(STATUSES.map((status) => [status, { always: othersOf(status) }])),
  })
}

export const task: TaskWorkflow = createTaskWorkflow()

/** With what tasks are opened: a runtime that knows the workflow `task`, or what one is made with. */
export interface TasksOptions extends Omit<RuntimeOptions, 'workflows'> {
  /** `createRuntime({ workflows: [task] })`; not closed with the tasks. */
  readonly runtime?: Runtime
  /** Where they are not S4's. */
  readonly limits?: Partial<TaskLimits>
}

/** Working sets by run id, in a store: `await createTasks({ store })`. */
export function createTasks({ limits, ...options }: TasksOptions = {}): Promise<Tasks> {
  const workflow = limits === undefined ? task : createTaskWorkflow(limits)
  return openTasks(options, { workflow, limits: { ...TASK_LIMITS, ...limits } })
}

/** What a task's board holds at first. */
function beginning(
  { board: known, input }: { readonly board: Reading; readonly input: z.output<typeof Input> },
  limits: TaskLimits,
): Partial<TaskValues> {
  const initial = initialWorkingSet({ ...input, ...idsFor(input, known.runId) }, limits)
  if (!initial.ok) throw new Error(initial.error)
  const { _schema_version: _version, ...fields } = initial.ws
  return fields
}

/** What a patch writes: the fields that it changes, and what came of it. */
function judge(known: Reading, event: z.output<typeof events.patch>, limits: TaskLimits): Partial<TaskValues> {
  const current = readWorkingSet(known)
  const fitted = applyPatch(current, event.patch, limits)
  const note = (error: string | null, evicted: readonly string[]): PatchNote => ({ id: event.id, error, evicted })
  if (!fitted.ok) return { last_patch: note(fitted.error, []) }
  const changed = FIELDS.filter((name) => !isSame(current[name], fitted.ws[name]))
  const fields = Object.fromEntries(changed.map((name) => [name, fitted.ws[name]])) as Partial<TaskFields>
  return {
    ...fields,
    last_patch: note(
      null,
      fitted.evicted.map((item) => item.id),
    ),
  }
}

/** Whether nothing has happened to a task but its beginning, with this working set. */
function isNew(known: Reading, { task_id, thread_id, objective: asked }: WorkingSet): boolean {
  const begun = readWorkingSet(known)
  const isSameTask = begun.task_id === task_id && begun.thread_id === thread_id && begun.objective === asked
  return isSameTask && begun._update_seq === 0 && begun.status === 'BOOT' && known.get('last_patch') === undefined
}

/** What a restored task holds beside what it was begun with. */
function restore(ws: WorkingSet, limits: TaskLimits): Partial<TaskValues> {
  const fitted = restoredWorkingSet(ws, limits)
  if (!fitted.ok) throw new Error(fitted.error)
  return restoredFields(fitted.ws)
}

/** What came of the patch that was just judged. */
function answer(known: Reading): { readonly type: 'patched'; readonly [field: string]: unknown } {
  return { type: 'patched', ...known.get('last_patch'), ws: readWorkingSet(known) }
}

/** The same value, or a list of the same values: what a patch does not name is handed on as it is. */
function isSame(one: unknown, other: unknown): boolean {
  if (!Array.isArray(one) || !Array.isArray(other)) return one === other
  return one.length === other.length && one.every((item, index) => item === other[index])
}

/** The state follows the status, whatever it was. */
function othersOf(status: TaskStatus): readonly object[] {
  return STATUSES.filter((other) => other !== status).map((other) => ({
    target: other,
    guard: board.when('status', (now) => now === other),
  }))
}
