// Cells as compact plain data. What most cells have in common is not written: who and when are those of the record, the
// metadata are those that every write leaves.
//   C1. unpackCell(packCell(cell)) is the cell, field by field, frozen.
//   C2. The value of an ephemeral entry is never written: its cell comes back as one that is not alive, whose versions
//       go on counting.
import { PRIORITIES, SCOPES, shareMetadata } from '../context/index.ts'
import type { Cell, CellChange, Entry, EntryAddress, Lineage } from '../context/index.ts'
import { freezeDeep, tag, untag } from './tagged-text.ts'

/** A key, or `[key, scope, holder]` where the entry is not the workflow's own. */
export type PackedAddress = string | readonly [key: string, scope: number, holder?: string]

/** What few cells have. */
interface PackedExtras {
  owner?: string
  by?: string
  /** Against the record's instant, like `expires`; in a list where that would not be exact. */
  updated?: PackedInstant
  expires?: PackedInstant
  from?: readonly string[]
  touches?: number
  lineage?: readonly (readonly [key: string, version: number])[]
}

type PackedInstant = number | readonly [number]

/** `metadata`: 0 for `{ created_by: owner }`, 1 with `last_updated_by` too, else as it is. */
export type PackedCell = readonly [
  address: PackedAddress,
  bits: number,
  version: number,
  size: number,
  created: PackedInstant,
  metadata: 0 | 1 | object,
  value?: unknown,
  extras?: PackedExtras,
]

/** By whom and when a record was written: what its cells are written against. */
export interface CellOrigin {
  readonly author: string
  readonly at: number
}

/** The origin of cells that stand alone. */
const NO_ORIGIN: CellOrigin = Object.freeze({ author: '', at: 0 })

const CHANGE_KINDS = [
  'put',
  'drop',
  'expire',
  'stale',
  'clear',
  'evict',
] as const satisfies readonly CellChange['kind'][]
true satisfies Exclude<CellChange['kind'], (typeof CHANGE_KINDS)[number]> extends never ? true : never

/** Where each field goes: a new one stops the build until it has a place. */
const CELL_FIELDS = { entry: 'fields', live: 3, exotic: 4, size: 'place', touches: 'extra', lineage: 'extra' } as const
CELL_FIELDS satisfies Record<keyof Cell, unknown>
const ENTRY_FIELDS = {
  key: 'address',
  scope: 'address',
  holder: 'address',
  value: 'place',
  owner: 'extra',
  updatedBy: 'extra',
  priority: 10,
  version: 'place',
  createdAt: 'place',
  updatedAt: 'extra',
  expiresAt: 'extra',
  dependsOn: 'extra',
  metadata: 'place',
  protected: 5,
  ephemeral: 6,
  sensitive: 7,
  pinned: 8,
  stale: 9,
} as const
ENTRY_FIELDS satisfies Record<keyof Entry, unknown>

const KIND_MASK = 0b111
const PRIORITY_MASK = 0b11
const NOTHING: readonly never[] = Object.freeze([])

export function packAddress({ key, scope, holder }: EntryAddress): PackedAddress {
  if (holder !== undefined) return [key, SCOPES.indexOf(scope), holder]
  return scope === 'workflow' ? key : [key, SCOPES.indexOf(scope)]
}

export function unpackAddress(packed: PackedAddress): EntryAddress {
  if (typeof packed === 'string') return { scope: 'workflow', holder: undefined, key: packed }
  return { scope: SCOPES[packed[1]] ?? 'workflow', holder: packed[2], key: packed[0] }
}

/** A cell on its own, as in a snapshot: `unpackCell` is the inverse. */
export function packCell(cell: Cell): PackedCell {
  return pack(cell, 'put', NO_ORIGIN)
}

/** @param revive what to make of stored values: `untag`, or nothing where they are frozen and have no tags */
export function unpackCell(packed: PackedCell, revive: (data: unknown) => unknown = untag): Cell {
  return unpack(packed, NO_ORIGIN, revive)
}

/** A change of a record; what was there before is in the records before. */
export function packChange({ kind, cell }: CellChange, origin: CellOrigin): PackedCell {
  return pack(cell, kind, origin)
}

/** @param revive what to make of stored values: `untag`, or `freezeDeep` where there are no tags */
export function unpackChange(packed: PackedCell, origin: CellOrigin, revive: (data: unknown) => unknown): CellChange {
  const cell = unpack(packed, origin, revive)
  const { scope, holder, key } = cell.entry
  return Object.freeze({
    kind: CHANGE_KINDS[packed[1] & KIND_MASK] ?? 'put',
    scope,
    holder,
    key,
    cell,
    previous: undefined,
  })
}

