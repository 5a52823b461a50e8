// Engine: one run's machine, from event to acknowledgement.
//   E1. Every macrostep that changed something, of the machine or of one inside it, is one record; seq has no gaps.
//   E2. What a macrostep does to the world (actions, agents, children) happens after its record is in the store, in order.
//       What it does to the machines of its own run goes into the same commit.
//   E3. After a commit: acknowledge, then resolve waits, then notify. Readers only ever see what is committed.
//   E4. A commit that fails takes the run back to nothing ahead of the store: everything unacknowledged is refused.
// Agents, waits and people are the business of the run (run-core.ts), which the engine tells of every commit.
import { createActor } from 'xstate'
import type { Actor, AnyActorLogic, AnyActorRef, EventObject } from 'xstate'
import { CallboardError, faultPoint } from '../base/index.ts'
import type { Clock, Deadlines } from '../base/index.ts'
import { authorName } from '../context/index.ts'
import type { Board, CellChange, Refusal, Shelf, Update } from '../context/index.ts'
import type { GlobalsMark, MachineState, RecordKind } from '../ledger/index.ts'
import { applyUpdate, isInternalEvent, setBeginning, UPDATE_EVENT } from '../workflow/index.ts'
import type { DefinitionStamp, UpdateEvent } from '../workflow/index.ts'
import { isInTree, pathOf } from './actor-path.ts'
import { breath } from './breath.ts'
import { describeEvent } from './describe-event.ts'
import { beginMachine, provideActors, transitMachine } from './derive-machine.ts'
import type { MachineDriver, RunMachine } from './derive-machine.ts'
import { InnerActors } from './inner-actors.ts'
import type { InnerHost, InnerTransition } from './inner-actors.ts'
import {
  endPhase,
  isMachineChanged,
  isSameSnapshot,
  machineStateOf,
  notRestoredError,
  snapshotOf,
  withBoard,
} from './machine-snapshot.ts'
import type { MachineSnapshot, RestorableState } from './machine-snapshot.ts'
import type { PhaseMarks } from './phase-marks.ts'
import type { RecordNote } from './record-note.ts'
import { Stage } from './stage.ts'
import type { Effect, Scope } from './stage.ts'
import { Timers } from './timers.ts'
import type { TimersHost } from './timers.ts'
import {
  createTurn,
  draftOfNote,
  joined,
  NO_CHANGES,
  NO_CONFLICTS,
  NO_EFFECTS,
  NO_REFUSALS,
  withEffect,
} from './turn.ts'
import type { Draft, Turn } from './turn.ts'

/** What the engine needs from the run and the runtime around it. */
export interface EngineHost {
  readonly runId: string
  /** What happened is gone through again: nothing is done to the world. */
  readonly isReplay?: true
  /** With which definition the run begins. */
  stamp(): DefinitionStamp
  readonly clock: Clock
  readonly deadlines: Deadlines
  readonly inspect: ((event: unknown) => void) | undefined
  /** The newest global entries, committed or not. */
  globals(): Shelf
  /** Counts how often they were read anew because a commit had failed. */
  globalsEpoch(): number
  /** Up to where the run sees them, where that is another place than it was told of last. */
  newGlobalsMark(): GlobalsMark | undefined
  /** A transition has made these of them, by these changes. */
  stageGlobals(globals: Shelf, changes: readonly CellChange[]): void
  /** The number of the last that was staged, if it is the run's own or something that concerns it is not stored; or 0. */
  globalsAhead(isOwn: boolean): number
  /** The phases of the run, and the snapshots they call for. */
  readonly phases: PhaseMarks
  /** How many invocations there have been. */
  invocationCount(): number
  /** Stores a turn; turns of one run are handed over in order. */
  commit(turns: readonly Turn[], status: MachineState['status']): Promise<void>
  /** A turn is in the store; its acknowledgement has been given. */
  onCommitted(turn: Turn): void
  /** The run cannot go on: an action failed. */
  onFailed(error: unknown): void
  /** A commit failed: what was here and not in the store is lost, and so may be what was staged of global entries. */
  onLost(error: unknown, losesGlobals: boolean): void
}

interface Request {
  readonly event: EventObject
  readonly note: RecordNote | undefined
  readonly settle: (turn: Turn | undefined) => void
  readonly refuse: (error: unknown) => void
}

/** Where a run begins: with an input, or where its ledger ends. */
export type EngineOrigin = { readonly input: unknown } | { readonly restored: RestorableState }

