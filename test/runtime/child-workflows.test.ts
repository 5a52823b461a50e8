import { expect, it } from 'vitest'
import { z } from 'zod'
import { createVolatileStore, defineContext, entry } from 'callboard'
import { wrapStore } from '../store/wrapped.ts'
import { createGate, createWorld, refusalOf } from './world.ts'
import type { Gate } from './world.ts'

const outer = defineContext({
  total: entry(z.int()),
  rate: entry(z.int(), { scope: 'global' }),
  hidden: entry(z.string()),
})
const inner = defineContext({
  lines: entry(z.array(z.int())),
  rate: entry(z.int(), { scope: 'global' }),
  seen: entry(z.array(z.string())),
})

function invoicing(gate?: Gate) {
  const sums = inner.agent({
    input: z.object({ lines: z.array(z.int()) }),
    reads: ['*'],
    writes: ['lines', 'seen'],
    run: async ({ input, update, view }) => {
      await gate?.passed
      const lines = input.lines.map((line) => line * (view.get('rate') ?? 1))
      await update({ lines, seen: [...view.keys()] })
      return lines.reduce((sum, line) => sum + line, 0)
    },
  })
  const invoice = inner
    .workflow({
      name: 'invoice',
      input: z.object({ lines: z.array(z.int()).min(1) }),
      output: z.object({ sum: z.int() }),
      agents: { sums },
    })
    .createMachine({
      id: 'invoice',
      initial: 'summing',
      states: {
        summing: { invoke: { src: 'sums', input: ({ context }) => context.input, onDone: 'end' } },
        end: { type: 'final' },
      },
      output: ({ context }) => ({ sum: (context.board.get('lines') ?? []).reduce((sum, line) => sum + line, 0) }),
    })
  return outer
    .workflow({ name: 'office', input: z.object({ lines: z.array(z.int()) }), agents: { invoice } })
    .createMachine({
      id: 'office',
      initial: 'invoicing',
      states: {
        invoicing: {
          invoke: {
            src: 'invoice',
            input: ({ context }) => ({ lines: context.input.lines }),
            onDone: { target: 'end', actions: outer.write({ total: ({ event }) => event.output.sum }) },
            onError: { target: 'failed' },
          },
          on: { cancel: 'cancelled' },
        },
        cancelled: { type: 'final' },
        failed: { type: 'final' },
        end: { type: 'final' },
      },
    })
}

it('a child workflow is a run of its own: own board, own ledger, linked to its parent; its output goes to the parent', async () => {
  const { runtime } = await createWorld()
  const run = await runtime.start(invoicing(), { input: { lines: [1, 2, 3] }, runId: 'office-1' })
  await run.done
  expect(run.state).toBe('end')
  expect(run.get('total')).toBe(6)
  expect(run.entries().map(({ key }) => key)).toEqual(['total'])
  const summaries = await runtime.list()
  expect(summaries.map(({ runId, workflow, status, parent }) => ({ runId, workflow, status, parent }))).toEqual([
    { runId: 'office-1', workflow: 'office', status: 'done', parent: undefined },
    { runId: 'office-1.invoice.1', workflow: 'invoice', status: 'done', parent: { runId: 'office-1', id: 'invoice' } },
  ])
  const child = runtime.get('office-1.invoice.1')
  expect(child?.get('lines')).toEqual([1, 2, 3])
  expect((await child?.ledger())?.map(({ runId }) => runId)).toEqual(
    Array.from({ length: child?.seq ?? 0 }, () => 'office-1.invoice.1'),
  )
})

it('a child sees the global entries and its input, and nothing else of its parent', async () => {
  const { runtime } = await createWorld()
  const gate = createGate()
  const run = await runtime.start(invoicing(gate), { input: { lines: [1, 2] } })
  await run.update({ rate: 10, hidden: 'of the office' })
  gate.open()
  await run.done
  expect(run.get('total')).toBe(30)
  expect(runtime.get(`${run.id}.invoice.1`)?.get('seen')).toEqual(['rate'])
})

