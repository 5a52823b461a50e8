import type { EventObject } from 'xstate'
import { CallboardError, fromTagged, isCallboardError, toTagged } from '../base/index.ts'
import type { ErrorDetails } from '../base/index.ts'
import { inferPriority } from '../context/index.ts'
import type { CellChange, Change, PutChange, WriteOptions } from '../context/index.ts'
import { UPDATE_EVENT } from '../workflow/index.ts'
import type { UpdateEvent } from '../workflow/index.ts'

/**
 * What was asked, as a record keeps it: an update, or an event with its payload where that is plain data.
 *
 * Of an update, only what its outcome does not say already: for a value that was stored as it was asked, the version its
 * author had seen; nothing at all where that cannot be told either. Ledgers are mostly made of such updates.
 *
 * @param changes what came of an update
 */
export function describeEvent(event: EventObject, changes: readonly CellChange[]): object {
  if (event.type === UPDATE_EVENT) {
    const { update } = event as unknown as UpdateEvent
    const { id } = update
    const described = update.changes.map((change, index) => describeChange(change, changes[index]))
    return described.every((line) => line === null) ? { update: id } : { update: id, changes: described }
  }
  if (event.type.startsWith('xstate.error.')) {
    return { event: event.type, error: recordError((event as EventObject & { readonly error?: unknown }).error) }
  }
  try {
    return { event: JSON.parse(JSON.stringify(toTagged(event))) as unknown }
  } catch {
    return { event: { type: event.type }, isPartial: true }
  }
}

/** An error as it can be made again: what it says of itself, and what caused it. */
export interface RecordedError {
  readonly name: string
  readonly message: string
  readonly code?: string
  readonly details?: unknown
  readonly cause?: RecordedError
}

const MOST_CAUSES = 8

function recordError(error: unknown, depth = 0): RecordedError {
  if (!(error instanceof Error) && !isCallboardError(error)) return { name: '', message: String(error) }
  const { name, message, code, details, cause } = error as Partial<CallboardError>
  return {
    name: name ?? 'Error',
    message: message ?? '',
    ...(typeof code === 'string' ? { code } : {}),
    ...(details === undefined ? {} : plainOnly({ details })),
    ...(cause === undefined || depth === MOST_CAUSES ? {} : { cause: recordError(cause, depth + 1) }),
  }
}

function plainOnly<Fields extends object>(fields: Fields): Fields | object {
  try {
    return JSON.parse(JSON.stringify(toTagged(fields))) as Fields
  } catch {
    return {}
  }
}

/** The error behind what was recorded of it. */
export function reviveError(recorded: RecordedError): unknown {
  const { name, message, details = {}, cause } = recorded
  if (name === '') return message
  const options = cause === undefined ? {} : { cause: reviveError(cause) }
  const { code } = recorded
  if (name !== 'CallboardError' || code === undefined)
    return Object.assign(new Error(message, options), { name }, code === undefined ? {} : { code })
  const known = { ...recorded, code }
  return new CallboardError(known.code, message, fromTagged(details) as ErrorDetails, options)
}

function describeChange(change: Change, outcome: CellChange | undefined): unknown {
  // What is put in place is what came of it.
  if (change.kind === 'place') return null
  const { kind, scope, holder, key, seen } = change
  const base = seen === 'unknown' ? null : seen === 'absent' ? 0 : seen.entry.version
  if (kind === 'drop') return { kind, scope, holder, key, base }
  const { policyName: policy, partial, definition, value } = change
  const options = givenOptions(change)
  const isSaid = outcome?.key === key && outcome.kind === 'put' && outcome.cell.entry.value === value
  if (isSaid && !partial && policy === definition.policyName)
    return options.options === undefined ? base : { base, ...options }
  return { kind, scope, holder, key, base, policy, partial, ...options, ...(definition.ephemeral ? {} : { value }) }
}

/** What was said of the entry beside its value; nothing where it is but a priority that can be guessed again. */
function givenOptions({ key, value, options, definition }: PutChange): { readonly options?: WriteOptions } {
  const given = Object.keys(options).length
  const isGuessed = given === 1 && definition.infersPriority && options.priority === inferPriority(key, value)
  return given === 0 || isGuessed ? NOTHING_SAID : { options }
}

const NOTHING_SAID = Object.freeze({})
