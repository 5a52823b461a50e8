// Occupancy: how much room the entries of a run take, and in which order they would make room for others. Immutable; what
// an update changes is added and taken away, so that nobody counts ten thousand entries for one of them.
import { canonicalJson, utf8Length } from '../base/index.ts'
import type { Cell, Entry } from './entry.ts'
import { compareForEviction, isEvictable } from './eviction-order.ts'
import { tokensInPrompt } from './render.ts'
import type { Shelf } from './shelf.ts'
import { SortedTree } from './sorted-tree.ts'
import type { CellChange } from './update.ts'

/** How much room entries take. */
export interface Room {
  readonly entries: number
  /** Of their sections in a prompt, each counted as if it were stale: becoming stale never takes more room. */
  readonly tokens: number
  /** Of their keys, and of their values as canonical JSON, in UTF-8. */
  readonly bytes: number
}

const NO_ROOM: Room = Object.freeze({ entries: 0, tokens: 0, bytes: 0 })

const rooms = new WeakMap<Entry, Room>()

/** The room that one entry takes. */
export function roomOf(entry: Entry): Room {
  const known = rooms.get(entry)
  if (known !== undefined) return known
  const bytes = utf8Length(entry.key) + utf8Length(canonicalJson(entry.value))
  const room = Object.freeze({ entries: 1, tokens: tokensInPrompt(entry), bytes })
  rooms.set(entry, room)
  return room
}

const occupancies = new WeakMap<Shelf, Occupancy>()

export class Occupancy {
  readonly room: Room
  readonly #evictable: SortedTree<Entry, Entry>

  private constructor(room: Room, evictable: SortedTree<Entry, Entry>) {
    this.room = room
    this.#evictable = evictable
  }

  /** Of everything alive on a shelf; counted once. */
  static of(shelf: Shelf): Occupancy {
    const known = occupancies.get(shelf)
    if (known !== undefined) return known
    const evictable = new SortedTree<Entry, Entry>(undefined, compareForEviction)
    let room = NO_ROOM
    for (const { live, entry } of shelf.cells()) {
      if (!live) continue
      room = plus(room, roomOf(entry), 1)
      if (isEvictable(entry)) evictable.set(entry, entry)
    }
    const occupancy = new Occupancy(room, evictable)
    occupancies.set(shelf, occupancy)
    return occupancy
  }

  /** Says that this is the occupancy of a shelf. */
  rememberFor(shelf: Shelf): void {
    occupancies.set(shelf, this)
  }

  /** The occupancy after these changes. Global entries are not the run's, and take no room of it. */
  after(changes: readonly CellChange[]): Occupancy {
    const evictable = this.#evictable.clone()
    let { room } = this
    for (const { scope, previous, cell } of changes) {
      if (scope === 'global') continue
      room = replaced(room, evictable, previous, cell)
    }
    return new Occupancy(room, evictable)
  }

  /** What may be evicted, in the order in which it would be. */
  candidates(): Iterable<Entry> {
    return this.#evictable.keys()
  }
}

function replaced(
  room: Room,
  evictable: SortedTree<Entry, Entry>,
  previous: Cell | undefined,
  { live, entry }: Cell,
): Room {
  let next = room
  if (previous?.live === true) {
    next = plus(next, roomOf(previous.entry), -1)
    evictable.delete(previous.entry)
  }
  if (!live) return next
  if (isEvictable(entry)) evictable.set(entry, entry)
  return plus(next, roomOf(entry), 1)
}

export function plus(room: Room, other: Room, sign: 1 | -1): Room {
  return {
    entries: room.entries + sign * other.entries,
    tokens: room.tokens + sign * other.tokens,
    bytes: room.bytes + sign * other.bytes,
  }
}
