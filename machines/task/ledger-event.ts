// Ledger event: a line of S4's run ledger (version 2.1). Each type has a closed payload of its own.
import { z } from 'zod'
import { PATCHABLE, SCHEMA_VERSION } from './working-set.ts'

const text = z.string()
const nonEmpty = z.string().min(1)
const json = z.json()
const seq = z.int().min(0)

/** What an agent can log. What is left out of a payload is not known. */
const LOGGED = {
  STEP_REQUEST: z.strictObject({ step: nonEmpty, request: json.optional() }),
  MODEL_ACTION: z.strictObject({ action: nonEmpty, arguments: json.optional() }),
  TOOL_CALL: z.strictObject({ tool: nonEmpty, call_id: nonEmpty, arguments: json.optional() }),
  TOOL_RESULT: z.strictObject({ tool: nonEmpty, call_id: nonEmpty, ok: z.boolean(), result: json.optional() }),
  MODEL_UPDATE: z.strictObject({ summary: nonEmpty, details: json.optional() }),
  ERROR: z.strictObject({ code: nonEmpty, message: text }),
  MEMORY_PROPOSE: z.strictObject({ batch_id: nonEmpty, staged_count: seq }),
  MEMORY_COMMIT: z.strictObject({ batch_id: nonEmpty, committed_ids: z.array(nonEmpty) }),
  RESUME_SNAPSHOT: z.strictObject({ pack_id: nonEmpty }),
} as const

/** What the task itself says. */
const OWN = {
  RUN_START: z.strictObject({ objective: nonEmpty, source: nonEmpty }),
  WS_UPDATE_APPLIED: z.strictObject({
    expected_seq: seq,
    new_seq: seq,
    /** The fields as they are now; what is secret is redacted. */
    set: z.strictObject(PATCHABLE).partial(),
    /** The fields of which something is redacted: they are not in `set`. */
    redacted: z.array(nonEmpty),
    /** Sliding items that made room. */
    evicted: z.array(nonEmpty),
  }),
  WS_UPDATE_REJECTED: z.strictObject({ current_seq: seq, error: nonEmpty }),
  MILESTONE: z.strictObject({ episode_id: nonEmpty, reason: text, summary: text, next_entry_point: text }),
} as const

const PAYLOADS = { ...OWN, ...LOGGED }

export type LedgerEventType = keyof typeof PAYLOADS
export type LoggedType = keyof typeof LOGGED

export const LedgerEvent = z.discriminatedUnion(
  'event_type',
  Object.entries(PAYLOADS).map(([type, payload]) =>
    z.strictObject({
      _schema_version: z.literal(SCHEMA_VERSION),
      event_id: nonEmpty,
      parent_event_id: nonEmpty.nullable(),
      /** 1, 2, 3, … per run. */
      sequence_id: z.int().min(1),
      event_type: z.literal(type),
      timestamp: z.iso.datetime({ offset: true }),
      writer_id: nonEmpty,
      task_id: nonEmpty,
      thread_id: nonEmpty,
      run_id: nonEmpty,
      payload,
    }),
  ) as never,
)

/** A line of the ledger. */
export interface LedgerEvent {
  readonly _schema_version: typeof SCHEMA_VERSION
  readonly event_id: string
  readonly parent_event_id: string | null
  readonly sequence_id: number
  readonly event_type: LedgerEventType
  readonly timestamp: string
  readonly writer_id: string
  readonly task_id: string
  readonly thread_id: string
  readonly run_id: string
  readonly payload: Readonly<Record<string, unknown>>
}

/** A line of a ledger that was written elsewhere: what its payload may be is the business of whoever wrote it. */
export const LedgerLine = z
  .strictObject({
    _schema_version: z.literal(SCHEMA_VERSION),
    event_id: nonEmpty,
    parent_event_id: nonEmpty.nullable(),
    sequence_id: z.int().min(1),
    event_type: z.enum(Object.keys(PAYLOADS) as [LedgerEventType, ...LedgerEventType[]]),
    timestamp: z.iso.datetime({ offset: true }),
    writer_id: nonEmpty,
    task_id: nonEmpty,
    thread_id: nonEmpty,
    run_id: nonEmpty,
    payload: z.record(z.string(), json),
  })
  .readonly()
export type LedgerLine = z.infer<typeof LedgerLine>

/** What an agent has done, as it is logged. */
export const LoggedEvent = z.discriminatedUnion(
  'event_type',
  Object.entries(LOGGED).map(([type, payload]) => z.strictObject({ event_type: z.literal(type), payload })) as never,
) as z.ZodType<LoggedEvent>
export type LoggedEvent = {
  [Type in LoggedType]: { readonly event_type: Type; readonly payload: z.input<(typeof LOGGED)[Type]> }
}[LoggedType]
