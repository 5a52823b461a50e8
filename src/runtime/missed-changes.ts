// Missed changes: what became of global entries while a run was out of memory.
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
