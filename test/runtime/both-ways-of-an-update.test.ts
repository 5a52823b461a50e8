// An update that can touch only the board skips XState's selection of transitions. With an inspector, or an eventless
// transition in an active state, it does not. Both ways have to come to the same.
import fc from 'fast-check'
import { afterEach, expect, it, vi } from 'vitest'
import { StateMachine } from 'xstate'
import { z } from 'zod'
import { createRuntime, defineContext, drop, entry } from 'callboard'
import type { LedgerRecord } from 'callboard'
import { createTestClock } from 'callboard/testing'

const KEYS = ['a', 'b', 'c'] as const
const board = defineContext({
  a: entry(z.int(), { merge: 'counter' }),
  b: entry(z.object({ x: z.int(), y: z.int() }), { protected: true }),
  c: entry(z.array(z.int()), { priority: 'high', dependsOn: ['a'] }),
  shared: entry(z.int(), { scope: 'global' }),
})
const values = {
  a: fc.integer({ min: -9, max: 9 }),
  b: fc.record({ x: fc.nat(3), y: fc.nat(3) }),
  c: fc.array(fc.nat(3)),
}
const updates = fc.array(
  fc.oneof(
    ...KEYS.map((key) => values[key].map((value): Record<string, unknown> => ({ [key]: value }))),
    fc.constantFrom(...KEYS).map((key): Record<string, unknown> => ({ [key]: drop() })),
    fc.nat(5).map((value): Record<string, unknown> => ({ shared: value, a: 1 })),
    fc.constant<Record<string, unknown>>({ a: 'no number' }),
  ),
  { maxLength: 12 },
)

/** Applies the updates and gives the ledger, and how often XState was asked for a transition. */
async function ledgerOf(
  changes: readonly Record<string, unknown>[],
  inspected: boolean,
): Promise<{ readonly ledger: readonly LedgerRecord[]; readonly transitions: number }> {
  const transition = vi.spyOn(StateMachine.prototype, 'transition')
  const workflow = board
    .workflow({ name: 'w' })
    .createMachine({ id: 'w', initial: 'on', states: { on: { on: { '*': 'off' } }, off: {} } })
  const runtime = await createRuntime({ clock: createTestClock(), ...(inspected ? { inspect: () => {} } : {}) })
  const run = await runtime.start(workflow, { runId: 'r' })
  transition.mockClear()
  for (const change of changes) await run.tryUpdate(change as never)
  const transitions = transition.mock.calls.length
  const ledger = await run.ledger()
  expect(run.state).toBe('on')
  await runtime.close()
  transition.mockRestore()
  return { ledger, transitions }
}

afterEach(() => {
  vi.restoreAllMocks()
})

it('an update comes to the same records whether XState selects transitions for it or not, and the short way is taken', async () => {
  await fc.assert(
    fc.asyncProperty(updates, async (changes) => {
      const short = await ledgerOf(changes, false)
      const long = await ledgerOf(changes, true)
      expect(short.ledger).toEqual(long.ledger)
      expect(short.transitions).toBe(0)
      // What is refused before it reaches the board is no transition either way.
      const reached = long.ledger.filter(({ asked }) => Object.hasOwn(asked as object, 'update')).length
      expect(long.transitions).toBe(reached)
    }),
    { numRuns: 200, seed: 7 },
  )
})
