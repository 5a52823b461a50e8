// Context: what an orchestrator knows, as a workflow. Its data come and go by updates; the machine is there as long as the
// context is.
import { CallboardError, createRuntime, isCallboardError } from 'callboard'
import type { Clock, RetentionOptions, RoomLimits, Run, Runtime, Store, Workflow } from 'callboard'
import { board, DurableContext } from './context/index.ts'
import type { ContextData, DurableContextValues } from './context/index.ts'

export { DurableContext } from './context/index.ts'
export type { ContextData, DurableContextValues, MergeOptions, PhaseOptions, SetOptions } from './context/index.ts'

export type ContextWorkflow = Workflow<undefined, unknown, DurableContextValues>

/** Makes the workflow for contexts of a limited size, in which the oldest names make room. `context` is the one without. */
export function createContextWorkflow(limits?: RoomLimits): ContextWorkflow {
  return board
    .workflow({ name: 'context', version: '1', ...(limits === undefined ? {} : { limits }) })
    .createMachine({ id: 'context', initial: 'open', states: { open: {} } })
}

export const context: ContextWorkflow = createContextWorkflow()

export interface ContextOptions {
  /** Under which it is found again. */
  readonly id: string
  /** `createRuntime({ workflows: [context] })`; not closed with the context. */
  readonly runtime?: Runtime
  /** Where it is kept, unless a runtime is given; in memory unless given. Not closed with the context. */
  readonly store?: Store
  /** What a new one begins with. */
  readonly initial?: ContextData
  /** Names that are protected as soon as they are set. */
  readonly protectedNames?: readonly string[]
  /** A snapshot `checkpoint` after so many changes, counted since it was opened; none unless given. */
  readonly checkpointEvery?: number
  /** How much it may hold. */
  readonly limits?: RoomLimits
  /** How much of its history is kept; all of it unless given. */
  readonly retention?: RetentionOptions
  readonly clock?: Clock
}

/** What an orchestrator begins with and nobody may change. */
export const PROTECTED_NAMES: readonly string[] = Object.freeze(['session_id', 'run_id', 'workflow_id', 'initial_task'])

/**
 * Opens a context, or begins one: `await openContext({ id: 'session-7', store })`.
 * @throws CallboardError `context.checkpoints`; `context.taken` when a run of another workflow has the id; `update.refused` for an initial value that cannot be kept
 */
export async function openContext(options: ContextOptions): Promise<DurableContext> {
  const { id, initial = {}, protectedNames = PROTECTED_NAMES, checkpointEvery = Number.POSITIVE_INFINITY } = options
  assertInterval(checkpointEvery)
  const workflow = options.limits === undefined ? context : createContextWorkflow(options.limits)
  const runtime = options.runtime ?? (await createOwn(workflow, options))
  const ownsRuntime = options.runtime === undefined
  try {
    const known = await find(runtime, id)
    const run = known ?? (await runtime.start(workflow, { runId: id }))
    const names = new Set(protectedNames)
    const opened = new DurableContext({ runtime, ownsRuntime, run, protectedNames: names, checkpointEvery })
    if (known === undefined) await opened.update(initial)
    return opened
  } catch (error) {
    if (ownsRuntime) await runtime.close()
    throw error
  }
}

function createOwn(workflow: ContextWorkflow, { store, clock, retention }: ContextOptions): Promise<Runtime> {
  return createRuntime({
    workflows: [workflow],
    ...(store === undefined ? {} : { store }),
    ...(clock === undefined ? {} : { clock }),
    ...(retention === undefined ? {} : { retention }),
  })
}

async function find(runtime: Runtime, id: string): Promise<Run<unknown, DurableContextValues> | undefined> {
  // Looked at before it is opened: opening a run goes on with it.
  const workflow = (await runtime.store.summary(id))?.workflow
  if (workflow !== undefined && workflow !== 'context') {
    const message = `${id} is a run of the workflow ${workflow}, and no context; choose another id`
    throw new CallboardError('context.taken', message, { contextId: id, workflow })
  }
  try {
    return (await runtime.open(id)) as unknown as Run<unknown, DurableContextValues>
  } catch (error) {
    if (isCallboardError(error, 'run.unknown')) return undefined
    throw error
  }
}

function assertInterval(every: number): void {
  if (every === Number.POSITIVE_INFINITY || (Number.isSafeInteger(every) && every >= 1)) return
  const message = `checkpointEvery is ${every}; give a whole number of at least 1, or leave it out for none`
  throw new CallboardError('context.checkpoints', message, { checkpointEvery: every })
}
