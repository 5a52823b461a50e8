// Envelope: how a text stands in a row: as it is, compressed, encrypted, or both.
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { createSealer } from '../../ledger/index.ts'
import type { Sealer } from '../../ledger/index.ts'

/** Where a text stands; a text that was moved elsewhere does not decrypt. */
export interface RowPlace {
  readonly table: 'record' | 'snapshot' | 'about'
  readonly run: number
  readonly seq: number
}

/** What follows from a store's key: one key per use (HKDF-SHA-256, RFC 5869). Without a key, nothing is encrypted. */
export interface StoreKeys {
  readonly encryption: Uint8Array | undefined
  readonly sealer: Sealer
  /** Tells the right key from a wrong one; says nothing about it. */
  readonly check: string
}

const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16
const COMPRESSED = 1
const ENCRYPTED = 2
/** Compressing shorter texts costs more than it saves. */
const COMPRESS_ABOVE = 512

export function deriveKeys(key: Uint8Array | undefined, salt: string): StoreKeys {
  if (key === undefined) return { encryption: undefined, sealer: createSealer(), check: '' }
  const derive = (use: string): Uint8Array =>
    new Uint8Array(hkdfSync('sha256', key, salt, `callboard 1 ${use}`, KEY_BYTES))
  const sealer = createSealer(derive('chain'))
  return { encryption: derive('encryption'), sealer, check: createSealer(derive('check'))('callboard') }
}

export class Envelope {
  readonly #key: Uint8Array | undefined
  readonly #compresses: boolean

  constructor(key: Uint8Array | undefined, compresses: boolean) {
    this.#key = key
    this.#compresses = compresses
  }

  wrap(text: string, place: RowPlace): string | Uint8Array {
    const compressed = this.#compresses && text.length > COMPRESS_ABOVE
    if (this.#key === undefined && !compressed) return text
    const bytes = compressed ? zstdCompressSync(text) : Buffer.from(text)
    if (this.#key === undefined) return Buffer.concat([Uint8Array.of(COMPRESSED), bytes])
    const form = compressed ? COMPRESSED | ENCRYPTED : ENCRYPTED
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce)
    cipher.setAAD(placeBytes(place, form))
    return Buffer.concat([Uint8Array.of(form), nonce, cipher.update(bytes), cipher.final(), cipher.getAuthTag()])
  }

  /** @throws when the body is not what `wrap` made for this place with this key */
  unwrap(body: unknown, place: RowPlace): string {
    if (typeof body === 'string' && this.#key === undefined) return body
    if (!(body instanceof Uint8Array)) throw new TypeError('the body of a row is neither text nor bytes')
    const form = body[0] ?? 0
    const isEncrypted = (form & ENCRYPTED) !== 0
    if (form > (COMPRESSED | ENCRYPTED) || isEncrypted !== (this.#key !== undefined)) {
      throw new TypeError('the body of a row has an unknown form')
    }
    const bytes = this.#key === undefined ? body.subarray(1) : decrypt(this.#key, body, placeBytes(place, form))
    return ((form & COMPRESSED) === 0 ? Buffer.from(bytes) : zstdDecompressSync(bytes)).toString('utf8')
  }
}

function decrypt(key: Uint8Array, body: Uint8Array, place: Uint8Array): Uint8Array {
  const end = body.length - TAG_BYTES
  const decipher = createDecipheriv('aes-256-gcm', key, body.subarray(1, 1 + NONCE_BYTES), { authTagLength: TAG_BYTES })
  decipher.setAAD(place)
  decipher.setAuthTag(body.subarray(end))
  return Buffer.concat([decipher.update(body.subarray(1 + NONCE_BYTES, end)), decipher.final()])
}

function placeBytes({ table, run, seq }: RowPlace, form: number): Uint8Array {
  return Buffer.from(`${table}|${run}|${seq}|${form}`)
}
