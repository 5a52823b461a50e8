import { describe, expect, it } from 'vitest'
import { Bus } from '../../src/base/index.ts'
import type { ListenerFailure } from '../../src/base/index.ts'
import { createTestClock } from '../support/clock.ts'

type Topics = { news: string; '*': string; __proto__: string }

function createBus(): { readonly bus: Bus<Topics>; readonly failures: ListenerFailure[] } {
  const failures: ListenerFailure[] = []
  return { bus: new Bus<Topics>((failure) => failures.push(failure)), failures }
}

describe('a bus', () => {
  it('tells every handler although one of them throws, and reports that one', () => {
    const { bus, failures } = createBus()
    const told: string[] = []
    const error = new Error('a handler failed')
    bus.on('news', (text) => told.push(`one ${text}`))
    bus.on('news', () => {
      throw error
    })
    bus.on('news', (text) => told.push(`two ${text}`))
    bus.emit('news', 'hello')
    expect(told).toEqual(['one hello', 'two hello'])
    expect(failures).toEqual([{ topic: 'news', error }])
  })

  it('reports an async handler that fails instead of ending the process', async () => {
    const { bus, failures } = createBus()
    const error = new Error('failed late')
    bus.on('news', async () => {
      await Promise.resolve()
      throw error
    })
    bus.emit('news', 'hello')
    await createTestClock().settle()
    expect(failures).toEqual([{ topic: 'news', error }])
  })

  it('finishes a delivery with the handlers it began with', () => {
    const { bus } = createBus()
    const told: string[] = []
    const off = bus.on('news', () => {
      told.push('first')
      off()
      bus.on('news', () => told.push('added'))
    })
    bus.on('news', () => told.push('second'))
    bus.emit('news', '')
    expect(told).toEqual(['first', 'second'])
    bus.emit('news', '')
    expect(told).toEqual(['first', 'second', 'second', 'added'])
  })

  it('knows whether anybody listens, and forgets who has left', () => {
    const { bus } = createBus()
    expect(bus.has('news')).toBe(false)
    const off = bus.on('news', () => {})
    expect(bus.has('news')).toBe(true)
    off()
    off()
    expect(bus.has('news')).toBe(false)
    bus.on('__proto__', () => {})
    bus.clear()
    expect(bus.has('__proto__')).toBe(false)
  })
})
