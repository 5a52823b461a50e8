// Links from whoever reads to whoever wrote, beyond one run, and what is counted when things go wrong.
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineContext, entry } from 'callboard'
import { together } from '../runtime/world.ts'
import { createObserved } from './world.ts'

const board = defineContext({
  news: entry(z.string(), { scope: 'global', outside: true }),
  count: entry(z.number(), { outside: true }),
  mine: entry(z.string()),
  yours: entry(z.string()),
  echo: entry(z.string()),
  go: entry(z.boolean(), { outside: true }),
})

describe('links', () => {
  it('lead from a run that reads a global entry to the commit of the run that wrote it', async () => {
    const writer = board.agent({ writes: ['news'], run: async ({ update }) => void (await update({ news: 'rain' })) })
    const reader = board.agent({
      reads: ['news'],
      writes: ['echo'],
      async run({ view, update }) {
        await update({ echo: `it says ${view.get('news')}` })
      },
    })
    const { runtime, spans } = await createObserved()
    await (
      await runtime.start(together(board, { writer }), { runId: 'first' })
    ).done
    await (
      await runtime.start(together(board, { reader }), { runId: 'second' })
    ).done
    const commitOf = (author: string): (typeof all)[number] | undefined =>
      all.find((one) => one.name === 'commit update' && one.attributes['callboard.author'] === author)
    const all = spans()
    expect(commitOf('reader')?.links.map(({ context }) => context.spanId)).toEqual([
      commitOf('writer')?.spanContext().spanId,
    ])
    expect(commitOf('reader')?.spanContext().traceId).not.toBe(commitOf('writer')?.spanContext().traceId)
  })

  it('are of the version that was read, not of a newer one', async () => {
    const { runtime, spans } = await createObserved()
    const reader = board.agent({
      reads: ['count', 'go'],
      writes: ['echo'],
      async run({ waitFor, update }) {
        const count = await waitFor('count')
        await waitFor('go')
        await update({ echo: `${count}` })
      },
    })
    const run = await runtime.start(together(board, { reader }))
    await run.update({ count: 1 }, { by: 'first' })
    await run.update({ count: 2 }, { by: 'second' })
    await run.update({ go: true }, { by: 'third' })
    await run.done
    const all = spans()
    const commitOf = (by: string): string | undefined =>
      all.find(({ attributes }) => attributes['callboard.author'] === by)?.spanContext().spanId
    const echo = all.find(
      ({ name, attributes }) => name === 'commit update' && attributes['callboard.author'] === 'reader',
    )
    expect(echo?.links.map(({ context }) => context.spanId)).toEqual([commitOf('first'), commitOf('third')])
  })
})

describe('what is counted when things go wrong', () => {
  it('are deadlocks, by workflow, and the waits that ended so', async () => {
    const a = board.agent({ reads: ['yours'], writes: ['mine'], run: ({ waitFor }) => waitFor('yours') })
    const b = board.agent({ reads: ['mine'], writes: ['yours'], run: ({ waitFor }) => waitFor('mine') })
    const { runtime, clock, measured } = await createObserved()
    const run = await runtime.start(together(board, { a, b }))
    await clock.advance(1)
    await run.done.catch(() => {})
    const of = (name: string): readonly object[] =>
      measured.filter((one) => one.name === `callboard.${name}`).map(({ attributes }) => attributes)
    expect(of('deadlocks')).toEqual([{ 'callboard.workflow': 'together' }])
    expect(of('wait.duration')).toEqual([
      { 'callboard.workflow': 'together', 'callboard.outcome': 'deadlock' },
      { 'callboard.workflow': 'together', 'callboard.outcome': 'deadlock' },
    ])
    expect(of('runs.ended')).toEqual([{ 'callboard.workflow': 'together', 'callboard.outcome': 'failed' }])
  })
})
