// What a memory gives to everybody who uses it.
import type { Clock, Ids } from '../base/index.ts'
import type { Embedder } from './embedder.ts'
import type { MemoryRetention } from './retention.ts'
import type { MemoryStore } from './store.ts'

export interface MemoryServices {
  readonly store: MemoryStore
  readonly embedder: Embedder
  readonly clock: Clock
  readonly ids: Ids
  readonly retention: MemoryRetention
  /** One commit of this process after the other: they would only make each other start again. */
  inTurn<Result>(work: () => Promise<Result>): Promise<Result>
}
