import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createRuntime, createVolatileStore, defineContext, entry } from 'callboard'
import type { OpenRequest } from 'callboard'
import { wrapStore } from '../store/wrapped.ts'
import { createGate, createWorld, refusalOf, together } from './world.ts'

const board = defineContext({
  approval: entry(z.object({ ok: z.boolean() })),
  budget: entry(z.int().positive()),
  'answers.*': entry(z.string()),
})

const asksApproval = board.agent({
  reads: ['approval'],
  writes: ['answers.*'],
  run: async ({ ask, update, view }) => {
    const { ok } = await ask('approval', { question: 'Ship it?' })
    await update({ 'answers.approval': String(ok), 'answers.seen': JSON.stringify(view.get('approval')) })
  },
})
const asksBudget = board.agent({
  reads: ['budget'],
  writes: ['answers.*'],
  run: async ({ ask, update }) => void (await update({ 'answers.budget': String(await ask('budget')) })),
})

describe('what people are asked for', () => {
  it('is listed with who asks, the question and what the answer must look like', async () => {
    const { runtime, clock } = await createWorld()
    const told: OpenRequest[] = []
    runtime.on('request', ({ request }) => told.push(request))
    const run = await runtime.start(together(board, { asksApproval }))
    await clock.settle()
    expect(run.requests()).toEqual([
      {
        id: `${run.id}.asksApproval.1/ask approval`,
        runId: run.id,
        agent: 'asksApproval',
        target: { key: 'approval' },
        question: 'Ship it?',
        askedAt: clock.now(),
        schema: expect.objectContaining({ type: 'object', required: ['ok'] }) as unknown,
      },
    ])
    expect(told).toEqual(run.requests())
    expect((await run.ledger()).at(-1)).toMatchObject({ kind: 'request', author: 'asksApproval' })
  })

  it('is answered in any order; the answer is an entry written by who answered', async () => {
    const { runtime, clock } = await createWorld()
    const run = await runtime.start(together(board, { asksApproval, asksBudget }))
    await clock.settle()
    const [approval, budget] = run.requests()
    await run.answer(budget!.id, 5, { by: 'maria' })
    expect(run.requests().map(({ id }) => id)).toEqual([approval!.id])
    await run.answer(approval!.id, { ok: true })
    await run.done
    expect(run.entry('budget')).toMatchObject({ value: 5, updatedBy: 'maria' })
    expect(run.entry('approval')).toMatchObject({ value: { ok: true }, updatedBy: 'person' })
    expect(run.get('answers.approval')).toBe('true')
    expect(run.get('answers.seen')).toBe('{"ok":true}')
    expect(run.get('answers.budget')).toBe('5')
  })

  it('is answered once', async () => {
    const { runtime, clock } = await createWorld()
    const run = await runtime.start(together(board, { asksBudget }, { staysOpen: true }))
    await clock.settle()
    const { id } = run.requests()[0]!
    await run.answer(id, 5)
    const again = await refusalOf(run.answer(id, 6))
    expect(again.code).toBe('request.not-open')
    expect(again.message).toBe(
      `request ${id} cannot be answered: it has been answered already; run.requests() lists the open ones`,
    )
    const unknown = await refusalOf(run.answer('nobody asked', 6))
    expect(unknown.message).toContain('there is no such open request')
    expect(run.get('budget')).toBe(5)
  })

  it('stays open when the answer is refused', async () => {
    const { runtime, clock } = await createWorld()
    const run = await runtime.start(together(board, { asksBudget }))
    await clock.settle()
    const { id } = run.requests()[0]!
    const refused = await refusalOf(run.answer(id, -1, { by: 'maria' }))
    expect(refused.code).toBe('request.refused')
    expect(refused.message).toContain('maria may not write "budget": the value does not fit its schema')
    expect(refused.message).toContain('the request stays open')
    expect(run.requests()).toHaveLength(1)
    await run.answer(id, 1)
    await run.done
  })

  it('is given up at its timeout', async () => {
    const { runtime, clock } = await createWorld()
    const impatient = board.agent({
      reads: ['budget'],
      run: async ({ ask }) => void (await ask('budget', { timeoutMs: 60_000, question: 'How much?' })),
    })
    const run = await runtime.start(together(board, { impatient }), { runId: 'r1' })
    await clock.advance(59_999)
    expect(run.requests()).toHaveLength(1)
    await clock.advance(1)
    const error = await refusalOf(run.done)
    expect(error.code).toBe('request.timeout')
    expect(error.message).toContain('nobody answered impatient within 60000 ms (How much?)')
    expect(run.requests()).toEqual([])
    expect(clock.armed).toBe(0)
  })

  it('is answered, not given up, when its time ends while the answer is being stored; given up when that is refused', async () => {
    for (const [value, outcome] of [
      [5, 5],
      [-1, 'request.timeout'],
    ] as const) {
      const inner = createVolatileStore()
      const gate = createGate()
      const store = wrapStore(inner, {
        append: async (batches) => {
          if (batches[0]?.records.some(({ kind }) => kind === 'update' || kind === 'refusal')) await gate.passed
          return inner.append(batches)
        },
      })
      const heard: unknown[] = []
      const impatient = board.agent({
        reads: ['budget'],
        run: async ({ ask }) => {
          heard.push(await ask('budget', { timeoutMs: 60_000 }).catch(({ code }: { code: string }) => code))
          await new Promise(() => {})
        },
      })
      const workflow = together(board, { impatient })
      const { runtime, clock } = await createWorld({ store, workflows: [workflow] })
      const run = await runtime.start(workflow, { runId: 'r' })
      await clock.settle()
      const answer = run.answer(run.requests()[0]!.id, value)
      const answered = value === 5 ? answer : refusalOf(answer)
      await clock.advance(60_000)
      expect(heard).toEqual([])
      gate.open()
      await answered
      await clock.settle()
      expect(heard).toEqual([outcome])
    }
  })

  it('is withdrawn when the agent is stopped, and cannot be answered then', async () => {
    const { runtime, clock } = await createWorld()
    const workflow = board.workflow({ agents: { asksBudget } }).createMachine({
      initial: 'asking',
      states: { asking: { invoke: { src: 'asksBudget' }, on: { skip: 'skipped' } }, skipped: {} },
    })
    const run = await runtime.start(workflow)
    await clock.settle()
    const { id } = run.requests()[0]!
    await run.send({ type: 'skip' })
    expect(run.requests()).toEqual([])
    expect((await refusalOf(run.answer(id, 5))).code).toBe('request.not-open')
    expect(run.get('budget')).toBeUndefined()
  })

  it('lasts as long as nobody answers', async () => {
    const { runtime, clock } = await createWorld()
    const run = await runtime.start(together(board, { asksBudget }))
    await clock.advance(10 * 365 * 86_400_000)
    expect(run.requests()).toHaveLength(1)
    await run.answer(run.requests()[0]!.id, 1)
    await run.done
  })
})

