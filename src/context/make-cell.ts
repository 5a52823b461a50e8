// Cells as updates leave them: pure.
import type { AdmittedValue } from '../base/index.ts'
import { authorName } from './author.ts'
import type { Cell, Entry } from './entry.ts'
import type { PutChange, Update } from './update.ts'

/** The cell that a put leaves. `value` is what the merge made of it. */
export function makeCell(
  change: PutChange,
  { value, made }: { readonly value: unknown; readonly made?: AdmittedValue },
  previous: Cell | undefined,
  update: Update,
  stale: boolean,
): Cell {
  const { key, scope, holder, definition, options } = change
  const by = authorName(update.author)
  const current = previous?.live === true ? previous.entry : undefined
  const { ttlMs = definition.ttlMs } = options
  const expiresAt = options.expiresAt ?? (ttlMs === undefined ? undefined : update.at + ttlMs)
  const metadata = mergeMetadata(change, current?.metadata, by)
  const dependsOn = dependenciesOf(change, previous)
  const unchanged = value === change.value
  const entry: Entry = Object.freeze({
    key,
    value,
    scope,
    holder,
    owner: current?.owner ?? by,
    updatedBy: by,
    priority: options.priority ?? current?.priority ?? definition.priority,
    version: (previous?.entry.version ?? 0) + 1,
    createdAt: current?.createdAt ?? update.at,
    updatedAt: update.at,
    expiresAt,
    dependsOn,
    metadata,
    protected: definition.protected,
    ephemeral: definition.ephemeral,
    sensitive:
      definition.sensitive ??
      (change.secret || made?.secret === true || metadata['sensitive'] === true || (current?.sensitive ?? false)),
    pinned: options.pinned ?? current?.pinned ?? definition.pinned,
    stale,
  })
  return {
    entry,
    live: true,
    exotic: made?.exotic ?? (unchanged ? change.exotic : change.exotic || (previous?.exotic ?? false)),
    size: made?.size ?? (unchanged ? change.size : change.size + (previous?.live === true ? previous.size : 0)),
    touches: (previous?.touches ?? 0) + 1,
    lineage: update.lineage,
  }
}

/** What the entry is made from: said with the write, else before, else in the catalogue. */
export function dependenciesOf({ options, definition }: PutChange, previous: Cell | undefined): readonly string[] {
  return options.dependsOn ?? (previous?.live === true ? previous.entry.dependsOn : definition.dependsOn)
}

/** The cell that puts another one's content in place of what is there; without one, what a deletion leaves. */
export function placedCell(cell: Cell | undefined, previous: Cell | undefined, update: Update): Cell {
  const by = authorName(update.author)
  if (cell === undefined) {
    if (previous === undefined) throw new TypeError('there is nothing to remove')
    return tombstone(previous, by, update.at)
  }
  const entry = Object.freeze({
    ...cell.entry,
    version: (previous?.entry.version ?? 0) + 1,
    updatedAt: update.at,
    updatedBy: by,
  })
  return { ...cell, entry, live: true, touches: (previous?.touches ?? 0) + 1 }
}

/** What is left of an entry that was deleted or has expired: its versions go on counting from there. */
export function tombstone(previous: Cell, by: string, at: number): Cell {
  const entry = Object.freeze({
    ...previous.entry,
    value: undefined,
    version: previous.entry.version + 1,
    updatedAt: at,
    updatedBy: by,
    expiresAt: undefined,
    stale: false,
  })
  return { entry, live: false, exotic: false, size: 0, touches: previous.touches + 1, lineage: [] }
}

type Metadata = Readonly<Record<string, unknown>>

const shared = new Map<string, Metadata>()
const MOST_SHARED = 10_000

/** Entries without metadata of their own share one object per pair of names: there are few authors and many entries. */
export function shareMetadata(createdBy: string, updatedBy: string | undefined): Metadata {
  const id = updatedBy === undefined ? createdBy : `${createdBy.length}:${createdBy}${updatedBy}`
  const known = shared.get(id)
  if (known !== undefined && (updatedBy === undefined) === (known['last_updated_by'] === undefined)) return known
  if (shared.size >= MOST_SHARED) shared.clear()
  const made = Object.freeze(
    updatedBy === undefined ? { created_by: createdBy } : { created_by: createdBy, last_updated_by: updatedBy },
  )
  shared.set(id, made)
  return made
}

function mergeMetadata({ definition, options }: PutChange, current: Metadata | undefined, by: string): Metadata {
  if (current === undefined) {
    if (options.metadata === undefined && definition.hasNoMetadata) return shareMetadata(by, undefined)
    return Object.freeze({ ...definition.metadata, ...options.metadata, created_by: by })
  }
  if (options.metadata === undefined) {
    if (current['last_updated_by'] === by) return current
    if (definition.hasNoMetadata && isShared(current)) return shareMetadata(String(current['created_by']), by)
  }
  return Object.freeze({ ...current, ...options.metadata, last_updated_by: by })
}

/** It holds nothing but who created and who updated. */
function isShared(metadata: Metadata): boolean {
  return Object.keys(metadata).length === (metadata['last_updated_by'] === undefined ? 1 : 2)
}
