// What a runtime makes of a store that fails: an error with a code, and another attempt where there is something to lose.
import { CallboardError, isCallboardError } from '../base/index.ts'
import type { Clock, Deadlines } from '../base/index.ts'
import type { Store } from '../store/index.ts'

/** The store's own error, or `store.failed` for one without a code. */
export function asStoreError(runId: string | undefined, error: unknown): CallboardError {
  if (isCallboardError(error)) return error
  const message = error instanceof Error ? error.message : String(error)
  const whose = runId === undefined ? '' : `run ${runId}: `
  return new CallboardError(
    'store.failed',
    `${whose}the store did not do what it was asked: ${message}; what was to be stored was not acknowledged`,
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
  { deadlines, clock }: { readonly deadlines: Deadlines; readonly clock: Clock },
  isOver: () => boolean,
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

/** The same store, whose errors all have a code. */
export function withTypedErrors(store: Store): Store {
  const typed = <Result>(runId: string | undefined, asked: Promise<Result>): Promise<Result> =>
    asked.catch((error: unknown) => {
      throw asStoreError(runId, error)
    })
  const made: Store = {
    traits: store.traits,
    // Whoever appends has more to ask when that fails.
    append: (batches) => store.append(batches),
    read: (runId, options) => typed(runId, store.read(runId, options)),
    summary: (runId) => typed(runId, store.summary(runId)),
    list: (filter, options) => typed(undefined, store.list(filter, options)),
    putSnapshot: (snapshot) => typed(snapshot.runId, store.putSnapshot(snapshot)),
    snapshot: (runId, options) => typed(runId, store.snapshot(runId, options)),
    snapshots: (runId) => typed(runId, store.snapshots(runId)),
    dropSnapshot: (runId, id) => typed(runId, store.dropSnapshot(runId, id)),
    trim: (runId, beforeSeq) => typed(runId, store.trim(runId, beforeSeq)),
    noteRest: (runId, note) => typed(runId, store.noteRest(runId, note)),
    rests: () => typed(undefined, store.rests()),
    remove: (runId, options) => typed(runId, store.remove(runId, options)),
    verify: (runId) => typed(runId, store.verify(runId)),
    close: () => typed(undefined, store.close()),
  }
  return made
}
