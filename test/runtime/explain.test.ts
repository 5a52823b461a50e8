import { expect, it } from 'vitest'
import { z } from 'zod'
import { defineContext, entry } from 'callboard'
import { createGate, createWorld, together } from './world.ts'

const board = defineContext({
  brief: entry(z.string()),
  verdict: entry(z.string()),
  budget: entry(z.int(), { outside: true }),
})

it('says who waits for what since when, who could provide it, and what they do instead', async () => {
  const { runtime, clock } = await createWorld()
  const gate = createGate()
  const writer = board.agent({
    reads: ['verdict'],
    writes: ['brief'],
    run: async ({ step, update, progress, ask }) => {
      progress({ done: 1, total: 3, message: 'one of three' })
      await step('read', () => gate.passed)
      await update({ brief: await ask('verdict', { question: 'Is it good?' }) })
    },
  })
  const reader = board.agent({ reads: ['brief'], run: async ({ waitFor }) => void (await waitFor('brief')) })
  const run = await runtime.start(together(board, { writer, reader }), { runId: 'r1' })
  await clock.settle()
  const startedAt = clock.now()
  await clock.advance(10)
  const explanation = run.explain()
  expect(explanation).toMatchObject({
    runId: 'r1',
    status: 'active',
    state: { work: { writer: 'on', reader: 'on' } },
    hasTimers: false,
    agents: [
      { id: 'writer', type: 'writer', status: 'running', step: 'read', progress: 'one of three' },
      { id: 'reader', type: 'reader', status: 'waiting', step: undefined, progress: undefined },
    ],
    waits: [
      {
        waiter: 'reader',
        keys: ['brief'],
        sinceAt: startedAt,
        timeoutMs: 30_000,
        producers: { brief: [{ type: 'writer', id: 'writer', status: 'running', step: 'read' }] },
      },
    ],
    requests: [],
  })
  expect(explanation.text).toBe(
    [
      'run r1 is active in {"work":{"writer":"on","reader":"on"}}',
      'writer is running, in step "read": one of three',
      'reader is waiting',
      'reader waits for "brief": "brief" could be written by writer (running, in step "read")',
    ].join('\n'),
  )
  gate.open()
  await clock.settle()
  expect(run.explain().text.split('\n').slice(1)).toEqual([
    'writer is running: one of three',
    'reader is waiting',
    'reader waits for "brief": "brief" could be written by writer (running)',
    `writer asks a person: Is it good? (answer ${run.requests()[0]!.id})`,
  ])
  await run.answer(run.requests()[0]!.id, 'yes')
  await run.done
  expect(run.explain()).toMatchObject({ status: 'done', state: 'end', waits: [], requests: [], hasTimers: false })
})

it('tells of a pending delay, and that nobody writes a key', async () => {
  const { runtime } = await createWorld()
  const reader = board.agent({ reads: ['budget'], run: async ({ waitFor }) => void (await waitFor('budget')) })
  const workflow = board.workflow({ agents: { reader } }).createMachine({
    initial: 'a',
    states: { a: { invoke: { src: 'reader' }, after: { 5000: 'b' } }, b: {} },
  })
  const run = await runtime.start(workflow, { runId: 'r1' })
  expect(run.explain().text).toBe(
    [
      'run r1 is active in "a"',
      'reader is waiting',
      'reader waits for "budget": no agent of this workflow writes "budget"',
      'a delayed transition or event is pending',
    ].join('\n'),
  )
})

it('is data that changes nothing when it is asked for', async () => {
  const { runtime } = await createWorld()
  const reader = board.agent({ reads: ['budget'], run: async ({ waitFor }) => void (await waitFor('budget')) })
  const run = await runtime.start(together(board, { reader }))
  const { seq } = run
  expect(run.explain()).toEqual(run.explain())
  expect(Object.isFrozen(run.explain())).toBe(true)
  expect(JSON.parse(JSON.stringify(run.explain()))).toMatchObject({ status: 'active' })
  expect(run.seq).toBe(seq)
})
