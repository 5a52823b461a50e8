import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineContext, drop, entry, isCallboardError } from 'callboard'
import type { CallboardError } from 'callboard'
import { createGate, createWorld, refusalOf, together } from './world.ts'

const board = defineContext({
  source: entry(z.string(), { outside: true }),
  budget: entry(z.int(), { outside: true }),
  draft: entry(z.string(), { dependsOn: ['source'] }),
  review: entry(z.object({ ok: z.boolean() })),
})
const READS = ['source', 'budget', 'draft', 'review'] as const

describe('an agent that waits', () => {
  it('gets the value as soon as somebody has written it', async () => {
    const { runtime } = await createWorld()
    const reader = board.agent({ reads: READS, run: ({ waitFor }) => waitFor('source') })
    const workflow = board.workflow({ agents: { reader } }).createMachine({
      initial: 'a',
      states: { a: { invoke: { src: 'reader', onDone: 'b' } }, b: { type: 'final' } },
      output: ({ event }) => (event as unknown as { output: unknown }).output,
    })
    const run = await runtime.start(workflow)
    expect(run.explain().waits).toHaveLength(1)
    await run.update({ source: 'here' })
    await run.done
    expect(run.status).toBe('done')
    expect(run.explain().waits).toEqual([])
  })

  it('does not wait at all for what is there already', async () => {
    const { runtime } = await createWorld()
    const seen: unknown[] = []
    const ready = defineContext({ source: entry(z.string(), { default: 'there' }) })
    const reader = ready.agent({
      reads: ['source'],
      run: async ({ waitFor }) => void seen.push(await waitFor('source')),
    })
    const run = await runtime.start(together(ready, { reader }))
    await run.done
    expect(seen).toEqual(['there'])
  })

  it('for all of several keys gets them together', async () => {
    const { runtime } = await createWorld()
    const seen: unknown[] = []
    const reader = board.agent({
      reads: READS,
      run: async ({ waitFor, waitForAll }) => {
        seen.push(await waitForAll(['source', 'budget']), await waitFor(['budget', 'source']))
      },
    })
    const run = await runtime.start(together(board, { reader }))
    await run.update({ budget: 3 })
    expect(seen).toEqual([])
    await run.update({ source: 'x' })
    await run.done
    expect(seen).toEqual([
      { source: 'x', budget: 3 },
      { source: 'x', budget: 3 },
    ])
  })

  it('for any of several keys is told which came', async () => {
    const { runtime } = await createWorld()
    const seen: unknown[] = []
    const reader = board.agent({
      reads: READS,
      run: async ({ waitForAny }) => void seen.push(await waitForAny(['source', 'budget'])),
    })
    const run = await runtime.start(together(board, { reader }))
    await run.update({ budget: 3 })
    await run.done
    expect(seen).toEqual([{ key: 'budget', value: 3 }])
  })

  it('for a condition is woken by the keys the condition looked at, and gets what it answered', async () => {
    const { runtime } = await createWorld()
    let asked = 0
    const seen: unknown[] = []
    const reader = board.agent({
      reads: READS,
      run: async ({ waitFor }) => {
        const doubled = await waitFor((view) => {
          asked += 1
          const budget = view.get('budget')
          return budget !== undefined && budget > 2 ? budget * 2 : undefined
        })
        seen.push(doubled)
      },
    })
    const run = await runtime.start(together(board, { reader }))
    await run.update({ source: 'of no interest' })
    expect(asked).toBe(1)
    await run.update({ budget: 1 })
    expect(asked).toBe(2)
    await run.update({ budget: 5 })
    await run.done
    expect(seen).toEqual([10])
    expect(asked).toBe(3)
  })

  it('for a condition over everything is woken by everything', async () => {
    const { runtime } = await createWorld()
    const seen: unknown[] = []
    const reader = board.agent({
      reads: READS,
      run: async ({ waitFor }) => void seen.push(await waitFor((view) => view.keys().length === 2 && view.keys())),
    })
    const run = await runtime.start(together(board, { reader }))
    await run.update({ source: 'x' })
    await run.update({ budget: 1 })
    await run.done
    expect(seen).toEqual([['budget', 'source']])
  })

  it('for a condition that throws gets the error', async () => {
    const { runtime } = await createWorld()
    const reader = board.agent({
      reads: READS,
      run: async ({ waitFor }) => {
        await waitFor((view) => {
          if (view.get('budget') !== undefined) throw new RangeError('too much')
          return false
        })
      },
    })
    const run = await runtime.start(together(board, { reader }))
    await run.update({ budget: 3 })
    const error = await refusalOf(run.done)
    expect(error).toMatchObject({ code: 'agent.failed', cause: new RangeError('too much') })
  })

  it('for a version above the one it has seen', async () => {
    const { runtime } = await createWorld()
    const seen: unknown[] = []
    const reader = board.agent({
      reads: READS,
      run: async ({ view, waitFor }) => {
        seen.push(await waitFor('budget'))
        seen.push(await waitFor('budget', { since: view.entry('budget')?.version ?? 0 }))
      },
    })
    const run = await runtime.start(together(board, { reader }))
    await run.update({ budget: 1 })
    await run.update({ source: 'x' })
    await run.update({ budget: 2 })
    await run.done
    expect(seen).toEqual([1, 2])
  })

  it('for something fresh is not content with what is stale', async () => {
    const { runtime } = await createWorld()
    const seen: unknown[] = []
    const staleSeen = createGate()
    const reader = board.agent({
      reads: READS,
      run: async ({ view, waitFor }) => {
        await waitFor((now) => now.entry('draft')?.stale === true)
        seen.push([await waitFor('draft'), view.entry('draft')?.stale])
        staleSeen.open()
        seen.push([await waitFor('draft', { fresh: true }), view.entry('draft')?.stale])
      },
    })
    const slowWriter = board.agent({
      reads: ['source'],
      writes: ['draft'],
      run: async ({ waitFor, update }) => {
        const first = await waitFor('source')
        await update({ draft: `draft of ${first}` })
        await staleSeen.passed
        const second = await waitFor('source')
        await update({ draft: `draft of ${second}` })
      },
    })
    const run = await runtime.start(together(board, { slowWriter, reader }))
    await run.update({ source: 'one' })
    await run.waitFor('draft')
    await run.update({ source: 'two' })
    await run.done
    expect(seen).toEqual([
      ['draft of one', true],
      ['draft of two', false],
    ])
  })

  it('is not met by a deletion', async () => {
    const { runtime } = await createWorld()
    const seen: unknown[] = []
    const reader = board.agent({
      reads: READS,
      run: async ({ waitFor }) => void seen.push(await waitFor('budget', { since: 1 })),
    })
    const run = await runtime.start(together(board, { reader }))
    await run.update({ budget: 1 })
    await run.update({ budget: drop() })
    expect(run.explain().waits).toHaveLength(1)
    await run.update({ budget: 3 })
    await run.done
    expect(seen).toEqual([3])
  })
})

