// Wait: for an entry as somebody sees it, from outside the process. Unlike the wait of an agent it is no part of the run:
// nobody is deadlocked by it, and it ends with the request.
import type { Clock } from '../base/index.ts'
import type { Entry } from '../context/index.ts'
import type { Run } from '../runtime/index.ts'

export interface WaitAsked {
  readonly read: (key: string) => Entry | undefined
  readonly timeoutMs: number
  /** Only a version above this counts. */
  readonly since: number
  /** A stale entry does not count. */
  readonly fresh: boolean
  readonly signal: AbortSignal
  readonly clock: Clock
}

/** The entry once it is there; undefined when it did not come in time, or cannot come any more. */
export async function waitForEntry(
  run: Run,
  key: string,
  { read, timeoutMs, since, fresh, signal, clock }: WaitAsked,
): Promise<Entry | undefined> {
  const look = (): Entry | undefined => {
    const entry = read(key)
    return entry === undefined || entry.version <= since || (fresh && entry.stale) ? undefined : entry
  }
  const there = look()
  if (there !== undefined || run.status !== 'active' || timeoutMs === 0) return there
  const { promise, resolve } = Promise.withResolvers<Entry | undefined>()
  const end = (): void => resolve(look())
  const check = (): void => {
    const entry = look()
    if (entry !== undefined) resolve(entry)
  }
  const off = run.subscribe('*', check)
  const timer = clock.setTimeout(end, timeoutMs)
  signal.addEventListener('abort', end, { once: true })
  void run.done.then(end, end)
  check()
  try {
    return await promise
  } finally {
    off()
    clock.clearTimeout(timer)
    signal.removeEventListener('abort', end)
  }
}
