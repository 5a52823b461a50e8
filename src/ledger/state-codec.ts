// A folded state as compact plain data: what a snapshot holds instead of the records before it.
//   S1. unpackState(packState(state)) is the state, cell by cell and field by field; only live values of ephemeral entries
//       are missing, as they are from records (C2 in cell-codec.ts).
//   S2. It does not matter whether a state was folded from records or from a packed state and the records after it.
import { Board } from '../context/index.ts'
import type { Catalogue, Cell } from '../context/index.ts'
import { packCell, unpackAddress, unpackCell } from './cell-codec.ts'
import type { PackedAddress, PackedCell } from './cell-codec.ts'
import { MACHINE_FIELDS, packFields, unpackFields } from './codec.ts'
import { addressName, endOf, newestCells } from './fold.ts'
import type { FoldedState } from './fold.ts'
import type { LedgerRecord, MachineState } from './record.ts'
import { untag } from './tagged-text.ts'

/** `cells` are those of the run and the global ones that it wrote itself; 0 for a state without a machine. */
export type PackedState = readonly [
  seq: number,
  at: number,
  cells: readonly PackedCell[],
  machine: readonly unknown[] | 0,
  /** 1 where some cell holds what JSON has no word for. */
  tagged: 0 | 1,
]

const FIELDS = { seq: 0, at: 1, board: 2, machine: 3 } as const
FIELDS satisfies Record<keyof FoldedState, unknown>

export function packState({ seq, at, board, machine }: FoldedState): PackedState {
  const cells: PackedCell[] = []
  let tagged: 0 | 1 = 0
  for (const cell of board.cells()) {
    const packed = packCell(cell)
    cells.push(packed)
    // What needs no tag is written as it is.
    const [, , , , , metadata, value] = packed
    const isPlain = typeof metadata === 'number' || metadata === cell.entry.metadata
    if (!isPlain || (value !== undefined && value !== 0 && value !== cell.entry.value)) tagged = 1
  }
  return [seq, at, cells, machine === undefined ? 0 : packFields(machine, MACHINE_FIELDS), tagged]
}

/**
 * The state that a packed one and the records after it add up to (S2). What they have replaced is not unpacked.
 *
 * @param packed as a store gives it: frozen
 */
export function unpackState(
  packed: PackedState,
  catalogue: Catalogue,
  runId: string,
  tail: readonly LedgerRecord[] = [],
): FoldedState {
  const [seq, at, cells, , tagged] = packed
  const revive = tagged === 1 ? untag : asItIs
  const newest = newestCells(tail)
  const last: Cell[] = []
  for (const one of cells) {
    const name = packedName(one[0])
    const later = newest.get(name)
    last.push(later ?? unpackCell(one, revive))
    if (later !== undefined) newest.delete(name)
  }
  last.push(...newest.values())
  return {
    ...endOf(tail, { seq, at, machine: unpackMachine(packed) }),
    board: Board.create({ catalogue, runId }).withCells(last),
  }
}

function packedName(address: PackedAddress): string {
  return typeof address === 'string' ? address : addressName(unpackAddress(address))
}

/** The machine of a packed state. */
export function unpackMachine([, , , machine]: PackedState): MachineState | undefined {
  return machine === 0 ? undefined : unpackFields<MachineState>(machine, MACHINE_FIELDS, MACHINE_FIELDS.length)
}

const asItIs = (value: unknown): unknown => value
