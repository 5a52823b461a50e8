// Evictions: what made room for other entries, when and why, from the ledger.
import { entryOf, evictionReasonOf } from '../context/index.ts'
import type { Cell, CellChange, Entry, EntryAddress, EvictionReason } from '../context/index.ts'
import type { LedgerRecord } from '../ledger/index.ts'

/** An entry that made room for others. */
export interface EvictionNote extends EntryAddress, EvictionReason {
  /** Of the record in which it went. */
  readonly seq: number
  readonly at: number
  /** Whose update needed the room. */
  readonly by: string
  /** The version that went. */
  readonly version: number
}

/** An eviction with the entry as it was. */
export interface EvictionRecord extends EvictionNote {
  /** Undefined where its value is not kept: it was ephemeral, or written by a record that the retention has dropped. */
  readonly entry: Entry | undefined
}

type EvictingRecord = Pick<LedgerRecord, 'seq' | 'at' | 'author' | 'changes'>

/** What a record evicted. */
export function evictionsIn({ seq, at, author, changes }: EvictingRecord): readonly EvictionNote[] {
  if (!changes.some(isEviction)) return []
  return changes.filter(isEviction).flatMap(({ scope, holder, key, cell }) => {
    const reason = evictionReasonOf(cell)
    if (reason === undefined) return []
    return [Object.freeze({ key, scope, holder, seq, at, by: author, version: cell.entry.version - 1, ...reason })]
  })
}

/** Everything evicted in these records, oldest first, with what was written by the records among them. */
export function listEvictions(records: readonly LedgerRecord[]): readonly EvictionRecord[] {
  const living = new Map<string, Cell>()
  const listed: EvictionRecord[] = []
  for (const record of records) {
    for (const note of evictionsIn(record)) {
      const cell = living.get(placeOf(note))
      listed.push(Object.freeze({ ...note, entry: cell === undefined ? undefined : entryOf(cell) }))
    }
    for (const change of record.changes) {
      if (change.cell.live) living.set(placeOf(change), change.cell)
      else living.delete(placeOf(change))
    }
  }
  return listed
}

export function describeEviction({ key, seq, by, ...reason }: EvictionNote): string {
  return `"${key}" made room at ${seq} for what ${by} wrote: ${describeReason(reason)}`
}

export function describeReason({ limit, max, needed }: EvictionReason): string {
  return `${needed} were needed, ${limit} allows ${max}`
}

function isEviction({ kind }: CellChange): boolean {
  return kind === 'evict'
}

function placeOf({ scope, holder, key }: EntryAddress): string {
  return JSON.stringify([scope, holder ?? null, key])
}
