// Runtime: the only place where runs begin. It owns the clock, the ids, the global entries and the filters of its runs.
import type { AnyStateMachine } from 'xstate'
import { Bus, CallboardError, Deadlines, isCallboardError, randomIds, systemClock } from '../base/index.ts'
import type { Clock, Ids } from '../base/index.ts'
import { Filters, isWellFormedKey, patternsOverlap } from '../context/index.ts'
import { createVolatileStore } from '../store/index.ts'
import type { Damage, RunFilter, RunSummary, Store } from '../store/index.ts'
import { workflowOf } from '../workflow/index.ts'
import type { WorkflowDefinition, WorkflowInput, WorkflowOutput, WorkflowValues } from '../workflow/index.ts'
import { Globals, isGlobals } from './globals.ts'
import { RunCore } from './run-core.ts'
import type { RunSeed } from './run-core.ts'
import { Run } from './run.ts'
import { loadRun } from './load-run.ts'
import { assertCount, keepingRules } from './retention.ts'
import type { RetentionOptions, SnapshotOptions } from './retention.ts'
import { Roster } from './roster.ts'
import type { RuntimeServices, RuntimeTopics } from './runtime-services.ts'
import { parseInput } from './schema-check.ts'
import { Seat } from './seat.ts'

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
  /** Runs in memory beyond which idle ones go to rest, until a message or a deadline; 1,000 unless given. */
  readonly maxActiveRuns?: number
  /** XState's inspection events of every run. An inspector that throws harms nothing. */
  readonly inspect?: (event: unknown) => void
}

export interface StartOptions<Input> {
  readonly input?: Input
  /** Chosen by the runtime unless given; refused if a run has it already. */
  readonly runId?: string
}

/** `input` may be left out only where the workflow takes none. */
type StartArguments<Input> = undefined extends Input
  ? [options?: StartOptions<Input>]
  : [options: StartOptions<Input> & { readonly input: Input }]

const DEFAULT_WAIT_TIMEOUT_MS = 30_000
const MOST_ACTIVE_RUNS = 1_000

