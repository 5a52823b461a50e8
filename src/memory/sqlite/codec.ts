// Codec: vectors as bytes, and the number that stands for an item's kind, type and status.
import { MEMORY_KINDS, MEMORY_STATUSES, MEMORY_TYPES } from '../item.ts'
import type { MemoryItem, MemoryKind, MemoryStatus } from '../item.ts'
import { scopeNameOf } from '../scope.ts'
import type { MemoryScope } from '../scope.ts'
import type { MemoryFilter } from '../store.ts'

const TRAITS = MEMORY_KINDS.length * MEMORY_TYPES.length * MEMORY_STATUSES.length

/** Statuses vary fastest, kinds slowest. */
export function traitOf({ kind, type, status }: Pick<MemoryItem, 'kind' | 'type' | 'status'>): number {
  const first = MEMORY_KINDS.indexOf(kind) * MEMORY_TYPES.length + MEMORY_TYPES.indexOf(type)
  return first * MEMORY_STATUSES.length + MEMORY_STATUSES.indexOf(status)
}

/** By trait: 1 for those a filter lets through. */
export function traitsOf({ kinds, types, statuses }: Omit<MemoryFilter, 'scopes'>): Uint8Array {
  const allowed = new Uint8Array(TRAITS)
  for (const kind of kinds ?? MEMORY_KINDS) {
    for (const type of types ?? MEMORY_TYPES) {
      for (const status of statuses ?? MEMORY_STATUSES) allowed[traitOf({ kind, type, status })] = 1
    }
  }
  return allowed
}

/** The traits of one kind that are active, or of those that are not. */
export function shelfOf(kind: MemoryKind, isActive: boolean): readonly number[] {
  const statuses: readonly MemoryStatus[] = MEMORY_STATUSES.filter((status) => (status === 'active') === isActive)
  const allowed = traitsOf({ kinds: [kind], statuses })
  return Array.from(allowed.keys()).filter((trait) => allowed[trait] === 1)
}

export function encodeVector(vector: Float32Array): Uint8Array {
  return new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength)
}

/** Copied: a blob of a row does not stand at a multiple of four. */
export function decodeVector(blob: unknown): Float32Array {
  return blob instanceof Uint8Array ? new Float32Array(blob.slice().buffer) : new Float32Array()
}

/** The names of a filter's scopes. */
export function scopeNames(scopes: readonly MemoryScope[]): readonly string[] {
  return scopes.map(scopeNameOf)
}
