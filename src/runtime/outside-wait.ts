// A wait of somebody outside for an entry, as the workflow sees it or with the eyes of an agent that works elsewhere.
import { CallboardError, isCallboardError } from '../base/index.ts'
import type { Cell, Sight } from '../context/index.ts'
import { timeoutProblem } from '../waits/index.ts'
import type { WaitOptions } from '../workflow/index.ts'
import type { RunCore } from './run-core.ts'

/** Whoever acts from outside without a name. */
export const OUTSIDE = 'outside'

/** One key, and how it is waited for. */
export interface OutsideWait extends WaitOptions {
  readonly key: string
  /** The workflow's own unless given. */
  readonly sight?: Sight | undefined
}

/**
 * Waits with the run at work, and with the one that takes its place when that is taken back.
 * @param during does something with the run at work, which does not rest in between
 */
export async function waitFromOutside(
  core: RunCore,
  during: (work: (core: RunCore) => Promise<unknown>) => Promise<unknown>,
  { key, sight, timeoutMs = core.waitTimeoutMs, fresh = false, since = 0, signal }: OutsideWait,
): Promise<unknown> {
  if (sight !== undefined) assertAwaitable(core, sight, key)
  const waiter = sight?.agentId ?? OUTSIDE
  // Here, as what is left of it later on is never below 0.
  const problem = timeoutProblem(waiter, timeoutMs)
  if (problem !== undefined) throw problem
  const untilAt = core.clock.now() + timeoutMs
  const waitWith = (at: RunCore): Promise<unknown> => {
    const wait = at.waits.add({
      waiter,
      keys: [key],
      mode: 'one',
      read: (name) => (sight === undefined ? readAsWorkflow(at, name) : sight.find(at.readableBoard(), name)),
      fresh,
      since,
      timeoutMs: Math.max(0, untilAt - at.clock.now()),
      signal,
      onTimeout: (one) => at.timeoutError(one),
    })
    // It may have come back ended.
    if (at.end !== undefined) at.waits.rejectAll(() => goneError(at.runId, key))
    return wait
  }
  const wait = (): Promise<unknown> =>
    during(waitWith).catch((error: unknown) => {
      if (isCallboardError(error, 'run.taken-back')) return wait()
      throw error
    })
  return wait()
}

function readAsWorkflow(core: RunCore, key: string): Cell | undefined {
  const board = core.readableBoard()
  const own = board.own.plain(key)
  return own?.live === true ? own : board.globals.plain(key)
}

/** What an agent here may not wait for, one elsewhere may not either. */
function assertAwaitable({ runId, catalogue }: RunCore, { agentId: agent, access }: Sight, key: string): void {
  const details = { runId, agent, key }
  if (!access.canRead(key)) {
    const message = `run ${runId}: ${agent} may not read "${key}"; it is not among the reads of agent type ${access.rules.type}`
    throw new CallboardError('view.not-readable', message, details)
  }
  if (catalogue.find(key) !== undefined) return
  const message = `run ${runId}: ${agent} waits for "${key}", which the catalogue does not know; correct the key`
  throw new CallboardError('wait.unknown-key', message, details)
}

function goneError(runId: string, key: string): CallboardError {
  return new CallboardError('run.finished', `run ${runId} has ended; "${key}" will not come any more`, { runId, key })
}
