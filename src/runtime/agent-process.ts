// AgentProcess: one invocation of an agent, from its start to its end.
//   A1. It sees what its sight allows and writes what its rights allow, whatever its code does.
//   A2. When it ends or is stopped, its waits, requests and subscriptions end with it.
//   A3. What it had read is known: as the base of its updates and as the lineage of what it writes.
import { CallboardError } from '../base/index.ts'
import { addressId, parseBy, refusalError } from '../context/index.ts'
import type { Board, BoardView, Cell, EntryAddress, Lineage, Seen, Sight, UpdateOptions } from '../context/index.ts'
import type {
  AgentContext,
  AgentDefinition,
  AskOptions,
  Progress,
  StepContext,
  StepOptions,
  SubscribeOptions,
  UpdateResult,
  WaitOptions,
} from '../workflow/index.ts'
import type { AgentWorld } from './agent-world.ts'
import { AgentWaits } from './agent-waits.ts'
import { AwaitedPromise } from './awaited-promise.ts'
import { Branch } from './branch.ts'
import { AgentView } from './live-view.ts'
import { askPerson } from './people.ts'
import type { RunCore } from './run-core.ts'
import { describeIssue } from './schema-check.ts'
import type { Asker } from './updater.ts'
import { withMemory } from './remembering.ts'
import { runStep } from './step.ts'
import type { Surroundings } from './surroundings.ts'

/** Where an agent stands. */
export type AgentStatus = 'running' | 'waiting' | 'finished' | 'failed' | 'stopped'

type AnyContext = AgentContext<Record<string, unknown>, Record<string, unknown>, unknown>

const LINEAGE_NONE: Lineage = Object.freeze([])

export class AgentProcess {
  readonly id: string
  readonly type: string
  readonly invocation: string
  readonly definition: AgentDefinition
  readonly sight: Sight
  readonly startedAt: number
  readonly #core: RunCore
  readonly #surroundings: Surroundings
  /** What it sees and writes. */
  readonly #world: AgentWorld
  readonly #branch: Branch | undefined
  readonly #abort = new AbortController()
  readonly #occurrences = new Map<string, number>()
  /** What it read or wrote last, by address; what is not here it knows from `#floor`. */
  readonly #seen = new Map<string, Cell>()
  readonly #reads = new Map<string, number>()
  #floor: Board
  readonly #asker: Asker
  readonly #waits: AgentWaits
  /** The last view that was read as a whole. */
  #wholeView: BoardView | undefined
  #lineage: Lineage | undefined = LINEAGE_NONE
  #awaited = 0
  #asking = 0
  #busy = 0
  #ended: 'finished' | 'failed' | 'stopped' | undefined
  #step: string | undefined
  progress: Progress | undefined

  constructor(
    core: RunCore,
    fields: Pick<AgentProcess, 'id' | 'type' | 'invocation' | 'definition' | 'sight'> & { surroundings: Surroundings },
  ) {
    this.#core = core
    this.id = fields.id
    this.type = fields.type
    this.invocation = fields.invocation
    this.definition = fields.definition
    this.sight = fields.sight
    this.#surroundings = fields.surroundings
    this.startedAt = core.clock.now()
    this.#branch = fields.definition.isolation === 'branch' ? new Branch(core, fields) : undefined
    this.#world = this.#branch ?? core
    this.#floor = this.#world.readableBoard()
    this.#asker = this.#makeAsker()
    this.#waits = new AgentWaits(core, this, this.#world)
  }

