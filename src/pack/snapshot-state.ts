// What stands in for the trimmed beginning of a ledger. Its state is the runtime's, written by `packRun` in run-state.ts;
// here it is looked into as far as names of the run are in it.
import { isPlainObject } from '../base/index.ts'
import { Board, Catalogue } from '../context/index.ts'
import type { Cell } from '../context/index.ts'
import { decodeValue, encodeValue, packState, renamedId, renameMachine, unpackState } from '../ledger/index.ts'
import type { FoldedState, PackedState, Renaming } from '../ledger/index.ts'
import type { StoredSnapshot } from '../store/index.ts'
import { contentError } from './pack-errors.ts'

/** What a run notes beside its board, as far as names of the run are in it. */
interface PackedNotes {
  readonly journal: readonly (readonly [invocation: string, steps: unknown])[]
  readonly requests?: readonly { readonly id: string }[]
  /** The named points up to there. */
  readonly snapshots: readonly { readonly id: string }[]
}

interface PackedRun {
  readonly format: number
  readonly state: PackedState
  readonly notes: PackedNotes
}

const FORMAT = 1
const CATALOGUE = new Catalogue({})

/** The state of a snapshot: board and machine. */
export function stateOf({ state, runId }: Pick<StoredSnapshot, 'state' | 'runId'>): FoldedState {
  return unpackState((state as PackedRun).state, CATALOGUE, runId)
}

export function boardOf(snapshot: Pick<StoredSnapshot, 'state' | 'runId'>): Board {
  return stateOf(snapshot).board
}

/** The same snapshot, which names only points that are kept: it was taken while there were more. */
export function withoutLostPoints(snapshot: StoredSnapshot, kept: ReadonlySet<string>): StoredSnapshot {
  const packed = snapshot.state as PackedRun
  const snapshots = packed.notes.snapshots.filter(({ id }) => kept.has(id))
  return { ...snapshot, state: { ...packed, notes: { ...packed.notes, snapshots } } }
}

/** Snapshots as the text of a file in a pack. */
export function snapshotsToText(snapshots: readonly StoredSnapshot[]): string {
  return `${snapshots.map(encodeValue).join('\n')}\n`
}

/** @throws CallboardError `pack.content` */
export function snapshotsFromText(file: string, text: string): readonly StoredSnapshot[] {
  try {
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const snapshot = decodeValue(line) as StoredSnapshot
        const { runId, seq, id, reason, at, metadata, state } = snapshot
        const isOne =
          [runId, id, reason].every((part) => typeof part === 'string') &&
          Number.isSafeInteger(seq) &&
          Number.isFinite(at) &&
          isPlainObject(metadata) &&
          (state as PackedRun).format === FORMAT &&
          stateOf(snapshot).seq === seq
        if (!isOne) throw new TypeError('a line is no snapshot of this version')
        return snapshot
      })
  } catch (error) {
    throw contentError(file, error instanceof Error ? error.message : String(error), error)
  }
}

/** The same snapshot of a run under another id; `renameCell` changes what entries hold. */
export function renameSnapshot(
  snapshot: StoredSnapshot,
  renaming: Renaming,
  renameCell: (cell: Cell) => Cell,
): StoredSnapshot {
  const { format, state, notes } = snapshot.state as PackedRun
  const folded = unpackState(state, CATALOGUE, snapshot.runId)
  const cells = [...folded.board.cells()].map(renameCell)
  const board = Board.create({ catalogue: CATALOGUE, runId: renaming.to }).withCells(cells)
  const machine = folded.machine === undefined ? undefined : renameMachine(folded.machine, renaming)
  const renamed: PackedRun = {
    format,
    state: packState({ ...folded, board, machine }),
    notes: renameNotes(notes, renaming),
  }
  return { ...snapshot, runId: renamedId(snapshot.runId, renaming), state: renamed }
}

function renameNotes(notes: PackedNotes, renaming: Renaming): PackedNotes {
  const { journal, requests } = notes
  return {
    ...notes,
    journal: journal.map(([invocation, steps]) => [renamedId(invocation, renaming), steps] as const),
    ...(requests === undefined
      ? {}
      : { requests: requests.map((line) => ({ ...line, id: renamedId(line.id, renaming) })) }),
  }
}
