// Moment: a run as it was after one record, folded from its ledger.
import { BoardView, entryOf } from '../context/index.ts'
import type { Board, Entry, Sight, View } from '../context/index.ts'
import type { FoldedState } from '../ledger/index.ts'

/** A run as it was at one seq. Reading it changes nothing. */
export interface Moment<Values extends object = Record<string, unknown>> {
  readonly seq: number
  readonly at: number
  /** The machine's state value. */
  readonly state: unknown
  /** The workflow's own reading of a key. */
  get<Key extends keyof Values & string>(key: Key): Values[Key] | undefined
  /** Every entry that was alive, in every scope; what is sensitive included. */
  entries(): readonly Entry[]
  /** What an agent saw. `type` is needed for one that has not been invoked. */
  view(agentId: string, type?: string): View
}

export function createMoment(state: FoldedState, sightOf: (agentId: string, type?: string) => Sight): Moment {
  const { seq, at, machine } = state
  const board: Board = state.board
  return Object.freeze({
    seq,
    at,
    state: machine?.value,
    get: (key: string) => board.get(key),
    entries: () => [...board.cells()].filter(({ live }) => live).map(entryOf),
    view: (agentId: string, type?: string) => new BoardView(board, sightOf(agentId, type)),
  })
}
