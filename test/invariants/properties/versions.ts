// Versions of an entry are 1, 2, 3, … over puts, deletions and expiry; seq has no gaps; the records, folded, are the board.
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { z } from 'zod'
import type { LedgerRecord, Run } from 'callboard'
import type { Modules } from './modules.ts'
import { startPuppets } from './puppets.ts'
import type { PuppetShow } from './puppets.ts'
import { plainValue } from './values.ts'

const KEYS = ['plain', 'short', 'made', 'own', 'shared', '__proto__'] as const
const AGENTS = ['ann', 'ben'] as const

const write = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('put' as const), value: plainValue }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('drop' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('brief' as const), ttlMs: fc.double({ min: 1, max: 90, noNaN: true }) }),
  },
)

const command = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('update' as const),
      by: fc.constantFrom(...AGENTS, 'outside'),
      writes: fc.uniqueArray(fc.tuple(fc.constantFrom(...KEYS), write), {
        minLength: 1,
        maxLength: 3,
        selector: ([key]) => key,
      }),
      expectedVersion: fc.option(fc.nat(3), { nil: undefined, freq: 4 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('settle' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 120 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('skip' as const), ms: fc.integer({ min: 1, max: 120 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('event' as const), type: fc.constantFrom('twice', 'phase') }) },
)

type Command = typeof command extends fc.Arbitrary<infer Item> ? Item : never

/** Two writes of one key in one transition, and the end of a phase. */
function machine(board: { readonly write: (changes: object) => unknown }, drop: () => unknown): object {
  return {
    entry: [board.write({ plain: 'first' }), board.write({ made: 'from the first' })],
    on: {
      twice: { actions: [board.write({ plain: drop() }), board.write({ plain: 'again', short: 'too' })] },
    },
    states: undefined,
  }
}

export function propertyVersions(modules: Modules): fc.IAsyncProperty<unknown> {
  const { entry } = modules.workflow
  const { drop } = modules.context
  const definitions = {
    plain: entry(z.unknown(), { merge: 'replace' }),
    short: entry(z.unknown(), { ttlMs: 50, default: 'given' }),
    made: entry(z.unknown(), { dependsOn: ['plain', 'short'], merge: 'replace' }),
    own: entry(z.unknown(), { scope: 'private', merge: 'replace' }),
    shared: entry(z.unknown(), { scope: 'global', merge: 'replace' }),
    ['__proto__']: entry(z.unknown(), { merge: 'replace' }),
  }
  const rights = { ann: { reads: ['*'], writes: ['*'] }, ben: { reads: ['*'], writes: ['*'] } }
  return fc.asyncProperty(fc.array(command, { maxLength: 20, size: 'max' }), async (commands) => {
    const show = await startPuppets(modules, definitions as never, rights, {
      machine: (board) => {
        const { states: _none, ...config } = machine(board as never, drop) as { states: unknown }
        return config
      },
    })
    const replies: Promise<unknown>[] = []
    for (const step of commands) await perform(modules, show, step, replies)
    await Promise.all(replies)
    await show.clock.advance(0)
    const records = await show.run.ledger()
    assertSeqs(records, show.run.seq)
    assertVersions(records)
    assertFolds(modules, records, show.run)
    await show.runtime.close()
  })
}

async function perform(
  { context: { put, drop } }: Modules,
  { run, agents, clock }: PuppetShow<(typeof AGENTS)[number]>,
  step: Command,
  replies: Promise<unknown>[],
): Promise<void> {
  switch (step.kind) {
    case 'update': {
      const changes = Object.fromEntries(
        step.writes.map(([key, asked]) => {
          const where = step.by === 'outside' && key === 'own' ? { holder: 'ann' } : {}
          if (asked.kind === 'drop') return [key, drop(where)]
          return [
            key,
            put(asked.kind === 'put' ? asked.value : 'brief', {
              ...where,
              ...(asked.kind === 'brief' ? { ttlMs: asked.ttlMs } : {}),
            }),
          ]
        }),
      )
      const options = step.expectedVersion === undefined ? {} : { expectedVersion: { plain: step.expectedVersion } }
      const writer = step.by === 'outside' ? run : agents[step.by]
      replies.push(writer.tryUpdate(changes, options))
      return
    }
    case 'settle':
      return clock.settle()
    case 'pass':
      return clock.advance(step.ms)
    case 'skip':
      clock.jump(step.ms)
      run.entries()
      return
    case 'event':
      replies.push(run.send({ type: step.type }))
      return
    default:
      throw new TypeError(`unknown command ${String(step satisfies never)}`)
  }
}

function assertSeqs(records: readonly LedgerRecord[], last: number): void {
  records.forEach(({ seq }, index) => assert.equal(seq, index + 1, 'seq has no gaps'))
  assert.equal(records.at(-1)?.seq, last, 'the head of the ledger is the seq of the run')
}

function assertVersions(records: readonly LedgerRecord[]): void {
  const versions = new Map<string, number>()
  for (const { changes, seq } of records) {
    for (const { kind, scope, holder, key, cell } of changes) {
      const id = JSON.stringify([scope, holder, key])
      const before = versions.get(id) ?? 0
      const expected = kind === 'stale' ? before : before + 1
      assert.equal(cell.entry.version, expected, `record ${seq}: ${kind} of ${id} counts on`)
      versions.set(id, expected)
    }
  }
}

function assertFolds({ ledger, base, context }: Modules, records: readonly LedgerRecord[], run: Run): void {
  const catalogue = new context.Catalogue({})
  const { board, seq } = ledger.foldRecords(ledger.emptyState(catalogue, run.id), records)
  assert.equal(seq, run.seq)
  const folded = [...board.cells()].filter(({ live }) => live).map(({ entry }) => entry)
  const text = (entries: readonly unknown[]): readonly string[] => entries.map((one) => base.canonicalJson(one)).sort()
  assert.deepEqual(text(folded), text(run.entries()), 'the folded ledger is the live board')
}
