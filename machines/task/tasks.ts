// Tasks: working sets by run id, for those who are not agents. Every answer is what the store has: a working set that
// another process has changed is read anew, and of several patches with one `expected_seq` exactly one is applied.
import { setImmediate } from 'node:timers/promises'
import { CallboardError, createRuntime, isCallboardError, randomIds, redactSecrets } from 'callboard'
import type { Episode, EpisodeOptions, Run, Runtime, RuntimeOptions, StartOptions, Workflow } from 'callboard'
import { readWorkingSet } from './board.ts'
import type { TaskValues } from './board.ts'
import { contextBrief } from './context-brief.ts'
import type { BriefMemory } from './context-brief.ts'
import { taskLedgerLines } from './ledger.ts'
import { LoggedEvent } from './ledger-event.ts'
import { packTask, unpackTask } from './packs.ts'
import type { TaskPack, TaskPackKind, TaskUnpackOptions } from './packs.ts'
import { initialWorkingSet } from './patch.ts'
import type { InitialWorkingSet, TaskLimits, TaskRefusal } from './patch.ts'
import { describeIssue, WorkingSet, WorkingSetPatch } from './working-set.ts'

/** What a task begins with; its ids are made where they are not given. */
export interface NewTask extends Omit<InitialWorkingSet, 'run_id' | 'task_id' | 'thread_id'> {
  readonly run_id?: string | undefined
  readonly task_id?: string | undefined
  readonly thread_id?: string | undefined
}

export type TaskWorkflow = Workflow<NewTask, unknown, TaskValues>

/** What came of a patch. */
export type PatchResult = { readonly ok: true; readonly new_ws: WorkingSet } | TaskRefusal

type TaskRun = Run<unknown, TaskValues>

/** What the machine says of a patch once it is stored. */
interface Patched {
  readonly id: string
  readonly error: string | null
  readonly ws: WorkingSet
}

/** Each time another process was faster; who loses so often is told of the last. */
const MOST_TRIES = 1_000

export interface TasksFields {
  readonly runtime: Runtime
  readonly workflow: TaskWorkflow
  readonly limits: TaskLimits
  /** The runtime is its own, and closed with it. */
  readonly ownsRuntime: boolean
}

export class Tasks {
  readonly #fields: TasksFields

  /** Use `createTasks`. */
  constructor(fields: TasksFields) {
    this.#fields = fields
  }

  /**
   * Begins a task.
   * @throws CallboardError `task.invalid` for what does not fit the format, `task.size` for what is too large, `run.exists`
   */
  async create(asked: NewTask, { labels }: Pick<StartOptions<never>, 'labels'> = {}): Promise<WorkingSet> {
    const { runtime, workflow, limits } = this.#fields
    const runId = asked.run_id ?? randomIds.next('run')
    const initial = initialWorkingSet({ ...asked, ...idsFor(asked, runId) }, limits)
    if (!initial.ok) throw new CallboardError('task.size', `task ${runId}: ${initial.error}`, { runId })
    const parsed = WorkingSet.safeParse(initial.ws)
    if (!parsed.success) {
      throw new CallboardError('task.invalid', `task ${runId}: ${describeIssue(parsed.error)}`, { runId })
    }
    const options = labels === undefined ? {} : { labels }
    return readWorkingSet(await runtime.start(workflow, { ...options, runId, input: asked }))
  }