describe('a wait ends', () => {
  it('at its timeout, with who could have written the key and what each is doing', async () => {
    const { runtime, clock } = await createWorld()
    const never = createGate()
    const failures: CallboardError[] = []
    const writer = board.agent({
      writes: ['draft'],
      run: async ({ step }) => void (await step('research', () => never.passed)),
    })
    const idleWriter = board.agent({ writes: ['draft'], run: () => {} })
    const reader = board.agent({
      reads: READS,
      run: async ({ waitFor }) => {
        await waitFor('draft', { timeoutMs: 500 }).catch((error: unknown) => {
          if (isCallboardError(error)) failures.push(error)
        })
      },
    })
    const workflow = board.workflow({ agents: { writer, idleWriter, reader } }).createMachine({
      type: 'parallel',
      states: { a: { invoke: { src: 'writer', id: 'anna' } }, b: { invoke: { src: 'reader' } } },
    })
    const run = await runtime.start(workflow, { runId: 'r1' })
    await clock.advance(499)
    expect(failures).toEqual([])
    await clock.advance(1)
    expect(failures).toHaveLength(1)
    expect(failures[0]?.code).toBe('wait.timeout')
    expect(failures[0]?.message).toBe(
      'run r1: reader waited 500 ms for "draft"; "draft" could be written by anna (writer) (running, in step "research"), ' +
        'idleWriter (not invoked); raise timeoutMs, or handle its absence',
    )
    expect(failures[0]?.details).toMatchObject({ agent: 'reader', keys: ['draft'], timeoutMs: 500 })
    expect(run.status).toBe('active')
  })

  it('after thirty seconds unless it says otherwise, or what the runtime says', async () => {
    for (const [options, limit] of [
      [{}, 30_000],
      [{ waitTimeoutMs: 50 }, 50],
    ] as const) {
      const { runtime, clock } = await createWorld(options)
      const reader = board.agent({ reads: READS, run: async ({ waitFor }) => void (await waitFor('source')) })
      const run = await runtime.start(together(board, { reader }))
      await clock.advance(limit - 1)
      expect(run.status).toBe('active')
      await clock.advance(1)
      expect(run.status).toBe('error')
      expect((await refusalOf(run.done)).code).toBe('wait.timeout')
    }
  })

  it('never, when it is told to wait for ever', async () => {
    const { runtime, clock } = await createWorld()
    const reader = board.agent({
      reads: READS,
      run: async ({ waitFor }) => void (await waitFor('source', { timeoutMs: Number.POSITIVE_INFINITY })),
    })
    const run = await runtime.start(together(board, { reader }))
    await clock.advance(1_000_000_000)
    expect(run.explain().waits).toHaveLength(1)
    await run.update({ source: 'at last' })
    await run.done
  })

  it('when its AbortSignal aborts, with the reason of the abort, before or during', async () => {
    const { runtime } = await createWorld()
    const abort = new AbortController()
    const caught: unknown[] = []
    const reader = board.agent({
      reads: READS,
      run: async ({ waitFor }) => {
        await waitFor('source', { signal: abort.signal }).catch((error: unknown) => caught.push(error))
        await waitFor('source', { signal: abort.signal }).catch((error: unknown) => caught.push(error))
      },
    })
    const run = await runtime.start(together(board, { reader }))
    abort.abort(new Error('changed my mind'))
    await run.done
    expect(caught).toEqual([new Error('changed my mind'), new Error('changed my mind')])
  })

  it('when the state that invoked the agent is left: the agent is told why and nothing stays behind', async () => {
    const { runtime, clock } = await createWorld()
    const caught: unknown[] = []
    const reader = board.agent({
      reads: READS,
      run: async ({ waitFor, signal }) => {
        await waitFor('source').catch((error: unknown) => caught.push(error, signal.reason))
      },
    })
    const workflow = board.workflow({ agents: { reader } }).createMachine({
      initial: 'reading',
      states: {
        reading: { invoke: { src: 'reader' }, on: { skip: 'skipped' } },
        skipped: { on: { end: 'end' } },
        end: { type: 'final' },
      },
    })
    const run = await runtime.start(workflow)
    expect(run.explain().waits).toHaveLength(1)
    expect(clock.armed).toBe(1)
    await run.send({ type: 'skip' })
    await clock.settle()
    expect(caught).toMatchObject([{ code: 'agent.stopped' }, { code: 'agent.stopped' }])
    expect(run.explain().waits).toEqual([])
    expect(clock.armed).toBe(0)
    await run.update({ source: 'too late' })
    expect(run.explain().agents).toMatchObject([{ id: 'reader', status: 'stopped' }])
  })

  it('when the run ends, for agents and for those outside', async () => {
    const { runtime, clock } = await createWorld()
    const reader = board.agent({ reads: READS, run: async ({ waitFor }) => void (await waitFor('source')) })
    const run = await runtime.start(together(board, { reader }))
    const outside = refusalOf(run.waitFor('review'))
    await run.stop('enough')
    expect((await outside).code).toBe('run.finished')
    expect((await refusalOf(run.waitFor('review'))).code).toBe('run.finished')
    await clock.settle()
    expect(clock.armed).toBe(0)
  })
})

