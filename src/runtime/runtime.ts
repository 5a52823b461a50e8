// Runtime: the only place where runs begin. It owns the clock, the ids, the global entries and the filters of its runs.
import { LRUCache } from 'lru-cache'
import type { AnyStateMachine } from 'xstate'
import { Bus, CallboardError, Deadlines, isCallboardError, randomIds, systemClock } from '../base/index.ts'
import type { Clock, Ids } from '../base/index.ts'
import { Filters } from '../context/index.ts'
import { createVolatileStore } from '../store/index.ts'
import type { Damage, RunFilter, RunSummary, Store } from '../store/index.ts'
import type { WorkflowInput, WorkflowOutput, WorkflowValues } from '../workflow/index.ts'
import { adoptDefinition } from './adopt.ts'
import { assessRun } from './assess.ts'
import { machineForEnded } from './ended-machine.ts'
import { storeFork } from './fork.ts'
import type { ForkOptions } from './fork.ts'
import { Globals, isGlobals } from './globals.ts'
import { seqOfPoint } from './point.ts'
import type { Point } from './point.ts'
import { RunCore } from './run-core.ts'
import type { RunSeed } from './run-core.ts'
import { Run } from './run.ts'
import { guardInspector } from './inspector.ts'
import { loadRun } from './load-run.ts'
import { keepingRules } from './retention.ts'
import type { RetentionOptions, SnapshotOptions } from './retention.ts'
import type { RunState } from './run-state.ts'
import type { RuntimeServices, RuntimeTopics } from './runtime-services.ts'
import { assertRunId, definitionOf, existsError, unknownError, unregisteredError } from './runtime-errors.ts'
import { parseInput } from './schema-check.ts'
import type { StartArguments } from './start-options.ts'
import { stopForClosing } from './stop-for-closing.ts'

export interface RuntimeOptions {
  /** Where ledgers are kept; in memory unless given. The runtime does not close it. */
  readonly store?: Store
  /** Whose global entries its runs share; `default` unless given. */
  readonly tenant?: string
  /** The workflows whose stored runs it can open. */
  readonly workflows?: readonly AnyStateMachine[]
  readonly clock?: Clock
  readonly ids?: Ids
  /** A number from 0 (inclusive) to 1, for the jitter of backoffs. */
  readonly random?: () => number
  /** Milliseconds that a wait lasts unless it says otherwise; 30,000 unless given, `Infinity` for no limit. */
  readonly waitTimeoutMs?: number
  /** When the whole state of a run is stored, so that opening it begins there. */
  readonly snapshots?: SnapshotOptions
  /** How much of a run's history stays; everything unless given. */
  readonly retention?: RetentionOptions
  /** XState's inspection events of every run. An inspector that throws harms nothing. */
  readonly inspect?: (event: unknown) => void
}

const DEFAULT_WAIT_TIMEOUT_MS = 30_000
/** Ended runs that stay readable through `get`. */
const MOST_ENDED_RUNS = 1_000

export class Runtime {
  /** Filters that narrow views by agent type and role; may change while runs go on. */
  readonly filters: Filters
  readonly #services: RuntimeServices
  readonly #ids: Ids
  readonly #active = new Map<string, { readonly core: RunCore; readonly run: Run }>()
  readonly #ended = new LRUCache<string, Run>({ max: MOST_ENDED_RUNS })
  readonly #workflows = new Map<string, AnyStateMachine>()
  readonly #opening = new Map<string, Promise<Run>>()
  readonly #machines = new WeakMap<Run, AnyStateMachine>()
  /** Snapshots on their way into the store. */
  readonly #work = new Set<Promise<void>>()
  #updates = 0
  #closed = false

