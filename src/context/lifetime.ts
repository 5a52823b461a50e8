// How long entries live: what may be asked for.

/** The last instant that a Date can hold, in milliseconds since 1970. */
export const LAST_INSTANT = 8.64e15

/** Longest life time in milliseconds; added to any time of day it stays before the last instant. */
const LONGEST_MS = 4e15

export const DURATION_RULE = 'ttlMs is a positive number of milliseconds; leave it out for an entry that stays'

export function isDuration(ms: unknown): ms is number {
  return typeof ms === 'number' && ms > 0 && ms <= LONGEST_MS
}
