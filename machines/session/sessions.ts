// Sessions: plain contexts by id, each a run of the workflow `session`, with a life time that begins anew at every update.
//   S1. What is over is gone for readers at that instant, whether or not anybody has collected it.
//   S2. Nobody is told of anything before it is stored, and of nothing that was no change.
//   S3. A session that is over never comes back: the next write begins a new one.
//   S4. A run of another workflow is no session, whatever its id: it is not shown, not ended and not forgotten here.
//   S5. What others are faster at is tried again, and not for ever.
// Collecting forgets sessions that are over, in the store too; it is never needed for S1.
import { setImmediate } from 'node:timers/promises'
import { CallboardError, drop, isCallboardError, put } from 'callboard'
import type { Clock, Policy, PolicyName, Run, Runtime, RunSummary, Workflow } from 'callboard'
import { keyOf, nameOf, TIMESTAMP } from './board.ts'
import type { SessionValues } from './board.ts'
import { SessionListeners } from './events.ts'
import type { SessionListener } from './events.ts'

/** What a session holds, by key. Frozen, through and through. */
export type SessionData = Readonly<Record<string, unknown>>

/** What is known of a session beside its data. Instants in milliseconds since 1970. */
export interface SessionInfo {
  readonly id: string
  readonly createdAt: number
  /** When it was last written to; reading does not count. */
  readonly updatedAt: number
  /** Undefined for one that stays. */
  readonly expiresAt: number | undefined
}

export interface ReadOptions {
  /** Adds `_timestamp`, the instant of the last update in seconds, as S3 has it. */
  readonly timestamp?: boolean
}

export interface MergeOptions {
  /** How a key meets one that is there; `deep` unless given. */
  readonly policy?: PolicyName | Policy
  /** Deletes the session that was merged into the other. */
  readonly remove?: boolean
}

/** What a session begins with: milliseconds from each update until it is over; unless given, it stays. */
export type SessionWorkflow = Workflow<{ readonly ttlMs?: number | undefined }, unknown, SessionValues>

export interface SessionsFields {
  readonly runtime: Runtime
  readonly workflow: SessionWorkflow
  /** For collecting in the background. */
  readonly clock: Clock
  /** Milliseconds after its last update; `Infinity` for sessions that stay. */
  readonly lifetimeMs: number
  /** Whether a session is over when its life time is; else it is only collected then. */
  readonly expires: boolean
  /** Milliseconds between collections; undefined for none in the background. */
  readonly collectEveryMs: number | undefined
  readonly maxSessions: number
  readonly emits: boolean
  /** Told of what a listener or a collection in the background throws. */
  readonly onFailure: (error: unknown) => void
  /** The runtime is its own, and closed with it. */
  readonly ownsRuntime: boolean
}

type SessionRun = Run<unknown, SessionValues>
type Writes = Readonly<Record<`data.${string}`, unknown>>

const RUN_PREFIX = 'session:'
const WORKFLOW = 'session'
const SECOND_MS = 1_000
/** Each time somebody else was faster; who loses so often is told. */
const MOST_TRIES = 1_000

export class Sessions {
  readonly #fields: SessionsFields
  readonly #listeners: SessionListeners
  #collection: unknown
  #isClosed = false

  /** Use `createSessions`. */
  constructor(fields: SessionsFields) {
    this.#fields = fields
    this.#listeners = new SessionListeners(fields.onFailure)
    this.#collectLater()
  }

  /**
   * Begins a session; false when it is there already, with everything in it.
   * @throws CallboardError `session.limit`; `session.taken` when a run of another workflow has its id; `session.busy`
   */
  async create(id: string): Promise<boolean> {
    const { isNew } = await this.#beginOrFind(id)
    return isNew
  }

  /** Sets one key. A session that is not there is created. @throws CallboardError `session.reserved-key`, `session.taken`, `session.busy`, `update.refused` */
  async set(id: string, key: string, value: unknown): Promise<void> {
    await this.#write(id, { [entryOf(key)]: put(value, { policy: 'replace' }) })
    this.#tell(id, 'set_context', { [key]: value })
  }

