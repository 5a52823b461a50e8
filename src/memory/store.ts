// The contract of a memory's store, all of it. A backend keeps items, vectors and batches; it decides nothing.
//   M1. Every method may be called while others run; what was applied is seen by every later call.
//   M2. Failures are CallboardErrors whose codes start with `memory.`; a failed call has changed nothing.
//   M3. What does not exist is undefined, left out, or an empty list; exceptions are named below.
//   M4. Items and batches come back frozen and as they went in; recalls are counted apart from versions.
//   M5. Only items of the scopes that are asked for are found.
import { CallboardError } from '../base/index.ts'
import type { MemoryBatch } from './batch.ts'
import type { MemoryItem, MemoryKind, MemoryStatus, MemoryType } from './item.ts'
import type { MemoryRetention, PruneReport } from './retention.ts'
import type { MemoryScope } from './scope.ts'

/** What a backend can do; callers ask for the trait, never for the backend. */
export interface MemoryStoreTraits {
  /** What was applied outlives the process. */
  readonly durable: boolean
  /** Several processes may use it at once: of applies with the same `expectedRevision` exactly one wins. */
  readonly shared: boolean
  /**
   * Nobody ever sees a part of an apply. Without this trait others may for a moment, and one that was interrupted is
   * completed by the next call.
   */
  readonly transactional: boolean
}

/** Which items are meant. */
export interface MemoryFilter {
  /** `all` is for maintenance, never for a reader. */
  readonly scopes: readonly MemoryScope[] | 'all'
  /** Items that are over by then are not meant; none is left out without it. */
  readonly now?: number
  readonly statuses?: readonly MemoryStatus[]
  readonly kinds?: readonly MemoryKind[]
  readonly types?: readonly MemoryType[]
  readonly subjects?: readonly string[]
}

/** An item that was found, by its key; the larger the score, the better. */
export interface MemoryMatch {
  readonly key: string
  readonly score: number
}

/** An item to write, and its vector where that is new. */
export interface MemoryWrite {
  readonly item: MemoryItem
  readonly vector?: Float32Array
}

export interface MemoryCommit {
  readonly expectedRevision: number
  /** From then on. */
  readonly batch: MemoryBatch
  readonly writes: readonly MemoryWrite[]
}

/** What a store says of itself. */
export interface MemoryStoreState {
  /** Counts what changed items; 0 at first. */
  readonly revision: number
  /** The embedder of its vectors, and their length; undefined until there is one. */
  readonly embedder: { readonly id: string; readonly dimensions: number } | undefined
}

export interface MemoryStore {
  readonly traits: MemoryStoreTraits
  state(): Promise<MemoryStoreState>
  /**
   * Makes these vectors those of the items with these keys, and the embedder that of the store; all or nothing where the
   * store is transactional. Items without a vector among them have none from then on.
   */
  setEmbedder(
    embedder: { readonly id: string; readonly dimensions: number },
    vectors: ReadonlyMap<string, Float32Array>,
  ): Promise<void>
  /**
   * Keeps a batch that is staged.
   * @throws CallboardError `memory.batch-exists`
   */
  stage(batch: MemoryBatch): Promise<void>
  batch(id: string): Promise<MemoryBatch | undefined>
  /** Forgets a batch that is staged; says whether there was one. */
  discard(id: string): Promise<boolean>
  /**
   * Writes a batch and its items, all or nothing, as durably as the backend can.
   * @throws CallboardError `memory.conflict` when the revision is not the expected one, or the batch is not staged (any
   *   more); nothing was written
   */
  apply(commit: MemoryCommit): Promise<void>
  /** The items with these keys, in their order; those that are not there are left out. */
  load(keys: readonly string[]): Promise<readonly MemoryItem[]>
  /** Items in the order of their arrival, at most `limit`, after the one with the key `after`. */
  list(
    filter: MemoryFilter,
    page?: { readonly limit?: number; readonly after?: string },
  ): Promise<readonly MemoryItem[]>
  /**
   * Items with at least one of the words (as `wordsOf` cuts them), the best first; of equals the first to arrive. The
   * score is BM25 of the words, from half of it to all of it as the confidence goes from 0 to 1. It is counted over what
   * the filter means: nobody learns from a score what is in other scopes.
   */
  searchWords(words: readonly string[], filter: MemoryFilter, limit: number): Promise<readonly MemoryMatch[]>
  /** The items nearest to a vector of length one, by cosine, which is at least `threshold`; of equals the first. */
  searchVector(
    vector: Float32Array,
    filter: MemoryFilter,
    options: { readonly threshold: number; readonly limit: number },
  ): Promise<readonly MemoryMatch[]>
  /** Counts a recall of each of these items. Seen by this store at once; may be lost when the process is killed. */
  touch(keys: readonly string[], at: number): Promise<void>
  /** Takes out what is over by `now`, what is beyond the limits, and batches proposed before `batchesBefore`. */
  prune(options: {
    readonly now: number
    readonly retention: MemoryRetention
    readonly batchesBefore: number
  }): Promise<PruneReport>
  /** Whoever opened the store closes it; twice is harmless. Every other call is then `memory.closed`. */
  close(): Promise<void>
}

/** Somebody else was faster. */
export function revisionConflict(expected: number, actual: number): CallboardError {
  return new CallboardError(
    'memory.conflict',
    `memory is at revision ${actual}, not at ${expected}, or the batch is not staged: somebody else was faster; read again and retry`,
    { expected, actual },
  )
}

export function batchExists(id: string): CallboardError {
  return new CallboardError('memory.batch-exists', `batch ${id} exists with other changes; propose under another key`, {
    batchId: id,
  })
}

export function memoryClosed(): CallboardError {
  return new CallboardError('memory.closed', 'the store of the memory is closed; open it again to go on')
}
