// RunCore: everything alive about one run: its engine, its agents, their waits, requests and subscriptions.
//   R1. What agents and outsiders write goes through the engine and nowhere else.
//   R2. After a commit, in this order: views move on, waits are looked at, subscribers are told, readers of changes wake.
//   R3. When every agent waits and nothing else can move the run, the waits end with a deadlock.
//   R4. When the run ends, everything of it ends: agents, children, waits, requests, subscriptions, deadlines.
import type { AnyStateMachine } from 'xstate'
import { CallboardError, handOut } from '../base/index.ts'
import type { Clock, Deadline, Deadlines } from '../base/index.ts'
import { Access, BoardView, Sight } from '../context/index.ts'
import type {
  Author,
  Board,
  Catalogue,
  CellChange,
  Lineage,
  PlaceChange,
  Refusal,
  Shelf,
  Update,
  UpdateOptions,
} from '../context/index.ts'
import type { GlobalsMark, LedgerRecord, MachineState, RecordKind } from '../ledger/index.ts'
import type { Labels, RunSummary } from '../store/index.ts'
import { deadlockError, graphFor, Subscriptions, WaitTable } from '../waits/index.ts'
import type { Wait, WaitForGraph } from '../waits/index.ts'
import { accessRulesOf, EXPIRE_EVENT, missingGlobals, stampOf, UPSTREAM_EVENT } from '../workflow/index.ts'
import type { Compact, DefinitionStamp, Progress, UpdateResult, WorkflowDefinition } from '../workflow/index.ts'
import type { AgentProcess } from './agent-process.ts'
import { bindActors } from './bind-actors.ts'
import { Compactor } from './compactor.ts'
import type { CompactorHost } from './compactor.ts'
import { commitTurns } from './commit.ts'
import { deriveMachine } from './derive-machine.ts'
import { Engine } from './engine.ts'
import type { EngineHost, EngineOrigin } from './engine.ts'
import { describeExplanation, producersOf, waitTimeoutError } from './explain.ts'
import type { Explanation, WaitExplanation } from './explain.ts'
import { findDeadlock, hasOtherActors } from './find-deadlock.ts'
import { rivalSeqOf } from './giving-way.ts'
import { Invocations } from './invocations.ts'
import { changesBehind, missedChanges } from './missed-changes.ts'
import type { Journal } from './journal.ts'
import { describeError } from './machine-snapshot.ts'
import { PhaseMarks } from './phase-marks.ts'
import type { SnapshotInfo } from './point.ts'
import type { RecordNote } from './record-note.ts'
import { Requests } from './requests.ts'
import type { OpenRequest } from './requests.ts'
import { reopenRequests } from './people.ts'
import { restOf } from './rest.ts'
import type { Rest } from './rest.ts'
import { endOf, endOfStored } from './run-end.ts'
import type { RunEnd } from './run-end.ts'
import type { RunNotes } from './run-notes.ts'
import type { RunState } from './run-state.ts'
import type { RuntimeServices } from './runtime-services.ts'
import { parseEvent } from './schema-check.ts'
import { SnapshotTaker } from './snapshot-taker.ts'
import { Updater } from './updater.ts'
import type { Asker, UpdateAnswer } from './updater.ts'
import type { Turn } from './turn.ts'
import { tellOfWait } from './wait-message.ts'
import { WaitNotes } from './wait-notes.ts'
import { ViewCache } from './view-cache.ts'
import type { ViewSlot } from './view-cache.ts'
import { whenSettled } from './when-settled.ts'

/** With what a run is made. */
export interface RunSeed {
  readonly runId: string
  readonly machine: AnyStateMachine
  readonly definition: WorkflowDefinition
  /** The input of a new run, or the state that a stored one is to go on from. */
  readonly origin: { readonly input: unknown } | { readonly state: RunState; readonly summary: RunSummary }
  readonly parent: { readonly runId: string; readonly id: string } | undefined
  readonly labels?: Labels | undefined
  /** Set for a run that comes back from rest: what it was when it went. */
  readonly rested?: RunCore | undefined
}

/** What a run that rests still shows. */
interface Resting {
  /** What becomes of its agents. */
  readonly status: 'resting' | 'taken-back'
  readonly requests: readonly OpenRequest[]
  readonly explanation: Explanation
  readonly reason: CallboardError
}

const NO_LINEAGE: Lineage = Object.freeze([])
const NO_CHANGES: readonly CellChange[] = Object.freeze([])

