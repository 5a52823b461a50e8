// Wherever a ledger is cut: the snapshot of its beginning and the rest of its records are the whole ledger folded, and
// the snapshots that a run takes of itself while it goes on are those of its ledger.
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { z } from 'zod'
import type { LedgerRecord } from 'callboard'
import type { RunState } from '../../../src/runtime/run-state.ts'
import type { Modules } from './modules.ts'
import { startPuppets } from './puppets.ts'
import type { PuppetShow } from './puppets.ts'
import { anyValue } from './values.ts'

const KEYS = ['plain', 'made', 'again', 'brief', 'passing', 'own', 'shared', '__proto__'] as const
const AGENTS = ['ann', 'ben'] as const

const command = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('update' as const),
      by: fc.constantFrom(...AGENTS, 'outside'),
      writes: fc.uniqueArray(fc.tuple(fc.constantFrom(...KEYS), fc.option(anyValue, { nil: undefined })), {
        minLength: 1,
        maxLength: 3,
        selector: ([key]) => key,
      }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('step' as const),
      by: fc.constantFrom(...AGENTS),
      result: anyValue,
      fails: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('ask' as const),
      by: fc.constantFrom(...AGENTS),
      timeoutMs: fc.option(fc.integer({ min: 1, max: 200 }), { nil: undefined }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('answer' as const), value: anyValue }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('name' as const), metadata: anyValue }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('phase' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 120 }) }) },
)

type Command = typeof command extends fc.Arbitrary<infer Item> ? Item : never

export function propertySnapshots(modules: Modules): fc.IAsyncProperty<unknown> {
  const { entry } = modules.workflow
  const definitions = {
    plain: entry(z.unknown(), { merge: 'replace' }),
    made: entry(z.unknown(), { dependsOn: ['plain'], merge: 'replace' }),
    again: entry(z.unknown(), { dependsOn: ['plain', 'made'], merge: 'replace' }),
    brief: entry(z.unknown(), { ttlMs: 50.5, merge: 'replace' }),
    passing: entry(z.unknown(), { ephemeral: true, merge: 'replace' }),
    own: entry(z.unknown(), { scope: 'private', merge: 'replace', dependsOn: ['plain'] }),
    shared: entry(z.unknown(), { scope: 'global', merge: 'replace' }),
    ['__proto__']: entry(z.unknown(), { merge: 'replace' }),
  }
  const rights = { ann: { reads: ['*'], writes: ['*'] }, ben: { reads: ['*'], writes: ['*'] } }
  return fc.asyncProperty(
    fc.array(command, { maxLength: 14, size: 'max' }),
    fc.integer({ min: 1, max: 5 }),
    async (commands, everyRecords) => {
      const show = await startPuppets(modules, definitions as never, rights, {
        snapshots: { everyRecords, keep: 1_000 },
        machine: () => ({ after: { 200: { actions: [] } }, on: { phase: { target: '.ann', reenter: true } } }),
      })
      const replies: Promise<unknown>[] = []
      for (const [index, one] of commands.entries()) await perform(modules, show, one, index, replies)
      await show.clock.advance(500)
      for (const { id } of show.run.requests()) hear(show.run.answer(id, 'at last'), replies)
      await Promise.allSettled(replies)
      await show.clock.settle()
      // As they come back from a file: without the values of ephemeral entries.
      const records = (await show.runtime.store.read('run')).map((record) =>
        modules.ledger.decodeRecord(record, modules.ledger.encodeRecord(record)),
      )
      assertCuts(modules, records)
      await assertTaken(modules, show, records, everyRecords)
      await show.runtime.close()
    },
  )
}

