// The entries of a run as a migration leaves them, as changes of its board. Pure.
import { admitValue, CallboardError, isPlainObject, isSecretName } from '../base/index.ts'
import { authorName, entryOf, isPriority, tombstone, WORKFLOW_AUTHOR } from '../context/index.ts'
import type { Board, CatalogueEntry, Cell, CellChange, Entry, EntryAddress } from '../context/index.ts'
import type { MigratedEntry } from '../workflow/index.ts'

const BY = authorName(WORKFLOW_AUTHOR)
const NO_LINEAGE: Cell['lineage'] = Object.freeze([])

/** The entries that a migration is given: those that are alive and stored. */
export function storedEntriesOf(board: Board): readonly Entry[] {
  const cells = [...board.own.cells()].filter(({ live, entry }) => live && !entry.ephemeral)
  return Object.freeze(cells.map(entryOf).sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1)))
}

/**
 * @param given what the migration was given: an entry that it gives back as it is has not changed
 * @throws CallboardError `migration.invalid`
 */
export function migrateEntries(
  board: Board,
  given: readonly Entry[],
  wanted: readonly MigratedEntry[],
  at: number,
): readonly CellChange[] {
  const before = new Set(given)
  const places = new Set<string>()
  const changes: CellChange[] = []
  for (const entry of wanted) {
    const definition = definitionOf(board, entry)
    const address = addressOf(entry, definition)
    if (places.has(idOf(address))) throw invalid(`entry "${address.key}" is given twice; each entry has one value`)
    places.add(idOf(address))
    if (before.has(entry as Entry)) continue
    const cell = cellOf(entry, address, definition, { previous: board.cell(address), at })
    changes.push({ kind: 'put', ...address, cell, previous: undefined })
  }
  for (const { scope, holder, key } of given) {
    const address = { scope, holder, key }
    const previous = board.cell(address)
    if (previous === undefined || places.has(idOf(address))) continue
    changes.push({ kind: 'drop', ...address, cell: tombstone(previous, BY, at), previous: undefined })
  }
  return changes
}

/** What is stored under weaker flags than its definition has now gets those: what became sensitive is so at once. */
export function tightenEntries(board: Board, at: number): readonly CellChange[] {
  const changes: CellChange[] = []
  for (const cell of board.own.cells()) {
    const { live, entry } = cell
    const definition = board.catalogue.find(entry.key)
    if (!live || entry.ephemeral || definition === undefined) continue
    const flags = {
      sensitive: entry.sensitive || definition.sensitive === true,
      protected: entry.protected || definition.protected,
    }
    if (flags.sensitive === entry.sensitive && flags.protected === entry.protected) continue
    const { scope, holder, key } = entry
    const version = entry.version + 1
    const tightened = Object.freeze({ ...entry, ...flags, version, updatedAt: at, updatedBy: BY })
    changes.push({
      kind: 'put',
      scope,
      holder,
      key,
      cell: Object.freeze({ ...cell, entry: tightened, touches: cell.touches + 1 }),
      previous: undefined,
    })
  }
  return changes
}

/** What is wrong with what a migration gave. */
export function invalid(message: string, cause?: unknown): CallboardError {
  return new CallboardError('migration.invalid', message, {}, cause === undefined ? {} : { cause })
}

function idOf({ scope, holder = '', key }: EntryAddress): string {
  return JSON.stringify([key, scope, holder])
}

function definitionOf(board: Board, entry: MigratedEntry): CatalogueEntry {
  if (!isPlainObject(entry) || typeof entry.key !== 'string' || !Object.hasOwn(entry, 'value'))
    throw invalid('entries is a list of { key, value, … }; give back entries you were given, or such objects')
  const definition = board.catalogue.find(entry.key)
  if (definition === undefined)
    throw invalid(`entry "${entry.key}" is not in the catalogue; rename it, leave it out, or add it to defineContext()`)
  return definition
}

function addressOf({ key, holder, ...entry }: MigratedEntry, definition: CatalogueEntry): EntryAddress {
  const scope = entry.scope ?? definition.scope
  if (scope === 'global')
    throw invalid(`entry "${key}" is global and belongs to all runs of its tenant; write it in a run instead`)
  if (scope === 'workflow') return { scope, holder: undefined, key }
  const owner = holder ?? (scope === 'group' ? definition.group : undefined)
  if (owner === undefined) throw invalid(`entry "${key}" has scope ${scope}; say whose it is with holder`)
  return { scope, holder: owner, key }
}

function cellOf(
  entry: MigratedEntry,
  address: EntryAddress,
  definition: CatalogueEntry,
  { previous, at }: { readonly previous: Cell | undefined; readonly at: number },
): Cell {
  const { key } = address
  const { priority = definition.priority, owner = BY, createdAt = at, expiresAt } = entry
  if (!isPriority(priority)) throw invalid(`entry "${key}" has the unknown priority "${String(priority)}"`)
  const { value, exotic, size, secret } = admitted(key, entry.value)
  const metadata = { ...(entry.metadata ?? { ...definition.metadata, created_by: owner }), last_updated_by: BY }
  const sensitive = definition.sensitive ?? (entry.sensitive === true || secret || isSecretName(key))
  return Object.freeze({
    entry: Object.freeze({
      ...address,
      value,
      owner,
      updatedBy: BY,
      priority,
      version: (previous?.entry.version ?? 0) + 1,
      createdAt,
      updatedAt: at,
      expiresAt:
        Object.hasOwn(entry, 'expiresAt') || definition.ttlMs === undefined ? expiresAt : at + definition.ttlMs,
      dependsOn: Object.freeze([...(entry.dependsOn ?? definition.dependsOn)]),
      metadata: admitted(key, metadata).value as Entry['metadata'],
      protected: definition.protected,
      ephemeral: definition.ephemeral,
      sensitive,
      pinned: entry.pinned ?? definition.pinned,
      stale: entry.stale ?? false,
    }),
    live: true,
    exotic,
    size,
    touches: (previous?.touches ?? 0) + 1,
    lineage: previous?.live === true ? previous.lineage : NO_LINEAGE,
  })
}

function admitted(key: string, value: unknown): ReturnType<typeof admitValue> {
  try {
    return admitValue(value)
  } catch (error) {
    throw invalid(`entry "${key}": ${(error as Error).message}`, error)
  }
}
