// Roster: the runs of a runtime: at work, at rest, or ended lately.
//   R1. Of the runs beyond the limit, the idle ones that were used longest ago leave memory; busy ones stay.
//   R2. Of a run that rests nothing is kept but its next deadline, what concerns it of the global entries, and whoever
//       still holds it.
//   R3. A run is brought back once, however many ask for it at the same time.
import { LRUCache } from 'lru-cache'
import { faultPoint, isCallboardError } from '../base/index.ts'
import type { Deadline } from '../base/index.ts'
import type { CellChange } from '../context/index.ts'
import type { Store } from '../store/index.ts'
import { GivingWay } from './giving-way.ts'
import type { GivingWayHost } from './giving-way.ts'
import { isConcernedBy } from './rest.ts'
import type { Rest } from './rest.ts'
import type { Seat } from './seat.ts'
import { SharedWork } from './shared-work.ts'
import { pauseAfter } from './store-failure.ts'
import { whenSettled } from './when-settled.ts'

export interface RosterHost extends GivingWayHost {
  readonly store: Store
  /** Runs at work beyond which idle ones go to rest. */
  readonly maxActive: number
  /** Whether the run could be made again from the store. */
  canReturn(seat: Seat): boolean
  /** Brings a stored run to work. */
  bring(runId: string): Promise<Seat>
  onFailure(error: unknown): void
  track(work: Promise<void>): void
}

/** Ended runs that stay readable through `get`. */
const MOST_ENDED_RUNS = 1_000
/** Runs that are looked at, one after the other, for one that is idle. */
const MOST_LOOKED_AT = 64
/** When a deadline could not bring its run back, it is tried again after this. */
const TRY_AGAIN_MS = 1_000

