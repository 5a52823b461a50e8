// A prompt keeps to its budget: pinned and critical entries are always in, nothing else is unless it fits, the plan tells
// of every entry, and the same view gives the same text.
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { z } from 'zod'
import type { RenderedView, RenderOptions, View } from 'callboard'
import type { Modules } from './modules.ts'
import { plainValue } from './values.ts'

const written = fc.record({
  key: fc.stringMatching(/^[a-d]{1,3}$/),
  value: fc.oneof(plainValue, fc.string({ unit: 'grapheme', maxLength: 300 }), fc.lorem({ maxCount: 30 })),
  priority: fc.constantFrom('critical' as const, 'high' as const, 'medium' as const, 'low' as const),
  pinned: fc.boolean(),
})

const byWord = (text: string): number => text.split(/\s+/).filter((word) => word !== '').length

const options: fc.Arbitrary<RenderOptions> = fc.record(
  {
    maxTokens: fc.integer({ min: 1, max: 300 }),
    countTokens: fc.constantFrom(byWord, (text: string) => text.length),
    minCutTokens: fc.integer({ min: 1, max: 40 }),
  },
  { requiredKeys: ['maxTokens'] },
)

export function propertyRendering(modules: Modules): fc.IProperty<unknown> {
  return fc.property(fc.array(written, { maxLength: 8 }), options, (writes, asked) => {
    const view = viewOf(modules, writes)
    const rendered = view.render(asked)
    const { canonicalJson } = modules.base
    assert.equal(
      canonicalJson(viewOf(modules, writes).render(asked)),
      canonicalJson(rendered),
      'same input, same bytes',
    )
    assertPlanned(view, rendered)
    assertWithinBudget(modules, view, rendered, asked)
  })
}

function viewOf(
  { context, workflow }: Modules,
  writes: readonly (typeof written extends fc.Arbitrary<infer Item> ? Item : never)[],
): View {
  const catalogue = new context.Catalogue({ '*': workflow.entry(z.unknown(), { merge: 'replace' }) })
  let board = context.Board.create({ catalogue, runId: 'run', at: 1 })
  for (const { key, value, priority, pinned } of writes) {
    const update = context.prepareUpdate(
      {
        catalogue,
        author: context.WORKFLOW_AUTHOR,
        access: undefined,
        id: board.nextUpdateId,
        at: 1,
        lineage: [],
        seen: () => 'unknown',
        others: () => [],
      },
      { [key]: context.put(value, { priority, pinned }) },
    )
    assert.equal(update.kind, 'update')
    board = board.apply(update)
  }
  const rules = {
    type: 't',
    role: undefined,
    reads: ['*'],
    writes: [],
    groups: [],
    grants: { sensitive: ['*'] },
    scopes: undefined,
  }
  return new context.BoardView(board, new context.Sight('ann', new context.Access(rules), new context.Filters()))
}

function isAlwaysIn(view: View, key: string): boolean {
  const entry = view.entry(key)
  return entry?.pinned === true || entry?.priority === 'critical'
}

function assertPlanned(view: View, { plan, text }: RenderedView): void {
  assert.deepEqual(
    plan.map(({ key }) => key),
    view.keys(),
    'the plan has a line for every entry, in the order of the view',
  )
  for (const { key, decision, tokens } of plan) {
    const isThere = text.includes(`## ${key} (`)
    assert.equal(isThere, decision !== 'out', `"${key}" is in the text if the plan says so`)
    assert.equal(tokens > 0, decision !== 'out', 'what is out costs nothing')
    if (isAlwaysIn(view, key)) assert.equal(decision, 'in', 'what is pinned or critical is in')
  }
}

function assertWithinBudget(
  { context }: Modules,
  view: View,
  { text, tokens, plan, overBudget }: RenderedView,
  { maxTokens, countTokens = context.estimateTokens }: RenderOptions,
): void {
  const pinned = plan.filter(({ key }) => isAlwaysIn(view, key))
  const pinnedTokens = pinned.reduce((sum, line) => sum + line.tokens, 0)
  assert.equal(
    tokens,
    plan.reduce((sum, line) => sum + line.tokens, 0),
    'the plan adds up',
  )
  assert.ok(countTokens(text) <= tokens, 'and does not promise less than the text has')
  assert.equal(overBudget, pinnedTokens > maxTokens, 'over budget means that what is always in alone is')
  if (overBudget)
    assert.equal(plan.filter(({ decision }) => decision !== 'out').length, pinned.length, 'then nothing else is in')
  else assert.ok(tokens <= maxTokens, 'else the budget is kept')
}
