import { tool } from 'ai'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineContext, entry } from 'callboard'
import type { Progress } from 'callboard'
import { modelAgent, modelUsage, sumUsage } from 'callboard/ai'
import { createMemory } from 'callboard/memory'
import { createWorld, refusalOf, together } from '../runtime/world.ts'
import { callOf, givenIn, instructionsIn, offeredIn, scriptedModel, toolAnswersIn, uses } from './world.ts'

const Task = z.strictObject({ title: z.string(), minutes: z.int().positive() })

const board = defineContext({
  goal: entry(z.string(), { default: 'ship 2.0', pinned: true, priority: 'critical' }),
  'facts.size': entry(z.int(), { default: 3, description: 'how many of us there are' }),
  'facts.risk': entry(z.string()),
  'plan.tasks': entry(z.array(Task), { description: 'what is to be done', merge: 'replace' }),
  'plan.note': entry(z.string()),
  'notes.*': entry(z.string()),
  'secrets.word': entry(z.string(), { sensitive: true, default: 'swordfish' }),
  approval: entry(z.boolean(), { outside: true }),
  'model.usage': modelUsage(),
})

const planning = {
  instructions: 'Make a plan of at most three tasks.',
  reads: ['goal', 'facts.*'],
  writes: ['plan.*'],
} as const

const GOOD = JSON.stringify({ 'plan.tasks': [{ title: 'write it', minutes: 30 }] })

describe('a model at work as an agent', () => {
  it('is given the view as data and the author’s instructions, and its answer is written by the entries’ schemas', async () => {
    const model = scriptedModel({ text: GOOD })
    const planner = modelAgent(board, { ...planning, model, answer: ['plan.tasks'] })
    const { runtime } = await createWorld()
    const run = await runtime.start(together(board, { planner }))
    await run.done
    expect(run.get('plan.tasks')).toEqual([{ title: 'write it', minutes: 30 }])
    expect(run.entries().find(({ key }) => key === 'plan.tasks')).toMatchObject({ updatedBy: 'planner' })
    const call = callOf(model, 0)
    expect(instructionsIn(call)).toMatch(/^Make a plan of at most three tasks\.\n/)
    expect(instructionsIn(call)).toContain('- "facts.size" (read): how many of us there are')
    expect(instructionsIn(call)).toContain('"minutes":{"type":"integer"')
    expect(call.responseFormat).toMatchObject({ type: 'json', schema: { required: ['plan.tasks'] } })
    expect(givenIn(call)).toContain('entry "goal" (critical, version 1, by "workflow"):\n| ship 2.0\n')
    expect(givenIn(call)).not.toMatch(/secrets|swordfish|plan\.tasks/)
  })

  it('answers again when its answer does not fit, and is told why', async () => {
    const bad = JSON.stringify({ 'plan.tasks': [{ title: 'write it', minutes: -1 }] })
    const model = scriptedModel({ text: 'Here you are' }, { text: bad }, { text: `\`\`\`json\n${GOOD}\n\`\`\`` })
    const planner = modelAgent(board, { ...planning, model, answer: ['plan.tasks'] })
    const { runtime } = await createWorld()
    const run = await runtime.start(together(board, { planner }))
    await run.done
    expect(run.get('plan.tasks')).toEqual([{ title: 'write it', minutes: 30 }])
    expect(givenIn(callOf(model, 1))).toContain('This is no JSON object.')
    expect(givenIn(callOf(model, 2))).toMatch(/refused, nothing was written:\n\| .*minutes/)
  })

  it('fails when its answer stays wrong', async () => {
    const model = scriptedModel({ text: '{}' }, { text: '{}' })
    const planner = modelAgent(board, { ...planning, model, answer: ['plan.tasks'], corrections: 1 })
    const { runtime } = await createWorld()
    const run = await runtime.start(together(board, { planner }), { runId: 'r' })
    const error = await refusalOf(run.done)
    expect(error).toMatchObject({ code: 'ai.answer', details: { runId: 'r', agent: 'planner', times: 2 } })
    expect(error.message).toContain('Without "plan.tasks".')
  })

  it('gives back its last words and what they cost', async () => {
    const model = scriptedModel(uses('read_entries', { keys: ['goal'] }), { text: 'Done.', finish: 'length' })
    const planner = modelAgent(board, { ...planning, model })
    const workflow = board.workflow({ agents: { planner } }).createMachine({
      initial: 'on',
      states: { on: { invoke: { src: 'planner', onDone: { target: 'off' } } }, off: { type: 'final' } },
      output: ({ event }) => (event as { readonly output?: unknown }).output,
    })
    const { runtime } = await createWorld()
    const run = await runtime.start(workflow)
    await run.done
    const [, finished] = (await run.ledger()).filter(({ kind }) => kind === 'step').slice(-2)
    expect(finished?.asked).toMatchObject({ result: { text: 'Done.', finishReason: 'length', inputTokens: 100 } })
  })

  it('streams its text into progress', async () => {
    const model = scriptedModel({ text: ['Thin', 'king', ' hard.'] })
    const planner = modelAgent(board, { ...planning, model })
    const { runtime } = await createWorld()
    const told: Progress[] = []
    runtime.on('progress', (progress) => told.push(progress))
    await (
      await runtime.start(together(board, { planner }))
    ).done
    expect(told.map(({ message }) => message)).toEqual(['Thin', 'Thinking', 'Thinking hard.'])
  })

  it('gets of a large view what fits its budget, and is told what was left out', async () => {
    const model = scriptedModel({ text: 'ok' })
    const reader = modelAgent(board, { instructions: 'Read.', reads: ['goal', 'notes.*'], model, viewTokens: 60 })
    const starter = board.agent({
      writes: ['notes.*'],
      run: async ({ update }) =>
        void (await update({ 'notes.long': 'word '.repeat(400), 'notes.longer': 'x'.repeat(9000) })),
    })
    const workflow = board.workflow({ agents: { reader, starter } }).createMachine({
      initial: 'a',
      states: {
        a: { invoke: { src: 'starter', onDone: 'b' } },
        b: { invoke: { src: 'reader', onDone: 'c' } },
        c: { type: 'final' },
      },
    })
    const { runtime } = await createWorld()
    await (
      await runtime.start(workflow)
    ).done
    const given = givenIn(callOf(model, 0))
    expect(given).toContain('| ship 2.0')
    expect(given).toContain('… (cut)')
    expect(given).toContain('Cut or left out for want of room: "notes.')
    expect(given.length).toBeLessThan(500)
  })
})