it('a child is stopped with its parent, and when the state that invoked it is left', async () => {
  for (const end of ['stop', 'cancel'] as const) {
    const { runtime, clock } = await createWorld()
    const never = createGate()
    const run = await runtime.start(invoicing(never), { input: { lines: [1] } })
    await clock.settle()
    const child = runtime.get(`${run.id}.invoice.1`)
    expect(child?.status).toBe('active')
    if (end === 'stop') await run.stop()
    else await run.send({ type: 'cancel' })
    await clock.settle()
    expect(child?.status).toBe('stopped')
    expect((await runtime.list({ status: 'active' })).map(({ runId }) => runId)).toEqual([])
    never.open()
    await clock.settle()
    expect(child?.get('lines')).toBeUndefined()
  }
})

it('a child that is not waited for any more is stopped although the store fails a few times', async () => {
  for (const end of ['stop', 'cancel'] as const) {
    const kept = createVolatileStore()
    let failures = 0
    const store = wrapStore(kept, {
      append: async (batches) => {
        const isEndOfChild = batches.some(({ summary }) => summary.parent !== undefined && summary.status !== 'active')
        if (isEndOfChild && failures++ < 3) throw new Error('disk full')
        return kept.append(batches)
      },
    })
    const { runtime, clock } = await createWorld({ store })
    const run = await runtime.start(invoicing(createGate()), { input: { lines: [1] } })
    await clock.settle()
    if (end === 'stop') await run.stop()
    else await run.send({ type: 'cancel' })
    await clock.settle()
    expect((await runtime.list({ status: 'active' })).map(({ runId }) => runId)).toEqual([`${run.id}.invoice.1`])
    await clock.advance(60_000)
    expect(failures).toBe(4)
    expect(await runtime.list({ status: 'active' })).toEqual([])
  }
})

it('a child that was only just invoked is stopped with its parent too', async () => {
  const { runtime, clock } = await createWorld()
  const run = await runtime.start(invoicing(createGate()), { input: { lines: [1] } })
  await run.stop()
  await clock.settle()
  expect((await runtime.list()).map(({ status }) => status)).not.toContain('active')
})

it('a failure of the child reaches onError of the parent', async () => {
  const { runtime } = await createWorld()
  const run = await runtime.start(invoicing(), { input: { lines: [] } })
  await run.done
  expect(run.state).toBe('failed')
  const lastEvent = (await run.ledger()).at(-1)?.asked
  expect(lastEvent).toMatchObject({ event: 'xstate.error.actor.invoice', error: { code: 'run.input' } })
})

it('a child that is stopped from outside is an error for its parent', async () => {
  const { runtime, clock } = await createWorld()
  const run = await runtime.start(invoicing(createGate()), { input: { lines: [1] } })
  await clock.settle()
  await runtime.stop(`${run.id}.invoice.1`, 'not wanted')
  await run.done
  expect(run.state).toBe('failed')
})

it('a request inside a child is answered by the child’s own id', async () => {
  const { runtime, clock } = await createWorld()
  const asking = inner.workflow({ agents: { asks: inner.person('rate') } }).createMachine({
    id: 'asking',
    initial: 'on',
    states: { on: { invoke: { src: 'asks', onDone: 'off' } }, off: { type: 'final' } },
  })
  const parent = outer.workflow({ agents: { asking } }).createMachine({
    initial: 'on',
    states: { on: { invoke: { src: 'asking', onDone: 'off' } }, off: { type: 'final' } },
  })
  const run = await runtime.start(parent)
  await clock.settle()
  expect(run.requests()).toEqual([])
  const child = runtime.get(`${run.id}.asking.1`)
  await child?.answer(child.requests()[0]!.id, 3)
  await run.done
  expect(run.get('rate')).toBe(3)
})

it('a grandchild is stopped with its grandparent', async () => {
  const { runtime, clock } = await createWorld()
  const office = invoicing(createGate())
  const firm = outer.workflow({ agents: { office } }).createMachine({
    invoke: { src: 'office', input: { lines: [1] } },
  })
  const run = await runtime.start(firm)
  await clock.settle()
  expect(await runtime.list({ status: 'active' })).toHaveLength(3)
  await run.stop()
  await clock.settle()
  expect(await runtime.list({ status: 'active' })).toHaveLength(0)
  expect((await refusalOf(run.done)).code).toBe('run.stopped')
})
