// Streams: the open ones, and whatever else takes its time.
//   O1. Each ends when its reader or caller leaves, its token is revoked, or the server stops.
//   O2. One whose reader takes nothing is cut: it goes on from the last id it got.
//   O3. What waits for all readers together is bounded: of too much, who has taken nothing for longest is cut, and who begins
//       waits until there is room. What is the same for several is counted once.
//   O4. Nobody waits for a reader; what is made for one of them is made when it has taken what there was.
import { CallboardError } from '../base/index.ts'
import type { Clock } from '../base/index.ts'
import type { Block } from './block.ts'
import type { ServerBook } from './book.ts'
import type { Caller } from './caller.ts'
import type { ServerLimits } from './limits.ts'
import { OpenStream } from './open-stream.ts'
import type { EnteredStream } from './open-stream.ts'

/** Revoked within a second, whatever a stream is doing. */
const LOOK_MS = 500
/** Who has taken nothing for so long makes room for who begins. */
const SILENT_MS = 1_000

type StreamLimits = Pick<ServerLimits, 'streams' | 'slowReaderMs' | 'heartbeatMs' | 'streamBytes'>

export class Streams {
  readonly #clock: Clock
  readonly #book: ServerBook
  readonly #limits: StreamLimits
  readonly #open = new Set<OpenStream>()
  /** Blocks that are being sent, and to how many. */
  readonly #held = new Map<Block, number>()
  #heldBytes = 0
  readonly #roomWakes = new Set<() => void>()
  #timer: unknown

  constructor(clock: Clock, book: ServerBook, limits: StreamLimits) {
    this.#clock = clock
    this.#book = book
    this.#limits = limits
  }

  get size(): number {
    return this.#open.size
  }

  /** Bytes of what is being sent in several pieces. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  /**
   * Counts a stream in.
   * @param hangUp ends the connection, whatever its reader does
   * @throws CallboardError `server.streams`
   */
  enter({ tokenId }: Caller, hangUp: () => void): EnteredStream {
    const most = this.#limits.streams
    if (this.#open.size >= most) {
      throw new CallboardError('server.streams', `there are ${most} streams open; close one first`, {})
    }
    const stream = new OpenStream(
      {
        clock: this.#clock,
        hold: (block, hasRoom) => this.#hold(block, hasRoom),
        release: (block) => this.#release(block),
        room: (one) => this.#room(one),
        closed: (one) => this.#open.delete(one),
      },
      { tokenId, hangUp },
    )
    this.#open.add(stream)
    if (this.#timer === undefined) this.#lookLater()
    return stream
  }

  /** Why one of a caller's was ended. */
  whyEnded({ tokenId }: Caller): CallboardError {
    const isRevoked = tokenId !== undefined && !this.#book.isTokenInForce(tokenId, this.#clock.now())
    if (isRevoked) return new CallboardError('server.wrong-token', 'the token is wrong, revoked or over', {})
    return new CallboardError('server.stopping', 'the server is stopping', {})
  }

  /** Ends all of them. */
  closeAll(): void {
    this.#clock.clearTimeout(this.#timer)
    this.#timer = undefined
    for (const stream of [...this.#open]) stream.cut()
  }

  #hold(block: Block, hasRoom: boolean): void {
    const holders = this.#held.get(block) ?? 0
    this.#held.set(block, holders + 1)
    if (holders > 0) return
    this.#heldBytes += block.bytes
    // Who has waited for room has found it: what it is too much, it is by this one block.
    if (!hasRoom) this.#makeRoom(0)
  }

  #release(block: Block): void {
    const holders = this.#held.get(block) ?? 0
    if (holders > 1) {
      this.#held.set(block, holders - 1)
      return
    }
    if (this.#held.delete(block)) this.#heldBytes -= block.bytes
    if (this.#heldBytes <= this.#limits.streamBytes) this.#wakeWaiting()
  }

  /** Resolves when something more may be made. */
  async #room(stream: OpenStream): Promise<void> {
    while (!stream.isOver && this.#heldBytes > this.#limits.streamBytes) {
      this.#makeRoom(SILENT_MS)
      if (this.#heldBytes > this.#limits.streamBytes) await stream.sleep(this.#roomWakes)
    }
  }

  /** Cuts who has taken nothing for longest, until what waits is not too much. */
  #makeRoom(silentMs: number): void {
    if (this.#heldBytes <= this.#limits.streamBytes) return
    const until = this.#clock.now() - silentMs
    const silent = [...this.#open]
      .filter((one) => one.isSending && (one.heldUpAt ?? Infinity) <= until)
      .sort((one, other) => (one.heldUpAt ?? 0) - (other.heldUpAt ?? 0))
    for (const stream of silent) {
      if (this.#heldBytes <= this.#limits.streamBytes) return
      stream.cut()
    }
  }

  #wakeWaiting(): void {
    for (const wake of [...this.#roomWakes]) wake()
  }

  #lookLater(): void {
    this.#timer = this.#clock.setTimeout(() => this.#look(), LOOK_MS)
    this.#clock.keepAlive?.(this.#timer, false)
  }

  #look(): void {
    this.#timer = undefined
    const now = this.#clock.now()
    const inForce = new Map<string, boolean>()
    for (const stream of [...this.#open]) {
      const { tokenId, heldUpAt, sentAt } = stream
      const isSlow = heldUpAt !== undefined && now - heldUpAt >= this.#limits.slowReaderMs
      const isFine = tokenId === undefined || (inForce.get(tokenId) ?? this.#book.isTokenInForce(tokenId, now))
      if (tokenId !== undefined) inForce.set(tokenId, isFine)
      if (isSlow || !isFine) stream.cut()
      else if (now - sentAt >= this.#limits.heartbeatMs) stream.beLate()
    }
    this.#wakeWaiting()
    if (this.#open.size > 0) this.#lookLater()
  }
}