  /** As whom it updates. */
  #makeAsker(): Asker {
    const { id, type, sight } = this
    const view = (): BoardView => this.#world.viewOf(this)
    const lineage = (): Lineage => this.lineage
    return {
      author: Object.freeze({ kind: 'agent', id, type }),
      access: sight.access,
      get lineage() {
        return lineage()
      },
      seen: (address) => this.seen(address),
      seq: () => this.#world.newestSeqOf(this),
      // Only what it sees: what became of the rest would tell of it.
      others: () =>
        view()
          .entries()
          .filter(({ scope }) => scope !== 'global'),
      sees: (entry) => sight.admits(entry),
      seesAt: (address) => view().sees(address),
    }
  }

  get status(): AgentStatus {
    if (this.#ended !== undefined) return this.#ended
    return this.isBlocked ? 'waiting' : 'running'
  }

  get hasEnded(): boolean {
    return this.#ended !== undefined
  }

  /** It awaits entries and does nothing else that we know of. */
  get isBlocked(): boolean {
    return this.#ended === undefined && this.#awaited > 0 && this.#busy === 0
  }

  /** It awaits entries or people, and does nothing else that we know of. */
  get isIdle(): boolean {
    return this.#ended === undefined && this.#awaited + this.#asking > 0 && this.#busy === 0
  }

  /** The step that is under way. */
  get step(): string | undefined {
    return this.#step
  }

  /** Runs the agent's function to its end. */
  async run(input: unknown): Promise<unknown> {
    try {
      const parsed = this.#parseInput(input)
      const work = (): unknown => (this.definition.run as (context: AnyContext) => unknown)(this.#makeContext(parsed))
      const output = await (this.#branch === undefined
        ? work()
        : this.#branch.around(this.#asker, work, () => this.assertRunning()))
      this.#end('finished')
      return output
    } catch (error) {
      this.#end(this.#abort.signal.aborted ? 'stopped' : 'failed')
      throw error
    } finally {
      // Steps that it has left under way.
      if (this.#busy > 0) this.#abort.abort(this.#endedError())
    }
  }

  stop(reason: CallboardError): void {
    if (this.#ended !== undefined) return
    this.#end('stopped', reason)
    this.#abort.abort(reason)
  }

  /** What it had seen of an entry, or written to it last: the base of a three-way merge. */
  seen(address: EntryAddress): Seen {
    const cell = this.#seen.get(addressId(address)) ?? this.#floor.cell(address)
    if (cell?.live !== true) return 'absent'
    return cell.entry.updatedBy === this.id || this.sight.admits(cell.entry) ? cell : 'absent'
  }

  /** Which versions it had read of what. */
  get lineage(): Lineage {
    if (this.#lineage !== undefined) return this.#lineage
    const reads = new Map<string, number>()
    for (const { entry } of this.#wholeView?.cells() ?? [])
      if (entry.holder === undefined) reads.set(entry.key, entry.version)
    for (const [key, version] of this.#reads) reads.set(key, Math.max(version, reads.get(key) ?? 0))
    this.#lineage = Object.freeze(Array.from(reads, ([key, version]) => Object.freeze({ key, version })))
    return this.#lineage
  }

  /** Reads a key with this agent's eyes and remembers that it did. */
  read(key: string): Cell | undefined {
    const cell = this.sight.find(this.#world.readableBoard(), key)
    if (cell !== undefined) this.#note(cell)
    return cell
  }

  #note(cell: Cell): void {
    const { entry } = cell
    this.#seen.set(addressId(entry), cell)
    if (entry.holder !== undefined || this.#reads.get(entry.key) === entry.version) return
    this.#reads.set(entry.key, entry.version)
    this.#lineage = undefined
  }

  /** It has seen all of a view. */
  noteWhole(view: BoardView): void {
    if (this.#wholeView === view) return
    this.#wholeView = view
    this.#floor = this.#world.readableBoard()
    // Clearing an empty map costs as much as clearing a full one.
    if (this.#seen.size > 0) this.#seen.clear()
    if (this.#reads.size > 0) this.#reads.clear()
    this.#lineage = undefined
  }

  #end(how: 'finished' | 'failed' | 'stopped', reason?: CallboardError): void {
    if (this.#ended !== undefined) return
    this.#ended = how
    this.#core.onAgentEnded(this, how, reason)
  }

  #parseInput(input: unknown): unknown {
    const { input: schema } = this.definition
    if (schema === undefined) return input
    const parsed = parseBy(schema, input)
    if (parsed.success) return parsed.data
    throw new CallboardError(
      'agent.input',
      `run ${this.#core.runId}: agent ${this.id} was invoked with an input that does not fit its schema: ${describeIssue(parsed)}`,
      { runId: this.#core.runId, agent: this.id },
    )
  }

  #makeContext(input: unknown): AnyContext {
    const waitFor = (what: unknown, options: WaitOptions = {}): Promise<unknown> =>
      this.#awaited_(this.#waits.waitFor(what, options))
    const context = {
      id: this.id,
      type: this.type,
      runId: this.#core.runId,
      input,
      view: new AgentView(this.#world, this),
      waitFor: waitFor as AnyContext['waitFor'],
      waitForAll: waitFor as AnyContext['waitForAll'],
      waitForAny: ((keys: readonly string[], options: WaitOptions = {}) =>
        this.#awaited_(this.#waits.waitForKeys(keys, 'any', options))) as AnyContext['waitForAny'],
      update: (changes, options) =>
        harmless(
          this.#update(changes, options).then((result) => {
            if (result.kind === 'refused') throw refusalError(result, this.#core.runId)
            return result
          }),
        ),
      tryUpdate: (changes, options) => harmless(this.#update(changes, options)),
      step: (name, run, options) => harmless(this.#runStep(name, run, options)),
      on: (patterns, handler, options) => this.#subscribe(patterns, handler, options),
      ask: ((key: string, options?: AskOptions) => this.#ask({ key }, options)) as AnyContext['ask'],
      askForEvent: ((event: string, options?: AskOptions) =>
        this.#ask({ event }, options)) as AnyContext['askForEvent'],
      send: (event) => harmless(this.#send(event)),
      progress: (progress) => this.#core.onProgress(this, progress),
      signal: this.#abort.signal,
    } satisfies Omit<AnyContext, 'memory'>
    const { runId, labels } = this.#core
    return Object.freeze(withMemory(context, this.#core.memory, { runId, id: this.id, type: this.type, labels }))
  }

  /** @throws what it was stopped with; `agent.ended` after its end */
  assertRunning(): void {
    if (this.#ended === undefined) return
    const { reason } = this.#abort.signal as { readonly reason: unknown }
    if (reason instanceof Error) throw reason
    throw this.#endedError()
  }

  #endedError(): CallboardError {
    const { runId } = this.#core
    return new CallboardError(
      'agent.ended',
      `agent ${this.id} of run ${runId} has ended; nothing it started may go on`,
      { runId, agent: this.id },
    )
  }

  /** @throws CallboardError `view.not-readable` */
  assertReadable(key: string): void {
    if (this.sight.access.canRead(key)) return
    const { type, reads } = this.sight.access.rules
    throw new CallboardError(
      'view.not-readable',
      `run ${this.#core.runId}: ${this.id} may not read "${key}"; the reads of agent type ${type} are ${reads.map((pattern) => `"${pattern}"`).join(', ') || 'empty'}`,
      { runId: this.#core.runId, agent: this.id, key },
    )
  }

  /** Counts as waiting only from when the agent's code awaits it: work between making and awaiting a wait is work. */
  #awaited_(promise: Promise<unknown>, count: (by: number) => void = (by) => (this.#awaited += by)): Promise<unknown> {
    let counted = false
    let over = false
    const settled = (): void => {
      over = true
      if (counted) count(-1)
    }
    promise.then(settled, settled)
    return new AwaitedPromise(promise, () => {
      if (counted || over) return
      counted = true
      count(1)
      this.#core.onAgentWaits()
    })
  }

  /** While a promise of the runtime's is under way, the agent is not waiting for others. */
  async #working<Result>(promise: Promise<Result>): Promise<Result> {
    this.#busy += 1
    try {
      return await promise
    } finally {
      this.#free()
    }
  }

  /** Not an async function: a promise less matters where updates are counted in microseconds. */
  #update(changes: Readonly<Record<string, unknown>>, options?: UpdateOptions): Promise<UpdateResult> {
    try {
      this.assertRunning()
    } catch (error) {
      return Promise.reject(error as Error)
    }
    this.#busy += 1
    return this.#world.updateAs(this.#asker, changes, options).then(
      ({ result, changes }) => {
        this.#free()
        for (const { kind, cell } of changes) {
          if (kind === 'put' || kind === 'drop') this.#seen.set(addressId(cell.entry), cell)
        }
        return result
      },
      (error: unknown) => {
        this.#free()
        throw error
      },
    )
  }

  #free(): void {
    this.#busy -= 1
    if (this.#awaited > 0) this.#core.onAgentWaits()
  }

  async #send(event: Parameters<AnyContext['send']>[0]): Promise<void> {
    this.assertRunning()
    await this.#working(this.#core.send(event))
  }

  async #runStep<Result>(
    name: string,
    run: (context: StepContext) => Result | Promise<Result>,
    options: StepOptions = {},
  ): Promise<Awaited<Result>> {
    this.assertRunning()
    const stepKey = this.#nextKey(name)
    this.#step = stepKey
    const { runId, journal, clock, deadlines, random } = this.#core
    const host = {
      runId,
      agentId: this.id,
      invocation: this.invocation,
      signal: this.#abort.signal,
      journal,
      clock,
      deadlines,
      random,
      record: (line: object) => this.#core.record('step', this.id, line),
    }
    try {
      return await this.#working(runStep(host, stepKey, this.#surrounded(stepKey, run), options))
    } catch (error) {
      this.assertRunning()
      throw error
    } finally {
      if (this.#step === stepKey) this.#step = undefined
    }
  }

  #surrounded<Result>(name: string, run: (context: StepContext) => Result): (context: StepContext) => Result {
    const [{ runId }, { id: agent, invocation }] = [this.#core, this]
    return (context) => {
      const work = { runId, agent, invocation, step: { name, attempt: context.attempt } }
      return this.#surroundings.run(work, () => run(context))
    }
  }

  /** The first use of a name is the name, later ones are numbered. */
  #nextKey(name: string): string {
    const occurrence = (this.#occurrences.get(name) ?? 0) + 1
    this.#occurrences.set(name, occurrence)
    return occurrence === 1 ? name : `${name}#${occurrence}`
  }

  #subscribe(
    patterns: string | readonly string[],
    handler: Parameters<AnyContext['on']>[1],
    { own = false }: SubscribeOptions = {},
  ): () => void {
    this.assertRunning()
    return this.#core.subscriptions.add({
      subscriber: this.id,
      patterns: typeof patterns === 'string' ? [patterns] : patterns,
      handler,
      own,
      admits: (entry) => this.sight.admits(entry as never),
    })
  }

  #ask(target: { key: string } | { event: string }, options: AskOptions = {}): Promise<unknown> {
    return this.#awaited_(this.#askPerson(target, options), (by) => (this.#asking += by))
  }

  async #askPerson(target: { key: string } | { event: string }, options: AskOptions): Promise<unknown> {
    this.assertRunning()
    if ('key' in target) this.assertReadable(target.key)
    const name = 'key' in target ? target.key : target.event
    const answer = await askPerson(this.#core, this, this.#nextKey(`ask ${name}`), target, options)
    if ('key' in target) this.read(target.key)
    return answer
  }
}

/**
 * What agents begin and await later, or never, may have failed before: that must not end the process, in which other runs
 * are at work. Whoever awaits it hears of it, and the ledger has it.
 */
function harmless<Result>(promise: Promise<Result>): Promise<Result> {
  promise.catch(() => {})
  return promise
}
