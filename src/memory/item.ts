// Item: one thing that is remembered, and what is known about it.
import type { MemoryScope } from './scope.ts'

/** What is known in general, what happened, how something is done. */
export const MEMORY_KINDS = ['semantic', 'episodic', 'procedural'] as const
export type MemoryKind = (typeof MEMORY_KINDS)[number]

/** How an item wants to be taken. */
export const MEMORY_TYPES = ['fact', 'preference', 'policy', 'decision', 'invariant'] as const
export type MemoryType = (typeof MEMORY_TYPES)[number]

/** `superseded`: another item stands in its place. `deprecated`: none does. Both are kept as tombstones. */
export const MEMORY_STATUSES = ['active', 'superseded', 'deprecated'] as const
export type MemoryStatus = (typeof MEMORY_STATUSES)[number]

/** Why an item is no longer active. */
export interface Tombstone {
  readonly at: number
  readonly batchId: string
  readonly reason: string
  /** The id of the item in its place. */
  readonly supersededBy: string | undefined
}

/** Where an item comes from. */
export interface Provenance {
  readonly runId: string
  /** The type of the agent that proposed it. */
  readonly agent: string | undefined
  readonly batchId: string
}

export interface MemoryItem {
  /** Once per scope. */
  readonly id: string
  readonly kind: MemoryKind
  readonly type: MemoryType
  readonly scope: MemoryScope
  /** What is searched. */
  readonly text: string
  /** Plain data that goes with it, frozen. */
  readonly data: Readonly<Record<string, unknown>>
  /** What it is about; at most one active item of a scope is about one subject. */
  readonly subject: string | undefined
  /** From 0 to 1. */
  readonly confidence: number
  readonly rationale: string
  readonly sources: readonly string[]
  /** The ids of the items in whose place it stands. */
  readonly supersedes: readonly string[]
  readonly provenance: Provenance
  readonly createdAt: number
  readonly updatedAt: number
  /** Undefined for one that stays. */
  readonly expiresAt: number | undefined
  readonly status: MemoryStatus
  readonly tombstone: Tombstone | undefined
  /** 1, 2, 3, …: counts the commits that changed it. */
  readonly version: number
  /** How often it was recalled. */
  readonly accessCount: number
  readonly accessedAt: number | undefined
}

/** Whether an item counts as absent. */
export function isOver({ expiresAt }: Pick<MemoryItem, 'expiresAt'>, now: number): boolean {
  return expiresAt !== undefined && expiresAt <= now
}
