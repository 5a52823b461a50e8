// Wire: what is known inside as plain JSON, and back. Kinds that JSON does not know are tagged (`{ "$type": "Date", … }`),
// so that a value that goes in comes out exactly as it was.
import { CallboardError, fromTagged, isCallboardError, REDACTED, toTagged } from '../base/index.ts'
import type { Entry, View } from '../context/index.ts'
import type { RunSummary } from '../store/index.ts'

export type Wire = Readonly<Record<string, unknown>>

/** The fields that hold what users have written. */
const VALUES: ReadonlySet<string> = new Set([
  'value',
  'base',
  'theirs',
  'mine',
  'result',
  'before',
  'after',
  'data',
  'metadata',
])

/** Values tagged, everything else as it is; what is absent is left out. */
export function toWire(data: object): Wire {
  return Object.fromEntries(
    Object.entries(data)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, VALUES.has(name) ? toTagged(value) : value]),
  )
}

/** The same for data with values at any depth. */
export function allToWire(data: object): Wire {
  return toTagged(data) as Wire
}

/** A value that somebody sent. @throws CallboardError `value.unknown-tag` for one that no tag explains */
export function fromWire(value: unknown): unknown {
  try {
    return fromTagged(value)
  } catch (error) {
    if (isCallboardError(error)) throw error
    const message = 'a tagged value ({"$type": …}) does not hold what its tag says; correct it, or leave the tag out'
    throw new CallboardError('value.unknown-tag', message, {}, { cause: error })
  }
}

/** An entry with everything that is known of it; null where something is not. */
export function entryToWire({ value, expiresAt, holder, ...entry }: Entry, shows: { readonly secrets: boolean }): Wire {
  const { metadata, ...rest } = entry
  return {
    ...rest,
    holder: holder ?? null,
    expiresAt: expiresAt ?? null,
    metadata: toTagged(metadata),
    value: entry.sensitive && !shows.secrets ? REDACTED : toTagged(value),
  }
}

/** What an agent sees. */
export function viewToWire(
  view: View,
  shows: { readonly secrets: boolean },
): { readonly seq: number; readonly entries: readonly Wire[] } {
  return { seq: view.seq, entries: view.entries().map((entry) => entryToWire(entry, shows)) }
}

export function summaryToWire({ parent, labels, ...summary }: RunSummary): Wire {
  return { ...summary, parent: parent ?? null, labels: labels ?? {} }
}
