// A view is a function of board and agent: however it was derived, it is the view a newcomer computes, byte for byte;
// it is frozen through and through; and what does not concern it leaves it the same object.
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import type { Entry, Priority } from 'callboard'
import type { AccessRules, BoardView, Sight } from '../../../src/context/index.ts'
import { AGENTS, definitionsOf, move, transition } from './boards.ts'
import type { Modules } from './modules.ts'
import { firstThawed } from './values.ts'

const RULES: Readonly<Record<string, Partial<AccessRules>>> = {
  all: { reads: ['*'], grants: { sensitive: ['*'] }, groups: ['coders'] },
  stranger: { reads: ['*'] },
  narrow: { reads: ['a', 'own', 'team'], groups: ['coders'] },
  scoped: { reads: ['*'], scopes: ['global'] },
  filtered: { reads: ['*'], role: 'reader' },
}

/** Looking makes a view keep an ordered tree, which the next one is then derived from. */
const step = fc.record({
  transition,
  looks: fc.boolean(),
  filter: fc.option(fc.constantFrom('a', 'b', 'world'), { nil: undefined, freq: 8 }),
})

export function propertyViews(modules: Modules): fc.IProperty<unknown> {
  const { Catalogue, Board, BoardView, Filters } = modules.context
  const catalogue = new Catalogue(definitionsOf(modules))
  return fc.property(
    fc.array(step, { maxLength: 12, size: 'max' }),
    fc.constantFrom(...Object.keys(RULES)),
    fc.constantFrom(...AGENTS),
    (steps, type, agent) => {
      const filters = new Filters()
      const sight = sightOf(modules, type, agent, filters)
      let board = Board.create({ catalogue, runId: 'run', at: 1_000 })
      let view = new BoardView(board, sight)
      for (const { transition, looks, filter } of steps) {
        const before = textOf(modules, new BoardView(board, sight))
        const { epoch } = filters
        if (looks) view.entries()
        if (filter !== undefined) filters.forRole('reader', ({ key }) => key !== filter)
        const moved = move(modules, board, transition)
        board = moved.board
        const next = view.next(board, moved.changes)
        const fresh = textOf(modules, new BoardView(board, sight))
        assertEqualViews(modules, next, fresh)
        if (before === fresh && epoch === filters.epoch)
          assert.equal(next, view, 'an unaffected view is the same object')
        assertOrder(next.entries())
        assert.equal(firstThawed(next.entries()), undefined, 'entries are frozen')
        assert.equal(firstThawed(next.toObject()), undefined, 'the object is frozen')
        view = next
      }
    },
  )
}

function sightOf(
  { context }: Modules,
  type: string,
  agent: string,
  filters: ConstructorParameters<typeof Sight>[2],
): Sight {
  const rules = {
    type,
    role: undefined,
    reads: [],
    writes: [],
    groups: [],
    grants: {},
    scopes: undefined,
    ...RULES[type],
  }
  return new context.Sight(agent, new context.Access(rules), filters)
}

function textOf({ base }: Modules, view: BoardView): string {
  return base.canonicalJson({
    seq: view.seq,
    entries: view.entries(),
    keys: view.keys(),
    object: view.toObject(),
    text: view.render({ maxTokens: 100 }),
    one: view.keys().map((key) => [view.get(key), view.entry(key), view.has(key)]),
  })
}

function assertEqualViews(modules: Modules, derived: BoardView, fresh: string): void {
  assert.equal(textOf(modules, derived), fresh, 'a derived view is the view a newcomer computes')
}

const IMPORTANCE: readonly Priority[] = ['critical', 'high', 'medium', 'low']

/** Pinned first, then by priority, then newest, then by key. */
function assertOrder(entries: readonly Entry[]): void {
  for (const [index, entry] of entries.entries()) {
    const next = entries[index + 1]
    if (next === undefined) return
    const differences = [
      Number(next.pinned) - Number(entry.pinned),
      IMPORTANCE.indexOf(entry.priority) - IMPORTANCE.indexOf(next.priority),
      next.updatedAt - entry.updatedAt,
      entry.key < next.key ? -1 : Number(entry.key > next.key),
    ]
    const first = differences.find((difference) => difference !== 0) ?? 0
    assert.ok(first < 0, `"${entry.key}" stands before "${next.key}" for a reason`)
  }
}
