// WaitTable: the waits of one run, found by the keys they wait for.
//   W1. A wait ends exactly once: met, timed out, cancelled, or named in a deadlock.
//   W2. Waits are looked at when they are made and after a commit, never in the middle of one.
//   W3. A commit costs O(waits on the changed keys); an ended wait leaves no trace, timers and listeners included.
// What an agent may see is decided by the reader it waits with; when a run is deadlocked, by the runtime.
import type { CallboardError, Clock, Deadline, Deadlines } from '../base/index.ts'
import { valueOf } from '../context/index.ts'
import type { Cell, CellChange } from '../context/index.ts'
import { timeoutProblem } from './timeout.ts'

/** The eyes of the one who waits: what a key stands for now. */
export type WaitReader = (key: string) => Cell | undefined

/** What is waited for. */
export interface WaitSpec {
  /** The agent that waits, or the name of someone outside. */
  readonly waiter: string
  readonly keys: readonly string[]
  /** `one`: the value; `all`: an object of values; `any`: the first key that is there, with its value. */
  readonly mode: 'one' | 'all' | 'any'
  readonly read: WaitReader
  /** A stale entry does not count. */
  readonly fresh: boolean
  /** Only a version above this counts. */
  readonly since: number
  /** Milliseconds; infinite for none. */
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
  /** Makes the error of a timeout: it knows who could have written the keys. */
  readonly onTimeout: (wait: Wait) => CallboardError
  /** Told of a wait with a time limit. */
  readonly keeper?: WaitKeeper
}

/** Keeps the instants at which waits time out over restarts. */
export interface WaitKeeper {
  /** A wait begins; gives the instant at which it times out, which is `untilAt` unless it had begun before. */
  begin(wait: Wait, spec: WaitSpec | ConditionSpec, untilAt: number): number
  end(wait: Wait, how: 'met' | 'timeout' | 'cancelled'): void
}

/** A wait for a condition over several entries instead of for keys. */
export interface ConditionSpec extends Omit<WaitSpec, 'mode' | 'keys' | 'read' | 'fresh' | 'since'> {
  /** Answers anything but undefined, null and false when the condition holds, and which keys it looked at. */
  readonly evaluate: () => { readonly result: unknown; readonly keys: readonly string[] | 'every' }
  /** The condition as a text that is the same in every process. */
  readonly describe?: () => string
  /** Whether a change is of a thing the waiter may see: being asked again would tell of it. */
  readonly concerns: (change: CellChange) => boolean
}

/** One wait that has not ended. */
export interface Wait {
  readonly id: number
  readonly waiter: string
  /** The keys it depends on; `*` when a condition looked at everything. */
  readonly keys: readonly string[]
  /** `condition` when a predicate is waited for. */
  readonly mode: WaitSpec['mode'] | 'condition'
  readonly fresh: boolean
  readonly sinceAt: number
  readonly timeoutMs: number
}

/** Every key: the index under which conditions that looked at a whole view are kept. */
const EVERY = '*'
const EVERY_KEY: readonly string[] = Object.freeze([EVERY])

class PendingWait implements Wait {
  readonly id: number
  sinceAt: number
  readonly spec: WaitSpec | ConditionSpec
  keys: readonly string[]
  resolve: ((value: unknown) => void) | undefined
  reject: ((error: unknown) => void) | undefined
  deadline: Deadline | undefined
  onAbort: (() => void) | undefined

  constructor(id: number, spec: WaitSpec | ConditionSpec, keys: readonly string[], sinceAt: number) {
    this.id = id
    this.sinceAt = sinceAt
    this.spec = spec
    this.keys = keys
  }

  get waiter(): string {
    return this.spec.waiter
  }

  get mode(): Wait['mode'] {
    return 'mode' in this.spec ? this.spec.mode : 'condition'
  }

  get fresh(): boolean {
    return 'fresh' in this.spec && this.spec.fresh
  }

  get timeoutMs(): number {
    return this.spec.timeoutMs
  }
}

const NOT_MET = Symbol('not met')

const ignore = (): void => {}

/** What tables share that no one waits in: an empty map takes 200 bytes. */
const NO_WAITS: Map<string, PendingWait | Set<PendingWait>> = new Map()

