// Compactor: hands what was evicted to the workflow's `compact` hook.
//   K1. It is told after the commit, of everything that went since the last call, in the order in which it went.
//   K2. One call at a time; what goes meanwhile comes with the next.
//   K3. A hook that fails harms nothing: it is reported.
// Which entries go was decided on the board (evict.ts); what went stays in the ledger (evictions.ts).
import { entryOf, evictionReasonOf, refusalError } from '../context/index.ts'
import type { CellChange, UpdateOptions } from '../context/index.ts'
import type { Accepted, Compact, EvictedEntry, UpdateResult } from '../workflow/index.ts'

export interface CompactorHost {
  readonly runId: string
  readonly compact: Compact
  update(changes: Readonly<Record<string, unknown>>, options: UpdateOptions | undefined): Promise<UpdateResult>
  /** Told of failures; nobody else is. */
  onFailure(error: unknown): void
  /** It has nothing to hand over any more. */
  onDone(): void
  /** Whoever closes the runtime waits for this. */
  track(work: Promise<void>): void
}

export class Compactor {
  readonly #host: CompactorHost
  #evicted: EvictedEntry[] = []
  #seq = 0
  #at = 0
  #isBusy = false

  constructor(host: CompactorHost) {
    this.#host = host
  }

  /** It has something to hand over, or is at it. */
  get isBusy(): boolean {
    return this.#isBusy
  }

  /** A record is in the store. */
  onCommitted(seq: number, at: number, changes: readonly CellChange[]): void {
    const evicted = changes.flatMap((change) => evictedEntryOf(change) ?? [])
    if (evicted.length === 0) return
    this.#evicted.push(...evicted)
    this.#seq = seq
    this.#at = at
    if (this.#isBusy) return
    this.#isBusy = true
    this.#host.track(this.#compactAll())
  }

  async #compactAll(): Promise<void> {
    // Everybody who was waiting for the commit is told first.
    await Promise.resolve()
    while (this.#evicted.length > 0) {
      const evicted = Object.freeze(this.#evicted)
      this.#evicted = []
      try {
        await this.#host.compact(
          Object.freeze({
            runId: this.#host.runId,
            seq: this.#seq,
            at: this.#at,
            evicted,
            update: (changes: object, options?: UpdateOptions) => this.#update(changes, options),
          }),
        )
      } catch (error) {
        this.#host.onFailure(error)
      }
    }
    this.#isBusy = false
    this.#host.onDone()
  }

  async #update(changes: object, options?: UpdateOptions): Promise<Accepted> {
    const result = await this.#host.update({ ...changes }, options)
    if (result.kind === 'refused') throw refusalError(result, this.#host.runId)
    return result
  }
}

/** What went, as it was; undefined for any other change. */
function evictedEntryOf({ kind, cell, previous }: CellChange): EvictedEntry | undefined {
  if (kind !== 'evict') return undefined
  const reason = evictionReasonOf(cell)
  if (reason === undefined || previous === undefined) return undefined
  return Object.freeze({ entry: entryOf(previous), ...reason })
}
