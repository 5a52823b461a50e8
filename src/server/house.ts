// House: what one tenant has behind the door: a runtime with its store, and what else there is. Tenants share nothing, so
// that another tenant's ids are not there instead of being forbidden.
import type { AnyStateMachine } from 'xstate'
import type { Memory } from '../memory/index.ts'
import type { Runtime } from '../runtime/index.ts'

/** A working set as the AoS clients know it. */
export type WireWorkingSet = Readonly<Record<string, unknown>> & {
  readonly run_id: string
  readonly _update_seq: number
  readonly objective: string
}

/** What `createTasks()` of `callboard/machines/task` gives. */
export interface TasksDoor {
  create(
    task: {
      readonly objective: string
      readonly acceptance_criteria?: readonly string[]
      readonly constraints?: readonly string[]
      readonly run_id?: string
      readonly task_id?: string
      readonly thread_id?: string
    },
    options?: { readonly labels?: Readonly<Record<string, string>> },
  ): Promise<object>
  get(runId: string): Promise<object | undefined>
  patch(
    runId: string,
    patch: unknown,
    options?: { readonly by?: string },
  ): Promise<
    | { readonly ok: true; readonly new_ws: object }
    | { readonly ok: false; readonly kind: 'schema' | 'lock' | 'size'; readonly error: string }
  >
  log(
    runId: string,
    logged: { readonly event_type: 'RESUME_SNAPSHOT'; readonly payload: { pack_id: string } },
    options?: { readonly by?: string },
  ): Promise<void>
  log(
    runId: string,
    logged: { readonly event_type: 'MEMORY_PROPOSE'; readonly payload: { batch_id: string; staged_count: number } },
    options?: { readonly by?: string },
  ): Promise<void>
  log(
    runId: string,
    logged: { readonly event_type: 'MEMORY_COMMIT'; readonly payload: { batch_id: string; committed_ids: string[] } },
    options?: { readonly by?: string },
  ): Promise<void>
  milestone(
    runId: string,
    name: string,
    options?: {
      readonly by?: string
      readonly memoryCommits?: readonly string[]
      readonly nextEntryPoint?: string
      readonly metadata?: Readonly<Record<string, unknown>>
    },
  ): Promise<{ readonly id: string }>
  pack(
    runId: string,
    options: { readonly kind: 'full' | 'simple' },
  ): Promise<{ readonly bytes: Uint8Array; readonly name: string }>
  unpack(
    source: Uint8Array | string,
    options: { readonly runId?: string; readonly by?: string; readonly from?: string },
  ): Promise<object>
  brief(
    runId: string,
    memories?: readonly { readonly content: string; readonly confidence: number; readonly memory_id?: string }[],
  ): Promise<string>
}

/** What `createSessions()` of `callboard/machines/session` gives. */
export interface SessionsDoor {
  create(id: string): Promise<boolean>
  update(id: string, part: Readonly<Record<string, unknown>>): Promise<void>
  get(id: string): Promise<Readonly<Record<string, unknown>>>
  info(
    id: string,
  ): Promise<
    { readonly createdAt: number; readonly updatedAt: number; readonly expiresAt: number | undefined } | undefined
  >
  delete(id: string): Promise<boolean>
  list(): Promise<readonly string[]>
}

/** What is known of evolutions, each a run; undefined where there is none of that id. */
export interface EvolutionsDoor {
  /** Everything that is known of one. */
  details(evolutionId: string): Promise<object | undefined>
  /** Before, plan, after, implementation. */
  comparison(evolutionId: string): Promise<object | undefined>
  /** One line each, oldest first. */
  list(): Promise<readonly object[]>
  /** The id of the newest. */
  current(): Promise<string | undefined>
  delete(evolutionId: string): Promise<boolean>
}

export interface House {
  readonly runtime: Runtime
  /** The workflows that may be started by name. */
  readonly workflows: readonly AnyStateMachine[]
  readonly memory?: Memory | undefined
  readonly tasks?: TasksDoor | undefined
  readonly sessions?: SessionsDoor | undefined
  readonly evolutions?: EvolutionsDoor | undefined
  /** The folder in which AoS clients find packs; they make and load none unless given. */
  readonly packs?: string | undefined
}

/** Opens what a tenant has; asked once per tenant. Undefined for a tenant that has nothing here. */
export type OpenHouse = (tenant: string) => Promise<House | undefined>