export class WaitTable {
  readonly #clock: Clock
  readonly #deadlines: Deadlines
  readonly #onEnd: () => void
  /** A key's only wait stands by itself: most keys have one. */
  #byKey = NO_WAITS
  #size = 0
  #nextId = 1

  /** @param onEnd called after a wait has ended */
  constructor(clock: Clock, deadlines: Deadlines, onEnd: () => void = ignore) {
    this.#clock = clock
    this.#deadlines = deadlines
    this.#onEnd = onEnd
  }

  get size(): number {
    return this.#size
  }

  /** The waits that have not ended, oldest first. */
  list(): readonly Wait[] {
    return this.#pending()
  }

  /** Promises what the spec asks for; at once when it is there already. */
  add(spec: WaitSpec): Promise<unknown> {
    const met = check(spec)
    if (met !== NOT_MET) return Promise.resolve(met)
    return this.#wait(spec, spec.keys)
  }

  /** Promises the result of a condition. An error the condition throws rejects the wait. */
  addCondition(spec: ConditionSpec): Promise<unknown> {
    try {
      const { result, keys } = spec.evaluate()
      if (holds(result)) return Promise.resolve(result)
      return this.#wait(spec, keys === 'every' ? EVERY_KEY : keys)
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  /** Looks again at the waits, or at those of one waiter, that these changes may have met. */
  touch(changes: readonly CellChange[], waiter?: string): void {
    if (this.#size === 0) return
    const only = changes.length === 1 && !this.#byKey.has(EVERY) ? changes[0] : undefined
    const alone = only === undefined ? undefined : this.#byKey.get(only.key)
    if (only !== undefined && !(alone instanceof Set)) {
      // One change and at most one wait for it, which is how it nearly always is.
      if (alone !== undefined && concerns(alone, only, waiter)) this.#look(alone)
      return
    }
    const looked = new Set<PendingWait>()
    for (const change of changes) {
      this.#collect(change.key, change, waiter, looked)
      this.#collect(EVERY, change, waiter, looked)
    }
    for (const wait of looked) this.#look(wait)
  }

  #collect(key: string, change: CellChange, waiter: string | undefined, into: Set<PendingWait>): void {
    const waits = this.#byKey.get(key)
    if (waits === undefined) return
    for (const wait of waits instanceof PendingWait ? [waits] : waits) {
      if (concerns(wait, change, waiter)) into.add(wait)
    }
  }

  /** Looks again at every wait: what is in sight may have changed altogether. */
  touchAll(): void {
    for (const wait of this.#pending()) this.#look(wait)
  }

  /** Ends all waits of one waiter with this error. */
  cancel(waiter: string, error: unknown): void {
    for (const wait of this.#pending()) if (wait.waiter === waiter) this.#fail(wait, error)
  }

  /** Ends the given waits, or all, each with an error of its own. */
  rejectAll(makeError: (wait: Wait) => unknown, which: (wait: Wait) => boolean = () => true): void {
    for (const wait of this.#pending()) if (which(wait)) this.#fail(wait, makeError(wait))
  }

  /** Every wait once, oldest first: found through the keys, so that making and ending one costs no second index. */
  #pending(): PendingWait[] {
    const all = new Set<PendingWait>()
    for (const waits of this.#byKey.values()) {
      if (waits instanceof PendingWait) all.add(waits)
      else for (const wait of waits) all.add(wait)
    }
    return [...all].sort((a, b) => a.id - b.id)
  }

  #wait(spec: WaitSpec | ConditionSpec, named: readonly string[]): Promise<unknown> {
    // A wait for nothing in particular is looked at whenever anything changes.
    const keys = named.length === 0 ? EVERY_KEY : named
    const { signal, timeoutMs, waiter } = spec
    const problem = timeoutProblem(waiter, timeoutMs)
    if (problem !== undefined) return Promise.reject(problem)
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error)
    const now = this.#clock.now()
    const wait = new PendingWait(this.#nextId++, spec, keys, now)
    const promise = new Promise((resolve, reject) => {
      wait.resolve = resolve
      wait.reject = reject
    })
    this.#size += 1
    this.#index(wait)
    if (timeoutMs !== Number.POSITIVE_INFINITY) {
      const untilAt = spec.keeper?.begin(wait, spec, now + timeoutMs) ?? now + timeoutMs
      wait.sinceAt = untilAt - timeoutMs
      wait.deadline = this.#deadlines.add(untilAt, () => this.#fail(wait, spec.onTimeout(wait), 'timeout'))
    }
    if (signal !== undefined) {
      wait.onAbort = () => this.#fail(wait, signal.reason)
      signal.addEventListener('abort', wait.onAbort, { once: true })
    }
    return promise
  }

  #index(wait: PendingWait): void {
    if (this.#byKey === NO_WAITS) this.#byKey = new Map()
    for (const key of wait.keys) {
      const others = this.#byKey.get(key)
      if (others === undefined) this.#byKey.set(key, wait)
      else if (others instanceof PendingWait) this.#byKey.set(key, new Set([others, wait]))
      else others.add(wait)
    }
  }

  #unindex(wait: PendingWait): void {
    for (const key of wait.keys) {
      const others = this.#byKey.get(key)
      if (others === wait) this.#byKey.delete(key)
      else if (others instanceof Set && others.delete(wait) && others.size === 0) this.#byKey.delete(key)
    }
  }

  #look(wait: PendingWait): void {
    if (wait.resolve === undefined) return
    const { spec } = wait
    if ('mode' in spec) {
      const met = check(spec)
      if (met !== NOT_MET) this.#meet(wait, met)
      return
    }
    try {
      const { result, keys } = spec.evaluate()
      if (wait.resolve === undefined) return
      if (holds(result)) this.#meet(wait, result)
      else this.#reindex(wait, keys === 'every' ? EVERY_KEY : keys)
    } catch (error) {
      this.#fail(wait, error)
    }
  }

  /** A condition may look at other keys each time. */
  #reindex(wait: PendingWait, keys: readonly string[]): void {
    if (keys.length === wait.keys.length && keys.every((key, index) => key === wait.keys[index])) return
    this.#unindex(wait)
    wait.keys = keys
    this.#index(wait)
  }

