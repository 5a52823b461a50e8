// The board of a session: an entry for every key of its data, and one that lives as long as the session does.
import { defineContext, entry } from 'callboard'
import type { ContextDefinition } from 'callboard'
import { z } from 'zod'

/** Before every key of a user: whatever they call their data, it is in nobody's way. */
const PREFIX = 'data.'

/** In S3, the instant of the last update stood among the data under this name. */
export const TIMESTAMP = '_timestamp'

export const board = defineContext({
  /** Written with every update; when it expires, the session is over. */
  touched: entry(z.literal(true), { merge: 'replace', pinned: true }),
  /** Never evicted: a session that is full refuses what is new. */
  'data.*': entry(z.unknown(), { merge: 'replace', pinned: true }),
})

export type SessionValues = typeof board extends ContextDefinition<infer Values> ? Values : never

/** The entry of a key. */
export function keyOf(name: string): `data.${string}` {
  return `${PREFIX}${name}` as `data.${string}`
}

/** The key of an entry; undefined for an entry that is no data. */
export function nameOf(key: string): string | undefined {
  return key.startsWith(PREFIX) ? key.slice(PREFIX.length) : undefined
}
