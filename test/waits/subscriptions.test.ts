import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { drop, entry, put } from 'callboard'
import type { Notification } from 'callboard'
import { Subscriptions } from '../../src/waits/index.ts'
import type { SubscriptionSpec } from '../../src/waits/index.ts'
import { BoardWorld } from '../context/world.ts'
import { createTestClock } from '../support/clock.ts'

interface Desk {
  readonly subscriptions: Subscriptions
  readonly world: BoardWorld
  write(by: string, changes: Readonly<Record<string, unknown>>): void
  subscribe(
    subscriber: string,
    patterns: readonly string[],
    handler: SubscriptionSpec['handler'],
    options?: Partial<SubscriptionSpec>,
  ): () => void
}

const settle = (): Promise<void> => createTestClock().settle()

function createDesk(): Desk {
  const all = { reads: ['*'], writes: ['*'] }
  const world = new BoardWorld({ '*': entry(z.unknown(), { merge: 'replace' }) }, { agents: { ann: all, ben: all } })
  const subscriptions = new Subscriptions('run:1')
  return {
    subscriptions,
    world,
    write: (by, changes) => subscriptions.publish(world.accept(by, changes).changes, by, world.now),
    subscribe: (subscriber, patterns, handler, options = {}) => {
      const sight = world.sight(subscriber)
      return subscriptions.add({
        subscriber,
        patterns,
        handler,
        own: false,
        admits: (info) => sight.admits(info as never),
        ...options,
      })
    },
  }
}

