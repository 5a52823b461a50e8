// Heads file: where each ledger ends, kept beside the database. SQLite drops what follows a broken frame of its log
// without a word; this file remembers that there was more.
//   H1. A slot is written after the commit it tells of, never before: it may lag behind, and never runs ahead.
//   H2. It is a guard, not data: without it everything can be read, and it is made anew from the database.
//   H3. Slots of removed runs stay: the database says that they were removed.
import { closeSync, existsSync, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import type { Vault } from './vault.ts'

/** What a slot remembers. */
export interface RememberedHead {
  readonly seq: number
  /** The beginning of the last record's hash. */
  readonly hashStart: string
}

export interface HeadToRemember {
  readonly run: number
  readonly seq: number
  readonly hash: string
}

const SLOT_BYTES = 32
const SEQ_BYTES = 6
const HASH_START = 8
const HASH_CHARACTERS = 16
const CHECK_START = 24
/** A checksum, or with a key the beginning of a code that nobody else can make. */
const CODE_CHARACTERS = 8
const MAGIC = 'callboard heads1'

/** Where the heads of a store's ledgers are kept. */
export const headsPathOf = (path: string): string => `${path}-heads`

export class HeadsFile {
  readonly #file: number
  readonly #vault: Vault

  private constructor(file: number, vault: Vault) {
    this.#file = file
    this.#vault = vault
  }

  /** Whether there is one that remembers anything. */
  static remembers(path: string): boolean {
    if (!existsSync(path)) return false
    const file = openSync(path, 'r')
    try {
      return fstatSync(file).size > SLOT_BYTES
    } finally {
      closeSync(file)
    }
  }

  /**
   * Opens or makes the file.
   *
   * @param storeId 16 characters; the file of another store is emptied
   * @param heads what a new file begins with
   */
  static open(path: string, storeId: string, vault: Vault, heads: () => Iterable<HeadToRemember>): HeadsFile {
    const header = Buffer.from(MAGIC + storeId, 'latin1')
    if (existsSync(path)) {
      const known = openSync(path, 'r+')
      const found = Buffer.alloc(SLOT_BYTES)
      if (readSync(known, found, 0, SLOT_BYTES, 0) === SLOT_BYTES && found.equals(header))
        return new HeadsFile(known, vault)
      closeSync(known)
    }
    const file = openSync(path, 'w+', 0o600)
    const fresh = new HeadsFile(file, vault)
    fresh.remember([...heads()])
    writeSync(file, header, 0, SLOT_BYTES, 0)
    return fresh
  }

  /** Undefined for an empty slot; `unreadable` for one that was not written as it stands. */
  get(run: number): RememberedHead | 'unreadable' | undefined {
    const slot = Buffer.alloc(SLOT_BYTES)
    readSync(this.#file, slot, 0, SLOT_BYTES, run * SLOT_BYTES)
    return this.#decode(slot, run)
  }

  /** The seq that a slot remembers, if it does. */
  seq(run: number): number | undefined {
    const slot = this.get(run)
    return typeof slot === 'object' ? slot.seq : undefined
  }

  /** The seq in every slot that is not empty, by run; not checked. */
  seqs(): ReadonlyMap<number, number> {
    const bytes = Buffer.alloc(fstatSync(this.#file).size)
    readSync(this.#file, bytes, 0, bytes.length, 0)
    const seqs = new Map<number, number>()
    for (let run = 1; (run + 1) * SLOT_BYTES <= bytes.length; run++) {
      const seq = bytes.readUIntLE(run * SLOT_BYTES, SEQ_BYTES)
      if (seq > 0) seqs.set(run, seq)
    }
    return seqs
  }

  /** Writes neighbours together. @throws what `fs` throws; nothing is lost by that (H2) */
  remember(heads: Iterable<HeadToRemember>): void {
    const sorted = [...heads]
    if (sorted.some(({ run }, index) => run < (sorted[index - 1]?.run ?? 0))) sorted.sort((a, b) => a.run - b.run)
    const bytes = Buffer.alloc(sorted.length * SLOT_BYTES)
    let start = 0
    sorted.forEach((head, index) => {
      this.#encode(bytes, index * SLOT_BYTES, head)
      if (sorted[index + 1]?.run === head.run + 1) return
      const length = (index + 1 - start) * SLOT_BYTES
      writeSync(this.#file, bytes, start * SLOT_BYTES, length, (sorted[start]?.run ?? 0) * SLOT_BYTES)
      start = index + 1
    })
  }

  close(): void {
    closeSync(this.#file)
  }

  #encode(bytes: Buffer, start: number, { run, seq, hash }: HeadToRemember): void {
    bytes.writeUIntLE(seq, start, SEQ_BYTES)
    bytes.write(hash, start + HASH_START, HASH_CHARACTERS, 'latin1')
    this.#check(bytes, start, run)
  }

  #decode(slot: Buffer, run: number): RememberedHead | 'unreadable' | undefined {
    if (slot.every((byte) => byte === 0)) return undefined
    const seq = slot.readUIntLE(0, SEQ_BYTES)
    const hashStart = slot.toString('latin1', HASH_START, CHECK_START)
    const checked = Buffer.from(slot)
    checked.fill(0, CHECK_START)
    this.#check(checked, 0, run)
    return checked.equals(slot) ? { seq, hashStart } : 'unreadable'
  }

  /** Writes what tells that a slot is as it was written, and that it is this run's. */
  #check(bytes: Buffer, start: number, run: number): void {
    const content = bytes.subarray(start, start + CHECK_START)
    if (!this.#vault.hasKey) {
      bytes.writeUInt32LE(crc32(content, run), start + CHECK_START)
      return
    }
    const code = this.#vault.sealer(`${run}|${content.toString('latin1')}`)
    bytes.write(code, start + CHECK_START, CODE_CHARACTERS, 'latin1')
  }
}