export class Runtime {
  /** Filters that narrow views by agent type and role; may change while runs go on. */
  readonly filters: Filters
  readonly #services: RuntimeServices
  readonly #ids: Ids
  readonly #roster: Roster
  readonly #workflows = new Map<string, AnyStateMachine>()
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
      inspect: options.inspect === undefined ? undefined : guarded(options.inspect, topics),
      waitTimeoutMs: options.waitTimeoutMs ?? DEFAULT_WAIT_TIMEOUT_MS,
      nextUpdateId: () => `u${++this.#updates}`,
      startChild: (machine, seed) => this.#beginOrOpen(machine, seed),
      announceGlobals: (from, changes, by, at) => {
        const tell = ({ core }: Seat): void => core.onGlobalsChanged(changes, by, at)
        for (const seat of [...this.#roster.active(), ...this.#roster.heldAtRest()]) if (seat.runId !== from) tell(seat)
        this.#roster.onGlobalsChanged(changes, tell)
      },
      onCommitted: (runId) => this.#roster.onCommitted(runId),
      onQuiet: () => this.#roster.onQuiet(),
      isShared: (pattern) => this.#isShared(pattern),
      onEnded: (core, end) => {
        this.#roster.end(core.runId)
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
    this.#roster = new Roster({
      store,
      clock,
      deadlines: this.#services.deadlines,
      maxActive: assertCount('maxActiveRuns', options.maxActiveRuns ?? MOST_ACTIVE_RUNS, 1),
      canReturn: ({ core }) => this.#workflows.get(core.definition.name) === core.machine,
      bring: (runId) => this.#bring(runId),
      onFailure: (error) => topics.emit('failure', { topic: 'rest', error }),
      track: (work) => this.#track(work),
    })
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
   * finished steps are not repeated, deadlines keep their instants. One that rests comes back.
   * @throws CallboardError `run.unknown`; `workflow.unregistered` when its workflow is not among `workflows`
   */
  async open(runId: string): Promise<Run> {
    const known = this.get(runId)
    if (known !== undefined && (known.status !== 'active' || this.#roster.atWork(runId) !== undefined)) return known
    return (await this.#roster.come(runId)).run
  }

  async #bring(runId: string): Promise<Seat> {
    const summary = await this.store.summary(runId)
    if (summary === undefined) throw unknownError(runId)
    const machine = this.#workflows.get(summary.workflow)
    if (machine === undefined) {
      throw new CallboardError(
        'workflow.unregistered',
        `run ${runId} belongs to workflow "${summary.workflow}", which this runtime does not know; give it to createRuntime({ workflows }); known are ${[...this.#workflows.keys()].join(', ') || 'none'}`,
        { runId, workflow: summary.workflow },
      )
    }
    return this.#open(machine, summary)
  }

  /**
   * Opens every stored run that has not ended; child runs come with their parents. Those that rest are left alone until
   * they are due or sent something: their ids are in `resting`. Gives those that could not be opened, too.
   */
  async recover(): Promise<{
    readonly runs: readonly Run[]
    readonly resting: readonly string[]
    readonly failures: readonly { readonly runId: string; readonly error: unknown }[]
  }> {
    const runs: Run[] = []
    const resting: string[] = []
    const failures: { readonly runId: string; readonly error: unknown }[] = []
    const onDamage = ({ runId = '(unknown)', message, ...details }: Damage): void => {
      failures.push({ runId, error: new CallboardError('store.damaged', message, { runId, ...details }) })
    }
    const rests = await this.store.rests()
    for (const { runId, parent, workflow } of await this.store.list({ status: 'active' }, { onDamage })) {
      if (parent !== undefined || isGlobals(runId)) continue
      const until = rests.get(runId)
      if (until !== undefined && this.get(runId) === undefined && this.#workflows.has(workflow)) {
        this.#roster.rest(runId, until)
        resting.push(runId)
        continue
      }
      try {
        runs.push(await this.open(runId))
      } catch (error) {
        failures.push({ runId, error })
      }
    }
    return { runs, resting, failures }
  }

  /** A run that is here: active, ended lately, or at rest while somebody holds it. `open` finds the others. */
  get(runId: string): Run | undefined {
    return this.#roster.find(runId)
  }

  /** How many runs are at work, in memory. */
  get activeRuns(): number {
    return this.#roster.size
  }

  /** What is known of the runs in the store, oldest first. */
  async list(filter?: RunFilter): Promise<readonly RunSummary[]> {
    const summaries = await this.store.list(filter)
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

  /** Listens to what happens in all runs; gives the function that ends it. */
  on<Topic extends keyof RuntimeTopics>(topic: Topic, handler: (message: RuntimeTopics[Topic]) => void): () => void {
    return this.#services.topics.on(topic, handler)
  }

  /** Stops every run and forgets every deadline. Twice is harmless. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const comingBack = this.#roster.close()
    await Promise.all([...this.#roster.active()].map(({ run }) => run.stop('the runtime was closed')))
    await comingBack
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
    if (this.#closed) throw closedError()
    const definition = definitionOf(machine)
    if (!isWellFormedKey(runId) || isGlobals(runId))
      throw new CallboardError(
        'run.invalid-id',
        'a run id is a non-empty, well-formed text of at most 1,024 characters that does not begin with "global:"',
        { runId },
      )
    const stored = await this.store.summary(runId)
    // After the wait, and nothing to wait for from here to its place among the active: two may ask for one id at once.
    if (stored !== undefined || this.get(runId) !== undefined) throw existsError(runId)
    const core = new RunCore(
      { runId, machine, definition, origin: { input: parseInput(definition, runId, input) }, parent },
      this.#services,
    )
    if (!this.#workflows.has(definition.name)) this.#workflows.set(definition.name, machine)
    const seat = this.#seatFor(core)
    this.#roster.add(runId, seat)
    try {
      await core.start()
    } catch (error) {
      this.#roster.drop(runId)
      throw isCallboardError(error, 'store.conflict') ? existsError(runId) : error
    }
    this.#services.topics.emit('run', { runId, workflow: definition.name })
    return seat.run
  }

  /** A child run: started, or, after a restart, found again. */
  async #beginOrOpen(
    machine: AnyStateMachine,
    seed: Pick<RunSeed, 'runId' | 'parent'> & { readonly input: unknown },
  ): Promise<Run> {
    const summary = await this.store.summary(seed.runId)
    return summary === undefined
      ? this.#begin(machine, seed)
      : (this.get(seed.runId) ?? (await this.#open(machine, summary)).run)
  }

  async #open(machine: AnyStateMachine, summary: RunSummary): Promise<Seat> {
    const { runId, parent } = summary
    const definition = definitionOf(machine)
    const { catalogue } = definition
    const onUnusable = (error: unknown): void => this.#services.topics.emit('failure', { topic: 'snapshot', error })
    const state = await loadRun({ store: this.store, catalogue, runId, onUnusable })
    const already = this.#roster.atWork(runId)
    if (already !== undefined) return already
    if (this.#closed) throw closedError()
    const rested = this.#roster.atRest(runId)
    const core = new RunCore(
      { runId, machine, definition, origin: { state, summary }, parent, rested: rested?.core },
      this.#services,
    )
    this.#roster.takeFromRest(runId)
    rested?.arrive(core)
    const seat = rested ?? this.#seatFor(core)
    if (summary.status === 'active') this.#roster.add(runId, seat)
    else this.#roster.end(runId, seat.run)
    core.resume(state)
    return seat
  }

  #seatFor(core: RunCore): Seat {
    const host = {
      wake: (runId: string) => this.#roster.come(runId),
      keep: (seat: Seat) => this.#roster.keep(seat),
      onFailure: (error: unknown) => this.#services.topics.emit('failure', { topic: 'rest', error }),
    }
    return new Seat(core, host, (seat) => new Run(seat, this.store, (kind) => this.#ids.next(kind)))
  }

  #isShared(pattern: string): boolean {
    return [...this.#workflows.values()].some((machine) =>
      definitionOf(machine).catalogue.entries.some(
        ({ name, scope, infersScope }) => (scope === 'global' || infersScope) && patternsOverlap(pattern, name),
      ),
    )
  }

  #track(work: Promise<void>): void {
    this.#work.add(work)
    void work.then(() => this.#work.delete(work))
  }

  #onFiltersChanged(): void {
    for (const { core } of [...this.#roster.active(), ...this.#roster.heldAtRest()]) core.onFiltersChanged()
  }
}

/** Makes a runtime. Whoever makes it closes it. */
export async function createRuntime(options: RuntimeOptions = {}): Promise<Runtime> {
  const runtime = new Runtime(options)
  await runtime.load()
  return runtime
}

function definitionOf(machine: AnyStateMachine): WorkflowDefinition {
  const definition = workflowOf(machine)
  if (definition !== undefined) return definition
  throw new CallboardError(
    'workflow.unknown',
    `machine "${machine.id}" is not a workflow; make it with defineContext(…).workflow(…).createMachine(…)`,
    { machine: machine.id },
  )
}

function closedError(): CallboardError {
  return new CallboardError('runtime.closed', 'the runtime is closed; create another one')
}

function unknownError(runId: string): CallboardError {
  return new CallboardError('run.unknown', `there is no run ${runId} here; runtime.list() lists them`, { runId })
}

function existsError(runId: string): CallboardError {
  return new CallboardError('run.exists', `there is a run ${runId} already; choose another id`, { runId })
}

function guarded(inspect: (event: unknown) => void, topics: Bus<RuntimeTopics>): (event: unknown) => void {
  return (event) => {
    try {
      inspect(event)
    } catch (error) {
      topics.emit('failure', { topic: 'inspect', error })
    }
  }
}
