import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Deadlines } from '../../src/base/index.ts'
import type { Clock } from '../../src/base/index.ts'
import { failureOf } from '../invariants/properties/run-property.ts'
import { createTestClock } from '../support/clock.ts'

const DAY_MS = 86_400_000

describe('deadlines', () => {
  it('fire in the order of their instants, then of their registration', async () => {
    const clock = createTestClock(0)
    const deadlines = new Deadlines(clock)
    const fired: string[] = []
    for (const [name, at] of [
      ['late', 30],
      ['first', 10],
      ['second', 10],
      ['middle', 20],
    ] as const) {
      deadlines.add(at, () => fired.push(`${name} at ${clock.now()}`))
    }
    await clock.advance(100)
    expect(fired).toEqual(['first at 10', 'second at 10', 'middle at 20', 'late at 30'])
    expect(clock.armed).toBe(0)
  })

  it('never fire in the middle of the call that adds them, even when they are overdue', async () => {
    const clock = createTestClock(1_000)
    const deadlines = new Deadlines(clock)
    let fired = false
    deadlines.add(5, () => (fired = true))
    expect(fired).toBe(false)
    await clock.advance(0)
    expect(fired).toBe(true)
  })

  it('do not fire once cancelled; cancelling twice is harmless', async () => {
    const clock = createTestClock(0)
    const deadlines = new Deadlines(clock)
    const fired: string[] = []
    const gone = deadlines.add(10, () => fired.push('gone'))
    deadlines.add(20, () => fired.push('kept'))
    gone.cancel()
    gone.cancel()
    expect(deadlines.size).toBe(1)
    await clock.advance(100)
    expect(fired).toEqual(['kept'])
    expect(deadlines.size).toBe(0)
  })

  it('beyond the 24.8 days of a timer are reached in hops', async () => {
    const clock = createTestClock(0)
    const delays: number[] = []
    const watched: Clock = {
      ...clock,
      setTimeout: (fire, ms) => {
        delays.push(ms)
        return clock.setTimeout(fire, ms)
      },
    }
    let firedAt: number | undefined
    new Deadlines(watched).add(60 * DAY_MS, () => (firedAt = clock.now()))
    await clock.advance(61 * DAY_MS)
    expect(firedAt).toBe(60 * DAY_MS)
    expect(delays.length).toBeGreaterThan(1)
    expect(Math.max(...delays)).toBeLessThan(2 ** 31)
  })

  it('survive a clock that was set back', async () => {
    const clock = createTestClock(10_000)
    const fired: number[] = []
    new Deadlines(clock).add(10_100, () => fired.push(clock.now()))
    clock.correct(-5_000)
    await clock.advance(200)
    await clock.advance(10_000)
    expect(fired).toHaveLength(1)
    expect(fired[0]).toBeGreaterThanOrEqual(10_100)
  })

  it('that throws does not keep the others from firing', async () => {
    const clock = createTestClock(0)
    const deadlines = new Deadlines(clock)
    const fired: string[] = []
    deadlines.add(10, () => {
      throw new Error('a deadline failed')
    })
    deadlines.add(10, () => fired.push('same time'))
    deadlines.add(20, () => fired.push('later'))
    await expect(clock.advance(15)).rejects.toThrow('a deadline failed')
    await clock.advance(15)
    expect(fired).toEqual(['same time', 'later'])
  })

  it('can be added and cancelled while others fire', async () => {
    const clock = createTestClock(0)
    const deadlines = new Deadlines(clock)
    const fired: string[] = []
    const second = deadlines.add(10, () => fired.push('second'))
    deadlines.add(5, () => {
      second.cancel()
      deadlines.add(7, () => fired.push('added'))
    })
    await clock.advance(20)
    expect(fired).toEqual(['added'])
    expect(clock.armed).toBe(0)
  })

  it('refuse an instant that is not a number, which would stop all the others', () => {
    const add = (): unknown => new Deadlines(createTestClock()).add(Number.NaN, () => {})
    expect(add).toThrow(expect.objectContaining({ code: 'deadline.invalid' }))
  })

  it('are forgotten all at once by clear', async () => {
    const clock = createTestClock(0)
    const deadlines = new Deadlines(clock)
    let fired = false
    deadlines.add(1, () => (fired = true))
    deadlines.clear()
    await clock.advance(10)
    expect([fired, deadlines.size, clock.armed]).toEqual([false, 0, 0])
  })

  it('fire once each, never early, however many are added and cancelled', async () => {
    const plan = fc.array(fc.record({ at: fc.nat(300), isCancelled: fc.boolean(), after: fc.nat(50) }), {
      maxLength: 200,
      size: 'max',
    })
    const property = fc.asyncProperty(plan, async (entries) => {
      const clock = createTestClock(0)
      const deadlines = new Deadlines(clock)
      const fired: number[] = []
      const expected: number[] = []
      for (const { at, isCancelled } of entries) {
        const deadline = deadlines.add(at, () => {
          expect(clock.now()).toBeGreaterThanOrEqual(at)
          fired.push(at)
        })
        if (isCancelled) deadline.cancel()
        else expected.push(at)
      }
      expect(deadlines.size).toBe(expected.length)
      clock.jump(0)
      await clock.advance(400)
      expect(fired).toEqual(expected.sort((a, b) => a - b))
      expect([deadlines.size, clock.armed]).toEqual([0, 0])
    })
    expect(await failureOf(property)).toBeUndefined()
  })
})
