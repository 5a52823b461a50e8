import type { Board, BoardView, Sight, UpdateOptions } from '../context/index.ts'
import type { Asker, UpdateAnswer } from './updater.ts'
import type { ViewSlot } from './view-cache.ts'

/** What an agent sees and writes: the board of its run, or a branch of it. */
export interface AgentWorld {
  readonly hasExpiry: boolean
  readableBoard(): Board
  viewOf(process: { readonly sight: Sight }): BoardView
  slotOf(sight: Sight): ViewSlot
  readSlot(slot: ViewSlot): BoardView
  newestSeqOf(process: { readonly id: string; readonly sight: Sight }): number
  updateAs(asker: Asker, changes: Readonly<Record<string, unknown>>, options?: UpdateOptions): Promise<UpdateAnswer>
}
