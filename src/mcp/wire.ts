// Wire: what is known inside as plain JSON. Kinds that JSON does not know are tagged (`{ "$type": "Date", … }`), so that a
// value that goes in comes out exactly as it was.
import { REDACTED, toTagged } from '../base/index.ts'
import type { Entry } from '../context/index.ts'
import type { LogLine, Run } from '../runtime/index.ts'
import type { RunSummary } from '../store/index.ts'
import type { Desk } from './desk.ts'

export type Wire = Readonly<Record<string, unknown>>

/** An entry with everything that is known of it. What is sensitive shows to agents with a grant, who see no other. */
export function entryToWire({ value, metadata, ...entry }: Entry, shows: { readonly secrets: boolean }): Wire {
  return {
    ...entry,
    metadata: toTagged(metadata),
    value: entry.sensitive && !shows.secrets ? REDACTED : toTagged(value),
  }
}

/** What never tells of entries: the seq and the last change do. */
export function summaryToWire({ runId, workflow, status, createdAt, labels = {} }: RunSummary): Wire {
  return { runId, workflow, status, createdAt, labels }
}

/** What there is to know of a run; to an agent, nothing that tells of entries it cannot see. */
export function runToWire(desk: Desk, run: Run): Wire {
  const { id: runId, workflow, status } = run
  if (desk.agent !== undefined) return { runId, workflow, status }
  const { text, ...explanation } = run.explain()
  const { labels, parent = null, seq, state } = run
  return { runId, workflow, status, labels, parent, seq, state, requests: run.requests(), explanation, text }
}

/** A line of the change log. */
export function logLineToWire({ before, after, ...line }: LogLine): Wire {
  return { ...line, before: toTagged(before), after: toTagged(after) }
}

/** As clients are given it. */
export function jsonOf(data: unknown): string {
  return JSON.stringify(data, undefined, 2)
}
