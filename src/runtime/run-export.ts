// Export: a run as one object of plain JSON, for people and programs that do not read ledgers. What makes a run go on
// elsewhere is its ledger, as JSONL; this is everything that can be said of it.
import { toTagged } from '../base/index.ts'
import { REDACTED } from '../base/index.ts'
import type { Entry } from '../context/index.ts'
import type { RunSummary } from '../store/index.ts'
import type { ListedConflict } from './conflicts.ts'
import type { LogLine } from './change-log.ts'
import type { SnapshotInfo } from './point.ts'

export interface ExportOptions {
  /** Sensitive values as they are, instead of redacted. */
  readonly secrets?: boolean
}

/** A run as plain JSON; what JSON does not know (dates, maps, …) is tagged: `{ "$type": "Date", … }`. */
export interface RunExport {
  readonly format: 'callboard-run'
  readonly version: 1
  readonly run: RunSummary
  /** The machine's state value. */
  readonly state: unknown
  /** Every entry that is stored, with all that is known about it; global ones are those that the run can see. */
  readonly entries: readonly unknown[]
  /** The keys of the entries that are not stored. */
  readonly ephemeral: readonly string[]
  readonly protected: readonly string[]
  readonly snapshots: readonly unknown[]
  readonly conflicts: readonly unknown[]
  /** As far back as records are kept. */
  readonly log: readonly unknown[]
}

export function exportRun(
  {
    summary,
    state,
    entries,
    snapshots,
    conflicts,
    log,
  }: {
    readonly summary: RunSummary
    readonly state: unknown
    readonly entries: readonly Entry[]
    readonly snapshots: readonly SnapshotInfo[]
    readonly conflicts: readonly ListedConflict[]
    readonly log: readonly LogLine[]
  },
  { secrets = false }: ExportOptions,
): RunExport {
  const sensitive = new Set(log.filter((line) => line.sensitive).map(({ key }) => key))
  for (const entry of entries) if (entry.sensitive) sensitive.add(entry.key)
  const stored = entries.filter(({ ephemeral }) => !ephemeral)
  return {
    format: 'callboard-run',
    version: 1,
    run: summary,
    state,
    entries: stored.map((entry) => toTagged(entry.sensitive && !secrets ? { ...entry, value: REDACTED } : entry)),
    ephemeral: entries.filter(({ ephemeral }) => ephemeral).map(({ key }) => key),
    protected: entries.filter((entry) => entry.protected).map(({ key }) => key),
    snapshots: snapshots.map(toTagged),
    conflicts: conflicts.map((conflict) =>
      toTagged(sensitive.has(conflict.key) && !secrets ? redacted(conflict) : conflict),
    ),
    log: log.map(toTagged),
  }
}

function redacted(conflict: ListedConflict): ListedConflict {
  return { ...conflict, base: REDACTED, theirs: REDACTED, mine: REDACTED, result: REDACTED }
}