export class RunCore implements EngineHost {
  readonly runId: string
  readonly definition: WorkflowDefinition
  /** As it was given to the runtime. */
  readonly machine: AnyStateMachine
  readonly parent: RunSeed['parent']
  readonly labels: Labels | undefined
  readonly #isReturning: boolean
  createdAt: number
  readonly #services: RuntimeServices
  readonly #engine: Engine
  readonly #updater: Updater
  readonly phases: PhaseMarks
  readonly #invocations: Invocations
  readonly #snapshots: SnapshotTaker
  readonly #compactor: Compactor | undefined
  // Made when they are needed: most runs in memory are idle, and each collection takes its 200 bytes.
  #waits: WaitTable | undefined
  #views: ViewCache | undefined
  #subscriptions: Subscriptions | undefined
  #requests: Requests | undefined
  #waitNotes: WaitNotes | undefined
  #access: Map<string, Access> | undefined
  #wakers: Set<() => void> | undefined
  #ended: PromiseWithResolvers<RunEnd> | undefined
  #end: RunEnd | undefined
  /** What is here is not the run any more, or that it has failed is on its way to the store. */
  #fate: 'lost' | 'failing' | undefined
  #isJudging = false
  /** Changes of global entries by other runs, until what is made from them is known to be stale. */
  #upstream = NO_CHANGES
  #beginning: Promise<void> | undefined
  #stopping: Promise<void> | undefined
  #resting: Resting | undefined
  /** How many outside have a stake in its being at work. */
  #holds = 0
  #board: Board | undefined
  /** When something on the shown board expires. */
  #nextExpiryAt: number | undefined
  #expiry: Deadline | undefined
  #committedSeq = 0
  /** Up to where the records of the run tell of global entries. */
  #globalsMark: GlobalsMark | undefined

