// Spans that others begin: those that the code of an agent begins are below the agent's, and a run is below the span in which it
// was started.
import { context, trace } from '@opentelemetry/api'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineContext, entry } from 'callboard'
import { together } from '../runtime/world.ts'
import { followContexts } from './context.ts'
import { createObserved } from './world.ts'

const board = defineContext({
  question: entry(z.string(), { outside: true }),
  answer: entry(z.string()),
  note: entry(z.string(), { merge: 'replace' }),
})

describe('spans that an agent begins itself', () => {
  it('are below its own, and in a step below the attempt, also after it has waited', async () => {
    followContexts()
    const { runtime, clock, spans, spanOf, tracer } = await createObserved()
    const mark = (name: string): void => tracer.startSpan(name).end()
    let failures = 1
    const author = board.agent({
      reads: ['question'],
      writes: ['answer'],
      async run({ waitFor, step, update }) {
        mark('at first')
        await waitFor('question')
        mark('after the wait')
        const work = async (): Promise<string> => {
          mark('in the step')
          await Promise.resolve()
          mark('later in the step')
          if (failures-- > 0) throw new Error('not yet')
          return 'because'
        }
        const answer = await step('think', work, { retries: 1, backoffMs: 0 })
        mark('after the step')
        await update({ answer })
      },
    })
    const other = board.agent({
      reads: ['answer'],
      writes: ['note'],
      async run({ waitFor }) {
        await waitFor('answer')
        mark('of another')
      },
    })
    const run = await runtime.start(together(board, { author, other }))
    await run.update({ question: 'why?' })
    await clock.advance(1_000)
    await run.done

    const idOf = (name: string): string => spanOf(name).spanContext().spanId
    const parentOf = (name: string): string | undefined => spanOf(name).parentSpanContext?.spanId
    for (const name of ['at first', 'after the wait', 'after the step']) {
      expect([name, parentOf(name)]).toEqual([name, idOf('agent author')])
    }
    expect(parentOf('of another')).toBe(idOf('agent other'))
    const attempts = spans().filter(({ name }) => name === 'step think')
    expect(attempts.length).toBe(2)
    for (const name of ['in the step', 'later in the step']) {
      const parents = spans().filter((span) => span.name === name)
      expect(parents.map(({ parentSpanContext }) => parentSpanContext?.spanId)).toEqual(
        attempts.map((attempt) => attempt.spanContext().spanId),
      )
    }
  })

  it('are where they were when nobody observes any more', async () => {
    followContexts()
    const { runtime, spanOf, tracer, stop } = await createObserved()
    stop()
    const marking = board.agent({ run: () => tracer.startSpan('alone').end() })
    await (
      await runtime.start(together(board, { marking }))
    ).done
    expect(spanOf('alone').parentSpanContext).toBeUndefined()
  })
})

describe('a run', () => {
  it('is below the span in which it was started, each below its own, and its agents below the run', async () => {
    followContexts()
    const { runtime, spans, tracer } = await createObserved()
    const idle = board.agent({ run: () => {} })
    const workflow = together(board, { idle })
    const start = async (name: string): Promise<void> => {
      const span = tracer.startSpan(name)
      const run = await context.with(trace.setSpan(context.active(), span), () =>
        runtime.start(workflow, { runId: name }),
      )
      await run.done
      span.end()
    }
    await Promise.all(['a', 'b', 'c'].map(start))
    for (const name of ['a', 'b', 'c']) {
      const of = (what: string): (typeof all)[number] | undefined =>
        all.find((span) => span.name === what && span.attributes['callboard.run.id'] === name)
      const all = spans()
      const requested = all.find((span) => span.name === name)?.spanContext()
      expect(requested).toBeDefined()
      expect(of('run together')?.parentSpanContext?.spanId).toBe(requested?.spanId)
      expect(of('agent idle')?.parentSpanContext?.spanId).toBe(of('run together')?.spanContext().spanId)
      expect(of('agent idle')?.spanContext().traceId).toBe(requested?.traceId)
    }
  })
})
