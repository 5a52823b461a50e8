// Board: the context of a run, one immutable instance with private fields.
//   B1. Applying an update is a pure function of (board, update): no clock, no ids, no I/O.
//   B2. An update is applied as a whole or not at all.
//   B3. Versions of an entry count 1, 2, 3, … over deletion and expiry; a version is never given twice.
//   B4. A board never changes; what did not change is shared with the board it came from.
// Who may ask for what was decided before (prepare.ts in the runtime); what comes of it is in the transcript.
import { isSameData } from '../base/index.ts'
import { authorName } from './author.ts'
import type { Catalogue } from './catalogue.ts'
import { nameConflicts } from './conflict.ts'
import { entryOf, valueOf } from './entry.ts'
import type { Cell, Entry, Lineage } from './entry.ts'
import { makeRoom } from './evict.ts'
import { dependenciesOf, makeCell, placedCell, tombstone } from './make-cell.ts'
import { mergeInto } from './merge-into.ts'
import { Occupancy } from './occupancy.ts'
import { protectedRule, refusalOf, Refused, refuseUnexpected } from './refused.ts'
import { isSameAddress } from './scope.ts'
import type { EntryAddress } from './scope.ts'
import { Shelf } from './shelf.ts'
import type { Acceptance, CellChange, Conflict, DropChange, Outcome, PlaceChange, PutChange, Update } from './update.ts'

interface BoardState {
  readonly catalogue: Catalogue
  readonly runId: string
  readonly own: Shelf
  readonly globals: Shelf
  /** The time of the transition under way, in milliseconds since 1970. */
  readonly at: number
  /** Names the transition under way: ids made inside it start with it. */
  readonly transitionId: string
  /** What was applied since the transition began. */
  readonly transcript: readonly Outcome[]
}

/** An accepted change under construction. */
interface Draft {
  readonly changes: CellChange[]
  readonly conflicts: Conflict[]
  readonly skipped: string[]
}

const newDraft = (): Draft => ({ changes: [], conflicts: [], skipped: [] })

const NOTHING: readonly Outcome[] = Object.freeze([])

export class Board {
  readonly #state: BoardState

  /** Use `Board.create`. */
  private constructor(state: BoardState) {
    this.#state = state
  }

  /** A board without entries. */
  static create({
    catalogue,
    runId,
    at = 0,
    transitionId = '',
    globals = Shelf.empty,
  }: Partial<BoardState> & Pick<BoardState, 'catalogue' | 'runId'>): Board {
    return new Board({ catalogue, runId, own: Shelf.empty, globals, at, transitionId, transcript: NOTHING })
  }

  get catalogue(): Catalogue {
    return this.#state.catalogue
  }

  get runId(): string {
    return this.#state.runId
  }

  get own(): Shelf {
    return this.#state.own
  }

  get globals(): Shelf {
    return this.#state.globals
  }

  get at(): number {
    return this.#state.at
  }

  /** A new id for an update made inside the transition under way. */
  get nextUpdateId(): string {
    return `${this.#state.transitionId}.${this.#state.transcript.length + 1}`
  }

  /** What was applied since the transition began. */
  get transcript(): readonly Outcome[] {
    return this.#state.transcript
  }

  /** The workflow's own reading of a key: its entry, else the global one. */
  get(key: string): unknown {
    const cell = this.#find(key)
    return cell === undefined ? undefined : valueOf(cell)
  }

  has(key: string): boolean {
    return this.#find(key) !== undefined
  }

  /** The workflow's own reading of an entry. */
  entry(key: string): Entry | undefined {
    const cell = this.#find(key)
    return cell === undefined ? undefined : entryOf(cell)
  }

