// A clock that moves only when a test says so.
import type { Clock } from '../base/index.ts'

/** A virtual clock for `createRuntime({ clock })` and everything else that takes one. */
export interface TestClock extends Clock {
  /**
   * Moves time forward by `ms`: fires what falls due in the order of instants, then of registration, and lets everything
   * that follows from it settle before the next one, so that a timer set on the way fires too when its time is reached.
   */
  advance(ms: number): Promise<void>
  /** Lets what is under way settle without moving time. */
  settle(): Promise<void>
  /** Lets time pass without firing anything, as a busy event loop does. */
  jump(ms: number): void
  /** Sets the hands forth or, below zero, back, as a time server does: no time passes. */
  correct(ms: number): void
  monotonic(): number
  /** How many timers are armed. */
  readonly armed: number
}

interface Timer {
  /** Counted from the beginning, whatever the hands show. */
  readonly at: number
  readonly fire: () => void
}

/** Turns of the event loop that one settling takes: promises settle within the first, streams need a few. */
const TURNS = 3

async function settle(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
}

/** @param startAt what the clock shows first; an instant with nothing special about it unless given */
export function createTestClock(startAt = Date.UTC(2026, 0, 1)): TestClock {
  let elapsed = 0
  let zero = startAt
  let nextId = 1
  const timers = new Map<number, Timer>()

  const nextDue = (until: number): number | undefined => {
    let found: number | undefined
    for (const [id, { at }] of timers) {
      if (at <= until && (found === undefined || at < (timers.get(found)?.at ?? at))) found = id
    }
    return found
  }

  return {
    now: () => zero + elapsed,
    monotonic: () => elapsed,
    setTimeout(fire, ms) {
      const id = nextId++
      timers.set(id, { at: elapsed + Math.max(0, ms), fire })
      return id
    },
    clearTimeout(id) {
      timers.delete(id as number)
    },
    async advance(ms) {
      const until = elapsed + ms
      await settle()
      for (let id = nextDue(until); id !== undefined; id = nextDue(until)) {
        const timer = timers.get(id)
        timers.delete(id)
        if (timer === undefined) continue
        elapsed = Math.max(elapsed, timer.at)
        timer.fire()
        await settle()
      }
      elapsed = Math.max(elapsed, until)
    },
    settle,
    jump(ms) {
      elapsed += ms
    },
    correct(ms) {
      zero += ms
    },
    get armed() {
      return timers.size
    },
  }
}
