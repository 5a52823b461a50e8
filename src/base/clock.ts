/** The time a runtime lives by: instants in milliseconds since 1970, delays in milliseconds. */
export interface Clock {
  now(): number
  /** Calls `fn` once after `ms`; delays beyond the platform's 24.8 days are the caller's to split (see Deadlines). */
  setTimeout(fn: () => void, ms: number): unknown
  clearTimeout(id: unknown): void
}

/** The machine's own clock. The globals are called late, so that a test's fake timers take effect. */
export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (fn, ms) => setTimeout(fn, ms),
  clearTimeout: (id) => clearTimeout(id as NodeJS.Timeout),
}
