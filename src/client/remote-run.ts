// RemoteRun: a run elsewhere, in the words of one that is here. Nothing is kept: what is read is read there, and so it is a
// promise.
import { CallboardError, fromTagged, isCallboardError } from '../base/index.ts'
import { compareEntries } from '../context/index.ts'
import type { Entry, Refusal, UpdateOptions } from '../context/index.ts'
import type {
  Change,
  ChangesOptions,
  Decision,
  Episode,
  Explanation,
  ListedConflict,
  LogLine,
  LogOptions,
  OpenRequest,
  Point,
  Restored,
  SnapshotInfo,
} from '../runtime/index.ts'
import type { RunSummary } from '../store/index.ts'
import type { Accepted, Changes, UpdateResult, WaitOptions } from '../workflow/index.ts'
import { timeoutProblem } from '../waits/index.ts'
import { followEvents } from './event-stream.ts'
import { entryFromWire, RemoteView } from './remote-view.ts'
import type { WireEntry } from './remote-view.ts'
import { segment } from './transport.ts'
import type { Asked, Transport } from './transport.ts'
import { updateToWire, valueToWire } from './writes.ts'

/** What is known of a run elsewhere. */
export interface RemoteRunInfo extends RunSummary {
  /** The machine's state value. */
  readonly state: unknown
}

/** A run's info with what came of it. */
interface Outcome extends RemoteRunInfo {
  readonly output?: unknown
  readonly error?: { readonly code: string; readonly message: string } | null
}

export interface RemoteWaitOptions extends WaitOptions {
  /** As which agent; as the workflow unless given. An agent's token always waits as its agent. */
  readonly agent?: string
}

/** A request waits shorter than whatever lies between would allow. */
const LONGEST_WAIT_MS = 25_000
const DEFAULT_WAIT_MS = 30_000

export class RemoteRun<
  Output = unknown,
  Values extends object = Record<string, unknown>,
  Taken extends object = Values,
