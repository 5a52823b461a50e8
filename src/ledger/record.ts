// Records: the lines of a run's ledger. A record says what was asked, by whom and when, and what came of it; folding the
// outcomes gives the board, without any merge code.
import type { CellChange, Conflict, Refusal } from '../context/index.ts'

/** What a record is about. */
export type RecordKind =
  /** The run began. */
  | 'start'
  /** An update, or the answer of a person, was accepted. */
  | 'update'
  /** An update was refused; nothing changed. */
  | 'refusal'
  /** The machine took an event. */
  | 'event'
  /** Entries expired, or became stale because of another run. */
  | 'upkeep'
  /** A step of an agent began an attempt, ended, or failed. */
  | 'step'
  /** A person was asked. */
  | 'request'
  /** A snapshot was taken. */
  | 'snapshot'
  /** Agents have waited for a while, or waits of which that was said have ended. */
  | 'wait'
  /** The run was stopped, or failed outside its machine. */
  | 'end'
  /** The run goes on with another definition of its workflow. */
  | 'definition'
  /** The run came out of a pack: what follows happened here. */
  | 'unpack'

/** The machine's part of a run's state; everything needed to go on from here but the board. */
export interface MachineState {
  readonly status: 'active' | 'done' | 'error' | 'stopped'
  readonly value: unknown
  /** XState's persisted snapshot without its context. */
  readonly persisted: unknown
  /** The machine's context without the board. */
  readonly context: Readonly<Record<string, unknown>>
  /** Delayed events that have not come yet. */
  readonly timers: readonly {
    readonly id: string
    readonly event: { readonly type: string }
    readonly dueAt: number
    /** Who has set it and who gets the event: the ids on the way down to an actor; [] for the machine itself. */
    readonly source: readonly string[]
    readonly target: readonly string[]
  }[]
  /** How many agents and child workflows have been invoked so far: their names go on from there. */
  readonly invocations: number
  readonly output: unknown
  readonly error: { readonly code: string; readonly message: string } | undefined
}

/** A place in the ledger of the global entries. Its instant tells one database from another. */
export interface GlobalsMark {
  readonly seq: number
  readonly at: number
}

export interface LedgerRecord {
  /** 1, 2, 3, … without gaps. */
  readonly seq: number
  readonly runId: string
  readonly at: number
  readonly kind: RecordKind
  readonly author: string
  /** What was asked, in the words of its kind; plain data. */
  readonly asked: unknown
  readonly changes: readonly CellChange[]
  readonly conflicts: readonly Conflict[]
  readonly refusals: readonly Refusal[]
  /** Only when it is another than after the record before. */
  readonly machine: MachineState | undefined
  /** Up to where the run saw the global entries; only when that is another place than at the record before. */
  readonly globals?: GlobalsMark
}
