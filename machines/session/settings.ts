// Settings: what the environment says of sessions, in the variables of S3 and S1. Read once, at the start: what is not
// valid is an error with the names of the variables, and what is unset is as it always was.
import { CallboardError } from 'callboard'
import { z } from 'zod'

const flag = z.stringbool({ truthy: ['true', '1', 'yes', 'on'], falsy: ['false', '0', 'no', 'off'] })
const off = flag.default(false)
const positive = z.coerce.number().positive()

const Environment = z.object({
  // S3
  USE_REDIS_CACHING: off,
  REDIS_URL: z.url({ protocol: /^rediss?$/ }).default('redis://localhost:6379/0'),
  TIME_BASED_EXPIRATION: off,
  SESSION_EXPIRATION_SECONDS: positive.default(3_600),
  GARBAGE_COLLECTION: off,
  ASYNC_OPERATIONS: off,
  EVENT_EMISSION: off,
  // S1
  CONTEXT_STORE_BACKEND: z.enum(['memory', 'redis', 'dynamodb']).default('memory'),
  CONTEXT_STORE_MAX_SIZE: positive.int().default(1_000),
  CONTEXT_STORE_TTL: positive.optional(),
  CONTEXT_STORE_COMPRESSION: flag.default(true),
})

/** What the environment says. */
export interface SessionSettings {
  /** Where the sessions are to be; anything but `memory` needs a store that is handed in. */
  readonly backend: 'memory' | 'redis' | 'dynamodb'
  readonly redisUrl: string
  /** Whether a session is gone as soon as its life time is over. */
  readonly expires: boolean
  readonly lifetimeMs: number
  /** Whether sessions that are over are collected in the background. */
  readonly collects: boolean
  /** Whether listeners are told. */
  readonly emits: boolean
  readonly maxSessions: number
  /** For whoever opens the store. */
  readonly compression: boolean
}

/**
 * Reads `CONTEXT_STORE_BACKEND`, `CONTEXT_STORE_MAX_SIZE`, `CONTEXT_STORE_TTL`, `CONTEXT_STORE_COMPRESSION`,
 * `USE_REDIS_CACHING`, `REDIS_URL`, `TIME_BASED_EXPIRATION`, `SESSION_EXPIRATION_SECONDS`, `GARBAGE_COLLECTION`,
 * `EVENT_EMISSION`. `ASYNC_OPERATIONS` is checked and changes nothing: everything is asynchronous. An empty text is unset.
 *
 * @throws CallboardError `session.settings` naming every variable that is not valid
 */
export function readSessionSettings(env: Readonly<Record<string, string | undefined>>): SessionSettings {
  const set = Object.entries(env).filter(([, value]) => value !== undefined && value !== '')
  const parsed = Environment.safeParse(Object.fromEntries(set))
  if (!parsed.success) throw settingsError(parsed.error)
  const found = parsed.data
  const seconds = found.CONTEXT_STORE_TTL ?? found.SESSION_EXPIRATION_SECONDS
  return Object.freeze({
    backend: found.USE_REDIS_CACHING ? 'redis' : found.CONTEXT_STORE_BACKEND,
    redisUrl: found.REDIS_URL,
    // A life time that is given for the store is meant.
    expires: found.TIME_BASED_EXPIRATION || found.CONTEXT_STORE_TTL !== undefined,
    lifetimeMs: seconds * 1_000,
    collects: found.GARBAGE_COLLECTION,
    emits: found.EVENT_EMISSION,
    maxSessions: found.CONTEXT_STORE_MAX_SIZE,
    compression: found.CONTEXT_STORE_COMPRESSION,
  })
}

function settingsError(error: z.ZodError): CallboardError {
  const lines = error.issues.map(({ path, message }) => `${path.map(String).join('.')}: ${message}`)
  const variables = error.issues.map(({ path }) => String(path[0]))
  return new CallboardError('session.settings', `the environment is not valid: ${lines.join('; ')}`, { variables })
}
