// Codec: items and batches as texts that come back as they went in.
import { admitValue, fromTagged, toTagged } from '../base/index.ts'
import type { MemoryBatch } from './batch.ts'
import type { MemoryItem } from './item.ts'

/** All of an item but what is counted apart. */
export function encodeItem({ accessCount: _count, accessedAt: _at, ...item }: MemoryItem): string {
  return JSON.stringify(toTagged(item))
}

export function decodeItem(body: string, accessCount: number, accessedAt: number | undefined): MemoryItem {
  const item = admitValue(fromTagged(JSON.parse(body))).value as Omit<MemoryItem, 'accessCount' | 'accessedAt'>
  return Object.freeze({ ...item, accessCount, accessedAt })
}

export function encodeBatch(batch: MemoryBatch): string {
  return JSON.stringify(toTagged({ ...batch, vectors: batch.vectors.map((vector) => vector ?? null) }))
}

export function decodeBatch(body: string): MemoryBatch {
  const batch = admitValue(fromTagged(JSON.parse(body))).value as MemoryBatch
  return Object.freeze({ ...batch, vectors: Object.freeze(batch.vectors.map((vector) => vector ?? undefined)) })
}
