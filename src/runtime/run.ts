// Run: what the outside holds of one run.
import { admitValue, CallboardError, handOut } from '../base/index.ts'
import { entryOf, put, refusalError } from '../context/index.ts'
import type { Conflict, Entry, Policy, UpdateOptions, View } from '../context/index.ts'
import { diffBoards } from '../ledger/index.ts'
import type { EntryDifference, FoldedState, LedgerRecord } from '../ledger/index.ts'
import type { RunSummary, Store } from '../store/index.ts'
import type { DeliveryRecord, NotificationHandler } from '../waits/index.ts'
import type { Accepted, Changes, SubscribeOptions, UpdateResult, WaitOptions } from '../workflow/index.ts'
import { followChanges } from './changes.ts'
import type { Change, ChangesOptions } from './changes.ts'
import type { Explanation } from './explain.ts'
import { firstKeptSeq, loadRun, readRecords } from './load-run.ts'
import { createMoment } from './moment.ts'
import type { Moment } from './moment.ts'
import { AwaitedPromise } from './awaited-promise.ts'
import { answerRequest } from './people.ts'
import type { OpenRequest } from './requests.ts'
import type { RunCore } from './run-core.ts'
import type { Seat } from './seat.ts'

/** A snapshot: a named point of a run's history. */
export interface SnapshotInfo {
  readonly id: string
  readonly seq: number
  readonly at: number
  readonly reason: string
  readonly metadata: Readonly<Record<string, unknown>>
}

/** Who acts from outside; shown as the author of what they write. */
export interface OutsideOptions extends UpdateOptions {
  /** `outside` unless given. */
  readonly by?: string
}

const OUTSIDE = 'outside'
/** Sights of agents that were never invoked. */
const MOST_SIGHTS = 1_000

export class Run<Output = unknown, Values extends object = Record<string, unknown>> {
  readonly id: string
  /** The workflow's output; rejects when the run fails or is stopped. */
  readonly done: Promise<Output>
  readonly #seat: Seat
  readonly #store: Store
  readonly #nextId: (kind: string) => string
  #sights: Map<string, ReturnType<RunCore['sightOf']>> | undefined

  /** Use `runtime.start` or `runtime.open`. */
  constructor(seat: Seat, store: Store, nextId: (kind: string) => string) {
    this.id = seat.runId
    this.#seat = seat
    this.#store = store
    this.#nextId = nextId
    const done = seat.ended.then((end) => {
      if (end.kind === 'done') return end.output as Output
      throw end.error
    })
    // Whoever does not ask for the outcome is not to be told by an uncaught rejection.
    done.catch(() => {})
    this.done = new AwaitedPromise(done, () => seat.onAwaited())
  }

