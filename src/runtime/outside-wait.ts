// A wait of somebody outside for an entry as the workflow sees it.
import { CallboardError, isCallboardError } from '../base/index.ts'
import type { WaitOptions } from '../workflow/index.ts'
import type { RunCore } from './run-core.ts'

/** Whoever acts from outside without a name. */
export const OUTSIDE = 'outside'

/** One key, and how it is waited for. */
export interface OutsideWait extends WaitOptions {
  readonly key: string
}

/**
 * Waits with the run at work, and with the one that takes its place when that is taken back.
 * @param during does something with the run at work, which does not rest in between
 */
export function waitFromOutside(
  core: RunCore,
  during: (work: (core: RunCore) => Promise<unknown>) => Promise<unknown>,
  { key, timeoutMs = core.waitTimeoutMs, fresh = false, since = 0, signal }: OutsideWait,
): Promise<unknown> {
  const untilAt = core.clock.now() + timeoutMs
  const waitWith = (at: RunCore): Promise<unknown> =>
    at.waits.add({
      waiter: OUTSIDE,
      keys: [key],
      mode: 'one',
      read: (name) => {
        const board = at.readableBoard()
        const own = board.own.plain(name)
        return own?.live === true ? own : board.globals.plain(name)
      },
      fresh,
      since,
      timeoutMs: Math.max(0, untilAt - at.clock.now()),
      signal,
      onTimeout: (one) => at.timeoutError(one),
    })
  const wait = (): Promise<unknown> =>
    during(waitWith).catch((error: unknown) => {
      if (isCallboardError(error, 'run.taken-back')) return wait()
      throw error
    })
  return wait()
}

export function goneError(runId: string, key: string): CallboardError {
  return new CallboardError('run.finished', `run ${runId} has ended; "${key}" will not come any more`, { runId, key })
}
