// Retention: which snapshots of a ledger are kept, and which records they stand in for may go.
//   K1. The newest snapshots are kept, so many as asked for; records go only before the oldest of them.
//   K2. Every point from the first kept record on can be read, and every named point that is kept.
//   K3. A crash at any moment leaves more than is needed, never less; the next time tidies up after it.
import { CallboardError } from '../base/index.ts'
import type { StoredSnapshotInfo } from '../store/index.ts'
import { firstKeptSeq, loadRun } from './load-run.ts'
import type { LoadOptions } from './load-run.ts'
import { packRun } from './run-state.ts'
import { isEpisode } from './point.ts'
import type { SnapshotInfo } from './point.ts'

/** When the whole state of a run is stored, so that reading it begins there. */
export interface SnapshotOptions {
  /**
   * A snapshot after so many records, or after as many as there are entries where those are more; 500 unless given,
   * `Infinity` for none.
   */
  readonly everyRecords?: number
  /** So many of the newest stay, for the case that one is damaged; 2 unless given. */
  readonly keep?: number
}

/** How much of its history a run keeps. */
export interface RetentionOptions {
  /** At least so many of the newest records; `Infinity`, which is all of them, unless given. */
  readonly keepRecords?: number
  /** So many of the newest named snapshots whose records have gone; 50 unless given. Episodes stay besides. */
  readonly keepSnapshots?: number
}

export interface KeepingRules extends Required<SnapshotOptions>, Required<RetentionOptions> {}

/** @throws CallboardError `runtime.option` for a number that makes no sense */
export function keepingRules(snapshots: SnapshotOptions = {}, retention: RetentionOptions = {}): KeepingRules {
  return Object.freeze({
    everyRecords: assertCount('snapshots.everyRecords', snapshots.everyRecords ?? 500, 1),
    keep: assertCount('snapshots.keep', snapshots.keep ?? 2, 1),
    keepRecords: assertCount('retention.keepRecords', retention.keepRecords ?? Number.POSITIVE_INFINITY, 0),
    keepSnapshots: assertCount('retention.keepSnapshots', retention.keepSnapshots ?? 50, 0),
  })
}

/** @throws CallboardError `runtime.option` unless it is a whole number of at least `least`, or infinite */
export function assertCount(name: string, count: number, least: number): number {
  if (count === Number.POSITIVE_INFINITY || (Number.isSafeInteger(count) && count >= least)) return count
  throw new CallboardError(
    'runtime.option',
    `createRuntime({ ${name} }) is ${String(count)}; give a whole number from ${least} on, or Infinity`,
    { name },
  )
}

/** @throws CallboardError `runtime.option` unless it is a number of milliseconds from 0 on, or infinite */
export function assertDuration(name: string, ms: number): number {
  if (ms >= 0) return ms
  throw new CallboardError(
    'runtime.option',
    `createRuntime({ ${name} }) is ${String(ms)}; give milliseconds from 0 on, or Infinity`,
    { name },
  )
}

const AUTOMATIC = 'auto:'

/** The id of a snapshot that nobody asked for. */
export function automaticId(seq: number): string {
  return `${AUTOMATIC}${seq}`
}

/** More than what is kept is let go at once: dropping costs reading what stays. */
const SLACK = 4

/** What becomes of a ledger once the next snapshot is stored. */
export interface TidyPlan {
  readonly stored: readonly StoredSnapshotInfo[]
  /** The last record that has gone, or is to go. */
  readonly trimmedSeq: number
  /** Whether records are to go. */
  readonly trims: boolean
  /** Named points whose states are to be kept in place of their records. */
  readonly points: readonly SnapshotInfo[]
  /** Named points that cannot be read any more after it. */
  readonly forgotten: ReadonlySet<string>
}

/** @param seq where the next snapshot will stand, or before that */
export async function planTidying(
  { store, runId }: LoadOptions,
  { keep, keepRecords, keepSnapshots }: KeepingRules,
  named: readonly SnapshotInfo[],
  seq: number,
): Promise<TidyPlan> {
  const stored = await store.snapshots(runId)
  const trimmedSeq = (await firstKeptSeq(store, runId)) - 1
  const older = stored.filter(isAutomatic)
  const oldest = keep === 1 ? seq : (older.at(1 - keep)?.seq ?? 0)
  const cut = Math.min(oldest, seq - keepRecords)
  if (cut - trimmedSeq < Math.max(1, keepRecords / SLACK))
    return { stored, trimmedSeq, trims: false, points: [], forgotten: new Set() }
  const gone = named.filter((point) => point.seq <= cut)
  // Milestones stay.
  const droppable = gone.filter((point) => !isEpisode(point))
  const split = Math.max(0, droppable.length - keepSnapshots)
  const forgotten = new Set(droppable.slice(0, split).map(({ id }) => id))
  return { stored, trimmedSeq: cut, trims: true, points: gone.filter(({ id }) => !forgotten.has(id)), forgotten }
}

/** Drops what the rules do not ask for, now that the newest snapshot is stored. */
export async function tidyUp(
  options: LoadOptions,
  { keep }: KeepingRules,
  { stored, trimmedSeq, trims, points, forgotten }: TidyPlan,
  newest: { readonly id: string; readonly seq: number; readonly at: number },
): Promise<void> {
  const { store, runId } = options
  const known = new Set([...stored.map(({ id }) => id), newest.id])
  if (trims) {
    const base = { id: automaticId(trimmedSeq), seq: trimmedSeq, at: newest.at }
    const reason = 'stands in for the records before it'
    await keepStates(options, [...points, { ...base, reason, metadata: {} }], known)
  }
  const kept = new Set([...stored.filter(isAutomatic).map(({ id }) => id), newest.id].slice(-keep))
  for (const info of stored) {
    const isDue = isAutomatic(info) ? !kept.has(info.id) && info.seq !== trimmedSeq : forgotten.has(info.id)
    if (isDue) await store.dropSnapshot(runId, info.id)
  }
  if (trims) await store.trim(runId, trimmedSeq + 1)
}

function isAutomatic({ id }: StoredSnapshotInfo): boolean {
  return id.startsWith(AUTOMATIC)
}

/** Stores the states of points whose records will go. */
async function keepStates(
  options: LoadOptions,
  points: readonly SnapshotInfo[],
  known: ReadonlySet<string>,
): Promise<void> {
  const { store, runId } = options
  for (const { id, seq, at, reason, metadata } of points) {
    if (known.has(id)) continue
    const state = packRun(await loadRun({ ...options, atSeq: seq }))
    await store.putSnapshot({ runId, id, seq, at, reason, metadata, state })
  }
}