export class Roster {
  readonly #host: RosterHost
  /** In the order of use. The limit is kept here, not by the cache: only idle runs may go (R1). */
  readonly #active = new LRUCache<string, Seat>({ maxSize: Number.MAX_SAFE_INTEGER, sizeCalculation: () => 1 })
  readonly #ended = new LRUCache<string, Seat>({ max: MOST_ENDED_RUNS })
  readonly #deadlines = new Map<string, Deadline>()
  /** Runs at rest that wait for child runs. */
  readonly #parents = new Set<string>()
  readonly #concerns = new Map<string, readonly string[]>()
  readonly #held = new Map<string, Seat | WeakRef<Seat>>()
  readonly #forgotten = new FinalizationRegistry<string>((runId) => {
    if (this.atRest(runId) === undefined) this.#held.delete(runId)
  })
  readonly #coming = new SharedWork<Seat>()
  readonly #givingWay: GivingWay
  #isSweeping = false
  #isClosed = false

  constructor(host: RosterHost) {
    this.#host = host
    this.#givingWay = new GivingWay(host)
  }

  /** How many runs are at work. */
  get size(): number {
    return this.#active.size
  }

  /** The runs at work. */
  active(): Iterable<Seat> {
    return this.#active.values()
  }

  /** The runs at rest that somebody holds. */
  *heldAtRest(): Iterable<Seat> {
    for (const runId of this.#held.keys()) {
      const seat = this.atRest(runId)
      if (seat !== undefined) yield seat
    }
  }

  /** A run that is here: at work, held while it rests, or ended lately. */
  find(runId: string): Seat | undefined {
    return this.#active.get(runId) ?? this.atRest(runId) ?? this.#ended.get(runId)
  }

  atWork(runId: string): Seat | undefined {
    return this.#active.get(runId)
  }

  /** A run that is at work, or ended lately. */
  inMemory(runId: string): Seat | undefined {
    return this.#active.get(runId) ?? this.#ended.get(runId)
  }

  /** The seat of a run that rests, if anybody holds it. */
  atRest(runId: string): Seat | undefined {
    const held = this.#held.get(runId)
    return held instanceof WeakRef ? held.deref() : held
  }

  /** A run is at work. */
  add(runId: string, seat: Seat): void {
    this.#active.set(runId, seat)
    this.onQuiet()
  }

  /** Takes a run from where it rests; its seat, if anybody holds it. */
  takeFromRest(runId: string): Seat | undefined {
    const seat = this.atRest(runId)
    this.#deadlines.get(runId)?.cancel()
    this.#deadlines.delete(runId)
    this.#concerns.delete(runId)
    this.#parents.delete(runId)
    this.#held.delete(runId)
    return seat
  }

  /** Whoever awaits the end of a run that rests need not hold it. */
  keep(seat: Seat): void {
    if (this.#held.has(seat.runId)) this.#held.set(seat.runId, seat)
  }

  /** A run has ended; undefined when it is not to be found any more. */
  end(runId: string, seat: Seat | undefined = this.#active.peek(runId)): void {
    this.#active.delete(runId)
    if (seat !== undefined) this.#ended.set(runId, seat)
  }

  drop(runId: string): void {
    this.#active.delete(runId)
    this.#ended.delete(runId)
  }

  /** There is no such run any more. */
  forget(runId: string): void {
    this.drop(runId)
    this.takeFromRest(runId)
  }

  /** Every run of which something is in memory. */
  *inTouch(): Iterable<Seat> {
    yield* [...this.active(), ...this.heldAtRest()]
  }

  /** A run was written to. */
  onCommitted(runId: string): void {
    this.#active.get(runId)
    this.onQuiet()
  }

  /** The run at work, brought back or opened if it is not (R3). */
  come(runId: string): Promise<Seat> {
    const seat = this.#active.get(runId)
    if (seat !== undefined) return Promise.resolve(seat)
    return this.#coming.do(runId, () => this.#bring(runId))
  }

  async #bring(runId: string): Promise<Seat> {
    faultPoint('wake:before')
    const seat = await this.#host.bring(runId)
    faultPoint('wake:after')
    return seat
  }

  /** A run rests, known from the store: it comes back when it is due, or wanted. */
  rest(runId: string, until: number): void {
    if (until === Number.POSITIVE_INFINITY || this.#isClosed) return
    this.#deadlines.get(runId)?.cancel()
    this.#deadlines.set(
      runId,
      this.#host.deadlines.add(until, () => this.#onDue(runId)),
    )
  }

  #onDue(runId: string): void {
    this.#deadlines.get(runId)?.cancel()
    this.#deadlines.delete(runId)
    this.#expect(runId, this.come(runId))
  }

  /** A run comes back by itself: later if that fails, unless there is nothing to come back to. */
  #expect(runId: string, coming: Promise<unknown>): void {
    coming.catch((error: unknown) => {
      if (this.#isClosed) return
      this.#host.onFailure(error)
      const isGone = isCallboardError(error, 'run.unknown') || isCallboardError(error, 'run.overtaken')
      if (isGone) this.takeFromRest(runId)?.giveUp(error)
      else this.rest(runId, this.#host.clock.now() + TRY_AGAIN_MS)
    })
  }

  /** A child run has ended: if its parent rests, it comes back to hear of it. */
  onChildEnded(parentId: string): void {
    if (this.#parents.has(parentId) && !this.#isClosed) this.#onDue(parentId)
  }

  /** Brings back whoever is concerned by changes to global entries, and tells them. */
  onGlobalsChanged(changes: readonly CellChange[], tell: (seat: Seat) => void): void {
    for (const [runId, concerns] of [...this.#concerns]) {
      if (isConcernedBy(concerns, changes)) this.come(runId).then(tell, (error: unknown) => this.#host.onFailure(error))
    }
  }

  /**
   * A commit of a run at work has failed: it comes back as it is stored, at once, or after a pause if that has not helped.
   * @param rivalSeq where another process is that works on it too: whoever asks for the run waits until it has given way
   */
  takeBack(runId: string, rivalSeq: number | undefined): void {
    const seat = this.#active.get(runId)
    if (seat === undefined) return
    seat.leave()
    this.#active.delete(runId)
    this.#held.set(runId, seat)
    if (this.#isClosed) return seat.abandon()
    if (rivalSeq !== undefined) {
      const quiet = (): Promise<void> => this.#givingWay.untilQuiet(runId, rivalSeq)
      return this.#expect(
        runId,
        this.#coming.do(runId, () => quiet().then(() => this.#bring(runId))),
      )
    }
    const pauseMs = pauseAfter(seat.countLoss())
    if (pauseMs === 0) this.#onDue(runId)
    else this.rest(runId, this.#host.clock.now() + pauseMs)
  }

  /** Some run may have become idle. */
  onQuiet(): void {
    if (this.#active.size <= this.#host.maxActive || this.#isSweeping) return
    this.#isSweeping = true
    whenSettled(() => {
      this.#isSweeping = false
      this.#sweep()
    })
  }

  /** R1. Those that are busy are asked again when it is their turn next time. */
  #sweep(): void {
    let over = this.#active.size - this.#host.maxActive
    const oldest: Seat[] = []
    for (const seat of this.#active.rvalues()) {
      if (seat !== undefined) oldest.push(seat)
      if (oldest.length >= over + MOST_LOOKED_AT) break
    }
    for (const seat of oldest) {
      if (over <= 0 || this.#isClosed) return
      const rest = this.#host.canReturn(seat) ? seat.core.findRest() : undefined
      if (rest === undefined) {
        this.#active.get(seat.runId)
        continue
      }
      over -= 1
      try {
        this.#putToRest(seat, rest)
      } catch (error) {
        this.#host.onFailure(error)
      }
    }
  }

  #putToRest(seat: Seat, { until, concerns }: Rest): void {
    const { runId, core } = seat
    faultPoint('rest:before')
    core.goToRest()
    seat.leave()
    this.#active.delete(runId)
    if (seat.isAwaited) this.#held.set(runId, seat)
    else {
      this.#held.set(runId, new WeakRef(seat))
      this.#forgotten.register(seat, runId)
    }
    this.rest(runId, until)
    if (core.hasChildren) this.#parents.add(runId)
    if (concerns.length > 0) this.#concerns.set(runId, concerns)
    // A run that has to hear of global entries or of child runs has to be known to whoever starts next.
    else if (!core.hasChildren && core.parent === undefined) this.#note(runId, core.seq, until)
    faultPoint('rest:after')
  }

  /** Whoever starts next is told that the run need not be looked at. */
  #note(runId: string, seq: number, until: number): void {
    const { store, track, onFailure } = this.#host
    track(store.noteRest(runId, { seq, until }).catch(onFailure))
  }

  /** Nobody comes back any more; whoever awaits the end of a run that rests is told. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const deadline of this.#deadlines.values()) deadline.cancel()
    this.#deadlines.clear()
    this.#concerns.clear()
    for (const seat of this.heldAtRest()) seat.abandon()
    this.#givingWay.close()
    await this.#coming.settled()
  }
}
