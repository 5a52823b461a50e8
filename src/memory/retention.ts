// Retention: how long items of a kind stay, and how many. Ages are turned into `expiresAt` when an item is committed;
// numbers are kept afterwards, by scope, so that nobody's items make room for somebody else's.
import { CallboardError } from '../base/index.ts'
import { isOver, MEMORY_KINDS } from './item.ts'
import type { MemoryItem, MemoryKind } from './item.ts'
import { itemKey, scopeNameOf } from './scope.ts'

export interface KindRetention {
  /** Milliseconds from an item's commit to its end; `Infinity` for none. */
  readonly maxAgeMs: number
  /** Active items of one scope, and again as many tombstones. */
  readonly maxItems: number
}

export type MemoryRetention = Readonly<Record<MemoryKind, KindRetention>>

const DAY_MS = 86_400_000

export const MEMORY_RETENTION: MemoryRetention = Object.freeze({
  semantic: Object.freeze({ maxAgeMs: 365 * DAY_MS, maxItems: 10_000 }),
  episodic: Object.freeze({ maxAgeMs: 90 * DAY_MS, maxItems: 5_000 }),
  procedural: Object.freeze({ maxAgeMs: 180 * DAY_MS, maxItems: 2_000 }),
})

/** How long a batch is kept, whether it was committed or not; afterwards it can be neither committed nor reverted. */
export const BATCH_AGE_MS: number = 365 * DAY_MS

/** What was taken out. */
export interface PruneReport {
  readonly expired: number
  readonly evicted: number
  readonly batches: number
}

/** @throws CallboardError `memory.option` */
export function retentionOf(given: Partial<Record<MemoryKind, Partial<KindRetention>>> = {}): MemoryRetention {
  const unknown = Object.keys(given).find((kind) => !(MEMORY_KINDS as readonly string[]).includes(kind))
  if (unknown !== undefined) {
    throw new CallboardError('memory.option', `retention knows ${MEMORY_KINDS.join(', ')}, not "${unknown}"`, {
      unknown,
    })
  }
  const rules = MEMORY_KINDS.map((kind) => {
    const { maxAgeMs, maxItems } = { ...MEMORY_RETENTION[kind], ...given[kind] }
    if (!(maxAgeMs > 0) || !(maxItems >= 1)) {
      throw new CallboardError('memory.option', `retention.${kind}: maxAgeMs is above 0 and maxItems at least 1`, {
        kind,
      })
    }
    return [kind, Object.freeze({ maxAgeMs, maxItems })] as const
  })
  return Object.freeze(Object.fromEntries(rules)) as MemoryRetention
}

/** When an item of a kind that is committed now ends. */
export function endOf(retention: MemoryRetention, kind: MemoryKind, now: number): number | undefined {
  const { maxAgeMs } = retention[kind]
  return maxAgeMs === Number.POSITIVE_INFINITY ? undefined : now + maxAgeMs
}

/**
 * Which of some items have to go: the expired ones, and in every scope, kind and life (active or tombstone) those
 * beyond the limit, keeping the most recalled, then the newest, then what came last.
 *
 * @param items in the order of their arrival
 */
export function selectOutlived(
  items: readonly MemoryItem[],
  retention: MemoryRetention,
  now: number,
): { readonly expired: readonly string[]; readonly evicted: readonly string[] } {
  const expired: string[] = []
  const shelves = new Map<string, { readonly item: MemoryItem; readonly place: number }[]>()
  for (const [place, item] of items.entries()) {
    if (isOver(item, now)) {
      expired.push(itemKey(item.scope, item.id))
      continue
    }
    const shelf = `${scopeNameOf(item.scope)}${item.kind}:${item.status === 'active'}`
    const found = shelves.get(shelf)
    if (found === undefined) shelves.set(shelf, [{ item, place }])
    else found.push({ item, place })
  }
  const evicted = [...shelves.values()].flatMap((shelf) =>
    shelf
      .toSorted(
        (a, b) => b.item.accessCount - a.item.accessCount || b.item.updatedAt - a.item.updatedAt || b.place - a.place,
      )
      .slice(shelf[0] === undefined ? 0 : retention[shelf[0].item.kind].maxItems)
      .map(({ item }) => itemKey(item.scope, item.id)),
  )
  return { expired, evicted }
}