async function perform(
  { context: { put, drop } }: Modules,
  { run, agents, clock }: PuppetShow<(typeof AGENTS)[number]>,
  one: Command,
  index: number,
  replies: Promise<unknown>[],
): Promise<void> {
  switch (one.kind) {
    case 'update': {
      const changes = Object.fromEntries(
        one.writes.map(([key, value]) => {
          const where = one.by === 'outside' && key === 'own' ? { holder: 'ann' } : {}
          return [key, value === undefined ? drop(where) : put(value, where)]
        }),
      )
      hear((one.by === 'outside' ? run : agents[one.by]).tryUpdate(changes), replies)
      return
    }
    case 'step':
      // Made by an agent that is at work or by one that a phase has ended.
      hear(
        attempt(() =>
          agents[one.by].step(
            `step ${index}`,
            () => {
              if (one.fails) throw new Error('it fails')
              return one.result
            },
            { retries: 1, backoffMs: 60 },
          ),
        ),
        replies,
      )
      return clock.settle()
    case 'ask':
      hear(
        attempt(() => agents[one.by].ask('plain', one.timeoutMs === undefined ? {} : { timeoutMs: one.timeoutMs })),
        replies,
      )
      return clock.settle()
    case 'answer': {
      const [request] = run.requests()
      if (request !== undefined) hear(run.answer(request.id, one.value), replies)
      return
    }
    case 'name':
      hear(run.snapshot(`snapshot ${index}`, { metadata: one.metadata }), replies)
      return
    case 'phase':
      hear(run.send({ type: 'phase' }), replies)
      return clock.settle()
    case 'pass':
      return clock.advance(one.ms)
    default:
      throw new TypeError(`unknown command ${String(one satisfies never)}`)
  }
}

/** Whether it is granted is not the question here. */
function hear(reply: Promise<unknown>, replies: Promise<unknown>[]): void {
  reply.catch(() => {})
  replies.push(reply)
}

/** An agent that has ended throws instead of rejecting. */
async function attempt(work: () => Promise<unknown>): Promise<unknown> {
  return work()
}

function assertCuts(modules: Modules, records: readonly LedgerRecord[]): void {
  const { assertPackedRun, foldRun, emptyRun, packRun, unpackRun } = modules.runState
  const catalogue = new modules.context.Catalogue({})
  const whole = describe(modules, foldRun(emptyRun(catalogue, 'run'), records))
  for (let cut = 0; cut <= records.length; cut++) {
    const beginning = packRun(foldRun(emptyRun(catalogue, 'run'), records.slice(0, cut)))
    const stored = modules.ledger.decodeValue(modules.ledger.encodeValue(beginning))
    const packed = assertPackedRun(stored, 'run')
    const tail = records.slice(cut)
    const state = foldRun(unpackRun(packed, catalogue, 'run'), tail)
    assert.deepEqual(describe(modules, state), whole, `cut after record ${cut}`)
    const atOnce = unpackRun(packed, catalogue, 'run', tail)
    assert.deepEqual(describe(modules, atOnce), whole, `cut after record ${cut}, unpacked with the rest`)
  }
}

/** The snapshots that the run took while it went on are those of its ledger, and none is missing. */
async function assertTaken(
  modules: Modules,
  { runtime: { store } }: PuppetShow<string>,
  records: readonly LedgerRecord[],
  everyRecords: number,
): Promise<void> {
  const { foldRun, emptyRun, packRun } = modules.runState
  const catalogue = new modules.context.Catalogue({})
  const taken = await store.snapshots('run')
  assert.ok(taken.length > 0 || records.length < everyRecords, 'snapshots are taken')
  for (const { seq } of taken) {
    const snapshot = await store.snapshot('run', { atSeq: seq })
    const folded = packRun(foldRun(emptyRun(catalogue, 'run'), records.slice(0, seq)))
    const text = (value: unknown): unknown => modules.ledger.encodeValue(value)
    assert.equal(text(snapshot?.state), text(folded), `the snapshot that was taken at ${seq}`)
  }
}

/** Everything that what comes next could depend on. */
function describe({ base, ledger }: Modules, { seq, at, board, machine, notes }: RunState): unknown {
  const cells = [...board.cells()].map((cell) => base.canonicalJson(ledger.packCell(cell))).sort()
  const dependants = KEYS.map((key) => board.own.dependantsOf(key))
  return {
    seq,
    at,
    cells,
    dependants,
    live: [board.own.live, board.globals.live],
    nextExpiryAt: board.nextExpiryAt,
    machine: base.canonicalJson(machine ?? null),
    notes: base.canonicalJson(notes.pack()),
  }
}
