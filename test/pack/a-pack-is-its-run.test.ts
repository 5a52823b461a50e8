// pack = run: whatever happened to a run, what is unpacked elsewhere is that run, and goes on as it does.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { LedgerRecord, Run, RuntimeOptions, Store } from 'callboard'
import { packRun, unpackRun } from 'callboard/pack'
import { firstKeptSeq } from '../../src/runtime/index.ts'
import { decodeRecord, encodeRecord } from '../../src/ledger/index.ts'
import { freshPath, openStore } from '../store/world.ts'
import { journey, lookOf, nameless, openHost, story, tell } from './world.ts'
import type { Host, Step } from './world.ts'

/** As durable stores keep them: without values of ephemeral entries. */
const roundTripped = (records: readonly LedgerRecord[]): readonly LedgerRecord[] =>
  records.map((record) => decodeRecord(record, encodeRecord(record)))

/** Keeps no more than it has to. */
const TIDY: RuntimeOptions = {
  snapshots: { everyRecords: 3, keep: 1 },
  retention: { keepRecords: 2, keepSnapshots: 1 },
}

const ORIGINAL = 'the-original'
const COPY = 'a-copy-with-a-longer-name'

/** Brings every run back in a new process at an instant, and lets the rest of a story happen to one. */
async function goOn(host: Host, runId: string, rest: readonly Step[]): Promise<Run> {
  const { failures } = await host.runtime.recover()
  expect(failures).toEqual([])
  const run = await host.runtime.open(runId)
  await host.clock.settle()
  for (const step of rest) await tell(run, host.clock, step)
  await host.clock.advance(6_000)
  return run
}

/** The ledgers of a run and of those below it, without their names, and without the records that say where they came from. */
async function ledgersOf(store: Store, runId: string): Promise<Readonly<Record<string, unknown>>> {
  const ids = (await store.list()).map((run) => run.runId).filter((id) => id === runId || id.startsWith(`${runId}.`))
  const ledgers: Record<string, unknown> = {}
  for (const id of ids.toSorted()) {
    const records = roundTripped(await store.read(id, { afterSeq: (await firstKeptSeq(store, id)) - 1 }))
    const own = records.filter(({ kind }) => kind !== 'unpack').map((record, index) => ({ ...record, seq: index }))
    ledgers[id.replace(runId, '<run>')] = nameless(own, runId)
  }
  return ledgers
}

it('a pack is its run: same board, same machine, same ledger, and it goes on the same way', async () => {
  let withChildren = 0
  let withQuestions = 0
  let withTrimmed = 0
  await fc.assert(
    fc.asyncProperty(story, story, fc.boolean(), async (before, after, trims) => {
      const here = await openStore(freshPath())
      const begun = await openHost(here, undefined, trims ? TIDY : {})
      const original = await begun.runtime.start(journey, { runId: ORIGINAL, input: { for: 'a walk' } })
      await begun.clock.settle()
      for (const step of before) await tell(original as unknown as Run, begun.clock, step)
      await begun.runtime.close({ runs: 'keep' })

      const there = await openStore(freshPath())
      const pack = await packRun(here, ORIGINAL)
      const at = begun.clock.now()
      const { summary, children } = await unpackRun(there, pack.bytes, { runId: COPY, clock: begun.clock })
      expect(summary.seq).toBe((await here.summary(ORIGINAL))!.seq + 1)
      if (children.length > 0) withChildren += 1

      const afterSeq = (await firstKeptSeq(here, ORIGINAL)) - 1
      expect(await firstKeptSeq(there, COPY)).toBe(afterSeq + 1)
      if (afterSeq > 0) withTrimmed += 1
      const ledger = (await there.read(COPY, { afterSeq })).slice(0, -1)
      const packed = await here.read(ORIGINAL, { afterSeq })
      expect(nameless(ledger, COPY)).toEqual(nameless(roundTripped(packed), ORIGINAL))
      const [oneHost, otherHost] = [await openHost(here, at), await openHost(there, at)]
      const one = await goOn(oneHost, ORIGINAL, after)
      const other = await goOn(otherHost, COPY, after)
      if (one.requests().length > 0) withQuestions += 1
      expect(lookOf(other)).toEqual(lookOf(one))
      const cut = pack.manifest.pointers.ledger_last_seq
      const later = (await there.read(COPY, { afterSeq: cut + 1 })).filter(({ kind }) => kind !== 'snapshot')
      const expected = (await here.read(ORIGINAL, { afterSeq: cut })).filter(({ kind }) => kind !== 'snapshot')
      expect(nameless(later, COPY, 1)).toEqual(nameless(roundTripped(expected), ORIGINAL))
      const { [`<run>`]: _one, ...childrenOfOne } = await ledgersOf(here, ORIGINAL)
      const { [`<run>`]: _other, ...childrenOfOther } = await ledgersOf(there, COPY)
      expect(childrenOfOther).toEqual(childrenOfOne)
      expect((await there.verify()).damage).toEqual([])
      await oneHost.runtime.close()
      await otherHost.runtime.close()
    }),
    { numRuns: Number(process.env['CALLBOARD_RUNS'] ?? 40), seed: Number(process.env['CALLBOARD_SEED'] ?? 20_260_101) },
  )
  // It looked at what is hard, too.
  expect(withChildren).toBeGreaterThan(5)
  expect(withQuestions).toBeGreaterThan(5)
  expect(withTrimmed).toBeGreaterThan(5)
})