  #find(key: string): Cell | undefined {
    const own = this.#state.own.plain(key)
    if (own?.live === true) return own
    const global = this.#state.globals.plain(key)
    return global?.live === true ? global : undefined
  }

  /** The cell at an address, alive or not. */
  cell(address: EntryAddress): Cell | undefined {
    return (address.scope === 'global' ? this.#state.globals : this.#state.own).get(address)
  }

  *cells(): IterableIterator<Cell> {
    yield* this.#state.own.cells()
    yield* this.#state.globals.cells()
  }

  /** Where the entries of this run are that are alive. */
  *addresses(): IterableIterator<EntryAddress> {
    for (const { live, entry } of this.#state.own.cells()) if (live) yield entry
  }

  /** Whether something on it is not kept: it goes when its process ends. */
  get holdsEphemerals(): boolean {
    for (const { live, entry } of this.#state.own.cells()) if (live && entry.ephemeral) return true
    return false
  }

  /** The first instant at which something on it expires. */
  get nextExpiryAt(): number | undefined {
    const own = this.#state.own.nextExpiryAt
    const global = this.#state.globals.nextExpiryAt
    return own === undefined ? global : Math.min(own, global ?? own)
  }

  /** The same board at the beginning of a transition: its time and name, an empty transcript, the newest global entries. */
  begin(at: number, transitionId: string, globals: Shelf): Board {
    const { catalogue, runId, own } = this.#state
    return new Board({ catalogue, runId, own, globals, at, transitionId, transcript: NOTHING })
  }

  /** The same board over other global entries. */
  withGlobals(globals: Shelf): Board {
    return globals === this.#state.globals ? this : new Board({ ...this.#state, globals })
  }

  /** A board with these cells, whatever they replace: how a ledger is folded. */
  withCells(cells: readonly Cell[]): Board {
    const global = cells.filter(({ entry }) => entry.scope === 'global')
    const own = global.length === 0 ? cells : cells.filter(({ entry }) => entry.scope !== 'global')
    return new Board({ ...this.#state, own: this.#state.own.with(own), globals: this.#state.globals.with(global) })
  }

  /** Applies an update, or notes its refusal (B2). Applying the same one twice in a transition does nothing. */
  apply(update: Update): Board {
    if (this.#state.transcript.some((outcome) => outcome.update === update)) return this
    const draft = newDraft()
    try {
      for (const change of update.changes) {
        if (change.kind === 'put') this.#put(change, update, draft)
        else if (change.kind === 'drop') this.#drop(change, update, draft)
        else this.#place(change, update, draft)
      }
      this.#refuseTooMany(draft)
      draft.changes.push(
        ...makeRoom(this.#state.own, draft.changes, { limits: this.#state.catalogue.room, at: update.at }),
      )
    } catch (refused) {
      if (!(refused instanceof Refused)) throw refused
      return this.#note({ update, result: refusalOf(refused, update.author) })
    }
    this.#markStale(draft)
    return this.#commit(draft, update)
  }

  /** `begin` and `apply` in one. */
  applyFirst(
    update: Update,
    { at, transitionId, globals }: { readonly at: number; readonly transitionId: string; readonly globals: Shelf },
  ): Board {
    if (this.#state.transitionId === transitionId) return this.apply(update)
    return this.begin(at, transitionId, globals).apply(update)
  }

  /** Removes what is expired at `at`. */
  expire(at: number): Board {
    const due = [...this.#state.own.expiredAt(at), ...this.#state.globals.expiredAt(at)]
    return this.#remove(due, 'expire', at)
  }

  /** Removes the ephemeral entries that `isDue` picks: the end of a phase. */
  clearEphemeral(isDue: (entry: Entry) => boolean): Board {
    const due: EntryAddress[] = []
    for (const { live, entry } of this.#state.own.cells()) {
      if (live && entry.ephemeral && isDue(entry)) due.push(entry)
    }
    return this.#remove(due, 'clear', this.#state.at)
  }

  /** Marks as stale what depends on these keys: a global entry was changed by another run. */
  markStaleBehind(changes: readonly CellChange[]): Board {
    const draft = newDraft()
    this.#markStale(draft, changes)
    return draft.changes.length === 0 ? this : this.#commit(draft, undefined)
  }

  #remove(due: readonly EntryAddress[], kind: 'expire' | 'clear', at: number): Board {
    if (due.length === 0) return this
    const draft = newDraft()
    for (const address of due) {
      const previous = this.cell(address)
      if (previous === undefined) continue
      const { scope, holder, key } = address
      draft.changes.push({ kind, scope, holder, key, previous, cell: tombstone(previous, kind, at) })
    }
    this.#markStale(draft)
    return this.#commit(draft, undefined)
  }

  #commit(draft: Draft, update: Update | undefined): Board {
    const { changes, conflicts, skipped } = draft
    const result: Acceptance = { kind: 'accepted', changes, conflicts, skipped }
    let { own, globals } = this.#state
    if (changes.some(({ scope }) => scope === 'global')) {
      globals = globals.replace(changes.filter(({ scope }) => scope === 'global'))
      own = own.replace(changes.filter(({ scope }) => scope !== 'global'))
    } else {
      own = own.replace(changes)
    }
    if (this.#state.catalogue.room !== undefined) Occupancy.of(this.#state.own).after(changes).rememberFor(own)
    return this.#with(own, globals, { update, result })
  }

  #with(own: Shelf, globals: Shelf, outcome: Outcome): Board {
    const { catalogue, runId, at, transitionId, transcript } = this.#state
    return new Board({
      catalogue,
      runId,
      own,
      globals,
      at,
      transitionId,
      transcript: transcript.length === 0 ? [outcome] : [...transcript, outcome],
    })
  }

  #note(outcome: Outcome): Board {
    return this.#with(this.#state.own, this.#state.globals, outcome)
  }

  #put(change: PutChange, update: Update, draft: Draft): void {
    const { scope, holder, key } = change
    const previous = this.cell(change)
    const current = previous?.live === true ? previous : undefined
    refuseUnexpected(change, current)
    // It may have been written when its definition was another.
    const isProtected = current !== undefined && (current.entry.protected || change.definition.protected)
    if (isProtected && !change.mayOverride) {
      if (change.kind === 'put' && isSameData(current.entry.value, change.value)) {
        draft.skipped.push(key)
        return
      }
      throw new Refused('protected', key, protectedRule(change), current.entry.version)
    }
    const merged = mergeInto(change, current, this.#state.catalogue)
    if (merged.kind === 'keep') {
      draft.skipped.push(key)
      return
    }
    const cell = makeCell(change, merged, previous, update, this.#isBornStale(change, previous, update.lineage))
    draft.changes.push({ kind: 'put', scope, holder, key, cell, previous: current })
    if (merged.conflicts.length === 0) return
    const said = {
      key,
      address: { scope, holder, key },
      policy: change.policyName,
      result: merged.value,
      author: authorName(update.author),
      against: current?.entry.updatedBy ?? '',
    }
    const conflicts = merged.conflicts.map((conflict) => ({ ...conflict, ...said }))
    draft.conflicts.push(...nameConflicts(conflicts, change, cell.entry.version))
  }

  #drop(change: DropChange, update: Update, draft: Draft): void {
    const { scope, holder, key } = change
    const current = this.cell(change)
    refuseUnexpected(change, current?.live === true ? current : undefined)
    if (change.definition.protected && !change.mayOverride) {
      throw new Refused('protected', key, protectedRule(change), current?.entry.version)
    }
    if (current?.live !== true) {
      draft.skipped.push(key)
      return
    }
    if (current.entry.protected && !change.mayOverride) {
      throw new Refused('protected', key, protectedRule(change), current.entry.version)
    }
    draft.changes.push({
      kind: 'drop',
      scope,
      holder,
      key,
      previous: current,
      cell: tombstone(current, authorName(update.author), update.at),
    })
  }

  #place(change: PlaceChange, update: Update, draft: Draft): void {
    const { scope, holder, key } = change
    const previous = this.cell(change)
    if (change.cell === undefined && previous?.live !== true) return
    const cell = placedCell(change.cell, previous, update)
    draft.changes.push({
      kind: cell.live ? 'put' : 'drop',
      scope,
      holder,
      key,
      cell,
      previous: previous?.live === true ? previous : undefined,
    })
    draft.conflicts.push(...nameConflicts(change.conflicts, change, cell.entry.version))
  }

  /** Its author had read an older version of something it is made from. */
  #isBornStale(change: PutChange, previous: Cell | undefined, lineage: Lineage): boolean {
    if (lineage.length === 0) return false
    const dependsOn = dependenciesOf(change, previous)
    if (dependsOn.length === 0) return false
    return lineage.some(({ key, version }) => {
      if (!dependsOn.includes(key)) return false
      // What was deleted since is newer, too.
      const newest = this.#find(key) ?? this.#state.own.plain(key) ?? this.#state.globals.plain(key)
      return newest !== undefined && newest.entry.version > version
    })
  }

  /** Everything that depends on what changed, and on that again, except what this very update wrote anew. */
  #markStale(draft: Draft, causes: readonly CellChange[] = draft.changes): void {
    const queue: CellChange[] = [...causes]
    for (let cause = queue.shift(); cause !== undefined; cause = queue.shift()) {
      const dependants = [...this.#state.own.dependantsOf(cause.key), ...this.#state.globals.dependantsOf(cause.key)]
      for (const address of dependants) {
        if (!reaches(cause, address) || draft.changes.some((change) => isSameAddress(change, address))) continue
        const previous = this.cell(address)
        if (previous?.live !== true || previous.entry.stale) continue
        const cell: Cell = {
          ...previous,
          entry: Object.freeze({ ...previous.entry, stale: true }),
          touches: previous.touches + 1,
        }
        const change: CellChange = { kind: 'stale', ...address, cell, previous }
        draft.changes.push(change)
        queue.push(change)
      }
    }
  }

  #refuseTooMany({ changes }: Draft): void {
    const { maxEntries } = this.#state.catalogue.limits
    if (this.#state.own.live + changes.length <= maxEntries) return
    const added = changes.filter(
      ({ kind, scope, previous }) => kind === 'put' && scope !== 'global' && previous?.live !== true,
    )
    const dropped = changes.filter(({ kind, scope }) => kind === 'drop' && scope !== 'global')
    if (added.length <= dropped.length || this.#state.own.live + added.length - dropped.length <= maxEntries) return
    throw new Refused(
      'limit',
      added[0]?.key,
      `the run may hold ${maxEntries} entries; drop some or raise limits.maxEntries`,
    )
  }

  /** What persistence and inspection see: nothing of the values. */
  toJSON(): unknown {
    return { entries: this.#state.own.live, globals: this.#state.globals.live }
  }
}

/** A change is felt only where it can be seen: a private or group entry never reaches beyond its holder. */
function reaches(cause: EntryAddress, dependant: EntryAddress): boolean {
  if (cause.scope === 'global' || cause.scope === 'workflow') return true
  return cause.scope === dependant.scope && cause.holder === dependant.holder
}
