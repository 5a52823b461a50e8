// Board: the context of a run, one immutable instance with private fields.
//   B1. Applying an update is a pure function of (board, update): no clock, no ids, no I/O.
//   B2. An update is applied as a whole or not at all.
//   B3. Versions of an entry count 1, 2, 3, … over deletion and expiry; a version is never given twice.
//   B4. A board never changes; what did not change is shared with the board it came from.
// Who may ask for what was decided before (prepare.ts in the runtime); what comes of it is in the transcript.
import { admitValue, handOut, isSameData } from '../base/index.ts'
import { authorName } from './author.ts'
import type { Catalogue } from './catalogue.ts'
import { entryOf, valueOf } from './entry.ts'
import type { Cell, Entry, Lineage } from './entry.ts'
import { POLICIES } from './policy.ts'
import type { MergeResult, Policy } from './policy.ts'
import { describeAddress } from './scope.ts'
import type { EntryAddress } from './scope.ts'
import { Shelf } from './shelf.ts'
import type {
  Acceptance,
  CellChange,
  Change,
  Conflict,
  DropChange,
  Outcome,
  PutChange,
  Refusal,
  RefusalReason,
  Update,
} from './update.ts'

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

/** Thrown inside `apply` to leave it with a refusal; never leaves this file. */
class Refused {
  readonly reason: RefusalReason
  readonly key: string | undefined
  readonly rule: string
  readonly actualVersion: number | undefined

  constructor(reason: RefusalReason, key: string | undefined, rule: string, actualVersion?: number) {
    this.reason = reason
    this.key = key
    this.rule = rule
    this.actualVersion = actualVersion
  }
}

