// Run: what the outside holds of one run.
import { handOut } from '../base/index.ts'
import { entryOf, refusalError } from '../context/index.ts'
import type { Entry, UpdateOptions, View } from '../context/index.ts'
import { diffBoards } from '../ledger/index.ts'
import type { EntryDifference, LedgerRecord } from '../ledger/index.ts'
import type { Labels, RunSummary, Store } from '../store/index.ts'
import type { DeliveryRecord, NotificationHandler } from '../waits/index.ts'
import type { Accepted, Changes, SubscribeOptions, UpdateResult, WaitOptions } from '../workflow/index.ts'
import { followChanges } from './changes.ts'
import type { Change, ChangesOptions } from './changes.ts'
import { listEvictions } from './evictions.ts'
import type { EvictionRecord } from './evictions.ts'
import { compareSides } from './compare.ts'
import type { ComparedSides, Comparison } from './compare.ts'
import { conflictsIn, resolveConflict } from './conflicts.ts'
import type { ConflictsOptions, Decision, ListedConflict } from './conflicts.ts'
import type { Explanation } from './explain.ts'
import { logOf } from './change-log.ts'
import type { LogLine, LogOptions } from './change-log.ts'
import { episodesAmong, takeEpisode } from './episode.ts'
import type { Episode, EpisodeOptions } from './episode.ts'
import type { ForkOptions } from './fork.ts'
import type { RunHost } from './run-host.ts'
import { loadRun, readRecords } from './load-run.ts'
import { createMoment } from './moment.ts'
import type { Moment } from './moment.ts'
import { AwaitedPromise } from './awaited-promise.ts'
import { updateFromElsewhere } from './elsewhere.ts'
import { OUTSIDE, waitFromOutside } from './outside-wait.ts'
import { answerRequest } from './people.ts'
import { newestSnapshot, readLeft, seqOfPoint, takeSnapshot } from './point.ts'
import type { Point, SnapshotInfo } from './point.ts'
import type { OpenRequest } from './requests.ts'
import { restoreBoard } from './restore.ts'
import type { Restored, RestoreOptions } from './restore.ts'
import { exportRun } from './run-export.ts'
import type { ExportOptions, RunExport } from './run-export.ts'
import { unknownError } from './runtime-errors.ts'
import type { RunCore } from './run-core.ts'
import { outputOf } from './run-end.ts'
import type { RunState } from './run-state.ts'
import type { Seat } from './seat.ts'
import { subscribeOutside } from './subscribe.ts'

/** Who acts from outside; shown as the author of what they write. */
export interface OutsideOptions extends UpdateOptions {
  /** `outside` unless given. */
  readonly by?: string
  /** Write as an agent that works elsewhere: with the rights of its type, in its own name. */
  readonly agent?: { readonly id: string; readonly type?: string | undefined }
}

type Key<Values> = keyof Values & string

const NO_LABELS: Labels = Object.freeze({})
/** Sights of agents that were never invoked. */
const MOST_SIGHTS = 1_000

export class Run<Output = unknown, Values extends object = Record<string, unknown>, Taken extends object = Values> {
  readonly #seat: Seat
  readonly #store: Store
  readonly #host: RunHost
  #done: Promise<Output> | undefined
  #sights: Map<string, ReturnType<RunCore['sightOf']>> | undefined

  /** Use `runtime.start` or `runtime.open`. */
  constructor(seat: Seat, store: Store, host: RunHost) {
    this.#seat = seat
    this.#store = store
    this.#host = host
  }

  /** The workflow's output; rejects when the run fails or is stopped. */
  get done(): Promise<Output> {
    return (this.#done ??= this.#promiseOutput())
  }

  #promiseOutput(): Promise<Output> {
    const done = this.#seat.ended.then((end) => outputOf(end) as Output)
    // Whoever asks and does not await it is not to be told by an uncaught rejection.
    done.catch(() => {})
    return new AwaitedPromise(done, () => this.#seat.onAwaited())
  }

  /** For reading: the run at work, or as it was when it went to rest. */
  get #core(): RunCore {
    return this.#seat.core
  }