  /** For reading: the run at work, or as it was when it went to rest. */
  get #core(): RunCore {
    return this.#seat.core
  }

  /** Does something with the run at work: at once, unless it rests and has to come back. */
  #act<Result>(work: (core: RunCore) => Promise<Result>): Promise<Result> {
    const { active } = this.#seat
    return active === undefined ? this.#seat.awake().then(work) : work(active)
  }

  /** The name of its workflow. */
  get workflow(): string {
    return this.#core.definition.name
  }

  get status(): RunSummary['status'] {
    return this.#core.status
  }

  /** The seq of its last record. */
  get seq(): number {
    return this.#core.seq
  }

  /** The machine's state value. */
  get state(): unknown {
    return this.#core.stateValue
  }

  /** The workflow's own reading of a key. */
  get<Key extends keyof Values & string>(key: Key): Values[Key] | undefined {
    return this.#core.readableBoard().get(key) as Values[Key] | undefined
  }

  /** The workflow's own reading of an entry with all that is known about it. */
  entry<Key extends keyof Values & string>(key: Key): Entry<Values[Key]> | undefined {
    return this.#core.readableBoard().entry(key) as Entry<Values[Key]> | undefined
  }

  /** Every entry of the run in every scope, and the global ones; for the owner of the run, not for agents. */
  entries(): readonly Entry[] {
    return [...this.#core.readableBoard().cells()].filter(({ live }) => live).map(entryOf)
  }

  /** What an agent sees now. `type` is needed for an agent that has not been invoked. */
  view(agentId: string, type?: string): View {
    return this.#core.viewOf({ sight: this.#sight(agentId, type) })
  }

  /** Writes entries from outside, all or none. @throws CallboardError `update.refused` */
  async update(changes: Changes<Values>, options: OutsideOptions = {}): Promise<Accepted> {
    const result = await this.tryUpdate(changes, options)
    if (result.kind === 'refused') throw refusalError(result, this.id)
    return result
  }

  /** Like `update`, but a refusal is a value. */
  tryUpdate(changes: Changes<Values>, { by = OUTSIDE, ...options }: OutsideOptions = {}): Promise<UpdateResult> {
    return this.#act((core) => core.updateFromOutside(by, changes, options))
  }

  /** Sends an event to the machine; resolves, once what came of it is stored, to whether the machine took it. */
  send(event: { readonly type: string; readonly [field: string]: unknown }): Promise<boolean> {
    return this.#act((core) => core.send(event))
  }

  /** Waits for an entry as the workflow sees it. @throws CallboardError `wait.timeout`, `run.finished` */
  waitFor<Key extends keyof Values & string>(
    key: Key,
    { timeoutMs = this.#core.waitTimeoutMs, fresh = false, since = 0, signal }: WaitOptions = {},
  ): Promise<Values[Key]> {
    if (this.#core.end !== undefined && this.get(key) === undefined) {
      return Promise.reject(
        new CallboardError('run.finished', `run ${this.id} has ended; "${key}" will not come any more`, {
          runId: this.id,
          key,
        }),
      )
    }
    const wait = async (core: RunCore): Promise<unknown> => {
      const release = core.hold()
      try {
        return await core.waits.add({
          waiter: OUTSIDE,
          keys: [key],
          mode: 'one',
          read: (name) => {
            const board = core.readableBoard()
            const own = board.own.plain(name)
            return own?.live === true ? own : board.globals.plain(name)
          },
          fresh,
          since,
          timeoutMs,
          signal,
          onTimeout: (one) => core.timeoutError(one),
        })
      } finally {
        release()
      }
    }
    return this.#act(wait) as Promise<Values[Key]>
  }

  /** Calls the handler after commits that change these keys or patterns; gives the function that ends it. */
  subscribe(
    patterns: string | readonly string[],
    handler: NotificationHandler,
    { own = true, by = OUTSIDE }: SubscribeOptions & { readonly by?: string } = {},
  ): () => void {
    const spec = {
      subscriber: by,
      patterns: typeof patterns === 'string' ? [patterns] : patterns,
      handler,
      own,
      admits: () => true,
    }
    return this.#seat.attach((core) => core.subscriptions.add(spec))
  }

  /** Calls the handler with every event of a type that the machine emits (`*` for all); gives the function that ends it. */
  on(type: string, handler: (event: { readonly type: string; readonly [field: string]: unknown }) => void): () => void {
    return this.#seat.attach((core) => core.onEmitted(type, handler as never))
  }

  /** The last deliveries to a subscriber (an agent's id, or `outside`), failures included. */
  deliveries(subscriber: string): readonly DeliveryRecord[] {
    return this.#core.subscriptions.history(subscriber)
  }

  /** Every change from a seq on, then those to come, until the run ends. */
  changes(options: ChangesOptions = {}): AsyncIterableIterator<Change> {
    return followChanges(this.#seat, this.#store, options)
  }

  /** What people are asked for now. */
  requests(): readonly OpenRequest[] {
    return this.#core.openRequests
  }

  /**
   * Answers an open request, once.
   * @throws CallboardError `request.not-open`; `request.refused` when the answer was not accepted (the request stays open)
   */
  answer(id: string, value: unknown, { by = 'person' }: { readonly by?: string } = {}): Promise<void> {
    return this.#act((core) => answerRequest(core, id, value, by))
  }

  /** Why the run does not move: who waits for what, who could provide it, who is asked. */
  explain(): Explanation {
    return this.#core.explain()
  }

  /** Disagreements that a policy decided, oldest first, as far back as records are kept. */
  async conflicts(): Promise<readonly Conflict[]> {
    const records = await this.#store.read(this.id, { afterSeq: (await firstKeptSeq(this.#store, this.id)) - 1 })
    return handOut(records.flatMap(({ conflicts }) => conflicts)) as readonly Conflict[]
  }

  /**
   * Decides a conflict anew: by another policy over the same base, theirs and mine, or by a value for the whole entry.
   * @throws CallboardError `conflict.unknown`; `update.refused`
   */
  async resolveConflict(
    id: string,
    decision: { readonly value: unknown } | { readonly policy: string | Policy },
    { by = 'person' }: { readonly by?: string } = {},
  ): Promise<Accepted> {
    const conflict = (await this.conflicts()).find((candidate) => candidate.id === id)
    if (conflict === undefined) {
      throw new CallboardError('conflict.unknown', `run ${this.id} has no conflict ${id}; run.conflicts() lists them`, {
        runId: this.id,
        id,
      })
    }
    const { key, address } = conflict
    const where = {
      scope: address.scope,
      ...(address.scope === 'group' && address.holder !== undefined ? { group: address.holder } : {}),
      ...(address.scope === 'private' && address.holder !== undefined ? { holder: address.holder } : {}),
    }
    const value = 'value' in decision ? decision.value : this.#decide(conflict, decision.policy)
    // The key comes from the ledger, where the compiler cannot follow it.
    const changes = { [key]: put(value, { ...where, policy: 'replace' }) } as Changes<Values>
    return this.update(changes, { by, override: true })
  }

  #decide({ key, base, theirs, mine, path, result }: Conflict, policy: string | Policy): unknown {
    const { catalogue } = this.#core
    const decide = typeof policy === 'function' ? policy : catalogue.policy(policy)
    if (decide === undefined) {
      throw new CallboardError(
        'policy.unknown',
        `unknown policy "${String(policy)}"; known are ${catalogue.policyNames.join(', ')}`,
        { policy },
      )
    }
    const priority = catalogue.find(key)?.priority ?? 'medium'
    const decided = decide({
      key,
      base,
      current: theirs,
      update: mine,
      concurrent: true,
      priority,
      types: catalogue.types,
    })
    if (decided.kind === 'refuse') {
      throw new CallboardError(
        'policy.refused',
        `policy ${typeof policy === 'string' ? policy : policy.name} cannot decide "${key}": ${decided.reason}`,
        { key },
      )
    }
    return setAt(result, path, decided.kind === 'keep' ? theirs : decided.value)
  }

  /** Notes this point of the history under an id, with a reason. */
  async snapshot(reason: string, metadata: Readonly<Record<string, unknown>> = {}): Promise<SnapshotInfo> {
    const id = this.#nextId('snap')
    await this.#act((core) => core.record('snapshot', OUTSIDE, { id, reason, metadata: admitValue(metadata).value }))
    return this.snapshots().find((info) => info.id === id) as SnapshotInfo
  }

  snapshots(): readonly SnapshotInfo[] {
    return [...this.#core.notes.snapshots]
  }

  /**
   * The run as it was after a record, or at a snapshot.
   * @throws CallboardError `run.no-such-seq`; `run.trimmed` for a point before the records that are kept
   */
  async at(point: number | string): Promise<Moment<Values>> {
    const state = await this.#stateAt(point)
    return createMoment(state, (agentId) => this.#sight(agentId)) as Moment<Values>
  }

  /** What an agent saw at a point: "what did planner see at 41". */
  async viewAt(agentId: string, point: number | string): Promise<View> {
    return (await this.at(point)).view(agentId)
  }

  /** What is different at one point from another, by key. */
  async diff(from: number | string, to: number | string): Promise<readonly EntryDifference[]> {
    const [before, after] = [await this.#stateAt(from), await this.#stateAt(to)]
    return handOut(diffBoards(before.board, after.board)) as readonly EntryDifference[]
  }

  /**
   * The records of the run, oldest first; copies, so that nobody writes to the ledger by way of them.
   * @throws CallboardError `run.trimmed` for records that are not kept any more
   */
  async ledger({ afterSeq = 0 }: { readonly afterSeq?: number } = {}): Promise<readonly LedgerRecord[]> {
    return handOut(await readRecords(this.#store, this.id, { afterSeq })) as readonly LedgerRecord[]
  }

  /** Ends the run: agents, children and timers stop, `done` rejects with `run.stopped`. Twice is harmless. */
  stop(reason = 'asked from outside'): Promise<void> {
    return this.#act((core) => core.stop(reason))
  }

  #sight(agentId: string, type?: string): ReturnType<RunCore['sightOf']> {
    const process = this.#core.processOf(agentId)
    if (process !== undefined) return process.sight
    // Kept, so that the views of an agent that was not invoked are the same object too while nothing in them changes.
    const sight = this.#sights?.get(agentId)
    if (sight !== undefined && sight.access.rules.type === (type ?? agentId)) return sight
    const made = this.#core.sightOf(type ?? agentId, agentId)
    this.#sights ??= new Map()
    if (this.#sights.size >= MOST_SIGHTS) this.#sights.clear()
    this.#sights.set(agentId, made)
    return made
  }

  async #stateAt(point: number | string): Promise<FoldedState> {
    const snapshots = this.snapshots()
    const seq = typeof point === 'number' ? point : snapshots.find(({ id }) => id === point)?.seq
    if (seq === undefined || !Number.isSafeInteger(seq) || seq < 1 || seq > this.seq) {
      throw new CallboardError(
        'run.no-such-seq',
        `run ${this.id} has no point ${String(point)}; its records are 1 to ${this.seq}, its snapshots ${snapshots.map(({ id }) => id).join(', ') || 'none'}`,
        { runId: this.id, point },
      )
    }
    return loadRun({ store: this.#store, catalogue: this.#core.catalogue, runId: this.id, atSeq: seq })
  }
}

/** A copy of a value with one part replaced. */
function setAt(value: unknown, [head, ...rest]: readonly (string | number)[], part: unknown): unknown {
  if (head === undefined) return part
  if (Array.isArray(value))
    return value.map((item: unknown, index) => (index === head ? setAt(item, rest, part) : item))
  const object = (value ?? {}) as Readonly<Record<string, unknown>>
  return Object.fromEntries([
    ...Object.entries(object).filter(([key]) => key !== head),
    [head, setAt(object[head], rest, part)],
  ])
}
