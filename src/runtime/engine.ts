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
import { CallboardError, isCallboardError } from '../base/index.ts'
import type { Clock } from '../base/index.ts'
import { authorName, Board } from '../context/index.ts'
import type { Acceptance, CellChange, Conflict, Refusal, Shelf, Update } from '../context/index.ts'
import { withoutPrevious } from '../ledger/index.ts'
import type { LedgerRecord, MachineState, RecordKind } from '../ledger/index.ts'
import { isInternalEvent, setBeginning, UPDATE_EVENT } from '../workflow/index.ts'
import type { UpdateEvent } from '../workflow/index.ts'
import { describeEvent } from './describe-event.ts'
import { leavesPhase } from './phase.ts'

/** A machine snapshot as the engine sees it. */
export type MachineSnapshot = {
  readonly status: 'active' | 'done' | 'error' | 'stopped'
  readonly output: unknown
  readonly error: unknown
  readonly value: unknown
  readonly context: Readonly<Record<string, unknown>> & { readonly board: Board }
  readonly children: Readonly<
    Record<string, { readonly id: string; readonly src: unknown; getSnapshot(): Snapshot<unknown> }>
  >
  readonly _nodes: readonly StateNodeLike[]
}

interface StateNodeLike {
  readonly id: string
  readonly tags: readonly string[]
  readonly parent?: { readonly parent?: unknown }
}

/** One record on its way into the store, and what is to happen once it is there. */
export interface Turn {
  readonly record: LedgerRecord
  readonly snapshot: MachineSnapshot
  readonly effects: readonly ExecutableActionObject[]
  readonly changes: readonly CellChange[]
  /** The changes to global entries among them. */
  readonly globals: Shelf | undefined
  readonly settle: ((turn: Turn) => void) | undefined
  readonly refuse: ((error: unknown) => void) | undefined
}

/** What the engine needs from the run and the runtime around it. */
export interface EngineHost {
  readonly runId: string
  readonly clock: Clock
  readonly inspect: ((event: unknown) => void) | undefined
  /** The newest global entries, committed or not. */
  globals(): Shelf
  /** Stores a turn; turns of one run are handed over in order. */
  commit(turns: readonly Turn[], status: MachineState['status']): Promise<void>
  /** A turn is in the store; its acknowledgement has been given. */
  onCommitted(turn: Turn): void
  /** The run cannot go on: a commit failed, or an action did. */
  onFailed(error: unknown): void
}

type Scope = ActorScope<Snapshot<unknown>, EventObject>
type Transition = (snapshot: MachineSnapshot, event: EventObject, scope: Scope) => MachineSnapshot

interface Request {
  readonly event: EventObject
  readonly settle: (turn: Turn) => void
  readonly refuse: (error: unknown) => void
}

