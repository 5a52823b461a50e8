// Who makes room for others, and in which order.
import type { Entry } from './entry.ts'
import { rankOf } from './priority.ts'

/** Whether an entry may be evicted at all: nothing that is pinned, critical or protected ever is. */
export function isEvictable({ pinned, priority, protected: isProtected }: Entry): boolean {
  return !pinned && priority !== 'critical' && !isProtected
}

/** Who goes first: the least priority, then the oldest, then by key. */
export function compareForEviction(one: Entry, other: Entry): number {
  return (
    rankOf(other.priority) - rankOf(one.priority) ||
    one.updatedAt - other.updatedAt ||
    compareText(one.key, other.key) ||
    compareText(one.scope, other.scope) ||
    compareText(one.holder ?? '', other.holder ?? '')
  )
}

function compareText(one: string, other: string): number {
  return one === other ? 0 : one < other ? -1 : 1
}
