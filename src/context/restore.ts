// Restore: what it takes to make the entries of a run what they were on an older board. Pure.
import { isSameData } from '../base/index.ts'
import type { Board } from './board.ts'
import type { Cell, Entry } from './entry.ts'
import { scopedId } from './scope.ts'
import type { EntryAddress } from './scope.ts'
import type { PlaceChange } from './update.ts'

export interface RestoreOptions {
  /** Overwrite and remove protected entries too. */
  readonly override: boolean
  /** In whose name. */
  readonly by: string
  /** What has expired by then does not come back. */
  readonly at: number
}

/**
 * The changes that put back what was there, and the protected entries that keep their value instead. Entries that are as
 * they were are left alone, and so is what is ephemeral, then or now. Global entries are not the run's to put back.
 */
export function restoreChanges(
  now: Board,
  then: Board,
  { override, by, at }: RestoreOptions,
): { readonly changes: readonly PlaceChange[]; readonly kept: readonly EntryAddress[] } {
  const changes: PlaceChange[] = []
  const kept: EntryAddress[] = []
  for (const { scope, holder, key } of addressesOf(now, then)) {
    const address = { scope, holder, key }
    const current = liveAt(now, address)
    const old = liveAt(then, address)
    if (current?.entry.ephemeral === true || old?.entry.ephemeral === true) continue
    const target = isOver(old, at) ? undefined : old
    if (isAsItWas(current, target)) continue
    if (current?.entry.protected === true && !override) kept.push(Object.freeze(address))
    else changes.push({ kind: 'place', ...address, cell: target && inNameOf(target, by), conflicts: [] })
  }
  return { changes, kept }
}

/** By key, then by scope and holder: the same boards give the same order. */
function addressesOf(now: Board, then: Board): readonly EntryAddress[] {
  const found = new Map<string, EntryAddress>()
  for (const board of [now, then]) {
    for (const address of board.addresses()) {
      const { scope, holder, key } = address
      found.set(`${key}\u0000${holder === undefined ? scope : scopedId(scope, holder, key)}`, address)
    }
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, address]) => address)
}

function liveAt(board: Board, address: EntryAddress): Cell | undefined {
  const cell = board.cell(address)
  return cell?.live === true ? cell : undefined
}

function isOver(cell: Cell | undefined, at: number): boolean {
  return cell?.entry.expiresAt !== undefined && cell.entry.expiresAt <= at
}

/** Who put it there last and as which version is not what an entry is. */
const CONTENT = [
  'value',
  'priority',
  'expiresAt',
  'dependsOn',
  'sensitive',
  'pinned',
  'stale',
] as const satisfies readonly (keyof Entry)[]

function isAsItWas(one: Cell | undefined, other: Cell | undefined): boolean {
  if (one === undefined || other === undefined) return one === other
  return (
    CONTENT.every((field) => isSameData(one.entry[field], other.entry[field])) &&
    isSameData(ownMetadata(one), ownMetadata(other))
  )
}

function ownMetadata({ entry }: Cell): object {
  const { last_updated_by: _by, ...own } = entry.metadata
  return own
}

function inNameOf(cell: Cell, by: string): Cell {
  const metadata = Object.freeze({ ...cell.entry.metadata, last_updated_by: by })
  return { ...cell, entry: Object.freeze({ ...cell.entry, metadata }) }
}
