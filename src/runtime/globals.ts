// Globals: the entries that every run of a tenant sees. They are a ledger of their own, written together with the run
// that changed them, with snapshots and a retention like that of a run.
import { isCallboardError } from '../base/index.ts'
import { Board, Catalogue, Shelf } from '../context/index.ts'
import type { CellChange } from '../context/index.ts'
import { globalsId, isGlobals, withoutPrevious } from '../ledger/index.ts'
import type { GlobalsMark, LedgerRecord } from '../ledger/index.ts'
import type { Batch, Store } from '../store/index.ts'
import { loadRun } from './load-run.ts'
import type { LoadOptions } from './load-run.ts'
import type { RunState } from './run-state.ts'
import { SnapshotTaker } from './snapshot-taker.ts'
import type { SnapshotKeeping, SnapshotSource } from './snapshot-taker.ts'

/** Entries are checked by the catalogues of the runs that write them. */
const CATALOGUE = new Catalogue({})

/** What a store has of a ledger of global entries: they are on its board. */
export function loadGlobals(options: Omit<LoadOptions, 'catalogue'>): Promise<RunState> {
  return loadRun({ ...options, catalogue: CATALOGUE })
}

/**
 * The board of a run as it was, over the global entries that it saw then. Where those are not known any more, or are those
 * of another database, it has the ones that the run had written itself.
 */
export async function withGlobalsThen(store: Store, runId: string, { board, notes }: RunState): Promise<Board> {
  const mark = notes.globals
  if (mark === undefined) return board
  const then = await loadGlobals({ store, runId, atSeq: mark.seq }).catch((error: unknown) => {
    if (isCallboardError(error, 'run.trimmed')) return undefined
    throw error
  })
  if (then === undefined || then.seq !== mark.seq || then.at !== mark.at) return board
  const { globals } = then.board
  // What it wrote with or after that record's making was on its way.
  const own = [...board.globals.cells()].filter((cell) => cell.touches > (globals.get(cell.entry)?.touches ?? 0))
  return board.withGlobals(own.length === 0 ? globals : globals.with(own))
}

/** Whether a commit failed because its global entries were not the newest; they are read anew then. */
export function isBehindGlobals(error: unknown): boolean {
  if (isCallboardError(error, 'globals.lost')) return true
  return isCallboardError(error, 'store.conflict') && isGlobals(String(error.details['runId']))
}

export class Globals implements SnapshotSource {
  readonly runId: string
  readonly catalogue: Catalogue = CATALOGUE
  /** There is nothing in it but the global entries, which its snapshots have from its records. */
  readonly committedBoard: Board
  readonly #keeping: SnapshotKeeping
  #snapshots: SnapshotTaker
  /** The newest entries, committed or not. */
  #latest = Shelf.empty
  #committed = Shelf.empty
  /** The newest record, committed or not. */
  #seq = 0
  #committedSeq = 0
  #mark: GlobalsMark | undefined
  #epoch = 0
  #reloaded: Promise<void> = Promise.resolve()
  /** Counts what was staged. */
  #staged = 0
  /** The keys of what was staged and is neither stored nor lost, by its number. */
  readonly #ahead = new Map<number, readonly string[]>()
  #wakers: (() => void)[] = []
  /** What a run's record has become here. */
  readonly #records = new WeakMap<LedgerRecord, LedgerRecord>()

  constructor(tenant: string, keeping: SnapshotKeeping) {
    this.runId = globalsId(tenant)
    this.committedBoard = Board.create({ catalogue: CATALOGUE, runId: this.runId })
    this.#keeping = keeping
    this.#snapshots = new SnapshotTaker(this, keeping)
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

  /** Where the committed entries stand in their ledger; the same object until they change. */
  get mark(): GlobalsMark | undefined {
    return this.#mark
  }

  /** Reads what the store has. What was built on what was here before is lost. */
  async load(): Promise<void> {
    const { store, onFailure } = this.#keeping
    const state = await loadGlobals({ store, runId: this.runId, onUnusable: onFailure })
    this.#epoch += 1
    this.#latest = this.#committed = state.board.globals
    this.#seq = this.#committedSeq = state.seq
    this.#mark = state.seq === 0 ? undefined : { seq: state.seq, at: state.at }
    this.#snapshots = new SnapshotTaker(this, this.#keeping, state)
    this.#settle()
  }

  /** What was staged could not be stored: back to what is, as far as that is known and then as the store says. */
  lose(): Promise<void> {
    this.#epoch += 1
    this.#latest = this.#committed
    this.#seq = this.#committedSeq
    this.#settle()
    // A store that cannot be read either refuses the next append as well, and is asked again then.
    return (this.#reloaded = this.load().catch(() => {}))
  }

  /** When they have been read anew after the last loss. */
  get reloaded(): Promise<void> {
    return this.#reloaded
  }

  /** Takes over what a transition made of the entries by these changes; `commit` makes it visible. */
  stage(shelf: Shelf, changes: readonly CellChange[]): void {
    this.#latest = shelf
    const keys = changes.filter(({ scope }) => scope === 'global').map(({ key }) => key)
    if (keys.length > 0) this.#ahead.set(++this.#staged, keys)
  }

  /** The number of the last that was staged. */
  get staged(): number {
    return this.#staged
  }

  /** The same, if something that a workflow knows is not stored yet; 0 otherwise. */
  aheadOf({ catalogue }: { readonly catalogue: Catalogue }): number {
    if (this.#ahead.size === 0) return 0
    const concerns = this.#ahead.values().some((keys) => keys.some((key) => catalogue.find(key) !== undefined))
    return concerns ? this.#staged : 0
  }

  /** Settles once everything staged up to a number is stored, or lost: then the epoch is another. */
  async settled(number: number): Promise<void> {
    while (this.#ahead.keys().some((open) => open <= number))
      await new Promise<void>((resolve) => this.#wakers.push(resolve))
  }

  /** One that was staged is stored; all of them are over unless it is said which. */
  #settle(number?: number): void {
    if (number === undefined) this.#ahead.clear()
    else this.#ahead.delete(number)
    const wakers = this.#wakers
    this.#wakers = []
    for (const wake of wakers) wake()
  }

  /** The batch that stores the changes of these records of one run. */
  batchOf(records: readonly LedgerRecord[]): Batch | undefined {
    const expectedSeq = this.#seq
    const own: LedgerRecord[] = []
    for (const record of records) {
      const changes = record.changes.filter(({ scope }) => scope === 'global')
      if (changes.length === 0) continue
      this.#seq += 1
      const { kind, at, author } = record
      const copy: LedgerRecord = {
        runId: this.runId,
        seq: this.#seq,
        kind,
        at,
        author,
        asked: { runId: record.runId, seq: record.seq },
        changes: changes.map(withoutPrevious),
        conflicts: [],
        refusals: [],
        machine: undefined,
      }
      this.#records.set(record, copy)
      own.push(copy)
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

  /** Makes what a run's committed record has changed visible to readers of every run. `number`: as what it was staged. */
  commit(record: LedgerRecord, changes: readonly CellChange[], number: number): void {
    this.#settle(number)
    const copy = this.#records.get(record)
    // It may have been read from the store already.
    if (copy === undefined || copy.seq <= this.#committedSeq) return
    this.#committedSeq = copy.seq
    this.#mark = { seq: copy.seq, at: copy.at }
    const global = changes.filter(({ scope }) => scope === 'global')
    this.#committed = this.#committed.with(global.map(({ cell }) => cell))
    this.#snapshots.onCommitted(copy, global)
  }
}
