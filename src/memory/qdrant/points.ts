// Points: items as points of Qdrant, with the fields that are filtered by beside the item itself.
import { createHash } from 'node:crypto'
import { decodeItem, encodeItem } from '../codec.ts'
import type { MemoryItem } from '../item.ts'
import { itemKey, scopeNameOf } from '../scope.ts'
import type { MemoryFilter } from '../store.ts'
import { wordsOf } from '../words.ts'
import type { Condition, Filter, Payload, SparseVector } from './client.ts'

/** The fields of an item's payload that have an index. */
export const INDEXED = Object.freeze({
  order: 'integer',
  scope: 'keyword',
  kind: 'keyword',
  type: 'keyword',
  status: 'keyword',
  subject: 'keyword',
  words: 'keyword',
  expiresAt: 'float',
} as const)

/** The constants of BM25. The average length is fixed, because Qdrant weighs words when they are stored. */
const SATURATION = 1.2
const LENGTH_SHARE = 0.75
const AVERAGE_LENGTH = 20
/** How much of its score the least confident item keeps. */
const LEAST_SHARE = 0.5

/** Points have UUIDs: one for each text. */
export function pointId(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-')
}

export function payloadOf(item: MemoryItem, order: number): Payload {
  const { kind, type, status, subject, expiresAt, accessCount, accessedAt } = item
  return {
    key: itemKey(item.scope, item.id),
    order,
    scope: scopeNameOf(item.scope),
    kind,
    type,
    status,
    words: [...new Set(wordsOf(item.text))],
    body: encodeItem(item),
    accessCount,
    ...(accessedAt === undefined ? {} : { accessedAt }),
    ...(subject === undefined ? {} : { subject }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  }
}

export function itemOf({ body, accessCount, accessedAt }: Payload): MemoryItem {
  return decodeItem(String(body), Number(accessCount), accessedAt === undefined ? undefined : Number(accessedAt))
}

/** How much each word says of an item; how rare it is comes with the question. */
export function wordVector({ text, confidence }: MemoryItem): SparseVector {
  const words = wordsOf(text)
  const counts = new Map<string, number>()
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  const share = LEAST_SHARE + (1 - LEAST_SHARE) * confidence
  const length = SATURATION * (1 - LENGTH_SHARE + (LENGTH_SHARE * words.length) / AVERAGE_LENGTH)
  return sparse(counts, (count) => (share * count * (SATURATION + 1)) / (count + length))
}

/** How rare each word is among the items that are meant. */
export function queryVector(frequencies: ReadonlyMap<string, number>, count: number): SparseVector {
  return sparse(frequencies, (frequency) => Math.log(1 + (count - frequency + 0.5) / (frequency + 0.5)))
}

/** What a filter of ours is in Qdrant's words; undefined where it means nothing. */
export function filterOf(filter: MemoryFilter, more: readonly Condition[] = []): Filter | undefined {
  const { scopes, statuses, kinds, types, subjects, now } = filter
  const lists: readonly (readonly [string, readonly string[] | undefined])[] = [
    ['scope', scopes === 'all' ? undefined : scopes.map(scopeNameOf)],
    ['status', statuses],
    ['kind', kinds],
    ['type', types],
    ['subject', subjects],
  ]
  if (lists.some(([, any]) => any?.length === 0)) return undefined
  const must = lists.flatMap(([key, any]) => (any === undefined ? [] : [{ key, match: { any } }]))
  const over: readonly Condition[] = now === undefined ? [] : [{ key: 'expiresAt', range: { lte: now } }]
  return { must: [...must, ...more], must_not: over }
}

function sparse(words: ReadonlyMap<string, number>, weigh: (number: number) => number): SparseVector {
  // Two words with one number, one in four thousand million, count as one.
  const weights = new Map<number, number>()
  for (const [word, number] of words) {
    const index = createHash('sha256').update(word).digest().readUInt32BE(0)
    weights.set(index, (weights.get(index) ?? 0) + weigh(number))
  }
  return { indices: [...weights.keys()], values: [...weights.values()] }
}