const NO_CHANGES: readonly CellChange[] = Object.freeze([])
const NO_EFFECTS: readonly ExecutableActionObject[] = Object.freeze([])

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
  #scope: Scope | undefined
  #stopped = false

  constructor(machine: AnyStateMachine, input: unknown, host: EngineHost) {
    this.#host = host
    this.#actor = createActor(this.#tap(machine) as AnyActorLogic, {
      id: host.runId,
      input,
      clock: {
        setTimeout: (fn: () => void, ms: number) => host.clock.setTimeout(fn, ms),
        clearTimeout: (id: unknown) => host.clock.clearTimeout(id),
      } as never,
      ...(host.inspect === undefined ? {} : { inspect: host.inspect as never }),
    })
    // Without an error listener XState reports a machine's failure as an uncaught exception.
    this.#actor.subscribe({ error: () => {} })
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

  get isStopped(): boolean {
    return this.#stopped
  }

  get actor(): Actor<AnyActorLogic> {
    return this.#actor
  }

  /** Whether a delayed transition or event is due some time. */
  get hasTimers(): boolean {
    const { _scheduledEvents: scheduled } = this.#actor.system.getSnapshot() as { readonly _scheduledEvents: object }
    return Object.keys(scheduled).length > 0
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
      this.#actor.start()
      const update = initial.context.board.transcript[0]?.result
      const changes = update?.kind === 'accepted' ? update.changes : NO_CHANGES
      this.#enqueue({
        kind: 'start',
        author: 'outside',
        asked: { input: initial.context['input'] },
        snapshot: initial,
        effects: this.#takeEffects(),
        changes,
        before: undefined,
        settle: () => resolve(),
        refuse: reject,
      })
      void this.#flush()
    })
  }

  /** Hands an event to the machine. Resolves with the turn it made once that is stored, or undefined if it changed nothing. */
  send(event: EventObject): Promise<Turn | undefined> {
    if (this.#stopped) return Promise.reject(this.#finishedError())
    return new Promise((resolve, reject) => {
      const request: Request = { event, settle: resolve, refuse: reject }
      this.#request = request
      this.#actor.send(event)
      if (this.#request === request) {
        this.#request = undefined
        if (this.#actor.getSnapshot().status === 'active') resolve(undefined)
        else reject(this.#finishedError())
      }
      if (!this.#flushing && this.#pending.length > 0) void this.#flush()
    })
  }

  /** Applies an update; the turn's record tells what came of it. */
  update(update: Update): Promise<Turn | undefined> {
    const event: UpdateEvent = { type: UPDATE_EVENT, update }
    return this.send(event)
  }

  /** Adds a record that is not a macrostep of the machine. */
  append(kind: RecordKind, author: string, asked: unknown, refusals: readonly Refusal[] = []): Promise<void> {
    if (this.#latest === undefined || this.#stopped) return Promise.reject(this.#finishedError())
    const snapshot = this.#latest
    return new Promise((resolve, reject) => {
      this.#enqueue({
        kind,
        author,
        asked,
        snapshot,
        effects: NO_EFFECTS,
        changes: NO_CHANGES,
        before: snapshot,
        refusals,
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
  #tap(machine: AnyStateMachine): AnyStateMachine {
    const tapped = machine.provide({})
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
    const request = this.#request?.event === event ? this.#request : undefined
    if (request !== undefined) this.#request = undefined
    const at = event.type === UPDATE_EVENT ? (event as unknown as UpdateEvent).update.at : this.#host.clock.now()
    const { context } = before
    const begun = {
      ...before,
      context: { ...context, board: context.board.begin(at, String(this.#seq + 1), this.#host.globals()) },
    } as MachineSnapshot
    let after: MachineSnapshot
    try {
      after = transition(begun, event, this.#scopeFor(scope))
    } catch (error) {
      this.#effects = []
      request?.refuse(error)
      queueMicrotask(() => this.#host.onFailed(error))
      throw error
    }
    if (
      after === begun ||
      (after.context === begun.context &&
        after.value === begun.value &&
        this.#effects.length === 0 &&
        after.status === before.status)
    ) {
      request?.settle(undefined as never)
      return before
    }
    after = endPhase(before, after)
    this.#recordTransition(before, begun, after, event, request)
    return after
  }

  #recordTransition(
    before: MachineSnapshot,
    begun: MachineSnapshot,
    after: MachineSnapshot,
    event: EventObject,
    request: Request | undefined,
  ): void {
    const { board } = after.context
    const { transcript } = board
    const first = transcript[0]
    const refused = first?.result.kind === 'refused' ? first.result : undefined
    const accepted =
      transcript.length === 1 && first?.result.kind === 'accepted'
        ? first.result
        : joined(transcript.map(({ result }) => result))
    const globals = board.globals === begun.context.board.globals ? undefined : board.globals
    const isUpdate = event.type === UPDATE_EVENT
    const update = isUpdate ? (event as unknown as UpdateEvent).update : undefined
    this.#enqueue({
      kind:
        update === undefined
          ? isInternalEvent(event)
            ? 'upkeep'
            : 'event'
          : refused === undefined
            ? 'update'
            : 'refusal',
      author: update === undefined ? 'workflow' : authorName(update.author),
      asked: describeEvent(event),
      at: board.at,
      snapshot: after,
      effects: this.#takeEffects(),
      changes: accepted.changes,
      conflicts: accepted.conflicts,
      ...(refused === undefined ? {} : { refusals: [refused] }),
      ...(globals === undefined ? {} : { globals }),
      before,
      settle: request?.settle,
      refuse: request?.refuse,
    })
    this.#latest = after
    if (request === undefined && !this.#flushing) queueMicrotask(() => void this.#flush())
  }

  #enqueue(draft: {
    kind: RecordKind
    author: string
    asked: unknown
    at?: number
    snapshot: MachineSnapshot
    effects: readonly ExecutableActionObject[]
    changes: readonly CellChange[]
    conflicts?: readonly Conflict[]
    refusals?: readonly Refusal[]
    globals?: Shelf
    before: MachineSnapshot | undefined
    settle: ((turn: Turn) => void) | undefined
    refuse: ((error: unknown) => void) | undefined
  }): void {
    const { kind, author, asked, snapshot, effects, changes, before } = draft
    this.#seq += 1
    const machine = before !== snapshot && isMachineChanged(before, snapshot) ? this.#machineState(snapshot) : undefined
    const record: LedgerRecord = {
      seq: this.#seq,
      runId: this.#host.runId,
      at: draft.at ?? this.#host.clock.now(),
      kind,
      author,
      asked,
      changes: changes.length === 0 ? NO_CHANGES : changes.map(withoutPrevious),
      conflicts: draft.conflicts ?? [],
      refusals: draft.refusals ?? [],
      ...(machine === undefined ? {} : { machine }),
    }
    this.#pending.push({
      record,
      snapshot,
      effects,
      changes,
      globals: draft.globals,
      settle: draft.settle,
      refuse: draft.refuse,
    })
  }

  #machineState(snapshot: MachineSnapshot): MachineState {
    const { context, ...persisted } = this.#actor.logic.getPersistedSnapshot(snapshot as never) as unknown as {
      context: Readonly<Record<string, unknown>>
    }
    const { board: _board, ...rest } = context
    return {
      status: snapshot.status,
      value: snapshot.value,
      persisted,
      context: rest,
      ...(snapshot.status === 'done' ? { output: snapshot.output } : {}),
      ...(snapshot.status === 'error' ? { error: describeError(snapshot.error) } : {}),
    }
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
    for (const effect of turn.effects) this.#execute(effect)
    this.#host.onCommitted(turn)
  }

  #execute(effect: ExecutableActionObject): void {
    try {
      ;(effect.exec as ((info: unknown, params: unknown) => void) | undefined)?.(effect.info, effect.params)
    } catch (error) {
      this.#host.onFailed(error)
    }
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

/** Ephemeral entries end with the phase they were written in. */
function endPhase(before: MachineSnapshot, after: MachineSnapshot): MachineSnapshot {
  if (!leavesPhase(before._nodes, after._nodes)) return after
  const { board } = after.context
  const old = before.context.board
  const cleared = board.clearEphemeral((entry) => old.cell(entry)?.entry === entry)
  return cleared === board ? after : { ...after, context: { ...after.context, board: cleared } }
}

function isMachineChanged(before: MachineSnapshot | undefined, after: MachineSnapshot): boolean {
  if (
    before === undefined ||
    before.value !== after.value ||
    before.status !== after.status ||
    before.children !== after.children
  )
    return true
  for (const key of Object.keys(after.context))
    if (key !== 'board' && after.context[key] !== before.context[key]) return true
  return false
}

/** An error as records keep it. */
export function describeError(error: unknown): { readonly code: string; readonly message: string } {
  if (isCallboardError(error)) return { code: error.code, message: error.message }
  return { code: 'error', message: error instanceof Error ? error.message : String(error) }
}