describe('the tools of a model', () => {
  it('read, write and wait in the name of its agent', async () => {
    const model = scriptedModel(
      uses('read_entries', { keys: ['facts.size', 'facts.risk'] }),
      uses('update_entries', { 'plan.note': 'waiting for the risk' }),
      uses('wait_for_entry', { key: 'facts.risk' }),
      { text: 'done' },
    )
    const planner = modelAgent(board, { ...planning, model })
    const assessor = board.agent({
      reads: ['plan.note'],
      writes: ['facts.risk'],
      run: async ({ waitFor, update }) => {
        await waitFor('plan.note')
        await update({ 'facts.risk': 'low' })
      },
    })
    const { runtime } = await createWorld()
    const run = await runtime.start(together(board, { planner, assessor }))
    await run.done
    expect(offeredIn(callOf(model, 0))).toEqual(['ask_person', 'read_entries', 'update_entries', 'wait_for_entry'])
    const [read, written, awaited] = toolAnswersIn(callOf(model, 3))
    expect(read).toEqual({
      type: 'text',
      text: 'entry "facts.size" (medium, version 1, by "workflow"):\n| 3\n\nentry "facts.risk" is not there\n',
    })
    expect(written?.text).toBe('written: "plan.note"')
    expect(awaited?.text).toContain('by "assessor"):\n| low\n')
  })

  it('do not reach what is outside of the agent’s rights; the model is told, and nothing is written', async () => {
    const model = scriptedModel(
      uses('read_entries', { keys: ['secrets.word'] }),
      uses('update_entries', { goal: 'something else', 'plan.note': 'x' }),
      uses('wait_for_entry', { key: 'notes.a' }),
      uses('ask_person', { key: 'approval', question: 'May I?' }),
      { text: 'I may not.' },
    )
    const planner = modelAgent(board, { ...planning, model })
    const { runtime } = await createWorld()
    const run = await runtime.start(together(board, { planner }))
    await run.done
    expect(run.get('goal')).toBe('ship 2.0')
    expect(run.get('plan.note')).toBeUndefined()
    const answers = toolAnswersIn(callOf(model, 4))
    expect(answers.map(({ type }) => type)).toEqual(Array.from({ length: 4 }, () => 'error-text'))
    expect(answers.map(({ text }) => text)).toEqual([
      'refused: you may not read "secrets.word"; you may read "goal", "facts.*"',
      'refused: you may not write "goal"; you may write "plan.*"',
      'refused: you may not wait for "notes.a"; you may wait for "goal", "facts.*"',
      'refused: you may not ask for "approval"; you may ask for "goal", "facts.*"',
    ])
  })

  it('tell what the board refuses, and what cannot be understood', async () => {
    const model = scriptedModel(
      uses('update_entries', { 'plan.tasks': 'none' }),
      uses('read_entries', { keys: 'goal' }),
      uses('read_entries', '{ no json'),
      uses('delete_everything', {}),
      { text: 'done' },
    )
    const planner = modelAgent(board, { ...planning, model })
    const { runtime } = await createWorld()
    await (
      await runtime.start(together(board, { planner }))
    ).done
    const texts = toolAnswersIn(callOf(model, 4)).map(({ text }) => text)
    expect(texts).toHaveLength(4)
    expect(texts[0]).toMatch(/^refused, nothing was written:\n\| planner may not write "plan\.tasks"/)
    expect(texts[1]).toMatch(/^refused: the input does not fit:\n\| .*array/)
    expect(texts[2]).toMatch(/JSON/)
    expect(texts[3]).toMatch(/delete_everything/)
  })

  const nested = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`

  it.each([
    [
      'half of a character',
      'update_entries',
      String.raw`{"plan.note":"\ud800"}`,
      /"\\ud800" is not well-formed Unicode/,
    ],
    ['half of a character in a name', 'update_entries', String.raw`{"plan.\ud800":"x"}`, /not well-formed Unicode/],
    ['lists in lists', 'read_entries', `{"keys":${nested(80)}}`, /nested deeper than 56 levels/],
    ['lists in lists for a tool of its own', 'own', `{"list":${nested(56)}}`, /nested deeper than 56 levels/],
    ['lists in lists that can just be kept', 'own', `{"list":${nested(55)}}`, /taken/],
    ['half of a character for no tool', 'none', String.raw`{"a":"\ud800"}`, /unavailable tool 'none'/],
  ])('tell of an input that no value can be, and the call counts: %s', async (_name, tool_, input, told) => {
    const model = scriptedModel(uses(tool_, input), { text: 'ok' })
    const own = tool({ inputSchema: z.object({ list: z.unknown() }), execute: (): string => 'taken' })
    const planner = modelAgent(board, { ...planning, model, tools: { own }, usage: 'model.usage' })
    const { runtime } = await createWorld()
    const run = await runtime.start(together(board, { planner }))
    await run.done
    expect(toolAnswersIn(callOf(model, 1))[0]?.text).toMatch(told)
    expect(sumUsage(run.get('model.usage')).calls).toBe(2)
    expect(run.get('plan.note')).toBeUndefined()
  })

  it.each([
    ['half of a character', '\ud800', 1],
    ['an answer with half of a character', String.raw`{"plan.note":"\ud800"}`, 2],
    ['an answer with half of a character in a name', String.raw`{"plan.\ud800":""}`, 2],
    ['an answer of lists in lists', `{"plan.note":${nested(80)}}`, 2],
  ])('and its texts may be anything: %s', async (_name, text, calls) => {
    const model = scriptedModel({ text }, { text: '{"plan.note":"fine"}' })
    const answer = calls === 1 ? [] : (['plan.note'] as const)
    const planner = modelAgent(board, { ...planning, model, answer, usage: 'model.usage' })
    const { runtime } = await createWorld()
    const run = await runtime.start(together(board, { planner }))
    await run.done
    expect(sumUsage(run.get('model.usage')).calls).toBe(calls)
  })

  it('ask a person, whose answer comes as data', async () => {
    const model = scriptedModel(uses('ask_person', { key: 'approval', question: 'Is this right?' }), { text: 'fine' })
    const planner = modelAgent(board, { instructions: 'Ask.', reads: ['approval'], model })
    const { runtime } = await createWorld()
    const asked = new Promise<string>((resolve) => runtime.on('request', ({ request }) => resolve(request.id)))
    const run = await runtime.start(together(board, { planner }))
    await run.answer(await asked, true)
    await run.done
    expect(toolAnswersIn(callOf(model, 1))).toEqual([{ type: 'text', text: 'answered by a person:\n| true\n' }])
  })

  it('search the memory where the runtime has one', async () => {
    const memory = await createMemory()
    const fact = {
      op: 'add',
      kind: 'semantic',
      scope: 'project',
      text: 'tasks take twice as long',
      rationale: 'seen',
    } as const
    await memory.for({ runId: 'before', project: 'p' }).remember([fact])
    const model = scriptedModel(uses('search_memory', { query: 'how long do tasks take' }), { text: 'ok' })
    const planner = modelAgent(board, { ...planning, model })
    const { runtime } = await createWorld({ memory: memory.within({ project: 'p' }) })
    await (
      await runtime.start(together(board, { planner }))
    ).done
    expect(offeredIn(callOf(model, 0))).toContain('search_memory')
    expect(toolAnswersIn(callOf(model, 1))[0]?.text).toMatch(/^memory, semantic \(.*\):\n\| tasks take twice as long\n/)
  })

  it('are only those that the agent offers, beside tools of its own', async () => {
    const model = scriptedModel(uses('weather', { place: 'Turin' }), uses('weather', { place: 'nowhere' }), {
      text: 'ok',
    })
    const weather = tool({
      description: 'the weather at a place',
      inputSchema: z.object({ place: z.string() }),
      execute: ({ place }) => {
        if (place === 'nowhere') throw new Error('no such place')
        return { place, sky: 'blue' }
      },
    })
    const planner = modelAgent(board, { ...planning, model, boardTools: ['read'], tools: { weather } })
    const { runtime } = await createWorld()
    const run = await runtime.start(together(board, { planner }))
    await run.done
    expect(offeredIn(callOf(model, 0))).toEqual(['read_entries', 'weather'])
    expect(toolAnswersIn(callOf(model, 2))).toEqual([
      { type: 'text', text: '| {"place":"Turin","sky":"blue"}\n' },
      { type: 'error-text', text: expect.stringMatching(/^failed \(step\.failed\):\n\| .*no such place/) as string },
    ])
    const steps = (await run.ledger()).flatMap(({ kind, asked }) =>
      kind === 'step' ? [asked as { step: string }] : [],
    )
    expect(new Set(steps.map(({ step }) => step))).toContain('tool weather')
  })

  it('tell of their own what it wants the model to know, as data, and record nothing else', async () => {
    const model = scriptedModel(
      uses('customer', {}),
      uses('letter', {}),
      uses('numbers', {}),
      uses('picture', {}),
      uses('broken', {}),
      uses('denied', {}),
      { text: 'ok' },
    )
    const inputSchema = z.object({})
    const execute = (): object => ({ password: 'swordfish' })
    const tools = {
      customer: tool({ inputSchema, execute, toModelOutput: () => ({ type: 'text', value: 'a customer\nsince May' }) }),
      letter: tool({ inputSchema, execute, toModelOutput: async () => ({ type: 'error-text', value: 'no letter' }) }),
      numbers: tool({ inputSchema, execute, toModelOutput: () => ({ type: 'json', value: { sum: 3 } }) }),
      picture: tool({
        inputSchema,
        execute,
        toModelOutput: () => ({
          type: 'content',
          value: [
            { type: 'text', text: 'a map' },
            { type: 'file', data: { type: 'data', data: 'aGk=' }, mediaType: 'image/png' },
          ],
        }),
      }),
      broken: tool({
        inputSchema,
        execute,
        toModelOutput: () => {
          throw new Error('no words')
        },
      }),
      denied: tool({ inputSchema, execute, toModelOutput: () => ({ type: 'execution-denied', reason: 'not today' }) }),
    }
    const planner = modelAgent(board, { ...planning, model, tools })
    const { runtime } = await createWorld()
    const run = await runtime.start(together(board, { planner }))
    await run.done
    const given = callOf(model, 6).prompt.flatMap((message) => (message.role === 'tool' ? message.content : []))
    expect(given.map((part) => part.type === 'tool-result' && part.output)).toMatchObject([
      { type: 'text', value: '| a customer\n| since May\n' },
      { type: 'error-text', value: '| no letter\n' },
      { type: 'text', value: '| {"sum":3}\n' },
      { type: 'content', value: [{ text: '| a map\n' }, { mediaType: 'image/png' }] },
      { type: 'error-text', value: expect.stringContaining('no words') as string },
      { type: 'execution-denied', reason: '| not today\n' },
    ])
    expect(JSON.stringify(await run.ledger())).not.toContain('"password"')
  })

  it('tell the last of what a generator gives', async () => {
    const model = scriptedModel(uses('search', {}), { text: 'ok' })
    const search = tool({
      inputSchema: z.object({}),
      async *execute() {
        yield 'looking'
        yield 'found it'
      },
    })
    const planner = modelAgent(board, { ...planning, model, tools: { search } })
    const { runtime } = await createWorld()
    await (
      await runtime.start(together(board, { planner }))
    ).done
    expect(toolAnswersIn(callOf(model, 1))).toEqual([{ type: 'text', text: '| found it\n' }])
  })

  it.each([
    ['needs an approval', { needsApproval: true, execute: (): string => 'done' }],
    ['needs an approval', { needsApproval: () => false, execute: (): string => 'done' }],
    ['has no execute', {}],
    ['wants a context', { contextSchema: z.object({ key: z.string() }), execute: (): string => 'done' }],
  ])('of its own that %s are refused when the agent is made', (wrong, rest) => {
    const drop = { inputSchema: z.object({}), ...rest } as never
    expect(() => modelAgent(board, { ...planning, model: scriptedModel(), tools: { drop } })).toThrow(
      expect.objectContaining({ code: 'ai.option', message: expect.stringContaining(`"drop" ${wrong}`) as string }),
    )
  })

  it('of its own that say that they need no approval are taken', () => {
    const look = tool({ inputSchema: z.object({}), needsApproval: false, execute: (): string => 'seen' })
    expect(() => modelAgent(board, { ...planning, model: scriptedModel(), tools: { look } })).not.toThrow()
  })

  it('may not take the name of one of the board’s', () => {
    const own = tool({ inputSchema: z.object({ at: z.string() }), execute: ({ at }) => at })
    expect(() => modelAgent(board, { ...planning, model: scriptedModel(), tools: { read_entries: own } })).toThrow(
      expect.objectContaining({ code: 'ai.option' }),
    )
  })

  it('tell of a wait that nobody will end', async () => {
    const model = scriptedModel(uses('wait_for_entry', { key: 'facts.risk' }), { text: 'then without' })
    const planner = modelAgent(board, { ...planning, model })
    const { runtime } = await createWorld()
    await (
      await runtime.start(together(board, { planner }))
    ).done
    const [answer] = toolAnswersIn(callOf(model, 1))
    expect(answer).toMatchObject({
      type: 'error-text',
      text: expect.stringMatching(/^failed \(wait\.deadlock\):\n\| /) as string,
    })
  })

  it('stop with their agent', async () => {
    const model = scriptedModel(uses('wait_for_entry', { key: 'approval' }), { text: 'never' })
    const waiter = modelAgent(board, { instructions: 'Wait.', reads: ['approval'], model })
    const { runtime } = await createWorld()
    const waits = new Promise((resolve) => runtime.on('wait', resolve))
    const run = await runtime.start(together(board, { waiter }))
    await waits
    expect(run.explain().waits).toMatchObject([{ waiter: 'waiter', keys: ['approval'] }])
    await run.stop()
    expect(await refusalOf(run.done)).toMatchObject({ code: 'run.stopped' })
    expect(model.doStreamCalls).toHaveLength(1)
  })
})

describe('a budget', () => {
  const asking = uses('read_entries', { keys: ['goal'] })

  it('of calls ends the agent with a typed error', async () => {
    const model = scriptedModel(asking, asking, asking)
    const planner = modelAgent(board, { ...planning, model, budget: { calls: 2 } })
    const { runtime } = await createWorld()
    const run = await runtime.start(together(board, { planner }), { runId: 'r' })
    expect(await refusalOf(run.done)).toMatchObject({
      code: 'ai.budget',
      details: { runId: 'r', agent: 'planner', calls: 2, tokens: 220 },
    })
    expect(model.doStreamCalls).toHaveLength(2)
  })

  it('of tokens lets each call write no more than is left, and ends when nothing is', async () => {
    const model = scriptedModel(asking, asking, asking)
    const planner = modelAgent(board, { ...planning, model, budget: { tokens: 215 }, settings: { temperature: 0.5 } })
    const { runtime } = await createWorld()
    const run = await runtime.start(together(board, { planner }))
    expect(await refusalOf(run.done)).toMatchObject({ code: 'ai.budget', details: { tokens: 220 } })
    expect(model.doStreamCalls.map(({ maxOutputTokens }) => maxOutputTokens)).toEqual([215, 105])
    expect(callOf(model, 0).temperature).toBe(0.5)
  })

  it('is one for the whole run where its agents name a usage entry, which the models do not see', async () => {
    const first = scriptedModel(asking, { text: 'one' })
    const second = scriptedModel(asking, asking, asking)
    const agentOf = (model: typeof first) =>
      modelAgent(board, {
        instructions: 'Go.',
        reads: ['*'],
        writes: ['plan.*'],
        model,
        budget: { calls: 3 },
        usage: 'model.usage',
      })
    const workflow = board.workflow({ agents: { a: agentOf(first), b: agentOf(second) } }).createMachine({
      initial: 'a',
      states: {
        a: { invoke: { src: 'a', onDone: 'b' } },
        b: { invoke: { src: 'b', onDone: 'c' } },
        c: { type: 'final' },
      },
    })
    const { runtime } = await createWorld()
    const run = await runtime.start(workflow)
    expect(await refusalOf(run.done)).toMatchObject({ code: 'ai.budget', details: { agent: 'b', calls: 3 } })
    expect(second.doStreamCalls).toHaveLength(1)
    expect(sumUsage(run.get('model.usage'))).toEqual({ calls: 3, inputTokens: 300, outputTokens: 30 })
    expect(Object.values(run.get('model.usage') ?? {}).map(({ agent, model }) => [agent, model])).toEqual([
      ['a', 'scripted'],
      ['a', 'scripted'],
      ['b', 'scripted'],
    ])
    expect(JSON.stringify(second.doStreamCalls[0]?.prompt)).not.toContain('model.usage')
  })
})

describe('an option that makes no sense', () => {
  const answered = { answer: ['plan.note'] }

  it.each([
    ['budget.calls', { budget: { calls: 0 } }],
    ['budget.calls', { budget: { calls: Number.NaN } }],
    ['budget.tokens', { budget: { tokens: -1 } }],
    ['viewTokens', { viewTokens: 0 }],
    ['viewTokens', { viewTokens: Number.NaN }],
    ['corrections', { ...answered, corrections: Number.NaN }],
    ['corrections', { ...answered, corrections: -1 }],
    ['corrections', { ...answered, corrections: 1.5 }],
    ['retries', { retries: -1 }],
    ['retries', { retries: '2' }],
    ['timeoutMs', { timeoutMs: 0 }],
    ['waitTimeoutMs', { waitTimeoutMs: Number.NaN }],
    ['settings.maxOutputTokens', { settings: { maxOutputTokens: 0 } }],
    ['boardTools', { boardTools: ['write'] }],
    ['answer', { answer: ['plam.note'] }],
    ['answer', { answer: ['goal'] }],
    ['answer', { answer: ['plan.*'] }],
    ['answer', { writes: ['*'], answer: ['model.usage'], usage: 'model.usage' }],
    ['usage', { usage: 'plan.note' }],
    ['usage', { usage: 'nothing' }],
    ['model', { model: undefined }],
    ['instructions', { instructions: undefined }],
    ['countTokens', { countTokens: 4 }],
  ])('is refused when the agent is made, before anything is paid for: %s', (option, options) => {
    const make = (): unknown => modelAgent(board, { ...planning, model: scriptedModel(), ...options } as never)
    expect(make).toThrow(
      expect.objectContaining({
        code: 'ai.option',
        details: { option },
        message: expect.stringContaining(`option ${option} is `) as string,
      }),
    )
  })

  it('is none where there is no limit, or no further attempt', () => {
    const limits = { budget: { calls: Infinity, tokens: Infinity }, viewTokens: Infinity, corrections: 0, retries: 0 }
    const others = { timeoutMs: Infinity, waitTimeoutMs: 0, answer: ['plan.note'], usage: 'model.usage' } as const
    expect(() => modelAgent(board, { ...planning, model: scriptedModel(), ...limits, ...others })).not.toThrow()
  })
})