const BUILT_IN: ReadonlySet<Policy> = new Set(Object.values(POLICIES))
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

  /** The keys of the entries of this run that are alive. */
  *liveKeys(): IterableIterator<string> {
    for (const { live, entry } of this.#state.own.cells()) if (live) yield entry.key
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
  withCells(changes: readonly (EntryAddress & { readonly cell: Cell })[]): Board {
    const own = changes.filter(({ scope }) => scope !== 'global')
    const global = changes.filter(({ scope }) => scope === 'global')
    return new Board({ ...this.#state, own: this.#state.own.with(own), globals: this.#state.globals.with(global) })
  }

  /** Applies an update, or notes its refusal (B2). Applying the same one twice in a transition does nothing. */
  apply(update: Update): Board {
    if (this.#state.transcript.some((outcome) => outcome.update === update)) return this
    const draft: Draft = { changes: [], conflicts: [], skipped: [] }
    try {
      for (const change of update.changes) {
        if (change.kind === 'put') this.#put(change, update, draft)
        else this.#drop(change, update, draft)
      }
      this.#refuseTooMany(draft)
    } catch (refused) {
      if (!(refused instanceof Refused)) throw refused
      return this.#note({ update, result: refusalOf(refused, update) })
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
    const draft: Draft = { changes: [], conflicts: [], skipped: [] }
    this.#markStale(draft, changes)
    return draft.changes.length === 0 ? this : this.#commit(draft, undefined)
  }

  #remove(due: readonly EntryAddress[], kind: 'expire' | 'clear', at: number): Board {
    if (due.length === 0) return this
    const draft: Draft = { changes: [], conflicts: [], skipped: [] }
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
      globals = globals.with(changes.filter(({ scope }) => scope === 'global'))
      own = own.with(changes.filter(({ scope }) => scope !== 'global'))
    } else {
      own = own.with(changes)
    }
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
    if (current?.entry.protected === true && !change.mayOverride) {
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
    const cell = this.#makeCell(change, merged.value, previous, update)
    draft.changes.push({ kind: 'put', scope, holder, key, cell, previous: current })
    for (const conflict of merged.conflicts) {
      draft.conflicts.push({
        ...conflict,
        id: `${update.id}.${draft.conflicts.length + 1}`,
        key,
        address: { scope, holder, key },
        policy: change.policyName,
        result: merged.value,
        author: authorName(update.author),
        against: current?.entry.updatedBy ?? '',
        version: cell.entry.version,
      })
    }
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

  #makeCell(change: PutChange, value: unknown, previous: Cell | undefined, update: Update): Cell {
    const { key, scope, holder, definition, options } = change
    const by = authorName(update.author)
    const current = previous?.live === true ? previous.entry : undefined
    const { ttlMs = definition.ttlMs } = options
    const expiresAt = options.expiresAt ?? (ttlMs === undefined ? undefined : update.at + ttlMs)
    const metadata = mergeMetadata(change, current?.metadata, by)
    const dependsOn = options.dependsOn ?? current?.dependsOn ?? definition.dependsOn
    const unchanged = value === change.value
    const entry: Entry = Object.freeze({
      key,
      value,
      scope,
      holder,
      owner: current?.owner ?? by,
      updatedBy: by,
      priority: options.priority ?? current?.priority ?? definition.priority,
      version: (previous?.entry.version ?? 0) + 1,
      createdAt: current?.createdAt ?? update.at,
      updatedAt: update.at,
      expiresAt,
      dependsOn,
      metadata,
      protected: definition.protected,
      ephemeral: definition.ephemeral,
      sensitive:
        definition.sensitive ?? (change.secret || metadata['sensitive'] === true || (current?.sensitive ?? false)),
      pinned: options.pinned ?? current?.pinned ?? definition.pinned,
      stale: dependsOn.length > 0 && this.#isBornStale(dependsOn, update.lineage),
    })
    return {
      entry,
      live: true,
      exotic: unchanged ? change.exotic : change.exotic || (previous?.exotic ?? false),
      size: unchanged ? change.size : change.size + (previous?.live === true ? previous.size : 0),
      touches: (previous?.touches ?? 0) + 1,
      lineage: update.lineage,
    }
  }

  /** Its author had read an older version of something it is made from. */
  #isBornStale(dependsOn: readonly string[], lineage: Lineage): boolean {
    return lineage.some(
      ({ key, version }) => dependsOn.includes(key) && (this.#find(key)?.entry.version ?? version) > version,
    )
  }

  /** Everything that depends on what changed, and on that again, except what this very update wrote anew. */
  #markStale(draft: Draft, causes: readonly CellChange[] = draft.changes): void {
    const queue: CellChange[] = [...causes]
    for (let cause = queue.shift(); cause !== undefined; cause = queue.shift()) {
      const dependants = [...this.#state.own.dependantsOf(cause.key), ...this.#state.globals.dependantsOf(cause.key)]
      for (const address of dependants) {
        if (!reaches(cause, address) || draft.changes.some((change) => isAt(change, address))) continue
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

function isAt(one: EntryAddress, other: EntryAddress): boolean {
  return one.key === other.key && one.scope === other.scope && one.holder === other.holder
}

function tombstone(previous: Cell, by: string, at: number): Cell {
  const entry = Object.freeze({
    ...previous.entry,
    value: undefined,
    version: previous.entry.version + 1,
    updatedAt: at,
    updatedBy: by,
    expiresAt: undefined,
    stale: false,
  })
  return { entry, live: false, exotic: false, size: 0, touches: previous.touches + 1, lineage: [] }
}

function mergeMetadata(
  { definition, options }: PutChange,
  current: Readonly<Record<string, unknown>> | undefined,
  by: string,
): Readonly<Record<string, unknown>> {
  if (current === undefined) return Object.freeze({ ...definition.metadata, ...options.metadata, created_by: by })
  if (options.metadata === undefined && current['last_updated_by'] === by) return current
  return Object.freeze({ ...current, ...options.metadata, last_updated_by: by })
}

function refuseUnexpected({ key, expectedVersion }: Change, current: Cell | undefined): void {
  const version = current?.entry.version ?? 0
  if (expectedVersion === undefined || expectedVersion === version) return
  throw new Refused(
    'expected-version',
    key,
    `version ${expectedVersion} was expected, version ${version} is there; read it again and retry`,
    version,
  )
}

function protectedRule(change: Change): string {
  return `${describeAddress(change)} is protected; only an agent with grants.protected, or override: true from outside, may ${change.kind === 'put' ? 'overwrite' : 'delete'} it`
}

function mergeInto(
  change: PutChange,
  current: Cell | undefined,
  catalogue: Catalogue,
): Exclude<MergeResult, { kind: 'refuse' }> {
  const { key, seen } = change
  if (current === undefined) {
    if (change.partial) checkMerged(change, change.value)
    if (seen !== 'absent' && seen !== 'unknown' && change.policyName === 'reject') {
      throw new Refused('concurrent-change', key, 'somebody deleted it since it was read; read again and retry', 0)
    }
    return { kind: 'accept', value: change.value, conflicts: [] }
  }
  const seenVersion = seen === 'absent' || seen === 'unknown' ? 0 : seen.entry.version
  const concurrent = seen !== 'unknown' && seenVersion !== current.entry.version
  const base = seen === 'absent' || seen === 'unknown' ? undefined : seen.entry.value
  const result = runPolicy(change, { base: concurrent ? base : current.entry.value, concurrent }, current, catalogue)
  if (result.kind === 'refuse') {
    const reason = result.reason === 'concurrent-change' ? 'concurrent-change' : 'policy'
    const rule =
      reason === 'concurrent-change'
        ? `version ${seenVersion} was read, but ${current.entry.updatedBy} has written version ${current.entry.version} since; read again and retry`
        : `policy ${change.policyName}: ${result.reason}`
    throw new Refused(reason, key, rule, current.entry.version)
  }
  if (result.kind === 'accept') {
    const isNew = result.value !== current.entry.value && (change.partial || result.value !== change.value)
    if (isNew) checkMerged(change, result.value)
  }
  return result
}

function runPolicy(
  change: PutChange,
  { base, concurrent }: { base: unknown; concurrent: boolean },
  current: Cell,
  { types }: Catalogue,
): MergeResult {
  const { key, value: update, definition } = change
  const priority = change.options.priority ?? current.entry.priority ?? definition.priority
  try {
    if (BUILT_IN.has(change.policy)) {
      return change.policy({ key, base, current: current.entry.value, update, concurrent, priority, types })
    }
    // A function of the user's gets copies of what cannot be frozen, and what it makes is admitted like any value.
    const sides = { base: handOut(base), current: handOut(current.entry.value), update: handOut(update) }
    const result = change.policy({ key, ...sides, concurrent, priority, types })
    return result.kind === 'accept' ? { ...result, value: admitValue(result.value).value } : result
  } catch (error) {
    throw new Refused(
      'policy-failed',
      key,
      `policy ${change.policyName} failed: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
}

/** What a merge makes must satisfy the schema too. */
function checkMerged({ key, definition, policyName }: PutChange, value: unknown): void {
  const checked = definition.schema.safeParse(value)
  if (checked.success) return
  const issue = checked.error.issues[0]
  const place = issue === undefined || issue.path.length === 0 ? '' : ` at ${issue.path.map(String).join('.')}`
  throw new Refused(
    'schema',
    key,
    `what ${policyName} made of it does not fit the schema${place}: ${issue?.message ?? 'invalid'}`,
  )
}

function refusalOf({ reason, key, rule, actualVersion }: Refused, { author }: Update): Refusal {
  const by = authorName(author)
  const message = key === undefined ? `${by}: ${rule}` : `${by} may not write "${key}": ${rule}`
  return Object.freeze({
    kind: 'refused',
    reason,
    key,
    author: by,
    message,
    ...(actualVersion === undefined ? {} : { actualVersion }),
  })
}
