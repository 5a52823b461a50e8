// ViewCache: the computed views of one run.
//   C1. After a commit, only the views of those who may read a changed key are touched; the others are not looked at.
//   C2. A view is moved on when it is read, from all the changes it missed; unread views cost a list of changes.
//   C3. At most so many views are kept; whoever comes back after that gets a computed one.
import { LRUCache } from 'lru-cache'
import { BoardView } from '../context/index.ts'
import type { Board, CellChange, Sight } from '../context/index.ts'

/** Computed views that one run keeps. */
const MOST_VIEWS = 1_000
/** Changes a view may miss before it is cheaper to compute it anew. */
const MOST_MISSED = 256
/** Keys whose readers are remembered. */
const MOST_KEYS = 20_000

/** One agent's view, and what it has missed. */
export class ViewSlot {
  readonly sight: Sight
  /** The view while nothing was missed, so that it is handed out without any work; else undefined. */
  fresh: BoardView | undefined
  #view: BoardView | undefined
  #missed: CellChange[] = []
  #retired = false

  constructor(sight: Sight) {
    this.sight = sight
  }

  /** It was given up for others and is told of nothing any more: ask for another. */
  get isRetired(): boolean {
    return this.#retired
  }

  /** The view on this board. */
  read(board: Board): BoardView {
    if (this.#view === undefined) this.#view = new BoardView(board, this.sight)
    else if (this.#missed.length > 0 || this.#view.epoch !== this.sight.epoch)
      this.#view = this.#view.next(board, this.#missed)
    if (this.#missed.length > 0) this.#missed = []
    if (!this.#retired) this.fresh = this.#view
    return this.#view
  }

  /** What is in sight may be another altogether. */
  reset(): void {
    this.fresh = undefined
    this.#view = undefined
    this.#missed = []
  }

  retire(): void {
    this.#retired = true
    this.reset()
  }

  miss(change: CellChange): void {
    if (this.#view === undefined) return
    this.fresh = undefined
    this.#missed.push(change)
    if (this.#missed.length <= MOST_MISSED) return
    this.reset()
  }
}

export class ViewCache {
  /** Made with the first view: most runs at work have none. */
  #slots: LRUCache<string, ViewSlot> | undefined
  #readers: Map<string, readonly ViewSlot[]> | undefined

  /** The place of an agent's view. */
  slotOf(sight: Sight): ViewSlot {
    const known = this.#slots?.get(sight.agentId)
    if (known?.sight === sight) return known
    const slot = new ViewSlot(sight)
    this.#slots ??= this.#makeSlots()
    this.#slots.set(sight.agentId, slot)
    this.#readers?.clear()
    return slot
  }

  /** Tells the views of those who may read the changed keys. */
  advance(changes: readonly CellChange[]): void {
    if (this.#slots === undefined || this.#slots.size === 0) return
    for (const change of changes) for (const slot of this.#readersOf(change.key)) slot.miss(change)
  }

  /** Filters have changed: every view is computed anew when it is read. */
  reset(): void {
    for (const slot of this.#slots?.values() ?? []) slot.reset()
  }

  forget(agentId: string): void {
    this.#slots?.delete(agentId)
  }

  clear(): void {
    this.#slots?.clear()
  }

  #makeSlots(): LRUCache<string, ViewSlot> {
    return new LRUCache<string, ViewSlot>({
      // By size, not by `max`, for which the cache would set aside 20 KB at once.
      maxSize: MOST_VIEWS,
      sizeCalculation: () => 1,
      dispose: (slot) => {
        slot.retire()
        this.#readers?.clear()
      },
    })
  }

  #readersOf(key: string): readonly ViewSlot[] {
    const known = this.#readers?.get(key)
    if (known !== undefined) return known
    const readers = [...(this.#slots?.values() ?? [])].filter(({ sight }) => sight.access.canRead(key))
    this.#readers ??= new Map()
    if (this.#readers.size >= MOST_KEYS) this.#readers.clear()
    this.#readers.set(key, readers)
    return readers
  }
}
