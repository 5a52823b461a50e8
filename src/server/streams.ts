// Streams: the open ones, and whatever else takes its time. Each ends when its reader leaves, its token is revoked, or the server stops; one whose reader
// takes nothing is cut: it goes on from the last id it got.
import { CallboardError } from '../base/index.ts'
import type { Clock } from '../base/index.ts'
import type { ServerBook } from './book.ts'
import type { Caller } from './caller.ts'
import type { ServerLimits } from './limits.ts'

/** Revoked within a second, whatever a stream is doing. */
const LOOK_MS = 500

interface OpenStream {
  readonly tokenId: string | undefined
  readonly controller: AbortController
  readonly hangUp: () => void
  /** Since when its reader takes nothing. */
  heldUpAt: number | undefined
}

export interface EnteredStream {
  /** Aborted when it has to end. */
  readonly signal: AbortSignal
  /** Says that its reader has not yet taken what there is, or has. */
  isHeldUp(isIt: boolean): void
  /** Counts it out. Twice is harmless. */
  close(): void
}

export class Streams {
  readonly #clock: Clock
  readonly #book: ServerBook
  readonly #limits: Pick<ServerLimits, 'streams' | 'slowReaderMs'>
  readonly #open = new Set<OpenStream>()
  #timer: unknown

  constructor(clock: Clock, book: ServerBook, limits: Pick<ServerLimits, 'streams' | 'slowReaderMs'>) {
    this.#clock = clock
    this.#book = book
    this.#limits = limits
  }

  get size(): number {
    return this.#open.size
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
    const stream: OpenStream = { tokenId, hangUp, controller: new AbortController(), heldUpAt: undefined }
    this.#open.add(stream)
    if (this.#timer === undefined) this.#lookLater()
    return {
      signal: stream.controller.signal,
      isHeldUp: (isIt) => (stream.heldUpAt = isIt ? this.#clock.now() : undefined),
      close: () => {
        this.#open.delete(stream)
        stream.controller.abort()
      },
    }
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
    for (const stream of [...this.#open]) this.#cut(stream)
  }

  #cut(stream: OpenStream): void {
    this.#open.delete(stream)
    stream.controller.abort()
    // Its reader takes nothing, so that it would never hear of the end.
    if (stream.heldUpAt !== undefined) stream.hangUp()
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
      const { tokenId, heldUpAt } = stream
      const isSlow = heldUpAt !== undefined && now - heldUpAt >= this.#limits.slowReaderMs
      const isFine = tokenId === undefined || (inForce.get(tokenId) ?? this.#book.isTokenInForce(tokenId, now))
      if (tokenId !== undefined) inForce.set(tokenId, isFine)
      if (isSlow || !isFine) this.#cut(stream)
    }
    if (this.#open.size > 0) this.#lookLater()
  }
}