describe('a subscriber', () => {
  it('is told what happened to which key, by whom, in the order of the commits', async () => {
    const desk = createDesk()
    const told: Notification[] = []
    desk.subscribe('ann', ['a', 'note.*'], (notification) => told.push(notification))
    desk.write('ben', { a: 1, b: 2 })
    desk.write('ben', { 'note.1': 1 })
    desk.write('ben', { a: drop() })
    await settle()
    expect(told.map(({ kind, key, version, by }) => `${kind} ${key} ${version} by ${by}`)).toEqual([
      'put a 1 by ben',
      'put note.1 1 by ben',
      'drop a 2 by ben',
    ])
    expect(told[0]).toEqual({
      runId: 'run:1',
      key: 'a',
      kind: 'put',
      scope: 'workflow',
      version: 1,
      by: 'ben',
      at: desk.world.now,
    })
    expect(Object.isFrozen(told[0])).toBe(true)
  })

  it('is told once, however many of its patterns match', async () => {
    const desk = createDesk()
    let times = 0
    desk.subscribe('ann', ['note.1', 'note.*', '*', 'note.1'], () => (times += 1))
    desk.write('ben', { 'note.1': 1 })
    await settle()
    expect(times).toBe(1)
  })

  it('is not told of its own updates unless it asks', async () => {
    const desk = createDesk()
    const told: string[] = []
    desk.subscribe('ann', ['*'], ({ by }) => told.push(`others: ${by}`))
    desk.subscribe('ann', ['*'], ({ by }) => told.push(`all: ${by}`), { own: true })
    desk.write('ann', { a: 1 })
    desk.write('ben', { a: 2 })
    await settle()
    expect(told.sort()).toEqual(['all: ann', 'all: ben', 'others: ben'])
  })

  it('learns nothing of entries out of its sight', async () => {
    const desk = createDesk()
    const told: Notification[] = []
    desk.subscribe('ann', ['*'], (notification) => told.push(notification))
    desk.write('ben', { mine: put(1, { scope: 'private' }) })
    desk.write('ben', { db_password: 'x' })
    await settle()
    expect([told, desk.subscriptions.history('ann')]).toEqual([[], []])
  })

  it('is called outside of the commit, one notification at a time', async () => {
    const desk = createDesk()
    const steps: string[] = []
    const gates: (() => void)[] = []
    desk.subscribe('ann', ['*'], async ({ version }) => {
      steps.push(`begins ${version}`)
      await new Promise<void>((resolve) => gates.push(resolve))
      steps.push(`ends ${version}`)
    })
    desk.write('ben', { a: 1 })
    desk.write('ben', { a: 2 })
    expect(steps).toEqual([])
    await settle()
    expect(steps).toEqual(['begins 1'])
    gates.shift()?.()
    await settle()
    gates.shift()?.()
    await settle()
    expect(steps).toEqual(['begins 1', 'ends 1', 'begins 2', 'ends 2'])
  })

  it('that is slow or fails holds up and harms nobody', async () => {
    const desk = createDesk()
    const told: number[] = []
    desk.subscribe('slow', ['*'], () => new Promise(() => {}), { admits: () => true })
    desk.subscribe(
      'bad',
      ['*'],
      () => {
        throw new Error('cannot cope')
      },
      { admits: () => true },
    )
    desk.subscribe('ann', ['*'], ({ version }) => told.push(version))
    desk.write('ben', { a: 1 })
    desk.write('ben', { a: 2 })
    await settle()
    expect(told).toEqual([1, 2])
    expect(desk.subscriptions.history('bad').map(({ error }) => error)).toEqual(['cannot cope', 'cannot cope'])
  })

  it('may write from its handler', async () => {
    const desk = createDesk()
    desk.subscribe('ann', ['question'], () => desk.write('ann', { answer: 42 }))
    let answered = false
    desk.subscribe('ben', ['answer'], () => (answered = true))
    desk.write('ben', { question: '?' })
    await settle()
    expect(answered).toBe(true)
  })

  it('hears no more once it has ended, not even of what was on its way', async () => {
    const desk = createDesk()
    let times = 0
    const end = desk.subscribe('ann', ['a', 'note.*'], () => (times += 1))
    desk.write('ben', { a: 1, 'note.1': 1 })
    end()
    end()
    desk.write('ben', { a: 2 })
    await settle()
    expect([times, desk.subscriptions.size]).toEqual([0, 0])
  })

  it('ends with all its subscriptions', () => {
    const desk = createDesk()
    desk.subscribe('ann', ['a'], () => {})
    desk.subscribe('ann', ['*'], () => {})
    desk.subscribe('ben', ['*'], () => {})
    desk.subscriptions.end('ann')
    expect(desk.subscriptions.size).toBe(1)
    desk.subscriptions.end()
    expect(desk.subscriptions.size).toBe(0)
  })

  it('far behind is told what is, not all that was', async () => {
    const desk = createDesk()
    const told: string[] = []
    let open = (): void => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    desk.subscribe('ann', ['*'], async ({ key, version }) => {
      await gate
      told.push(`${key} ${version}`)
    })
    desk.write('ben', { b: 1 })
    await settle()
    for (let count = 0; count < 1_500; count++) desk.write('ben', { a: count })
    open()
    await settle()
    expect(told.length).toBeLessThan(1_100)
    expect(told[0]).toBe('b 1')
    expect(told.at(-1)).toBe('a 1500')
  })

  it('has its last 100 deliveries remembered, failures included', async () => {
    const desk = createDesk()
    desk.subscribe('ann', ['*'], ({ version }) => {
      if (version === 105) throw new Error('too many')
    })
    for (let count = 0; count < 120; count++) desk.write('ben', { a: count })
    await settle()
    const history = desk.subscriptions.history('ann')
    expect(history).toHaveLength(100)
    expect(history[0]).toMatchObject({ type: 'context_update', key: 'a', version: 21, error: undefined })
    expect(history.filter(({ error }) => error !== undefined)).toMatchObject([{ version: 105, error: 'too many' }])
  })

  it('is found under any id, colons and all', async () => {
    const world = new BoardWorld({ '*': entry(z.unknown()) }, { agents: { 'a:b:c': { reads: ['*'] } } })
    const subscriptions = new Subscriptions('wf:1')
    const told: Notification[] = []
    subscriptions.add({
      subscriber: 'a:b:c',
      patterns: ['x:y'],
      handler: (one) => told.push(one),
      own: false,
      admits: () => true,
    })
    subscriptions.publish(world.accept('workflow', { 'x:y': 1 }).changes, 'workflow', 0)
    await settle()
    expect(told).toMatchObject([{ runId: 'wf:1', key: 'x:y' }])
  })
})
