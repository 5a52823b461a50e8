// Shelf: the persistent, structurally shared map of cells behind a board. A change costs O(log n) and leaves every
// older shelf as it was. The dependants of a key and the entries that expire are indexed here, so that nobody scans.
import { Map as PersistentMap } from 'immutable'
import type { Cell } from './entry.ts'
import { LayeredMap } from './layered-map.ts'
import type { LayeredDraft } from './layered-map.ts'
import { isSameAddress, scopedId } from './scope.ts'
import type { EntryAddress } from './scope.ts'
import type { CellChange } from './update.ts'
import { SortedTree } from './sorted-tree.ts'

type ExpiryIndex = SortedTree<string, EntryAddress>

/** Digits that hold any instant a Date can hold, so that texts sort as numbers do. */
const INSTANT_DIGITS = 16

/** Whole milliseconds: a fraction would put the digits out of line. */
function instantText(at: number): string {
  return String(Math.max(0, at)).padStart(INSTANT_DIGITS, '0')
}

function expiryKey(address: EntryAddress, expiresAt: number): string {
  return `${instantText(Math.ceil(expiresAt))}${address.scope}:${address.holder ?? ''}:${address.key}`
}

interface ShelfState {
  /** Entries without a holder, by key. */
  readonly plain: LayeredMap<Cell>
  /** Group and private entries, by `scopedId`. */
  readonly held: PersistentMap<string, Cell>
  readonly dependants: PersistentMap<string, readonly EntryAddress[]>
  readonly expiring: ExpiryIndex | undefined
  readonly live: number
}

const EMPTY: ShelfState = {
  plain: new LayeredMap<Cell>(),
  held: PersistentMap<string, Cell>(),
  dependants: PersistentMap<string, readonly EntryAddress[]>(),
  expiring: undefined,
  live: 0,
}

let emptyShelf: Shelf | undefined

export class Shelf {
  /** Made late: TypeScript 7.0.2 emits a broken self-reference for a static field that constructs its own class. */
  static get empty(): Shelf {
    return (emptyShelf ??= new Shelf(EMPTY))
  }

  readonly #state: ShelfState

  private constructor(state: ShelfState) {
    this.#state = state
  }

  /** How many entries are alive. */
  get live(): number {
    return this.#state.live
  }

  /** The cell at an address, alive or not. */
  get({ scope, holder, key }: EntryAddress): Cell | undefined {
    return holder === undefined ? this.#state.plain.get(key) : this.#state.held.get(scopedId(scope, holder, key))
  }

  /** The cell of a global or workflow key. */
  plain(key: string): Cell | undefined {
    return this.#state.plain.get(key)
  }

  /** Whether there is any group or private entry. */
  get hasHeld(): boolean {
    return this.#state.held.size > 0
  }

  held(id: string): Cell | undefined {
    return this.#state.held.get(id)
  }

  /** Every cell, in no order that means anything. */
  *cells(): IterableIterator<Cell> {
    yield* this.#state.plain.values()
    yield* this.#state.held.values()
  }

  /** The entries that declare to be made from `key`. */
  dependantsOf(key: string): readonly EntryAddress[] {
    return this.#state.dependants.size === 0 ? [] : (this.#state.dependants.get(key) ?? [])
  }

  /** The first instant at which something expires, or undefined. */
  get nextExpiryAt(): number | undefined {
    const first = this.#state.expiring?.minKey()
    return first === undefined ? undefined : Number(first.slice(0, INSTANT_DIGITS))
  }

  /** The entries whose time is over at `at`. */
  expiredAt(at: number): readonly EntryAddress[] {
    const { expiring } = this.#state
    if (expiring === undefined) return []
    const limit = instantText(Math.floor(at) + 1)
    return expiring.getRange(expiring.minKey() ?? limit, limit).map(([, address]) => address)
  }

  /** A shelf with these cells put in place of whatever was there. */
  with(cells: readonly Cell[]): Shelf {
    return this.#put(cells, itself, presentOf)
  }

