import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Catalogue } from '../../src/context/index.ts'
import type { Entry } from '../../src/context/index.ts'
import { emptyState, foldRecords } from '../../src/ledger/index.ts'
import type { FoldedState, LedgerRecord } from '../../src/ledger/index.ts'
import { sampleRecord } from '../../src/testing/sample-records.ts'

const RUNS = Number(process.env['CALLBOARD_PROPERTY_RUNS'] ?? 400)

/** Addresses that are easily taken for one another. */
const PLACES = [
  { scope: 'workflow', holder: undefined, key: 'a' },
  { scope: 'workflow', holder: undefined, key: 'group|1|b|a' },
  { scope: 'global', holder: undefined, key: 'a' },
  { scope: 'group', holder: 'b', key: 'a' },
  { scope: 'group', holder: 'b|a', key: 'a' },
  { scope: 'group', holder: 'b', key: 'a|a' },
  { scope: 'private', holder: 'b', key: 'a' },
] as const satisfies readonly Pick<Entry, 'scope' | 'holder' | 'key'>[]
const KEYS = [...new Set(PLACES.map(({ key }) => key))]

interface Step {
  readonly place: number
  readonly live: boolean
  readonly expiresAt: number | undefined
  readonly dependsOn: readonly string[]
}

const step: fc.Arbitrary<Step> = fc.record({
  place: fc.nat({ max: PLACES.length - 1 }),
  live: fc.boolean(),
  expiresAt: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
  dependsOn: fc.uniqueArray(fc.constantFrom(...KEYS), { maxLength: 2 }),
})

/** One record with a change for each step. */
function recordOf(steps: readonly Step[], seq: number): LedgerRecord {
  const changes = steps.map(({ place, live, expiresAt, dependsOn }, index) => {
    const entry = { ...PLACES[place], expiresAt, dependsOn, version: seq * 10 + index }
    const [change] = sampleRecord('run', seq, { entry }).changes
    if (change === undefined) throw new TypeError('a sample record without a change')
    return { ...change, ...PLACES[place], cell: { ...change.cell, live } }
  })
  return { ...sampleRecord('run', seq), changes }
}

/** Everything a board answers from: cells, and what it has worked out of them. */
function viewOf({ seq, at, board }: FoldedState): unknown {
  return {
    seq,
    at,
    cells: PLACES.map((place) => board.cell(place)),
    live: [board.own.live, board.globals.live],
    nextExpiryAt: board.nextExpiryAt,
    dependants: KEYS.map((key) => [board.own.dependantsOf(key), board.globals.dependantsOf(key)]),
  }
}

it('makes the same of many records at once as of one after the other', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uniqueArray(step, { selector: ({ place }) => place, maxLength: 4 }), { maxLength: 8 }),
      (all) => {
        const records = all.map((steps, index) => recordOf(steps, index + 1))
        const empty = emptyState(new Catalogue({}), 'run')
        const oneByOne = records.reduce((state, record) => foldRecords(state, [record]), empty)
        expect(viewOf(foldRecords(empty, records))).toEqual(viewOf(oneByOne))
      },
    ),
    { numRuns: RUNS },
  )
})
