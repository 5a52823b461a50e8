import type { Learned } from 'callboard/memory'
import { describe, expect, it } from 'vitest'
import { fact, idsOf, openWorld, remember } from './world.ts'

const AGENT = { runId: 'run', agent: 'web_extractor' } as const

describe('learning from an execution', () => {
  it('remembers what happened always, and how it was done when it was a success that taught something', async () => {
    const { memory } = await openWorld()
    const me = memory.for(AGENT)
    const learnedPattern = { skill: 'price_table', steps: 'look for <table class=prices>' }
    await me.learnFrom({
      task: 'read prices',
      outcome: 'success',
      summary: '12 prices',
      data: { took: 5 },
      learnedPattern,
    })
    await me.learnFrom({ task: 'read stock', outcome: 'failure', summary: 'timeout', learnedPattern })
    await me.learnFrom({ task: 'read names', outcome: 'success' })
    expect((await me.list()).map(({ kind, text, data, scope }) => ({ kind, text, data, scope }))).toEqual([
      {
        kind: 'episodic',
        text: 'Task: read prices Outcome: success. Result: 12 prices',
        data: { took: 5, pattern_type: 'workflow_execution', task: 'read prices', outcome: 'success' },
        scope: { kind: 'agent', holder: 'web_extractor' },
      },
      {
        kind: 'procedural',
        text: 'Skill web_extractor_price_table: look for <table class=prices>',
        data: { skill_type: 'learned_procedure', name: 'web_extractor_price_table', success_rate: 1, uses: 1 },
        scope: { kind: 'agent', holder: 'web_extractor' },
      },
      {
        kind: 'episodic',
        text: 'Task: read stock Outcome: failure. Result: timeout',
        data: { pattern_type: 'workflow_execution', task: 'read stock', outcome: 'failure' },
        scope: { kind: 'agent', holder: 'web_extractor' },
      },
      {
        kind: 'episodic',
        text: 'Task: read names Outcome: success.',
        data: { pattern_type: 'workflow_execution', task: 'read names', outcome: 'success' },
        scope: { kind: 'agent', holder: 'web_extractor' },
      },
    ])
  })

  it('puts what is learnt again in the place of what was known, by however many at once', async () => {
    const { memory } = await openWorld()
    const me = memory.for(AGENT)
    const learn = (steps: string): Promise<unknown> =>
      me.learnFrom({ task: 'read', outcome: 'success', learnedPattern: { skill: 'prices', steps } })
    await Promise.all(['one', 'two', 'three', 'four'].map(learn))
    const skills = await me.list({ kinds: ['procedural'] })
    expect(skills).toMatchObject([{ data: { uses: 4 } }])
    expect(await me.list({ kinds: ['episodic'] })).toHaveLength(4)
    expect(await me.list({ status: 'superseded' })).toHaveLength(3)
  })

  it('under the key of a step is done once, however often the step runs', async () => {
    const { memory } = await openWorld()
    const me = memory.for(AGENT)
    const execution = { task: 'read', outcome: 'success', learnedPattern: { skill: 'prices', steps: 'look' } } as const
    const first = await me.learnFrom(execution, { key: 'run/agent/learn' })
    const second = await me.learnFrom(execution, { key: 'run/agent/learn' })
    expect(idsOf(second)).toEqual(idsOf(first))
    expect(await me.list()).toHaveLength(2)
  })

  it('in a shared scope teaches others', async () => {
    const { memory } = await openWorld()
    const me = memory.for({ ...AGENT, project: 'shop' })
    await me.learnFrom({ task: 'read prices of the shop', outcome: 'success' }, { scope: 'project' })
    const other = memory.for({ runId: 'other', agent: 'reporter', project: 'shop' })
    expect((await other.viewWithMemory({}, 'prices of the shop')).hasRelevantExperience).toBe(true)
  })
})