  /** Like `with`, for changes that know what was alive there. */
  replace(changes: readonly CellChange[]): Shelf {
    return this.#put(changes, cellOf, previousOf)
  }

  #put<Item>(
    items: readonly Item[],
    cellOfItem: (item: Item) => Cell,
    previousOfItem: (item: Item, draft: Draft) => Cell | undefined,
  ): Shelf {
    if (items.length === 0) return this
    const { plain, held, dependants, expiring, live } = this.#state
    const draft: Draft = { plain: plain.draft(items.length), held, dependants, expiring, live }
    for (const item of items) {
      const cell = cellOfItem(item)
      const { scope, holder, key } = cell.entry
      const previous = previousOfItem(item, draft)
      if (holder === undefined) draft.plain.set(key, cell)
      else draft.held = draft.held.set(scopedId(scope, holder, key), cell)
      draft.live += Number(cell.live) - Number(previous?.live ?? false)
      indexDependencies(draft, previous, cell)
      indexExpiry(draft, previous, cell)
    }
    return new Shelf({
      plain: draft.plain.done(),
      held: draft.held,
      dependants: draft.dependants,
      expiring: draft.expiring,
      live: draft.live,
    })
  }
}

const itself = (cell: Cell): Cell => cell
const cellOf = ({ cell }: CellChange): Cell => cell
const previousOf = ({ previous }: CellChange): Cell | undefined => previous

const presentOf = ({ entry: { scope, holder, key } }: Cell, { plain, held }: Draft): Cell | undefined =>
  holder === undefined ? plain.get(key) : held.get(scopedId(scope, holder, key))

type Draft = { -readonly [Field in Exclude<keyof ShelfState, 'plain'>]: ShelfState[Field] } & {
  readonly plain: LayeredDraft<Cell>
}

const dependenciesOf = (cell: Cell | undefined): readonly string[] => (cell?.live === true ? cell.entry.dependsOn : [])

function indexDependencies(draft: Draft, previous: Cell | undefined, cell: Cell): void {
  const before = dependenciesOf(previous)
  const after = dependenciesOf(cell)
  if (before === after || (before.length === 0 && after.length === 0)) return
  for (const key of before) {
    const others = (draft.dependants.get(key) ?? []).filter((other) => !isSameAddress(other, cell.entry))
    draft.dependants = others.length === 0 ? draft.dependants.delete(key) : draft.dependants.set(key, others)
  }
  for (const key of after) {
    draft.dependants = draft.dependants.set(key, withAddress(draft.dependants.get(key) ?? [], cell.entry))
  }
}

/** In an order of their own, not that of the writes: a board made from a snapshot marks the same entries in the same order. */
function withAddress(others: readonly EntryAddress[], address: EntryAddress): readonly EntryAddress[] {
  const at = others.findIndex((other) => compareAddresses(address, other) < 0)
  return others.toSpliced(at < 0 ? others.length : at, 0, addressOf(address))
}

function compareAddresses(one: EntryAddress, other: EntryAddress): number {
  return (
    compareText(one.key, other.key) ||
    compareText(one.scope, other.scope) ||
    compareText(one.holder ?? '', other.holder ?? '')
  )
}

function compareText(one: string, other: string): number {
  return one === other ? 0 : one < other ? -1 : 1
}

/** Only the address: what it was taken from may hold much more. */
function addressOf({ scope, holder, key }: EntryAddress): EntryAddress {
  return { scope, holder, key }
}

function indexExpiry(draft: Draft, previous: Cell | undefined, cell: Cell): void {
  const before = previous?.live === true ? previous.entry.expiresAt : undefined
  const after = cell.live ? cell.entry.expiresAt : undefined
  if (before === after) return
  const index: ExpiryIndex = draft.expiring?.clone() ?? new SortedTree<string, EntryAddress>()
  if (before !== undefined) index.delete(expiryKey(cell.entry, before))
  if (after !== undefined) index.set(expiryKey(cell.entry, after), addressOf(cell.entry))
  draft.expiring = index.size === 0 ? undefined : index
}
