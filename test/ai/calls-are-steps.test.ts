import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createRuntime, createVolatileStore, defineContext, entry } from 'callboard'
import { modelAgent, modelUsage, sumUsage } from 'callboard/ai'
import { createGate, createWorld, refusalOf, together } from '../runtime/world.ts'
import { callOf, scriptedModel, toolAnswersIn, uses } from './world.ts'

const board = defineContext({
  goal: entry(z.string(), { default: 'map the harbour' }),
  log: entry(z.array(z.string()), { merge: 'append' }),
  approval: entry(z.boolean(), { outside: true }),
  'model.usage': modelUsage(),
})

describe('the calls of a model', () => {
  it('are not made, paid or written again after a crash: what had finished is taken from the run', async () => {
    const store = createVolatileStore()
    const died = createGate()
    const model = scriptedModel(
      uses('update_entries', { log: ['began'] }),
      () => {
        died.open()
        return new Promise(() => {})
      },
      uses('ask_person', { key: 'approval', question: 'Go on?' }),
      { text: 'done' },
    )
    const mapper = modelAgent(board, {
      instructions: 'Map.',
      reads: ['goal', 'approval'],
      writes: ['log'],
      model,
      usage: 'model.usage',
      budget: { calls: 3 },
    })
    const workflow = board.workflow({ name: 'w', agents: { mapper } }).createMachine({
      initial: 'on',
      states: { on: { invoke: { src: 'mapper', onDone: 'end' } }, end: { type: 'final' } },
    })
    const before = await createRuntime({ store })
    const run = await before.start(workflow, { runId: 'r' })
    await died.passed
    expect(model.doStreamCalls).toHaveLength(2)
    expect(sumUsage(run.get('model.usage'))).toMatchObject({ calls: 1 })

    const after = await createRuntime({ store, workflows: [workflow] })
    const asked = new Promise<string>((resolve) => after.on('request', ({ request }) => resolve(request.id)))
    const { runs, failures } = await after.recover()
    expect(failures).toEqual([])
    const again = runs[0]
    await again?.answer(await asked, true)
    await again?.done
    expect(model.doStreamCalls).toHaveLength(4)
    expect(toolAnswersIn(callOf(model, 2)).map(({ text }) => text)).toEqual(['written: "log"'])
    expect(again?.get('log')).toEqual(['began'])
    // What three calls cost, and the log.
    const records = (await again?.ledger()) ?? []
    expect(records.filter(({ kind, author }) => kind === 'update' && author === 'mapper')).toHaveLength(4)
    expect(sumUsage(again?.get('model.usage') as never)).toEqual({ calls: 3, inputTokens: 300, outputTokens: 30 })
  })

  it('count towards the budget of an agent also after a crash', async () => {
    const store = createVolatileStore()
    const asking = uses('read_entries', { keys: ['goal'] })
    const died = createGate()
    const hangs = () => {
      died.open()
      return new Promise<never>(() => {})
    }
    const model = scriptedModel(asking, asking, hangs, asking)
    const mapper = modelAgent(board, { instructions: 'Map.', reads: ['goal'], model, budget: { calls: 3 } })
    const workflow = together(board, { mapper })
    await (await createRuntime({ store })).start(workflow, { runId: 'r' })
    await died.passed
    const after = await createRuntime({ store, workflows: [workflow] })
    const { runs } = await after.recover()
    expect(await refusalOf(runs[0]?.done ?? Promise.resolve())).toMatchObject({
      code: 'ai.budget',
      details: { calls: 3 },
    })
    expect(model.doStreamCalls).toHaveLength(4)
  })

  it('that were made within the budget of the run are not refused after a crash: they are not made again', async () => {
    const store = createVolatileStore()
    const died = createGate()
    // The process dies after the last call was counted, before anything of the answer is stored.
    const dying = new Proxy(store, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target)
        if (typeof value !== 'function') return value
        if (name !== 'append') return value.bind(target) as unknown
        return async (...args: readonly unknown[]) => {
          if (JSON.stringify(args).includes('"answer"')) {
            died.open()
            return new Promise(() => {})
          }
          return (value as (...all: unknown[]) => unknown).apply(target, [...args])
        }
      },
    })
    const model = scriptedModel(uses('read_entries', { keys: ['goal'] }), { text: '{"log":["done"]}' })
    const mapper = modelAgent(board, {
      instructions: 'Map.',
      reads: ['goal'],
      writes: ['log'],
      answer: ['log'],
      model,
      usage: 'model.usage',
      budget: { calls: 2 },
    })
    const workflow = together(board, { mapper })
    await (await createRuntime({ store: dying })).start(workflow, { runId: 'r' })
    await died.passed

    const after = await createRuntime({ store, workflows: [workflow] })
    const { runs } = await after.recover()
    expect(sumUsage(runs[0]?.get('model.usage') as never)).toMatchObject({ calls: 2 })
    await runs[0]?.done

    expect(runs[0]?.get('log')).toEqual(['done'])
    expect(model.doStreamCalls).toHaveLength(2)
  })

  it('are in the ledger with what they cost', async () => {
    const model = scriptedModel({ text: 'done' })
    const mapper = modelAgent(board, { instructions: 'Map.', reads: ['goal'], model })
    const { runtime } = await createWorld()
    const run = await runtime.start(together(board, { mapper }), { runId: 'r' })
    await run.done
    const steps = (await run.ledger()).filter(({ kind }) => kind === 'step').map(({ asked }) => asked)
    expect(steps).toMatchObject([
      { step: 'model', phase: 'begun' },
      {
        step: 'model',
        phase: 'finished',
        result: { key: 'r.mapper.1/model', text: 'done', inputTokens: 100, outputTokens: 10 },
      },
    ])
  })

  it('fail as steps do, with what the provider said as the cause', async () => {
    const model = scriptedModel(new Error('the model is on fire'))
    const mapper = modelAgent(board, { instructions: 'Map.', reads: ['goal'], model })
    const { runtime } = await createWorld()
    const run = await runtime.start(together(board, { mapper }))
    const error = await refusalOf(run.done)
    expect(error).toMatchObject({ code: 'step.failed', details: { attempts: 1 } })
    expect(error.message).toContain('the model is on fire')
  })
})
