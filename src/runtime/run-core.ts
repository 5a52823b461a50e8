// RunCore: everything alive about one run: its engine, its agents, their waits, requests and subscriptions.
//   R1. What agents and outsiders write goes through the engine and nowhere else.
//   R2. After a commit, in this order: views move on, waits are looked at, subscribers are told, readers of changes wake.
//   R3. When every agent waits and nothing else can move the run, the waits end with a deadlock.
//   R4. When the run ends, everything of it ends: agents, children, waits, requests, subscriptions, deadlines.
import { LRUCache } from 'lru-cache'
import type { AnyActorLogic, AnyStateMachine } from 'xstate'
import { CallboardError, setOwn } from '../base/index.ts'
import type { Clock, Deadline, Deadlines } from '../base/index.ts'
import { Access, BoardView, prepareUpdate, put, Sight } from '../context/index.ts'
import type { Asking, Board, Catalogue, Cell, CellChange, Refusal, Update, UpdateOptions } from '../context/index.ts'
import type { LedgerRecord, MachineState, RecordKind } from '../ledger/index.ts'
import { buildWaitForGraph, deadlockError, Subscriptions, WaitTable } from '../waits/index.ts'
import type { Wait } from '../waits/index.ts'
import { accessRulesOf, EXPIRE_EVENT, isAgentLogic, UPSTREAM_EVENT, workflowOf } from '../workflow/index.ts'
import type {
  AgentDefinition,
  AskOptions,
  PersonTarget,
  Progress,
  UpdateResult,
  WorkflowDefinition,
} from '../workflow/index.ts'
import { AgentProcess } from './agent-process.ts'
import { bindActors } from './bind-actors.ts'
import { describeError, Engine } from './engine.ts'
import type { EngineHost, Turn } from './engine.ts'
import { describeExplanation, producersOf, waitForNode, waitTimeoutError } from './explain.ts'
import type { Explanation, WaitExplanation } from './explain.ts'
import { Journal } from './journal.ts'
import { jsonSchemaOf, Requests } from './requests.ts'
import type { OpenRequest } from './requests.ts'
import type { RuntimeServices } from './runtime-services.ts'
import { couldEventWrite } from './unblock.ts'

/** With what a run is made. */
export interface RunSeed {
  readonly runId: string
  readonly machine: AnyStateMachine
  readonly definition: WorkflowDefinition
  readonly input: unknown
  readonly parent: { readonly runId: string; readonly id: string } | undefined
}

/** How a run ended. */
export type RunEnd =
  | { readonly kind: 'done'; readonly output: unknown }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'stopped'; readonly error: CallboardError }

/** Computed views that one run keeps. */
const MOST_VIEWS = 1_000
/** What the workflow or someone outside is told of a refusal before the machine is asked. */
const NO_CELLS: readonly Cell[] = Object.freeze([])

/** What came of an update, and the cells it left for its author. */
interface UpdateAnswer {
  readonly result: UpdateResult
  readonly cells: readonly Cell[]
}

const NOTHING_TO_DO: UpdateAnswer = {
  result: { kind: 'accepted', versions: {}, conflicts: [], skipped: [] },
  cells: NO_CELLS,
}

export class RunCore {
  readonly runId: string
  readonly definition: WorkflowDefinition
  readonly parent: RunSeed['parent']
  readonly clock: Clock
  readonly deadlines: Deadlines
  readonly random: () => number
  readonly waitTimeoutMs: number
  readonly waits: WaitTable
  readonly subscriptions: Subscriptions
  readonly requests = new Requests()
  readonly journal = new Journal()
  readonly ended: Promise<RunEnd>
  createdAt: number
  readonly #services: RuntimeServices
  readonly #engine: Engine
  readonly #views = new LRUCache<string, BoardView>({ max: MOST_VIEWS })
  readonly #access = new Map<string, Access>()
  readonly #processes = new Map<string, AgentProcess>()
  readonly #children = new Map<string, { stop(reason: string): Promise<void> }>()
  readonly #wakers = new Set<() => void>()
  #resolveEnded: (end: RunEnd) => void = () => {}
  #end: RunEnd | undefined
  #board: Board | undefined
  #expiry: Deadline | undefined
  #invocations = 0
  #committedSeq = 0

