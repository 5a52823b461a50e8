// Packing: a run, with everything that is needed to go on with it elsewhere, as one file.
//   P1. The same run gives the same bytes, whenever and wherever it is packed: id and instant come from what is in it.
//   P2. The store is only read.
import { ledgerToJsonl } from '../ledger/index.ts'
import { runOf } from '../store/index.ts'
import type { Store } from '../store/index.ts'
import { createArchive } from './archive.ts'
import type { PackFiles } from './archive.ts'
import type { PackDescription, PackedEpisode, PackForm } from './form.ts'
import { MANIFEST_FILE, PACK_ENGINE, PACK_SCHEMA_VERSION, sha256 } from './manifest.ts'
import type { PackManifest } from './manifest.ts'
import { pathError } from './pack-errors.ts'
import { fileNameOf } from './pack-path.ts'
import { snapshotsToText } from './snapshot-state.ts'
import { episodesIn, packableRun, readLedgers } from './stored-ledgers.ts'
import type { StoredLedger } from './stored-ledgers.ts'

export interface PackOptions {
  /** What is said to be the instant of packing; that of the run's last record unless given. */
  readonly createdAt?: number
  /** Files for others to read. */
  readonly form?: PackForm
  /** Seals the ledgers in it: whoever unpacks it needs the key as well. What is in them is not encrypted. */
  readonly key?: Uint8Array
}

/** A run as one file. */
export interface Pack {
  /** A ZIP archive. */
  readonly bytes: Uint8Array
  /** What its file is named after: the id of the run, or what its form says. */
  readonly name: string
  readonly manifest: PackManifest
}

/**
 * Packs a run, be it active, at rest or ended, and its child runs. Values are in the pack as they are, sensitive ones too.
 *
 * @throws CallboardError `run.unknown`; `pack.trimmed` where no snapshot stands in for records that were dropped
 */
export async function packRun(store: Store, runId: string, options: PackOptions = {}): Promise<Pack> {
  const { createdAt, form, key } = options
  const ledgers = await readLedgers(store, runId)
  const [root] = ledgers as readonly [StoredLedger, ...StoredLedger[]]
  const run = packableRun(root)
  const described = form?.describe(run)
  const taken = Object.keys(described?.files ?? {}).find((path) => OWN_FILES.test(path))
  if (taken !== undefined) throw pathError(taken, 'reserved')
  const parts = ledgers.map((ledger, index) => partsOf(ledger, index, key))
  const files: Record<string, string | Uint8Array> = {
    ...(described?.latestEpisode === undefined && run.episode !== undefined ? episodeFile(run.episode) : {}),
    ...described?.files,
    ...Object.assign({}, ...parts.map((part) => part.files)),
  }
  const last = run.records.at(-1)
  const manifest = manifestOf(files, {
    createdAt: createdAt ?? last?.at ?? root.summary.updatedAt,
    engines: described?.engines ?? [],
    pointers: {
      ledger_last_seq: last?.seq ?? root.summary.seq,
      run_id: runId,
      workflow: root.summary.workflow,
      workflow_version: root.summary.version,
      status: root.summary.status,
      ...pointersOf(described, run.episode),
      ...memoryOf(ledgers),
      runs: parts.map(({ pointer }) => pointer),
    },
  })
  return {
    bytes: createArchive({ ...files, [MANIFEST_FILE]: textOf(manifest) }),
    name: described?.name ?? runId,
    manifest,
  }
}

/** What a form does not write. */
const OWN_FILES = /^(?:manifest\.v2\.1\.json$|ledger\/callboard\/|state\/callboard\/)/i

type RunPointer = NonNullable<PackManifest['pointers']['runs']>[number]

function partsOf(
  { summary, records, trimmedSeq, snapshots }: StoredLedger,
  index: number,
  key: Uint8Array | undefined,
): { readonly files: PackFiles; readonly pointer: RunPointer } {
  const name = index === 0 ? 'run' : `children/${index}`
  const ledger = `ledger/callboard/${name}.jsonl`
  const { runId } = summary
  const pointer = { run_id: runId, ledger, last_seq: records.at(-1)?.seq ?? trimmedSeq }
  const text = ledgerToJsonl(runId, records, { key, run: runOf(summary), after: { seq: trimmedSeq, hash: '' } })
  if (snapshots.length === 0) return { files: { [ledger]: text }, pointer }
  const state = `state/callboard/${name}.jsonl`
  return { files: { [ledger]: text, [state]: snapshotsToText(snapshots) }, pointer: { ...pointer, snapshots: state } }
}

const pathOf = ({ id }: PackedEpisode): string => `episodes/${fileNameOf(id)}.v2.1.json`

/** A milestone in the words of S4, for runs that have no working set. */
function episodeFile(episode: PackedEpisode): PackFiles {
  const { id, name, seq, at, summary, memoryCommits, nextEntryPoint = '' } = episode
  const line = {
    _schema_version: PACK_SCHEMA_VERSION,
    episode_id: id,
    name,
    ledger_seq: seq,
    created_at: new Date(at).toISOString(),
    summary,
    memory_commits: memoryCommits,
    next_entry_point: nextEntryPoint,
  }
  return { [pathOf(episode)]: textOf(line) }
}

function pointersOf(
  described: PackDescription | undefined,
  episode: PackedEpisode | undefined,
): Partial<PackManifest['pointers']> {
  const { workingSet, idEntries = [] } = described ?? {}
  const latest = described?.latestEpisode ?? (episode === undefined ? undefined : pathOf(episode))
  return {
    ...(workingSet === undefined ? {} : { working_set: workingSet }),
    ...(latest === undefined ? {} : { latest_episode: latest }),
    ...(idEntries.length === 0 ? {} : { id_entries: idEntries }),
  }
}

function memoryOf(ledgers: readonly StoredLedger[]): { readonly memory_ids?: readonly string[] } {
  const named = ledgers.flatMap(({ records }) => episodesIn(records).flatMap(({ memoryCommits }) => memoryCommits))
  return named.length === 0 ? {} : { memory_ids: [...new Set(named)] }
}

function manifestOf(
  files: PackFiles,
  {
    createdAt,
    engines,
    pointers,
  }: {
    readonly createdAt: number
    readonly engines: readonly string[]
    readonly pointers: PackManifest['pointers']
  },
): PackManifest {
  const hashes = Object.keys(files)
    .sort()
    .map((path) => [path, sha256(files[path] ?? '')] as const)
  return {
    _schema_version: PACK_SCHEMA_VERSION,
    pack_id: `pack_${sha256(JSON.stringify(hashes)).slice(0, 32)}`,
    created_at: new Date(createdAt).toISOString(),
    compatible_engine_versions: [PACK_ENGINE, ...engines],
    files: Object.fromEntries(hashes),
    pointers,
  }
}

const textOf = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`
