// The store is photographed after every commit. Whichever photograph a run is restored from, it comes to where it would
// have been at the end of the step: what a machine had decided and told others of its run is in the commit or not at all.
import { expect, it } from 'vitest'
import { createVolatileStore } from 'callboard'
import type { LedgerRecord, RunSummary } from 'callboard'
import { wrapStore } from '../store/wrapped.ts'
import { charts } from './all-charts.ts'
import { stepsOf, trace } from './chart.ts'
import type { Chart } from './chart.ts'
import { BEGAN_AT, driveRun, elapsedAt } from './drive.ts'
import { showText } from './show.ts'

/** What was sent to a callback and had not arrived is lost with the process, as all else that a callback remembers. */
const FORGETFUL = new Set(['a callback that answers'])

interface Photograph {
  readonly step: number
  readonly at: number
  readonly records: readonly LedgerRecord[]
  readonly summary: RunSummary
}

/** Drives a chart; gives its looks after every step and a photograph of its ledger after every commit. */
async function photograph(chart: Chart): Promise<{ looks: readonly string[]; photographs: readonly Photograph[] }> {
  const inner = createVolatileStore()
  const photographs: Photograph[] = []
  let step = 0
  const store = wrapStore(inner, {
    append: async (batches) => {
      await inner.append(batches)
      const [batch] = batches
      if (batch === undefined) return
      const records = await inner.read(batch.runId)
      photographs.push({ step, at: records.at(-1)?.at ?? 0, records, summary: batch.summary })
    },
  })
  const driven = await driveRun(chart, store)
  const looks = [driven.look()]
  for (const next of stepsOf(chart)) {
    step += 1
    await driven.step(next)
    looks.push(driven.look())
  }
  step = Number.POSITIVE_INFINITY
  await driven.close()
  trace.length = 0
  return { looks: looks.map(withoutTrace), photographs: photographs.filter((taken) => Number.isFinite(taken.step)) }
}

function withoutTrace(look: string): string {
  return showText({ ...(JSON.parse(look) as object), done: [] })
}

it('a run restored from what was stored at any commit comes to where it would have come without the crash', async () => {
  let restored = 0
  for (const chart of charts) {
    if (FORGETFUL.has(chart.name)) continue
    const { looks, photographs } = await photograph(chart)
    for (const { step, at, records, summary } of photographs) {
      const store = createVolatileStore()
      await store.append([{ runId: chart.name, expectedSeq: 0, records, summary }])
      const driven = await driveRun(chart, store, { at })
      const left = BEGAN_AT + elapsedAt(chart, step) - at
      if (left > 0) await driven.step({ after: left })
      expect
        .soft(withoutTrace(driven.look()), `${chart.name}, restored at seq ${summary.seq} of step ${step}`)
        .toBe(looks[step])
      await driven.close()
      restored += 1
    }
  }
  expect(restored).toBeGreaterThan(charts.length)
})
