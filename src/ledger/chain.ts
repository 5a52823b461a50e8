// Chain: every record's hash is over the hash before it, its place and its text. Whoever changes, drops, adds or moves a
// record has to rewrite everything behind it; with a key, nobody can who does not have it.
import { createSecretKey, hash } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { encodeRecord } from './codec.ts'
import type { RecordPlace } from './codec.ts'
import type { LedgerRecord } from './record.ts'

/** SHA-256, or HMAC-SHA-256 with a key, of a text: 43 characters of base64url. */
export type Sealer = (text: string) => string

/** A record as it is stored: its place, its text, and its hash in the chain. */
export interface SealedRecord extends RecordPlace {
  readonly body: string
  readonly hash: string
}

/** Where a chain goes on: after the record `seq`, whose hash is `hash`. */
export interface ChainLink {
  readonly seq: number
  readonly hash: string
}

/** The first thing that is wrong with a chain. */
export interface ChainProblem {
  readonly seq: number
  readonly what: 'changed' | 'missing' | 'swapped' | 'inserted' | 'lost-tail'
  readonly message: string
}

/** Before the first record. */
export const CHAIN_START: ChainLink = Object.freeze({ seq: 0, hash: '' })

const BLOCK_BYTES = 64
const INNER_PAD = 0x36
const OUTER_PAD = 0x5c

/** @param key for HMAC-SHA-256 (RFC 2104); 32 random bytes are right */
export function createSealer(key?: Uint8Array): Sealer {
  if (key === undefined) return (text) => hash('sha256', text, 'base64url')
  // Two one-shot hashes take a tenth of the time of a Hmac object.
  const secret = blockOf(createSecretKey(key))
  const inner = secret.map((byte) => byte ^ INNER_PAD)
  const outer = Buffer.alloc(BLOCK_BYTES + 32)
  for (let index = 0; index < BLOCK_BYTES; index++) outer[index] = (secret[index] ?? 0) ^ OUTER_PAD
  return (text) => {
    const message = Buffer.allocUnsafe(BLOCK_BYTES + Buffer.byteLength(text))
    message.set(inner)
    message.write(text, BLOCK_BYTES)
    outer.set(hash('sha256', message, 'buffer'), BLOCK_BYTES)
    return hash('sha256', outer, 'base64url')
  }
}

function blockOf(key: KeyObject): Uint8Array {
  const bytes = key.export()
  const block = new Uint8Array(BLOCK_BYTES)
  block.set(bytes.length > BLOCK_BYTES ? hash('sha256', bytes, 'buffer') : bytes)
  return block
}

/** The hash of a record behind the hash `previous`. */
export function linkHash(
  sealer: Sealer,
  previous: string,
  { runId, seq, at, kind }: RecordPlace,
  body: string,
): string {
  return sealer(`${previous}|${seq}|${at}|${kind}|${runId.length}|${runId}|${body}`)
}

/** The records of one run as they are stored, behind `after`. */
export function sealRecords(
  records: readonly LedgerRecord[],
  { sealer = createSealer(), after = CHAIN_START }: { readonly sealer?: Sealer; readonly after?: ChainLink } = {},
): readonly SealedRecord[] {
  let previous = after.hash
  return records.map((record) => {
    const { runId, seq, at, kind } = record
    const body = encodeRecord(record)
    previous = linkHash(sealer, previous, record, body)
    return { runId, seq, at, kind, body, hash: previous }
  })
}

/**
 * Looks for the first record that does not continue the chain.
 *
 * @param after where the records go on from
 * @param head where they must end, if that is known from elsewhere: without it a lost tail cannot be told
 */
export function verifyChain(
  records: readonly SealedRecord[],
  {
    sealer = createSealer(),
    after = CHAIN_START,
    head,
  }: { readonly sealer?: Sealer; readonly after?: ChainLink; readonly head?: ChainLink | undefined } = {},
): ChainProblem | undefined {
  let { seq, hash: previous } = after
  for (let index = 0; index < records.length; index++) {
    const record = records[index] as SealedRecord
    if (head !== undefined && record.seq > head.seq) {
      return problemAt(record.seq, 'inserted', `the ledger ends at ${head.seq}; this record was added behind its end`)
    }
    const problem =
      record.seq === seq + 1
        ? contentProblem(sealer, previous, record, records[index + 1])
        : orderProblem(seq + 1, record, records[index + 1])
    if (problem !== undefined) return problem
    seq = record.seq
    previous = record.hash
  }
  if (head === undefined) return undefined
  if (seq < head.seq) return problemAt(seq + 1, 'lost-tail', `the records from here to ${head.seq} are gone`)
  if (seq === head.seq && previous !== head.hash) {
    return problemAt(seq, 'changed', 'the last record is not the one the ledger ended with')
  }
  return undefined
}

function contentProblem(
  sealer: Sealer,
  previous: string,
  record: SealedRecord,
  next: SealedRecord | undefined,
): ChainProblem | undefined {
  if (linkHash(sealer, previous, record, record.body) === record.hash) return undefined
  if (next?.seq === record.seq + 1) {
    const moved = linkHash(sealer, previous, { ...next, seq: record.seq }, next.body)
    if (moved === next.hash || moved === record.hash) {
      return problemAt(record.seq, 'swapped', 'this record and the next have changed places')
    }
  }
  return problemAt(record.seq, 'changed', 'the record is not the one that was appended here')
}

function orderProblem(expected: number, { seq }: SealedRecord, next: SealedRecord | undefined): ChainProblem {
  if (seq < expected) return problemAt(seq, 'inserted', 'there is a second record of this number')
  if (next?.seq === expected) return problemAt(expected, 'swapped', `record ${seq} stands before it`)
  return problemAt(expected, 'missing', `after ${expected - 1} comes ${seq}`)
}

function problemAt(seq: number, what: ChainProblem['what'], message: string): ChainProblem {
  return Object.freeze({ seq, what, message })
}
