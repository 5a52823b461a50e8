// Heads file: where each ledger ends, kept beside the database. SQLite drops what follows a broken frame of its log
// without a word; this file remembers that there was more.
//   H1. A slot is written after the commit it tells of, never before: it may lag behind, and never runs ahead.
//   H2. It is a guard, not data: without it everything can be read, and it is made anew from the database.
//   H3. Slots of removed runs stay: the database says that they were removed.
import { closeSync, existsSync, fstatSync, openSync, readSync, writeSync } from 'node:fs'
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
const CHECK_CHARACTERS = 8
const MAGIC = 'callboard heads1'

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
  remember(heads: readonly HeadToRemember[]): void {
    if (heads.length === 0) return
    const sorted = heads.length === 1 ? heads : heads.toSorted((a, b) => a.run - b.run)
    for (let start = 0; start < sorted.length;) {
      let end = start + 1
      while (sorted[end]?.run === (sorted[end - 1]?.run ?? 0) + 1) end += 1
      const group = sorted.slice(start, end)
      const bytes = Buffer.alloc(group.length * SLOT_BYTES)
      group.forEach((head, index) => this.#encode(bytes, index * SLOT_BYTES, head))
      writeSync(this.#file, bytes, 0, bytes.length, (group[0]?.run ?? 0) * SLOT_BYTES)
      start = end
    }
  }

  close(): void {
    closeSync(this.#file)
  }

  #encode(bytes: Buffer, start: number, { run, seq, hash }: HeadToRemember): void {
    const hashStart = hash.slice(0, HASH_CHARACTERS)
    bytes.writeUIntLE(seq, start, SEQ_BYTES)
    bytes.write(hashStart, start + HASH_START, 'latin1')
    bytes.write(this.#check(run, seq, hashStart), start + CHECK_START, 'latin1')
  }

  #decode(slot: Buffer, run: number): RememberedHead | 'unreadable' | undefined {
    if (slot.every((byte) => byte === 0)) return undefined
    const seq = slot.readUIntLE(0, SEQ_BYTES)
    const hashStart = slot.toString('latin1', HASH_START, HASH_START + HASH_CHARACTERS)
    return slot.toString('latin1', CHECK_START) === this.#check(run, seq, hashStart) ? { seq, hashStart } : 'unreadable'
  }

  #check(run: number, seq: number, hashStart: string): string {
    return this.#vault.check(`${run}|${seq}|${hashStart}`).slice(0, CHECK_CHARACTERS).padEnd(CHECK_CHARACTERS)
  }
}
