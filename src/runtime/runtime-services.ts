// What a runtime gives to each of its runs.
import type { AnyStateMachine } from 'xstate'
import type { Bus, Clock, Deadlines } from '../base/index.ts'
import type { CellChange, Filters } from '../context/index.ts'
import type { LedgerRecord } from '../ledger/index.ts'
import type { MemorySource } from '../memory/index.ts'
import type { Store } from '../store/index.ts'
import type { WaitForGraph } from '../waits/index.ts'
import type { Progress } from '../workflow/index.ts'
import type { Globals } from './globals.ts'
import type { OpenRequest } from './requests.ts'
import type { RunCore } from './run-core.ts'
import type { RunEnd } from './run-end.ts'
import type { SnapshotKeeping } from './snapshot-taker.ts'
import type { Surroundings } from './surroundings.ts'
import type { WaitMessage } from './wait-message.ts'

/** What a runtime tells its listeners, by topic. */
export type RuntimeTopics = {
  /** A run began. */
  run: { readonly runId: string; readonly workflow: string }
  /** A run ended. */
  end: { readonly runId: string; readonly status: 'done' | 'failed' | 'stopped'; readonly error?: unknown }
  /** A record was committed. */
  record: { readonly runId: string; readonly record: LedgerRecord }
  /** An agent began or ended. */
  agent: { readonly runId: string; readonly agent: string; readonly type: string; readonly status: string }
  /** An agent waits for what is not there yet, or does so no more. */
  wait: WaitMessage
  /** A run is compared or exported. */
  query: { readonly runId: string; readonly what: 'compare' | 'export' }
  progress: { readonly runId: string; readonly agent: string } & Progress
  /** A person is asked. */
  request: { readonly runId: string; readonly request: OpenRequest }
  deadlock: { readonly runId: string; readonly graph: WaitForGraph }
  /** Ended runs were forgotten. */
  pruned: { readonly runIds: readonly string[] }
  /** A listener or inspector failed; nothing else was harmed. */
  failure: { readonly topic: string; readonly error: unknown }
}

export interface RuntimeServices {
  readonly clock: Clock
  readonly deadlines: Deadlines
  readonly random: () => number
  readonly store: Store
  readonly globals: Globals
  readonly filters: Filters
  readonly surroundings: Surroundings
  readonly topics: Bus<RuntimeTopics>
  readonly memory: MemorySource | undefined
  readonly inspect: ((event: unknown) => void) | undefined
  /** Milliseconds that a wait lasts unless it says otherwise. */
  readonly waitTimeoutMs: number
  readonly nextUpdateId: () => string
  /** Work that whoever closes the runtime waits for. */
  readonly track: (work: Promise<void>) => void
  /** Starts a child run, or finds it again; gives how it has ended, if it has. Its parent is told when it does. */
  startChild(
    machine: AnyStateMachine,
    seed: {
      readonly runId: string
      readonly input: unknown
      readonly parent: { readonly runId: string; readonly id: string }
    },
    /** Whether nobody needs it any more: asked before another attempt, where the store has failed. */
    isOver: () => boolean,
  ): Promise<RunEnd | undefined>
  /** Ends a run, brought back if it rests. */
  stopRun(runId: string, reason: string): Promise<void>
  /** Tells every other run of committed changes to global entries. */
  announceGlobals(from: string, changes: readonly CellChange[], by: string, at: number): void
  /** A commit has failed: the run is to go on from what is stored. */
  onLost(runId: string, rivalSeq: number | undefined): void
  onEnded(core: RunCore, end: RunEnd): void
  /** A run has been written to. */
  onCommitted(runId: string): void
  /** A run may have become idle. */
  onQuiet(): void
  /** Whether some workflow could write a key that a pattern names for all runs. */
  isShared(pattern: string): boolean
  /** How the snapshots of a ledger are taken. */
  readonly keeping: SnapshotKeeping
}
