// Runtime: the only place where runs begin. It owns the clock, the ids, the global entries and the filters of its runs.
import type { AnyStateMachine } from 'xstate'
import { Bus, CallboardError, Deadlines, randomIds, steadyClock, systemClock } from '../base/index.ts'
import type { Ids } from '../base/index.ts'
import { Filters } from '../context/index.ts'
import { assertRunId, isGlobals } from '../ledger/index.ts'
import { createVolatileStore } from '../store/index.ts'
import type { RunFilter, RunSummary, Store } from '../store/index.ts'
import type { WorkflowInput, WorkflowOutput, WorkflowTaken, WorkflowValues } from '../workflow/index.ts'
import { storeFork } from './fork.ts'
import type { ForkOptions } from './fork.ts'
import { Globals, isBehindGlobals, withGlobalsThen } from './globals.ts'
import { Housekeeping } from './housekeeping.ts'
import type { PruneRules } from './housekeeping.ts'
import { admitLabels } from './labels.ts'
import { seqOfPoint } from './point.ts'
import type { Point } from './point.ts'
import { removeEnded } from './remove-run.ts'
import { RunCore } from './run-core.ts'
import { endMessage } from './run-end.ts'
import type { RunEnd } from './run-end.ts'
import type { RunSeed } from './run-core.ts'
import { Run } from './run.ts'
import type { RunHost } from './run-host.ts'
import { guardInspector } from './inspector.ts'
import { KnownWorkflows } from './known-workflows.ts'
import { loadRun } from './load-run.ts'
import { readToOpen } from './open-run.ts'
import type { StoredRun } from './open-run.ts'
import { recoverRuns } from './recover.ts'
import type { Recovered } from './recover.ts'
import { assertCount, assertDuration, keepingRules } from './retention.ts'
import { Roster } from './roster.ts'
import type { RunState } from './run-state.ts'
import type { CloseOptions, RuntimeOptions, StartArguments } from './runtime-options.ts'
import type { RuntimeServices, RuntimeTopics } from './runtime-services.ts'
import { definitionOf, existsError, takenOr, unknownError } from './runtime-errors.ts'
import { parseInput } from './schema-check.ts'
import { Seat } from './seat.ts'
import type { SeatHost } from './seat.ts'
import { insist, withTypedErrors } from './store-failure.ts'
import { SharedWork } from './shared-work.ts'
import { stopForClosing } from './stop-for-closing.ts'
import { Surroundings } from './surroundings.ts'

const DEFAULT_WAIT_TIMEOUT_MS = 30_000
const MOST_ACTIVE_RUNS = 1_000
/** How often a run begins anew because another process was faster with global entries. */
const MOST_BEGINNINGS = 10

export class Runtime {
  /** Filters that narrow views by agent type and role; may change while runs go on. */
  readonly filters: Filters
  /** What is around the code of agents while it runs; may change while runs go on. */
  readonly surroundings: Surroundings
  readonly #store: Store
  readonly #services: RuntimeServices
  readonly #ids: Ids
  readonly #roster: Roster
  readonly #housekeeping: Housekeeping
  readonly #workflows: KnownWorkflows
  readonly #opening = new SharedWork<Seat>()
  readonly #beginning = new SharedWork<RunEnd | undefined>()
  /** Snapshots on their way into the store. */
  readonly #work = new Set<Promise<void>>()
  #updates = 0
  #closed = false
  #closing: Promise<void> | undefined