  /**
   * Merges a part into what is there, at every depth: objects key by key, anything else is replaced. A session that is not
   * there is created; a part with nothing in it changes nothing.
   * @throws CallboardError `session.reserved-key`, `session.taken`, `session.busy`, `update.refused`
   */
  async update(id: string, part: SessionData): Promise<void> {
    const writes = Object.entries(part).map(([key, value]) => [entryOf(key), put(value, { policy: 'deep' })])
    if (writes.length === 0) {
      await this.create(id)
      return
    }
    await this.#write(id, Object.fromEntries(writes) as Writes)
    this.#tell(id, 'update_partial', part)
  }

  /** Everything in a session; empty when there is none. */
  async get(id: string, { timestamp = false }: ReadOptions = {}): Promise<SessionData> {
    const run = await this.#find(id)
    if (run === undefined) return Object.freeze({})
    const data = dataOf(run)
    const updatedAt = run.entry('touched')?.updatedAt
    return Object.freeze(timestamp && updatedAt !== undefined ? { ...data, [TIMESTAMP]: updatedAt / SECOND_MS } : data)
  }

  /** Undefined when there is no such session. */
  async info(id: string): Promise<SessionInfo | undefined> {
    const touched = (await this.#find(id))?.entry('touched')
    if (touched === undefined) return undefined
    const { createdAt, updatedAt } = touched
    return Object.freeze({ id, createdAt, updatedAt, expiresAt: this.#endOf(updatedAt) })
  }

  /** Whether there was one. */
  async delete(id: string): Promise<boolean> {
    const isDeleted = await this.#withRun(id, async (run) => run.send({ type: 'delete' }))
    if (isDeleted !== true) return false
    await this.#fields.runtime.remove(runIdOf(id))
    this.#tell(id, 'delete_context', null)
    return true
  }

  /**
   * Merges everything in one session into another, which is created when it is not there.
   * @throws CallboardError `session.unknown` when there is nothing to merge; `update.refused` when the policy takes a key not
   */
  async merge(from: string, into: string, { policy = 'deep', remove = false }: MergeOptions = {}): Promise<void> {
    const run = await this.#find(from)
    if (run === undefined || from === into) {
      const why = run === undefined ? 'there is no such session' : 'it would be merged into itself'
      throw new CallboardError('session.unknown', `session ${from} cannot be merged: ${why}`, { sessionId: from })
    }
    const decide = typeof policy === 'function' ? byName(policy) : policy
    const writes = Object.entries(dataOf(run)).map(([key, value]) => [keyOf(key), put(value, { policy: decide })])
    await this.#write(into, Object.fromEntries(writes) as Writes)
    const name = typeof policy === 'function' ? policy.name || 'custom' : policy
    this.#tell(into, 'merge_sessions', { from, policy: name })
    if (remove) await this.delete(from)
  }

  /** The ids of the sessions there are, oldest first. */
  async list(): Promise<readonly string[]> {
    return (await this.#summaries()).filter((summary) => this.#isAlive(summary)).map(({ runId }) => idOf(runId))
  }

  /** Forgets the sessions whose life time is over, and what deleted ones have left behind; gives the ids of the former. */
  async collect(): Promise<readonly string[]> {
    const collected: string[] = []
    for (const summary of await this.#summaries()) {
      const id = idOf(summary.runId)
      if (await this.#collectOne(summary)) collected.push(id)
    }
    for (const id of collected) this.#tell(id, 'garbage_collected', null)
    return collected
  }

  /** Listens to what happens to sessions; gives the function that ends it. */
  on(listener: SessionListener): () => void {
    return this.#listeners.add(listener)
  }

  /** Ends collecting in the background; twice is harmless. */
  stop(): void {
    this.#fields.clock.clearTimeout(this.#collection)
    this.#collection = undefined
  }

  /** Ends it all but the sessions, which are there for the next one that opens their store. Twice is harmless. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.stop()
    this.#listeners.clear()
    if (this.#fields.ownsRuntime) await this.#fields.runtime.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #write(id: string, writes: Writes): Promise<void> {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      await this.#beginOrFind(id)
      const changes = { ...writes, touched: put(true, this.#lifetime()) } as never
      const written = await this.#withRun(id, async (run) => {
        await run.update(changes, { by: 'session' })
        return true
      })
      // Somebody has deleted it meanwhile, or its time was over.
      if (written === true) return
    }
    throw busyError(id)
  }

  /** The session, alive; one that was not is begun anew. */
  async #beginOrFind(id: string): Promise<{ readonly isNew: boolean }> {
    const { runtime, workflow } = this.#fields
    const runId = runIdOf(id)
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      if ((await this.#find(id)) !== undefined) return { isNew: false }
      await this.#refuseTaken(id)
      await this.#removeEnded(runId)
      await this.#refuseTooMany()
      try {
        await runtime.start(workflow, { runId, input: this.#lifetime() })
      } catch (error) {
        // Somebody was faster, here or in another process.
        if (!isCallboardError(error, 'run.exists')) throw error
        continue
      }
      this.#tell(id, 'create_session', null)
      return { isNew: true }
    }
    throw busyError(id)
  }

  /** The run of a session that is alive. */
  async #find(id: string): Promise<SessionRun | undefined> {
    const runId = runIdOf(id)
    // Looked at before it is opened: opening a run goes on with it.
    if ((await this.#workflowOf(runId)) !== WORKFLOW) return undefined
    try {
      const run = (await this.#fields.runtime.open(runId)) as unknown as SessionRun
      return run.workflow === WORKFLOW && run.status === 'active' && run.get('touched') === true ? run : undefined
    } catch (error) {
      if (isCallboardError(error, 'run.unknown')) return undefined
      throw error
    }
  }

  async #workflowOf(runId: string): Promise<string | undefined> {
    return (await this.#fields.runtime.store.summary(runId))?.workflow
  }

  async #refuseTaken(id: string): Promise<void> {
    const runId = runIdOf(id)
    const workflow = await this.#workflowOf(runId)
    if (workflow === undefined || workflow === WORKFLOW) return
    const message = `session ${id} cannot begin: its run ${runId} is one of the workflow ${workflow}; choose another id, or remove that run`
    throw new CallboardError('session.taken', message, { sessionId: id, runId, workflow })
  }

  /** Does it with the run as it is in the store, once more when another process was faster; undefined when it is over. */
  async #withRun<Result>(id: string, action: (run: SessionRun) => Promise<Result>): Promise<Result | undefined> {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const run = await this.#find(id)
      if (run === undefined) return undefined
      try {
        return await action(run)
      } catch (error) {
        // Its end may still be on its way into the store.
        if (isCallboardError(error, 'run.finished')) await setImmediate()
        else if (!isCallboardError(error, 'store.conflict')) throw error
      }
    }
    throw busyError(id)
  }

  async #removeEnded(runId: string): Promise<boolean> {
    try {
      return await this.#fields.runtime.remove(runId)
    } catch (error) {
      if (isCallboardError(error, 'run.active')) return false
      throw error
    }
  }

  async #collectOne(summary: RunSummary): Promise<boolean> {
    const { runId, status } = summary
    if (status !== 'active') {
      const wasExpired = status === 'done' && (await this.#hasExpired(runId))
      return (await this.#removeEnded(runId)) && wasExpired
    }
    if (this.#isInTime(summary)) return false
    const run = (await this.#fields.runtime.open(runId)) as unknown as SessionRun
    // Only if nobody has written to it since it was looked at.
    const version = run.entry('touched')?.version
    const fate = version === undefined || run.status !== 'active' ? 'over' : await endIfUnchanged(run, version)
    if (fate === 'alive') return false
    // Its end may still be on its way into the store, and whoever writes next removes it as well.
    await setImmediate()
    return (await this.#removeEnded(runId)) || fate === 'ended'
  }

  /** Whether its time was over, as opposed to being deleted. */
  async #hasExpired(runId: string): Promise<boolean> {
    try {
      return (await this.#fields.runtime.open(runId)).state === 'expired'
    } catch (error) {
      if (isCallboardError(error, 'run.unknown')) return false
      throw error
    }
  }

  async #refuseTooMany(): Promise<void> {
    const { maxSessions } = this.#fields
    if (maxSessions === Number.POSITIVE_INFINITY) return
    const { length } = await this.list()
    if (length < maxSessions) return
    throw new CallboardError(
      'session.limit',
      `there are ${length} sessions, and maxSessions allows ${maxSessions}; delete some, or raise it`,
      { maxSessions },
    )
  }

  /** Runs of the workflow that somebody started under an id of theirs are no sessions: nobody could ask for them. */
  async #summaries(): Promise<readonly RunSummary[]> {
    const runs = await this.#fields.runtime.list({ workflow: WORKFLOW })
    return runs.filter(({ runId }) => runId.startsWith(RUN_PREFIX))
  }

  #isAlive(summary: RunSummary): boolean {
    return summary.status === 'active' && (!this.#fields.expires || this.#isInTime(summary))
  }

  /** Not strictly older than its life time. */
  #isInTime({ updatedAt }: RunSummary): boolean {
    const { runtime, lifetimeMs } = this.#fields
    return runtime.now - updatedAt <= lifetimeMs
  }

  #endOf(updatedAt: number): number | undefined {
    const { expires, lifetimeMs } = this.#fields
    return expires && lifetimeMs !== Number.POSITIVE_INFINITY ? updatedAt + lifetimeMs : undefined
  }

  /** It is over as soon as it is strictly older. */
  #lifetime(): { readonly ttlMs?: number } {
    const { expires, lifetimeMs } = this.#fields
    return expires && lifetimeMs !== Number.POSITIVE_INFINITY ? { ttlMs: lifetimeMs + 1 } : {}
  }

  #tell(...told: Parameters<SessionListeners['tell']>): void {
    if (this.#fields.emits) this.#listeners.tell(...told)
  }

  #collectLater(): void {
    const { clock, collectEveryMs, onFailure } = this.#fields
    if (collectEveryMs === undefined || this.#isClosed) return
    this.#collection = clock.setTimeout(() => {
      const isStopped = (): boolean => this.#collection === undefined
      void this.collect()
        .catch(onFailure)
        .finally(() => {
          if (!isStopped()) this.#collectLater()
        })
    }, collectEveryMs)
    // Nobody stays for the sake of it.
    clock.keepAlive?.(this.#collection, false)
  }
}

/** Takes a session's life, if nobody has written to it since that version and it is not over by itself. */
async function endIfUnchanged(run: SessionRun, version: number): Promise<'ended' | 'over' | 'alive'> {
  try {
    const result = await run.tryUpdate({ touched: drop() }, { expectedVersion: { touched: version }, by: 'session' })
    return result.kind === 'accepted' ? 'ended' : 'alive'
  } catch (error) {
    if (isCallboardError(error, 'store.conflict')) return 'alive'
    if (isCallboardError(error, 'run.finished')) return 'over'
    throw error
  }
}

function busyError(id: string): CallboardError {
  const message = `session ${id}: ${MOST_TRIES} times others began, changed or ended it first; try again when there is less going on`
  return new CallboardError('session.busy', message, { sessionId: id })
}

/** The policy is asked about the keys of its user. */
function byName(policy: Policy): Policy {
  return (input) => policy({ ...input, key: nameOf(input.key) ?? input.key })
}

function runIdOf(id: string): string {
  return `${RUN_PREFIX}${id}`
}

function idOf(runId: string): string {
  return runId.slice(RUN_PREFIX.length)
}

/** @throws CallboardError `session.reserved-key` */
function entryOf(key: string): `data.${string}` {
  if (key !== TIMESTAMP) return keyOf(key)
  const message = `"${TIMESTAMP}" is the instant of the last update, which nobody sets; choose another key`
  throw new CallboardError('session.reserved-key', message, { key })
}

function dataOf(run: SessionRun): SessionData {
  const data = run.entries().flatMap(({ key, value, scope }) => {
    const name = scope === 'workflow' ? nameOf(key) : undefined
    return name === undefined ? [] : [[name, value] as const]
  })
  return Object.freeze(Object.fromEntries(data.toSorted(([one], [other]) => (one < other ? -1 : 1))))
}
