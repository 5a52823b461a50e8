// callboard/qdrant: a memory's store in Qdrant, over its REST API.
import { CallboardError } from '../../base/index.ts'
import type { MemoryStore } from '../store.ts'
import { QdrantClient } from './client.ts'
import type { QdrantAccess } from './client.ts'
import { QdrantMemory } from './qdrant-memory.ts'
import { assertUrl } from './settings.ts'

export interface QdrantMemoryOptions extends QdrantAccess {
  /** The collection of batches and state; those of items are named after it. `agent_memories` unless given. */
  readonly collection?: string
}

const DEFAULT_COLLECTION = 'agent_memories'

/**
 * Opens a memory's store in Qdrant 1.10 or later. A commit that was interrupted is completed. One process at a time may
 * write.
 *
 * @throws CallboardError `memory.unreachable` when Qdrant does not answer, `memory.backend` when it refuses,
 *   `memory.option` for a url or name that makes no sense
 */
export async function openQdrantMemory(options: QdrantMemoryOptions): Promise<MemoryStore> {
  const { collection = DEFAULT_COLLECTION, url } = options
  assertUrl('openQdrantMemory', url)
  if (!/^[\w-]{1,200}$/.test(collection)) {
    const message = `openQdrantMemory: "${collection}" is no name of letters, digits, _ and -`
    throw new CallboardError('memory.option', message, { collection })
  }
  const store = new QdrantMemory(new QdrantClient(options), collection)
  await store.open()
  return store
}

export type { QdrantAccess } from './client.ts'
export { readQdrantSettings } from './settings.ts'
export type { QdrantSettings } from './settings.ts'
