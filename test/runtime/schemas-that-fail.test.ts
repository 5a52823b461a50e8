// A schema is code of the user's own: one that throws, or wants to wait, is told like a value that does not fit.
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineContext, entry } from 'callboard'
import { createWorld, refusalOf, together } from './world.ts'

const throwing = z.unknown().refine((value) => {
  if (value !== 'good') throw new TypeError('no table for it')
  return true
})
const waiting = z.string().refine(async () => true)

const board = defineContext({
  broken: entry(throwing),
  later: entry(waiting),
  list: entry(
    z.array(z.number()).refine((list) => {
      if (list.length > 1) throw new Error('more than one')
      return true
    }),
    { merge: 'append' },
  ),
})

const ASYNCHRONOUS = /"later": the value does not fit its schema: it is asynchronous, and schemas judge at once/
const CASES = [
  ['broken', 'bad', /may not write "broken": the value does not fit its schema: it failed: no table for it$/],
  ['later', 'x', ASYNCHRONOUS],
  ['list', [2], /"list": what append made of it does not fit the schema: it failed: more than one$/],
] as const

describe('an update against a schema that fails', () => {
  it.each(CASES)('is refused to an agent, by its key: %s', async (key, value, message) => {
    const told: unknown[] = []
    const writer = board.agent({
      reads: ['*'],
      writes: ['*'],
      run: async ({ update, tryUpdate }) => {
        await update({ list: [1], broken: 'good' })
        told.push(await tryUpdate({ [key]: value } as never))
        told.push(await update({ [key]: value } as never).catch((error: unknown) => error))
      },
    })
    const { runtime } = await createWorld()
    const run = await runtime.start(together(board, { writer }))
    await run.done
    const refusal = { kind: 'refused', reason: 'schema', key, message: expect.stringMatching(message) as string }
    expect(told).toMatchObject([refusal, { code: 'update.refused', details: { refusal } }])
    expect(run.get('list')).toEqual([1])
  })

  it.each(CASES)('is refused from outside, by its key: %s', async (key, value, message) => {
    const idle = board.workflow({}).createMachine({ id: 'idle' })
    const { runtime } = await createWorld()
    const run = await runtime.start(idle)
    await run.update({ list: [1] })
    const refusal = { kind: 'refused', reason: 'schema', key, message: expect.stringMatching(message) as string }
    expect(await run.tryUpdate({ [key]: value } as never)).toMatchObject(refusal)
    expect(await refusalOf(run.update({ [key]: value } as never))).toMatchObject({ code: 'update.refused' })
    expect(run.get('list')).toEqual([1])
  })
})

describe('an update whose merge', () => {
  it('the schema makes something of that cannot be kept is refused, and the run goes on', async () => {
    // The compiler refuses it; nobody does so for those who write JavaScript.
    const list = z.array(z.number()).transform((items) => (items.length > 1 ? { first: new URL('http://a') } : items))
    const { runtime } = await createWorld()
    const links = defineContext({ list: entry(list as never as z.ZodArray<z.ZodNumber>, { merge: 'append' }) })
    const run = await runtime.start(links.workflow({}).createMachine({ id: 'idle' }))
    await run.update({ list: [1] })
    const refusal = await run.tryUpdate({ list: [2] })
    expect(refusal).toMatchObject({ kind: 'refused', reason: 'value', key: 'list' })
    expect([run.status, run.get('list')]).toEqual(['active', [1]])
  })
})

describe('what crosses the border of a run against a schema that fails', () => {
  it('is told with the code of what it is: an input, an agent’s input, an event', async () => {
    const { runtime } = await createWorld()
    const taking = board.workflow({ name: 'taking', input: waiting }).createMachine({ id: 'taking' })
    const input = await refusalOf(runtime.start(taking, { input: 'x' }))
    expect(input).toMatchObject({ code: 'run.input' })
    expect(input.message).toContain('the input of taking does not fit its schema: it is asynchronous')

    const reader = board.agent({ input: throwing, run: () => {} })
    const invoking = board.workflow({ agents: { reader } }).createMachine({
      id: 'invoking',
      invoke: { src: 'reader', input: 'bad' },
    })
    expect((await refusalOf((await runtime.start(invoking)).done)).code).toBe('agent.input')

    const hearing = board
      .workflow({ name: 'hearing', events: { word: z.object({ text: waiting }) } })
      .createMachine({ id: 'hearing', on: { word: {} } })
    const run = await runtime.start(hearing)
    expect((await refusalOf(run.send({ type: 'word', text: 'x' }))).code).toBe('event.invalid')
  })

  it('fails the run where it is the output', async () => {
    const { runtime } = await createWorld()
    const giving = board
      .workflow({ name: 'giving', output: throwing })
      .createMachine({ id: 'giving', initial: 'off', states: { off: { type: 'final' } }, output: 'bad' })
    const error = await refusalOf((await runtime.start(giving)).done)
    expect(error).toMatchObject({ code: 'run.output' })
    expect(error.message).toContain('the output of giving does not fit its schema: it failed: no table for it')
  })
})
