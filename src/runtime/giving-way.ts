// GivingWay: what becomes of a run that works by itself when another process writes to it as well.
//   G1. It does not go on here before a pause in which the other has written nothing. Each pause is twice as long as the
//       last, less up to half of it by chance: two that give way to each other come back at different times.
//   G2. Who would have to give way once too often within an hour gives the run up: in the end one process works on it.
// What was stored in between is no measure: each of two stores something before the other is refused. A run that does only
// what it is asked comes back at once: of such, several processes may ask in turn.
import { CallboardError, isCallboardError } from '../base/index.ts'
import type { Clock, Deadlines } from '../base/index.ts'
import type { Store } from '../store/index.ts'
import { pauseAfter } from './store-failure.ts'

export interface GivingWayHost {
  readonly store: Pick<Store, 'summary'>
  readonly clock: Clock
  readonly deadlines: Deadlines
  readonly random: () => number
}

/** How often a run gives way within this time. */
const MOST_TIMES = 4
const WITHIN_MS = 3_600_000

/** At which record another process is, because of which ours was refused; undefined for any other failure. */
export function rivalSeqOf(runId: string, error: unknown): number | undefined {
  if (!isCallboardError(error, 'store.conflict') || error.details['runId'] !== runId) return undefined
  return error.details['actualSeq'] as number
}

export class GivingWay {
  readonly #host: GivingWayHost
  /** When each run gave way. */
  readonly #instants = new Map<string, readonly number[]>()
  readonly #pauses = new Set<() => void>()
  #isClosed = false

  constructor(host: GivingWayHost) {
    this.#host = host
  }

  /**
   * Resolves when the run may go on here.
   * @throws CallboardError `run.overtaken` when it is given up
   */
  async untilQuiet(runId: string, rivalSeq: number): Promise<void> {
    for (let seq = rivalSeq; ;) {
      const times = this.#count(runId)
      if (times > MOST_TIMES) throw givenUpError(runId)
      const full = pauseAfter(times + 1)
      await this.#pause(full / 2 + (full / 2) * this.#host.random())
      if (this.#isClosed) return
      const stored = await this.#host.store.summary(runId)
      if (stored === undefined || stored.status !== 'active' || stored.seq === seq) return
      seq = stored.seq
    }
  }

  /** Nobody waits any more: whether the run can go on is for others to say. */
  close(): void {
    this.#isClosed = true
    for (const end of [...this.#pauses]) end()
  }

  /** Gives how often it has given way lately, this time included. */
  #count(runId: string): number {
    const now = this.#host.clock.now()
    for (const [id, instants] of this.#instants) {
      const late = instants.filter((at) => at > now - WITHIN_MS)
      if (late.length === 0) this.#instants.delete(id)
      else this.#instants.set(id, late)
    }
    const instants = [...(this.#instants.get(runId) ?? []), now]
    this.#instants.set(runId, instants)
    return instants.length
  }

  #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const deadline = this.#host.deadlines.add(this.#host.clock.now() + ms, resolve)
    this.#pauses.add(resolve)
    return promise.finally(() => {
      deadline.cancel()
      this.#pauses.delete(resolve)
    })
  }
}

function givenUpError(runId: string): CallboardError {
  return new CallboardError(
    'run.overtaken',
    `run ${runId}: another process works on it too, and it was left to that one; let one process work on a run, and open it ` +
      `here again when the other is over`,
    { runId },
  )
}