describe('knowledge and skills', () => {
  it('are written in fixed words, once per name', async () => {
    const { memory } = await openWorld()
    const me = memory.for({ runId: 'run' })
    await me.rememberExperience({ task: 'publish', outcome: 'success' })
    await me.rememberConcept({ name: 'VAT', definition: 'a tax on sales', confidence: 0.5 })
    await me.rememberConcept({ name: 'VAT', definition: 'a tax on added value', type: 'invariant', data: { rate: 19 } })
    await me.rememberSkill({ name: 'rounding', steps: 'half to even', successRate: 0.8 })
    expect(
      (await me.list()).map(({ kind, type, text, data, subject }) => ({ kind, type, text, data, subject })),
    ).toEqual([
      {
        kind: 'episodic',
        type: 'fact',
        text: 'Task: publish Outcome: success.',
        data: { pattern_type: 'workflow_execution', task: 'publish', outcome: 'success' },
        subject: undefined,
      },
      {
        kind: 'semantic',
        type: 'invariant',
        text: 'VAT: a tax on added value',
        data: { rate: 19, knowledge_type: 'concept_definition', name: 'VAT' },
        subject: 'concept:VAT',
      },
      {
        kind: 'procedural',
        type: 'fact',
        text: 'Skill rounding: half to even',
        data: { skill_type: 'learned_procedure', name: 'rounding', success_rate: 0.8, uses: 1 },
        subject: 'skill:rounding',
      },
    ])
  })
})

describe('a view with memory', () => {
  it('has at most three insights, the most relevant first, and says whether there are any', async () => {
    const { memory } = await openWorld()
    const me = memory.for(AGENT)
    const view = { prices: 12 }
    expect(await me.viewWithMemory(view, 'read the prices of the web shop')).toEqual({
      view,
      hasRelevantExperience: false,
    })
    for (let count = 0; count < 5; count++)
      await remember(me, fact(`read prices of the web shop ${count}`, { data: { count } }))
    await remember(me, fact('water the roses in the garden of the castle'))
    const { memoryInsights = [], hasRelevantExperience } = await me.viewWithMemory(
      view,
      'read prices of the web shop 3',
    )
    expect(hasRelevantExperience).toBe(true)
    expect(memoryInsights).toHaveLength(3)
    expect(memoryInsights[0]).toMatchObject({ type: 'fact', kind: 'semantic', relevance: 1, metadata: { count: 3 } })
    expect(memoryInsights.every(({ content }) => content.startsWith('read prices'))).toBe(true)
  })

  it('has none for a task that only shares words everybody uses', async () => {
    const { memory } = await openWorld()
    const me = memory.for(AGENT)
    await remember(me, fact('water the roses in the garden'))
    expect((await me.viewWithMemory({}, 'extract the prices in the shop')).hasRelevantExperience).toBe(false)
  })
})

describe('processing with learning', () => {
  it('views, executes, learns and stores, in this order', async () => {
    const { memory } = await openWorld()
    const me = memory.for(AGENT)
    await me.learnFrom({ task: 'add up the prices', outcome: 'success', summary: 'in cents' })
    const steps: string[] = []
    const result = await me.processWithLearning({
      task: 'add up the prices',
      view: { prices: [1, 2] },
      execute: ({ view, memoryInsights, hasRelevantExperience }) => {
        steps.push(`execute ${hasRelevantExperience} ${memoryInsights?.length}`)
        return view.prices.reduce((sum, price) => sum + price, 0)
      },
      learn: (sum) => ({ summary: `the sum is ${sum}`, learnedPattern: { skill: 'sums', steps: 'add them' } }),
      onLearned: ({ kind }) => void steps.push(`learned ${kind}`),
      store: (sum) => void steps.push(`store ${sum}`),
    })
    expect(steps).toEqual(['execute true 1', 'learned committed', 'store 3'])
    expect(result).toMatchObject({ output: 3, learned: { kind: 'committed' } })
    expect((await me.list()).map(({ text }) => text)).toContain(
      'Task: add up the prices Outcome: success. Result: the sum is 3',
    )
  })

  it('remembers a failure, and fails with the work’s own error', async () => {
    const { memory } = await openWorld()
    const me = memory.for(AGENT)
    const failure = new Error('the shop is closed')
    const execute = (): never => {
      throw failure
    }
    await expect(me.processWithLearning({ task: 'buy tea', view: {}, execute })).rejects.toBe(failure)
    expect(await me.list()).toMatchObject([{ text: 'Task: buy tea Outcome: failure. Result: the shop is closed' }])
  })

  it('keeps the work when learning fails, and says so', async () => {
    const { memory } = await openWorld()
    const me = memory.for(AGENT)
    const told: Learned[] = []
    const result = await me.processWithLearning({
      task: 'log in',
      view: {},
      execute: () => 'done',
      learn: () => ({ data: { password: 'hunter2' } }),
      onLearned: (learned) => void told.push(learned),
    })
    expect(result).toMatchObject({ output: 'done', learned: { kind: 'failed', error: { code: 'memory.secret' } } })
    expect(told).toEqual([result.learned])
    expect(await me.list()).toEqual([])
  })
})
