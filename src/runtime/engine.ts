// Engine: one run's machine, from event to acknowledgement.
//   E1. Every macrostep that changed something is one record with the next seq; seq has no gaps.
//   E2. What a macrostep does to the world (actions, children, timers) happens after its record is in the store, in order.
//   E3. After a commit: acknowledge, then resolve waits, then notify. Readers only ever see what is committed.
//   E4. A commit that fails takes the run back to nothing ahead of the store: everything unacknowledged is refused.
// Agents, waits and people are the business of the run (run-core.ts), which the engine tells of every commit.
import { createActor } from 'xstate'
import type {
  Actor,
  ActorScope,
  AnyActorLogic,
  AnyStateMachine,
  EventObject,
  ExecutableActionObject,
  Snapshot,
} from 'xstate'
import { CallboardError } from '../base/index.ts'
import type { Clock, Deadline, Deadlines } from '../base/index.ts'
import { authorName } from '../context/index.ts'
import type { Acceptance, Board, CellChange, Conflict, Refusal, Shelf, Update } from '../context/index.ts'
import { withoutPrevious } from '../ledger/index.ts'
import type { LedgerRecord, MachineState, RecordKind } from '../ledger/index.ts'
import { applyUpdate, isInternalEvent, setBeginning, UPDATE_EVENT } from '../workflow/index.ts'
import type { UpdateEvent } from '../workflow/index.ts'
import { describeEvent } from './describe-event.ts'
import { endPhase, isMachineChanged, machineStateOf, snapshotOf, withBoard } from './machine-snapshot.ts'
import type { MachineSnapshot, RestorableState } from './machine-snapshot.ts'
import { Timers } from './timers.ts'
import type { Timer } from './timers.ts'

/** One record on its way into the store, and what is to happen once it is there. */
export interface Turn {
  readonly record: LedgerRecord
  readonly snapshot: MachineSnapshot
  readonly effects: readonly ExecutableActionObject[]
  readonly changes: readonly CellChange[]
  /** Some of the changes are to global entries. */
  readonly changesGlobals: boolean
  /** On which reading of the global entries it is built. */
  readonly globalsEpoch: number
  readonly settle: ((turn: Turn) => void) | undefined
  readonly refuse: ((error: unknown) => void) | undefined
}

/** What the engine needs from the run and the runtime around it. */
export interface EngineHost {
  readonly runId: string
  readonly clock: Clock
  readonly deadlines: Deadlines
  readonly inspect: ((event: unknown) => void) | undefined
  /** The newest global entries, committed or not. */
  globals(): Shelf
  /** Counts how often they were read anew because a commit had failed. */
  globalsEpoch(): number
  /** A transition has made these of them. */
  stageGlobals(globals: Shelf): void
  /** How many invocations there have been. */
  invocationCount(): number
  /** Stores a turn; turns of one run are handed over in order. */
  commit(turns: readonly Turn[], status: MachineState['status']): Promise<void>
  /** A turn is in the store; its acknowledgement has been given. */
  onCommitted(turn: Turn): void
  /** The run cannot go on: a commit failed, or an action did. */
  onFailed(error: unknown): void
}

type Scope = ActorScope<Snapshot<unknown>, EventObject>
type Transition = (snapshot: MachineSnapshot, event: EventObject, scope: Scope) => MachineSnapshot

/** The request of a person that an event or update answers, and the answer. */
export interface AnswerNote {
  readonly answers: string
  readonly answer: unknown
}

interface Request {
  readonly event: EventObject
  readonly note: AnswerNote | undefined
  readonly settle: (turn: Turn | undefined) => void
  readonly refuse: (error: unknown) => void
}

const NO_CHANGES: readonly CellChange[] = Object.freeze([])
const NO_REFUSALS: readonly Refusal[] = Object.freeze([])
const NO_CONFLICTS: readonly Conflict[] = Object.freeze([])
const NO_EFFECTS: readonly ExecutableActionObject[] = Object.freeze([])

/** What a record is made from. */
interface Draft
  extends
    Pick<LedgerRecord, 'kind' | 'author' | 'asked' | 'at' | 'conflicts' | 'refusals'>,
    Omit<Turn, 'record' | 'globalsEpoch'> {
  /** The machine's state before; the same as `snapshot` when the machine had no part in it. */
  readonly before: MachineSnapshot | undefined
}

