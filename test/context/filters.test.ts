import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { entry, put, READY_FILTERS } from 'callboard'
import { BoardWorld, infoOf } from './world.ts'

describe('the ready-made filters', () => {
  const words = {
    webExtractor: ['extraction', 'validation', 'error', 'credential', 'website'],
    financialCalculator: ['financial', 'revenue', 'calculation', 'exchange', 'currency', 'precision'],
    reportGenerator: ['processed', 'template', 'format', 'output', 'report', 'chart'],
  } as const

  it.each(Object.entries(words))('%s lets its key words through in any case, and nothing else', (name, keyWords) => {
    const passes = READY_FILTERS[name as keyof typeof words]
    for (const word of keyWords) {
      expect(passes(infoOf({ key: `my_${word.toUpperCase()}_1`, priority: 'low' }))).toBe(true)
    }
    expect(passes(infoOf({ key: 'something_else', priority: 'low' }))).toBe(false)
    expect(passes(infoOf({ key: 'something_else', priority: 'medium' }))).toBe(false)
  })

  it('let important entries through whatever their key', () => {
    const important = (name: keyof typeof words): readonly boolean[] =>
      (['critical', 'high'] as const).map((priority) => READY_FILTERS[name](infoOf({ key: 'x', priority })))
    expect(important('webExtractor')).toEqual([true, true])
    expect(important('financialCalculator')).toEqual([true, false])
    expect(important('reportGenerator')).toEqual([true, true])
  })
})

describe('filters', () => {
  const createWorld = (): BoardWorld => {
    const world = new BoardWorld(
      { '*': entry(z.unknown()) },
      { agents: { ann: { reads: ['*'], writes: ['*'], role: 'reader' }, ben: { reads: ['*'] } } },
    )
    world.accept('workflow', { a: 1, b: 2, c: put(3, { metadata: { topic: 'tea' } }), my_password: 'x' })
    return world
  }

  it('of type and role both apply, and can only remove', () => {
    const world = createWorld()
    world.filters.forType('ann', ({ key }) => key !== 'a')
    world.filters.forRole('reader', ({ metadata }) => metadata['topic'] !== 'tea')
    expect(world.view('ann').keys()).toEqual(['b'])
    expect(world.view('ben').keys()).toEqual(['a', 'b', 'c'])
    world.filters.forType('ann', () => true)
    expect(world.view('ann').has('my_password')).toBe(false)
  })

  it('are withdrawn by what registering them gave', () => {
    const world = createWorld()
    const withdraw = world.filters.forType('ann', () => false)
    expect(world.view('ann').keys()).toEqual([])
    withdraw()
    withdraw()
    expect(world.view('ann').keys()).toEqual(['a', 'b', 'c'])
  })

  it('apply to a view that is derived from an older one', () => {
    const world = createWorld()
    const view = world.view('ann')
    expect(view.keys()).toEqual(['a', 'b', 'c'])
    world.filters.forType('ann', ({ key }) => key !== 'b')
    const changes = world.accept('ann', { a: 5 }).changes
    expect(view.next(world.board, changes).keys()).toEqual(['a', 'c'])
  })

  it('that throw hide the entry instead of failing the view', () => {
    const world = createWorld()
    world.filters.forType('ann', ({ key }) => {
      if (key === 'b') throw new Error('cannot decide')
      return true
    })
    expect(world.view('ann').keys()).toEqual(['a', 'c'])
  })

  it('see no values and can change nothing', () => {
    const world = createWorld()
    const seen: object[] = []
    world.filters.forType('ann', (info) => seen.push(info) > 0)
    world.view('ann').entries()
    expect(seen.length).toBeGreaterThan(0)
    expect(seen.filter((info) => 'value' in info || !Object.isFrozen(info))).toEqual([])
  })
})
