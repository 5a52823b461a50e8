// View: what one agent sees of a board. A view never changes; the next one is derived from it by what changed.
//   V1. A view is a function of (board, agent, filters): the same in, the same bytes out.
//   V2. If nothing that the agent can see changed, the next view is the same object.
//   V3. `seq` counts the changes this agent could see. The run's own seq would tell of the others.
import { CallboardError, setOwn } from '../base/index.ts'
import type { Access } from './access.ts'
import type { Board } from './board.ts'
import { compareCells, entryOf, valueOf } from './entry.ts'
import type { Cell, Entry } from './entry.ts'
import type { Filters } from './filter.ts'
import { renderEntries } from './render.ts'
import type { RenderedView, RenderOptions } from './render.ts'
import { scopedId } from './scope.ts'
import type { EntryAddress } from './scope.ts'
import type { CellChange } from './update.ts'

/** Whose eyes a view is seen with: an agent's id, its type's rights, and the filters of the runtime. */
export class Sight {
  readonly agentId: string
  readonly access: Access
  readonly #filters: Filters
  /** Where a key is looked for, narrowest first. */
  readonly #holders: readonly { readonly scope: 'private' | 'group'; readonly holder: string }[]

  constructor(agentId: string, access: Access, filters: Filters) {
    this.agentId = agentId
    this.access = access
    this.#filters = filters
    this.#holders = [
      { scope: 'private', holder: agentId },
      ...access.groups.map((holder) => ({ scope: 'group', holder }) as const),
    ]
  }

  /** Changes whenever what is in sight may be another although the board is the same. */
  get epoch(): number {
    return this.#filters.epoch
  }

  /** Whether the agent may see the entry: rights, then the filters of its type, of its role, then secrecy. */
  admits(entry: Entry): boolean {
    const { type, role } = this.access.rules
    return this.access.admits(entry, this.agentId) && this.#filters.passes(entry, type, role)
  }

  /** Whether a change is one of this agent's business. */
  isTouchedBy({ cell, previous, scope, holder }: CellChange): boolean {
    if (scope === 'private' && holder !== this.agentId) return false
    return this.admits(cell.entry) || (previous !== undefined && this.admits(previous.entry))
  }

  /** The cell a key stands for: the narrowest that is alive and in sight. */
  find(board: Board, key: string): Cell | undefined {
    if (!this.access.canRead(key)) return undefined
    const { own, globals } = board
    if (own.hasHeld) {
      for (const { scope, holder } of this.#holders) {
        const cell = own.held(scopedId(scope, holder, key))
        if (cell?.live === true && this.admits(cell.entry)) return cell
      }
    }
    const cell = own.plain(key)
    if (cell?.live === true && this.admits(cell.entry)) return cell
    const global = globals.plain(key)
    return global?.live === true && this.admits(global.entry) ? global : undefined
  }
}

/** What a view can tell, typed by the keys in sight. */
export interface View<Values extends object = Record<string, unknown>> {
  /** Counts the changes this agent could see; not the run's seq. */
  readonly seq: number
  /** The value of a key, or undefined when it is absent, expired or out of sight. */
  get<Key extends keyof Values & string>(key: Key): Values[Key] | undefined
  has(key: keyof Values & string): boolean
  /** @throws CallboardError `view.absent` naming the key and the agent */
  getOrThrow<Key extends keyof Values & string>(key: Key): Values[Key]
  /** The entry of a key with all that is known about it. */
  entry<Key extends keyof Values & string>(key: Key): Entry<Values[Key]> | undefined
  /** Every entry in sight: pinned first, then by priority, then newest, then by key. */
  entries(): readonly Entry<Values[keyof Values]>[]
  keys(): readonly (keyof Values & string)[]
  toObject(): Readonly<Partial<Values>>
  /** The text for a prompt, within a budget of tokens, and the plan that explains it. */
  render(options: RenderOptions): RenderedView
}

export class BoardView implements View {
  readonly seq: number
  readonly sight: Sight
  readonly epoch: number
  /** Any board on which this agent sees the same; moved forward so that old boards can be forgotten. */
  #board: Board
  /** The cells in sight, in order; undefined until somebody asks. */
  #cells: readonly Cell[] | undefined
  /** What to make them from: the cells of an older view, and the keys that stand for others since. */
  #older: Older | undefined
  #entries: readonly Entry[] | undefined