describe('a person as an agent', () => {
  it('is invoked, asks for the entry and gives back the answer', async () => {
    const { runtime, clock } = await createWorld()
    const approver = board.person('approval', { question: 'Good?' })
    const workflow = board.workflow({ agents: { approver } }).createMachine({
      initial: 'approving',
      states: {
        approving: {
          invoke: { src: 'approver', onDone: [{ guard: ({ event }) => event.output.ok, target: 'yes' }, 'no'] },
        },
        yes: { type: 'final' },
        no: { type: 'final' },
      },
    })
    const run = await runtime.start(workflow)
    await clock.settle()
    expect(run.requests()).toMatchObject([{ agent: 'approver', question: 'Good?' }])
    await run.answer(run.requests()[0]!.id, { ok: true })
    await run.done
    expect(run.state).toBe('yes')
  })

  it('may be asked another question where it is invoked', async () => {
    const { runtime, clock } = await createWorld()
    const approver = board.person('approval', { question: 'Good?' })
    const workflow = board.workflow({ agents: { approver } }).createMachine({
      invoke: { src: 'approver', input: { question: 'Still good?' } },
    })
    const run = await runtime.start(workflow)
    await clock.settle()
    expect(run.requests()[0]?.question).toBe('Still good?')
  })
})

describe('a person asked for an event', () => {
  const events = { approved: z.object({ by: z.string() }) }
  const asks = board.agent({
    writes: ['answers.*'],
    run: async ({ askForEvent, update }) => {
      const { by } = await askForEvent('approved', { question: 'Approve?' })
      await update({ 'answers.by': String(by) })
    },
  })
  const workflow = board.workflow({ agents: { asks }, events }).createMachine({
    type: 'parallel',
    states: {
      work: { initial: 'on', states: { on: { invoke: { src: 'asks', onDone: 'off' } }, off: { type: 'final' } } },
      gate: {
        initial: 'shut',
        states: { shut: { on: { approved: 'open' } }, open: { type: 'final' } },
      },
    },
  })

  it('sends it to the machine with what they gave', async () => {
    const { runtime, clock } = await createWorld()
    const run = await runtime.start(workflow)
    await clock.settle()
    expect(run.requests()).toMatchObject([{ target: { event: 'approved' }, schema: { required: ['by'] } }])
    await run.answer(run.requests()[0]!.id, { by: 'maria' })
    await run.done
    expect(run.get('answers.by')).toBe('maria')
    expect((await run.ledger()).some(({ asked }) => JSON.stringify(asked).includes('"approved"'))).toBe(true)
  })

  it('is refused what does not fit, and what the machine does not take now; the request stays open', async () => {
    const { runtime, clock } = await createWorld()
    const run = await runtime.start(workflow)
    await clock.settle()
    const { id } = run.requests()[0]!
    expect((await refusalOf(run.answer(id, { by: 7 }))).code).toBe('event.invalid')
    await run.send({ type: 'approved', by: 'someone else' })
    const refused = await refusalOf(run.answer(id, { by: 'maria' }))
    expect(refused.code).toBe('request.refused')
    expect(refused.message).toContain('the machine does not take "approved" in its present state')
    expect(run.requests()).toHaveLength(1)
  })
})

it('requests are closed when the run ends', async () => {
  const runtime = await createRuntime()
  const run = await runtime.start(together(board, { asksBudget }))
  await runtime.close()
  expect(run.requests()).toEqual([])
})
