import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { CallboardError, entry, isCallboardError, put } from 'callboard'
import { Deadlines } from '../../src/base/index.ts'
import { WaitTable } from '../../src/waits/index.ts'
import type { WaitSpec } from '../../src/waits/index.ts'
import { BoardWorld } from '../context/world.ts'
import { createTestClock } from '../support/clock.ts'
import type { TestClock } from '../support/clock.ts'

interface Desk {
  readonly clock: TestClock
  readonly deadlines: Deadlines
  readonly waits: WaitTable
  readonly world: BoardWorld
  write(changes: Readonly<Record<string, unknown>>): void
  wait(keys: readonly string[], options?: Partial<WaitSpec>): Promise<unknown>
}

function createDesk(): Desk {
  const clock = createTestClock()
  const deadlines = new Deadlines(clock)
  const waits = new WaitTable(clock, deadlines)
  const world = new BoardWorld(
    {
      source: entry(z.unknown(), { merge: 'replace' }),
      plan: entry(z.unknown(), { merge: 'replace', dependsOn: ['source'] as never[] }),
      '*': entry(z.unknown(), { merge: 'replace' }),
    },
    { agents: { ann: { reads: ['*'] } } },
  )
  return {
    clock,
    deadlines,
    waits,
    world,
    write: (changes) => waits.touch(world.accept('workflow', changes).changes),
    wait: (keys, options = {}) =>
      waits.add({
        waiter: 'ann',
        keys,
        mode: keys.length === 1 ? 'one' : 'all',
        read: (key) => world.sight('ann').find(world.board, key),
        fresh: false,
        since: 0,
        timeoutMs: 1_000,
        signal: undefined,
        onTimeout: ({ waiter }) => new CallboardError('wait.timeout', `${waiter} waited too long`),
        ...options,
      }),
  }
}

describe('a wait', () => {
  it('is over at once for what is there', async () => {
    const desk = createDesk()
    desk.write({ a: 1 })
    await expect(desk.wait(['a'])).resolves.toBe(1)
    expect([desk.waits.size, desk.deadlines.size]).toEqual([0, 0])
  })

  it('wakes everybody who waits for a key', async () => {
    const desk = createDesk()
    const all = [desk.wait(['a']), desk.wait(['a'], { waiter: 'ben' }), desk.wait(['a'])]
    desk.write({ a: 1 })
    await expect(Promise.all(all)).resolves.toEqual([1, 1, 1])
    expect([desk.waits.size, desk.deadlines.size, desk.clock.armed]).toEqual([0, 0, 0])
  })

  it('for all gives an object of values, for any the first one with its key', async () => {
    const desk = createDesk()
    const all = desk.wait(['a', '__proto__'])
    const any = desk.wait(['a', 'b'], { mode: 'any' })
    desk.write({ a: 1 })
    expect(desk.waits.size).toBe(1)
    desk.write({ ['__proto__']: 2 })
    await expect(any).resolves.toEqual({ key: 'a', value: 1 })
    expect(Object.entries((await all) as object)).toEqual([
      ['a', 1],
      ['__proto__', 2],
    ])
  })

  it('that wants something fresh passes over what is stale', async () => {
    const desk = createDesk()
    desk.write({ source: 1, plan: 'old' })
    desk.write({ source: 2 })
    const fresh = desk.wait(['plan'], { fresh: true })
    expect(desk.waits.size).toBe(1)
    desk.write({ plan: 'new' })
    await expect(fresh).resolves.toBe('new')
  })

  it('that has seen a version waits for a later one', async () => {
    const desk = createDesk()
    desk.write({ a: 1 })
    const next = desk.wait(['a'], { since: 1 })
    expect(desk.waits.size).toBe(1)
    desk.write({ a: 2 })
    await expect(next).resolves.toBe(2)
  })

  it('is given up at its deadline, with an error that knows who waited', async () => {
    const desk = createDesk()
    const failed = desk.wait(['a']).catch((error: unknown) => error)
    await desk.clock.advance(999)
    expect(desk.waits.size).toBe(1)
    await desk.clock.advance(1)
    const error = await failed
    expect(isCallboardError(error, 'wait.timeout')).toBe(true)
    expect(desk.waits.size).toBe(0)
  })

  it('without a limit arms no timer', () => {
    const desk = createDesk()
    void desk.wait(['a'], { timeoutMs: Number.POSITIVE_INFINITY })
    expect([desk.waits.size, desk.clock.armed]).toEqual([1, 0])
  })

  it.each([Number.NaN, -1])('refuses %d milliseconds', async (timeoutMs) => {
    const desk = createDesk()
    const error = await desk.wait(['a'], { timeoutMs }).catch((caught: unknown) => caught)
    expect(isCallboardError(error, 'wait.invalid-timeout')).toBe(true)
    expect([desk.waits.size, desk.clock.armed]).toEqual([0, 0])
  })

  it('ends with its signal, and leaves no listener on it', async () => {
    const desk = createDesk()
    const controller = new AbortController()
    const reason = new Error('not needed any more')
    const first = desk.wait(['a'], { signal: controller.signal }).catch((error: unknown) => error)
    const second = desk.wait(['b'], { signal: controller.signal })
    desk.write({ b: 1 })
    await second
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1)
    controller.abort(reason)
    expect(await first).toBe(reason)
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
    expect(await desk.wait(['c'], { signal: controller.signal }).catch((error: unknown) => error)).toBe(reason)
  })

  it('ends when its waiter is cancelled, and nobody else with it', async () => {
    const desk = createDesk()
    const mine = desk.wait(['a']).catch((error: Error) => error.message)
    const other = desk.wait(['a'], { waiter: 'ben' })
    desk.waits.cancel('ann', new Error('cancelled'))
    expect(await mine).toBe('cancelled')
    desk.write({ a: 1 })
    await expect(other).resolves.toBe(1)
  })

  it('is not met in the middle of a commit by what is taken back', () => {
    const desk = createDesk()
    void desk.wait(['a'], { timeoutMs: Number.POSITIVE_INFINITY })
    desk.world.accept('workflow', { a: 1 })
    expect(desk.waits.size).toBe(1)
  })

  it('is listed while it lasts, oldest first', () => {
    const desk = createDesk()
    void desk.wait(['b'], { timeoutMs: Number.POSITIVE_INFINITY })
    void desk.wait(['a', 'c'], { timeoutMs: Number.POSITIVE_INFINITY, fresh: true })
    expect(desk.waits.list()).toMatchObject([
      { waiter: 'ann', keys: ['b'], mode: 'one', fresh: false, sinceAt: desk.clock.now() },
      { waiter: 'ann', keys: ['a', 'c'], mode: 'all', fresh: true },
    ])
  })
})

