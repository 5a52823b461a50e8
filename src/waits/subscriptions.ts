// Subscriptions: who is told of which keys after a commit.
//   N1. A handler is called after the commit and outside of it; a slow or failing one holds up and harms nobody.
//   N2. One handler is called for one notification at a time, in the order of the commits.
//   N3. Nobody is told of their own updates unless they ask, nor of entries out of their sight.
// A handler may itself update: what comes of that is another commit.
import { Bus } from '../base/index.ts'
import { matchesPattern } from '../context/index.ts'
import type { CellChange, EntryInfo, Scope } from '../context/index.ts'

/** What a subscriber is told after a commit. */
export interface Notification {
  readonly runId: string
  readonly key: string
  readonly kind: CellChange['kind']
  readonly scope: Scope
  readonly version: number
  /** Who caused it. */
  readonly by: string
  readonly at: number
}

export type NotificationHandler = (notification: Notification) => unknown

/** One line of a subscriber's history. */
export interface DeliveryRecord {
  readonly type: 'context_update'
  readonly key: string
  readonly version: number
  readonly at: number
  /** The message of the handler's failure; undefined when it went well. */
  readonly error: string | undefined
}

export interface SubscriptionSpec {
  readonly subscriber: string
  readonly patterns: readonly string[]
  readonly handler: NotificationHandler
  /** Be told of one's own updates too. */
  readonly own: boolean
  /** Whether the subscriber may see the entry. */
  readonly admits: (entry: EntryInfo) => boolean
}

/** Deliveries that a subscriber's history keeps (REQUIREMENTS 122). */
const HISTORY_LENGTH = 100
/** Undelivered notifications of one handler; beyond it, the oldest about a key that has a newer one goes first. */
const MOST_QUEUED = 1_000

class Subscription {
  readonly spec: SubscriptionSpec
  readonly #record: (notification: Notification, error: unknown) => void
  #queue: Notification[] = []
  #busy = false
  #ended = false

  constructor(spec: SubscriptionSpec, record: (notification: Notification, error: unknown) => void) {
    this.spec = spec
    this.#record = record
  }

  /** A handler is at work, or about to be. */
  get isBusy(): boolean {
    return this.#busy
  }

  push(notification: Notification): void {
    this.#queue.push(notification)
    if (this.#queue.length > MOST_QUEUED) this.#coalesce()
    if (!this.#busy) void this.#drain()
  }

  end(): void {
    this.#ended = true
    this.#queue = []
  }

  /** Keeps the newest notification of each key: a handler this far behind is told what is, not all that was. */
  #coalesce(): void {
    const newest = new Map<string, Notification>()
    for (const notification of this.#queue) {
      newest.delete(notification.key)
      newest.set(notification.key, notification)
    }
    this.#queue = [...newest.values()]
  }

  async #drain(): Promise<void> {
    this.#busy = true
    await Promise.resolve()
    for (let next = this.#queue.shift(); next !== undefined && !this.#ended; next = this.#queue.shift()) {
      try {
        await this.spec.handler(next)
        this.#record(next, undefined)
      } catch (error) {
        this.#record(next, error)
      }
    }
    this.#busy = false
  }
}

/** One key's worth of news inside the process. */
interface News {
  readonly change: CellChange
  readonly by: string
  readonly at: number
}

export class Subscriptions {
  readonly #runId: string
  readonly #byKey = new Bus<Record<string, News>>(() => {})
  readonly #byPattern = new Map<Subscription, readonly string[]>()
  readonly #all = new Map<Subscription, () => void>()
  readonly #history = new Map<string, DeliveryRecord[]>()

  constructor(runId: string) {
    this.#runId = runId
  }

  get size(): number {
    return this.#all.size
  }

  /** Whether some handler is at work, or about to be. */
  get isBusy(): boolean {
    for (const subscription of this.#all.keys()) if (subscription.isBusy) return true
    return false
  }

  /** What some subscribers listen to. */
  patternsOf(subscribers: ReadonlySet<string>): readonly string[] {
    return [...this.#all.keys()]
      .filter(({ spec }) => subscribers.has(spec.subscriber))
      .flatMap(({ spec }) => spec.patterns)
  }

  /** Adds a subscription and gives the function that ends it. */
  add(spec: SubscriptionSpec): () => void {
    const subscription = new Subscription(spec, (notification, error) =>
      this.#remember(spec.subscriber, notification, error),
    )
    const tell = (news: News): void => this.#offer(subscription, news)
    const exact = spec.patterns.filter((pattern) => !pattern.endsWith('*'))
    const wild = spec.patterns.filter((pattern) => pattern.endsWith('*'))
    const offs = [...new Set(exact)]
      .filter((key) => !wild.some((pattern) => matchesPattern(pattern, key)))
      .map((key) => this.#byKey.on(key, tell))
    if (wild.length > 0) this.#byPattern.set(subscription, wild)
    const end = (): void => {
      for (const off of offs) off()
      this.#byPattern.delete(subscription)
      this.#all.delete(subscription)
      subscription.end()
    }
    this.#all.set(subscription, end)
    return end
  }

  /** Ends the subscriptions of one subscriber, or all. */
  end(subscriber?: string): void {
    for (const [subscription, end] of [...this.#all]) {
      if (subscriber === undefined || subscription.spec.subscriber === subscriber) end()
    }
  }

  /** Tells of committed changes. */
  publish(changes: readonly CellChange[], by: string, at: number): void {
    if (this.#all.size === 0) return
    for (const change of changes) {
      const news = { change, by, at }
      this.#byKey.emit(change.key, news)
      for (const [subscription, patterns] of this.#byPattern) {
        if (patterns.some((pattern) => matchesPattern(pattern, change.key))) this.#offer(subscription, news)
      }
    }
  }

  /** The last deliveries to a subscriber, oldest first, failures included. */
  history(subscriber: string): readonly DeliveryRecord[] {
    return [...(this.#history.get(subscriber) ?? [])]
  }

  #offer(subscription: Subscription, { change, by, at }: News): void {
    const { spec } = subscription
    const { key, kind, scope, cell, previous } = change
    if (!spec.own && by === spec.subscriber) return
    if (!spec.admits(cell.entry) && !(previous !== undefined && spec.admits(previous.entry))) return
    subscription.push(Object.freeze({ runId: this.#runId, key, kind, scope, version: cell.entry.version, by, at }))
  }

  #remember(subscriber: string, { key, version, at }: Notification, error: unknown): void {
    const lines = this.#history.get(subscriber) ?? []
    this.#history.set(subscriber, lines)
    const message = error === undefined ? undefined : error instanceof Error ? error.message : String(error)
    lines.push(Object.freeze({ type: 'context_update', key, version, at, error: message }))
    if (lines.length > HISTORY_LENGTH) lines.shift()
  }
}
