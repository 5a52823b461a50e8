// Tokens: secrets that callers show. Only their hashes are kept; a secret has 256 random bits, so that a plain hash is as
// good as a slow one.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { AgentIdentity, Role } from './caller.ts'

/** What is kept of a token. */
export interface StoredToken {
  readonly id: string
  readonly name: string
  readonly role: Role
  readonly tenant: string
  readonly agent: AgentIdentity | undefined
  readonly createdAt: number
  readonly expiresAt: number | undefined
  readonly revokedAt: number | undefined
}

const PREFIX = 'cbt'
const FORM = /^cbt_(?<id>[0-9a-f]{16})_(?<secret>[A-Za-z0-9_-]{43})$/

/** A new token as it is shown once, its id and the hash that is kept. */
export function makeToken(): { readonly id: string; readonly text: string; readonly hash: Uint8Array } {
  const id = randomBytes(8).toString('hex')
  const secret = randomBytes(32).toString('base64url')
  return { id, text: `${PREFIX}_${id}_${secret}`, hash: hashOf(secret) }
}

export function parseToken(text: string): { readonly id: string; readonly hash: Uint8Array } | undefined {
  const { id, secret } = FORM.exec(text)?.groups ?? {}
  return id === undefined || secret === undefined ? undefined : { id, hash: hashOf(secret) }
}

/** Compares in a time that does not depend on where they differ. */
export function isSameHash(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && timingSafeEqual(one, other)
}

export function hashOf(text: string): Uint8Array {
  return createHash('sha256').update(text).digest()
}
