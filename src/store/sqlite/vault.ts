import { crc32 } from 'node:zlib'
import type { Sealer } from '../../ledger/index.ts'
import { Envelope } from './envelope.ts'
import type { StoreKeys } from './envelope.ts'

const CHECK_CHARACTERS = 22

/** The keys in use, for everything that seals or wraps rows. Replaced when the key is rotated. */
export class Vault {
  readonly #compresses: boolean
  #keys: StoreKeys
  #envelope: Envelope

  constructor(keys: StoreKeys, compresses: boolean) {
    this.#compresses = compresses
    this.#keys = keys
    this.#envelope = new Envelope(keys.encryption, compresses)
  }

  get keys(): StoreKeys {
    return this.#keys
  }

  get hasKey(): boolean {
    return this.#keys.encryption !== undefined
  }

  get sealer(): Sealer {
    return this.#keys.sealer
  }

  /** Tells whether a row is as it was written: a checksum, or with a key a code that nobody else can make. */
  check(text: string): string {
    return this.hasKey ? this.#keys.sealer(text).slice(0, CHECK_CHARACTERS) : crc32(text).toString(36)
  }

  get envelope(): Envelope {
    return this.#envelope
  }

  /** A vault with another key that compresses likewise. */
  with(keys: StoreKeys): Vault {
    return new Vault(keys, this.#compresses)
  }

  replace(keys: StoreKeys): void {
    this.#keys = keys
    this.#envelope = new Envelope(keys.encryption, this.#compresses)
  }
}
