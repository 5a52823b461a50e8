import { CallboardError } from '../base/index.ts'
import type { LedgerRecord } from '../ledger/index.ts'
import type { Batch, RunFilter, RunSummary, Store } from './contract.ts'

interface Ledger {
  readonly records: LedgerRecord[]
  summary: RunSummary
}

/** The store that forgets: ledgers in the memory of this process. */
export function createVolatileStore(): Store {
  return new VolatileStore()
}

class VolatileStore implements Store {
  readonly traits = Object.freeze({ durable: false, shared: false })
  readonly #ledgers = new Map<string, Ledger>()
  #closed = false

  append(batches: readonly Batch[]): Promise<void> {
    if (this.#closed) return Promise.reject(closedError())
    for (const { runId, expectedSeq } of batches) {
      const seq = this.#ledgers.get(runId)?.summary.seq ?? 0
      if (seq !== expectedSeq) return Promise.reject(conflictError(runId, expectedSeq, seq))
    }
    for (const { runId, records, summary } of batches) {
      const ledger = this.#ledgers.get(runId)
      if (ledger === undefined) {
        this.#ledgers.set(runId, { records: [...records], summary })
      } else {
        for (const record of records) ledger.records.push(record)
        ledger.summary = summary
      }
    }
    return DONE
  }

  async read(
    runId: string,
    { afterSeq = 0, limit = Number.POSITIVE_INFINITY }: { afterSeq?: number; limit?: number } = {},
  ): Promise<readonly LedgerRecord[]> {
    return this.#ledgers.get(runId)?.records.slice(afterSeq, afterSeq + limit) ?? []
  }

  async summary(runId: string): Promise<RunSummary | undefined> {
    return this.#ledgers.get(runId)?.summary
  }

  async list({ workflow, status }: RunFilter = {}): Promise<readonly RunSummary[]> {
    return [...this.#ledgers.values()]
      .map(({ summary }) => summary)
      .filter((summary) => workflow === undefined || summary.workflow === workflow)
      .filter((summary) => status === undefined || summary.status === status)
  }

  async close(): Promise<void> {
    this.#closed = true
  }
}

const DONE: Promise<void> = Promise.resolve()

function closedError(): CallboardError {
  return new CallboardError('store.closed', 'the store is closed; open it again to go on')
}

/** What every backend answers when somebody else was faster. */
export function conflictError(runId: string, expectedSeq: number, actualSeq: number): CallboardError {
  return new CallboardError(
    'store.conflict',
    `run ${runId} is at seq ${actualSeq}, not at ${expectedSeq}: somebody else has written to it; read it again and retry`,
    { runId, expectedSeq, actualSeq },
  )
}
