// Lines: a record as named JSON, for people and other programs. The hash in a line is that of the record's stored text,
// so a ledger has one chain wherever it is kept.
import { CallboardError } from '../base/index.ts'
import type { Cell, CellChange, Conflict, Entry, Refusal } from '../context/index.ts'
import { CONFLICT_FIELDS, decodeRecord, encodeRecord, MACHINE_FIELDS, RECORD_KINDS, REFUSAL_FIELDS } from './codec.ts'
import type { GlobalsMark, LedgerRecord, MachineState } from './record.ts'
import { tag, untag } from './tagged-text.ts'

type Named = Readonly<Record<string, unknown>>

const CELL_FIELDS = ['live', 'exotic', 'size', 'touches', 'lineage'] as const
const ENTRY_FIELDS = [
  'key',
  'scope',
  'holder',
  'version',
  'value',
  'owner',
  'updatedBy',
  'priority',
  'createdAt',
  'updatedAt',
  'expiresAt',
  'dependsOn',
  'metadata',
  'protected',
  'ephemeral',
  'sensitive',
  'pinned',
  'stale',
] as const
true satisfies Exclude<keyof Cell, (typeof CELL_FIELDS)[number] | 'entry'> extends never ? true : never
true satisfies Exclude<keyof Entry, (typeof ENTRY_FIELDS)[number]> extends never ? true : never

/** A record and its hash as one line of JSON, without the line's end. */
export function recordToLine(record: LedgerRecord, hash: string): string {
  // What is written is what is stored: without values of ephemeral entries.
  const { seq, runId, at, kind, author, asked, changes, conflicts, refusals, machine, globals } = decodeRecord(
    record,
    encodeRecord(record),
  )
  return JSON.stringify({
    seq,
    runId,
    at,
    kind,
    author,
    asked: tag(asked),
    changes: changes.map(({ kind: changeKind, cell }) => ({
      kind: changeKind,
      ...named(cell.entry, ENTRY_FIELDS),
      ...named(cell, CELL_FIELDS),
    })),
    conflicts: conflicts.map((conflict) => named(conflict, CONFLICT_FIELDS)),
    refusals: refusals.map((refusal) => named(refusal, REFUSAL_FIELDS)),
    ...(machine === undefined ? {} : { machine: named(machine, MACHINE_FIELDS) }),
    ...(globals === undefined ? {} : { globals }),
    hash,
  })
}

/**
 * The inverse of `recordToLine`.
 *
 * @throws CallboardError `ledger.not-a-line` for text that is not such a line
 */
export function lineToRecord(line: string): { readonly record: LedgerRecord; readonly hash: string } {
  try {
    const data = JSON.parse(line) as Named
    const { seq, runId, at, kind, author, hash } = data as unknown as LedgerRecord & { readonly hash: string }
    const isRecord = Number.isSafeInteger(seq) && typeof runId === 'string' && RECORD_KINDS.includes(kind)
    if (!isRecord || typeof author !== 'string' || typeof hash !== 'string') throw new TypeError('fields are missing')
    const changes = Object.freeze((data['changes'] as readonly Named[]).map(changeOf))
    const machine = data['machine'] as Named | undefined
    const globals = data['globals'] as GlobalsMark | undefined
    const record: LedgerRecord = {
      seq,
      runId,
      at,
      kind,
      author,
      asked: untag(data['asked']),
      changes,
      conflicts: (data['conflicts'] as readonly Named[]).map((conflict) =>
        unnamed<Conflict>(conflict, CONFLICT_FIELDS),
      ),
      refusals: (data['refusals'] as readonly Named[]).map((refusal) => refusalOf(refusal)),
      machine: machine === undefined ? undefined : unnamed<MachineState>(machine, MACHINE_FIELDS),
      ...(globals === undefined ? {} : { globals: Object.freeze({ seq: globals.seq, at: globals.at }) }),
    }
    return { record: Object.freeze(record), hash }
  } catch (error) {
    throw new CallboardError('ledger.not-a-line', 'the line is not a record of a ledger', {}, { cause: error })
  }
}

function changeOf(data: Named): CellChange {
  const entry = unnamed<Entry>(data, ENTRY_FIELDS)
  const cell: Cell = Object.freeze({ ...unnamed<Omit<Cell, 'entry'>>(data, CELL_FIELDS), entry })
  const { scope, holder, key } = entry
  return Object.freeze({ kind: data['kind'] as CellChange['kind'], scope, holder, key, cell, previous: undefined })
}

function refusalOf(data: Named): Refusal {
  const { actualVersion, ...refusal } = unnamed<Refusal>(data, REFUSAL_FIELDS)
  return Object.freeze(actualVersion === undefined ? refusal : { ...refusal, actualVersion })
}

/** The fields that are there, by name. */
function named<Type extends object>(object: Type, fields: readonly (keyof Type & string)[]): Named {
  return Object.fromEntries(
    fields.filter((field) => object[field] !== undefined).map((field) => [field, tag(object[field])]),
  )
}

function unnamed<Type extends object>(data: Named, fields: readonly (keyof Type & string)[]): Type {
  return Object.freeze(Object.fromEntries(fields.map((field) => [field, untag(data[field])]))) as unknown as Type
}
