// The change log: who changed what, from which version to which, and when; made from the ledger. Sensitive values are
// redacted, those of ephemeral entries are not in it.
import { handOut, REDACTED } from '../base/index.ts'
import { evictionReasonOf } from '../context/index.ts'
import type { CellChange, Cell, Scope } from '../context/index.ts'
import { foldRecords } from '../ledger/index.ts'
import type { FoldedState, LedgerRecord } from '../ledger/index.ts'
import { describeReason } from './evictions.ts'
import type { ForkLine } from './fork.ts'
import type { EndLine } from './run-notes.ts'
import type { RecordNote } from './record-note.ts'
import { toldError } from './told-error.ts'

export type LogOperation =
  /** An entry was there from the start of the run. */
  | 'initialize'
  /** An entry came along from the run that this one was forked from. */
  | 'fork'
  /** A changed definition of the workflow has made it what it is. */
  | 'migrate'
  /** Nothing was there before. */
  | 'set'
  | 'update'
  | 'delete'
  /** Its time was over. */
  | 'expire'
  /** It was ephemeral, and its phase has ended. */
  | 'clear'
  /** It made room for something that matters more, or that is newer. */
  | 'evict'
  /** Something that it is made from has changed. */
  | 'stale'
  /** It was put back to what it was, or removed because it was not there then. */
  | 'restore'
  /** It came from the branch of an agent. */
  | 'merge'
  /** An update was refused; nothing changed. */
  | 'refuse'
  | 'snapshot'
  | 'episode'
  /** The run was stopped, or failed outside of its machine. */
  | 'end'

/** One line of the change log. */
export interface LogLine {
  readonly seq: number
  readonly at: number
  /** Who. */
  readonly by: string
  readonly operation: LogOperation
  /** Undefined where a line is about the run. */
  readonly key: string | undefined
  readonly scope: Scope | undefined
  readonly holder: string | undefined
  /** The versions before and after; 0 where there was none. */
  readonly from: number
  readonly to: number
  /** Something was there before, were it `null`. */
  readonly hadPrevious: boolean
  readonly before: unknown
  readonly after: unknown
  readonly sensitive: boolean
  readonly ephemeral: boolean
  /** Why it was refused or evicted; the reason of a snapshot; from which record something was restored. */
  readonly detail: string | undefined
}

export interface LogOptions {
  /** Only lines about this key, in every scope. */
  readonly key?: string
  /** Only lines after this record. */
  readonly afterSeq?: number
  /** At most so many: the first after `afterSeq` where that is given, else the newest. */
  readonly limit?: number
}

/**
 * The lines that some records make, oldest first.
 *
 * @param state what was there before the first of them
 */
export function logOf(
  state: FoldedState,
  records: readonly LedgerRecord[],
  { key, afterSeq, limit = Number.POSITIVE_INFINITY }: LogOptions = {},
): readonly LogLine[] {
  const lines: LogLine[] = []
  let before = state
  for (const record of records) {
    if (afterSeq !== undefined && lines.length >= limit) break
    for (const line of linesOf(before, record)) if (key === undefined || line.key === key) lines.push(line)
    before = foldRecords(before, [record])
  }
  if (lines.length <= limit) return lines
  return afterSeq === undefined ? lines.slice(lines.length - limit) : lines.slice(0, limit)
}

function linesOf({ board }: FoldedState, record: LedgerRecord): readonly LogLine[] {
  const lines: LogLine[] = []
  const seen = new Map<string, Cell>()
  for (const change of record.changes) {
    const place = `${change.scope}:${change.holder ?? ''}:${change.key}`
    // One entry may change twice in a record.
    const previous = seen.get(place) ?? board.cell(change)
    seen.set(place, change.cell)
    // A fork brings the versions of what was deleted along; nothing happened to them.
    if (record.kind !== 'start' || change.cell.live) lines.push(lineOf(record, change, previous))
  }
  for (const { key, message } of record.refusals) lines.push({ ...runLine(record, 'refuse', message), key })
  if (record.kind === 'snapshot') {
    const { reason, metadata } = record.asked as { readonly reason: string; readonly metadata: object }
    lines.push(runLine(record, 'episode' in metadata ? 'episode' : 'snapshot', reason))
  } else if (record.kind === 'end') {
    const { reason, error } = record.asked as EndLine
    lines.push(runLine(record, 'end', reason ?? (error === undefined ? undefined : toldError(error).message)))
  }
  return lines.map((line) => Object.freeze(line))
}

function runLine({ seq, at, author }: LedgerRecord, operation: LogOperation, detail: string | undefined): LogLine {
  return {
    seq,
    at,
    by: author,
    operation,
    key: undefined,
    scope: undefined,
    holder: undefined,
    from: 0,
    to: 0,
    hadPrevious: false,
    before: undefined,
    after: undefined,
    sensitive: false,
    ephemeral: false,
    detail,
  }
}

function lineOf(record: LedgerRecord, change: CellChange, previous: Cell | undefined): LogLine {
  const { cell, scope, holder, key } = change
  const hadPrevious = previous?.live === true
  const sensitive = cell.entry.sensitive || (hadPrevious && previous.entry.sensitive)
  const shown = (from: Cell | undefined): unknown => {
    if (from?.live !== true || from.entry.ephemeral) return undefined
    return sensitive ? REDACTED : handOut(from.entry.value)
  }
  return {
    ...runLine(record, operationOf(record, change, hadPrevious), undefined),
    key,
    scope,
    holder,
    from: previous?.entry.version ?? 0,
    to: cell.entry.version,
    hadPrevious,
    before: shown(previous),
    after: shown(cell),
    sensitive,
    ephemeral: cell.entry.ephemeral,
    detail: detailOf(record, change),
  }
}

function detailOf({ asked }: LedgerRecord, { kind, cell }: CellChange): string | undefined {
  const reason = kind === 'evict' ? evictionReasonOf(cell) : undefined
  if (reason !== undefined) return describeReason(reason)
  const { restores, forkedFrom } = (asked ?? {}) as RecordNote & Partial<ForkLine>
  if (restores !== undefined) return `as it was at ${restores}`
  return forkedFrom === undefined ? undefined : `from run ${forkedFrom.runId} at ${forkedFrom.seq}`
}

function operationOf({ kind, asked }: LedgerRecord, change: CellChange, hadPrevious: boolean): LogOperation {
  const { restores, merges, forkedFrom } = (asked ?? {}) as RecordNote & Partial<ForkLine>
  switch (change.kind) {
    case 'stale':
    case 'expire':
    case 'clear':
    case 'evict':
      return change.kind
    case 'put':
    case 'drop':
      if (kind === 'start') return forkedFrom === undefined ? 'initialize' : 'fork'
      if (kind === 'definition') return 'migrate'
      if (restores !== undefined) return 'restore'
      if (merges !== undefined) return 'merge'
      if (change.kind === 'drop') return 'delete'
      return hadPrevious ? 'update' : 'set'
    default:
      throw new TypeError(`unknown change ${String(change.kind satisfies never)}`)
  }
}
