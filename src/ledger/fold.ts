import { Board } from '../context/index.ts'
import type { Catalogue, Cell, CellChange, EntryAddress, Entry } from '../context/index.ts'
import type { LedgerRecord, MachineState } from './record.ts'

/** The state of a run after some record. */
export interface FoldedState {
  readonly seq: number
  readonly at: number
  readonly board: Board
  readonly machine: MachineState | undefined
}

/** The state of a run that has no records yet. */
export function emptyState(catalogue: Catalogue, runId: string): FoldedState {
  return { seq: 0, at: 0, board: Board.create({ catalogue, runId }), machine: undefined }
}

/** What the records make of a state: outcomes only, so that yesterday's ledger does not depend on today's merge code. */
export function foldRecords(state: FoldedState, records: readonly LedgerRecord[]): FoldedState {
  if (records.length === 0) return state
  return { ...endOf(records, state), board: state.board.withCells([...newestCells(records).values()]) }
}

/** What counts of an entry is its last cell; a board that takes them all at once is made in a fraction of the time. */
export function newestCells(records: readonly LedgerRecord[]): Map<string, Cell> {
  const newest = new Map<string, Cell>()
  for (const { changes } of records) for (const { cell } of changes) newest.set(addressName(cell.entry), cell)
  return newest
}

/** Where some records end that follow a state. */
export function endOf(
  records: readonly LedgerRecord[],
  { seq, at, machine }: Omit<FoldedState, 'board'>,
): Omit<FoldedState, 'board'> {
  const last = records.at(-1)
  return {
    seq: last?.seq ?? seq,
    at: last?.at ?? at,
    machine: records.findLast((record) => record.machine !== undefined)?.machine ?? machine,
  }
}

/** What no key begins with: keys are well-formed. */
const NOT_A_KEY = '\uD800'

/** One text per address: the key itself for most of them. Lengths keep ids with any characters apart. */
export function addressName({ scope, holder, key }: EntryAddress): string {
  if (scope === 'workflow') return key
  return holder === undefined ? `${NOT_A_KEY}${scope}:${key}` : `${NOT_A_KEY}${scope}:${holder.length}:${holder}${key}`
}

/** How one entry differs between two points. */
export interface EntryDifference extends EntryAddress {
  readonly kind: 'added' | 'removed' | 'changed'
  readonly before: Entry | undefined
  readonly after: Entry | undefined
}

/** What is different on one board from another, by key. */
export function diffBoards(before: Board, after: Board): readonly EntryDifference[] {
  const differences: EntryDifference[] = []
  for (const { live, entry } of after.cells()) {
    const old = before.cell(entry)
    const was = old?.live === true ? old.entry : undefined
    const { scope, holder, key } = entry
    const address = { scope, holder, key }
    if (live && was === undefined) differences.push({ kind: 'added', ...address, before: undefined, after: entry })
    else if (!live && was !== undefined)
      differences.push({ kind: 'removed', ...address, before: was, after: undefined })
    else if (
      live &&
      was !== undefined &&
      was !== entry &&
      (was.version !== entry.version || was.stale !== entry.stale)
    ) {
      differences.push({ kind: 'changed', ...address, before: was, after: entry })
    }
  }
  for (const { live, entry } of before.cells()) {
    const { scope, holder, key } = entry
    if (live && after.cell(entry) === undefined) {
      differences.push({ kind: 'removed', scope, holder, key, before: entry, after: undefined })
    }
  }
  return differences.sort((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key)))
}

/** A change as records keep it: what was there before is in the record before. */
export function withoutPrevious({ kind, scope, holder, key, cell }: CellChange): CellChange {
  return { kind, scope, holder, key, cell, previous: undefined }
}
