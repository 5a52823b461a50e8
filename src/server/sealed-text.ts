// Sealed text: encrypted under a secret of whoever may read it again. Every text has a key of its own, so that none is
// ever used twice.
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'

const SALT_BYTES = 32
const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16
const CIPHER = 'aes-256-gcm'

/** @param place where the text stands; moved elsewhere it does not open */
export function sealText(secret: string | Uint8Array, text: string, place: string): string {
  const salt = randomBytes(SALT_BYTES)
  const { key, nonce } = keyOf(secret, salt)
  const cipher = createCipheriv(CIPHER, key, nonce).setAAD(Buffer.from(place))
  return Buffer.concat([salt, cipher.update(text), cipher.final(), cipher.getAuthTag()]).toString('base64')
}

/** Undefined where it was sealed under another secret, for another place, or is no sealed text. */
export function openText(secret: string | Uint8Array, sealed: string, place: string): string | undefined {
  const bytes = Buffer.from(sealed, 'base64')
  const end = bytes.length - TAG_BYTES
  if (end < SALT_BYTES) return undefined
  const { key, nonce } = keyOf(secret, bytes.subarray(0, SALT_BYTES))
  const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(place))
  decipher.setAuthTag(bytes.subarray(end))
  try {
    return Buffer.concat([decipher.update(bytes.subarray(SALT_BYTES, end)), decipher.final()]).toString()
  } catch {
    return undefined
  }
}

/** What tells texts apart, and says nothing of them to who does not know the secret. */
export function markOf(secret: string | Uint8Array, text: string): string {
  return createHmac('sha256', Buffer.from(hkdfSync('sha256', secret, '', 'callboard 1 mark', KEY_BYTES)))
    .update(text)
    .digest('base64url')
}

function keyOf(secret: string | Uint8Array, salt: Uint8Array): { readonly key: Buffer; readonly nonce: Buffer } {
  const bytes = Buffer.from(hkdfSync('sha256', secret, salt, 'callboard 1 answer', KEY_BYTES + NONCE_BYTES))
  return { key: bytes.subarray(0, KEY_BYTES), nonce: bytes.subarray(KEY_BYTES) }
}
