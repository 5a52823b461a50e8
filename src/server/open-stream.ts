// Open stream: one of the server's streams: what its reader has not taken yet, and what wakes it.
import type { Clock } from '../base/index.ts'
import { PIECE_BYTES } from './block.ts'
import type { Block } from './block.ts'

export interface EnteredStream {
  /** Aborted when it has to end. */
  readonly signal: AbortSignal
  /** Whether it has to end. */
  readonly isOver: boolean
  /** Whether it is time for a sign of life. */
  readonly isLate: boolean
  /** Resolves when one of `wakes` is called, when it is late, and when it has to end. */
  nap(wakes: Set<() => void>): Promise<void>
  /** Has something large made and holds it, once there is room for it; undefined when it has to end before. */
  make(make: () => Block): Promise<Block | undefined>
  /** Says what it is sending, until it says something else: nothing is kept for it beside that. */
  hold(block: Block | undefined): void
  /** Says that its reader has not yet taken what there is, or has. */
  isHeldUp(isIt: boolean): void
  /** Counts it out. Twice is harmless. */
  close(): void
}

/** What the streams do for one of them. */
export interface StreamKeeper {
  readonly clock: Clock
  hold(block: Block, hasRoom: boolean): void
  release(block: Block): void
  room(stream: OpenStream): Promise<void>
  closed(stream: OpenStream): void
}

export class OpenStream implements EnteredStream {
  readonly tokenId: string | undefined
  /** Since when its reader takes nothing. */
  heldUpAt: number | undefined
  sentAt: number
  isOver = false
  isLate = false
  readonly #keeper: StreamKeeper
  readonly #hangUp: () => void
  readonly #controller = new AbortController()
  #held: Block | undefined
  #wake: (() => void) | undefined

  constructor(
    keeper: StreamKeeper,
    { tokenId, hangUp }: { readonly tokenId: string | undefined; readonly hangUp: () => void },
  ) {
    this.#keeper = keeper
    this.#hangUp = hangUp
    this.tokenId = tokenId
    this.sentAt = keeper.clock.now()
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Whether others may get room from it. */
  get isSending(): boolean {
    return this.#held !== undefined
  }

  nap(wakes: Set<() => void>): Promise<void> {
    return this.isLate ? Promise.resolve() : this.sleep(wakes)
  }

  /** Like `nap`, but also when it is late already. */
  sleep(wakes: Set<() => void>): Promise<void> {
    if (this.isOver) return Promise.resolve()
    return new Promise((resolve) => {
      const wake = (): void => {
        wakes.delete(wake)
        this.#wake = undefined
        resolve()
      }
      wakes.add(wake)
      this.#wake = wake
    })
  }

  async make(make: () => Block): Promise<Block | undefined> {
    await this.#keeper.room(this)
    if (this.isOver) return undefined
    const block = make()
    this.#hold(block, true)
    return block
  }

  hold(block: Block | undefined): void {
    this.#hold(block, false)
  }

  isHeldUp(isIt: boolean): void {
    this.heldUpAt = isIt ? this.#keeper.clock.now() : undefined
    if (!isIt) return
    this.sentAt = this.heldUpAt as number
    this.isLate = false
  }

  beLate(): void {
    this.isLate = true
    this.#wake?.()
  }

  close(): void {
    if (this.isOver) return
    this.isOver = true
    this.#keeper.closed(this)
    this.hold(undefined)
    this.#controller.abort()
    this.#wake?.()
  }

  /** Ends it, whatever its reader does. */
  cut(): void {
    if (this.isOver) return
    // A reader that takes nothing would never hear of the end.
    const isDeaf = this.heldUpAt !== undefined
    this.close()
    if (isDeaf) this.#hangUp()
  }

  #hold(block: Block | undefined, hasRoom: boolean): void {
    const before = this.#held
    // What could be one piece is no more than what lies in any connection.
    const counted = block !== undefined && block.bytes > PIECE_BYTES ? block : undefined
    if (before === counted) return
    this.#held = counted
    if (before !== undefined) this.#keeper.release(before)
    if (counted !== undefined) this.#keeper.hold(counted, hasRoom)
  }
}
