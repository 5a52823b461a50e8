// Unpacking: a run from a pack, under an id of its own, ready to go on.
//   U1. Everything is checked before anything is stored, and everything is stored in one append: all of it, or nothing.
//   U2. Nothing is written but that append: no file, no folder, however many unpack at the same time.
//   U3. The run, and each of its child runs, says where it came from.
// Deadlines keep their instants: what was due on the way is due at once.
import { CallboardError, isCallboardError, randomIds, systemClock } from '../base/index.ts'
import type { Clock } from '../base/index.ts'
import type { Cell } from '../context/index.ts'
import { assertRunId, renamedId } from '../ledger/index.ts'
import type { LedgerRecord, Renaming } from '../ledger/index.ts'
import { readLedger } from '../store/index.ts'
import type { Batch, RunSummary, Store } from '../store/index.ts'
import type { PackSource } from './archive.ts'
import type { PackLimits } from './limits.ts'
import { MANIFEST_FILE, PACK_ENGINE } from './manifest.ts'
import type { PackManifest, PackPointers } from './manifest.ts'
import { contentError, incompatibleError, manifestError, trimmedError } from './pack-errors.ts'
import { readPack, textOf } from './read-pack.ts'
import type { ReadPack } from './read-pack.ts'
import { renameSnapshot, snapshotsFromText, stateOf } from './snapshot-state.ts'

export interface UnpackOptions {
  /** Its id here; made up unless given. */
  readonly runId?: string
  /** In whose name; `outside` unless given. */
  readonly by?: string
  /** For the record: where the pack was found. */
  readonly from?: string
  readonly limits?: Partial<PackLimits>
  /** With which its ledgers were sealed. */
  readonly key?: Uint8Array
  readonly clock?: Pick<Clock, 'now'>
  /** Which of the items that its episodes name are not in a memory. */
  readonly unknownMemory?: (ids: readonly string[]) => readonly string[] | Promise<readonly string[]>
}

/** What was unpacked. */
export interface Unpacked {
  readonly runId: string
  readonly summary: RunSummary
  readonly manifest: PackManifest
  /** The ids of its child runs. */
  readonly children: readonly string[]
  /** What may be missed here, and hinders nothing. */
  readonly hints: readonly string[]
}

/** What the record of an unpacking says. */
interface UnpackLine {
  readonly pack: string
  readonly createdAt: string
  readonly runId: string
  readonly seq: number
  readonly from?: string
}

/**
 * Stores a run from a pack, with its child runs; `runtime.open` or `recover` goes on with it.
 *
 * @param source the bytes of a pack, the path of its file, or what `readPack` gave
 * @throws CallboardError `pack.…` naming file and rule; `run.exists`, `run.invalid-id`; `ledger.wrong-key`
 */
export async function unpackRun(
  store: Store,
  source: PackSource | ReadPack,
  options: UnpackOptions = {},
): Promise<Unpacked> {
  const { runId = randomIds.next('run'), limits = {}, unknownMemory } = options
  assertRunId(runId)
  const read = typeof source === 'string' || source instanceof Uint8Array ? await readPack(source, limits) : source
  const { manifest, files, packedId, runs } = assertFull(read)
  const { pointers } = manifest
  const renaming = { from: packedId, to: runId }
  const batches = runs.map((run) => batchOf(run, { files, renaming, pointers, options, store }))
  const [root, ...children] = assertFamily(batches, runId).map((batch, index) =>
    withOrigin(batch, manifest, runs[index]?.run_id ?? '', options),
  )
  if (root === undefined) throw manifestError(MANIFEST_FILE, 'it does not point to the ledgers of a run')
  // Who had started it is not here.
  const batch = { ...root, summary: { ...root.summary, parent: undefined } }
  const hints = await hintsOf(pointers.memory_ids ?? [], unknownMemory)
  await store.append([batch, ...children]).catch((error: unknown) => {
    throw isCallboardError(error, 'store.conflict') ? existsError(error) : error
  })
  return {
    runId,
    summary: batch.summary,
    manifest,
    children: children.map((child) => child.runId),
    hints,
  }
}

function existsError(cause: CallboardError): CallboardError {
  const runId = String(cause.details['runId'])
  return new CallboardError(
    'run.exists',
    `there is a run ${runId} already; unpack it under another id`,
    { runId },
    { cause },
  )
}

type RunPointer = NonNullable<PackPointers['runs']>[number]

/** What this version goes on with. */
interface GoingOn {
  readonly manifest: PackManifest
  readonly files: ReadPack['files']
  readonly packedId: string
  readonly runs: readonly RunPointer[]
}

/** A pack that this version can go on with. @throws CallboardError `pack.manifest`, `pack.incompatible` */
function assertFull(read: ReadPack): GoingOn {
  if (read.kind === 'simple')
    throw manifestError(
      MANIFEST_FILE,
      'there is none: a simple pack holds a working set, which tasks.unpack() begins anew',
    )
  const { manifest, files } = read
  const { compatible_engine_versions: engines, pointers } = manifest
  if (!engines.includes(PACK_ENGINE)) throw incompatibleError(MANIFEST_FILE, engines, [PACK_ENGINE])
  const { run_id, runs } = pointers
  if (run_id === undefined || runs === undefined)
    throw manifestError(MANIFEST_FILE, 'it does not point to the ledgers of a run')
  return { manifest, files, packedId: run_id, runs }
}