  /** Use `createRuntime`. */
  constructor(options: RuntimeOptions = {}) {
    const { clock = systemClock, ids = randomIds } = options
    for (const machine of options.workflows ?? []) this.#workflows.set(definitionOf(machine).name, machine)
    this.#ids = ids
    const topics: Bus<RuntimeTopics> = new Bus<RuntimeTopics>((failure) => {
      if (failure.topic !== 'failure') topics.emit('failure', failure)
    })
    this.filters = new Filters(() => this.#onFiltersChanged())
    const rules = keepingRules(options.snapshots, options.retention)
    const store = options.store ?? createVolatileStore()
    this.#services = {
      clock,
      deadlines: new Deadlines(clock),
      random: options.random ?? (() => Math.random()),
      store,
      globals: new Globals(options.tenant ?? 'default'),
      filters: this.filters,
      topics,
      inspect: options.inspect === undefined ? undefined : guardInspector(options.inspect, topics),
      waitTimeoutMs: options.waitTimeoutMs ?? DEFAULT_WAIT_TIMEOUT_MS,
      nextUpdateId: () => `u${++this.#updates}`,
      track: (work) => this.#track(work),
      startChild: (machine, seed) => this.#beginOrOpen(machine, seed),
      announceGlobals: (from, changes, by, at) => {
        for (const [runId, { core }] of this.#active) if (runId !== from) core.onGlobalsChanged(changes, by, at)
      },
      onEnded: (core, end) => {
        const active = this.#active.get(core.runId)
        this.#active.delete(core.runId)
        // Of a lost run, what the store has is not what is here.
        if (active !== undefined && !core.isLost) this.#ended.set(core.runId, active.run)
        topics.emit('end', {
          runId: core.runId,
          status: end.kind,
          ...(end.kind === 'done' ? {} : { error: end.error }),
        })
      },
      keeping: (runId, catalogue) => ({
        store,
        runId,
        catalogue,
        rules,
        onFailure: (error) => topics.emit('failure', { topic: 'snapshot', error }),
        track: (work) => this.#track(work),
      }),
    }
  }

  /** Reads the global entries from the store. Done by `createRuntime`. */
  load(): Promise<void> {
    return this.#services.globals.load(this.store)
  }

  get store(): Store {
    return this.#services.store
  }

  /**
   * Starts a run of a workflow; resolves once its first record is stored.
   * @throws CallboardError `workflow.unknown` for a plain machine, `run.input` for an input that does not fit,
   *   `run.exists` for an id that is taken, `runtime.closed`
   */
  start<Machine extends AnyStateMachine>(
    workflow: Machine,
    ...[options = {}]: StartArguments<WorkflowInput<Machine>>
  ): Promise<Run<WorkflowOutput<Machine>, WorkflowValues<Machine>>> {
    const { input, runId = this.#ids.next('run') } = options
    return this.#begin(workflow, { runId, input, parent: undefined }) as Promise<
      Run<WorkflowOutput<Machine>, WorkflowValues<Machine>>
    >
  }

  /**
   * A run of this runtime, or one from the store, which goes on from where its ledger ends: agents in flight run again,
   * finished steps are not repeated, deadlines keep their instants. What another process has made of it since is read
   * anew, and so is a run that was lost here because a commit failed.
   * @throws CallboardError `run.unknown`; `workflow.unregistered` when its workflow is not among `workflows`;
   *   `run.definition-changed`, `run.migration-failed` when its state does not fit the workflow as it is now
   */
  async open(runId: string): Promise<Run> {
    this.#assertOpen()
    const { shared } = this.store.traits
    if (!shared && this.#active.has(runId)) return this.#getOrThrow(runId)
    const summary = await this.store.summary(runId)
    const active = this.#active.get(runId)
    if (active !== undefined && !(shared && active.core.isOvertakenBy(summary))) return active.run
    active?.core.giveUp()
    if (summary === undefined) throw unknownError(runId)
    const ended = this.#ended.get(runId)
    return ended !== undefined && summary.status !== 'active' ? ended : this.#open(this.#machineOf(summary), summary)
  }

  /**
   * A new run that goes on from a point of another one, which stays as it is, be it active, at rest or ended: with the
   * entries and the state of that point, its steps finished, and the time left that was left then.
   * @throws CallboardError `run.unknown`, `run.no-such-seq`, `run.exists`, `run.invalid-id`, `workflow.unregistered`;
   *   `run.finished` for a point at which the machine had ended
   */
  async fork(runId: string, point: Point, { runId: to, by = 'outside', reason }: ForkOptions = {}): Promise<Run> {
    this.#assertOpen()
    const summary = await this.store.summary(runId)
    if (summary === undefined || isGlobals(runId)) throw unknownError(runId)
    const machine = this.#machineOf(summary)
    const newId = to ?? this.#ids.next('run')
    assertRunId(newId)
    const { store } = this
    const snapshots = this.get(runId)?.snapshots() ?? (await this.#load(machine, runId)).notes.snapshots
    const seq = seqOfPoint(point, { runId, seq: summary.seq, snapshots })
    const at = this.#services.clock.now()
    const stored = await storeFork({ store, machine, summary, seq, to: newId, at, by, reason })
    try {
      const run = await this.#open(machine, stored.summary)
      this.#services.topics.emit('run', { runId: newId, workflow: summary.workflow })
      return run
    } catch (error) {
      await stored.remove()
      throw error
    }
  }

  /** Opens every stored run that has not ended; child runs come with their parents. Gives those that could not be. */
  async recover(): Promise<{
    readonly runs: readonly Run[]
    readonly failures: readonly { readonly runId: string; readonly error: unknown }[]
  }> {
    const runs: Run[] = []
    const failures: { readonly runId: string; readonly error: unknown }[] = []
    const onDamage = ({ runId = '(unknown)', message, ...details }: Damage): void => {
      failures.push({ runId, error: new CallboardError('store.damaged', message, { runId, ...details }) })
    }
    for (const { runId, parent } of await this.store.list({ status: 'active' }, { onDamage })) {
      if (parent !== undefined || isGlobals(runId)) continue
      try {
        runs.push(await this.open(runId))
      } catch (error) {
        failures.push({ runId, error })
      }
    }
    return { runs, failures }
  }

  /** A run of this runtime, active or ended lately; undefined when unknown. */
  get(runId: string): Run | undefined {
    return this.#active.get(runId)?.run ?? this.#ended.get(runId)
  }

  /** What is known of the runs in the store, oldest first. */
  async list(filter?: RunFilter): Promise<readonly RunSummary[]> {
    const summaries = await this.store.list(filter)
    return summaries.filter(({ runId }) => !isGlobals(runId))
  }

  /** Ends a run. @throws CallboardError `run.unknown` */
  async stop(runId: string, reason?: string): Promise<void> {
    await this.#getOrThrow(runId).stop(reason)
  }

  /** Sends an event to a run's machine; resolves to whether it was taken. @throws CallboardError `run.unknown` */
  send(runId: string, event: { readonly type: string; readonly [field: string]: unknown }): Promise<boolean> {
    return this.#getOrThrow(runId).send(event)
  }

  /** Listens to what happens in all runs; gives the function that ends it. */
  on<Topic extends keyof RuntimeTopics>(topic: Topic, handler: (message: RuntimeTopics[Topic]) => void): () => void {
    return this.#services.topics.on(topic, handler)
  }

  /**
   * Stops every run, or, with `runs: 'keep'`, lets go of them as they are in the store, so that they go on when they are
   * opened again. Forgets every deadline. Twice is harmless.
   */
  async close({ runs = 'stop' }: { readonly runs?: 'stop' | 'keep' } = {}): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const active = [...this.#active.values()]
    await Promise.all(active.map(({ core, run }) => (runs === 'keep' ? core.leave() : stopForClosing(run))))
    await Promise.all(this.#work)
    this.#services.deadlines.clear()
    this.#services.topics.clear()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #begin(
    machine: AnyStateMachine,
    { runId, input, parent }: Pick<RunSeed, 'runId' | 'parent'> & { readonly input: unknown },
  ): Promise<Run> {
    this.#assertOpen()
    const definition = definitionOf(machine)
    assertRunId(runId)
    const stored = await this.store.summary(runId)
    // After the wait, and nothing to wait for from here to its place among the active: two may ask for one id at once.
    if (stored !== undefined || this.get(runId) !== undefined) throw existsError(runId)
    const core = new RunCore(
      { runId, machine, definition, origin: { input: parseInput(definition, runId, input) }, parent },
      this.#services,
    )
    const run = this.#makeRun(core, machine)
    this.#active.set(runId, { core, run })
    try {
      await core.start()
    } catch (error) {
      this.#active.delete(runId)
      this.#ended.delete(runId)
      throw isCallboardError(error, 'store.conflict') ? existsError(runId) : error
    }
    this.#services.topics.emit('run', { runId, workflow: definition.name })
    return run
  }

  /** A child run: started, or, after a restart, found again. */
  async #beginOrOpen(
    machine: AnyStateMachine,
    seed: Pick<RunSeed, 'runId' | 'parent'> & { readonly input: unknown },
  ): Promise<Run> {
    const summary = await this.store.summary(seed.runId)
    return summary === undefined ? this.#begin(machine, seed) : (this.get(seed.runId) ?? this.#open(machine, summary))
  }

  /** Two that ask for one run at once get the same. */
  #open(machine: AnyStateMachine, summary: RunSummary): Promise<Run> {
    const { runId } = summary
    const opening = this.#opening.get(runId)
    if (opening !== undefined) return opening
    const opened = summary.status === 'active' ? this.#openActive(machine, summary) : this.#openEnded(machine, summary)
    const promise = opened.finally(() => this.#opening.delete(runId))
    this.#opening.set(runId, promise)
    return promise
  }

  async #openActive(machine: AnyStateMachine, stored: RunSummary): Promise<Run> {
    const { store, clock } = this.#services
    const { runId } = stored
    const assessment = await assessRun({
      store,
      machine,
      summary: stored,
      at: clock.now(),
      onUnusable: this.#onUnusable,
    })
    if (assessment.error !== undefined) throw assessment.error
    let { state } = assessment
    let summary = stored
    if (assessment.adoption !== undefined) {
      await adoptDefinition(store, stored, assessment, assessment.adoption, clock.now())
      state = await this.#load(machine, runId)
      summary = (await store.summary(runId)) ?? stored
    }
    return this.#active.get(runId)?.run ?? this.#resume(machine, summary, state)
  }

  async #openEnded(machine: AnyStateMachine, summary: RunSummary): Promise<Run> {
    const { runId } = summary
    const state = await this.#load(machine, runId)
    const already = this.get(runId)
    if (already !== undefined) return already
    if (state.machine === undefined) return this.#resume(machine, summary, state)
    const shown = machineForEnded(machine, state.machine)
    return this.#resume(machine, summary, { ...state, machine: shown.state }, shown.machine)
  }

  #load(machine: AnyStateMachine, runId: string): Promise<RunState> {
    const { catalogue } = definitionOf(machine)
    return loadRun({ store: this.store, catalogue, runId, onUnusable: this.#onUnusable })
  }

  readonly #onUnusable = (error: unknown): void => this.#services.topics.emit('failure', { topic: 'snapshot', error })

  /** @param shown the machine it is restored in, where that is another one */
  #resume(machine: AnyStateMachine, summary: RunSummary, state: RunState, shown = machine): Run {
    const { runId, parent } = summary
    const definition = definitionOf(machine)
    const core = new RunCore({ runId, machine: shown, definition, origin: { state, summary }, parent }, this.#services)
    const run = this.#makeRun(core, machine)
    if (summary.status === 'active') this.#active.set(runId, { core, run })
    else this.#ended.set(runId, run)
    core.resume(state)
    return run
  }

  /** A run that this runtime knows already has brought its machine along. */
  #machineOf({ runId, workflow }: RunSummary): AnyStateMachine {
    const known = this.get(runId)
    const machine = (known === undefined ? undefined : this.#machines.get(known)) ?? this.#workflows.get(workflow)
    if (machine !== undefined) return machine
    throw unregisteredError(runId, workflow, this.#workflows.keys())
  }

  /** What the outside holds of a run. */
  #makeRun(core: RunCore, machine: AnyStateMachine): Run {
    const run = new Run(core, this.store, {
      nextId: (kind) => this.#ids.next(kind),
      fork: (point, options) => this.fork(core.runId, point, options),
    })
    this.#machines.set(run, machine)
    return run
  }

  #assertOpen(): void {
    if (this.#closed) throw new CallboardError('runtime.closed', 'the runtime is closed; create another one')
  }

  #getOrThrow(runId: string): Run {
    const run = this.get(runId)
    if (run === undefined) throw unknownError(runId)
    return run
  }

  #track(work: Promise<void>): void {
    this.#work.add(work)
    void work.then(() => this.#work.delete(work))
  }

  #onFiltersChanged(): void {
    for (const { core } of this.#active.values()) core.onFiltersChanged()
  }
}

/** Makes a runtime. Whoever makes it closes it. */
export async function createRuntime(options: RuntimeOptions = {}): Promise<Runtime> {
  const runtime = new Runtime(options)
  await runtime.load()
  return runtime
}