  #meet(wait: PendingWait, value: unknown): void {
    const { resolve } = wait
    this.#end(wait, 'met')
    resolve?.(value)
    this.#onEnd()
  }

  #fail(wait: PendingWait, error: unknown, how: 'timeout' | 'cancelled' = 'cancelled'): void {
    const { reject } = wait
    if (reject === undefined) return
    this.#end(wait, how)
    reject(error)
    this.#onEnd()
  }

  #end(wait: PendingWait, how: 'met' | 'timeout' | 'cancelled'): void {
    wait.resolve = undefined
    wait.reject = undefined
    if (wait.deadline !== undefined) {
      wait.deadline.cancel()
      wait.spec.keeper?.end(wait, how)
    }
    if (wait.onAbort !== undefined) wait.spec.signal?.removeEventListener('abort', wait.onAbort)
    this.#size -= 1
    this.#unindex(wait)
  }
}

function concerns({ spec }: PendingWait, change: CellChange, waiter: string | undefined): boolean {
  if (waiter !== undefined && spec.waiter !== waiter) return false
  return !('concerns' in spec) || spec.concerns(change)
}

function holds(result: unknown): boolean {
  return result !== undefined && result !== null && result !== false
}

function isMet(cell: Cell | undefined, { fresh, since }: WaitSpec): cell is Cell {
  return cell !== undefined && cell.live && !(fresh && cell.entry.stale) && cell.entry.version > since
}

function check(spec: WaitSpec): unknown {
  const { keys, mode, read } = spec
  if (mode === 'one') {
    const cell = read(keys[0] ?? '')
    return isMet(cell, spec) ? valueOf(cell) : NOT_MET
  }
  if (mode === 'any') {
    for (const key of keys) {
      const cell = read(key)
      if (isMet(cell, spec)) return { key, value: valueOf(cell) }
    }
    return NOT_MET
  }
  const cells = keys.map((key) => [key, read(key)] as const)
  if (!cells.every(([, cell]) => isMet(cell, spec))) return NOT_MET
  return Object.fromEntries(cells.map(([key, cell]) => [key, valueOf(cell as Cell)]))
}
