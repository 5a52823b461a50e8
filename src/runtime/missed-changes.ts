// Missed changes: what became of global entries that a run has made something from, while it looked on or was away.
import { withoutPrevious } from '../ledger/index.ts'
import type { Board, CellChange, EntryAddress } from '../context/index.ts'

/**
 * The global entries that changed after the run had made something from them that is not marked as stale. Of what was
 * written in the same millisecond nobody can tell which was first: it is taken for in time.
 */
export function missedChanges({ own, globals }: Board): readonly CellChange[] {
  const missed: CellChange[] = []
  for (const cell of globals.cells()) {
    const { scope, holder, key, updatedAt } = cell.entry
    const isBefore = (address: EntryAddress): boolean => {
      const made = own.get(address)
      return made?.live === true && !made.entry.stale && made.entry.updatedAt < updatedAt
    }
    if (!own.dependantsOf(key).some(isBefore)) continue
    missed.push({ kind: cell.live ? 'put' : 'drop', scope, holder, key, cell, previous: undefined })
  }
  return missed
}

/** Those of the changes behind which something is to be marked as stale, each once. */
export function changesBehind({ own }: Board, changes: readonly CellChange[]): readonly CellChange[] {
  const isFresh = (address: EntryAddress): boolean => {
    const made = own.get(address)
    return made?.live === true && !made.entry.stale
  }
  return changes
    .filter(
      ({ key, cell }, index) =>
        own.dependantsOf(key).some(isFresh) && changes.findIndex((other) => other.cell === cell) === index,
    )
    .map(withoutPrevious)
}
