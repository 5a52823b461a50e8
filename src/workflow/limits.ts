// Limits of a workflow: how much the entries of a run may hold together, and what becomes of what has to go.
import type { Entry, EvictionReason, RoomLimits, UpdateOptions } from '../context/index.ts'
import type { Accepted } from './agent-context.ts'
import type { Changes } from './values.ts'

/** An entry that made room for others, as it was. */
export interface EvictedEntry extends EvictionReason {
  readonly entry: Entry
}

/** What a `compact` hook is told. */
export interface Compaction<Values extends object = Record<string, unknown>> {
  readonly runId: string
  /** Of the newest record that evicted something. */
  readonly seq: number
  readonly at: number
  /** In the order in which they went. */
  readonly evicted: readonly EvictedEntry[]
  /** Writes to the board in the name of `compact`: a summary, or where the entries are now. @throws CallboardError `update.refused` */
  update(changes: Changes<Values>, options?: UpdateOptions): Promise<Accepted>
}

/**
 * Called after the commit that evicted entries, once for all that went since the last call, never twice at a time. May
 * write to the board; the summary it writes is an entry like any other, so pin it or make it important. What it throws is
 * reported under the topic `failure` and harms nothing. A process that ends in between does not call it again: what was
 * evicted is in `run.evictions()`. It must not wait for entries that only a later compaction would write.
 */
export type Compact<Values extends object = Record<string, unknown>> = (
  compaction: Compaction<Values>,
) => void | Promise<void>

/** `workflow({ limits })`: the least important entries make room for what is written. */
export interface WorkflowLimits<Values extends object = Record<string, unknown>> extends RoomLimits {
  readonly compact?: Compact<Values>
}