function pack(cell: Cell, kind: CellChange['kind'], origin: CellOrigin): PackedCell {
  const { entry } = cell
  const keepsValue = cell.live && !entry.ephemeral
  const bits =
    CHANGE_KINDS.indexOf(kind) |
    (Number(keepsValue) << CELL_FIELDS.live) |
    (Number(keepsValue && cell.exotic) << CELL_FIELDS.exotic) |
    (Number(entry.protected) << ENTRY_FIELDS.protected) |
    (Number(entry.ephemeral) << ENTRY_FIELDS.ephemeral) |
    (Number(entry.sensitive) << ENTRY_FIELDS.sensitive) |
    (Number(entry.pinned) << ENTRY_FIELDS.pinned) |
    (Number(entry.stale) << ENTRY_FIELDS.stale) |
    (PRIORITIES.indexOf(entry.priority) << ENTRY_FIELDS.priority)
  const address = packAddress(entry)
  const size = keepsValue ? cell.size : 0
  const created = packInstant(entry.createdAt, origin)
  const metadata = packMetadata(entry)
  const extras = packExtras(cell, origin)
  if (extras !== undefined)
    return [address, bits, entry.version, size, created, metadata, keepsValue ? tag(entry.value) : 0, extras]
  if (keepsValue) return [address, bits, entry.version, size, created, metadata, tag(entry.value)]
  return [address, bits, entry.version, size, created, metadata]
}

function packExtras({ entry, touches, lineage }: Cell, origin: CellOrigin): PackedExtras | undefined {
  const { owner, updatedBy, updatedAt, expiresAt, dependsOn, version } = entry
  if (
    owner === origin.author &&
    updatedBy === origin.author &&
    updatedAt === origin.at &&
    expiresAt === undefined &&
    dependsOn.length === 0 &&
    touches === version &&
    lineage.length === 0
  )
    return undefined
  const extras: PackedExtras = {}
  if (owner !== origin.author) extras.owner = owner
  if (updatedBy !== origin.author) extras.by = updatedBy
  if (updatedAt !== origin.at) extras.updated = packInstant(updatedAt, origin)
  if (expiresAt !== undefined) extras.expires = packInstant(expiresAt, origin)
  if (dependsOn.length > 0) extras.from = dependsOn
  if (touches !== version) extras.touches = touches
  if (lineage.length > 0) extras.lineage = lineage.map(({ key, version: read }) => [key, read] as const)
  return extras
}

function unpack(packed: PackedCell, origin: CellOrigin, revive: (data: unknown) => unknown): Cell {
  const [address, bits, version, size, created, metadata, value, extras] = packed
  const live = (bits & (1 << CELL_FIELDS.live)) !== 0
  const { scope, holder, key } = unpackAddress(address)
  const owner = extras?.owner ?? origin.author
  const updatedBy = extras?.by ?? origin.author
  const entry: Entry = {
    key,
    value: live ? revive(value) : undefined,
    scope,
    holder,
    owner,
    updatedBy,
    priority: PRIORITIES[(bits >> ENTRY_FIELDS.priority) & PRIORITY_MASK] ?? 'medium',
    version,
    createdAt: unpackInstant(created, origin),
    updatedAt: extras?.updated === undefined ? origin.at : unpackInstant(extras.updated, origin),
    expiresAt: extras?.expires === undefined ? undefined : unpackInstant(extras.expires, origin),
    dependsOn: extras?.from === undefined ? NOTHING : freezeDeep(extras.from),
    metadata: unpackMetadata(metadata, owner, updatedBy, revive),
    protected: (bits & (1 << ENTRY_FIELDS.protected)) !== 0,
    ephemeral: (bits & (1 << ENTRY_FIELDS.ephemeral)) !== 0,
    sensitive: (bits & (1 << ENTRY_FIELDS.sensitive)) !== 0,
    pinned: (bits & (1 << ENTRY_FIELDS.pinned)) !== 0,
    stale: (bits & (1 << ENTRY_FIELDS.stale)) !== 0,
  }
  const cell: Cell = {
    entry: Object.freeze(entry),
    live,
    exotic: (bits & (1 << CELL_FIELDS.exotic)) !== 0,
    size,
    touches: extras?.touches ?? version,
    lineage: unpackLineage(extras?.lineage),
  }
  return Object.freeze(cell)
}

function unpackLineage(packed: PackedExtras['lineage']): Lineage {
  if (packed === undefined) return NOTHING
  return Object.freeze(packed.map(([key, version]) => Object.freeze({ key, version })))
}

/** A difference where it is exact; else the instant itself, in a list. */
function packInstant(instant: number, { at }: CellOrigin): PackedInstant {
  return Number.isSafeInteger(instant) && Number.isSafeInteger(at) && Number.isSafeInteger(instant - at)
    ? instant - at
    : [instant]
}

function unpackInstant(packed: PackedInstant, { at }: CellOrigin): number {
  return typeof packed === 'number' ? at + packed : packed[0]
}

function packMetadata({ metadata, owner, updatedBy }: Entry): 0 | 1 | object {
  const names = Object.keys(metadata)
  if (names[0] === 'created_by' && metadata['created_by'] === owner) {
    if (names.length === 1) return 0
    if (names.length === 2 && names[1] === 'last_updated_by' && metadata['last_updated_by'] === updatedBy) return 1
  }
  return tag(metadata) as object
}

function unpackMetadata(
  packed: 0 | 1 | object,
  owner: string,
  updatedBy: string,
  revive: (data: unknown) => unknown,
): Entry['metadata'] {
  if (packed === 0) return shareMetadata(owner, undefined)
  if (packed === 1) return shareMetadata(owner, updatedBy)
  return revive(packed) as Entry['metadata']
}
