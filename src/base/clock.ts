/** The time a runtime lives by: instants in milliseconds since 1970, delays in milliseconds. */
export interface Clock {
  now(): number
  /**
   * Milliseconds since any beginning, never set back or forth. Where a clock has it, setting its hands while a runtime is
   * at work changes nothing for that runtime. Optional.
   */
  monotonic?(): number
  /** Calls `fn` once after `ms`; delays beyond the platform's 24.8 days are the caller's to split (see Deadlines). */
  setTimeout(fn: () => void, ms: number): unknown
  clearTimeout(id: unknown): void
  /** Says whether a set timeout is worth staying alive for. Optional: without it, timeouts nobody needs are cleared. */
  keepAlive?(id: unknown, needed: boolean): void
}

/** The machine's own clock. The globals are called late, so that a test's fake timers take effect. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => Math.floor(performance.now()),
  setTimeout: (fn, ms) => setTimeout(fn, ms),
  clearTimeout: (id) => clearTimeout(id as NodeJS.Timeout),
  keepAlive: (id, needed) => void (needed ? (id as NodeJS.Timeout).ref() : (id as NodeJS.Timeout).unref()),
}

/**
 * The same clock with hands that move evenly from now on, whoever sets them: what is due in a minute is due in a minute.
 * On some platforms, time that the machine sleeps does not count, as it does not for a timeout.
 */
export function steadyClock(clock: Clock): Clock {
  const elapsed = clock.monotonic?.bind(clock)
  if (elapsed === undefined) return clock
  const beganAt = clock.now() - elapsed()
  return {
    now: () => beganAt + elapsed(),
    setTimeout: (fn, ms) => clock.setTimeout(fn, ms),
    clearTimeout: (id) => clock.clearTimeout(id),
    ...(clock.keepAlive === undefined ? {} : { keepAlive: (id, needed) => clock.keepAlive?.(id, needed) }),
  }
}
