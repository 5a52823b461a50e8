// A record on one line, for people.
import type { LedgerRecord } from '../ledger/index.ts'
import type { Redactor } from './redact.ts'
import { instant } from './table.ts'
import { visibleText } from './visible-text.ts'

interface AskedLine {
  readonly event?: unknown
  readonly step?: string
  readonly attempt?: number
  readonly phase?: string
  readonly error?: unknown
  readonly question?: string
  readonly reason?: string
  readonly id?: string
  readonly status?: string
  readonly answers?: string
  readonly pack?: string
  readonly runId?: string
}

const SEQ_WIDTH = 6
const KIND_WIDTH = 8
const AUTHOR_WIDTH = 10

/** `    12  2026-01-02T03:04:05Z  update    analyst  wrote sources 1` */
export function describeRecord(record: LedgerRecord, redactor: Redactor): string {
  const { seq, at, kind, author } = record
  const what = [...whatWasAsked(record), ...whatCameOfIt(record)].join('; ')
  const text = visibleText(redactor.text(what))
  return `${String(seq).padStart(SEQ_WIDTH)}  ${instant(at)}  ${kind.padEnd(KIND_WIDTH)}  ${visibleText(author).padEnd(AUTHOR_WIDTH)}  ${text}`.trimEnd()
}

function whatWasAsked({ kind, asked }: LedgerRecord): readonly string[] {
  const line = (typeof asked === 'object' && asked !== null ? asked : {}) as AskedLine
  const answer = line.answers === undefined ? [] : [`answers ${line.answers}`]
  switch (kind) {
    case 'event':
      return [`event ${eventName(line.event)}`, ...answer]
    case 'update':
      return answer
    case 'step': {
      const error = line.phase === 'failed' && line.error !== undefined ? [errorText(line.error)] : []
      return [`step ${line.step ?? ''}, attempt ${line.attempt ?? 1} ${line.phase ?? ''}`, ...error]
    }
    case 'request':
      return [`asks ${line.question ?? ''} (${line.id ?? ''})`]
    case 'snapshot':
      return [`${line.id ?? ''}: ${line.reason ?? ''}`]
    case 'unpack':
      return [`out of ${line.pack ?? 'a pack'} of run ${line.runId ?? ''}`]
    case 'end':
      return [line.status ?? 'ended', ...(line.reason === undefined ? [] : [line.reason])]
    default:
      return []
  }
}

function errorText(error: unknown): string {
  if (typeof error === 'string') return error
  const { message } = (error ?? {}) as { readonly message?: unknown }
  return typeof message === 'string' ? message : String(error)
}

function eventName(event: unknown): string {
  if (typeof event === 'string') return event
  const { type } = (event ?? {}) as { readonly type?: unknown }
  return typeof type === 'string' ? type : ''
}

const VERBS = {
  put: 'wrote',
  drop: 'dropped',
  expire: 'expired',
  stale: 'stale',
  clear: 'cleared',
  evict: 'evicted',
} as const

function whatCameOfIt({ changes, conflicts, refusals, machine }: LedgerRecord): readonly string[] {
  const byKind = Map.groupBy(changes, ({ kind }) => kind)
  return [
    ...[...byKind].map(
      ([kind, some]) => `${VERBS[kind]} ${some.map(({ key, cell }) => `${key} ${cell.entry.version}`).join(', ')}`,
    ),
    ...(conflicts.length === 0 ? [] : [`conflicts about ${conflicts.map(({ key }) => key).join(', ')}`]),
    ...refusals.map(({ message }) => `refused: ${message}`),
    ...(machine === undefined ? [] : [`state ${JSON.stringify(machine.value)}`]),
  ]
}
