// WaitNotes: keeps the instants at which the waits of a run's agents time out.
//   N1. An agent that runs again after a restart and waits for the same as before waits until the same instant; one that
//       has timed out times out at once. A wait that has ended otherwise begins its time anew when it is made again.
//   N2. A wait shorter than a second is not in the ledger; all that last longer share at most a record a second.
// What a wait is for tells which one it is: not the order in which an agent makes them, which may be another next time.
import { createHash } from 'node:crypto'
import type { Clock, Deadline, Deadlines } from '../base/index.ts'
import type { ConditionSpec, Wait, WaitKeeper, WaitSpec } from '../waits/index.ts'
import type { Journal } from './journal.ts'

/** What a record says of waits. */
export interface WaitLine {
  /** They time out at these instants. */
  readonly until?: readonly (readonly [invocation: string, wait: string, at: number])[]
  /** They have ended, but not by time. */
  readonly over?: readonly (readonly [invocation: string, wait: string])[]
}

/** What is needed of the run. */
export interface WaitNotesHost {
  readonly clock: Clock
  readonly deadlines: Deadlines
  readonly journal: Journal
  record(kind: 'wait', author: string, asked: WaitLine): Promise<void>
}

/** The agent that waits. */
export interface Waiter {
  readonly invocation: string
  /** Its end does not end its waits for good: it may run again. */
  readonly hasEnded: boolean
}

interface OpenWait {
  readonly invocation: string
  readonly name: string
  readonly untilAt: number
}

const WORKFLOW = 'workflow'
/** How long a wait lasts before it is noted. */
const NOTED_AFTER_MS = 1_000
const HASH_CHARACTERS = 12

export class WaitNotes {
  readonly #host: WaitNotesHost
  /** Open waits that have not been noted. */
  readonly #fresh = new Map<Wait, () => OpenWait>()
  /** Open waits that have. */
  readonly #noted = new Map<Wait, OpenWait>()
  readonly #over = new Map<string, OpenWait>()
  /** How often the same wait of an agent has timed out. */
  readonly #timeouts = new Map<string, number>()
  #deadline: Deadline | undefined

  constructor(host: WaitNotesHost) {
    this.#host = host
  }

  /** What keeps the waits of one agent. */
  keeperOf(waiter: Waiter): WaitKeeper {
    return {
      begin: (wait, spec, untilAt) => this.#begin(waiter, wait, spec, untilAt),
      end: (wait, how) => this.#end(waiter, wait, how),
    }
  }

  /** When the open waits time out; undefined while not all of it is noted. */
  get instants(): readonly number[] | undefined {
    if (this.#fresh.size > 0 || this.#over.size > 0) return undefined
    return Array.from(this.#noted.values(), ({ untilAt }) => untilAt)
  }

  /** Notes what has not been noted; resolves once that is stored. */
  flush(): Promise<void> {
    this.#deadline?.cancel()
    this.#deadline = undefined
    const over = Array.from(this.#over.values(), ({ invocation, name }) => [invocation, name] as const)
    const until = Array.from(this.#fresh, ([wait, open]) => {
      const { invocation, name, untilAt } = this.#note(wait, open())
      return [invocation, name, untilAt] as const
    })
    this.#over.clear()
    this.#fresh.clear()
    if (over.length === 0 && until.length === 0) return Promise.resolve()
    return this.#host.record('wait', WORKFLOW, {
      ...(over.length === 0 ? {} : { over }),
      ...(until.length === 0 ? {} : { until }),
    })
  }

  /** The run has ended. */
  end(): void {
    this.#deadline?.cancel()
    this.#deadline = undefined
    this.#fresh.clear()
    this.#noted.clear()
    this.#over.clear()
  }

  #begin({ invocation }: Waiter, wait: Wait, spec: WaitSpec | ConditionSpec, untilAt: number): number {
    const open = (): OpenWait => ({ invocation, name: this.#nameOf(invocation, spec), untilAt })
    if (this.#host.journal.has(invocation)) {
      const { name } = open()
      const known = this.#over.has(idOf(invocation, name))
        ? undefined
        : this.#host.journal.get(invocation, name).retryAt
      if (known !== undefined) {
        this.#note(wait, { invocation, name, untilAt: known })
        return known
      }
    }
    if (spec.timeoutMs > NOTED_AFTER_MS) {
      this.#fresh.set(wait, open)
      this.#arm()
    }
    return untilAt
  }

  #note(wait: Wait, open: OpenWait): OpenWait {
    this.#noted.set(wait, open)
    return open
  }

  #end({ hasEnded }: Waiter, wait: Wait, how: 'met' | 'timeout' | 'cancelled'): void {
    const fresh = this.#fresh.get(wait)
    if (fresh !== undefined) {
      this.#fresh.delete(wait)
      if (this.#fresh.size === 0 && this.#over.size === 0) this.#disarm()
      return
    }
    const noted = this.#noted.get(wait)
    if (noted === undefined) return
    this.#noted.delete(wait)
    const { invocation, name } = noted
    if (how === 'timeout') {
      const same = baseOf(name)
      this.#timeouts.set(idOf(invocation, same), timesOf(name) + 1)
    } else if (!hasEnded) {
      this.#over.set(idOf(invocation, name), noted)
      this.#arm()
    }
  }

  #arm(): void {
    this.#deadline ??= this.#host.deadlines.add(this.#host.clock.now() + NOTED_AFTER_MS, () => {
      this.flush().catch(() => {})
    })
  }

  #disarm(): void {
    this.#deadline?.cancel()
    this.#deadline = undefined
  }

  /** What a wait is for and how long, and how often that has timed out before. */
  #nameOf(invocation: string, spec: WaitSpec | ConditionSpec): string {
    const same = describe(spec)
    return `${same}#${this.#timeouts.get(idOf(invocation, same)) ?? 0}`
  }
}

/** Takes over what a record says. */
export function applyWaits(journal: Journal, { until = [], over = [] }: WaitLine): void {
  for (const [invocation, wait] of over) journal.drop(invocation, wait)
  for (const [invocation, wait, at] of until) journal.postpone(invocation, wait, at)
}

function describe(spec: WaitSpec | ConditionSpec): string {
  const limit = `${spec.timeoutMs} ms`
  if (!('mode' in spec)) {
    const print = createHash('sha256')
      .update(spec.describe?.() ?? '')
      .digest('hex')
    return `wait: a condition ${print.slice(0, HASH_CHARACTERS)}, ${limit}`
  }
  const { mode, keys, fresh, since } = spec
  return `wait: ${mode} of ${keys.join(', ')}${fresh ? ', fresh' : ''}${since > 0 ? `, since ${since}` : ''}, ${limit}`
}

function baseOf(name: string): string {
  return name.slice(0, name.lastIndexOf('#'))
}

function timesOf(name: string): number {
  return Number(name.slice(name.lastIndexOf('#') + 1))
}

function idOf(invocation: string, name: string): string {
  return `${invocation}/${name}`
}
