// Codec: a record as text and back. The text holds all of a record but its place (run, seq, instant, kind), which every
// store keeps beside it.
//   D1. decodeRecord(place, encodeRecord(record)) is the record, field by field, values frozen, with two exceptions: what
//       was there before a change (`previous`) and values of ephemeral entries are not kept (C2).
//   D2. encodeRecord(decodeRecord(place, text)) is the text, byte for byte: what is hashed is what is stored.
import { CallboardError } from '../base/index.ts'
import type { CellChange, Conflict, Refusal } from '../context/index.ts'
import { packChange, unpackChange } from './cell-codec.ts'
import type { PackedCell } from './cell-codec.ts'
import type { LedgerRecord, MachineState, RecordKind } from './record.ts'
import { freezeJson, tag, untag } from './tagged-text.ts'

/** Where a record stands. */
export type RecordPlace = Pick<LedgerRecord, 'runId' | 'seq' | 'at' | 'kind'>

/** Every kind of record, in the order of the numbers that stores keep. Append only. */
export const RECORD_KINDS: readonly RecordKind[] = Object.freeze(
  Object.keys({
    start: 0,
    update: 1,
    refusal: 2,
    event: 3,
    upkeep: 4,
    step: 5,
    request: 6,
    snapshot: 7,
    end: 8,
    definition: 9,
    wait: 10,
    unpack: 11,
  } satisfies Record<RecordKind, number>) as RecordKind[],
)

// In the order in which they are written; what may be absent stands last. Append only.
export const MACHINE_FIELDS = [
  'status',
  'value',
  'persisted',
  'context',
  'timers',
  'invocations',
  'output',
  'error',
] as const
export const REFUSAL_FIELDS = ['kind', 'reason', 'key', 'author', 'message', 'actualVersion'] as const
export const CONFLICT_FIELDS = [
  'id',
  'key',
  'address',
  'path',
  'policy',
  'author',
  'against',
  'version',
  'base',
  'theirs',
  'mine',
  'result',
] as const
const RECORD_FIELDS = {
  seq: 'place',
  runId: 'place',
  at: 'place',
  kind: 'place',
  author: 0,
  asked: 1,
  changes: 2,
  conflicts: 3,
  refusals: 4,
  machine: 5,
  globals: 6,
} as const
RECORD_FIELDS satisfies Record<keyof LedgerRecord, unknown>

/** Stops the build when a type has a field that its list does not name. */
type Complete<Type, Fields extends readonly (keyof Type)[]> =
  Exclude<keyof Type, Fields[number]> extends never ? true : never
true satisfies Complete<MachineState, typeof MACHINE_FIELDS>
true satisfies Complete<Refusal, typeof REFUSAL_FIELDS>
true satisfies Complete<Conflict, typeof CONFLICT_FIELDS>

const NOTHING: readonly never[] = Object.freeze([])

/** @throws CallboardError `ledger.not-encodable` for data that is not plain */
export function encodeRecord(record: LedgerRecord): string {
  const { author, changes, conflicts, refusals, machine, globals } = record
  try {
    const body: unknown[] = [
      author,
      tag(record.asked),
      changes.length === 0 ? 0 : changes.map((change) => packChange(change, record)),
    ]
    if (conflicts.length > 0 || refusals.length > 0 || machine !== undefined || globals !== undefined) {
      body.push(
        conflicts.length === 0 ? 0 : conflicts.map((conflict) => packConflict(conflict, changes)),
        refusals.length === 0 ? 0 : refusals.map((refusal) => packFields(refusal, REFUSAL_FIELDS)),
      )
      if (machine !== undefined) body.push(packFields(machine, MACHINE_FIELDS))
      else if (globals !== undefined) body.push(0)
      if (globals !== undefined) body.push([globals.seq, globals.at])
    }
    return JSON.stringify(body)
  } catch (error) {
    throw new CallboardError(
      'ledger.not-encodable',
      `run ${record.runId}: record ${record.seq} (${record.kind}) holds something that is not plain data: ${String((error as Error).message)}`,
      { runId: record.runId, seq: record.seq },
      { cause: error },
    )
  }
}