/** Where a run begins: with an input, or where its ledger ends. */
export type EngineOrigin = { readonly input: unknown } | { readonly restored: RestorableState }

export class Engine {
  readonly #host: EngineHost
  readonly #actor: Actor<AnyActorLogic>
  #committed: MachineSnapshot | undefined
  /** What the last record left, stored or not. */
  #latest: MachineSnapshot | undefined
  #seq = 0
  #pending: Turn[] = []
  #flushing = false
  #request: Request | undefined
  #effects: ExecutableActionObject[] = []
  /** The active states last found to be without eventless transitions. */
  #plainNodes: MachineSnapshot['_nodes'] | undefined
  #scope: Scope | undefined
  #stopped = false
  readonly #timers = new Timers()

  /**
   * @param machine this run's own: its transitions are wrapped
   * @param origin the input of a new run, or the state a stored one is to go on from
   */
  constructor(machine: AnyStateMachine, origin: EngineOrigin, host: EngineHost) {
    this.#host = host
    this.#actor = createActor(this.#tap(machine) as AnyActorLogic, {
      id: host.runId,
      ...('restored' in origin ? { snapshot: snapshotOf(origin.restored) as never } : { input: origin.input }),
      clock: {
        setTimeout: (fn: () => void, ms: number) => host.deadlines.add(host.clock.now() + ms, fn),
        clearTimeout: (deadline: Deadline) => deadline.cancel(),
      } as never,
      ...(host.inspect === undefined ? {} : { inspect: host.inspect as never }),
    })
    // Without an error listener XState reports a machine's failure as an uncaught exception.
    this.#actor.subscribe({ error: () => {} })
    if (!('restored' in origin)) return
    this.#seq = origin.restored.seq
    this.#timers.restore(origin.restored.machine.timers)
    this.#latest = this.#committed = this.#actor.getSnapshot() as unknown as MachineSnapshot
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

  /** Whether a delayed transition or event is due some time. */
  get hasTimers(): boolean {
    const { _scheduledEvents: scheduled } = this.#actor.system.getSnapshot() as { readonly _scheduledEvents: object }
    return this.#timers.size > 0 || Object.keys(scheduled).length > 0
  }

  /** The instant of the next of them. */
  get nextTimerAt(): number | undefined {
    return this.#timers.size === 0 ? undefined : Math.min(...this.#timers.list().map(({ dueAt }) => dueAt))
  }

  /** Begins the run; resolves when its first record is stored. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      const initial = this.#actor.getSnapshot() as unknown as MachineSnapshot
      if (initial.status === 'error') {
        this.#stopped = true
        reject(initial.error as Error)
        return
      }
      this.#latest = initial
      const { globals } = initial.context.board
      const changesGlobals = globals !== this.#host.globals()
      if (changesGlobals) this.#host.stageGlobals(globals)
      this.#actor.start()
      const { changes, conflicts } = joined(initial.context.board.transcript.map(({ result }) => result))
      this.#enqueue({
        kind: 'start',
        author: 'outside',
        asked: { input: initial.context['input'] },
        snapshot: initial,
        at: initial.context.board.at,
        effects: this.#takeEffects(),
        changes,
        conflicts,
        refusals: NO_REFUSALS,
        changesGlobals,
        before: undefined,
        settle: () => resolve(),
        refuse: reject,
      })
      void this.#flush()
    })
  }

  /** Goes on with a restored run: its timers keep their instants, its children are started again. */
  resume(): void {
    if (this.#stopped) return
    for (const timer of this.#timers.list()) this.#schedule(timer)
    this.#actor.start()
    for (const child of Object.values(this.committed.children)) {
      if (child.getSnapshot().status === 'active') (child as unknown as { start(): void }).start()
    }
  }

  /** Hands an event to the machine. Resolves with the turn it made once that is stored, or undefined if it changed nothing. */
  send(event: EventObject, note?: AnswerNote): Promise<Turn | undefined> {
    return new Promise((resolve, reject) => this.submit(event, resolve, reject, note))
  }

  /** Applies an update; `settle` is given the turn whose transcript tells what came of it, once that is stored. */
  update(
    update: Update,
    settle: (turn: Turn | undefined) => void,
    refuse: (error: unknown) => void,
    note?: AnswerNote,
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
    note?: AnswerNote,
  ): void {
    if (this.#stopped) {
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
      this.#enqueue({
        kind,
        author,
        asked,
        snapshot,
        at: this.#host.clock.now(),
        effects: NO_EFFECTS,
        changes: NO_CHANGES,
        conflicts: NO_CONFLICTS,
        refusals,
        changesGlobals: false,
        before: snapshot,
        settle: () => resolve(),
        refuse: reject,
      })
      if (!this.#flushing) void this.#flush()
    })
  }

  /** Ends the machine and everything it started. `reason` is for the record. */
  async stop(reason: string): Promise<void> {
    if (this.#stopped) return
    const stopped = this.append('end', 'outside', { reason, status: 'stopped' })
    this.halt()
    await stopped
  }

  /** Stops the actor without a record: the run goes back to what the store says. */
  halt(): void {
    this.#stopped = true
    this.#actor.stop()
  }

  /** Wraps the machine's transitions, so that nothing of a macrostep escapes before it is committed. */
  #tap(tapped: AnyStateMachine): AnyStateMachine {
    const transition = tapped.transition as unknown as Transition
    const getInitialSnapshot = tapped.getInitialSnapshot as unknown as (
      scope: Scope,
      input: unknown,
    ) => Snapshot<unknown>
    Object.assign(tapped, {
      // Children are started by the effects of the turn that invoked them, once it is committed (E2).
      start: () => {},
      transition: (snapshot: MachineSnapshot, event: EventObject, scope: Scope) =>
        this.#transit(transition, snapshot, event, scope),
      getInitialSnapshot: (scope: Scope, input: unknown) => {
        setBeginning(scope.self, {
          runId: this.#host.runId,
          at: this.#host.clock.now(),
          transitionId: '1',
          globals: this.#host.globals(),
        })
        return getInitialSnapshot(this.#scopeFor(scope), input)
      },
    })
    return tapped
  }

  /** A scope whose actions are collected instead of executed. One object serves all transitions. */
  #scopeFor(scope: Scope): Scope {
    this.#scope ??= { ...scope, defer: (fn: () => void) => fn() }
    ;(this.#scope as { actionExecutor: unknown }).actionExecutor = (action: ExecutableActionObject) =>
      this.#effects.push(action)
    return this.#scope
  }

  #takeEffects(): readonly ExecutableActionObject[] {
    if (this.#effects.length === 0) return NO_EFFECTS
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  #transit(transition: Transition, before: MachineSnapshot, event: EventObject, scope: Scope): MachineSnapshot {
    if (event.type === 'xstate.stop') return transition(before, event, scope)
    if (this.#timers.size > 0 && !this.#timers.admit(event)) return before
    const request = this.#request?.event === event ? this.#request : undefined
    if (request !== undefined) this.#request = undefined
    const isUpdate = event.type === UPDATE_EVENT
    const begun = isUpdate ? before : this.#begin(before)
    let after: MachineSnapshot
    try {
      after =
        isUpdate && this.#isBoardOnly(before)
          ? withBoard(before, applyUpdate(before.context.board, event as unknown as UpdateEvent))
          : transition(begun, event, this.#scopeFor(scope))
    } catch (error) {
      this.#effects = []
      request?.refuse(error)
      queueMicrotask(() => this.#host.onFailed(error))
      throw error
    }
    // A transition that only acts gives back the very same snapshot: what it does is in the effects.
    if (
      this.#effects.length === 0 &&
      (after === begun ||
        (after.context === begun.context && after._nodes === begun._nodes && after.status === before.status))
    ) {
      request?.settle(undefined)
      return before
    }
    after = endPhase(before, after)
    this.#recordTransition(before, after, event, request)
    return after
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
  #begin(before: MachineSnapshot): MachineSnapshot {
    const board = before.context.board.begin(this.#host.clock.now(), String(this.#seq + 1), this.#host.globals())
    return withBoard(before, board)
  }

  #recordTransition(
    before: MachineSnapshot,
    after: MachineSnapshot,
    event: EventObject,
    request: Request | undefined,
  ): void {
    const { board } = after.context
    const { transcript } = board
    const first = transcript[0]?.result
    const isSimple = transcript.length === 1 && first?.kind === 'accepted'
    const accepted = isSimple ? first : joined(transcript.map(({ result }) => result))
    const update = event.type === UPDATE_EVENT ? (event as unknown as UpdateEvent).update : undefined
    const changesGlobals = board.globals !== this.#host.globals()
    if (changesGlobals) this.#host.stageGlobals(board.globals)
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
      effects: this.#takeEffects(),
      changes: accepted.changes,
      conflicts: accepted.conflicts,
      refusals: first?.kind === 'refused' ? [first] : NO_REFUSALS,
      changesGlobals,
      before,
      settle: request?.settle,
      refuse: request?.refuse,
    })
    if (request === undefined && !this.#flushing) queueMicrotask(() => void this.#flush())
  }

  #enqueue(draft: Draft): void {
    const { kind, author, asked, at, snapshot, changes, conflicts, refusals, before } = draft
    this.#seq += 1
    const { runId } = this.#host
    const recorded = changes.length === 0 ? NO_CHANGES : changes.map(withoutPrevious)
    const record: LedgerRecord = {
      seq: this.#seq,
      runId,
      at,
      kind,
      author,
      asked,
      changes: recorded,
      conflicts,
      refusals,
      machine: undefined,
    }
    const { effects } = draft
    const timersChanged = effects.length > 0 && this.#timers.apply(effects, at, this.#actor.id)
    if (timersChanged || (before !== snapshot && isMachineChanged(before, snapshot))) {
      const invocations = this.#host.invocationCount()
      const { logic } = this.#actor
      ;(record as { machine: MachineState }).machine = machineStateOf(logic, snapshot, this.#timers.list(), invocations)
    }
    this.#pending.push({
      record,
      snapshot,
      effects,
      changes,
      changesGlobals: draft.changesGlobals,
      globalsEpoch: draft.changesGlobals ? this.#host.globalsEpoch() : 0,
      settle: draft.settle,
      refuse: draft.refuse,
    })
  }

  async #flush(): Promise<void> {
    if (this.#flushing) return
    this.#flushing = true
    while (this.#pending.length > 0) {
      const turns = this.#pending
      this.#pending = []
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
    turn.settle?.(turn)
    // First the readers move on, so that an agent invoked by this turn sees what the turn wrote.
    this.#host.onCommitted(turn)
    for (const effect of turn.effects) this.#execute(effect)
  }

  #execute(effect: ExecutableActionObject): void {
    const timer = this.#timers.size > 0 ? this.#timers.of(effect) : undefined
    if (timer !== undefined) {
      this.#schedule(timer)
      return
    }
    try {
      ;(effect.exec as ((info: unknown, params: unknown) => void) | undefined)?.(effect.info, effect.params)
    } catch (error) {
      this.#host.onFailed(error)
    }
  }

  #schedule({ id, event, dueAt, target }: Timer): void {
    const self = this.#actor
    const child = target === undefined ? undefined : this.#latest?.children[target]
    const remaining = Math.max(0, dueAt - this.#host.clock.now())
    self.system.scheduler.schedule(self, (child ?? self) as never, event, remaining, id)
  }

  /** A commit failed (E4). */
  #lose(turns: readonly Turn[], error: unknown): void {
    const lost = [...turns, ...this.#pending]
    this.#pending = []
    this.halt()
    for (const turn of lost) turn.refuse?.(error)
    this.#host.onFailed(error)
  }

  #finishedError(): CallboardError {
    return new CallboardError('run.finished', `run ${this.#host.runId} has ended; it takes no more updates or events`, {
      runId: this.#host.runId,
    })
  }
}

function joined(results: readonly (Acceptance | Refusal)[]): {
  changes: readonly CellChange[]
  conflicts: readonly Conflict[]
} {
  const accepted = results.filter((result) => result.kind === 'accepted')
  return {
    changes: accepted.flatMap(({ changes }) => changes),
    conflicts: accepted.flatMap(({ conflicts }) => conflicts),
  }
}
