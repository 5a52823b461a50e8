// The ledgers of a run and of its child runs, as a store has them. A run is read before its child runs: what it knows of
// one has happened there.
import { CallboardError, isCallboardError } from '../base/index.ts'
import { Board, Catalogue } from '../context/index.ts'
import { isGlobals } from '../ledger/index.ts'
import type { LedgerRecord } from '../ledger/index.ts'
import type { RunSummary, Store, StoredSnapshot } from '../store/index.ts'
import type { PackableRun, PackedEpisode } from './form.ts'
import { trimmedError } from './pack-errors.ts'
import { boardOf, withoutLostPoints } from './snapshot-state.ts'

/** A ledger to be packed. */
export interface StoredLedger {
  readonly summary: RunSummary
  /** Those after `trimmedSeq`. */
  readonly records: readonly LedgerRecord[]
  /** The last record that is not there any more; 0 when all are. */
  readonly trimmedSeq: number
  /** What stands in for them. */
  readonly snapshots: readonly StoredSnapshot[]
}

/** A run and everything below it, the run first. @throws CallboardError `run.unknown`, `pack.trimmed` */
export async function readLedgers(store: Store, runId: string): Promise<readonly StoredLedger[]> {
  const summary = isGlobals(runId) ? undefined : await store.summary(runId)
  if (summary === undefined)
    throw new CallboardError('run.unknown', `there is no run ${runId} to pack; list() of its store lists them`, {
      runId,
    })
  const ledgers: StoredLedger[] = []
  let level: readonly RunSummary[] = [summary]
  while (level.length > 0) {
    for (const run of level) ledgers.push(await readLedgerOf(store, run))
    const parents = new Set(level.map((run) => run.runId))
    const all = await store.list({}, { onDamage: () => {} })
    level = all.filter(({ parent }) => parent !== undefined && parents.has(parent.runId))
  }
  return ledgers
}

async function readLedgerOf(store: Store, summary: RunSummary): Promise<StoredLedger> {
  const { runId } = summary
  const { records, trimmedSeq } = await readKept(store, runId)
  if (trimmedSeq === 0) return { summary, records, trimmedSeq, snapshots: [] }
  const infos = await store.snapshots(runId)
  const standIns = infos.filter(({ seq }) => seq <= trimmedSeq)
  const seqs = new Set(standIns.map(({ seq }) => seq))
  if (!seqs.has(trimmedSeq))
    throw trimmedError(runId, 'its store has no state that fits what is left; let it go on to its next snapshot')
  const found = await Promise.all([...seqs].map((atSeq) => store.snapshot(runId, { atSeq })))
  const kept = new Set(standIns.map(({ id }) => id))
  const snapshots = found.flatMap((snapshot) => (snapshot === undefined ? [] : [withoutLostPoints(snapshot, kept)]))
  return { summary, records, trimmedSeq, snapshots }
}

async function readKept(
  store: Store,
  runId: string,
): Promise<{ readonly records: readonly LedgerRecord[]; readonly trimmedSeq: number }> {
  for (let trimmedSeq = 0; ;) {
    try {
      return { records: await store.read(runId, { afterSeq: trimmedSeq }), trimmedSeq }
    } catch (error) {
      // More may be trimmed while it is read.
      if (!isCallboardError(error, 'store.trimmed')) throw error
      trimmedSeq = (error.details['firstSeq'] as number) - 1
    }
  }
}

/** A ledger as a form sees it. */
export function packableRun({ summary, records, trimmedSeq, snapshots }: StoredLedger): PackableRun {
  const base = snapshots.find(({ seq }) => seq === trimmedSeq)
  const valuesAt = (atSeq: number): ReadonlyMap<string, unknown> => {
    const standsIn = snapshots.find(({ seq }) => seq === atSeq) ?? base
    const empty = Board.create({ catalogue: new Catalogue({}), runId: summary.runId })
    const begun = standsIn === undefined ? empty : boardOf(standsIn)
    const later = records.filter(({ seq }) => seq <= atSeq && seq > (standsIn?.seq ?? 0))
    const board = begun.withCells(later.flatMap(({ changes }) => changes.map(({ cell }) => cell)))
    return new Map(
      [...board.own.cells()]
        .filter(({ live, entry }) => live && entry.scope === 'workflow')
        .map(({ entry }) => [entry.key, entry.value]),
    )
  }
  return {
    summary,
    records,
    episode: episodesIn(records).at(-1),
    values: (atSeq = records.at(-1)?.seq ?? trimmedSeq) => valuesAt(atSeq),
  }
}

/** The milestones that records tell of, oldest first. */
export function episodesIn(records: readonly LedgerRecord[]): readonly PackedEpisode[] {
  return records.flatMap(({ kind, asked, seq, at }) => {
    if (kind !== 'snapshot') return []
    const { id, reason, metadata } = asked as SnapshotLine
    const line = metadata.episode
    if (line === undefined) return []
    const { fromSeq, summary, memoryCommits = [], nextEntryPoint } = line
    return [{ id, name: reason, seq, at, fromSeq, summary, memoryCommits, nextEntryPoint }]
  })
}

/** What a record says of a named point, and of an episode. */
interface SnapshotLine {
  readonly id: string
  readonly reason: string
  readonly metadata: {
    readonly episode?: Pick<PackedEpisode, 'summary'> &
      Partial<Pick<PackedEpisode, 'fromSeq' | 'memoryCommits' | 'nextEntryPoint'>>
  }
}
