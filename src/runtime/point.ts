// Points: the places of a run's history, and how they are named and reached.
import { admitValue, CallboardError } from '../base/index.ts'
import type { LedgerRecord } from '../ledger/index.ts'
import type { Store } from '../store/index.ts'
import { firstKeptSeq, readRecords } from './load-run.ts'
import type { RunCore } from './run-core.ts'

/** A snapshot: a named point of a run's history. */
export interface SnapshotInfo {
  readonly id: string
  readonly seq: number
  readonly at: number
  readonly reason: string
  readonly metadata: Readonly<Record<string, unknown>>
}

/** A place in a run's history: a seq (also in digits), or a snapshot or episode by its id, its name or itself. */
export type Point = number | string | Pick<SnapshotInfo, 'id'>

/** What a `snapshot` record says. */
export type SnapshotLine = Pick<SnapshotInfo, 'id' | 'reason' | 'metadata'>

/** The history that points are looked for in. */
export interface PointsOf {
  readonly runId: string
  /** Its last record. */
  readonly seq: number
  readonly snapshots: readonly SnapshotInfo[]
}

const DIGITS = /^\d{1,15}$/

/** The record after which a point is. @throws CallboardError `run.no-such-seq` */
export function seqOfPoint(point: Point, { runId, seq: last, snapshots }: PointsOf): number {
  // From JavaScript, or through a variable that nobody set, anything may come.
  const named: unknown = typeof point === 'object' ? (point as Partial<typeof point> | null)?.id : point
  const seq = typeof named === 'string' ? findSnapshot(named, snapshots) : named
  if (typeof seq === 'number' && Number.isSafeInteger(seq) && seq >= 1 && seq <= last) return seq
  const name = String(named ?? point)
  throw new CallboardError(
    'run.no-such-seq',
    `run ${runId} has no point ${name}; its last record is ${last}, its snapshots ${snapshots.map(({ id }) => id).join(', ') || 'none'}`,
    { runId, point: name },
  )
}

/** Whether a named point is a milestone. */
export function isEpisode({ metadata }: Pick<SnapshotInfo, 'metadata'>): boolean {
  return 'episode' in metadata
}

/** By id, else by the name of an episode, which is as unique; digits that name neither are a seq. */
function findSnapshot(name: string, snapshots: readonly SnapshotInfo[]): number | undefined {
  const found =
    snapshots.find(({ id }) => id === name) ??
    snapshots.find((snapshot) => snapshot.reason === name && isEpisode(snapshot))
  return found?.seq ?? (DIGITS.test(name) ? Number(name) : undefined)
}

/** @throws CallboardError `run.no-such-seq` where there is none */
export function newestSnapshot({ runId, seq, snapshots }: PointsOf): Point {
  const newest = snapshots.at(-1)
  if (newest !== undefined) return newest
  const message = `run ${runId} has no snapshot; name a point to go back to: its records are 1 to ${seq}`
  throw new CallboardError('run.no-such-seq', message, { runId, point: 'newest snapshot' })
}

/** Records a snapshot; resolves to it once it is stored. */
export async function takeSnapshot(core: RunCore, line: SnapshotLine, by: string): Promise<SnapshotInfo> {
  await core.record('snapshot', by, { ...line, metadata: admitValue(line.metadata).value })
  const taken = core.snapshots.findLast(({ id }) => id === line.id)
  if (taken === undefined) throw new TypeError(`snapshot ${line.id} was recorded and is not known`)
  return taken
}

/** The records after a seq; those that retention has left, where it is not given. @throws CallboardError `run.trimmed` */
export async function readLeft(store: Store, runId: string, afterSeq?: number): Promise<readonly LedgerRecord[]> {
  return readRecords(store, runId, { afterSeq: afterSeq ?? (await firstKeptSeq(store, runId)) - 1 })
}
