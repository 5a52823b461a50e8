// Globals: the entries that every run of a tenant sees. They are a ledger of their own, written together with the run
// that changed them.
import { Shelf } from '../context/index.ts'
import type { CellChange } from '../context/index.ts'
import { withoutPrevious } from '../ledger/index.ts'
import type { LedgerRecord } from '../ledger/index.ts'
import type { Batch, Store } from '../store/index.ts'

const PREFIX = 'global:'

/** Whether an id is that of the ledger of global entries. */
export function isGlobals(runId: string): boolean {
  return runId.startsWith(PREFIX)
}

export class Globals {
  readonly runId: string
  /** The newest entries, committed or not. */
  #latest = Shelf.empty
  #committed = Shelf.empty
  /** The newest record, committed or not. */
  #seq = 0
  #committedSeq = 0
  #epoch = 0
  /** The seq that a run's record has here. */
  readonly #seqs = new WeakMap<LedgerRecord, number>()

  constructor(tenant: string) {
    this.runId = `${PREFIX}${tenant}`
  }

  /** Counts the readings of the store: what was staged before the last one is lost. */
  get epoch(): number {
    return this.#epoch
  }

  get latest(): Shelf {
    return this.#latest
  }

  get committed(): Shelf {
    return this.#committed
  }

  /** Reads what the store has. What was built on what was here before is lost. */
  async load(store: Store): Promise<void> {
    const records = await store.read(this.runId)
    const shelf = Shelf.empty.with(records.flatMap(({ changes }) => changes.map(({ cell }) => cell)))
    this.#epoch += 1
    this.#latest = shelf
    this.#committed = shelf
    this.#seq = this.#committedSeq = records.at(-1)?.seq ?? 0
  }

  /** What was staged could not be stored: back to what is, as far as that is known and then as the store says. */
  async lose(store: Store): Promise<void> {
    this.#epoch += 1
    this.#latest = this.#committed
    this.#seq = this.#committedSeq
    // A store that cannot be read either refuses the next append as well, and is asked again then.
    await this.load(store).catch(() => {})
  }

  /** Takes over what a transition made of the entries; `commit` makes it visible. */
  stage(shelf: Shelf): void {
    this.#latest = shelf
  }

  /** The batch that stores the changes of these records of one run. */
  batchOf(records: readonly LedgerRecord[]): Batch | undefined {
    const expectedSeq = this.#seq
    const own: LedgerRecord[] = []
    for (const record of records) {
      const changes = record.changes.filter(({ scope }) => scope === 'global')
      if (changes.length === 0) continue
      this.#seq += 1
      this.#seqs.set(record, this.#seq)
      const asked = { runId: record.runId, seq: record.seq }
      own.push({
        ...record,
        seq: this.#seq,
        runId: this.runId,
        asked,
        changes: changes.map(withoutPrevious),
        conflicts: [],
        refusals: [],
      })
    }
    const last = own.at(-1)
    const first = own[0]
    if (first === undefined || last === undefined) return undefined
    const summary = {
      runId: this.runId,
      workflow: 'global',
      version: '1',
      status: 'active' as const,
      seq: last.seq,
      createdAt: first.at,
      updatedAt: last.at,
      parent: undefined,
    }
    return { runId: this.runId, expectedSeq, records: own, summary }
  }

  /** Makes what a run's committed record has changed visible to readers of every run. */
  commit(record: LedgerRecord, changes: readonly CellChange[]): void {
    const seq = this.#seqs.get(record)
    // It may have been read from the store already.
    if (seq === undefined || seq <= this.#committedSeq) return
    this.#committedSeq = seq
    this.#committed = this.#committed.with(changes.filter(({ scope }) => scope === 'global').map(({ cell }) => cell))
  }
}
