// Batch: changes that are proposed, looked at, and committed together or not at all.
import type { CheckedChange } from './change.ts'
import type { MemoryItem, MemoryStatus, Tombstone } from './item.ts'
import type { MemoryScope } from './scope.ts'

/** An item as it was when somebody referred to it. */
export interface ItemReference {
  readonly scope: MemoryScope
  readonly id: string
  readonly version: number
}

/** The life of an item at one version. */
export interface ItemLife {
  readonly status: MemoryStatus
  readonly tombstone: Tombstone | undefined
}

type Content = Omit<Extract<CheckedChange, { readonly op: 'add' }>, 'op' | 'id' | 'scope' | 'expiresAt'>

/** A change with its ids and scopes resolved: committing it needs nothing but time. */
export type StagedChange =
  | ({
      readonly op: 'add' | 'supersede'
      readonly id: string
      readonly scope: MemoryScope
      readonly supersedes: readonly ItemReference[]
      readonly expiresAt: number | 'never' | undefined
    } & Content)
  | { readonly op: 'deprecate'; readonly target: ItemReference; readonly rationale: string }
  | { readonly op: 'noop'; readonly rationale: string }
  /** Gives an item an earlier life back, or deprecates one that had none; made by `proposeRevert` only. */
  | {
      readonly op: 'restore'
      readonly target: ItemReference
      readonly life: ItemLife | undefined
      readonly rationale: string
    }

/** What a commit did to one item. */
export interface BatchEffect {
  readonly scope: MemoryScope
  readonly id: string
  /** Undefined for a new item. */
  readonly before: ItemLife | undefined
  readonly after: ItemLife
  /** The item's version since then. */
  readonly version: number
}

export interface MemoryBatch {
  readonly id: string
  /** The run that it belongs to. */
  readonly runId: string
  readonly agent: string | undefined
  readonly status: 'staged' | 'committed'
  readonly proposedAt: number
  readonly committedAt: number | undefined
  readonly changes: readonly StagedChange[]
  /** Tells a repeated proposal from another one under the same key. */
  readonly fingerprint: string
  /** Empty until it is committed. */
  readonly effects: readonly BatchEffect[]
  /** The ids of the items it added, in order; empty until it is committed. */
  readonly ids: readonly string[]
  /** The batch that it takes back. */
  readonly reverts: string | undefined
  /** The embedder of its vectors, and one vector per change; none where a change has no text. */
  readonly embedder: string
  readonly vectors: readonly (Float32Array | undefined)[]
}

/** What stands between a batch and what is remembered. */
export type MemoryConflict = {
  /** The number of the change, from 0. */
  readonly change: number
  /** Whether the batch cannot be committed as it is. */
  readonly blocking: boolean
  readonly message: string
} & (
  | { /** What it refers to is not there (any more). */ readonly kind: 'gone'; readonly id: string }
  | { /** Somebody changed it since. */ readonly kind: 'changed'; readonly item: MemoryItem }
  | { /** Its id is in use. */ readonly kind: 'taken'; readonly item: MemoryItem }
  | { /** Another active item of the scope has its subject. */ readonly kind: 'subject'; readonly item: MemoryItem }
  | {
      /** An active item says something near: perhaps the same, perhaps the opposite. */
      readonly kind: 'similar'
      readonly item: MemoryItem
      readonly similarity: number
    }
)

/** A batch beside what it would do now. */
export interface BatchReview {
  readonly batch: MemoryBatch
  /** The items as they would be, in the order of their first change. */
  readonly items: readonly MemoryItem[]
  readonly conflicts: readonly MemoryConflict[]
  readonly canCommit: boolean
}

export type CommitResult =
  | {
      readonly kind: 'committed'
      readonly batchId: string
      /** The ids of the items it added, in the order of its changes. */
      readonly ids: readonly string[]
      /** It had been committed before; nothing was done now. */
      readonly repeated: boolean
    }
  | { readonly kind: 'refused'; readonly batchId: string; readonly conflicts: readonly MemoryConflict[] }

/** The scopes that a batch touches. */
export function scopesOfBatch({ changes }: Pick<MemoryBatch, 'changes'>): readonly MemoryScope[] {
  return changes.flatMap((change) => {
    switch (change.op) {
      case 'add':
      case 'supersede':
        return [change.scope, ...change.supersedes.map(({ scope }) => scope)]
      case 'deprecate':
      case 'restore':
        return [change.target.scope]
      case 'noop':
        return []
      default:
        throw new TypeError(`unknown change ${String(change satisfies never)}`)
    }
  })
}
