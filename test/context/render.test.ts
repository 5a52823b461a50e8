import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { drop, entry, estimateTokens, isCallboardError, put } from 'callboard'
import type { RenderOptions, RenderedView } from 'callboard'
import { BoardWorld } from './world.ts'

const long = 'word '.repeat(200)

function render(entries: Readonly<Record<string, unknown>>, options: RenderOptions): RenderedView {
  const world = new BoardWorld(
    { '*': entry(z.unknown()) },
    { agents: { ann: { reads: ['*'], grants: { sensitive: ['*'] } } } },
  )
  world.accept('workflow', entries)
  return world.view('ann').render(options)
}

describe('a prompt', () => {
  it('says of each entry what it is, how sure, and by whom', () => {
    const { text } = render(
      { plan: put({ b: 1, a: ['x'] }, { priority: 'high' }), note: 'plain text' },
      { maxTokens: 1_000 },
    )
    expect(text).toBe(
      '## plan (high, v1, by workflow)\n{"a":["x"],"b":1}\n\n## note (medium, v1, by workflow)\nplain text\n\n',
    )
  })

  it('marks what is stale', () => {
    const world = new BoardWorld(
      { source: entry(z.unknown()), plan: entry(z.unknown(), { dependsOn: ['source'] as never[] }) },
      { agents: { ann: { reads: ['plan'] } } },
    )
    world.accept('workflow', { source: 1, plan: 2 })
    world.accept('workflow', { source: drop() })
    expect(world.view('ann').render({ maxTokens: 100 }).text).toContain('## plan (medium, v1, by workflow, stale)')
  })

  it('takes the important first, cuts what nearly fits, leaves out the rest, and says why', () => {
    const { plan, text, tokens } = render(
      {
        first: put('short', { priority: 'high', pinned: false }),
        second: put(long, { priority: 'medium' }),
        third: put(long, { priority: 'low' }),
      },
      { maxTokens: 60 },
    )
    expect(plan.map(({ key, decision }) => `${key} ${decision}`)).toEqual(['first in', 'second cut', 'third out'])
    expect(plan[1]?.reason).toMatch(/^medium, needs \d+ tokens, cut to \d+$/)
    expect(plan[2]?.reason).toMatch(/^low, needs \d+ tokens, \d+ are left$/)
    expect(text).toContain('… (cut)')
    expect(tokens).toBeLessThanOrEqual(60)
  })

  it('has everything that is pinned or critical, even over budget, and then nothing else', () => {
    const { plan, overBudget } = render(
      { rules: put(long, { pinned: true }), error_state: put(long, { priority: 'critical' }), note: 'x' },
      { maxTokens: 20 },
    )
    expect(overBudget).toBe(true)
    expect(plan.map(({ decision, reason }) => [decision, reason.split(',')[0]])).toEqual([
      ['in', 'pinned'],
      ['in', 'critical'],
      ['out', 'medium'],
    ])
  })

  it('is never cut inside a character', () => {
    for (let maxTokens = 20; maxTokens < 40; maxTokens++) {
      expect(render({ faces: '😀'.repeat(200) }, { maxTokens }).text.isWellFormed()).toBe(true)
    }
  })

  it.each([0, -1, Number.NaN])('needs a budget: %d is none', (maxTokens) => {
    let caught: unknown
    try {
      render({}, { maxTokens })
    } catch (error) {
      caught = error
    }
    expect(isCallboardError(caught, 'view.invalid-budget')).toBe(true)
  })

  it('counts one token for four characters unless told otherwise', () => {
    expect(['', 'a', 'abcd', 'abcde', '😀😀😀😀😀'].map(estimateTokens)).toEqual([0, 1, 1, 2, 2])
    const { tokens } = render({ note: 'one two three' }, { maxTokens: 100, countTokens: (text) => text.length })
    expect(tokens).toBe('## note (medium, v1, by workflow)\none two three\n\n'.length)
  })
})
