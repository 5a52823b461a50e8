// Episodes: named milestones of a run. An episode is a snapshot whose name is taken once and for all; everything about it
// stands in one record, so that it is there as a whole or not at all, and nobody can edit it.
import { CallboardError } from '../base/index.ts'
import type { LedgerRecord } from '../ledger/index.ts'
import type { Store } from '../store/index.ts'
import { firstKeptSeq, readRecords } from './load-run.ts'
import { takeSnapshot } from './point.ts'
import type { SnapshotInfo } from './point.ts'
import type { RunCore } from './run-core.ts'

/** A milestone: the run as it was after `seq`, and what led from the one before to it. */
export interface Episode extends SnapshotInfo {
  readonly name: string
  /** Where it began: the end of the episode before, or, for the first, where it was made. */
  readonly fromSeq: number
  /** What happened since the episode before: deterministic, at most 1,200 characters, without values. */
  readonly summary: string
  /** Ids of what was committed to memory for it. */
  readonly memoryCommits: readonly string[]
  /** Where to go on. */
  readonly nextEntryPoint: string | undefined
}

export interface EpisodeOptions {
  readonly by?: string
  readonly memoryCommits?: readonly string[]
  readonly nextEntryPoint?: string
  readonly metadata?: Readonly<Record<string, unknown>>
}

/** What a snapshot's metadata says of an episode. */
interface EpisodeLine extends Pick<Episode, 'summary' | 'memoryCommits'> {
  readonly fromSeq?: number
  readonly nextEntryPoint?: string
}

const MOST_CHARACTERS = 1_200
const LAST_EVENTS = 5
const MOST_KEYS = 4

/** The episodes among some snapshots. */
export function episodesAmong(snapshots: readonly SnapshotInfo[]): readonly Episode[] {
  return snapshots.flatMap((snapshot) => {
    const line = snapshot.metadata['episode'] as EpisodeLine | undefined
    if (line === undefined) return []
    const { fromSeq = snapshot.seq, summary, memoryCommits, nextEntryPoint } = line
    return [Object.freeze({ ...snapshot, name: snapshot.reason, fromSeq, summary, memoryCommits, nextEntryPoint })]
  })
}

/** The episode that a run is about to note: one after the other, so that each begins where the one before it ends. */
const underWay = new WeakMap<RunCore, Promise<unknown>>()

/** @throws CallboardError `episode.exists` */
export function takeEpisode(
  core: RunCore,
  store: Store,
  episode: EpisodeOptions & { readonly name: string; readonly id: string },
): Promise<Episode> {
  const before = underWay.get(core) ?? Promise.resolve()
  const taken = before.then(() => takeNext(core, store, episode))
  underWay.set(
    core,
    taken.catch(() => {}),
  )
  return taken
}

async function takeNext(
  core: RunCore,
  store: Store,
  {
    name,
    id,
    by = 'outside',
    memoryCommits = [],
    nextEntryPoint,
    metadata,
  }: EpisodeOptions & { readonly name: string; readonly id: string },
): Promise<Episode> {
  const { runId, snapshots } = core
  const episodes = episodesAmong(snapshots)
  if (name === '' || episodes.some((episode) => episode.name === name)) {
    throw new CallboardError(
      'episode.exists',
      `run ${runId} cannot note an episode "${name}": a name is not empty and given once, and an episode is never overwritten; there are ${episodes.map((episode) => episode.name).join(', ') || 'none'}`,
      { runId, name },
    )
  }
  const fromSeq = episodes.at(-1)?.seq
  const kept = await firstKeptSeq(store, runId)
  const line: EpisodeLine = {
    ...(fromSeq === undefined ? {} : { fromSeq }),
    summary: summarise(await readRecords(store, runId, { afterSeq: Math.max(fromSeq ?? 0, kept - 1) })),
    memoryCommits,
    ...(nextEntryPoint === undefined ? {} : { nextEntryPoint }),
  }
  const [taken] = episodesAmong([
    await takeSnapshot(core, { id, reason: name, metadata: { ...metadata, episode: line } }, by),
  ])
  return taken as Episode
}

/** Counts by kind, then the last records: the same for the same records, without values. */
export function summarise(records: readonly LedgerRecord[]): string {
  const counts = new Map<string, number>()
  for (const { kind } of records) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  const lines = [
    'Event counts:',
    ...[...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([kind, count]) => `- ${kind}: ${count}`),
    'Last events:',
    ...records.slice(-LAST_EVENTS).map(describeRecord),
  ]
  const points = Array.from(lines.join('\n'))
  return points.length <= MOST_CHARACTERS ? points.join('') : `${points.slice(0, MOST_CHARACTERS - 1).join('')}…`
}

function describeRecord({ seq, kind, author, changes, refusals }: LedgerRecord): string {
  const keys = [...new Set([...changes.map(({ key }) => key), ...refusals.map(({ key }) => key ?? '?')])]
  const more = keys.length > MOST_KEYS ? ` and ${keys.length - MOST_KEYS} more` : ''
  const about = keys.length === 0 ? '' : `: ${keys.slice(0, MOST_KEYS).join(', ')}${more}`
  return `- ${seq} ${kind} by ${author}${about}`
}