describe('a wait is refused at once', () => {
  it('for a key the catalogue does not know and for a key the agent may not read', async () => {
    const { runtime } = await createWorld()
    const caught: CallboardError[] = []
    const note = (error: unknown): void => {
      if (isCallboardError(error)) caught.push(error)
    }
    const reader = board.agent({
      reads: ['source'],
      run: async ({ waitFor, view }) => {
        for (const attempt of [
          () => waitFor('nope' as never),
          () => waitFor('budget' as never),
          () => view.get('budget' as never),
        ]) {
          try {
            await attempt()
          } catch (error) {
            note(error)
          }
        }
      },
    })
    const run = await runtime.start(together(board, { reader }), { runId: 'r1' })
    await run.done
    expect(caught.map(({ message }) => message)).toEqual([
      'run r1: reader waits for "nope", which the catalogue does not know; add it to defineContext() or correct the key',
      'run r1: reader may not read "budget"; the reads of agent type reader are "source"',
      'run r1: reader may not read "budget"; the reads of agent type reader are "source"',
    ])
    expect(caught.map(({ code }) => code)).toEqual(['wait.unknown-key', 'view.not-readable', 'view.not-readable'])
  })
})

describe('someone outside who waits', () => {
  it('gets what the workflow sees, fresh or newer where that is asked for', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(together(board, {}, { staysOpen: true }))
    const first = run.waitFor('budget')
    const second = run.waitFor('budget', { since: 1 })
    await run.update({ budget: 1 })
    expect(await first).toBe(1)
    await run.update({ budget: 2 })
    expect(await second).toBe(2)
    expect(await run.waitFor('budget')).toBe(2)
  })

  it('is told at the timeout that nobody writes it', async () => {
    const { runtime, clock } = await createWorld()
    const run = await runtime.start(together(board, {}, { staysOpen: true }), { runId: 'r1' })
    const failed = refusalOf(run.waitFor('review', { timeoutMs: 10 }))
    await clock.advance(10)
    expect((await failed).message).toBe(
      'run r1: outside waited 10 ms for "review"; no agent of this workflow writes "review"; raise timeoutMs, or handle its absence',
    )
  })
})
