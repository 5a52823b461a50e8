import { describe, expect, it } from 'vitest'
import { isCallboardError } from 'callboard'
import { buildWaitForGraph, deadlockError, describeGraph } from '../../src/waits/index.ts'

const circle = buildWaitForGraph([
  { agent: 'planner', waitsFor: ['review'], writers: { review: ['reviewer'] } },
  { agent: 'reviewer', waitsFor: ['tests', 'plan'], writers: { plan: ['planner'], tests: [] } },
])

describe('a deadlock', () => {
  it('is explained agent by agent, with the circle', () => {
    expect(describeGraph(circle)).toBe(
      'planner waits for "review", which reviewer would write; reviewer waits for "tests", which no running agent writes; ' +
        'reviewer waits for "plan", which planner would write (circle: planner → reviewer → planner)',
    )
  })

  it('need not be a circle: it may be a key that nobody writes', () => {
    const graph = buildWaitForGraph([{ agent: 'planner', waitsFor: ['constructor'], writers: { constructor: [] } }])
    expect(graph.cycle).toBeUndefined()
    expect(describeGraph(graph)).toBe('planner waits for "constructor", which no running agent writes')
  })

  it('finds the circle wherever it is, and an agent that waits for itself', () => {
    const chain = buildWaitForGraph([
      { agent: 'a', waitsFor: ['k'], writers: { k: ['b'] } },
      { agent: 'b', waitsFor: ['k'], writers: { k: ['c', 'd'] } },
      { agent: 'c', waitsFor: ['k'], writers: { k: [] } },
      { agent: 'd', waitsFor: ['k'], writers: { k: ['d'] } },
    ])
    expect(chain.cycle).toEqual(['d', 'd'])
  })

  it('becomes an error that says what to do and carries the graph', () => {
    const error = deadlockError('run-1', 'planner', circle)
    expect(isCallboardError(error, 'wait.deadlock')).toBe(true)
    expect(error.message).toContain('run run-1 is deadlocked: planner waits for "review"')
    expect(error.message).toContain('outside: true')
    expect(error.details).toEqual({ runId: 'run-1', agent: 'planner', graph: circle })
    expect(Object.isFrozen(circle)).toBe(true)
  })
})
