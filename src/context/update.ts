// Update: what an author asks to write, made ready for a transition: values admitted, addresses resolved, time and ids
// attached. Applying one is a pure function of the board (board.ts).
import type { Author } from './author.ts'
import type { CatalogueEntry } from './catalogue.ts'
import type { PathConflict } from './conflict.ts'
import type { Cell, Lineage } from './entry.ts'
import type { Policy } from './policy.ts'
import type { Priority } from './priority.ts'
import type { EntryAddress } from './scope.ts'

/** What an author knew of an entry when it wrote: a cell, nothing (`absent`), or it cannot be told (`unknown`). */
export type Seen = Cell | 'absent' | 'unknown'

/** Overrides of the catalogue for one write. */
export interface WriteOptions {
  readonly priority?: Priority
  readonly ttlMs?: number
  readonly expiresAt?: number
  readonly metadata?: Readonly<Record<string, unknown>>
  readonly dependsOn?: readonly string[]
  readonly pinned?: boolean
}

interface ChangeBase extends EntryAddress {
  readonly definition: CatalogueEntry
  readonly seen: Seen
  readonly expectedVersion: number | undefined
  /** The author may overwrite and delete this key although it is protected. */
  readonly mayOverride: boolean
}

export interface PutChange extends ChangeBase {
  readonly kind: 'put'
  readonly value: unknown
  readonly exotic: boolean
  readonly secret: boolean
  readonly size: number
  /** Only part of the value is given; it was not checked against the schema, the merged value will be. */
  readonly partial: boolean
  readonly policy: Policy
  readonly policyName: string
  readonly options: WriteOptions
}

export interface DropChange extends ChangeBase {
  readonly kind: 'drop'
}

/**
 * An entry is put in place as it stands, or removed: history or a branch says what it is. Policies, rights and protection
 * were looked at before, with nothing in between.
 */
export interface PlaceChange extends EntryAddress {
  readonly kind: 'place'
  /** What is to be there; its version counts on from what is there. Undefined: nothing. */
  readonly cell: Cell | undefined
  /** What policies had to decide for it. */
  readonly conflicts: readonly Omit<Conflict, 'id' | 'version'>[]
}

export type Change = PutChange | DropChange | PlaceChange

/** An update on its way into a transition. Its values do not show in JSON: inspection must not leak what is sensitive. */
export class Update {
  readonly kind = 'update'
  readonly id: string
  readonly author: Author
  readonly at: number
  readonly changes: readonly Change[]
  readonly lineage: Lineage

  constructor(fields: { id: string; author: Author; at: number; changes: readonly Change[]; lineage: Lineage }) {
    this.id = fields.id
    this.author = fields.author
    this.at = fields.at
    this.changes = fields.changes
    this.lineage = fields.lineage
  }

  toJSON(): unknown {
    return { id: this.id, author: this.author, at: this.at, keys: this.changes.map(({ key }) => key) }
  }
}

/** Why an update was not accepted. */
export type RefusalReason =
  | 'schema'
  | 'unknown-key'
  | 'not-writable'
  | 'scope'
  | 'value'
  | 'limit'
  | 'protected'
  | 'expected-version'
  | 'expected-seq'
  | 'concurrent-change'
  | 'policy'
  | 'policy-failed'
  | 'run-finished'

/** An update that was not accepted, as data. The sentence names the key, the rule and the author. */
export interface Refusal {
  readonly kind: 'refused'
  readonly reason: RefusalReason
  readonly key: string | undefined
  readonly author: string
  readonly message: string
  /** For `expected-version` and `concurrent-change`: what is there now. */
  readonly actualVersion?: number
}

/** A disagreement that a policy decided, kept so that it can be listed, shown and resolved again. */
export interface Conflict extends PathConflict {
  readonly id: string
  readonly key: string
  readonly address: EntryAddress
  readonly policy: string
  /** What the policy made of it. */
  readonly result: unknown
  readonly author: string
  /** Who had written what was there. */
  readonly against: string
  /** The version that came of it. */
  readonly version: number
}

/** What happened to one entry. */
export interface CellChange extends EntryAddress {
  readonly kind: 'put' | 'drop' | 'expire' | 'stale' | 'clear' | 'evict'
  readonly cell: Cell
  readonly previous: Cell | undefined
}

/** An update that was accepted. */
export interface Acceptance {
  readonly kind: 'accepted'
  readonly changes: readonly CellChange[]
  readonly conflicts: readonly Conflict[]
  /** Keys that `safe` or an equal protected value left as they were. */
  readonly skipped: readonly string[]
}

/** One line of a macrostep's transcript: what was asked and what came of it. */
export interface Outcome {
  readonly update: Update | undefined
  readonly result: Acceptance | Refusal
}
