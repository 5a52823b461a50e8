// A store in memory, or one that answers at once, keeps the process among promises for as long as an agent has something to
// write: no timer, no deadline and no request would come in between.
import { setImmediate } from 'node:timers/promises'

/** Commits, or milliseconds, of the process after which everything else has its turn. */
const MOST_COMMITS = 256
const MOST_MS = 5

let commits = 0
let since = 0

/** Counts a commit; what is to be awaited before the next one, if anything. */
export function breath(now: number): Promise<void> | undefined {
  commits += 1
  if (commits < MOST_COMMITS && Math.abs(now - since) < MOST_MS) return undefined
  commits = 0
  since = now
  return setImmediate()
}