interface Unpacking {
  readonly files: ReadPack['files']
  readonly renaming: Renaming
  readonly pointers: PackPointers
  readonly options: UnpackOptions
  readonly store: Store
}

/** One ledger, checked and under its new id. */
function batchOf(run: RunPointer, { files, renaming, pointers, options, store }: Unpacking): Batch {
  const content = (file: string): string => textOf(file, files.get(file) ?? new Uint8Array())
  const snapshots = run.snapshots === undefined ? [] : snapshotsFromText(run.snapshots, content(run.snapshots))
  const last = snapshots.at(-1)
  if (last !== undefined && store.traits.adopts !== true)
    throw trimmedError(run.run_id, 'this store takes no ledgers without their beginning; unpack it into another one')
  const isOfRun = snapshots.every(({ runId, seq }) => runId === run.run_id && seq <= (last?.seq ?? 0))
  if (run.snapshots !== undefined && (!isOfRun || last === undefined))
    throw contentError(run.snapshots, `its snapshots are not those of the beginning of run ${run.run_id}`)
  // The entries that hold the run's id are those of the run itself.
  const keys = run.run_id === renaming.from ? (pointers.id_entries ?? []) : []
  const renameCell = cellRenamer(keys, renaming)
  const batch = readPart(run.ledger, () =>
    readLedger(content(run.ledger), {
      ...(options.key === undefined ? {} : { key: options.key }),
      ...(last === undefined ? {} : { base: stateOf(last) }),
      rename: () => renaming,
    }),
  )
  if (batch.summary.seq !== run.last_seq || batch.runId !== renamedId(run.run_id, renaming))
    throw contentError(run.ledger, `it is not the ledger of run ${run.run_id} up to ${run.last_seq}`)
  const records = batch.records.map((record) => renameCells(record, renameCell))
  if (run.snapshots === undefined) return { ...batch, records }
  const renamed = readPart(run.snapshots, () =>
    snapshots.map((snapshot) => renameSnapshot(snapshot, renaming, renameCell)),
  )
  return { ...batch, records, snapshots: renamed }
}

/** What is wrong with a ledger is wrong with its file. A key that is missing is nobody's fault but the caller's. */
function readPart<Part>(file: string, read: () => Part): Part {
  try {
    return read()
  } catch (error) {
    if (isCallboardError(error, 'ledger.wrong-key') || isCallboardError(error, 'ledger.newer-format')) throw error
    throw contentError(file, error instanceof Error ? error.message : String(error), error)
  }
}

function cellRenamer(keys: readonly string[], { from, to }: Renaming): (cell: Cell) => Cell {
  const known = new Set(keys)
  return (cell) => {
    const { entry, live } = cell
    if (!live || entry.scope !== 'workflow' || !known.has(entry.key) || entry.value !== from) return cell
    return Object.freeze({ ...cell, size: to.length + 2, entry: Object.freeze({ ...entry, value: to }) })
  }
}

function renameCells(record: LedgerRecord, rename: (cell: Cell) => Cell): LedgerRecord {
  if (record.changes.every(({ cell }) => rename(cell) === cell)) return record
  const changes = record.changes.map((change) => Object.freeze({ ...change, cell: rename(change.cell) }))
  return Object.freeze({ ...record, changes: Object.freeze(changes) })
}

/** A run and runs below it, each once. @throws CallboardError `pack.manifest` */
function assertFamily(batches: readonly Batch[], runId: string): readonly Batch[] {
  const [root, ...children] = batches
  const known = new Set([runId])
  if (root?.runId !== runId) throw manifestError(MANIFEST_FILE, 'the first of its ledgers is not that of its run')
  for (const { runId: id, summary } of children) {
    if (known.has(id) || summary.parent === undefined || !known.has(summary.parent.runId))
      throw manifestError(MANIFEST_FILE, `run ${id} is not below the run of the pack, or is there twice`)
    known.add(id)
  }
  return batches
}

/** A run with the record that says where it came from (U3). */
function withOrigin(
  batch: Batch,
  { pack_id: pack, created_at: createdAt }: PackManifest,
  packedId: string,
  { clock = systemClock, by = 'outside', from }: UnpackOptions,
): Batch {
  const { runId, records, summary } = batch
  const asked: UnpackLine = {
    pack,
    createdAt,
    runId: packedId,
    seq: summary.seq,
    ...(from === undefined ? {} : { from }),
  }
  const seq = summary.seq + 1
  // Clocks of two machines differ, and records never go back.
  const at = Math.max(clock.now(), summary.updatedAt)
  const record: LedgerRecord = Object.freeze({
    seq,
    runId,
    at,
    kind: 'unpack',
    author: by,
    asked,
    changes: [],
    conflicts: [],
    refusals: [],
    machine: undefined,
  })
  return {
    ...batch,
    records: [...records, record],
    summary: { ...summary, seq, updatedAt: at },
  }
}

async function hintsOf(
  ids: readonly string[],
  unknownMemory: UnpackOptions['unknownMemory'],
): Promise<readonly string[]> {
  const unknown = ids.length === 0 ? [] : ((await unknownMemory?.(ids)) ?? [])
  return unknown.map((id) => `the run names item ${id} of a memory, which is not in this one`)
}