  /** The working set of a task; undefined when there is none of that id. */
  async get(runId: string): Promise<WorkingSet | undefined> {
    try {
      return readWorkingSet(await this.#open(runId))
    } catch (error) {
      if (isCallboardError(error, 'run.unknown')) return undefined
      throw error
    }
  }

  /**
   * Changes a working set if it is still the one that was expected.
   * @param patch a `WorkingSetPatch`; anything else is refused
   * @throws CallboardError `run.unknown`; `run.finished` for a task that was stopped
   */
  patch(runId: string, patch: unknown, { by = 'outside' }: { readonly by?: string } = {}): Promise<PatchResult> {
    const id = randomIds.next('patch')
    const parsed = WorkingSetPatch.safeParse(patch)
    const event = parsed.success
      ? { type: 'patch', id, by, patch: parsed.data }
      : { type: 'reject', id, by, error: `patch schema: ${describeIssue(parsed.error)}` }
    return this.#withRun(runId, async (run) => {
      const patched = await sendPatch(run, event)
      if (patched.error === null) return { ok: true, new_ws: patched.ws }
      return { ok: false, kind: kindOf(patched.error), error: patched.error }
    })
  }

  /** Notes in the ledger what an agent has done; secrets are redacted. @throws CallboardError `task.invalid` */
  async log(runId: string, logged: LoggedEvent, { by = 'outside' }: { readonly by?: string } = {}): Promise<void> {
    const parsed = LoggedEvent.safeParse(logged)
    if (!parsed.success) {
      const message = `task ${runId}: the event does not fit the ledger: ${describeIssue(parsed.error)}`
      throw new CallboardError('task.invalid', message, { runId })
    }
    const event = { type: 'log', by, logged: redactSecrets(parsed.data) as LoggedEvent }
    await this.#withRun(runId, (run) => run.send(event))
  }

  /** Notes an immutable milestone. */
  milestone(runId: string, name: string, options: EpisodeOptions = {}): Promise<Episode> {
    return this.#withRun(runId, (run) => run.episode(name, options))
  }

  /** The working set as text for a prompt. @throws CallboardError `run.unknown` */
  async brief(runId: string, memories: readonly BriefMemory[] = []): Promise<string> {
    return contextBrief(readWorkingSet(await this.#open(runId)), memories)
  }

  /** The task's ledger as JSONL. @throws CallboardError `run.unknown` */
  async ledger(runId: string): Promise<string> {
    return taskLedgerLines(await (await this.#open(runId)).ledger())
  }

  /** The task as one file, which goes on elsewhere: write it with `savePack`. @throws CallboardError `run.unknown` */
  async pack(runId: string, { kind = 'full' }: { readonly kind?: TaskPackKind } = {}): Promise<TaskPack> {
    await this.#open(runId)
    return packTask(this.#fields.runtime, runId, kind)
  }

  /**
   * Goes on with a task from its pack, full or simple, made here or by AoS, under an id of its own.
   * @param source the bytes of a pack, or the path of its file
   * @throws CallboardError `pack.…`; `task.invalid`, `task.size` for a working set that cannot be used; `run.exists`
   */
  async unpack(source: Uint8Array | string, options: TaskUnpackOptions = {}): Promise<WorkingSet> {
    const { runtime, workflow, limits } = this.#fields
    const { runId } = await unpackTask(runtime, source, options, { workflow, limits })
    return readWorkingSet(await this.#open(runId))
  }

  /** The ids of all tasks, oldest first. */
  async list(): Promise<readonly string[]> {
    const summaries = await this.#fields.runtime.list({ workflow: 'task' })
    return summaries.map(({ runId }) => runId)
  }

  /** Lets go of the tasks; they go on when they are opened again. Twice is harmless. */
  async close(): Promise<void> {
    const { runtime, ownsRuntime } = this.#fields
    if (ownsRuntime) await runtime.close({ runs: 'keep' })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #open(runId: string): Promise<TaskRun> {
    const run = await this.#fields.runtime.open(runId)
    // A run of another workflow is no task, whatever its id.
    if (run.workflow !== 'task') throw new CallboardError('run.unknown', `there is no task ${runId}`, { runId })
    return run as unknown as TaskRun
  }

  /** Does it with the run as it is in the store; again when another process was faster, and not for ever. */
  async #withRun<Result>(runId: string, action: (run: TaskRun) => Promise<Result>): Promise<Result> {
    for (let tries = 1; ; tries++) {
      const run = await this.#open(runId)
      try {
        return await action(run)
      } catch (error) {
        const isOver = isCallboardError(error, 'run.finished')
        // Its end may still be on its way into the store.
        if (isOver) await setImmediate()
        const isLost = isOver || isCallboardError(error, 'store.conflict')
        if (!isLost || tries === MOST_TRIES || !(await this.#goesOn(runId))) throw error
      }
    }
  }

  async #goesOn(runId: string): Promise<boolean> {
    const summary = await this.#fields.runtime.store.summary(runId)
    return summary?.status === 'active'
  }
}

/** The ids that were not given, named after the run. */
export function idsFor(
  { task_id, thread_id }: Pick<NewTask, 'task_id' | 'thread_id'>,
  runId: string,
): Pick<WorkingSet, 'task_id' | 'thread_id' | 'run_id'> {
  const name = runId.replace(/^run_/, '')
  return { task_id: task_id ?? `task_${name}`, thread_id: thread_id ?? `thread_${name}`, run_id: runId }
}

/** The machine's word on a patch comes with its commit. */
async function sendPatch(run: TaskRun, event: { readonly type: string; readonly id: string }): Promise<Patched> {
  let answer: Patched | undefined
  const off = run.on('patched', (said) => {
    if (said['id'] === event.id) answer = said as unknown as Patched
  })
  try {
    await run.send(event)
  } finally {
    off()
  }
  if (answer === undefined) throw new CallboardError('run.finished', `task ${run.id} has ended`, { runId: run.id })
  return answer
}

function kindOf(error: string): TaskRefusal['kind'] {
  if (error.startsWith('LOCK_ERROR')) return 'lock'
  return error.startsWith('WS_SIZE_ERROR') ? 'size' : 'schema'
}

/** What `createTasks` makes a runtime with, unless it is given one. */
export async function openTasks(
  { runtime, ...options }: { readonly runtime?: Runtime } & RuntimeOptions,
  { workflow, limits }: Pick<TasksFields, 'workflow' | 'limits'>,
): Promise<Tasks> {
  const own = runtime === undefined ? await createRuntime({ ...options, workflows: [workflow] }) : undefined
  return new Tasks({ runtime: runtime ?? (own as Runtime), workflow, limits, ownsRuntime: own !== undefined })
}
