// JSONL: one run's ledger as text: a header, then one line a record. The same ledger gives the same bytes, and what was
// read from it gives them again.
import { CallboardError, isPlainObject } from '../base/index.ts'
import { CHAIN_START, createSealer, linkHash, verifyChain } from './chain.ts'
import type { ChainLink, ChainProblem, SealedRecord, Sealer } from './chain.ts'
import { encodeRecord } from './codec.ts'
import { lineToRecord, recordToLine } from './record-line.ts'
import type { LedgerRecord } from './record.ts'

/** The format that is written; older ones are read. */
export const JSONL_FORMAT = 1

/** What the first line says. */
export interface JsonlHeader {
  readonly format: number
  readonly runId: string
  /** How the hashes were made. */
  readonly chain: 'sha256' | 'hmac-sha256'
  /** The record before the first line; seq 0 where the ledger is whole. */
  readonly after: ChainLink
  /** The last record, where it was known when the text was begun: a lost tail shows. */
  readonly head: ChainLink | undefined
  /** What is known of the run beside its records; plain JSON. */
  readonly run: JsonlRun | undefined
}

/** What a store knows of a run that its records do not say. */
export interface JsonlRun {
  readonly workflow: string
  readonly version: string
  readonly createdAt: number
  readonly parent?: { readonly runId: string; readonly id: string }
  readonly labels?: Readonly<Record<string, string>>
}

export interface JsonlOptions {
  /** Hashes with HMAC-SHA-256 instead of SHA-256. */
  readonly key?: Uint8Array | undefined
}

/** What was read from a text, as far as it could be read. */
export interface JsonlReading {
  readonly header: JsonlHeader
  /** The sound records: those before the first problem. */
  readonly records: readonly LedgerRecord[]
  /** The last line was cut off: how many characters of it were passed over. */
  readonly tornCharacters: number
  readonly problem: ChainProblem | undefined
}

/** The lines of a ledger, each with its line end. `records` may be the end of a ledger: then `after` is what it follows. */
export function ledgerToJsonl(
  runId: string,
  records: readonly LedgerRecord[],
  { key, after = CHAIN_START, run }: JsonlOptions & { readonly after?: ChainLink; readonly run?: JsonlRun } = {},
): string {
  const sealer = createSealer(key)
  const lines: string[] = []
  let head = after
  for (const record of records) {
    head = { seq: record.seq, hash: linkHash(sealer, head.hash, record, encodeRecord(record)) }
    lines.push(recordToLine(record, head.hash))
  }
  const chain = key === undefined ? 'sha256' : 'hmac-sha256'
  const header = JSON.stringify({ callboard: 'ledger', format: JSONL_FORMAT, runId, chain, after, head, run })
  return [`${header.slice(0, -1)},"seal":"${sealer(header)}"}`, ...lines, ''].join('\n')
}

/**
 * Reads what `ledgerToJsonl` wrote. A last line without its end is passed over and reported; whatever else is wrong is the
 * `problem`, and the records before it are given.
 *
 * @throws CallboardError `ledger.not-jsonl` when the first line is no header, `ledger.newer-format` for a later format,
 *   `ledger.wrong-key` when a key is needed, or one was given for a ledger without
 */
export function readJsonl(text: string, { key }: JsonlOptions = {}): JsonlReading {
  const lines = text.split('\n')
  const torn = lines.pop() ?? ''
  const first = lines.shift() ?? torn
  const header = headerOf(first, key)
  const sealer = createSealer(key)
  if (!isSealed(first, sealer)) {
    const problem = { seq: header.after.seq, what: 'changed', message: 'the header is not what was written' } as const
    return { header, records: [], tornCharacters: torn.length, problem }
  }
  const records: LedgerRecord[] = []
  const sealed: SealedRecord[] = []
  let unreadable: ChainProblem | undefined
  for (const line of lines) {
    try {
      const { record, hash } = lineToRecord(line)
      records.push(record)
      const { runId, seq, at, kind } = record
      sealed.push({ runId: header.runId === runId ? runId : '', seq, at, kind, body: encodeRecord(record), hash })
    } catch {
      const seq = header.after.seq + records.length + 1
      unreadable = { seq, what: 'changed', message: 'the line is not a record' }
      break
    }
  }
  const head = unreadable === undefined ? header.head : undefined
  const problem = verifyChain(sealed, { sealer, after: header.after, head }) ?? unreadable
  const sound = problem === undefined ? records : records.slice(0, Math.max(0, problem.seq - header.after.seq - 1))
  return { header, records: Object.freeze(sound), tornCharacters: torn.length, problem }
}

function headerOf(line: string, key: Uint8Array | undefined): JsonlHeader {
  let data: Partial<JsonlHeader> & { readonly callboard?: unknown }
  try {
    data = JSON.parse(line) as typeof data
  } catch (error) {
    throw notJsonl(error)
  }
  const { callboard, format, runId, chain, after, head, run } = data ?? {}
  if (callboard !== 'ledger' || typeof format !== 'number') throw notJsonl(undefined)
  if (format > JSONL_FORMAT) {
    throw new CallboardError(
      'ledger.newer-format',
      `the ledger has format ${format}, and this version reads up to ${JSONL_FORMAT}; update callboard to read it`,
      { format },
    )
  }
  if (typeof runId !== 'string' || !isLink(after) || !(head === undefined || isLink(head))) throw notJsonl(undefined)
  if (!(run === undefined || isRun(run))) throw notJsonl(undefined)
  if ((chain === 'hmac-sha256') !== (key !== undefined)) {
    const needed = key === undefined ? 'was written with a key; give it' : 'was written without a key; leave it out'
    throw new CallboardError('ledger.wrong-key', `the ledger of run ${runId} ${needed}`, { runId })
  }
  return { format, runId, chain: chain === 'hmac-sha256' ? chain : 'sha256', after, head, run }
}

function isLink(link: unknown): link is ChainLink {
  const { seq, hash } = (link ?? {}) as Partial<ChainLink>
  return Number.isSafeInteger(seq) && (seq ?? -1) >= 0 && typeof hash === 'string'
}

function isRun(run: unknown): run is JsonlRun {
  if (!isPlainObject(run)) return false
  const { workflow, version, createdAt, parent, labels } = run as Partial<JsonlRun>
  return (
    typeof workflow === 'string' &&
    typeof version === 'string' &&
    Number.isFinite(createdAt) &&
    (parent === undefined || (isPlainObject(parent) && areTexts([parent.runId, parent.id]))) &&
    (labels === undefined || (isPlainObject(labels) && areTexts(Object.values(labels))))
  )
}

const areTexts = (values: readonly unknown[]): boolean => values.every((value) => typeof value === 'string')

/** The seal of a header is over all of it that stands before. */
function isSealed(line: string, sealer: Sealer): boolean {
  const sealed = /^(?<header>.*),"seal":"(?<seal>[\w-]*)"\}$/s.exec(line)?.groups
  return sealed !== undefined && sealer(`${sealed['header']}}`) === sealed['seal']
}

function notJsonl(cause: unknown): CallboardError {
  return new CallboardError(
    'ledger.not-jsonl',
    'the text does not begin with the header of a ledger ({"callboard":"ledger",…})',
    {},
    { cause },
  )
}