  /** Use `createRuntime`. */
  constructor(options: RuntimeOptions = {}) {
    const { ids = randomIds } = options
    const clock = steadyClock(options.clock ?? systemClock)
    this.#workflows = new KnownWorkflows(options.workflows ?? [])
    this.#ids = ids
    const topics: Bus<RuntimeTopics> = new Bus<RuntimeTopics>((failure) => {
      if (failure.topic !== 'failure') topics.emit('failure', failure)
    })
    this.filters = new Filters(() => this.#onFiltersChanged())
    this.surroundings = new Surroundings((error) => topics.emit('failure', { topic: 'surroundings', error }))
    const rules = keepingRules(options.snapshots, options.retention)
    this.#store = options.store ?? createVolatileStore()
    const store = withTypedErrors(this.#store)
    const deadlines = new Deadlines(clock)
    const track = (work: Promise<void>): void => {
      this.#work.add(work)
      void work.then(() => this.#work.delete(work))
    }
    const keeping = { store, rules, onFailure: this.#onUnusable, track }
    this.#services = {
      clock,
      deadlines,
      random: options.random ?? (() => Math.random()),
      store,
      globals: new Globals(options.tenant ?? 'default', keeping),
      filters: this.filters,
      surroundings: this.surroundings,
      topics,
      memory: options.memory,
      inspect: options.inspect === undefined ? undefined : guardInspector(options.inspect, topics),
      waitTimeoutMs: assertDuration('waitTimeoutMs', options.waitTimeoutMs ?? DEFAULT_WAIT_TIMEOUT_MS),
      nextUpdateId: () => `u${++this.#updates}`,
      track,
      startChild: (machine, seed, isOver) =>
        insist(() => this.#beginning.do(seed.runId, () => this.#beginOrOpen(machine, seed)), this.#services, isOver),
      stopRun: (runId, reason) => this.stop(runId, reason),
      announceGlobals: (from, changes, by, at) => {
        const tell = ({ core }: Seat): void => core.onGlobalsChanged(changes, by, at)
        for (const seat of this.#roster.inTouch()) if (seat.runId !== from) tell(seat)
        this.#roster.onGlobalsChanged(changes, tell)
      },
      onCommitted: (runId) => this.#roster.onCommitted(runId),
      onQuiet: () => this.#roster.onQuiet(),
      onLost: (runId, rivalSeq) => this.#roster.takeBack(runId, rivalSeq),
      isShared: (pattern) => this.#workflows.couldWriteGlobally(pattern),
      onEnded: (core, end) => {
        // Of a lost run, what the store has is not what is here.
        if (core.isLost) this.#roster.drop(core.runId)
        else this.#roster.end(core.runId)
        // It goes on where it was left, or where another process has taken it: nobody is told of an end. One that could not
        // begin is tried again, or told of to whoever asked for it.
        if (end.kind === 'left' || core.isLost || core.seq === 0) return
        topics.emit('end', endMessage(core.runId, end))
        if (core.parent !== undefined) this.#tellParent(core.parent.runId, core.runId, end)
      },
      keeping,
    }
    this.#roster = new Roster({
      store,
      clock,
      deadlines,
      random: this.#services.random,
      maxActive: assertCount('maxActiveRuns', options.maxActiveRuns ?? MOST_ACTIVE_RUNS, 1),
      canReturn: ({ core }) => this.#workflows.get(core.definition.name) === core.machine,
      bring: (runId) => this.#bring(runId),
      onFailure: this.#onRestFailure,
      track,
    })
    this.#housekeeping = new Housekeeping({ runtime: this, store, clock, topics, track }, options.housekeeping)
  }

  /** Reads the global entries from the store. Done by `createRuntime`. */
  load(): Promise<void> {
    return this.#services.globals.load()
  }

  get store(): Store {
    return this.#store
  }

  /**
   * Starts a run of a workflow; resolves once its first record is stored.
   * @throws CallboardError `workflow.unknown` for a plain machine, `run.input` for an input that does not fit,
   *   `run.labels` for labels that are not texts, `run.exists` for an id that is taken, `runtime.full`, `runtime.closed`
   */
  start<Machine extends AnyStateMachine>(
    workflow: Machine,
    ...[options = {}]: StartArguments<WorkflowInput<Machine>>
  ): Promise<Run<WorkflowOutput<Machine>, WorkflowValues<Machine>, WorkflowTaken<Machine>>> {
    const { input, runId = this.#ids.next('run'), labels } = options
    const seed = { runId, input, parent: undefined, labels: admitLabels(labels) }
    const begin = (): Promise<Run> => this.#begin(workflow, seed)
    return this.#housekeeping.admit(runId, begin) as Promise<
      Run<WorkflowOutput<Machine>, WorkflowValues<Machine>, WorkflowTaken<Machine>>
    >
  }

  /**
   * A run of this runtime, or one from the store, which goes on from where its ledger ends: agents in flight run again,
   * finished steps are not repeated, deadlines keep their instants. What another process has made of it since is read
   * anew, and so is a run that was lost here because a commit failed. One that rests comes back.
   * @throws CallboardError `run.unknown`; `workflow.unregistered` when its workflow is not among `workflows`;
   *   `run.definition-changed`, `run.migration-failed` when its state does not fit the workflow as it is now
   */
  async open(runId: string): Promise<Run> {
    this.#assertOpen()
    await this.#roster.atWork(runId)?.core.beginning
    const { shared } = this.store.traits
    const known = this.#roster.atWork(runId)
    if (known !== undefined && !shared) return known.run
    const summary = await this.#services.store.summary(runId)
    const active = this.#roster.atWork(runId)
    if (active !== undefined && !(shared && active.core.isOvertakenBy(summary))) return active.run
    active?.core.giveUp()
    if (summary === undefined) {
      this.#roster.forget(runId)
      throw unknownError(runId)
    }
    const ended = this.#roster.inMemory(runId)
    return ended !== undefined && summary.status !== 'active' ? ended.run : (await this.#roster.come(runId)).run
  }

  async #bring(runId: string): Promise<Seat> {
    const summary = await this.#services.store.summary(runId)
    if (summary === undefined) throw unknownError(runId)
    return this.#open(this.#machineOf(summary), summary)
  }

  /**
   * A new run that goes on from a point of another one, which stays as it is, be it active, at rest or ended: with the
   * entries and the state of that point, its steps finished, and the time left that was left then.
   * @throws CallboardError `run.unknown`, `run.no-such-seq`, `run.exists`, `run.invalid-id`, `workflow.unregistered`;
   *   `run.finished` for a point at which the machine had ended
   */
  async fork(runId: string, point: Point, { runId: to, by = 'outside', reason }: ForkOptions = {}): Promise<Run> {
    this.#assertOpen()
    const summary = await this.#services.store.summary(runId)
    if (summary === undefined || isGlobals(runId)) throw unknownError(runId)
    const machine = this.#machineOf(summary)
    const newId = to ?? this.#ids.next('run')
    assertRunId(newId)
    const { store } = this.#services
    const snapshots = this.get(runId)?.snapshots() ?? (await this.#load(machine, runId)).notes.snapshots
    const seq = seqOfPoint(point, { runId, seq: summary.seq, snapshots })
    const at = this.#services.clock.now()
    const globals = this.#services.globals.mark
    const stored = await storeFork({ store, machine, summary, seq, to: newId, at, by, reason, globals })
    try {
      const { run } = await this.#open(machine, stored.summary)
      this.#services.topics.emit('run', { runId: newId, workflow: summary.workflow })
      return run
    } catch (error) {
      await stored.remove()
      throw error
    }
  }

  /**
   * Opens every stored run that has not ended; child runs come with their parents. Those that rest are left alone until
   * they are due or sent something: their ids are in `resting`. Gives those that could not be opened, too.
   */
  recover(): Promise<Recovered> {
    return recoverRuns(this.#services.store, {
      open: (runId) => this.open(runId),
      leaveAtRest: ({ runId, workflow }, until) => {
        if (this.get(runId) !== undefined || !this.#workflows.has(workflow)) return false
        this.#roster.rest(runId, until)
        return true
      },
      atWork: (runId) => this.#roster.atWork(runId)?.core,
      stop: (runId, reason) => this.stop(runId, reason),
    })
  }

  /** A run that is here: active, ended lately, or at rest while somebody holds it. `open` finds the others. */
  get(runId: string): Run | undefined {
    return this.#roster.find(runId)?.run
  }

  /** The time its runs live by, in milliseconds since 1970. */
  get now(): number {
    return this.#services.clock.now()
  }

  /** How many runs are at work, in memory. */
  get activeRuns(): number {
    return this.#roster.size
  }

  /** What is known of the runs in the store, oldest first. */
  async list(filter?: RunFilter): Promise<readonly RunSummary[]> {
    const summaries = await this.#services.store.list(filter)
    return summaries.filter(({ runId }) => !isGlobals(runId))
  }

  /** Ends a run, opened if need be. @throws CallboardError `run.unknown` */
  async stop(runId: string, reason?: string): Promise<void> {
    await (this.get(runId) ?? (await this.open(runId))).stop(reason)
  }

  /**
   * Sends an event to a run's machine, opened if need be; resolves to whether it was taken.
   * @throws CallboardError `run.unknown`
   */
  async send(runId: string, event: { readonly type: string; readonly [field: string]: unknown }): Promise<boolean> {
    return (this.get(runId) ?? (await this.open(runId))).send(event)
  }

  /**
   * Forgets a run that has ended: its ledger, its snapshots and its id. Says whether there was one.
   * @throws CallboardError `run.active` for one that goes on
   */
  async remove(runId: string): Promise<boolean> {
    this.#assertOpen()
    const isRemoved = await removeEnded(this.#services.store, runId)
    this.#roster.forget(runId)
    return isRemoved
  }

  /**
   * Forgets ended runs that the rules allow to forget, with everything they started; gives the ids.
   * @throws CallboardError `runtime.prune` without a rule
   */
  prune(rules: PruneRules): Promise<readonly string[]> {
    return this.#housekeeping.prune(rules)
  }

  /** Listens to what happens in all runs; gives the function that ends it. */
  on<Topic extends keyof RuntimeTopics>(topic: Topic, handler: (message: RuntimeTopics[Topic]) => void): () => void {
    return this.#services.topics.on(topic, handler)
  }

  /**
   * Ends the runtime: lets go of its runs as they are in the store, so that they go on when they are opened again, or stops
   * them. Forgets every deadline. Twice is harmless: both end when it is closed.
   * @throws what kept a run from being stopped; the runtime is closed all the same
   * @param options `runs`: `keep` on a durable store and `stop` on another one unless given
   */
  close({ runs }: CloseOptions = {}): Promise<void> {
    return (this.#closing ??= this.#close(runs ?? (this.store.traits.durable ? 'keep' : 'stop')))
  }

  async #close(runs: NonNullable<CloseOptions['runs']>): Promise<void> {
    this.#closed = true
    this.#housekeeping.stop()
    const comingBack = this.#roster.close()
    const active = [...this.#roster.active()]
    const outcomes = await Promise.allSettled(
      active.map(({ core, run }) => (runs === 'keep' ? core.leave() : stopForClosing(run))),
    )
    await comingBack
    await Promise.all(this.#work)
    this.#services.deadlines.clear()
    this.#services.topics.clear()
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #begin(
    machine: AnyStateMachine,
    { runId, input, parent, labels }: Pick<RunSeed, 'runId' | 'parent' | 'labels'> & { readonly input: unknown },
  ): Promise<Run> {
    this.#assertOpen()
    const definition = definitionOf(machine)
    assertRunId(runId)
    const stored = await this.#services.store.summary(runId)
    this.#assertOpen()
    // After the wait, and nothing to wait for from here to its place among the active: two may ask for one id at once.
    if (stored !== undefined || this.get(runId) !== undefined) throw existsError(runId)
    const origin = { input: parseInput(definition, runId, input) }
    this.#workflows.add(machine)
    for (let attempt = 1; ; attempt++) {
      const core = new RunCore({ runId, machine, definition, origin, parent, labels }, this.#services)
      const seat = this.#seatFor(core, machine)
      this.#roster.add(runId, seat)
      try {
        await core.start()
      } catch (error) {
        this.#roster.drop(runId)
        if (!isBehindGlobals(error) || attempt === MOST_BEGINNINGS) throw takenOr(error)
        // Another process has changed what it was built on: it begins on what is there now.
        await this.#services.globals.reloaded
        this.#assertOpen()
        if (this.get(runId) !== undefined) throw existsError(runId)
        continue
      }
      this.#services.topics.emit('run', { runId, workflow: definition.name })
      return seat.run
    }
  }

  /** A child run: started, or, after a restart or a rest, found again; gives its end, if it has ended. */
  async #beginOrOpen(
    machine: AnyStateMachine,
    seed: Pick<RunSeed, 'runId' | 'parent'> & { readonly input: unknown },
  ): Promise<RunEnd | undefined> {
    const summary = await this.#services.store.summary(seed.runId)
    if (summary === undefined) {
      await this.#begin(machine, seed)
      return undefined
    }
    this.#workflows.add(machine)
    return (this.#roster.inMemory(seed.runId) ?? (await this.#open(machine, summary))).core.end
  }

  #tellParent(parentId: string, runId: string, end: RunEnd): void {
    const parent = this.#roster.atWork(parentId)
    if (parent === undefined) this.#roster.onChildEnded(parentId)
    else parent.core.onChildEnded(runId, end)
  }

  #open(machine: AnyStateMachine, summary: RunSummary): Promise<Seat> {
    return this.#opening.do(summary.runId, () => this.#openNow(machine, summary))
  }

  async #openNow(machine: AnyStateMachine, stored: RunSummary): Promise<Seat> {
    const { store, clock } = this.#services
    const opened = await readToOpen({ store, machine, summary: stored, at: clock.now(), onUnusable: this.#onUnusable })
    // What failed here and goes on in the store is not what is asked for.
    const already = opened.summary.status === 'active' ? 'atWork' : 'inMemory'
    return this.#roster[already](stored.runId) ?? this.#resume(machine, opened)
  }

  #load(machine: AnyStateMachine, runId: string): Promise<RunState> {
    const { store } = this.#services
    return loadRun({ store, catalogue: definitionOf(machine).catalogue, runId, onUnusable: this.#onUnusable })
  }

  readonly #seatHost: SeatHost = {
    wake: (runId) => this.#roster.come(runId),
    keep: (seat) => this.#roster.keep(seat),
    onFailure: (error) => this.#onRestFailure(error),
  }
  readonly #runHost: RunHost = {
    withGlobalsThen: (state) => {
      const { store, globals } = this.#services
      return withGlobalsThen(store, globals.runId, state)
    },
    nextId: (kind) => this.#ids.next(kind),
    fork: (runId, point, options) => this.fork(runId, point, options),
    onQuery: (runId, what) => this.#services.topics.emit('query', { runId, what }),
  }
  readonly #onRestFailure = (error: unknown): void => this.#services.topics.emit('failure', { topic: 'rest', error })
  readonly #onUnusable = (error: unknown): void => this.#services.topics.emit('failure', { topic: 'snapshot', error })

  #resume(machine: AnyStateMachine, { summary, state, shown }: StoredRun): Seat {
    this.#assertOpen()
    const { runId, parent } = summary
    const definition = definitionOf(machine)
    const rested = this.#roster.atRest(runId)
    const origin = { state, summary }
    const core = new RunCore(
      { runId, machine: shown, definition, origin, parent, rested: rested?.core },
      this.#services,
    )
    this.#roster.takeFromRest(runId)
    rested?.arrive(core)
    const seat = rested ?? this.#seatFor(core, machine)
    if (summary.status === 'active') this.#roster.add(runId, seat)
    else this.#roster.end(runId, seat)
    core.resume(state)
    return seat
  }

  /** A run that this runtime knows already has brought its machine along. */
  #machineOf(summary: RunSummary): AnyStateMachine {
    return this.#roster.find(summary.runId)?.machine ?? this.#workflows.of(summary)
  }

  /** Where a run sits, with what the outside holds of it. */
  #seatFor(core: RunCore, machine: AnyStateMachine): Seat {
    return new Seat(core, machine, this.#seatHost, (seat) => new Run(seat, this.#services.store, this.#runHost))
  }

  #assertOpen(): void {
    if (this.#closed) throw new CallboardError('runtime.closed', 'the runtime is closed; create another one')
  }

  #onFiltersChanged(): void {
    for (const { core } of this.#roster.inTouch()) core.onFiltersChanged()
  }
}