  constructor(board: Board, sight: Sight, seq?: number, older?: Older) {
    this.#board = board
    this.sight = sight
    this.epoch = sight.epoch
    this.#older = older
    this.seq = seq ?? countTouches(board, sight)
  }

  get(key: string): unknown {
    const cell = this.sight.find(this.#board, key)
    return cell === undefined ? undefined : valueOf(cell)
  }

  has(key: string): boolean {
    return this.sight.find(this.#board, key) !== undefined
  }

  /** Whether what is at an address is in sight, be it behind a narrower entry of its key. */
  sees(address: EntryAddress): boolean {
    const cell = this.#board.cell(address)
    return cell?.live === true && this.sight.access.canRead(address.key) && this.sight.admits(cell.entry)
  }

  getOrThrow(key: string): unknown {
    const cell = this.sight.find(this.#board, key)
    if (cell !== undefined) return valueOf(cell)
    const { agentId, access } = this.sight
    const why = access.canRead(key)
      ? `nothing ${agentId} may see is there now; waitFor("${key}") waits for it`
      : `it is not among the reads of agent type ${access.rules.type}`
    throw new CallboardError('view.absent', `${agentId} cannot read "${key}": ${why}`, { agent: agentId, key })
  }

  entry(key: string): Entry | undefined {
    const cell = this.sight.find(this.#board, key)
    return cell === undefined ? undefined : entryOf(cell)
  }

  /** The board's own cell: for the runtime, which remembers what an agent has read. */
  cell(key: string): Cell | undefined {
    return this.sight.find(this.#board, key)
  }

  /** The cells in sight, in order. */
  cells(): readonly Cell[] {
    if (this.#cells !== undefined) return this.#cells
    const older = this.#older
    this.#cells = older === undefined ? sortedCells(this.#board, this.sight) : applyReplaced(older)
    this.#older = undefined
    return this.#cells
  }

  entries(): readonly Entry[] {
    if (this.#entries !== undefined) return this.#entries
    const entries: Entry[] = []
    let hasExotic = false
    for (const cell of this.cells()) {
      entries.push(entryOf(cell))
      hasExotic ||= cell.exotic
    }
    Object.freeze(entries)
    if (!hasExotic) this.#entries = entries
    return entries
  }

  keys(): readonly string[] {
    return this.cells().map(({ entry }) => entry.key)
  }

  toObject(): Readonly<Record<string, unknown>> {
    const object: Record<string, unknown> = {}
    for (const cell of this.cells()) setOwn(object, cell.entry.key, valueOf(cell))
    return Object.freeze(object)
  }

  render(options: RenderOptions): RenderedView {
    return renderEntries(this.entries(), options)
  }

  /** The view after these changes led to `board`: this very object if none of them is in sight. */
  next(board: Board, changes: readonly CellChange[]): BoardView {
    if (this.epoch !== this.sight.epoch) return new BoardView(board, this.sight)
    const only = changes.length === 1 ? changes[0] : undefined
    if (only !== undefined && isUnshadowed(only, this.#board, board)) return this.#nextOfOne(board, only.key)
    let seq = this.seq
    const keys: string[] = []
    const counted = changes.length > 1 ? new Set<Cell>() : undefined
    for (const change of changes) {
      // Not `change.previous`: one address may change twice, and a reader is shown an expiry before it is committed.
      const before = this.#board.cell(change)
      const after = board.cell(change)
      if (before === after || after === undefined || counted?.has(after) === true) continue
      counted?.add(after)
      const seesBefore = before !== undefined && this.sight.admits(before.entry)
      const seesAfter = this.sight.admits(after.entry)
      if (!seesBefore && !seesAfter) continue
      // The commit of an end that was already shown.
      if (!after.live && before?.live === false && after.touches === before.touches) continue
      seq += (seesAfter ? after.touches : 0) - (seesBefore ? before.touches : 0)
      if (!keys.includes(change.key)) keys.push(change.key)
    }
    if (keys.length === 0) {
      this.#board = board
      return this
    }
    return new BoardView(board, this.sight, seq, this.#deriveFrom(board, keys))
  }

  /** `next` for one change of a key that has no second reading: what stands for it needs no search. */
  #nextOfOne(board: Board, key: string): BoardView {
    const before = this.#board.own.plain(key)
    const after = board.own.plain(key)
    const seenBefore = before !== undefined && this.sight.admits(before.entry) ? before : undefined
    const seenAfter = after !== undefined && this.sight.admits(after.entry) ? after : undefined
    const touches = (seenAfter?.touches ?? 0) - (seenBefore?.touches ?? 0)
    // An end that was shown before it was committed leaves another cell that is just as dead.
    const isSeen = seenBefore?.live === true || seenAfter?.live === true
    if (before === after || (touches === 0 && !isSeen)) {
      this.#board = board
      return this
    }
    const seq = this.seq + touches
    const cells = this.#cells ?? this.#older?.cells
    if (cells === undefined) return new BoardView(board, this.sight, seq)
    const change = {
      before: seenBefore?.live === true ? seenBefore : undefined,
      after: seenAfter?.live === true ? seenAfter : undefined,
    }
    const replaced = this.#cells === undefined ? [...(this.#older?.replaced ?? []), change] : [change]
    return new BoardView(board, this.sight, seq, carriedOut({ cells, replaced }))
  }

  /** How the next view's cells follow from this one's; nothing if they were never asked for. */
  #deriveFrom(board: Board, keys: readonly string[]): Older | undefined {
    const cells = this.#cells ?? this.#older?.cells
    if (cells === undefined) return undefined
    const replaced = this.#cells === undefined ? [...(this.#older?.replaced ?? [])] : []
    for (const key of keys) {
      const before = this.sight.find(this.#board, key)
      const after = this.sight.find(board, key)
      if (before !== after) replaced.push({ before, after })
    }
    return carriedOut({ cells, replaced })
  }

  toJSON(): unknown {
    return { agent: this.sight.agentId, seq: this.seq, keys: this.keys() }
  }
}

/** Cells in order, and which of them stand for others by now. */
interface Older {
  readonly cells: readonly Cell[]
  readonly replaced: readonly { readonly before: Cell | undefined; readonly after: Cell | undefined }[]
}

/** Replacements that an unread view collects before they are carried out. */
const MOST_REPLACED = 32

function sortedCells(board: Board, sight: Sight): readonly Cell[] {
  const cells: Cell[] = []
  for (const cell of board.cells()) if (cell.live && sight.find(board, cell.entry.key) === cell) cells.push(cell)
  return cells.sort(compareCells)
}

/** Neither a private or group entry nor a global one could stand for the key. */
function isUnshadowed({ scope, key }: CellChange, before: Board, after: Board): boolean {
  return (
    scope === 'workflow' &&
    !after.own.hasHeld &&
    !before.own.hasHeld &&
    after.globals.plain(key) === undefined &&
    before.globals.plain(key) === undefined
  )
}

/** The same, with the replacements made where they have become many. */
function carriedOut(older: Older): Older {
  return older.replaced.length > MOST_REPLACED ? { cells: applyReplaced(older), replaced: [] } : older
}

function applyReplaced({ cells, replaced }: Older): readonly Cell[] {
  if (replaced.length === 0) return cells
  const next = cells.slice()
  for (const { before, after } of replaced) {
    if (before !== undefined && after !== undefined) moveTo(next, before, after)
    else if (before !== undefined) next.splice(placeOf(next, before), 1)
    else if (after !== undefined) next.splice(placeOf(next, after), 0, after)
  }
  return next
}

/** Puts `after` where it belongs and closes the gap of `before`: only what stands between the two moves. */
function moveTo(cells: Cell[], before: Cell, after: Cell): void {
  let gap = placeOf(cells, before)
  const place = placeOf(cells, after)
  for (; gap > place; gap--) cells[gap] = cells[gap - 1] as Cell
  for (; gap < place - 1; gap++) cells[gap] = cells[gap + 1] as Cell
  cells[gap] = after
}

/** Where a cell stands in the order, or would. */
function placeOf(cells: readonly Cell[], cell: Cell): number {
  let low = 0
  let high = cells.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const other = cells[middle]
    if (other !== undefined && compareCells(other, cell) < 0) low = middle + 1
    else high = middle
  }
  return low
}

function touchesInSight(cell: Cell | undefined, sight: Sight): number {
  return cell !== undefined && sight.admits(cell.entry) ? cell.touches : 0
}

function countTouches(board: Board, sight: Sight): number {
  let seq = 0
  for (const cell of board.cells()) seq += touchesInSight(cell, sight)
  return seq
}
