// SnapshotTaker: stores the state of one ledger now and then, while it goes on.
//   T1. A snapshot is taken after what was committed has been acknowledged, and nothing waits for it.
//   T2. One that fails harms nothing: it is reported, and tried again after the next so many records.
//   T3. What is stored is what its records add up to: the state after a committed record, and nothing of what is to come.
//   T4. They cost a record no more than storing one entry.
// Which snapshots stay, and which records go, is decided by retention.ts.
import { Shelf } from '../context/index.ts'
import type { Board, Catalogue, CellChange } from '../context/index.ts'
import type { LedgerRecord } from '../ledger/index.ts'
import type { Store } from '../store/index.ts'
import { automaticId, planTidying, tidyUp } from './retention.ts'
import type { KeepingRules } from './retention.ts'
import { RunNotes } from './run-notes.ts'
import { packRun } from './run-state.ts'
import type { RunState } from './run-state.ts'

/** How the snapshots of every ledger are taken. */
export interface SnapshotKeeping {
  readonly store: Store
  readonly rules: KeepingRules
  /** Told of failures; nobody else is. */
  onFailure(error: unknown): void
  /** Whoever closes the runtime waits for this. */
  track(work: Promise<void>): void
}

/** Whose snapshots they are. */
export interface SnapshotSource {
  readonly runId: string
  readonly catalogue: Catalogue
  /** After the last committed record. */
  readonly committedBoard: Board
}

/** After how many records the next one is due: at least as many as it holds entries (T4). */
function intervalOf({ everyRecords }: KeepingRules, { live }: Shelf, globals: Shelf): number {
  return Math.max(everyRecords, live + globals.live)
}

export class SnapshotTaker {
  readonly notes: RunNotes
  readonly #source: SnapshotSource
  readonly #keeping: SnapshotKeeping
  /** The global entries as this ledger's own records left them; those of others are not its business (T3). */
  #globals: Shelf
  #seq: number
  #at: number
  /** After which record the next snapshot is due. */
  #due: number
  #isTaking = false

  /** @param state what the ledger adds up to so far; nothing for a new one */
  constructor(source: SnapshotSource, keeping: SnapshotKeeping, state?: RunState) {
    this.#source = source
    this.#keeping = keeping
    this.notes = state?.notes ?? new RunNotes()
    this.#globals = state?.board.globals ?? Shelf.empty
    this.#seq = state?.seq ?? 0
    this.#at = state?.at ?? 0
    this.#due = (state?.snapshotSeq ?? 0) + intervalOf(keeping.rules, state?.board.own ?? Shelf.empty, this.#globals)
  }

  get isTaking(): boolean {
    return this.#isTaking
  }

  /** A record is in the store. */
  onCommitted(record: LedgerRecord, globalChanges: readonly CellChange[]): void {
    this.#seq = record.seq
    this.#at = record.at
    this.notes.apply(record)
    if (globalChanges.length > 0) this.#globals = this.#globals.with(globalChanges.map(({ cell }) => cell))
    if (record.seq >= this.#due && !this.#isTaking) {
      this.#isTaking = true
      this.#keeping.track(this.#takeSoon())
    }
  }

  async #takeSoon(): Promise<void> {
    // A tick runs when the promises at hand have settled: everybody who was waiting for the commit has been told (T1).
    await new Promise<void>((resolve) => process.nextTick(resolve))
    try {
      await this.#take()
    } catch (error) {
      this.#keeping.onFailure(error)
    } finally {
      this.#isTaking = false
    }
  }

  async #take(): Promise<void> {
    const { notes } = this
    const { rules, store } = this.#keeping
    const { runId, catalogue, committedBoard } = this.#source
    const reading = { store, runId, catalogue }
    const interval = intervalOf(rules, committedBoard.own, this.#globals)
    this.#due = this.#seq + interval
    const plan = await planTidying(reading, rules, notes.snapshots, this.#seq)
    notes.forgetSnapshots(plan.forgotten)
    const [seq, at, state] = [this.#seq, this.#at, packRun(this.#state())]
    this.#due = seq + interval
    const id = automaticId(seq)
    const reason = `every ${interval} records`
    await store.putSnapshot({ runId, id, seq, at, reason, metadata: {}, state })
    await tidyUp(reading, rules, plan, { id, seq, at })
  }

  #state(): Omit<RunState, 'snapshotSeq'> {
    const { notes } = this
    const board = this.#source.committedBoard.withGlobals(this.#globals)
    return { seq: this.#seq, at: this.#at, board, machine: notes.machine, notes }
  }
}
