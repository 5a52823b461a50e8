import { SpanStatusCode } from '@opentelemetry/api'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createVolatileStore, defineContext, entry } from 'callboard'
import { together } from '../runtime/world.ts'
import { createObserved, msOf } from './world.ts'

const SECRET = 'sk-live-51H8xvT2eZvKYlo2C0aBcDeF'
const board = defineContext({
  question: entry(z.string(), { outside: true }),
  answer: entry(z.string()),
  wish: entry(z.string(), { outside: true }),
  count: entry(z.number(), { merge: 'reject' }),
  password: entry(z.string(), { outside: true }),
})

const author = board.agent({
  reads: ['question'],
  writes: ['answer'],
  async run({ waitFor, step, update }) {
    const question = await waitFor('question')
    const answer = await step('think', () => `about ${question}`)
    await update({ answer })
  },
})
const reader = board.agent({
  reads: ['answer'],
  async run({ waitFor }) {
    await waitFor('answer')
  },
})
const workflow = together(board, { author, reader })

describe('the spans', () => {
  it('are those of the run, its agents, their waits and steps, and commits, each below what it is a part of', async () => {
    const { runtime, spanOf, clock } = await createObserved()
    const beganAt = clock.now()
    const run = await runtime.start(workflow, { runId: 'r1' })
    await clock.advance(2_000)
    await run.update({ question: 'why?' }, { by: 'Ada' })
    await run.done

    const parentOf = (name: string): string | undefined => spanOf(name).parentSpanContext?.spanId
    const idOf = (name: string): string => spanOf(name).spanContext().spanId
    expect(parentOf('run together')).toBeUndefined()
    expect(parentOf('agent author')).toBe(idOf('run together'))
    expect(parentOf('agent reader')).toBe(idOf('run together'))
    expect(parentOf('wait question')).toBe(idOf('agent author'))
    expect(parentOf('wait answer')).toBe(idOf('agent reader'))
    expect(parentOf('step think')).toBe(idOf('agent author'))
    expect(parentOf('commit start')).toBe(idOf('run together'))
    expect(spanOf('run together').attributes).toMatchObject({
      'callboard.run.id': 'r1',
      'callboard.workflow': 'together',
      'callboard.outcome': 'done',
    })
    expect(msOf(spanOf('run together').startTime)).toBe(beganAt)
    expect(msOf(spanOf('wait question').duration)).toBe(2_000)
  })

  it('are linked from whoever read something to the commit that wrote it', async () => {
    const { runtime, spans, spanOf } = await createObserved()
    const run = await runtime.start(workflow)
    await run.update({ question: 'why?' }, { by: 'Ada' })
    await run.done

    const commitOf = (by: string): (typeof all)[number] | undefined =>
      all.find(({ name, attributes }) => name === 'commit update' && attributes['callboard.author'] === by)
    const all = spans()
    const asked = commitOf('Ada')?.spanContext().spanId
    const answered = commitOf('author')
    expect(asked).toBeDefined()
    expect(answered?.links.map(({ context }) => context.spanId)).toEqual([asked])
    expect(spanOf('wait question').links.map(({ context }) => context.spanId)).toEqual([asked])
    expect(spanOf('wait answer').links.map(({ context }) => context.spanId)).toEqual([answered?.spanContext().spanId])
  })

  it('of a child run are below those of its parent', async () => {
    const child = board
      .workflow({ name: 'inner' })
      .createMachine({ initial: 'on', states: { on: { type: 'final' } }, id: 'inner' })
    const parent = board.workflow({ name: 'outer', agents: { child } }).createMachine({
      id: 'outer',
      initial: 'on',
      states: { on: { invoke: { src: 'child', onDone: 'off' } }, off: { type: 'final' } },
    })
    const { runtime, spanOf } = await createObserved()
    await (
      await runtime.start(parent)
    ).done
    expect(spanOf('run inner').parentSpanContext?.spanId).toBe(spanOf('run outer').spanContext().spanId)
  })

  it('say of what failed that it did, and which error it was, but not its message', async () => {
    const failing = board.agent({
      async run({ step }) {
        await step('try', () => Promise.reject(new Error(`refused ${SECRET}`)), { retries: 1, backoffMs: 0 })
      },
    })
    const { runtime, spans, spanOf, clock } = await createObserved()
    const run = await runtime.start(together(board, { failing }))
    await clock.advance(1_000)
    await run.done.catch(() => {})
    const tries = spans().filter(({ name }) => name === 'step try')
    expect(tries.map(({ attributes }) => attributes['callboard.attempt'])).toEqual([1, 2])
    for (const span of [...tries, spanOf('agent failing'), spanOf('run together')]) {
      expect(span.status).toEqual({ code: SpanStatusCode.ERROR })
      expect(span.attributes['callboard.outcome']).toBe('failed')
    }
    expect(spanOf('run together').attributes['error.type']).toBe('step.failed')
    expect(everythingOf(spans())).not.toContain('refused')
  })

  it('hold no value, no label, and no secret, not even where one stands in a name', async () => {
    const { runtime, spans, measured } = await createObserved()
    const run = await runtime.start(workflow, { labels: { customer: 'Lovelace' } })
    await run.update({ password: 'hunter2', wish: 'a pony' }, { by: SECRET })
    await run.update({ question: 'why is the sky blue?' })
    await run.done
    const everything = everythingOf(spans()) + JSON.stringify(measured)
    expect(everything).toContain('callboard.author')
    for (const value of ['hunter2', 'pony', 'sky', 'Lovelace', SECRET]) expect(everything).not.toContain(value)
  })

  it('of waits say whether they were met, timed out or were cancelled', async () => {
    const impatient = board.agent({
      reads: ['wish'],
      async run({ waitFor }) {
        await waitFor('wish', { timeoutMs: 500 }).catch(() => {})
        await waitFor('wish', { timeoutMs: 60_000 })
      },
    })
    const { runtime, clock, spans } = await createObserved()
    const run = await runtime.start(together(board, { impatient }))
    await clock.advance(600)
    await run.stop()
    await clock.settle()
    const waits = spans().filter(({ name }) => name === 'wait wish')
    expect(waits.map(({ attributes }) => attributes['callboard.outcome'])).toEqual(['timeout', 'cancelled'])
    expect(msOf(waits[0]?.duration ?? [0, 0])).toBe(500)
  })

  it('of a run that was opened again say so', async () => {
    const store = createVolatileStore()
    const first = await createObserved({ store })
    await first.runtime.start(workflow, { runId: 'r1' })
    await first.runtime.close({ runs: 'keep' })
    first.stop()
    expect(first.spanOf('run together').attributes['callboard.outcome']).toBe('let go')

    const next = await createObserved({ store, workflows: [workflow] })
    const run = await next.runtime.open('r1')
    await run.update({ question: 'why?' } as never)
    await run.done
    expect(next.spanOf('run together').attributes).toMatchObject({
      'callboard.run.resumed': true,
      'callboard.outcome': 'done',
    })
    expect(next.measured.filter(({ name }) => name === 'callboard.runs.started')).toEqual([])
  })
})