describe('a wait for a condition', () => {
  const basics = {
    waiter: 'ann',
    timeoutMs: 1_000,
    signal: undefined,
    onTimeout: () => new CallboardError('wait.timeout', 'too late'),
  }

  it('is asked again only when something it looked at has changed', async () => {
    const desk = createDesk()
    let asked = 0
    const met = desk.waits.addCondition({
      ...basics,
      concerns: () => true,
      evaluate: () => {
        asked += 1
        return { result: desk.world.board.get('a'), keys: ['a'] }
      },
    })
    desk.write({ b: 1 })
    expect(asked).toBe(1)
    desk.write({ a: 'there' })
    await expect(met).resolves.toBe('there')
    expect([asked, desk.waits.size, desk.deadlines.size]).toEqual([2, 0, 0])
  })

  it('follows what it looks at from one time to the next', async () => {
    const desk = createDesk()
    const met = desk.waits.addCondition({
      ...basics,
      concerns: () => true,
      evaluate: () => {
        const which = desk.world.board.get('which') as string | undefined
        return which === undefined
          ? { result: false, keys: ['which'] }
          : { result: desk.world.board.get(which), keys: ['which', which] }
      },
    })
    desk.write({ which: 'b' })
    desk.write({ b: 7 })
    await expect(met).resolves.toBe(7)
  })

  it('is not asked about what does not concern its waiter', async () => {
    const desk = createDesk()
    let asked = 0
    const waited = desk.waits.addCondition({
      ...basics,
      concerns: ({ scope }) => scope === 'workflow',
      evaluate: () => {
        asked += 1
        return { result: false, keys: 'every' }
      },
    })
    desk.write({ a: put(1, { scope: 'private', holder: 'ben' }) })
    expect(asked).toBe(1)
    desk.write({ a: 1 })
    expect(asked).toBe(2)
    desk.waits.cancel('ann', new Error('enough'))
    await expect(waited).rejects.toThrow('enough')
  })

  it('takes zero and the empty text for an answer, but not false, null and undefined', async () => {
    const desk = createDesk()
    for (const result of [0, '']) {
      await expect(
        desk.waits.addCondition({ ...basics, concerns: () => true, evaluate: () => ({ result, keys: [] }) }),
      ).resolves.toBe(result)
    }
    for (const result of [false, null, undefined]) {
      desk.waits
        .addCondition({ ...basics, concerns: () => true, evaluate: () => ({ result, keys: ['a'] }) })
        .catch(() => {})
    }
    expect(desk.waits.size).toBe(3)
    desk.waits.rejectAll(() => new Error('over'))
  })

  it('that throws rejects the wait, at first or later', async () => {
    const desk = createDesk()
    let times = 0
    const evaluate = (): never | { result: unknown; keys: readonly string[] } => {
      times += 1
      if (times > 1) throw new Error('bad condition')
      return { result: false, keys: ['a'] }
    }
    const later = desk.waits.addCondition({ ...basics, concerns: () => true, evaluate })
    desk.write({ a: 1 })
    await expect(later).rejects.toThrow('bad condition')
    await expect(desk.waits.addCondition({ ...basics, concerns: () => true, evaluate })).rejects.toThrow(
      'bad condition',
    )
    expect([desk.waits.size, desk.deadlines.size]).toEqual([0, 0])
  })
})
