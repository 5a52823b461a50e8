import { CHAIN_START, sealRecords } from '../ledger/index.ts'
import type { ChainLink, LedgerRecord } from '../ledger/index.ts'
import type {
  Batch,
  RestNote,
  RemoveOptions,
  RunFilter,
  RunSummary,
  Store,
  StoredSnapshot,
  StoredSnapshotInfo,
  VerifyReport,
} from './contract.ts'
import {
  batchesError,
  closedError,
  conflictError,
  isExpected,
  snapshotAheadError,
  snapshotExistsError,
  trimmedError,
  uncoveredError,
  unknownRunError,
} from './errors.ts'

interface Ledger {
  /** The records after `after`. */
  readonly records: LedgerRecord[]
  summary: RunSummary
  /** By seq, then by arrival. */
  snapshots: readonly StoredSnapshot[]
  after: ChainLink
  rest?: RestNote
}

/** The store that forgets: ledgers in the memory of this process. */
export function createVolatileStore(): Store {
  return new VolatileStore()
}

class VolatileStore implements Store {
  readonly traits = Object.freeze({ durable: false, shared: false, transactional: true, adopts: true })
  readonly #ledgers = new Map<string, Ledger>()
  #closed = false

  append(batches: readonly Batch[]): Promise<void> {
    if (this.#closed) return Promise.reject(closedError())
    const invalid = batchesError(batches)
    if (invalid !== undefined) return Promise.reject(invalid)
    for (const batch of batches) {
      const { runId, expectedSeq } = batch
      const seq = this.#ledgers.get(runId)?.summary.seq
      if (!isExpected(batch, seq)) return Promise.reject(conflictError(runId, expectedSeq, seq ?? 0))
    }
    for (const { runId, expectedSeq, records, summary, snapshots: standIns } of batches) {
      const ledger = this.#ledgers.get(runId)
      if (ledger === undefined) {
        const after = standIns === undefined ? CHAIN_START : { seq: expectedSeq, hash: '' }
        const snapshots = (standIns ?? []).map((one) => Object.freeze({ ...one })).sort((a, b) => a.seq - b.seq)
        this.#ledgers.set(runId, { records: [...records], summary, snapshots, after })
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
    const ledger = this.#open().get(runId)
    if (ledger === undefined) return []
    const skipped = afterSeq - ledger.after.seq
    if (skipped < 0) throw trimmedError(runId, afterSeq, ledger.after.seq + 1)
    return ledger.records.slice(skipped, skipped + Math.max(0, limit))
  }

  async summary(runId: string): Promise<RunSummary | undefined> {
    return this.#open().get(runId)?.summary
  }

  async list({ workflow, status }: RunFilter = {}): Promise<readonly RunSummary[]> {
    return [...this.#open().values()]
      .map(({ summary }) => summary)
      .filter((summary) => workflow === undefined || summary.workflow === workflow)
      .filter((summary) => status === undefined || summary.status === status)
  }

  async putSnapshot(snapshot: StoredSnapshot): Promise<void> {
    const { runId, seq, id } = snapshot
    const ledger = this.#open().get(runId)
    if (ledger === undefined) throw unknownRunError(runId)
    if (seq > ledger.summary.seq) throw snapshotAheadError(runId, seq, ledger.summary.seq)
    if (ledger.snapshots.some((other) => other.id === id)) throw snapshotExistsError(runId, id)
    ledger.snapshots = [...ledger.snapshots, Object.freeze({ ...snapshot })].sort((a, b) => a.seq - b.seq)
  }

  async snapshot(
    runId: string,
    { atSeq = Number.POSITIVE_INFINITY }: { atSeq?: number } = {},
  ): Promise<StoredSnapshot | undefined> {
    return this.#open()
      .get(runId)
      ?.snapshots.findLast(({ seq }) => seq <= atSeq)
  }

  async snapshots(runId: string): Promise<readonly StoredSnapshotInfo[]> {
    return (this.#open().get(runId)?.snapshots ?? []).map(({ state: _state, ...info }) => Object.freeze(info))
  }

  async dropSnapshot(runId: string, id: string): Promise<boolean> {
    const ledger = this.#open().get(runId)
    const rest = ledger?.snapshots.filter((other) => other.id !== id)
    if (ledger === undefined || rest === undefined || rest.length === ledger.snapshots.length) return false
    if (ledger.after.seq > 0 && !rest.some(({ seq }) => seq >= ledger.after.seq)) {
      throw uncoveredError(runId, ledger.after.seq)
    }
    ledger.snapshots = rest
    return true
  }

  async trim(runId: string, beforeSeq: number): Promise<number> {
    const ledger = this.#open().get(runId)
    if (ledger === undefined) return 0
    const count = beforeSeq - 1 - ledger.after.seq
    if (count <= 0) return 0
    if (!ledger.snapshots.some(({ seq }) => seq >= beforeSeq - 1)) throw uncoveredError(runId, beforeSeq - 1)
    const dropped = sealRecords(ledger.records.splice(0, count), { after: ledger.after })
    const { seq, hash } = dropped.at(-1) ?? ledger.after
    ledger.after = { seq, hash }
    return dropped.length
  }

  async noteRest(runId: string, note: RestNote): Promise<void> {
    const ledger = this.#open().get(runId)
    if (ledger?.summary.seq === note.seq) ledger.rest = note
  }

  async rests(): Promise<ReadonlyMap<string, number>> {
    const resting = new Map<string, number>()
    for (const [runId, { rest, summary }] of this.#open())
      if (rest?.seq === summary.seq && summary.status === 'active') resting.set(runId, rest.until)
    return resting
  }

  async remove(runId: string, { ended = false }: RemoveOptions = {}): Promise<boolean> {
    const ledgers = this.#open()
    return !(ended && ledgers.get(runId)?.summary.status === 'active') && ledgers.delete(runId)
  }

  async verify(runId?: string): Promise<VerifyReport> {
    const all = [...this.#open()].filter(([id]) => runId === undefined || id === runId)
    const heads = all.map(([id, { records, after }]) => {
      const { seq, hash } = sealRecords(records, { after }).at(-1) ?? after
      return { runId: id, seq, hash }
    })
    const count = (size: (ledger: Ledger) => number): number => all.reduce((sum, [, ledger]) => sum + size(ledger), 0)
    return {
      runs: all.length,
      records: count(({ records }) => records.length),
      snapshots: count(({ snapshots }) => snapshots.length),
      heads,
      damage: [],
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#ledgers.clear()
  }

  #open(): Map<string, Ledger> {
    if (this.#closed) throw closedError()
    return this.#ledgers
  }
}

const DONE: Promise<void> = Promise.resolve()
