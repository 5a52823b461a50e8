import { handOut } from '../base/index.ts'
import { rankOf } from './priority.ts'
import type { Priority } from './priority.ts'
import type { Scope } from './scope.ts'

/** What the board holds under a key, frozen through and through. */
export interface Entry<Value = unknown> {
  readonly key: string
  readonly value: Value
  readonly scope: Scope
  /** The group or the agent the entry belongs to; undefined for global and workflow entries. */
  readonly holder: string | undefined
  /** Who created it. */
  readonly owner: string
  readonly updatedBy: string
  readonly priority: Priority
  /** 1, 2, 3, …: one more with every accepted update and deletion. */
  readonly version: number
  /** Instants in milliseconds since 1970. */
  readonly createdAt: number
  readonly updatedAt: number
  readonly expiresAt: number | undefined
  readonly dependsOn: readonly string[]
  readonly metadata: Readonly<Record<string, unknown>>
  readonly protected: boolean
  readonly ephemeral: boolean
  readonly sensitive: boolean
  readonly pinned: boolean
  /** Something it depends on has changed since it was written. */
  readonly stale: boolean
}

/** An entry without its value: what filters and records are given. */
export type EntryInfo = Omit<Entry, 'value'>

/**
 * Which version of which shared entry (global or of the workflow) an author had read. Group and private entries have
 * versions of their own under the same keys; comparing those with these would tell of entries out of sight.
 */
export type Lineage = readonly { readonly key: string; readonly version: number }[]

/**
 * The board's own record of an entry: the entry as handed out, and what is not for agents' eyes. A deleted or expired
 * entry leaves a cell that is not `live`, so that its versions go on counting.
 */
export interface Cell {
  readonly entry: Entry
  readonly live: boolean
  /** The value holds parts that cannot be frozen and is copied when handed out. */
  readonly exotic: boolean
  /** Approximate size of the value, in characters of JSON. */
  readonly size: number
  /** How often the cell changed, staleness included. */
  readonly touches: number
  readonly lineage: Lineage
}

/** The order of entries everywhere. */
export function compareCells(one: Cell, other: Cell): number {
  return compareEntries(one.entry, other.entry)
}

/** Pinned first, then by priority, then the newest, then by key, then the narrowest scope. */
export function compareEntries(a: Entry, b: Entry): number {
  if (a === b) return 0
  if (a.pinned !== b.pinned) return a.pinned ? -1 : 1
  const byPriority = rankOf(a.priority) - rankOf(b.priority)
  if (byPriority !== 0) return byPriority
  if (a.updatedAt !== b.updatedAt) return b.updatedAt - a.updatedAt
  if (a.key !== b.key) return a.key < b.key ? -1 : 1
  return compareText(a.scope, b.scope) || compareText(a.holder ?? '', b.holder ?? '')
}

function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

/** The cell's value, safe to give away. */
export function valueOf(cell: Cell): unknown {
  return cell.exotic ? handOut(cell.entry.value) : cell.entry.value
}

/** The cell's entry, safe to give away. */
export function entryOf(cell: Cell): Entry {
  return cell.exotic ? Object.freeze({ ...cell.entry, value: handOut(cell.entry.value) }) : cell.entry
}

/** The entry as plain JSON data: ten names, instants as ISO 8601, `expires_at` null when it never expires. */
export function entryToJson(entry: Entry): Readonly<Record<string, unknown>> {
  return {
    key: entry.key,
    value: entry.value,
    agent_id: entry.owner,
    timestamp: new Date(entry.updatedAt).toISOString(),
    scope: entry.scope,
    priority: entry.priority,
    metadata: entry.metadata,
    version: entry.version,
    expires_at: entry.expiresAt === undefined ? null : new Date(entry.expiresAt).toISOString(),
    dependencies: entry.dependsOn,
  }
}