// What idle engines share: there may be many.
const NO_TURNS: Turn[] = []
Object.freeze(NO_TURNS)
const NO_TIMERS: MachineState['timers'] = Object.freeze([])
const DEAF = { error: (): void => {} }

export class Engine implements InnerHost, MachineDriver, TimersHost {
  readonly #host: EngineHost
  readonly #machine: RunMachine
  readonly #actor: Actor<AnyActorLogic>
  #committed: MachineSnapshot | undefined
  /** What the last record left, stored or not. */
  #latest: MachineSnapshot | undefined
  #seq = 0
  #pending: Turn[] = NO_TURNS
  #flushing = false
  #request: Request | undefined
  /** The active states last found to be without eventless transitions. */
  #plainNodes: MachineSnapshot['_nodes'] | undefined
  /** What the machine has asked for at its beginning. */
  #firstEffects = NO_EFFECTS
  /** While a stored run is set up, what is to begin after that; while the machine is being stopped, what stops with it. */
  #held: Effect[] | undefined
  #stopped = false
  readonly timers: Timers
  /** Undefined for a machine that names no actors. */
  readonly #inner: InnerActors | undefined
  /** The timers of a stored run, until it goes on. */
  #stored: MachineState['timers'] = NO_TIMERS

  /**
   * @param machine this run's own: nothing of its transitions escapes before it is committed
   * @param origin the input of a new run, or the state a stored one is to go on from
   */
  constructor(machine: RunMachine, origin: EngineOrigin, host: EngineHost) {
    this.#host = host
    this.#machine = machine
    this.timers = new Timers(this)
    const { actors } = machine.implementations
    if (Object.keys(actors).length > 0) {
      this.#inner = new InnerActors(this)
      provideActors(machine, this.#inner.bindAll(actors as never))
    }
    machine.driver = this
    this.#actor = createActor(machine as AnyActorLogic, {
      id: host.runId,
      ...('restored' in origin ? { snapshot: snapshotOf(origin.restored) as never } : { input: origin.input }),
      ...(host.inspect === undefined ? {} : { inspect: host.inspect as never }),
    })
    // Without an error listener XState reports a machine's failure as an uncaught exception.
    this.#actor.subscribe(DEAF)
    if (!('restored' in origin)) return
    this.#seq = origin.restored.seq
    this.#stored = origin.restored.machine.timers
    const restored = this.#actor.getSnapshot() as unknown as Partial<MachineSnapshot>
    if (restored.context === undefined) throw notRestoredError(host.runId, restored.error)
    this.#latest = this.#committed = restored as MachineSnapshot
    host.phases.resume(this.#committed)
    this.#stopped = origin.restored.machine.status !== 'active'
  }

  /** The seq of the last record, stored or not. */
  get seq(): number {
    return this.#seq
  }

  /** Whether every record so far is in the store. */
  get isSettled(): boolean {
    return !this.#flushing && this.#pending.length === 0
  }