  constructor(seed: RunSeed, services: RuntimeServices) {
    this.runId = seed.runId
    this.definition = seed.definition
    this.machine = seed.machine
    this.parent = seed.parent
    this.labels = 'summary' in seed.origin ? seed.origin.summary.labels : seed.labels
    this.#services = services
    this.createdAt = 'summary' in seed.origin ? seed.origin.summary.createdAt : this.clock.now()
    // What was delivered before it rested goes on to be known.
    if (seed.rested !== undefined) {
      this.#subscriptions = seed.rested.#subscriptions
      this.#upstream = seed.rested.#upstream
    }
    this.#isReturning = seed.rested !== undefined
    this.#invocations = new Invocations(this, services)
    const machine = deriveMachine(seed.machine, bindActors(seed.definition, this.#invocations))
    const state = 'state' in seed.origin ? seed.origin.state : undefined
    this.#snapshots = new SnapshotTaker(this, services.keeping, state)
    this.phases = new PhaseMarks(this.definition.agents, this.snapshots)
    const { compact } = seed.definition
    this.#compactor = compact === undefined ? undefined : new Compactor(this.#compactorHost(compact))
    this.#engine = new Engine(machine, engineOriginOf(seed), this)
    this.#updater = new Updater(this, this.#engine, services.nextUpdateId)
  }

  get clock(): Clock {
    return this.#services.clock
  }

  get deadlines(): Deadlines {
    return this.#services.deadlines
  }

  get random(): () => number {
    return this.#services.random
  }

  /** Milliseconds that a wait lasts unless it says otherwise. */
  get waitTimeoutMs(): number {
    return this.#services.waitTimeoutMs
  }

  get memory(): RuntimeServices['memory'] {
    return this.#services.memory
  }

  get waits(): WaitTable {
    return (this.#waits ??= new WaitTable(this.clock, this.deadlines))
  }

  get subscriptions(): Subscriptions {
    return (this.#subscriptions ??= new Subscriptions(this.runId))
  }

  get requests(): Requests {
    return (this.#requests ??= new Requests())
  }

  get waitNotes(): WaitNotes {
    return (this.#waitNotes ??= new WaitNotes(this))
  }

  get catalogue(): Catalogue {
    return this.definition.catalogue
  }

  /** What is known from its records besides the board. */
  get notes(): RunNotes {
    return this.#snapshots.notes
  }

  /** The named points of its history. */
  get snapshots(): readonly SnapshotInfo[] {
    return this.notes.snapshots
  }

  get journal(): Journal {
    return this.notes.journal
  }

  /** The seq of the last committed record. */
  get seq(): number {
    return this.#committedSeq
  }

  get end(): RunEnd | undefined {
    return this.#end
  }

  /** How it ends. */
  get ended(): Promise<RunEnd> {
    if (this.#end !== undefined) return Promise.resolve(this.#end)
    return (this.#ended ??= Promise.withResolvers<RunEnd>()).promise
  }

  /** It ended here and not in the store. */
  get isLost(): boolean {
    return this.#fate === 'lost'
  }

  get status(): MachineState['status'] {
    switch (this.#end?.kind) {
      case undefined:
      case 'left':
        return 'active'
      case 'done':
        return 'done'
      case 'failed':
        return 'error'
      case 'stopped':
        return 'stopped'
      default:
        throw new TypeError('unknown end')
    }
  }

  /** What people are asked for now. */
  get openRequests(): readonly OpenRequest[] {
    return this.#resting?.requests ?? this.#requests?.list() ?? []
  }

  get stateValue(): unknown {
    return this.#engine.committed.value
  }

  get processes(): readonly AgentProcess[] {
    return this.#invocations.agents
  }

  /** The newest invocation of an agent's id. */
  processOf(agentId: string): AgentProcess | undefined {
    return this.#invocations.newest(agentId)
  }

  start(): Promise<void> {
    const started = this.#engine.start()
    const settled = (): void => (this.#beginning = undefined)
    this.#beginning = started.then(settled, settled)
    return started
  }

  /** While its first record is on its way: settles when that is stored, or is not. */
  get beginning(): Promise<void> | undefined {
    return this.#beginning
  }

  /** Goes on with a stored run: agents in flight run again, deadlines keep their instants; an ended one stays ended. */
  resume({ seq, machine, notes }: RunState): void {
    this.#committedSeq = seq
    const ended = endOfStored(this.definition, this.runId, machine, notes.end)
    if (ended !== undefined) {
      this.#end = ended
      this.#ended?.resolve(ended)
      return
    }
    this.#invocations.continueFrom(machine?.invocations ?? 0)
    reopenRequests(this)
    const { nextUpdateId, globals } = this.#services
    this.#engine.resume(missingGlobals(this.catalogue, globals.latest, { nextId: nextUpdateId, at: this.clock.now() }))
    this.#armExpiry(this.readableBoard())
    const owed = this.#upstream
    this.#upstream = NO_CHANGES
    this.#markStale([...owed, ...missedChanges(this.readableBoard())])
  }

  /** The committed board as a reader may see it now: without what has expired. */
  readableBoard(): Board {
    if (this.#end !== undefined) this.#followGlobals()
    const board = (this.#board ??= this.#engine.committed.context.board.withGlobals(this.#services.globals.committed))
    const nextExpiryAt = (this.#nextExpiryAt = board.nextExpiryAt)
    if (nextExpiryAt === undefined || nextExpiryAt > this.clock.now()) return board
    this.#sendExpiry()
    return this.#show(board, [])
  }

  /** Nobody tells a run that has ended of global entries. */
  #followGlobals(): void {
    const board = this.#board?.withGlobals(this.#services.globals.committed)
    if (board === this.#board) return
    this.#board = board
    this.#views?.reset()
  }

  /** Moves every view on to a board. What has expired is gone for readers before the machine has taken it away. */
  #show(board: Board, changes: readonly CellChange[]): Board {
    const isDue = board.nextExpiryAt !== undefined && board.nextExpiryAt <= this.clock.now()
    const shown = isDue ? board.expire(this.clock.now()) : board
    const expiry = shown === board ? undefined : shown.transcript.at(-1)?.result
    const all = expiry?.kind === 'accepted' ? [...changes, ...expiry.changes] : changes
    this.#board = shown
    this.#nextExpiryAt = shown.nextExpiryAt
    this.#views?.advance(all)
    return shown
  }

  /** What an agent sees now; the same object as long as it sees the same. */
  viewOf({ sight }: { readonly sight: Sight }): BoardView {
    return this.readSlot(this.slotOf(sight))
  }

  /** The place of an agent's view, for those who read it often. */
  slotOf(sight: Sight): ViewSlot {
    this.#views ??= new ViewCache()
    return this.#views.slotOf(sight)
  }

  /** Whether something on the board will expire, so that the clock decides what a reader is shown. */
  get hasExpiry(): boolean {
    return this.#nextExpiryAt !== undefined
  }

  readSlot(slot: ViewSlot): BoardView {
    // Nobody tells a run that has ended of filters and global entries.
    if (
      this.#end !== undefined ||
      this.#board === undefined ||
      (this.#nextExpiryAt !== undefined && this.#nextExpiryAt <= this.clock.now())
    ) {
      return slot.read(this.readableBoard())
    }
    return slot.fresh ?? slot.read(this.#board)
  }

  /** The seq of an agent's view with what is still on its way to the store: of two who expect the same, one is refused. */
  newestSeqOf(process: { readonly id: string; readonly sight: Sight }): number {
    if (this.#engine.isSettled) return this.viewOf(process).seq
    const board = this.#engine.board.withGlobals(this.#services.globals.latest).expire(this.clock.now())
    return new BoardView(board, process.sight).seq
  }

  /** The sight of an agent of a type, under some id. */
  sightOf(type: string, id: string): Sight {
    return new Sight(id, this.#accessOf(type), this.#services.filters)
  }

  get hasChildren(): boolean {
    return this.#invocations.hasChildren
  }

  /** Whether a run is a child that its machine waits for. */
  isAwaiting(runId: string): boolean {
    return this.#invocations.isAwaiting(runId)
  }

  /** A child run that its machine may wait for has ended. */
  onChildEnded(runId: string, end: RunEnd): void {
    this.#invocations.onChildEnded(runId, end)
  }

  /** Hands an event to the machine; resolves to whether it took it. */
  async send(event: { readonly type: string }, note?: RecordNote): Promise<boolean> {
    const turn = await this.#engine.send(parseEvent(this.definition, this.runId, event), note)
    return turn !== undefined
  }

  /** An update by an agent, with its rights and what it had seen. */
  updateAs(
    asker: Asker,
    changes: Readonly<Record<string, unknown>>,
    options: UpdateOptions = {},
  ): Promise<UpdateAnswer> {
    return this.#updater.submit(asker, changes, options)
  }

  /** The update that an agent asks for, or why it cannot be one. */
  prepareAs(asker: Asker, changes: Readonly<Record<string, unknown>>, options: UpdateOptions): Update | Refusal {
    return this.#updater.prepare(asker, changes, options)
  }

  /** An update by someone outside, who names no base: it meets whatever is there. */
  updateFromOutside(
    name: string,
    changes: Readonly<Record<string, unknown>>,
    options: UpdateOptions = {},
    note?: RecordNote,
  ): Promise<UpdateResult> {
    const asker: Asker = {
      author: { kind: 'outside', name },
      access: undefined,
      lineage: NO_LINEAGE,
      seen: () => 'unknown',
      seq: () => this.#engine.seq,
      others: () => this.#engine.board.addresses(),
    }
    return this.#updater.submit(asker, changes, options, note).then(({ result }) => result)
  }

  /** Puts entries in place as `decide` says, looking at the newest board: nothing comes in between. */
  place(
    author: Author,
    decide: (board: Board) => readonly PlaceChange[] | Refusal,
    note: RecordNote,
  ): Promise<UpdateAnswer> {
    const board = this.#engine.board.withGlobals(this.#services.globals.latest)
    return this.#updater.place(author, decide(board), note)
  }

  /** Adds a record that is not a macrostep. */
  record(kind: RecordKind, author: string, asked: unknown): Promise<void> {
    return this.#engine.append(kind, author, asked)
  }

  /** Listens to what the machine emits; gives the function that ends it. */
  onEmitted(type: string, handler: (event: { readonly type: string }) => void): () => void {
    const subscription = this.#engine.actor.on(type as never, handler as never)
    return () => subscription.unsubscribe()
  }

  /** Whether another process has gone on with the run, or made another of this id. */
  isOvertakenBy(stored: RunSummary | undefined): boolean {
    if (this.#committedSeq === 0) return false
    return stored === undefined || stored.createdAt !== this.createdAt || stored.seq > this.#engine.seq
  }

  /** Lets the run go without a record: it is to be read anew from the store. */
  giveUp(error?: CallboardError): void {
    const message = `run ${this.runId}: another process has written to it since; open it again to go on from there`
    this.#letGo(error ?? new CallboardError('run.overtaken', message, { runId: this.runId }))
  }

  /**
   * Takes the run out of this process without ending it, once everything that was asked for before is stored: it goes on
   * from there when it is opened again.
   */
  async leave(): Promise<void> {
    const asked = this.#engine.seq
    await this.#until(() => this.#committedSeq >= asked)
    if (this.#isOver) return
    const message = `run ${this.runId} was left where its ledger ends: the runtime was closed; runtime.open() goes on with it`
    const error = new CallboardError('run.left', message, { runId: this.runId })
    // Before their actors are stopped: agents are to know that this is not the end.
    this.#invocations.stopAll(error)
    this.#engine.halt()
    this.#finish({ kind: 'left', error })
  }

  #letGo(error: CallboardError): void {
    if (this.#end !== undefined) return
    this.#fate = 'lost'
    // Before their actors are stopped: of a run that goes on elsewhere, child runs go on as well.
    this.#invocations.stopAll(error)
    this.#engine.halt()
    this.#finish({ kind: 'failed', error })
  }

  /** Ends the run. */
  stop(reason: string): Promise<void> {
    if (this.#end !== undefined) return Promise.resolve()
    this.#stopping ??= this.#stop(reason)
    return this.#stopping
  }

  async #stop(reason: string): Promise<void> {
    if (this.#engine.isEnding || this.#fate === 'failing') {
      // It was faster, if its own end comes to the store.
      await this.#until(() => false)
      if (this.#resting !== undefined) throw this.#resting.reason.cause
      return
    }
    const error = new CallboardError('run.stopped', `run ${this.runId} was stopped: ${reason}`, { runId: this.runId })
    const stopped = this.#engine.stop(reason)
    // Its child runs are stopped when that is stored: otherwise it goes on, and they with it.
    this.#invocations.stopAgents()
    await stopped
    this.#finish({ kind: 'stopped', error })
  }

  /** It has ended, or what is at work here is not the run any more. */
  get #isOver(): boolean {
    return this.#end !== undefined || this.#resting !== undefined
  }

  /** Looks after every commit, until it is over. */
  async #until(isSo: () => boolean): Promise<void> {
    while (!this.#isOver && !isSo()) await new Promise<void>((resolve) => this.onNextCommit(resolve))
  }

  /** Keeps the run at work until the function that is given is called. */
  hold(): () => void {
    let isHeld = true
    this.#holds += 1
    return () => {
      if (!isHeld) return
      isHeld = false
      this.#holds -= 1
      this.#services.onQuiet()
    }
  }

  /** How it would rest, or undefined while it has something to do. */
  findRest(): Rest | undefined {
    const isBusy =
      this.#end !== undefined ||
      this.#stopping !== undefined ||
      this.#committedSeq === 0 ||
      this.#isJudging ||
      this.#holds > 0 ||
      !this.#invocations.areChildrenSettled ||
      !this.#engine.isSettled ||
      this.#snapshots.isTaking ||
      this.#compactor?.isBusy === true ||
      this.#subscriptions?.isBusy === true
    if (isBusy) return undefined
    const { globals, isShared } = this.#services
    return restOf({
      definition: this.definition,
      machine: this.#engine.committed,
      processes: this.processes,
      waits: this.#waitsNow(),
      waitInstants: this.#waitNotes === undefined ? [] : this.#waitNotes.instants,
      requests: Iterator.from(this.notes.requests.values()).filter(({ id }) => this.#requests?.has(id) === true),
      subscriptions: this.#subscriptions,
      board: this.#engine.committed.context.board.withGlobals(globals.committed),
      nextTimerAt: this.#engine.nextTimerAt,
      now: this.clock.now(),
      isShared,
    })
  }

  /** Stops without a trace; what it was can still be read. Only what `findRest` finds idle may go. */
  goToRest(): void {
    const message = `run ${this.runId} has gone to rest; its agents run again when it comes back, with what they have done`
    this.#pause(new CallboardError('agent.resting', message, { runId: this.runId }))
  }

  #pause(reason: CallboardError): void {
    const status = reason.code === 'run.taken-back' ? 'taken-back' : 'resting'
    this.#resting = { status, requests: this.openRequests, explanation: this.explain(), reason }
    this.#expiry?.cancel()
    // Before their actors are stopped: agents are to know that this is not the end.
    this.#invocations.stopAll(reason)
    this.#waits?.rejectAll(() => reason)
    this.#waitNotes?.end()
    this.#engine.halt()
  }

  /** Calls back once at the next commit, or when the run ends. */
  onNextCommit(wake: () => void): () => void {
    this.#wakers ??= new Set()
    this.#wakers.add(wake)
    return () => this.#wakers?.delete(wake)
  }

  /** The runtime's filters have changed. */
  onFiltersChanged(): void {
    this.#views?.reset()
    this.#waits?.touchAll()
  }

  /** A question from before a rest is no news. */
  announceRequest(request: OpenRequest, isNew: boolean): void {
    if (isNew || !this.#isReturning) this.#services.topics.emit('request', { runId: this.runId, request })
  }

  onProgress(process: AgentProcess, progress: Progress): void {
    process.progress = progress
    this.#services.topics.emit('progress', { runId: this.runId, agent: process.id, ...progress })
  }

  tellOfWait(promise: Promise<unknown>, agent: string, keys: readonly string[]): void {
    const { topics } = this.#services
    if (topics.has('wait')) tellOfWait(promise, { runId: this.runId, agent, keys }, (said) => topics.emit('wait', said))
  }

  onAgentWaits(): void {
    if (this.#isJudging) return
    this.#isJudging = true
    // Not before the agents' code has gone on with what it was just given.
    whenSettled(() => {
      this.#isJudging = false
      this.#endDeadlock()
      this.#services.onQuiet()
    })
  }

  onAgentEnded(process: AgentProcess, how: string, reason = this.#cancelled(process.id)): void {
    this.#waits?.cancel(process.id, reason)
    this.#requests?.withdrawAll(reason, process.id)
    this.#subscriptions?.end(process.id)
    this.#views?.forget(process.id)
    const status = this.#resting?.status ?? how
    this.#services.topics.emit('agent', { runId: this.runId, agent: process.id, type: process.type, status })
    this.onAgentWaits()
  }

  /** Another run has changed global entries. */
  onGlobalsChanged(changes: readonly CellChange[], by: string, at: number): void {
    if (this.#end !== undefined || this.#committedSeq === 0) return
    this.#board = undefined
    this.#afterChanges(changes, by, at)
    this.#markStale(changes)
  }

  /** Marks what is made from global entries that have changed; what cannot be stored is marked when the run is back. */
  #markStale(news: readonly CellChange[]): void {
    const changes = changesBehind(this.#engine.board, news)
    if (changes.length === 0) return
    this.#upstream = [...this.#upstream, ...changes]
    if (this.#resting !== undefined) return
    const clear = (): void => {
      this.#upstream = this.#upstream.filter((change) => !changes.includes(change))
    }
    this.#engine.send({ type: UPSTREAM_EVENT, changes } as never).then(clear, () => {})
  }

  timeoutError(wait: Wait, process?: AgentProcess): CallboardError {
    return waitTimeoutError(this.runId, wait, this.#explainWait(wait, process))
  }

  explain(): Explanation {
    if (this.#resting !== undefined) return this.#resting.explanation
    const facts = {
      runId: this.runId,
      status: this.status,
      state: this.stateValue,
      agents: this.processes.map(({ id, type, status, step, progress }) => ({
        id,
        type,
        status,
        step,
        progress: progress?.message,
      })),
      waits: this.#waitsNow().map((wait) => this.#explainWait(wait)),
      requests: this.openRequests.map(({ id, agent, question }) => ({ id, agent, question })),
      hasTimers: this.#end === undefined && this.#engine.hasTimers,
      evictions: this.#snapshots.notes.evictions,
    }
    return Object.freeze({ ...facts, text: describeExplanation(facts) })
  }

  /** Whether agents or other actors do something that nobody asks for. */
  get #worksByItself(): boolean {
    return this.processes.some(({ hasEnded }) => !hasEnded) || hasOtherActors(this.#engine.committed, this.definition)
  }

  get #hasWaits(): boolean {
    return this.#waits !== undefined && this.#waits.size > 0
  }

  #waitsNow(): readonly Wait[] {
    return this.#waits?.list() ?? []
  }

  #explainWait({ waiter, keys, sinceAt, timeoutMs }: Wait, asker?: AgentProcess): WaitExplanation {
    const named = keys.filter((key) => key !== '*' && (asker === undefined || asker.sight.access.canRead(key)))
    const producers = named.map((key) => [key, producersOf(key, this.definition.agents, this.processes)] as const)
    return { waiter, keys: named, sinceAt, timeoutMs, producers: Object.fromEntries(producers) }
  }

  #accessOf(type: string): Access {
    const known = this.#access?.get(type)
    if (known !== undefined) return known
    const definition = this.definition.agents.get(type)
    if (definition === undefined) {
      throw new CallboardError(
        'agent.unknown',
        `run ${this.runId}: no agent type "${type}" is registered; registered are ${[...this.definition.agents.keys()].join(', ') || 'none'}`,
        { runId: this.runId, type },
      )
    }
    const access = new Access(accessRulesOf(type, definition), this.catalogue)
    this.#access ??= new Map()
    this.#access.set(type, access)
    return access
  }

  #cancelled(agent?: string): CallboardError {
    const who = agent === undefined ? 'an agent' : agent
    return new CallboardError(
      'agent.stopped',
      `run ${this.runId}: ${who} was stopped because the state that invoked it was left or the run ended`,
      { runId: this.runId, agent },
    )
  }

  #compactorHost(compact: Compact): CompactorHost {
    const { topics, track } = this.#services
    return {
      runId: this.runId,
      compact,
      update: (changes, options) => this.updateFromOutside('compact', changes, options),
      onFailure: (error) => topics.emit('failure', { topic: 'compact', error }),
      onDone: () => this.onAgentWaits(),
      track,
    }
  }

  /** The board after the last committed record. */
  get committedBoard(): Board {
    return this.#engine.committed.context.board
  }

  /** With which definition it begins. */
  stamp(): DefinitionStamp {
    return stampOf(this.machine)
  }

  get inspect(): RuntimeServices['inspect'] {
    return this.#services.inspect
  }

  globals(): Shelf {
    return this.#services.globals.latest
  }

  stageGlobals(globals: Shelf, changes: readonly CellChange[]): void {
    this.#services.globals.stage(globals, changes)
  }

  globalsAhead(isOwn: boolean): number {
    const { globals } = this.#services
    return isOwn ? globals.staged : globals.aheadOf(this)
  }

  globalsEpoch(): number {
    return this.#services.globals.epoch
  }

  newGlobalsMark(): GlobalsMark | undefined {
    const { mark } = this.#services.globals
    // What a run that comes back was told of last is in its ledger.
    const last = this.#globalsMark ?? this.notes.globals
    if (mark === last) return undefined
    this.#globalsMark = mark
    return mark?.seq === last?.seq && mark?.at === last?.at ? undefined : mark
  }

  invocationCount(): number {
    return this.#invocations.count
  }

  commit(turns: readonly Turn[], status: MachineState['status']): Promise<void> {
    return commitTurns(this.#services, this, turns, status)
  }

  onCommitted({ record, changes, changesGlobals, globalsAhead, snapshot }: Turn): void {
    this.#committedSeq = record.seq
    const global = changesGlobals ? changes.filter(({ scope }) => scope === 'global') : NO_CHANGES
    this.#snapshots.onCommitted(record, global)
    if (changes.length > 0) {
      if (changesGlobals) this.#services.globals.commit(record, changes, globalsAhead)
      this.#board = undefined
      this.#afterChanges(changes, record.author, record.at)
      this.#compactor?.onCommitted(record.seq, record.at, changes)
      if (changesGlobals) {
        this.#services.announceGlobals(this.runId, global, record.author, record.at)
      }
    }
    if (this.#wakers !== undefined) for (const wake of Array.from(this.#wakers)) wake()
    if (this.#services.topics.has('record'))
      this.#services.topics.emit('record', { runId: this.runId, record: handOut(record) as LedgerRecord })
    if (snapshot.status !== 'active') this.#finish(endOf(this.definition, this.runId, snapshot))
    else if (this.#hasWaits) this.onAgentWaits()
    this.#services.onCommitted(this.runId)
  }

  /** What every reader of the board is told, in order (R2). */
  #afterChanges(changes: readonly CellChange[], by: string, at: number): void {
    const board = this.#engine.committed.context.board.withGlobals(this.#services.globals.committed)
    this.#show(board, changes)
    this.#armExpiry(board)
    if (this.#hasWaits) this.#waits?.touch(changes)
    this.#subscriptions?.publish(changes, by, at)
  }

  #armExpiry(board: Board): void {
    const at = this.#resting === undefined ? board.nextExpiryAt : undefined
    if (at === this.#expiry?.at) return
    this.#expiry?.cancel()
    this.#expiry = at === undefined ? undefined : this.deadlines.add(at, () => this.#sendExpiry())
  }

  #sendExpiry(): void {
    this.#expiry?.cancel()
    this.#expiry = undefined
    if (this.#end === undefined && this.#resting === undefined)
      void this.#engine.send({ type: EXPIRE_EVENT, at: this.clock.now() } as never).catch(() => {})
  }

  /** Back to what the store says: this is over here, and begins again from there. */
  onLost(error: unknown, losesGlobals: boolean): void {
    if (losesGlobals) void this.#services.globals.lose()
    if (this.#fate === 'failing') this.#fate = undefined
    if (this.#end !== undefined || this.#resting !== undefined) return
    if (this.#committedSeq === 0) {
      this.onFailed(error)
      return
    }
    // Asked before what works is stopped.
    const rivalSeq = this.#worksByItself ? rivalSeqOf(this.runId, error) : undefined
    const message = `run ${this.runId} goes back to what is stored of it, because a commit failed; its agents run again`
    this.#pause(new CallboardError('run.taken-back', message, { runId: this.runId }, { cause: error }))
    for (const wake of [...(this.#wakers ?? [])]) wake()
    this.#services.onLost(this.runId, rivalSeq)
  }

  onFailed(error: unknown): void {
    if (this.#end !== undefined) {
      // An action of the transition that ended it: its end is in the ledger already.
      this.#services.topics.emit('failure', { topic: 'action', error })
      return
    }
    if (this.#fate === 'failing') return
    const finish = (): void => this.#finish({ kind: 'failed', error })
    if (this.#engine.isStopped) {
      this.#fate = 'lost'
      finish()
      return
    }
    this.#fate = 'failing'
    const stored = this.#engine.append('end', 'workflow', { status: 'error', error: describeError(error) })
    // It has not failed before that is stored; if it cannot be, the run goes back (`onLost`), and so do its child runs.
    this.#invocations.stopAll(this.#cancelled())
    this.#engine.halt()
    stored.then(finish, () => {})
  }

  #finish(end: RunEnd): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.#expiry?.cancel()
    const reason = new CallboardError('run.finished', `run ${this.runId} has ended (${end.kind})`, {
      runId: this.runId,
    })
    if (!this.#invocations.isLeft || this.#fate === 'failing')
      this.#invocations.stopAll(end.kind === 'left' ? end.error : undefined)
    this.#waits?.rejectAll(() => reason)
    this.#waitNotes?.end()
    this.#requests?.withdrawAll(reason)
    this.#subscriptions?.end()
    this.#views?.clear()
    for (const wake of [...(this.#wakers ?? [])]) wake()
    this.#services.onEnded(this, end)
    this.#ended?.resolve(end)
  }

  /** R3, looked at whenever an agent begins to wait, an agent ends, or a turn is committed. */
  #endDeadlock(): void {
    if (this.#end !== undefined || this.#resting !== undefined) return
    if (!this.#engine.isSettled || !this.#hasWaits) return
    // What expires, and what the hook makes of what was evicted, may move the machine or meet a wait.
    if (this.#expiry !== undefined || this.#compactor?.isBusy === true) return
    const { definition, processes } = this
    const deadlock = findDeadlock({
      definition,
      machine: this.#engine.committed,
      processes,
      waits: this.#waitsNow(),
      requests: this.openRequests,
      subscriptions: this.subscriptions,
      hasTimers: this.#engine.hasTimers,
      hasChildren: this.#invocations.hasChildren,
    })
    if (deadlock === undefined) return
    const { waits, graph } = deadlock
    this.#services.topics.emit('deadlock', { runId: this.runId, graph })
    this.#waits?.rejectAll(
      ({ waiter }) => deadlockError(this.runId, waiter, this.#graphFor(waiter, graph)),
      (wait) => waits.includes(wait),
    )
  }

  /** An agent hears of the keys that it may read or write. */
  #graphFor(waiter: string, graph: WaitForGraph): WaitForGraph {
    const access = this.processOf(waiter)?.sight.access
    return access === undefined ? graph : graphFor(graph, (key) => access.canRead(key) || access.canWrite(key))
  }
}

function engineOriginOf({ origin, runId }: RunSeed): EngineOrigin {
  if (!('state' in origin)) return origin
  const { seq, board, machine } = origin.state
  if (machine === undefined) {
    throw new CallboardError(
      'run.damaged',
      `run ${runId} has no stored machine state; its ledger has lost its beginning`,
      { runId },
    )
  }
  return { restored: { seq, board, machine } }
}
