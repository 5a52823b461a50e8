// Ledger: the records of a task's run as S4's events. Pure: the same records give the same lines, byte for byte.
//   L1. sequence_id counts 1, 2, 3, … over the events, and every event names the one before it.
//   L2. A working set and its ledger agree: an event is made from the record that changed the working set.
//   L3. No secret is written, be it in a value of the working set or in what an agent logged.
import { redactSecrets } from 'callboard'
import type { LedgerRecord } from 'callboard'
import type { PatchNote } from './board.ts'
import type { LedgerEvent, LedgerEventType, LoggedEvent } from './ledger-event.ts'
import { PATCHABLE, SCHEMA_VERSION } from './working-set.ts'

/** Whose ledger it is. */
type Identity = Pick<LedgerEvent, 'task_id' | 'thread_id' | 'run_id'>

type Payload = Readonly<Record<string, unknown>>
type Said = readonly [type: LedgerEventType, payload: Payload]

/** @param records all records of the run, oldest first */
export function taskLedger(records: readonly LedgerRecord[]): readonly LedgerEvent[] {
  const identity = identityOf(records)
  const events: LedgerEvent[] = []
  let updateSeq = 0
  let objective: unknown
  for (const record of records) {
    // A task that goes on with what S4 has made has its ledger, too.
    const { restored } = eventOf(record)
    if (restored !== undefined) events.splice(0, events.length, ...restored)
    objective = putIn(record, 'objective') ?? objective
    const said = whatIsSaid(record, { updateSeq, objective })
    const next = putIn(record, '_update_seq')
    if (next !== undefined) updateSeq = next as number
    if (said === undefined) continue
    const [event_type, payload] = said
    events.push({
      _schema_version: SCHEMA_VERSION,
      event_id: `evt_${record.runId}_${record.seq}`,
      parent_event_id: events.at(-1)?.event_id ?? null,
      sequence_id: (events.at(-1)?.sequence_id ?? 0) + 1,
      event_type,
      timestamp: new Date(record.at).toISOString(),
      writer_id: writerOf(record),
      ...identity,
      payload,
    })
  }
  return events
}

/** The ledger as JSONL: one event a line, with the end of the last line. */
export function taskLedgerLines(records: readonly LedgerRecord[]): string {
  return taskLedger(records)
    .map((event) => `${JSON.stringify(event)}\n`)
    .join('')
}

/** What an event of the machine carries. */
interface AskedEvent {
  readonly type?: string
  readonly by?: string
  readonly patch?: { readonly expected_seq: number }
  readonly logged?: LoggedEvent
  /** The lines that a restored task has from before. */
  readonly ledger?: readonly LedgerEvent[]
}

function whatIsSaid(
  record: LedgerRecord,
  { updateSeq, objective }: { readonly updateSeq: number; readonly objective: unknown },
): Said | undefined {
  const { kind, asked } = record
  if (kind === 'unpack') {
    const { pack } = asked as { readonly pack: string }
    return ['RUN_START', { objective: redactSecrets(objective), source: `pack ${pack}` }]
  }
  if (kind === 'start') {
    const { forkedFrom } = asked as { readonly forkedFrom?: { readonly runId: string } }
    const source = forkedFrom === undefined ? 'create' : `fork of ${forkedFrom.runId}`
    return ['RUN_START', { objective: redactSecrets(putIn(record, 'objective')), source }]
  }
  if (kind === 'event') return sayEvent(record, updateSeq)
  if (kind === 'snapshot') return sayMilestone(record)
  if (kind !== 'end') return undefined
  const { error } = asked as { readonly error?: { readonly code: string; readonly message: string } }
  return error === undefined ? undefined : ['ERROR', { code: error.code, message: redactSecrets(error.message) }]
}

function sayEvent(record: LedgerRecord, updateSeq: number): Said | undefined {
  const { patch, logged } = eventOf(record)
  if (logged !== undefined) return [logged.event_type, redactSecrets(logged.payload) as Payload]
  const note = putIn(record, 'last_patch') as PatchNote | undefined
  if (note === undefined) return undefined
  if (note.error !== null) return ['WS_UPDATE_REJECTED', { current_seq: updateSeq, error: note.error }]
  const written = record.changes.filter(({ key, kind }) => kind === 'put' && Object.hasOwn(PATCHABLE, key))
  const secret = written.filter(({ cell }) => cell.entry.sensitive).map(({ key }) => key)
  const open = written.filter(({ key }) => !secret.includes(key)).map(({ key, cell }) => [key, cell.entry.value])
  return [
    'WS_UPDATE_APPLIED',
    {
      expected_seq: patch?.expected_seq ?? updateSeq,
      new_seq: putIn(record, '_update_seq'),
      set: Object.fromEntries(open) as Payload,
      redacted: secret,
      evicted: note.evicted,
    },
  ]
}

function sayMilestone({ asked }: LedgerRecord): Said | undefined {
  const { id, reason, metadata } = asked as { readonly id: string; readonly reason: string; readonly metadata: Payload }
  const episode = metadata['episode'] as { readonly summary: string; readonly nextEntryPoint?: string } | undefined
  if (episode === undefined) return undefined
  const { summary, nextEntryPoint = '' } = episode
  return ['MILESTONE', { episode_id: id, reason, summary, next_entry_point: nextEntryPoint }]
}

function eventOf({ kind, asked, changes }: LedgerRecord): AskedEvent & { readonly restored?: readonly LedgerEvent[] } {
  const event = kind === 'event' ? (asked as { readonly event?: AskedEvent }).event : undefined
  // One that was not taken has changed nothing.
  if (event?.type !== 'restore' || event.ledger === undefined || changes.length === 0) return event ?? {}
  return { ...event, restored: event.ledger }
}

function writerOf(record: LedgerRecord): string {
  return (record.kind === 'event' ? eventOf(record).by : undefined) ?? record.author
}

/** What a record wrote under a key of the workflow. */
function putIn({ changes }: LedgerRecord, key: string): unknown {
  return changes.find((change) => change.key === key && change.kind === 'put')?.cell.entry.value
}

function identityOf(records: readonly LedgerRecord[]): Identity {
  const [first] = records
  const of = (key: keyof Identity): string => (first === undefined ? '' : String(putIn(first, key) ?? first.runId))
  return { task_id: of('task_id'), thread_id: of('thread_id'), run_id: of('run_id') }
}