  /** The machine's state after the last committed record. */
  get committed(): MachineSnapshot {
    if (this.#committed === undefined)
      throw new CallboardError('run.not-started', `run ${this.#host.runId} has no committed state yet`)
    return this.#committed
  }

  /** The newest board, committed or not: what the next update will be applied to. */
  get board(): Board {
    return (this.#latest ?? this.committed).context.board
  }

  /** Its machine has ended, and that is on its way into the store. */
  get isEnding(): boolean {
    return !this.#stopped && this.#latest !== undefined && this.#latest.status !== 'active'
  }

  get isStopped(): boolean {
    return this.#stopped
  }

  get actor(): Actor<AnyActorLogic> {
    return this.#actor
  }

  get clock(): Clock {
    return this.#host.clock
  }

  get deadlines(): Deadlines {
    return this.#host.deadlines
  }

  get isAhead(): boolean {
    return this.#pending.length > 0 || (this.#held !== undefined && !this.#stopped)
  }

  ignores(event: EventObject): boolean {
    return this.#stopped || this.#isEcho(event)
  }

  /** Whether a delayed transition or event is due some time. */
  get hasTimers(): boolean {
    return this.timers.size > 0
  }

  /** The instant of the next of them. */
  get nextTimerAt(): number | undefined {
    return this.timers.nextDueAt
  }

  /** Begins the run; resolves when its first record is stored. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      const initial = this.#actor.getSnapshot() as unknown as MachineSnapshot
      if (initial.status === 'error') {
        this.halt()
        reject(initial.error as Error)
        return
      }
      this.#latest = initial
      const { globals } = initial.context.board
      const changesGlobals = globals !== this.#host.globals()
      const { changes, conflicts } = joined(initial.context.board.transcript.map(({ result }) => result))
      if (changesGlobals) this.#host.stageGlobals(globals, changes)
      this.#enqueue({
        kind: 'start',
        author: 'outside',
        asked: { input: initial.context['input'], definition: this.#host.stamp() },
        snapshot: initial,
        at: initial.context.board.at,
        effects: this.#firstEffects,
        changes,
        conflicts,
        refusals: NO_REFUSALS,
        changesGlobals,
        globalsAhead: this.#host.globalsAhead(changesGlobals),
        machine: this.#machineState(initial),
        settle: () => resolve(),
        refuse: reject,
      })
      this.#firstEffects = NO_EFFECTS
      this.#mark(initial)
      this.#actor.start()
      void this.#flush()
    })
  }

  /**
   * Goes on with a restored run: its timers keep their instants, its children are started again; once that is stored,
   * where something is to be written first.
   */
  resume(first?: Update): void {
    if (this.#stopped) return
    this.timers.restore(this.#stored, this.#actor)
    const beginnings = (this.#held = [])
    this.#actor.start()
    this.#held = undefined
    if (first !== undefined) {
      this.#flushing = true
      this.update(
        first,
        () => {},
        () => {},
      )
      this.#flushing = false
    }
    for (const begin of beginnings) this.afterCommit(begin)
    if (this.#pending.length > 0) void this.#flush()
  }

  /** Hands an event to the machine. Resolves with the turn it made once that is stored, or undefined if it changed nothing. */
  send(event: EventObject, note?: RecordNote): Promise<Turn | undefined> {
    return new Promise((resolve, reject) => this.submit(event, resolve, reject, note))
  }

  /** Applies an update; `settle` is given the turn whose transcript tells what came of it, once that is stored. */
  update(
    update: Update,
    settle: (turn: Turn | undefined) => void,
    refuse: (error: unknown) => void,
    note?: RecordNote,
  ): void {
    const begin = { at: update.at, transitionId: String(this.#seq + 1), globals: this.#host.globals() }
    const event: UpdateEvent = { type: UPDATE_EVENT, update, begin }
    this.submit(event, settle, refuse, note)
  }

  /** `send` with callbacks instead of a promise. */
  submit(
    event: EventObject,
    settle: (turn: Turn | undefined) => void,
    refuse: (error: unknown) => void,
    note?: RecordNote,
  ): void {
    if (this.#stopped || (this.#latest !== undefined && this.#latest.status !== 'active')) {
      refuse(this.#finishedError())
      return
    }
    const request: Request = { event, note, settle, refuse }
    this.#request = request
    this.#actor.send(event)
    if (this.#request === request) {
      this.#request = undefined
      if (this.#actor.getSnapshot().status === 'active') settle(undefined)
      else refuse(this.#finishedError())
    }
    if (!this.#flushing && this.#pending.length > 0) void this.#flush()
  }

  /** Adds a record that is not a macrostep of the machine. */
  append(kind: RecordKind, author: string, asked: unknown, refusals: readonly Refusal[] = NO_REFUSALS): Promise<void> {
    if (this.#latest?.status !== 'active' || this.#stopped) return Promise.reject(this.#finishedError())
    const snapshot = this.#latest
    return new Promise((resolve, reject) => {
      const at = this.#host.clock.now()
      const note = draftOfNote({ kind, author, asked, snapshot, at })
      this.#enqueue({ ...note, refusals, settle: () => resolve(), refuse: reject })
      if (!this.#flushing) void this.#flush()
    })
  }

  /**
   * Ends the machine, and what it started once that is stored; when it is not, child runs go on. `reason` is for the record.
   */
  async stop(reason: string): Promise<void> {
    if (this.#stopped) return
    const stopped = this.append('end', 'outside', { reason, status: 'stopped' })
    const ends: Effect[] = (this.#held = [])
    this.halt()
    this.#held = undefined
    try {
      await stopped
    } finally {
      for (const end of ends) this.#perform(end)
    }
  }

  /** Stops the actor without a record: the run goes back to what the store says. */
  halt(): void {
    this.#stopped = true
    this.timers.clear()
    this.#actor.stop()
  }

  begin(scope: Scope, input: unknown): MachineSnapshot {
    const at = this.#host.clock.now()
    setBeginning(scope.self, { runId: this.#host.runId, at, transitionId: '1', globals: this.#host.globals() })
    const stage = new Stage(scope)
    const initial = beginMachine(this.#machine, stage.scope, input)
    stage.applyTimers(this.timers, at, (ring) => ring())
    this.#firstEffects = stage.takeEffects()
    return initial
  }

  afterCommit(effect: Effect): void {
    const last = this.#pending.at(-1)
    if (this.#held !== undefined) this.#held.push(effect)
    else if (this.#stopped || last === undefined) this.#perform(effect)
    else this.#pending[this.#pending.length - 1] = withEffect(last, effect)
  }

  record({ self, event, at, effects }: InnerTransition): void {
    const snapshot = this.#latest ?? this.committed
    this.#enqueue({
      kind: 'event',
      author: 'workflow',
      asked: { ...describeEvent(event, NO_CHANGES), actor: pathOf(self) },
      at,
      snapshot,
      effects,
      changes: NO_CHANGES,
      conflicts: NO_CONFLICTS,
      refusals: NO_REFUSALS,
      changesGlobals: false,
      globalsAhead: 0,
      machine: this.#machineState(snapshot),
      settle: undefined,
      refuse: undefined,
    })
    this.#flushSoon()
  }

  onRungInVain(target: AnyActorRef, event: EventObject): void {
    const snapshot = this.#latest
    if (this.#stopped || snapshot?.status !== 'active') return
    const path = pathOf(target)
    const asked = {
      ...describeEvent(event, NO_CHANGES),
      ...(path.length === 0 ? {} : { actor: path }),
      isTaken: false,
    }
    const note = draftOfNote({ kind: 'upkeep', author: 'workflow', asked, snapshot, at: this.#host.clock.now() })
    this.#enqueue({ ...note, machine: this.#machineState(snapshot) })
    this.#flushSoon()
  }

  /** A restored child tells its parent of the snapshot that the parent has been told of before. */
  #isEcho({ type }: EventObject): boolean {
    return this.#held !== undefined && type.startsWith('xstate.snapshot.')
  }

  transit(before: MachineSnapshot, event: EventObject, scope: Scope): MachineSnapshot {
    if (event.type === 'xstate.stop') return transitMachine(this.#machine, before, event, scope)
    if (this.#isEcho(event)) return before
    const request = this.#request?.event === event ? this.#request : undefined
    if (request !== undefined) this.#request = undefined
    const isUpdate = event.type === UPDATE_EVENT
    const begun = isUpdate ? before : this.#withBegunBoard(before)
    const stage = isUpdate && this.#isBoardOnly(before) ? undefined : new Stage(scope)
    try {
      const made =
        stage === undefined
          ? withBoard(before, applyUpdate(before.context.board, event as unknown as UpdateEvent))
          : transitMachine(this.#machine, begun, event, stage.scope)
      // A transition that only acts gives back the very same snapshot.
      if (stage?.acted !== true && isSameSnapshot(begun, made)) {
        request?.settle(undefined)
        return before
      }
      const after = endPhase(before, made)
      stage?.applyTimers(this.timers, after.context.board.at, (ring) => ring())
      if (after.status !== 'active') this.timers.clear()
      this.#recordTransition(before, after, event, request, stage?.takeEffects() ?? NO_EFFECTS)
      return after
    } catch (error) {
      request?.refuse(error)
      queueMicrotask(() => this.#host.onFailed(error))
      throw error
    }
  }

  /**
   * Whether an update can touch nothing but the board: no active state has an eventless transition that could follow
   * it, and nobody inspects microsteps. Then the assign of the machine is applied without XState's selection of
   * transitions around it, which costs as much as everything else. Both ways give the same (a differential test).
   */
  #isBoardOnly({ _nodes: nodes }: MachineSnapshot): boolean {
    if (this.#plainNodes === nodes) return true
    if (this.#host.inspect !== undefined || nodes.some(({ always }) => always !== undefined && always.length > 0))
      return false
    this.#plainNodes = nodes
    return true
  }

  /** The snapshot with its board at the beginning of a transition; an update brings that along itself. */
  #withBegunBoard(before: MachineSnapshot): MachineSnapshot {
    const board = before.context.board.begin(this.#host.clock.now(), String(this.#seq + 1), this.#host.globals())
    return withBoard(before, board)
  }

  #recordTransition(
    before: MachineSnapshot,
    after: MachineSnapshot,
    event: EventObject,
    request: Request | undefined,
    effects: readonly Effect[],
  ): void {
    const { board } = after.context
    const { transcript } = board
    const first = transcript[0]?.result
    const isSimple = transcript.length === 1 && first?.kind === 'accepted'
    const accepted = isSimple ? first : joined(transcript.map(({ result }) => result))
    const update = event.type === UPDATE_EVENT ? (event as unknown as UpdateEvent).update : undefined
    const changesGlobals = board.globals !== this.#host.globals()
    // Before anything says that it has happened: it may not be recordable.
    const machine = this.timers.hasChanged || isMachineChanged(before, after) ? this.#machineState(after) : undefined
    if (changesGlobals) this.#host.stageGlobals(board.globals, accepted.changes)
    this.#latest = after
    this.#enqueue({
      kind:
        update === undefined
          ? isInternalEvent(event)
            ? 'upkeep'
            : 'event'
          : first?.kind === 'refused'
            ? 'refusal'
            : 'update',
      author: update === undefined ? 'workflow' : authorName(update.author),
      asked:
        request?.note === undefined
          ? describeEvent(event, accepted.changes)
          : { ...describeEvent(event, accepted.changes), ...request.note },
      at: board.at,
      snapshot: after,
      effects,
      changes: accepted.changes,
      conflicts: accepted.conflicts,
      refusals: first?.kind === 'refused' ? [first] : NO_REFUSALS,
      changesGlobals,
      globalsAhead: this.#host.globalsAhead(changesGlobals),
      machine,
      settle: request?.settle,
      refuse: request?.refuse,
    })
    this.#mark(after, event)
    if (request === undefined) this.#flushSoon()
  }

  #flushSoon(): void {
    if (!this.#flushing) queueMicrotask(() => void this.#flush())
  }

  #machineState(snapshot: MachineSnapshot): MachineState {
    const root = this.#actor as AnyActorRef
    const newest = (actor: AnyActorRef): unknown =>
      actor === root ? snapshot : (this.#inner?.snapshotOf(actor) ?? actor.getSnapshot())
    const timers = this.timers.record((actor) => isInTree(actor, newest))
    const { logic } = this.#actor
    const invocations = this.#host.invocationCount()
    return machineStateOf({ runId: this.#host.runId, logic, snapshot, timers, invocations })
  }

  /** What a phase calls for is stored together with the transition that begins or ends it. */
  #mark(snapshot: MachineSnapshot, event?: EventObject): void {
    for (const asked of this.#host.phases.take(snapshot, event))
      this.#enqueue(draftOfNote({ kind: 'snapshot', author: 'workflow', asked, snapshot, at: this.#host.clock.now() }))
  }

  #enqueue(draft: Draft): void {
    this.#seq += 1
    const { runId } = this.#host
    const place = { runId, seq: this.#seq, globals: this.#host.newGlobalsMark() }
    const turn = createTurn(draft, place, this.#host.globalsEpoch())
    if (this.#pending === NO_TURNS) this.#pending = [turn]
    else this.#pending.push(turn)
  }

  async #flush(): Promise<void> {
    if (this.#flushing) return
    this.#flushing = true
    while (this.#pending.length > 0) {
      const pause = this.#host.isReplay === true ? undefined : breath(this.#host.clock.now())
      if (pause !== undefined) await pause
      const turns = this.#pending
      this.#pending = NO_TURNS
      try {
        await this.#host.commit(turns, turns.at(-1)?.snapshot.status ?? 'active')
      } catch (error) {
        this.#flushing = false
        this.#lose(turns, error)
        return
      }
      for (const turn of turns) this.#settle(turn)
    }
    this.#flushing = false
  }

  #settle(turn: Turn): void {
    this.#committed = turn.snapshot
    faultPoint('acknowledge:before')
    turn.settle?.(turn)
    faultPoint('acknowledge:after')
    // First the readers move on, so that an agent invoked by this turn sees what the turn wrote.
    this.#host.onCommitted(turn)
    for (const effect of turn.effects) this.#perform(effect)
  }

  #perform(effect: Effect): void {
    if (this.#host.isReplay === true) return
    try {
      faultPoint('effect:before')
      effect()
      faultPoint('effect:after')
    } catch (error) {
      this.#host.onFailed(error)
    }
  }

  /** A commit failed (E4). */
  #lose(turns: readonly Turn[], error: unknown): void {
    const lost = [...turns, ...this.#pending]
    this.#pending = NO_TURNS
    this.#stopped = true
    const epoch = this.#host.globalsEpoch()
    const losesGlobals = lost.some((turn) => turn.changesGlobals && turn.globalsEpoch === epoch)
    // Before the actors are stopped: agents are to know that this is not the end.
    this.#host.onLost(error, losesGlobals)
    this.halt()
    for (const turn of lost) turn.refuse?.(error)
  }

  #finishedError(): CallboardError {
    return new CallboardError('run.finished', `run ${this.#host.runId} has ended; it takes no more updates or events`, {
      runId: this.#host.runId,
    })
  }
}
