// Form: what a workflow adds to the packs of its runs, for programs that know its own formats. Nothing of it is read when
// a run goes on: that is in the ledger.
import type { LedgerRecord } from '../ledger/index.ts'
import type { RunSummary } from '../store/index.ts'
import type { PackFiles } from './archive.ts'

/** A run as it is packed. */
export interface PackableRun {
  readonly summary: RunSummary
  /** As far back as they are kept. */
  readonly records: readonly LedgerRecord[]
  /** The newest of its episodes. */
  readonly episode: PackedEpisode | undefined
  /** The values of the entries that every agent may see, by key, as they were after a record; the newest unless given. */
  values(atSeq?: number): ReadonlyMap<string, unknown>
}

/** A milestone of a run, as its record says it. */
export interface PackedEpisode {
  readonly id: string
  readonly name: string
  readonly seq: number
  /** The end of the episode before; undefined for the first. */
  readonly fromSeq: number | undefined
  readonly at: number
  readonly summary: string
  readonly memoryCommits: readonly string[]
  readonly nextEntryPoint: string | undefined
}

export interface PackForm {
  /** Called once for each pack, with the run as it is packed; what it throws fails the packing. It must not change it. */
  describe(run: PackableRun): PackDescription
}

export interface PackDescription {
  /** By path. What Callboard writes itself cannot be replaced. */
  readonly files: PackFiles
  /** What the file of the pack is named after; the id of the run unless given. */
  readonly name?: string
  readonly workingSet?: string
  readonly latestEpisode?: string
  /** Keys of entries that hold the id of the run: they hold the new one when it is unpacked. */
  readonly idEntries?: readonly string[]
  /** Who else can go on with the pack. */
  readonly engines?: readonly string[]
}
