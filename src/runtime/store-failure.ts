// What a runtime makes of a store that fails: an error with a code, and another attempt where there is something to lose.
import { CallboardError, isCallboardError } from '../base/index.ts'
import type { Clock, Deadlines } from '../base/index.ts'

/** The store's own error, or `store.failed` for one without a code. */
export function asStoreError(runId: string, error: unknown): CallboardError {
  if (isCallboardError(error)) return error
  const message = error instanceof Error ? error.message : String(error)
  return new CallboardError(
    'store.failed',
    `run ${runId}: the store did not do what it was asked: ${message}; what was to be stored was not acknowledged`,
    { runId },
    { cause: error },
  )
}

/** Whether the store may do better next time. */
export function isPassing(error: unknown): boolean {
  return isCallboardError(error) && error.code.startsWith('store.') && error.code !== 'store.closed'
}

const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 60_000

/** How long to wait after so many failures in a row: not at all at first, a second, two, four, … a minute. */
export function pauseAfter(failures: number): number {
  return failures <= 1 ? 0 : Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 2))
}

/** Does something until the store lets it. @throws what is no failure of the store; the last failure once it is over */
export async function insist<Result>(
  act: () => Promise<Result>,
  { deadlines, clock, isOver }: { readonly deadlines: Deadlines; readonly clock: Clock; isOver(): boolean },
): Promise<Result> {
  for (let failures = 1; ; failures++) {
    try {
      return await act()
    } catch (error) {
      if (!isPassing(error) || isOver()) throw error
      await new Promise<void>((resolve) => void deadlines.add(clock.now() + pauseAfter(failures), resolve))
    }
  }
}