> {
  readonly id: string
  readonly #transport: Transport

  /** Use `client.start` or `client.run`. */
  constructor(transport: Transport, id: string) {
    this.#transport = transport
    this.id = id
  }

  /** How it stands. @throws CallboardError `run.unknown` */
  info(): Promise<RemoteRunInfo> {
    return this.#get('') as Promise<RemoteRunInfo>
  }

  /** The workflow's output; rejects when the run fails or is stopped. Waits for its end. */
  async done({ signal }: { readonly signal?: AbortSignal } = {}): Promise<Output> {
    let info = (await this.#get('')) as Outcome
    if (info.status === 'active') {
      const events = this.#follow('/stream', { query: { afterSeq: info.seq }, signal })
      for await (const { event } of events) if (event === 'end') break
      signal?.throwIfAborted()
      info = (await this.#get('')) as Outcome
    }
    if (info.status === 'done') return fromTagged(info.output) as Output
    const failure = info.error ?? { code: 'run.stopped', message: `run ${this.id} has ended: ${info.status}` }
    throw new CallboardError(failure.code, failure.message, { runId: this.id })
  }

  /** The workflow's own reading of a key. */
  async get<Key extends keyof Values & string>(key: Key): Promise<Values[Key] | undefined> {
    return (await this.entry(key))?.value
  }

  /** The workflow's own reading of an entry; sensitive values are redacted. */
  async entry<Key extends keyof Values & string>(key: Key): Promise<Entry<Values[Key]> | undefined> {
    try {
      return entryFromWire((await this.#get(`/entries/${segment(key)}`)) as WireEntry) as Entry<Values[Key]>
    } catch (error) {
      if (isCallboardError(error, 'view.absent')) return undefined
      throw error
    }
  }

  /** Every entry in every scope, by key. */
  async entries(): Promise<readonly Entry[]> {
    return (await this.#pages<WireEntry>('/entries')).map(entryFromWire)
  }

  /** What an agent sees now. `type` is needed for an agent that has not been invoked. */
  async view(agentId: string, type?: string): Promise<RemoteView<Values>> {
    return viewFrom<Values>(agentId, await this.#get(`/views/${segment(agentId)}`, { type }))
  }

  /** The view of an agent, then each one that is another, until the run ends or the signal aborts. */
  async *views(
    agentId: string,
    { type, signal }: { readonly type?: string; readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<RemoteView<Values>> {
    let entries = new Map<string, Entry>()
    for await (const { event, data } of this.#follow(`/views/${segment(agentId)}/stream`, {
      query: { type },
      signal,
    })) {
      if (event === 'end') return
      const { seq, entries: sent, gone = [] } = data as { seq: number; entries: WireEntry[]; gone?: string[] }
      if (event === 'view') entries = new Map()
      for (const key of gone) entries.delete(key)
      for (const entry of sent.map(entryFromWire)) entries.set(entry.key, entry)
      // What was written again may have another place among those that were not.
      yield new RemoteView(agentId, { seq, entries: [...entries.values()].toSorted(compareEntries) })
    }
  }

  /** Writes entries, all or none, once. @throws CallboardError `update.refused`, `client.policy` */
  async update(changes: Changes<Taken>, options: UpdateOptions = {}): Promise<Accepted> {
    return (await this.#post('/updates', updateToWire({ runId: this.id, changes, options }))) as Accepted
  }

  /** Like `update`, but a refusal is a value. */
  async tryUpdate(changes: Changes<Taken>, options: UpdateOptions = {}): Promise<UpdateResult> {
    try {
      return await this.update(changes, options)
    } catch (error) {
      if (isCallboardError(error, 'update.refused')) return error.details['refusal'] as Refusal
      throw error
    }
  }

  /** Sends an event to the machine; resolves to whether it was taken (for an agent's token: whether it may be). */
  async send({ type, ...payload }: { readonly type: string; readonly [field: string]: unknown }): Promise<boolean> {
    const { taken } = (await this.#post('/events', { type, payload: valueToWire(payload) })) as {
      taken: boolean | null
    }
    return taken ?? true
  }

  /** Waits for an entry. @throws CallboardError `wait.timeout`, `run.finished`; the reason of an abort */
  async waitFor<Key extends keyof Values & string>(
    key: Key,
    { timeoutMs = DEFAULT_WAIT_MS, fresh, since, signal, agent }: RemoteWaitOptions = {},
  ): Promise<Values[Key]> {
    const runId = this.id
    const problem = timeoutProblem(agent ?? 'outside', timeoutMs)
    if (problem !== undefined) throw problem
    const until = this.#transport.clock.now() + timeoutMs
    for (;;) {
      const left = Math.max(0, until - this.#transport.clock.now())
      // Over there, milliseconds are whole.
      const query = { timeoutMs: Math.ceil(Math.min(left, LONGEST_WAIT_MS)), fresh, since, agent }
      const waited = (await this.#get(`/waits/${segment(key)}`, query, signal)) as
        | { readonly kind: 'found'; readonly entry: WireEntry }
        | { readonly kind: 'timeout'; readonly code: string; readonly error: string }
      if (waited.kind === 'found') return entryFromWire(waited.entry).value as Values[Key]
      if (waited.code === 'run.finished') throw new CallboardError('run.finished', waited.error, { runId, key })
      if (left > LONGEST_WAIT_MS) continue
      const message = `run ${runId}: "${key}" did not come within ${timeoutMs} ms; raise timeoutMs, or handle its absence`
      throw new CallboardError('wait.timeout', message, { runId, keys: [key], timeoutMs })
    }
  }

  /** Every change from a seq on, then those to come, until the run ends; over as many connections as it takes. */
  async *changes({ afterSeq = 0, signal }: ChangesOptions = {}): AsyncGenerator<Change> {
    for await (const { event, data } of this.#follow('/stream', { query: { afterSeq }, signal })) {
      if (event === 'end') return
      if (event === 'change') yield data as Change
    }
  }

  /** What people are asked now. */
  async requests(): Promise<readonly OpenRequest[]> {
    return this.#pages<OpenRequest>('/requests')
  }

  /** @throws CallboardError `request.not-open`, `request.refused` */
  async answer(id: string, answer: unknown): Promise<void> {
    await this.#post(`/requests/${segment(id)}/answer`, { answer: valueToWire(answer) })
  }

  /** Why the run does not move. */
  explain(): Promise<Explanation> {
    return this.#get('/explain') as Promise<Explanation>
  }

  /** Who changed what, oldest first, sensitive values redacted. */
  log(options: LogOptions = {}): Promise<readonly LogLine[]> {
    // The newest ones come on one page; all of them on several.
    const { limit, afterSeq = limit === undefined ? 0 : undefined } = options
    return this.#pages<LogLine>('/log', { ...options, afterSeq }, limit)
  }

  conflicts({ open }: { readonly open?: boolean } = {}): Promise<readonly ListedConflict[]> {
    return this.#pages<ListedConflict>('/conflicts', { open })
  }

  /** Decides a conflict anew, once. @throws CallboardError `conflict.unknown`, `conflict.resolved` */
  async resolveConflict(
    id: string,
    decision: Exclude<Decision, { readonly policy: (...args: never) => unknown }>,
  ): Promise<Accepted> {
    const body = 'policy' in decision ? decision : { value: valueToWire(decision.value) }
    return (await this.#post(`/conflicts/${segment(id)}/resolve`, body)) as Accepted
  }

  snapshot(reason: string): Promise<SnapshotInfo> {
    return this.#post('/snapshots', { reason }) as Promise<SnapshotInfo>
  }

  snapshots(): Promise<readonly SnapshotInfo[]> {
    return this.#pages<SnapshotInfo>('/snapshots')
  }

  /** @throws CallboardError `episode.exists` */
  episode(name: string, options: { readonly nextEntryPoint?: string } = {}): Promise<Episode> {
    return this.#post('/episodes', { name, ...options }) as Promise<Episode>
  }

  episodes(): Promise<readonly Episode[]> {
    return this.#pages<Episode>('/episodes')
  }

  /** The run as it was after a record, or at a snapshot or episode. */
  async at(
    point: Point,
  ): Promise<{ readonly seq: number; readonly state: unknown; readonly entries: readonly Entry[] }> {
    const moment = (await this.#get(`/at/${segment(String(point))}`)) as {
      seq: number
      state: unknown
      entries: WireEntry[]
    }
    return { ...moment, entries: moment.entries.map(entryFromWire) }
  }

  /** A new run that goes on from a point of this one. */
  async fork(
    point: Point,
    options: { readonly runId?: string; readonly reason?: string } = {},
  ): Promise<RemoteRun<Output, Values>> {
    const { runId } = (await this.#post('/fork', { point, ...options })) as { readonly runId: string }
    return new RemoteRun(this.#transport, runId)
  }

  /** Puts the entries back to what they were at a point, as new versions. */
  restore(point?: Point, { override = false }: { readonly override?: boolean } = {}): Promise<Restored> {
    return this.#post('/restore', { ...(point === undefined ? {} : { point }), override }) as Promise<Restored>
  }

  /** Ends the run. Twice is harmless. */
  async stop(reason?: string): Promise<void> {
    await this.#post('/stop', reason === undefined ? {} : { reason })
  }

  #path(path: string): string {
    return `/api/runs/${segment(this.id)}${path}`
  }

  #get(path: string, query: NonNullable<Asked['query']> = {}, signal?: AbortSignal): Promise<unknown> {
    return this.#transport.ask({ method: 'GET', path: this.#path(path), query, signal })
  }

  #post(path: string, body: unknown): Promise<unknown> {
    return this.#transport.ask({ method: 'POST', path: this.#path(path), body })
  }

  async #pages<Item>(path: string, query: NonNullable<Asked['query']> = {}, most = Infinity): Promise<readonly Item[]> {
    const all: Item[] = []
    for (let cursor: string | undefined; ;) {
      const page = (await this.#get(path, { ...query, cursor })) as {
        readonly items: readonly Item[]
        readonly next: string | null
      }
      all.push(...page.items)
      if (page.next === null || all.length >= most) return all
      cursor = page.next
    }
  }

  #follow(
    path: string,
    { query, signal }: { readonly query: NonNullable<Asked['query']>; readonly signal: AbortSignal | undefined },
  ): ReturnType<typeof followEvents> {
    return followEvents(this.#transport, { path: this.#path(path), query, end: 'end', signal })
  }
}

function viewFrom<Values extends object>(agent: string, data: unknown): RemoteView<Values> {
  const { seq, entries } = data as { readonly seq: number; readonly entries: readonly WireEntry[] }
  return new RemoteView(agent, { seq, entries: entries.map(entryFromWire) })
}