  constructor(seed: RunSeed, services: RuntimeServices) {
    this.runId = seed.runId
    this.definition = seed.definition
    this.parent = seed.parent
    this.#services = services
    this.clock = services.clock
    this.deadlines = services.deadlines
    this.random = services.random
    this.waitTimeoutMs = services.waitTimeoutMs
    this.createdAt = this.clock.now()
    this.waits = new WaitTable(this.clock, this.deadlines)
    this.subscriptions = new Subscriptions(this.runId)
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve
    })
    const machine = seed.machine.provide({
      actors: bindActors(seed.definition, {
        nextInvocation: (id) => `${this.runId}.${id}.${++this.#invocations}`,
        startAgent: (id, type, definition, invocation, input) =>
          this.#startAgent(id, type, definition, invocation, input),
        stopAgent: (invocation) => this.#processes.get(invocation)?.stop(this.#cancelled()),
        startChild: (id, child, invocation, input) => this.#startChild(id, child, invocation, input),
        stopChild: (invocation) => void this.#children.get(invocation)?.stop('the state that invoked it was left'),
      }) as never,
    }) as AnyStateMachine
    this.#engine = new Engine(machine, seed.input, this.#engineHost())
  }

  get catalogue(): Catalogue {
    return this.definition.catalogue
  }

  /** The seq of the last committed record. */
  get seq(): number {
    return this.#committedSeq
  }

  get end(): RunEnd | undefined {
    return this.#end
  }

  get status(): MachineState['status'] {
    switch (this.#end?.kind) {
      case undefined:
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

  get stateValue(): unknown {
    return this.#engine.committed.value
  }

  get activeNodes(): readonly unknown[] {
    return this.#engine.committed._nodes
  }

  get processes(): readonly AgentProcess[] {
    return [...this.#processes.values()]
  }

  start(): Promise<void> {
    return this.#engine.start()
  }

  /** The committed board as a reader may see it now: without what has expired. */
  readableBoard(): Board {
    const board = (this.#board ??= this.#engine.committed.context.board.withGlobals(this.#services.globals.committed))
    const { nextExpiryAt } = board
    if (nextExpiryAt === undefined || nextExpiryAt > this.clock.now()) return board
    this.#sendExpiry()
    this.#views.clear()
    this.#board = board.expire(this.clock.now())
    return this.#board
  }

  /** What an agent sees now; the same object as long as it sees the same. */
  viewOf(process: { readonly id: string; readonly sight: Sight }): BoardView {
    const board = this.readableBoard()
    const known = this.#views.get(process.id)
    if (known !== undefined && known.epoch === process.sight.epoch && known.sight === process.sight) return known
    const view = new BoardView(board, process.sight)
    this.#views.set(process.id, view)
    return view
  }

  /** The sight of an agent of a type, under some id. */
  sightOf(type: string, id: string): Sight {
    return new Sight(id, this.#accessOf(type), this.#services.filters)
  }

  /** Hands an event to the machine; resolves to whether it took it. */
  async send(event: { readonly type: string }): Promise<boolean> {
    if (event.type.startsWith('callboard.') || event.type.startsWith('xstate.')) {
      throw new CallboardError(
        'event.reserved',
        `run ${this.runId}: events of type "${event.type}" belong to the runtime; choose another type`,
        { runId: this.runId, type: event.type },
      )
    }
    const turn = await this.#engine.send(this.#parseEvent(event))
    return turn !== undefined
  }

  /** An update by an agent, with its rights and what it had seen. */
  async updateAs(
    process: AgentProcess,
    changes: Readonly<Record<string, unknown>>,
    options: UpdateOptions = {},
  ): Promise<{ result: UpdateResult; cells: readonly Cell[] }> {
    const { expectedSeq } = options
    if (expectedSeq !== undefined && this.viewOf(process).seq !== expectedSeq) {
      return {
        result: await this.#refuse(this.#seqRefusal(process.id, expectedSeq, this.viewOf(process).seq)),
        cells: NO_CELLS,
      }
    }
    const { id, type } = process
    return this.#update(
      {
        author: { kind: 'agent', id, type },
        access: process.sight.access,
        lineage: process.lineage,
        seen: (address) => process.seen(address),
      },
      changes,
      options,
    )
  }

  /** An update by someone outside, who knows no base unless they name one. */
  updateFromOutside(
    name: string,
    changes: Readonly<Record<string, unknown>>,
    options: UpdateOptions = {},
  ): Promise<UpdateResult> {
    const { expectedSeq } = options
    if (expectedSeq !== undefined && this.#engine.seq !== expectedSeq) {
      return this.#refuse(this.#seqRefusal(name, expectedSeq, this.#engine.seq))
    }
    const asker = {
      author: { kind: 'outside', name } as const,
      access: undefined,
      lineage: [],
      seen: () => 'unknown' as const,
    }
    return this.#update(asker, changes, options).then(({ result }) => result)
  }

  /** Adds a record that is not a macrostep. */
  record(kind: RecordKind, author: string, asked: unknown): Promise<void> {
    return this.#engine.append(kind, author, asked)
  }

  /** Asks a person and waits for the answer. */
  async ask(
    process: AgentProcess,
    askKey: string,
    target: PersonTarget,
    { question, timeoutMs }: AskOptions,
  ): Promise<unknown> {
    const id = `${process.invocation}/${askKey}`
    const definition = 'key' in target ? this.catalogue.find(target.key) : undefined
    const schema = 'key' in target ? definition?.schema : this.definition.events?.[target.event]
    const request: OpenRequest = Object.freeze({
      id,
      runId: this.runId,
      agent: process.id,
      target,
      question,
      askedAt: this.clock.now(),
      schema: jsonSchemaOf(schema),
    })
    await this.record('request', process.id, { id, target, question })
    const answer = this.requests.open(request)
    this.#services.topics.emit('request', { runId: this.runId, request })
    if (timeoutMs === undefined || timeoutMs === Number.POSITIVE_INFINITY) return answer
    const deadline = this.deadlines.add(this.clock.now() + timeoutMs, () =>
      this.requests.withdraw(
        id,
        new CallboardError(
          'request.timeout',
          `run ${this.runId}: nobody answered ${process.id} within ${timeoutMs} ms${question === undefined ? '' : ` (${question})`}; raise timeoutMs, or handle its absence`,
          { runId: this.runId, agent: process.id, id },
        ),
      ),
    )
    return answer.finally(() => deadline.cancel())
  }

  /** Answers an open request in somebody's name. */
  answer(id: string, value: unknown, by: string): Promise<void> {
    return this.requests.answer(id, async ({ target, agent }) => {
      if ('event' in target) {
        const payload = typeof value === 'object' && value !== null ? value : {}
        const handled = await this.send({ ...payload, type: target.event })
        if (!handled)
          throw new CallboardError(
            'request.refused',
            `run ${this.runId}: the machine does not take "${target.event}" in its present state; answer later`,
            { runId: this.runId, id },
          )
        return payload
      }
      const definition = this.catalogue.find(target.key)
      const holder = definition?.scope === 'private' ? { holder: agent } : {}
      const process = this.processes.find((candidate) => candidate.id === agent)
      const group =
        definition?.scope === 'group' && definition.group === undefined && process !== undefined
          ? { group: process.type }
          : {}
      const result = await this.updateFromOutside(by, {
        [target.key]: put(value, { policy: 'replace', ...holder, ...group }),
      })
      if (result.kind === 'refused') {
        throw new CallboardError(
          'request.refused',
          `run ${this.runId}: the answer was not accepted: ${result.message}; the request stays open`,
          { runId: this.runId, id, refusal: result },
        )
      }
      return value
    })
  }

  /** Ends the run. */
  async stop(reason: string): Promise<void> {
    if (this.#end !== undefined) return
    const error = new CallboardError('run.stopped', `run ${this.runId} was stopped: ${reason}`, { runId: this.runId })
    await this.#engine.stop(reason)
    this.#finish({ kind: 'stopped', error })
  }

  /** Calls back once at the next commit, or when the run ends. */
  onNextCommit(wake: () => void): () => void {
    this.#wakers.add(wake)
    return () => this.#wakers.delete(wake)
  }

  onProgress(process: AgentProcess, progress: Progress): void {
    process.progress = progress
    this.#services.topics.emit('progress', { runId: this.runId, agent: process.id, ...progress })
  }

  onAgentWaits(): void {
    queueMicrotask(() => this.#endDeadlock())
  }

  onAgentEnded(process: AgentProcess, how: string): void {
    this.waits.cancel(process.id, this.#cancelled(process.id))
    this.requests.withdrawAll(this.#cancelled(process.id), process.id)
    this.subscriptions.end(process.id)
    this.#views.delete(process.id)
    this.#services.topics.emit('agent', { runId: this.runId, agent: process.id, type: process.type, status: how })
    this.onAgentWaits()
  }

  /** Another run has changed global entries. */
  onGlobalsChanged(changes: readonly CellChange[], by: string, at: number): void {
    if (this.#end !== undefined || this.#committedSeq === 0) return
    this.#board = undefined
    this.#afterChanges(changes, by, at)
    if (changes.some(({ key }) => this.#engine.board.own.dependantsOf(key).length > 0)) {
      void this.#engine.send({ type: UPSTREAM_EVENT, changes } as never).catch(() => {})
    }
  }

  timeoutError(wait: Wait, process?: AgentProcess): CallboardError {
    return waitTimeoutError(this.runId, wait, this.#explainWait(wait, process))
  }

  explain(): Explanation {
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
      waits: this.waits.list().map((wait) => this.#explainWait(wait)),
      requests: this.requests.list().map(({ id, agent, question }) => ({ id, agent, question })),
      hasTimers: this.#end === undefined && this.#engine.hasTimers,
    }
    return Object.freeze({ ...facts, text: describeExplanation(facts) })
  }

  #explainWait({ waiter, keys, sinceAt, timeoutMs }: Wait, asker?: AgentProcess): WaitExplanation {
    const named = keys.filter((key) => key !== '*' && (asker === undefined || asker.sight.access.canRead(key)))
    const producers = named.map((key) => [key, producersOf(key, this.definition.agents, this.processes)] as const)
    return { waiter, keys: named, sinceAt, timeoutMs, producers: Object.fromEntries(producers) }
  }

  #accessOf(type: string): Access {
    const known = this.#access.get(type)
    if (known !== undefined) return known
    const definition = this.definition.agents.get(type)
    if (definition === undefined) {
      throw new CallboardError(
        'agent.unknown',
        `run ${this.runId}: no agent type "${type}" is registered; registered are ${[...this.definition.agents.keys()].join(', ') || 'none'}`,
        { runId: this.runId, type },
      )
    }
    const access = new Access(accessRulesOf(type, definition))
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

  async #startAgent(
    id: string,
    type: string,
    definition: AgentDefinition,
    invocation: string,
    input: unknown,
  ): Promise<unknown> {
    const process = new AgentProcess(this, { id, type, invocation, definition, sight: this.sightOf(type, id) })
    this.#processes.set(invocation, process)
    this.#services.topics.emit('agent', { runId: this.runId, agent: id, type, status: 'running' })
    try {
      return await process.run(input)
    } finally {
      this.journal.forget(invocation)
      queueMicrotask(() => this.#forgetAgent(invocation))
    }
  }

  /** Only the newest invocation of an id is remembered once it has ended. */
  #forgetAgent(invocation: string): void {
    const ended = this.#processes.get(invocation)
    if (ended === undefined) return
    for (const [other, process] of this.#processes) {
      if (
        other !== invocation &&
        process.id === ended.id &&
        process.status !== 'running' &&
        process.status !== 'waiting'
      )
        this.#processes.delete(other)
    }
  }

  async #startChild(id: string, child: AnyActorLogic, invocation: string, input: unknown): Promise<unknown> {
    const run = await this.#services.startChild(child as AnyStateMachine, {
      runId: invocation,
      input,
      parent: { runId: this.runId, id },
    })
    this.#children.set(invocation, run)
    try {
      return await run.done
    } finally {
      this.#children.delete(invocation)
      this.onAgentWaits()
    }
  }

  #update(
    asker: Pick<Asking, 'author' | 'access' | 'lineage' | 'seen'>,
    changes: Readonly<Record<string, unknown>>,
    options: UpdateOptions,
  ): Promise<UpdateAnswer> {
    const id = this.#services.nextUpdateId()
    const asking: Asking = {
      ...asker,
      catalogue: this.catalogue,
      id,
      at: this.clock.now(),
      otherKeys: () => this.#engine.board.liveKeys(),
    }
    const update = prepareUpdate(asking, changes, options)
    if (update.kind === 'refused') return this.#refuse(update).then((result) => ({ result, cells: NO_CELLS }))
    if (update.changes.length === 0) return Promise.resolve(NOTHING_TO_DO)
    return new Promise((resolve, reject) => {
      this.#engine.update(update, (turn) => this.#answerUpdate(update, turn, resolve, reject), reject)
    })
  }

  #answerUpdate(
    update: Update,
    turn: Turn | undefined,
    resolve: (answer: UpdateAnswer) => void,
    reject: (error: unknown) => void,
  ): void {
    const outcome = turn?.snapshot.context.board.transcript.find((line) => line.update === update)
    if (outcome === undefined) {
      reject(
        new CallboardError('run.finished', `run ${this.runId} has ended; it takes no more updates`, {
          runId: this.runId,
        }),
      )
      return
    }
    const { result } = outcome
    if (result.kind === 'refused') {
      resolve({ result, cells: NO_CELLS })
      return
    }
    const versions: Record<string, number> = {}
    const cells: Cell[] = []
    for (const { kind, key, cell } of result.changes) {
      if (kind !== 'put' && kind !== 'drop') continue
      setOwn(versions as Record<string, unknown>, key, cell.entry.version)
      cells.push(cell)
    }
    const { conflicts, skipped } = result
    resolve({ result: { kind: 'accepted', versions, conflicts, skipped }, cells })
  }

  async #refuse(refusal: Refusal): Promise<Refusal> {
    await this.#engine.append('refusal', refusal.author, { keys: refusal.key === undefined ? [] : [refusal.key] }, [
      refusal,
    ])
    return refusal
  }

  #seqRefusal(author: string, expected: number, actual: number): Refusal {
    return Object.freeze({
      kind: 'refused',
      reason: 'expected-seq',
      key: undefined,
      author,
      message: `${author}: seq ${expected} was expected, but it is ${actual}; read again and retry`,
    })
  }

  #parseEvent(event: { readonly type: string }): { readonly type: string } {
    const { events } = this.definition
    if (events === undefined) return event
    const schema = Object.hasOwn(events, event.type) ? events[event.type] : undefined
    if (schema === undefined) {
      throw new CallboardError(
        'event.unknown',
        `run ${this.runId}: workflow ${this.definition.name} declares no event "${event.type}"; declared are ${Object.keys(events).join(', ')}`,
        { runId: this.runId, type: event.type },
      )
    }
    const { type, ...payload } = event
    const parsed = schema.safeParse(payload)
    if (parsed.success) return { ...(parsed.data as object), type }
    const issue = parsed.error.issues[0]
    throw new CallboardError(
      'event.invalid',
      `run ${this.runId}: event "${type}" does not fit its schema at ${issue?.path.map(String).join('.') || 'its payload'}: ${issue?.message ?? 'invalid'}`,
      { runId: this.runId, type },
    )
  }

  #engineHost(): EngineHost {
    return {
      runId: this.runId,
      clock: this.clock,
      inspect: this.#services.inspect,
      globals: () => this.#services.globals.latest,
      stageGlobals: (globals) => this.#services.globals.stage(globals),
      commit: (turns, status) => this.#commit(turns, status),
      onCommitted: (turn) => this.#onCommitted(turn),
      onFailed: (error) => this.#onFailed(error),
    }
  }

  #commit(turns: readonly Turn[], status: MachineState['status']): Promise<void> {
    const records: LedgerRecord[] = turns.map(({ record }) => record)
    const first = records[0]
    const last = records.at(-1)
    if (first === undefined || last === undefined) return Promise.resolve()
    const isEnd = last.kind === 'end' ? (last.asked as { readonly status: MachineState['status'] }).status : status
    const batch = {
      runId: this.runId,
      expectedSeq: first.seq - 1,
      records,
      summary: {
        runId: this.runId,
        workflow: this.definition.name,
        version: this.definition.version,
        status: isEnd,
        seq: last.seq,
        createdAt: this.createdAt,
        updatedAt: last.at,
        parent: this.parent,
      },
    }
    if (!turns.some(({ changesGlobals }) => changesGlobals)) return this.#services.store.append([batch])
    const global = this.#services.globals.batchOf(records)
    return this.#services.store.append(global === undefined ? [batch] : [batch, global])
  }

  #onCommitted({ record, changes, changesGlobals, snapshot }: Turn): void {
    this.#committedSeq = record.seq
    if (changes.length > 0) {
      if (changesGlobals) this.#services.globals.commit(changes)
      this.#board = undefined
      this.#afterChanges(changes, record.author, record.at)
      if (changesGlobals) {
        this.#services.announceGlobals(
          this.runId,
          changes.filter(({ scope }) => scope === 'global'),
          record.author,
          record.at,
        )
      }
    }
    if (this.#wakers.size > 0) for (const wake of Array.from(this.#wakers)) wake()
    if (this.#services.topics.has('record')) this.#services.topics.emit('record', { runId: this.runId, record })
    if (snapshot.status !== 'active') this.#finishWith(snapshot)
    else if (this.#processes.size > 0) this.onAgentWaits()
  }

  /** What every reader of the board is told, in order (R2). */
  #afterChanges(changes: readonly CellChange[], by: string, at: number): void {
    const board = this.#engine.committed.context.board.withGlobals(this.#services.globals.committed)
    this.#board = board
    if (this.#views.size > 0)
      for (const [id, view] of this.#views.entries()) {
        const next = view.next(board, changes)
        if (next !== view) this.#views.set(id, next)
      }
    this.#armExpiry(board)
    if (this.waits.size > 0) this.waits.touch(changes.map(({ key }) => key))
    this.subscriptions.publish(changes, by, at)
  }

  #armExpiry(board: Board): void {
    const at = board.nextExpiryAt
    if (at === this.#expiry?.at) return
    this.#expiry?.cancel()
    this.#expiry = at === undefined ? undefined : this.deadlines.add(at, () => this.#sendExpiry())
  }

  #sendExpiry(): void {
    this.#expiry?.cancel()
    this.#expiry = undefined
    if (this.#end === undefined)
      void this.#engine.send({ type: EXPIRE_EVENT, at: this.clock.now() } as never).catch(() => {})
  }

  #finishWith(snapshot: Turn['snapshot']): void {
    if (snapshot.status === 'error') {
      this.#finish({ kind: 'failed', error: snapshot.error })
      return
    }
    const { output: schema } = this.definition
    const parsed = schema?.safeParse(snapshot.output)
    if (parsed === undefined || parsed.success) {
      this.#finish({ kind: 'done', output: parsed === undefined ? snapshot.output : parsed.data })
      return
    }
    const issue = parsed.error.issues[0]
    this.#finish({
      kind: 'failed',
      error: new CallboardError(
        'run.output',
        `run ${this.runId}: the output does not fit its schema at ${issue?.path.map(String).join('.') || 'its root'}: ${issue?.message ?? 'invalid'}`,
        { runId: this.runId },
      ),
    })
  }

  #onFailed(error: unknown): void {
    if (this.#end !== undefined) return
    const described = describeError(error)
    const wasStopped = this.#engine.isStopped
    if (!wasStopped) {
      void this.#engine.append('end', 'workflow', { status: 'error', error: described }).catch(() => {})
      this.#engine.halt()
    }
    this.#finish({ kind: 'failed', error })
  }

  #finish(end: RunEnd): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.#expiry?.cancel()
    const reason = new CallboardError('run.finished', `run ${this.runId} has ended (${end.kind})`, {
      runId: this.runId,
    })
    for (const process of this.#processes.values()) process.stop(this.#cancelled(process.id))
    for (const child of this.#children.values())
      void child.stop(`its parent run ${this.runId} has ended`).catch(() => {})
    this.waits.rejectAll(() => reason)
    this.requests.withdrawAll(reason)
    this.subscriptions.end()
    this.#views.clear()
    for (const wake of [...this.#wakers]) wake()
    this.#services.onEnded(this, end)
    this.#resolveEnded(end)
  }

  /** R3, looked at whenever an agent begins to wait, an agent ends, or a turn is committed. */
  #endDeadlock(): void {
    if (this.#end !== undefined || !this.#engine.isSettled || this.waits.size === 0) return
    const active = this.processes.filter(({ status }) => status === 'running' || status === 'waiting')
    if (active.length === 0 || active.some(({ isBlocked }) => !isBlocked)) return
    if (this.#engine.hasTimers || this.#children.size > 0 || this.#hasOtherActors()) return
    const open = this.requests.list()
    const waits = this.waits.list().filter(({ waiter }) => active.some(({ id }) => id === waiter))
    if (waits.some((wait) => wait.keys.some((key) => this.#mayComeFromOutside(key, open)))) return
    const nodes = active.map((process) => waitForNode(process, waits, this.definition.agents, this.processes))
    const graph = buildWaitForGraph(nodes)
    this.#services.topics.emit('deadlock', { runId: this.runId, graph })
    this.waits.rejectAll(
      ({ waiter }) => deadlockError(this.runId, waiter, graph),
      (wait) => waits.includes(wait),
    )
  }

  #mayComeFromOutside(key: string, open: readonly OpenRequest[]): boolean {
    if (open.length > 0 || key === '*') return open.length > 0 || key === '*'
    const definition = this.catalogue.find(key)
    if (definition?.outside === true || definition?.scope === 'global') return true
    return couldEventWrite(key, this.activeNodes, this.definition.agents)
  }

  /** Actors that are neither agents nor child runs: what they do cannot be known. */
  #hasOtherActors(): boolean {
    return Object.values(this.#engine.committed.children).some(({ src, getSnapshot }) => {
      const logic = typeof src === 'string' ? this.definition.actors[src] : undefined
      if (logic !== undefined && (isAgentLogic(logic) || workflowOf(logic) !== undefined)) return false
      return getSnapshot().status === 'active'
    })
  }
}
