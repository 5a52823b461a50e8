// What a runtime is made with, and what a run is started with.
import type { AnyStateMachine } from 'xstate'
import type { Clock, Ids } from '../base/index.ts'
import type { MemorySource } from '../memory/index.ts'
import type { Labels, Store } from '../store/index.ts'
import type { HousekeepingOptions } from './housekeeping.ts'
import type { RetentionOptions, SnapshotOptions } from './retention.ts'

export interface RuntimeOptions {
  /** Where ledgers are kept; in memory unless given. The runtime does not close it. */
  readonly store?: Store
  /** Whose global entries its runs share; `default` unless given. */
  readonly tenant?: string
  /** The workflows whose stored runs it can open. */
  readonly workflows?: readonly AnyStateMachine[]
  /** What its agents remember: `createMemory()` of `callboard/memory`, or `memory.within({ project })`. */
  readonly memory?: MemorySource
  readonly clock?: Clock
  readonly ids?: Ids
  /** A number from 0 (inclusive) to 1, for the jitter of backoffs. */
  readonly random?: () => number
  /** Milliseconds that a wait lasts unless it says otherwise; 30,000 unless given, `Infinity` for no limit. */
  readonly waitTimeoutMs?: number
  /** When the whole state of a run is stored, so that opening it begins there. */
  readonly snapshots?: SnapshotOptions
  /** How much of a run's history stays; everything unless given. */
  readonly retention?: RetentionOptions
  /** How many runs there may be, and which are forgotten by themselves; everything stays unless given. */
  readonly housekeeping?: HousekeepingOptions
  /** Runs in memory beyond which idle ones go to rest, until a message or a deadline; 1,000 unless given. */
  readonly maxActiveRuns?: number
  /** XState's inspection events of every run. An inspector that throws harms nothing. */
  readonly inspect?: (event: unknown) => void
}

export interface StartOptions<Input> {
  readonly input?: Input
  /** Chosen by the runtime unless given; refused if a run has it already. */
  readonly runId?: string
  /** Short texts to know the run by; stored in the clear with its summary. */
  readonly labels?: Labels
}

/** `input` may be left out only where the workflow takes none. */
export type StartArguments<Input> = undefined extends Input
  ? [options?: StartOptions<Input>]
  : [options: StartOptions<Input> & { readonly input: Input }]

export interface CloseOptions {
  /** `keep` lets go of the runs as they are stored, `stop` ends them. */
  readonly runs?: 'keep' | 'stop'
}
