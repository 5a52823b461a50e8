// Housekeeping: how many runs there may be, and which are forgotten by themselves.
//   H1. Only runs that have ended are forgotten, with everything they started; nothing of a run that goes on is touched.
//   H2. In one process, there are never more runs than `maxRuns` allows, however many are started at once.
//   H3. A run that cannot be read takes its place, is reported, and holds up nothing else; what it started stays.
//   H4. Nobody's process stays alive for it, and what fails is reported and tried again the next time.
// How much of one run's history stays is the retention's business (retention.ts).
import { CallboardError, isCallboardError } from '../base/index.ts'
import type { Bus, Clock } from '../base/index.ts'
import { isGlobals } from '../ledger/index.ts'
import { chooseEnded, chooseIdle } from './choose-ended.ts'
import type { EndedRules } from './choose-ended.ts'
import { assertCount } from './retention.ts'
import type { Damage, RunSummary, Store } from '../store/index.ts'
import type { Runtime } from './runtime.ts'
import type { RuntimeTopics } from './runtime-services.ts'

/** Which runs are forgotten. */
export interface PruneRules extends EndedRules {
  /** Runs that go on, but to which nothing has been written for so long, are stopped first; none unless given. */
  readonly idleMs?: number
}

export interface HousekeepingOptions extends PruneRules {
  /** Most runs in the store, ended ones included; `start` is refused beyond, unless pruning makes room. */
  readonly maxRuns?: number
  /** Milliseconds between prunings; 600,000 unless given, `Infinity` for none in the background. */
  readonly everyMs?: number
}

export interface HousekeepingHost {
  readonly runtime: Pick<Runtime, 'stop' | 'remove'>
  readonly store: Pick<Store, 'list'>
  readonly clock: Clock
  readonly topics: Bus<RuntimeTopics>
  /** Whoever closes the runtime waits for this. */
  track(work: Promise<void>): void
}

const EVERY_MS = 600_000
const RULES = ['olderThanMs', 'keep', 'idleMs'] as const satisfies readonly (keyof PruneRules)[]

export class Housekeeping {
  readonly #host: HousekeepingHost
  readonly #options: HousekeepingOptions
  /** Ids of runs that are being started. */
  readonly #beginning = new Set<string>()
  #timer: unknown
  #isStopped = false

  /** @throws CallboardError `runtime.option` for a number that makes no sense */
  constructor(host: HousekeepingHost, options: HousekeepingOptions = {}) {
    this.#host = host
    for (const name of [...RULES, 'maxRuns', 'everyMs'] as const) {
      const least = name === 'maxRuns' || name === 'everyMs' ? 1 : 0
      if (options[name] !== undefined) assertCount(`housekeeping.${name}`, options[name], least)
    }
    this.#options = Object.freeze({ ...options })
    if (hasRule(options)) this.#pruneLater()
  }

  stop(): void {
    this.#isStopped = true
    this.#host.clock.clearTimeout(this.#timer)
  }

