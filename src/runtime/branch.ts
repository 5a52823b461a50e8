// Branch: what an agent with `isolation: 'branch'` sees and writes until it ends.
//   B1. Nobody but its agent sees what is on it, and nothing of it is recorded, until the agent has ended well.
//   B2. Its agent sees the board as it is now, with what it has written itself in place.
//   B3. Merging asks for the agent's updates again, in their order, on the newest board: policies decide over what the agent
//       had seen, what is there now, and what it wrote. What comes of it is one update, accepted or refused as a whole.
//   B4. An invocation merges once: the record of it says how the agent ended, and one that runs again after a crash ends so.
// A branch is not durable. An agent runs again from its start after a crash, and writes it anew.
import { admitValue } from '../base/index.ts'
import { addressId, BoardView, refusalError } from '../context/index.ts'
import type {
  Author,
  Board,
  CellChange,
  Conflict,
  EntryAddress,
  PlaceChange,
  Refusal,
  Sight,
  Update,
  UpdateOptions,
} from '../context/index.ts'
import type { AgentWorld } from './agent-world.ts'
import { MERGE_STEP } from './journal.ts'
import type { RunCore } from './run-core.ts'
import { answerOf } from './updater.ts'
import type { Asker, UpdateAnswer } from './updater.ts'
import { ViewSlot } from './view-cache.ts'

const NO_CHANGES: readonly CellChange[] = Object.freeze([])

export class Branch implements AgentWorld {
  readonly #core: RunCore
  readonly #invocation: string
  readonly #sight: Sight
  /** What it wrote last, by address. */
  readonly #written = new Map<string, CellChange>()
  readonly #updates: Update[] = []
  #main: Board | undefined
  #board: Board | undefined
  #view: { readonly board: Board; readonly view: BoardView } | undefined

  constructor(core: RunCore, { invocation, sight }: { readonly invocation: string; readonly sight: Sight }) {
    this.#core = core
    this.#invocation = invocation
    this.#sight = sight
  }

  readableBoard(): Board {
    const main = this.#core.readableBoard()
    if (this.#board === undefined || this.#main !== main) {
      this.#main = main
      this.#board =
        this.#written.size === 0 ? main : main.withCells(Array.from(this.#written.values(), ({ cell }) => cell))
    }
    const now = this.#core.clock.now()
    const { nextExpiryAt } = this.#board
    if (nextExpiryAt !== undefined && nextExpiryAt <= now) this.#board = this.#board.expire(now)
    return this.#board
  }

  viewOf({ sight }: { readonly sight: Sight }): BoardView {
    const board = this.readableBoard()
    if (this.#view?.board !== board || this.#view.view.epoch !== sight.epoch)
      this.#view = { board, view: new BoardView(board, sight) }
    return this.#view.view
  }

  /** Never fresh: whether it is, the branch itself knows best. */
  slotOf(sight: Sight): ViewSlot {
    return new ViewSlot(sight)
  }

  readSlot({ sight }: ViewSlot): BoardView {
    return this.viewOf({ sight })
  }

  get hasExpiry(): boolean {
    return true
  }

  newestSeqOf(process: { readonly sight: Sight }): number {
    return this.viewOf(process).seq
  }

  async updateAs(
    asker: Asker,
    changes: Readonly<Record<string, unknown>>,
    options: UpdateOptions = {},
  ): Promise<UpdateAnswer> {
    const update = this.#core.prepareAs(asker, changes, options)
    if (update.kind === 'refused') return { result: update, changes: NO_CHANGES }
    const result = resultOf(this.readableBoard(), update)
    if (result.kind === 'refused') return answerOf(result, update.changes, asker)
    this.#updates.push(update)
    for (const change of result.changes) this.#note(change)
    this.#board = undefined
    this.#core.waits.touch(result.changes, this.#sight.agentId)
    return answerOf(result, update.changes, asker)
  }

  /** That something of the agent's is made from it and becomes stale is the board's business until the branch is merged. */
  #note(change: CellChange): void {
    const id = addressId(change)
    if (change.kind === 'put' || change.kind === 'drop' || this.#written.has(id)) this.#written.set(id, change)
  }

  /** Lets the agent do its work, then merges what it wrote. Not at all if it fails, or was stopped meanwhile. */
  async around(asker: Asker, work: () => unknown, assertRunning: () => void): Promise<unknown> {
    const known = this.#core.journal.get(this.#invocation, MERGE_STEP)
    if (known.finished) return known.result
    const output = await work()
    assertRunning()
    const answer = output === undefined ? undefined : admitValue(output).value
    await this.#merge(asker, answer)
    return output
  }

  async #merge(asker: Asker, answer: unknown): Promise<void> {
    if (this.#updates.length === 0) return
    const { runId } = this.#core
    const note = { merges: this.#invocation, answer }
    const { result } = await this.#core.place(asker.author, (board) => this.#replay(board, asker.author), note)
    if (result.kind === 'refused') {
      // What is there now, and not what its agent has put before it on the branch.
      const main = this.#core.viewOf({ sight: this.#sight })
      const asked = this.#updates.flatMap(({ changes }) => changes)
      const told = answerOf(result, asked, { seesAt: (address) => main.sees(address) }).result
      throw refusalError(told.kind === 'refused' ? told : result, runId)
    }
  }

  /** What the agent's updates make of the newest board, one change for each entry; or why one of them is refused. */
  #replay(main: Board, author: Author): readonly PlaceChange[] | Refusal {
    let board = main
    const conflicts: Conflict[] = []
    for (const update of this.#updates) {
      const next = begun(board).apply(update)
      const result = next.transcript.at(-1)?.result
      if (result === undefined) throw new TypeError(`an update of ${this.#invocation} came to nothing`)
      if (result.kind === 'refused') return result
      conflicts.push(...result.conflicts)
      board = next
    }
    return [...this.#written.values()].flatMap(({ scope, holder, key }) =>
      placeOf({ scope, holder, key }, { main, board, conflicts, author }),
    )
  }
}

/** The board at the beginning of a transition that is never made. */
function begun(board: Board): Board {
  return board.begin(board.at, '', board.globals)
}

function resultOf(
  board: Board,
  update: Update,
): NonNullable<ReturnType<Board['apply']>['transcript'][number]>['result'] {
  const result = begun(board).apply(update).transcript.at(-1)?.result
  if (result === undefined) throw new TypeError(`update ${update.id} came to nothing`)
  return result
}

/** How an entry of the main board becomes what it is after the merge; no change where it is that. */
function placeOf(
  address: EntryAddress,
  {
    main,
    board,
    conflicts,
    author,
  }: { readonly main: Board; readonly board: Board; readonly conflicts: readonly Conflict[]; readonly author: Author },
): readonly PlaceChange[] {
  const before = main.cell(address)
  const after = board.cell(address)
  if (after === before || (after?.live !== true && before?.live !== true)) return []
  const about = conflicts
    .filter((conflict) => addressId(conflict.address) === addressId(address))
    .map(({ id: _id, version: _version, ...conflict }) => ({
      ...conflict,
      result: after?.entry.value,
      // The agent's own writes on the branch are nobody else's.
      against: before?.entry.updatedBy ?? '',
      author: author.kind === 'agent' ? author.id : conflict.author,
    }))
  return [{ kind: 'place', ...address, cell: after?.live === true ? after : undefined, conflicts: about }]
}
