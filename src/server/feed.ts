// Feed: what is committed in a runtime, for many readers at once. A frame is made once, however many read it.
//   F1. Nothing is kept for a reader. The newest frames are kept for all; who is further behind reads the ledger.
//   F2. A reader of one run gets every record after its seq, once, in order.
//   F3. A reader of all runs gets every record after its place, or is told that its place is too long ago.
//   F4. What is kept is bounded in number and in bytes, all runs together.
import { randomBytes } from 'node:crypto'
import { changeOf } from '../runtime/index.ts'
import type { Runtime } from '../runtime/index.ts'
import type { Block } from './block.ts'
import { Frame } from './frame.ts'
import { Pages } from './pages.ts'

/** Frames that are kept, of all runs together. */
const MOST_FRAMES = 4_096
/** Characters of their texts. */
const MOST_TEXT = 8_388_608

interface RunRing {
  frames: Frame[]
  readers: number
  isOver: boolean
  readonly wakes: Set<() => void>
  /** What is being sent to somebody and others may have too; forgotten when nobody has it any more. */
  snapshot: { readonly seq: number; readonly block: WeakRef<Block> } | undefined
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
  readonly #offs: readonly (() => void)[]
  readonly #runs = new Map<string, RunRing>()
  readonly #pages: Pages
  /** Woken by every record. */
  readonly wakes: Set<() => void> = new Set()
  #all: Frame[] = []
  #text = 0
  /** The place after the newest frame. */
  #end = 0

  constructor(runtime: Runtime) {
    this.#pages = new Pages(runtime.store)
    this.#offs = [
      runtime.on('record', ({ runId, record }) => {
        this.#push(new Frame(runId, changeOf(record)))
        // Global entries are in the views of every run.
        if (!record.changes.some(({ scope }) => scope === 'global')) return
        for (const { wakes } of this.#runs.values()) wakeAll(wakes)
      }),
      runtime.on('end', ({ runId }) => this.#onEnd(runId)),
    ]
  }

  /** How many runs are read. */
  get watched(): number {
    return this.#runs.size
  }

  /** Keeps frames of a run from now on, until `close`. */
  watch(runId: string): RunWatch {
    const ring = this.#runs.get(runId) ?? emptyRing()
    ring.readers += 1
    this.#runs.set(runId, ring)
    let isOpen = true
    return {
      wakes: ring.wakes,
      isOver: () => ring.isOver,
      after: (seq) => {
        const [first] = ring.frames
        if (first === undefined || first.seq > seq + 1) return this.#pages.after(runId, seq)
        return ring.frames.slice(seq + 1 - first.seq, seq + 1 - first.seq + AT_ONCE)
      },
      isAfter: (seq) => (ring.frames.at(-1)?.seq ?? 0) > seq,
      snapshot: (seq, make) => {
        const known = ring.snapshot?.seq === seq ? ring.snapshot.block.deref() : undefined
        const block = known ?? make()
        if (known === undefined) ring.snapshot = { seq, block: new WeakRef(block) }
        return block
      },
      close: () => {
        if (!isOpen) return
        isOpen = false
        ring.readers -= 1
        if (ring.readers === 0) this.#runs.delete(runId)
      },
    }
  }

  /** The place after everything so far. */
  get place(): string {
    return this.#placeOf(this.#end)
  }

  /** Some frames after a place, each with the place after it; undefined when they are not kept any more. */
  afterPlace(place: string): readonly { readonly frame: Frame; readonly place: string }[] | undefined {
    const number = this.#numberOf(place)
    const first = this.#end - this.#all.length
    if (number === undefined || number < first || number > this.#end) return undefined
    return this.#all
      .slice(number - first, number - first + AT_ONCE)
      .map((frame, index) => ({ frame, place: this.#placeOf(number + index + 1) }))
  }

  close(): void {
    for (const off of this.#offs) off()
    for (const { wakes } of this.#runs.values()) wakeAll(wakes)
    wakeAll(this.wakes)
  }

  #push(frame: Frame): void {
    this.#all.push(frame)
    this.#end += 1
    this.#text += frame.text.length
    const ring = this.#runs.get(frame.runId)
    if (ring !== undefined) {
      if ((ring.frames.at(-1)?.seq ?? frame.seq - 1) !== frame.seq - 1) ring.frames = []
      ring.frames.push(frame)
      wakeAll(ring.wakes)
    }
    if (this.#all.length > 2 * MOST_FRAMES || this.#text > MOST_TEXT) this.#forgetOldest()
    wakeAll(this.wakes)
  }

  /** In large pieces: taking off the first of an array costs as much as the array is long. */
  #forgetOldest(): void {
    let most = MOST_TEXT / 2
    const kept = this.#all.slice(-MOST_FRAMES).reverse()
    const newest = kept.filter(({ text }, index) => (most -= text.length) > 0 || index === 0).reverse()
    const forgotten = new Set(this.#all.slice(0, -newest.length))
    this.#all = newest
    this.#text = newest.reduce((sum, { text }) => sum + text.length, 0)
    for (const ring of this.#runs.values()) ring.frames = ring.frames.filter((frame) => !forgotten.has(frame))
  }

  #onEnd(runId: string): void {
    const ring = this.#runs.get(runId)
    if (ring === undefined) return
    ring.isOver = true
    wakeAll(ring.wakes)
  }

  #placeOf(number: number): string {
    return `${this.#epoch}-${number}`
  }

  #numberOf(place: string): number | undefined {
    const { epoch, number } = PLACE.exec(place)?.groups ?? {}
    return epoch === this.#epoch ? Number(number) : undefined
  }
}

export interface RunWatch {
  /** Woken by every record of the run, and by its end. */
  readonly wakes: Set<() => void>
  /** Whether it was heard that the run has ended. */
  isOver(): boolean
  /** Some frames after a seq; a promise of those that are not kept. @throws CallboardError `run.trimmed` */
  after(seq: number): readonly Frame[] | Promise<readonly Frame[]>
  /** Whether it was heard of a record after a seq. */
  isAfter(seq: number): boolean
  /** The snapshot at a seq, as it was made for somebody else while that is being sent. */
  snapshot(seq: number, make: () => Block): Block
  /** Twice is harmless. */
  close(): void
}

/** Frames given at once. */
const AT_ONCE = 128
const PLACE = /^(?<epoch>[0-9a-f]+)-(?<number>\d{1,15})$/

function emptyRing(): RunRing {
  return { frames: [], readers: 0, isOver: false, wakes: new Set(), snapshot: undefined }
}

function wakeAll(wakes: Set<() => void>): void {
  for (const wake of [...wakes]) wake()
}
