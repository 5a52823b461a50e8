// Feed: what is committed in a runtime, for many readers at once. A frame is made once, however many read it.
//   F1. Nothing is kept for a reader. The newest frames are kept for all; who is further behind reads the ledger.
//   F2. A reader of one run gets every record after its seq, once, in order.
//   F3. A reader of all runs gets every record after its place, or is told that its place is too long ago.
import { randomBytes } from 'node:crypto'
import { changeOf } from '../runtime/index.ts'
import type { Change, Runtime } from '../runtime/index.ts'

/** One event of a stream, as text. */
export interface Frame {
  readonly runId: string
  readonly seq: number
  readonly change: Change
}

/** Frames kept of one run that is read, and of all runs together. */
const MOST_OF_RUN = 512
const MOST_OF_ALL = 4_096

interface RunRing {
  frames: Frame[]
  readers: number
  readonly wakes: Set<() => void>
}

/** The feeds of all runtimes of a server. */
export class Feeds {
  readonly #feeds = new Map<Runtime, Feed>()

  of(runtime: Runtime): Feed {
    const known = this.#feeds.get(runtime)
    if (known !== undefined) return known
    const feed = new Feed(runtime)
    this.#feeds.set(runtime, feed)
    return feed
  }

  close(): void {
    for (const feed of this.#feeds.values()) feed.close()
    this.#feeds.clear()
  }
}

export class Feed {
  /** Places of another process mean nothing here. */
  readonly #epoch = randomBytes(6).toString('hex')
  readonly #off: () => void
  readonly #runs = new Map<string, RunRing>()
  readonly #wakes = new Set<() => void>()
  #all: Frame[] = []
  /** The place after the newest frame. */
  #end = 0

  constructor(runtime: Runtime) {
    this.#off = runtime.on('record', ({ runId, record }) =>
      this.#push({ runId, seq: record.seq, change: changeOf(record) }),
    )
  }

  /** Keeps frames of a run from now on, until `close`. */
  watch(runId: string): RunWatch {
    const ring = this.#runs.get(runId) ?? { frames: [], readers: 0, wakes: new Set() }
    ring.readers += 1
    this.#runs.set(runId, ring)
    return {
      after: (seq) => {
        const [first] = ring.frames
        if (first === undefined || first.seq > seq + 1) return undefined
        return ring.frames.slice(seq + 1 - first.seq)
      },
      next: (seq, signal, whenLate) => {
        if ((ring.frames.at(-1)?.seq ?? 0) > seq) return Promise.resolve()
        return wakeUp(ring.wakes, signal, whenLate)
      },
      close: () => {
        ring.readers -= 1
        if (ring.readers === 0) this.#runs.delete(runId)
      },
    }
  }

  /** The place after everything so far. */
  get place(): string {
    return this.#placeOf(this.#end)
  }

  /** The frames after a place, each with the place after it; undefined when they are not kept any more. */
  afterPlace(place: string): readonly (Frame & { readonly place: string })[] | undefined {
    const number = this.#numberOf(place)
    const first = this.#end - this.#all.length
    if (number === undefined || number < first || number > this.#end) return undefined
    return this.#all
      .slice(number - first)
      .map((frame, index) => ({ ...frame, place: this.#placeOf(number + index + 1) }))
  }

  nextAfterPlace(place: string, signal: AbortSignal, whenLate: Promise<void>): Promise<void> {
    return this.#numberOf(place) === this.#end ? wakeUp(this.#wakes, signal, whenLate) : Promise.resolve()
  }

  close(): void {
    this.#off()
    for (const { wakes } of this.#runs.values()) for (const wake of [...wakes]) wake()
    for (const wake of [...this.#wakes]) wake()
  }

  #push(frame: Frame): void {
    this.#all.push(frame)
    this.#end += 1
    // Cut in large pieces: taking off the first of an array costs as much as the array is long.
    if (this.#all.length > 2 * MOST_OF_ALL) this.#all = this.#all.slice(-MOST_OF_ALL)
    const ring = this.#runs.get(frame.runId)
    if (ring !== undefined) {
      if ((ring.frames.at(-1)?.seq ?? frame.seq - 1) !== frame.seq - 1) ring.frames = []
      ring.frames.push(frame)
      if (ring.frames.length > 2 * MOST_OF_RUN) ring.frames = ring.frames.slice(-MOST_OF_RUN)
      for (const wake of [...ring.wakes]) wake()
    }
    for (const wake of [...this.#wakes]) wake()
  }

  #placeOf(number: number): string {
    return `${this.#epoch}-${number}`
  }

  #numberOf(place: string): number | undefined {
    const [epoch, number = ''] = place.split('-')
    return epoch === this.#epoch && /^\d{1,15}$/.test(number) ? Number(number) : undefined
  }
}

export interface RunWatch {
  /** The kept frames after a seq; undefined when some of them are not kept. */
  after(seq: number): readonly Frame[] | undefined
  /** Resolves when there is something after a seq, at an abort, or with `whenLate`. */
  next(seq: number, signal: AbortSignal, whenLate: Promise<void>): Promise<void>
  close(): void
}

function wakeUp(wakes: Set<() => void>, signal: AbortSignal, whenLate: Promise<void>): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const wake = (): void => {
      wakes.delete(wake)
      signal.removeEventListener('abort', wake)
      resolve()
    }
    wakes.add(wake)
    signal.addEventListener('abort', wake, { once: true })
    void whenLate.then(wake)
  })
}

const texts = new WeakMap<Change, string>()

/** The data of a frame, made once for all its readers. */
export function textOf({ change }: Frame): string {
  const known = texts.get(change)
  if (known !== undefined) return known
  const text = JSON.stringify(change)
  texts.set(change, text)
  return text
}
