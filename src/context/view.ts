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
import { SortedTree } from './sorted-tree.ts'
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

type CellTree = SortedTree<Cell, undefined>

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
  #tree: CellTree | undefined
  #entries: readonly Entry[] | undefined

  constructor(board: Board, sight: Sight, seq?: number, tree?: CellTree) {
    this.#board = board
    this.sight = sight
    this.epoch = sight.epoch
    this.#tree = tree
    this.seq = seq ?? countTouches(board, sight)
  }

  get(key: string): unknown {
    const cell = this.sight.find(this.#board, key)
    return cell === undefined ? undefined : valueOf(cell)
  }

  has(key: string): boolean {
    return this.sight.find(this.#board, key) !== undefined
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
    return this.#sorted().keysArray()
  }

  entries(): readonly Entry[] {
    if (this.#entries !== undefined) return this.#entries
    const cells = this.cells()
    const entries = Object.freeze(cells.map(entryOf))
    if (!cells.some(({ exotic }) => exotic)) this.#entries = entries
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
    let seq = this.seq
    const keys = new Set<string>()
    const counted = new Set<Cell>()
    for (const change of changes) {
      if (!this.sight.isTouchedBy(change)) continue
      // Not `change.previous`: one address may change twice, and a reader is shown an expiry before it is committed.
      const before = this.#board.cell(change)
      const after = board.cell(change)
      if (before === after || after === undefined || counted.has(after)) continue
      counted.add(after)
      const touches = touchesInSight(after, this.sight) - touchesInSight(before, this.sight)
      if (touches === 0 && before?.live !== true && !after.live) continue
      keys.add(change.key)
      seq += touches
    }
    if (keys.size === 0) {
      this.#board = board
      return this
    }
    return new BoardView(board, this.sight, seq, this.#deriveTree(board, keys))
  }

  #deriveTree(board: Board, keys: ReadonlySet<string>): CellTree | undefined {
    if (this.#tree === undefined) return undefined
    const tree = this.#tree.clone()
    for (const key of keys) {
      const before = this.sight.find(this.#board, key)
      const after = this.sight.find(board, key)
      if (before === after) continue
      if (before !== undefined) tree.delete(before)
      if (after !== undefined) tree.set(after, undefined)
    }
    return tree
  }

  #sorted(): CellTree {
    if (this.#tree !== undefined) return this.#tree
    const tree: CellTree = new SortedTree<Cell, undefined>(undefined, compareCells)
    for (const cell of this.#board.cells()) {
      if (cell.live && this.sight.find(this.#board, cell.entry.key) === cell) tree.set(cell, undefined)
    }
    this.#tree = tree
    return tree
  }

  toJSON(): unknown {
    return { agent: this.sight.agentId, seq: this.seq, keys: this.keys() }
  }
}

function touchesInSight(cell: Cell | undefined, sight: Sight): number {
  return cell !== undefined && sight.admits(cell.entry) ? cell.touches : 0
}

function countTouches(board: Board, sight: Sight): number {
  let seq = 0
  for (const cell of board.cells()) seq += touchesInSight(cell, sight)
  return seq
}
