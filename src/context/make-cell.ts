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

function mergeMetadata(
  { definition, options }: PutChange,
  current: Readonly<Record<string, unknown>> | undefined,
  by: string,
): Readonly<Record<string, unknown>> {
  if (current === undefined) return Object.freeze({ ...definition.metadata, ...options.metadata, created_by: by })
  if (options.metadata === undefined && current['last_updated_by'] === by) return current
  return Object.freeze({ ...current, ...options.metadata, last_updated_by: by })
}
