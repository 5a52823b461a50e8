import { expect, it } from 'vitest'
import { z } from 'zod'
import { createRuntime, defineContext, entry, patch } from 'callboard'
import { emit } from 'xstate'
import { createTestClock } from '../support/clock.ts'

const board = defineContext({
  signal: entry(z.string(), { outside: true }),
  inner: entry(z.string()),
  answer: entry(z.string()),
  settings: entry(z.object({ name: z.string().trim(), size: z.number().optional() })),
})

it('is not taken for deadlocked while its handler may be told by someone outside', async () => {
  const listens = board.agent({
    reads: ['signal', 'answer'],
    writes: ['answer'],
    run: ({ on, update, waitFor }) => {
      on('signal', () => update({ answer: 'heard' }))
      return waitFor('answer')
    },
  })
  const workflow = board.workflow({ agents: { listens } }).createMachine({
    initial: 'on',
    states: { on: { invoke: { src: 'listens', onDone: 'end' } }, end: { type: 'final' } },
  })
  const runtime = await createRuntime()
  const run = await runtime.start(workflow)
  await createTestClock().settle()
  expect(run.status).toBe('active')
  await run.update({ signal: 'now' })
  await run.done
  expect(run.get('answer')).toBe('heard')
})

it('is told of a deadlock when what its handler listens to cannot come either', async () => {
  const listens = board.agent({
    reads: ['inner', 'answer'],
    writes: ['answer'],
    run: ({ on, update, waitFor }) => {
      on('inner', () => update({ answer: 'heard' }))
      return waitFor('answer')
    },
  })
  const workflow = board.workflow({ agents: { listens } }).createMachine({ invoke: { src: 'listens' } })
  const run = await (await createRuntime()).start(workflow)
  await expect(run.done).rejects.toMatchObject({ code: 'wait.deadlock' })
})

it('stores of a patched value what the schema makes of it', async () => {
  const run = await (await createRuntime()).start(board.workflow().createMachine({}))
  await run.update({ settings: { name: 'a' } })
  await run.update({ settings: patch({ name: '  b  ', size: 2 }) })
  await run.update({ settings: patch({ unknown: true } as never) })
  expect(run.get('settings')).toEqual({ name: 'b', size: 2 })
})

it('lets the outside listen to what the machine emits', async () => {
  const workflow = board.workflow().createMachine({ on: { go: { actions: emit({ type: 'gone', far: 3 }) } } })
  const run = await (await createRuntime()).start(workflow)
  const heard: unknown[] = []
  const off = run.on('gone', (event) => heard.push(event))
  await run.send({ type: 'go' })
  off()
  await run.send({ type: 'go' })
  expect(heard).toEqual([{ type: 'gone', far: 3 }])
})
