// The store contract, all of it. A backend keeps ledgers; it decides nothing.
import type { LedgerRecord } from '../ledger/index.ts'

/** What a backend can do; callers ask for the trait, never for the backend. */
export interface StoreTraits {
  /** What was appended outlives the process. */
  readonly durable: boolean
  /** Several processes may use it at once. */
  readonly shared: boolean
}

/** What is known of a run without reading its ledger. */
export interface RunSummary {
  readonly runId: string
  readonly workflow: string
  readonly version: string
  readonly status: 'active' | 'done' | 'error' | 'stopped'
  readonly seq: number
  readonly createdAt: number
  readonly updatedAt: number
  /** The run that started this one, and as what. */
  readonly parent: { readonly runId: string; readonly id: string } | undefined
}

/** Records to append to one ledger, and what the run's summary is from then on. */
export interface Batch {
  readonly runId: string
  /** The seq of the ledger's last record; 0 when there is none. */
  readonly expectedSeq: number
  readonly records: readonly LedgerRecord[]
  readonly summary: RunSummary
}

export interface RunFilter {
  readonly workflow?: string
  readonly status?: RunSummary['status']
}

export interface Store {
  readonly traits: StoreTraits
  /**
   * Appends all batches or none, and resolves once they are as safe as the backend makes them. May run concurrently.
   * @throws CallboardError `store.conflict` when a ledger's last seq is not the expected one; nothing was appended
   */
  append(batches: readonly Batch[]): Promise<void>
  /** The records with `afterSeq < seq`, in order, at most `limit`; none for an unknown run. */
  read(
    runId: string,
    options?: { readonly afterSeq?: number; readonly limit?: number },
  ): Promise<readonly LedgerRecord[]>
  /** Undefined for an unknown run. */
  summary(runId: string): Promise<RunSummary | undefined>
  /** Oldest first. */
  list(filter?: RunFilter): Promise<readonly RunSummary[]>
  /** Whoever opened the store closes it; twice is harmless. Appends under way are finished first. */
  close(): Promise<void>
}
