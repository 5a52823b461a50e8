// What is different in a record that was made again from the one that is stored.
import { canonicalJson, toTagged } from '../base/index.ts'
import type { Cell, CellChange } from '../context/index.ts'
import { encodeRecord } from '../ledger/index.ts'
import type { LedgerRecord } from '../ledger/index.ts'
import type { MachineSnapshot } from './machine-snapshot.ts'

export interface ReplayDifference {
  readonly seq: number
  /** The entry that is another; undefined where it is the machine or the record as a whole. */
  readonly key: string | undefined
  /** Says what is different, without values. */
  readonly message: string
}

/** The first thing in which a record that was made again is another. */
export function compareRecords(then: LedgerRecord, now: LedgerRecord): ReplayDifference | undefined {
  const { seq } = then
  if (then.kind !== now.kind)
    return {
      seq,
      key: undefined,
      message: `it was the record of ${then.kind}, and is one of ${now.kind}${whyRefused(now)}`,
    }
  for (let index = 0; index < Math.max(then.changes.length, now.changes.length); index++) {
    const [was, is] = [then.changes[index], now.changes[index]]
    if (was === undefined || is === undefined) {
      const key = (was ?? is)?.key
      return { seq, key, message: was === undefined ? `"${key}" changes now` : `"${key}" does not change now` }
    }
    if (textOf(then, [was]) !== textOf(then, [is])) return { seq, key: was.key, message: describe(was, is) }
  }
  if (textOf(then, then.changes, then.conflicts) === textOf(then, now.changes, now.conflicts)) return undefined
  const key = (then.conflicts[0] ?? now.conflicts[0])?.key
  return { seq, key, message: `the conflicts about "${key}" are others` }
}

const whyRefused = ({ refusals }: LedgerRecord): string => (refusals[0] === undefined ? '' : `: ${refusals[0].message}`)

/** Changes and conflicts as they are stored. */
function textOf(
  place: LedgerRecord,
  changes: readonly CellChange[],
  conflicts: LedgerRecord['conflicts'] = [],
): string {
  return encodeRecord({ ...place, asked: null, changes, conflicts, refusals: [], machine: undefined })
}

/** In what an entry is another, without its values. */
function describe(was: CellChange, is: CellChange): string {
  if (was.key !== is.key) return `"${was.key}" changed there, and "${is.key}" does now`
  if (was.kind !== is.kind) return `"${was.key}": ${was.kind} then, ${is.kind} now`
  const fields = Object.keys(was.cell.entry) as (keyof Cell['entry'])[]
  const different = fields.filter((field) => !isSame(was.cell.entry[field], is.cell.entry[field]))
  if (different.includes('version')) {
    return `"${was.key}" got version ${was.cell.entry.version}, and gets ${is.cell.entry.version}`
  }
  return `the ${different.join(', ') || 'record'} of "${was.key}" ${different.length > 1 ? 'are others' : 'is another'}`
}

const isSame = (one: unknown, other: unknown): boolean =>
  JSON.stringify(toTagged(one)) === JSON.stringify(toTagged(other))

/** Nothing was made where a record is. */
export function nothingMade({ seq, kind, changes }: LedgerRecord): ReplayDifference {
  return { seq, key: changes[0]?.key, message: `nothing comes of it now; then it was a record of ${kind}` }
}

/** A record was made where there is none. */
export function oneTooMany(made: LedgerRecord | undefined): ReplayDifference | undefined {
  if (made === undefined) return undefined
  const { seq, kind } = made
  return { seq, key: undefined, message: `a record (${kind}) follows that was not there` }
}

/** The machine's state as bytes: what is the same in any process. */
export function machineText({
  status,
  value,
  context,
  output,
}: {
  readonly status: string
  readonly value: unknown
  readonly context: unknown
  readonly output: unknown
}): string {
  return canonicalJson({ status, value, context, output: status === 'done' ? output : undefined })
}

/** @param then the text of the machine after the record */
export function compareMachine(
  { seq, machine }: LedgerRecord,
  { context, ...snapshot }: MachineSnapshot,
  then: string,
): ReplayDifference | undefined {
  const { board: _board, ...extra } = context
  if (machineText({ ...snapshot, context: extra }) === then) return undefined
  const [was, is] = [machine?.value, snapshot.value].map((value) => JSON.stringify(value))
  const message =
    machine === undefined || was === is
      ? `the machine's context or output is another, in state ${is ?? ''}`
      : `the machine was in ${was ?? ''}, and is in ${is ?? ''}`
  return { seq, key: undefined, message }
}
