// What an agent's function is handed: its view of the board and everything it may do. Types only; the runtime makes it.
import type { Acceptance, Entry, PutOptions, Refusal, UpdateOptions, View } from '../context/index.ts'
import type { AgentMemory } from '../memory/index.ts'
import type { NotificationHandler } from '../waits/index.ts'
import type { Changes } from './values.ts'

/** The newest view, whenever it is asked; `current` is a frozen one. */
export interface LiveView<Readable extends object> extends View<Readable> {
  /** The frozen view of this moment: the same object as long as nothing in it changes. */
  readonly current: View<Readable>
}

export interface WaitOptions {
  /** Milliseconds before the wait is given up; 30,000 unless given, `Infinity` for none. */
  readonly timeoutMs?: number
  /** A stale entry does not count: wait for a new one. */
  readonly fresh?: boolean
  /** Only a version above this counts: the version that was last seen. */
  readonly since?: number
  readonly signal?: AbortSignal
}

/** Waits for entries; each rejects with `wait.timeout`, `wait.deadlock`, or the reason of an abort. */
export interface WaitFor<Readable extends object> {
  <Key extends keyof Readable & string>(key: Key, options?: WaitOptions): Promise<Readable[Key]>
  <const Keys extends readonly (keyof Readable & string)[]>(
    keys: Keys,
    options?: WaitOptions,
  ): Promise<{ readonly [Key in Keys[number]]: Readable[Key] }>
  /** A condition over the view: asked again whenever something it looked at changes. */
  <Result>(
    condition: (view: View<Readable>) => Result,
    options?: Omit<WaitOptions, 'fresh' | 'since'>,
  ): Promise<NonNullable<Exclude<Result, false>>>
}

/** The first of several entries, discriminated by its key. */
export type FirstOf<Readable extends object, Keys extends keyof Readable> = Keys extends keyof Readable
  ? { readonly key: Keys; readonly value: Readable[Keys] }
  : never

/** What came of an accepted update. */
export interface Accepted extends Pick<Acceptance, 'conflicts' | 'skipped'> {
  readonly kind: 'accepted'
  /** The new version of every key that was written. */
  readonly versions: Readonly<Record<string, number>>
}

export type UpdateResult = Accepted | Refusal

export interface StepOptions {
  /** Attempts after the first; 0 unless given. */
  readonly retries?: number
  /** Milliseconds before the first retry, doubled for each further one; 200 unless given. */
  readonly backoffMs?: number
  /** Longest backoff in milliseconds; 30,000 unless given. */
  readonly maxBackoffMs?: number
  /** Milliseconds for one attempt; none unless given. */
  readonly timeoutMs?: number
  /** Whether an error is worth another attempt; every one is unless given. */
  readonly retryOn?: (error: unknown) => boolean
}

/** What a step's function is told. */
export interface StepContext {
  /** 1 for the first attempt, counted over crashes too. */
  readonly attempt: number
  /** The same for all attempts of this step: hand it to services that can recognise a repetition. */
  readonly idempotencyKey: string
  /** Aborted when the attempt times out or the agent is stopped. */
  readonly signal: AbortSignal
}

export interface SubscribeOptions {
  /** Be told of one's own updates too. */
  readonly own?: boolean
}

export interface AskOptions {
  /** What the person reads. */
  readonly question?: string
  /** Milliseconds before it is given up; no limit unless given. */
  readonly timeoutMs?: number
}

/** How far an agent is, for people who watch. */
export interface Progress {
  readonly done?: number
  readonly total?: number
  readonly message?: string
}

export interface AgentContext<Readable extends object, Writable extends object, Input> {
  /** The id of this invocation; the type is the name the agent is registered under. */
  readonly id: string
  readonly type: string
  readonly runId: string
  readonly input: Input
  readonly view: LiveView<Readable>
  readonly waitFor: WaitFor<Readable>
  /** The first of several entries to be there. */
  readonly waitForAny: <const Keys extends readonly (keyof Readable & string)[]>(
    keys: Keys,
    options?: WaitOptions,
  ) => Promise<FirstOf<Readable, Keys[number]>>
  /** All of several entries. */
  readonly waitForAll: <const Keys extends readonly (keyof Readable & string)[]>(
    keys: Keys,
    options?: WaitOptions,
  ) => Promise<{ readonly [Key in Keys[number]]: Readable[Key] }>
  /**
   * Writes entries, all or none; resolved when they are durable.
   * @throws CallboardError `update.refused` with the refusal in its details
   */
  readonly update: (changes: Changes<Writable>, options?: UpdateOptions) => Promise<Accepted>
  /** Like `update`, but a refusal is a value. */
  readonly tryUpdate: (changes: Changes<Writable>, options?: UpdateOptions) => Promise<UpdateResult>
  /** Runs a function whose result is recorded: after a crash it is not run again. Results are plain data. */
  readonly step: <Result>(
    name: string,
    run: (context: StepContext) => Result | Promise<Result>,
    options?: StepOptions,
  ) => Promise<Awaited<Result>>
  /** Calls the handler after commits that change these keys; gives the function that ends it. */
  readonly on: (
    patterns: (keyof Readable & string) | (string & {}) | readonly string[],
    handler: NotificationHandler,
    options?: SubscribeOptions,
  ) => () => void
  /** Asks a person for an entry and waits for the answer. */
  readonly ask: <Key extends keyof Readable & string>(key: Key, options?: AskOptions) => Promise<Readable[Key]>
  /** Asks a person for an event, which the machine then receives. */
  readonly askForEvent: (event: string, options?: AskOptions) => Promise<Readonly<Record<string, unknown>>>
  /** Sends an event to the workflow's machine. */
  readonly send: (event: { readonly type: string; readonly [field: string]: unknown }) => Promise<void>
  readonly progress: (progress: Progress) => void
  /**
   * What outlives the run, as this agent's type sees it.
   * @throws CallboardError `agent.no-memory` when the runtime was given none
   */
  readonly memory: AgentMemory
  /** Aborted when the state that invoked the agent is left or the run is stopped. */
  readonly signal: AbortSignal
}

export type { Entry, PutOptions }