/** @throws CallboardError `ledger.not-a-record` for text that `encodeRecord` has not written */
export function decodeRecord({ runId, seq, at, kind }: RecordPlace, text: string): LedgerRecord {
  try {
    const body = JSON.parse(text) as readonly unknown[]
    const revive = text.includes('"$type"') ? untag : freezeJson
    const author = body[RECORD_FIELDS.author]
    if (typeof author !== 'string' || body.length <= RECORD_FIELDS.changes) throw new TypeError('fields are missing')
    const origin = { author, at }
    const packed = (body[RECORD_FIELDS.changes] || NOTHING) as readonly PackedCell[]
    const changes =
      packed.length === 0 ? NOTHING : Object.freeze(packed.map((cell) => unpackChange(cell, origin, revive)))
    const machine = body[RECORD_FIELDS.machine] as readonly unknown[] | 0 | undefined
    const globals = body[RECORD_FIELDS.globals] as readonly [number, number] | undefined
    return Object.freeze({
      seq,
      runId,
      at,
      kind,
      author,
      asked: revive(body[RECORD_FIELDS.asked]),
      changes,
      conflicts: unpackList<Conflict>(body[RECORD_FIELDS.conflicts], CONFLICT_FIELDS, CONFLICT_FIELDS.length),
      refusals: unpackList<Refusal>(body[RECORD_FIELDS.refusals], REFUSAL_FIELDS, REFUSAL_FIELDS.length - 1),
      machine:
        machine === undefined || machine === 0
          ? undefined
          : unpackFields<MachineState>(machine, MACHINE_FIELDS, MACHINE_FIELDS.length),
      ...(globals === undefined ? {} : { globals: Object.freeze({ seq: globals[0], at: globals[1] }) }),
    } satisfies LedgerRecord)
  } catch (error) {
    throw new CallboardError(
      'ledger.not-a-record',
      `run ${runId}: what is stored as record ${seq} is not a record of this format`,
      { runId, seq },
      { cause: error },
    )
  }
}

export function packFields<Type extends object>(
  object: Type,
  fields: readonly (keyof Type & string)[],
): readonly unknown[] {
  let length = fields.length
  while (length > 0 && object[fields[length - 1] as keyof Type] === undefined) length -= 1
  return fields.slice(0, length).map((field) => tag(object[field]))
}

/** @param required so many fields are there even when nothing was written for them */
export function unpackFields<Type extends object>(
  packed: readonly unknown[],
  fields: readonly (keyof Type & string)[],
  required: number,
): Type {
  const object: Partial<Record<keyof Type, unknown>> = {}
  for (let index = 0; index < Math.max(packed.length, required); index++) {
    const field = fields[index]
    if (field !== undefined) object[field] = index < packed.length ? untag(packed[index]) : undefined
  }
  return Object.freeze(object) as Type
}

export function unpackList<Type extends object>(
  packed: unknown,
  fields: readonly (keyof Type & string)[],
  required: number,
): readonly Type[] {
  if (!Array.isArray(packed)) return NOTHING
  return Object.freeze(packed.map((item) => unpackFields<Type>(item as unknown[], fields, required)))
}

/** A conflict about an ephemeral entry keeps who and which version, not the values. */
function packConflict(conflict: Conflict, changes: readonly CellChange[]): readonly unknown[] {
  const { address } = conflict
  const change = changes.find(
    ({ key, scope, holder }) => key === address.key && scope === address.scope && holder === address.holder,
  )
  if (change?.cell.entry.ephemeral !== true) return packFields(conflict, CONFLICT_FIELDS)
  return packFields<Conflict>(
    { ...conflict, base: undefined, theirs: undefined, mine: undefined, result: undefined },
    CONFLICT_FIELDS,
  )
}
