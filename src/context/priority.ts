/** How much an entry matters, highest first. Ranked, never compared as text. */
export const PRIORITIES = ['critical', 'high', 'medium', 'low'] as const

export type Priority = (typeof PRIORITIES)[number]

const RANKS: ReadonlyMap<string, number> = new Map(PRIORITIES.map((priority, rank) => [priority, rank]))

/** 0 for `critical` up to 3 for `low`. */
export function rankOf(priority: Priority): number {
  return RANKS.get(priority) ?? PRIORITIES.length
}

export function isPriority(value: unknown): value is Priority {
  return typeof value === 'string' && RANKS.has(value)
}
