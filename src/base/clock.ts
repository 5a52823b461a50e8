/** The time a runtime lives by: instants in milliseconds since 1970, delays in milliseconds. */
export interface Clock {
  now(): number
  /** Calls `fn` once after `ms`; delays beyond the platform's 24.8 days are the caller's to split (see Deadlines). */
  setTimeout(fn: () => void, ms: number): unknown
  clearTimeout(id: unknown): void
  /** Says whether a set timeout is worth staying alive for. Optional: without it, timeouts nobody needs are cleared. */
  keepAlive?(id: unknown, needed: boolean): void
}

/** The machine's own clock. The globals are called late, so that a test's fake timers take effect. */
export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (fn, ms) => setTimeout(fn, ms),
  clearTimeout: (id) => clearTimeout(id as NodeJS.Timeout),
  keepAlive: (id, needed) => void (needed ? (id as NodeJS.Timeout).ref() : (id as NodeJS.Timeout).unref()),
}