  /** Does one thing with the run at work: at once, unless it rests and has to come back. */
  #act<Result>(work: (core: RunCore) => Promise<Result>): Promise<Result> {
    const { active } = this.#seat
    return active === undefined ? this.#seat.awake().then(work) : work(active)
  }

  /** Does several things with the run at work; it does not rest in between. */
  #during<Result>(work: (core: RunCore) => Promise<Result>): Promise<Result> {
    return this.#act(async (core) => {
      const release = core.hold()
      try {
        return await work(core)
      } finally {
        release()
      }
    })
  }

  get id(): string {
    return this.#seat.runId
  }

  /** The name of its workflow. */
  get workflow(): string {
    return this.#core.definition.name
  }

  /** What whoever started it noted about it. */
  get labels(): Labels {
    return this.#core.labels ?? NO_LABELS
  }

  /** Of a child run: who invoked it. */
  get parent(): RunSummary['parent'] {
    return this.#core.parent
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
  async update(changes: Changes<Taken>, options: OutsideOptions = {}): Promise<Accepted> {
    const result = await this.tryUpdate(changes, options)
    if (result.kind === 'refused') throw refusalError(result, this.id)
    return result
  }

  /** Like `update`, but a refusal is a value. */
  tryUpdate(changes: Changes<Taken>, { by = OUTSIDE, agent, ...options }: OutsideOptions = {}): Promise<UpdateResult> {
    if (agent === undefined) return this.#act((core) => core.updateFromOutside(by, changes, options))
    return this.#act((core) => updateFromElsewhere(core, this.#sight(agent.id, agent.type), changes, options))
  }

  /** Sends an event to the machine; resolves, once what came of it is stored, to whether the machine took it. */
  send(event: { readonly type: string; readonly [field: string]: unknown }): Promise<boolean> {
    return this.#act((core) => core.send(event))
  }

  /**
   * Waits for an entry as the workflow sees it, or as an agent that works elsewhere does.
   * @throws CallboardError `wait.timeout`, `run.finished`; for an agent `wait.unknown-key`, `view.not-readable`
   */
  waitFor<Key extends keyof Values & string>(
    key: Key,
    { agent, ...options }: WaitOptions & Pick<OutsideOptions, 'agent'> = {},
  ): Promise<Values[Key]> {
    const sight = agent === undefined ? undefined : this.#sight(agent.id, agent.type)
    return waitFromOutside(this.#core, (work) => this.#during(work), { ...options, key, sight }) as Promise<Values[Key]>
  }

  /** Whether an agent may see an entry: for whoever passes on to it what was committed. */
  isSeenBy(agentId: string, entry: Entry, type?: string): boolean {
    return this.#sight(agentId, type).admits(entry)
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
    return subscribeOutside(this.#seat, spec)
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
   * @throws CallboardError `request.not-open`; `request.refused`, or `event.invalid` for an event's payload, when the answer was not accepted (the request stays open)
   */
  answer(id: string, value: unknown, { by = 'person' }: { readonly by?: string } = {}): Promise<void> {
    return this.#during((core) => answerRequest(core, id, value, by))
  }

  /** Why the run does not move: who waits for what, who could provide it, who is asked. */
  explain(): Explanation {
    return this.#core.explain()
  }

  /** Entries that made room for others, oldest first, as they were; as far back as records are kept. */
  async evictions(): Promise<readonly EvictionRecord[]> {
    return handOut(listEvictions(await readLeft(this.#store, this.id))) as readonly EvictionRecord[]
  }

  /** Disagreements that a policy decided, oldest first, and who decided them anew; as far back as records are kept. */
  async conflicts({ open = false }: ConflictsOptions = {}): Promise<readonly ListedConflict[]> {
    const conflicts = conflictsIn(await readLeft(this.#store, this.id))
    return open ? conflicts.filter(({ resolvedBy }) => resolvedBy === undefined) : conflicts
  }

  /**
   * Decides a conflict anew, once: by another policy over the same base, theirs and mine, or by a value for the whole entry.
   * @throws CallboardError `conflict.unknown`, `conflict.resolved`; `policy.unknown`, `policy.refused`; `update.refused`
   */
  resolveConflict(id: string, decision: Decision, { by = 'person' }: { readonly by?: string } = {}): Promise<Accepted> {
    const records = (): ReturnType<typeof readLeft> => readLeft(this.#store, this.id)
    return this.#during((core) => resolveConflict(core, id, decision, { by, records }))
  }

  /** Notes this point of the history under an id of its own, with a reason. Metadata is plain data. */
  snapshot(reason: string, metadata: SnapshotInfo['metadata'] = {}): Promise<SnapshotInfo> {
    const line = { id: this.#host.nextId('snap'), reason, metadata }
    return this.#during((core) => takeSnapshot(core, line, OUTSIDE))
  }

  /** The named points of its history, oldest first; those that phases made and episodes among them. */
  snapshots(): readonly SnapshotInfo[] {
    return this.#core.snapshots.map((snapshot) => handOut(snapshot) as SnapshotInfo)
  }

  /**
   * Notes this point as a milestone under a name that is never given again, with a summary of what led to it.
   * @throws CallboardError `episode.exists`
   */
  episode(name: string, options: EpisodeOptions = {}): Promise<Episode> {
    const episode = { ...options, name, id: this.#host.nextId('ep') }
    return this.#during((core) => takeEpisode(core, this.#store, episode))
  }

  /** Its milestones, oldest first. */
  episodes(): readonly Episode[] {
    return episodesAmong(this.snapshots())
  }

  /** Who changed what, from which version to which, and when; oldest first, sensitive values redacted. */
  async log(options: LogOptions = {}): Promise<readonly LogLine[]> {
    const records = await readLeft(this.#store, this.id, options.afterSeq)
    return logOf(await this.#load((records[0]?.seq ?? 1) - 1), records, options)
  }

  /**
   * Puts the entries of the run, in every scope but the global one, back to what they were at a point (the newest snapshot
   * unless given), in one update: new versions, never rewound ones. What was made since is removed; what is protected stays
   * unless overridden; what is ephemeral has no part in it. The machine stays where it is.
   * @throws CallboardError `run.no-such-seq`, `run.finished`
   */
  restore(point?: Point, options: RestoreOptions = {}): Promise<Restored> {
    return this.#during(async (core) => {
      const then = await this.#stateAt(point ?? newestSnapshot(core))
      return restoreBoard(core, then, options)
    })
  }

  /**
   * A new run that goes on from a point of this one, which stays as it is. See `runtime.fork`.
   * @throws CallboardError `run.no-such-seq`, `run.exists`, `run.invalid-id`; `run.finished` for a point after its end
   */
  fork(point: Point, options: ForkOptions = {}): Promise<Run<Output, Values>> {
    return this.#host.fork(this.id, point, options) as unknown as Promise<Run<Output, Values>>
  }

  /**
   * The run as it was after a record, or at a snapshot or episode, with the global entries that it saw then; where
   * those are not kept any more, with those that it had written itself.
   * @throws CallboardError `run.no-such-seq`; `run.trimmed` for a point before the records that are kept
   */
  async at(point: Point): Promise<Moment<Values>> {
    const state = await this.#seenAt(point)
    return createMoment(state, (agentId, type) => this.#sight(agentId, type)) as Moment<Values>
  }

  /**
   * What an agent saw at a point, like `at`: "what did planner see at 41". `type` is needed for one that has not been
   * invoked.
   */
  async viewAt(agentId: string, point: Point, { type }: { readonly type?: string } = {}): Promise<View> {
    return (await this.at(point)).view(agentId, type)
  }

  /** What is different at one point from another, by key. */
  async diff(from: Point, to: Point): Promise<readonly EntryDifference[]> {
    const [before, after] = [await this.#seenAt(from), await this.#seenAt(to)]
    return handOut(diffBoards(before.board, after.board)) as readonly EntryDifference[]
  }

  /** Three entries, or one at two points: as it was, as it was planned, as it is; and the deltas of their numbers. */
  compare<Before extends Key<Values>, After extends Key<Values>, Plan extends Key<Values> = never>(
    sides: ComparedSides<Before, Plan, After>,
  ): Promise<Comparison<Values[Before], Values[Plan], Values[After]>> {
    this.#host.onQuery(this.id, 'compare')
    return compareSides(this as Run, sides) as never
  }

  /**
   * The records of the run, oldest first; copies, so that nobody writes to the ledger by way of them.
   * @throws CallboardError `run.trimmed` for records that are not kept any more
   */
  async ledger({ afterSeq = 0 }: { readonly afterSeq?: number } = {}): Promise<readonly LedgerRecord[]> {
    return handOut(await readRecords(this.#store, this.id, { afterSeq })) as readonly LedgerRecord[]
  }

  /** Everything that can be said of the run as plain JSON, sensitive values redacted unless asked for. */
  async export(options: ExportOptions = {}): Promise<RunExport> {
    this.#host.onQuery(this.id, 'export')
    const [conflicts, log, summary] = [await this.conflicts(), await this.log(), await this.#store.summary(this.id)]
    if (summary === undefined) throw unknownError(this.id)
    const { state } = this
    const facts = { summary, state, entries: this.entries(), snapshots: this.snapshots(), conflicts, log }
    return exportRun(facts, options)
  }

  /** Ends the run: agents, children and timers stop, `done` rejects with `run.stopped`. Twice is harmless. */
  stop(reason = 'asked from outside'): Promise<void> {
    return this.#act((core) => core.stop(reason))
  }

  #sight(agentId: string, type?: string): ReturnType<RunCore['sightOf']> {
    const process = this.#core.processOf(agentId)
    // Whoever names a type has the rights of that type, whatever somebody of the same id was invoked as.
    if (process !== undefined && (type === undefined || process.type === type)) return process.sight
    // Kept, so that the views of an agent that was not invoked are the same object too while nothing in them changes.
    const sight = this.#sights?.get(agentId)
    if (sight !== undefined && sight.access.rules.type === (type ?? agentId)) return sight
    const made = this.#core.sightOf(type ?? agentId, agentId)
    this.#sights ??= new Map()
    if (this.#sights.size >= MOST_SIGHTS) this.#sights.clear()
    this.#sights.set(agentId, made)
    return made
  }

  async #stateAt(point: Point): Promise<RunState> {
    return this.#load(seqOfPoint(point, { runId: this.id, seq: this.seq, snapshots: this.#core.snapshots }))
  }

  /** With the global entries of then. */
  async #seenAt(point: Point): Promise<RunState> {
    const state = await this.#stateAt(point)
    return { ...state, board: await this.#host.withGlobalsThen(state) }
  }

  #load(atSeq: number): Promise<RunState> {
    return loadRun({ store: this.#store, catalogue: this.#core.catalogue, runId: this.id, atSeq })
  }
}