  /** Forgets what the rules allow; gives the ids. @throws CallboardError `runtime.prune` without a rule */
  async prune(rules: PruneRules): Promise<readonly string[]> {
    if (!hasRule(rules)) {
      const message = 'prune: say what may go: olderThanMs, keep or idleMs'
      throw new CallboardError('runtime.prune', message)
    }
    for (const name of RULES) if (rules[name] !== undefined) assertCount(`prune.${name}`, rules[name], 0)
    if (rules.idleMs !== undefined) await this.#stopIdle(rules.idleMs)
    // Without a rule about ended runs, those stay.
    if (rules.olderThanMs === undefined && rules.keep === undefined) return []
    const doomed = chooseEnded(await this.#listReadable(), rules, { now: this.#host.clock.now() })
    const pruned: string[] = []
    for (const { runId } of doomed) if (await this.#remove(runId)) pruned.push(runId)
    if (pruned.length > 0) this.#host.topics.emit('pruned', { runIds: Object.freeze([...pruned]) })
    return pruned
  }

  /**
   * Does what begins a run, if there is room for one.
   * @throws CallboardError `runtime.full`
   */
  admit<Result>(runId: string, begin: () => Promise<Result>): Promise<Result> {
    const { maxRuns = Number.POSITIVE_INFINITY } = this.#options
    return maxRuns === Number.POSITIVE_INFINITY ? begin() : this.#admitUpTo(maxRuns, runId, begin)
  }

  async #admitUpTo<Result>(maxRuns: number, runId: string, begin: () => Promise<Result>): Promise<Result> {
    if (!(await this.#takeRoom(runId, maxRuns))) {
      if (hasRule(this.#options)) await this.prune(this.#options)
      if (!hasRule(this.#options) || !(await this.#takeRoom(runId, maxRuns))) throw fullError(maxRuns)
    }
    try {
      return await begin()
    } finally {
      this.#beginning.delete(runId)
    }
  }

  /** Those that begin meanwhile count, whether the list has them or not. */
  async #takeRoom(runId: string, maxRuns: number): Promise<boolean> {
    const before = [...this.#beginning]
    const { runs, damages } = await this.#list()
    const all = new Set([...runs.map((run) => run.runId), ...before, ...this.#beginning])
    if (all.size + damages.length >= maxRuns && !all.has(runId)) return false
    this.#beginning.add(runId)
    return true
  }

  async #list(): Promise<{ readonly runs: readonly RunSummary[]; readonly damages: readonly Damage[] }> {
    const damages: Damage[] = []
    const listed = await this.#host.store.list(undefined, { onDamage: (damage) => damages.push(damage) })
    return { runs: listed.filter(({ runId }) => !isGlobals(runId)), damages }
  }

  /** Without what was started by a run that cannot be read: it may go on. */
  async #listReadable(): Promise<readonly RunSummary[]> {
    const { runs, damages } = await this.#list()
    for (const { message, ...details } of damages) {
      this.#fail(new CallboardError('store.damaged', message, { ...details }))
    }
    const unsure = new Set(damages.map(({ runId }) => runId))
    const readable: RunSummary[] = []
    // A run is listed before what it has started.
    for (const run of runs) {
      if (run.parent !== undefined && unsure.has(run.parent.runId)) unsure.add(run.runId)
      else readable.push(run)
    }
    return readable
  }

  async #stopIdle(idleMs: number): Promise<void> {
    const { clock } = this.#host
    for (const { runId } of chooseIdle(await this.#listReadable(), idleMs, clock.now())) {
      try {
        await this.#host.runtime.stop(runId, `nothing was written to it for ${idleMs} ms`)
      } catch (error) {
        this.#fail(error)
      }
    }
  }

  async #remove(runId: string): Promise<boolean> {
    try {
      return await this.#host.runtime.remove(runId)
    } catch (error) {
      // Somebody has begun another one under its id.
      if (!isCallboardError(error, 'run.active')) this.#fail(error)
      return false
    }
  }

  #fail(error: unknown): void {
    this.#host.topics.emit('failure', { topic: 'housekeeping', error })
  }

  #pruneLater(): void {
    const { clock, track } = this.#host
    const { everyMs = EVERY_MS } = this.#options
    if (everyMs === Number.POSITIVE_INFINITY || this.#isStopped) return
    this.#timer = clock.setTimeout(() => {
      const work = this.prune(this.#options).then(
        () => {},
        (error: unknown) => this.#fail(error),
      )
      track(work.then(() => this.#pruneLater()))
    }, everyMs)
    clock.keepAlive?.(this.#timer, false)
  }
}

function hasRule(rules: PruneRules): boolean {
  return RULES.some((name) => rules[name] !== undefined)
}

function fullError(maxRuns: number): CallboardError {
  const message = `there are as many runs as housekeeping.maxRuns allows (${maxRuns}); remove or prune some, or raise it`
  return new CallboardError('runtime.full', message, { maxRuns })
}