describe('the metrics', () => {
  it('count runs, commits, refusals and questions, and measure sizes, phases, waits and steps', async () => {
    const { runtime, clock, measured } = await createObserved()
    const run = await runtime.start(workflow)
    await clock.advance(3_000)
    await run.update({ question: 'why?' }, { by: 'Ada' })
    await run.tryUpdate({ question: 'no' }, { expectedVersion: { question: 9 } }).catch(() => {})
    await run.done
    await run.compare({ before: 'question', after: 'answer' })
    await run.export()

    const valuesOf = (name: string): readonly number[] =>
      measured.filter((one) => one.name === `callboard.${name}`).map(({ value }) => value)
    expect(valuesOf('runs.started')).toEqual([1])
    expect(valuesOf('runs.ended')).toEqual([1])
    expect(valuesOf('run.duration')).toEqual([3])
    expect(valuesOf('run.entries')).toEqual([2])
    expect(valuesOf('run.size')).toEqual(['question"why?"answer"about why?"'.length])
    expect(valuesOf('wait.duration')).toEqual([3, 3])
    expect(valuesOf('step.duration')).toEqual([0])
    expect(valuesOf('refusals')).toEqual([1])
    expect(valuesOf('commits').length).toBe(run.seq)
    expect(valuesOf('phase.duration').reduce((sum, value) => sum + value, 0)).toBe(3)
    expect(measured.filter(({ name }) => name === 'callboard.queries').map(({ attributes }) => attributes)).toEqual([
      { 'callboard.workflow': 'together', 'callboard.query': 'compare' },
      { 'callboard.workflow': 'together', 'callboard.query': 'export' },
    ])
  })
})

describe('observing', () => {
  it('ends when it is told to, with what is open, and leaves the runtime as it was', async () => {
    const { runtime, spans, spanOf, stop, measured } = await createObserved()
    const run = await runtime.start(workflow)
    stop()
    expect(spanOf('run together').attributes['callboard.outcome']).toBe('let go')
    const [before, counted] = [spans().length, measured.length]
    await run.update({ question: 'why?' })
    await run.done
    expect([spans().length, measured.length]).toEqual([before, counted])
  })

  it('without a provider does nothing', async () => {
    const { observeRuntime } = await import('callboard/otel')
    const { runtime } = await createObserved()
    const stop = observeRuntime(runtime)
    const run = await runtime.start(workflow)
    await run.update({ question: 'why?' })
    await run.done
    stop()
    expect(run.status).toBe('done')
  })
})

/** Names, attributes, events and links, as they would be exported. */
function everythingOf(spans: ReturnType<Awaited<ReturnType<typeof createObserved>>['spans']>): string {
  return JSON.stringify(
    spans.map(({ name, attributes, events, links, status }) => [name, attributes, events, links, status]),
  )
}
