// Mistakes that are made with models are compile errors. Only compiled, never run.
import { MockEmbeddingModelV4, MockLanguageModelV4 } from 'ai/test'
import { expectTypeOf } from 'vitest'
import { z } from 'zod'
import { defineContext, entry } from 'callboard'
import type { AgentLogic } from 'callboard'
import { loadModel, modelAgent, modelUsage } from 'callboard/ai'
import type { ModelOutcome, ModelUsage } from 'callboard/ai'
import { modelEmbedder } from 'callboard/memory'

const board = defineContext({
  goal: entry(z.string()),
  'plan.tasks': entry(z.array(z.string())),
  'plan.days': entry(z.number()),
  'model.usage': modelUsage(),
})
const model = new MockLanguageModelV4()
const common = { model, instructions: 'Plan.' } as const

const planner = modelAgent(board, {
  ...common,
  reads: ['goal'],
  writes: ['plan.*'],
  answer: ['plan.tasks', 'plan.days'],
  input: z.object({ depth: z.int().default(1) }),
  instructions: ({ input }) => `Plan ${input.depth.toFixed()} levels.`,
  usage: 'model.usage',
})
expectTypeOf(planner).toEqualTypeOf<AgentLogic<{ depth?: number | undefined }, ModelOutcome>>()

// Invoked like any other agent, with its input and output.
board.workflow({ agents: { planner } }).createMachine({
  invoke: {
    src: 'planner',
    input: { depth: 2 },
    onDone: { actions: ({ event }) => expectTypeOf(event.output).toEqualTypeOf<ModelOutcome>() },
  },
})
// @ts-expect-error: the input is not what the agent takes
board.workflow({ agents: { planner } }).createMachine({ invoke: { src: 'planner', input: { depth: 'deep' } } })

modelAgent(board, {
  ...common,
  input: z.object({ name: z.string() }),
  model: ({ input }) => loadModel(input.name),
})
// @ts-expect-error: no such entry
modelAgent(board, { ...common, reads: ['goals'] })
// @ts-expect-error: no such entry
modelAgent(board, { ...common, writes: ['plans.*'] })
// @ts-expect-error: an answer is among what it may write
modelAgent(board, { ...common, reads: ['goal'], writes: ['plan.*'], answer: ['goal'] })
// @ts-expect-error: an answer names keys, not patterns
modelAgent(board, { ...common, writes: ['plan.*'], answer: ['plan.*'] })
// @ts-expect-error: an entry of another kind
modelAgent(board, { ...common, usage: 'goal' })
// @ts-expect-error: no such tool
modelAgent(board, { ...common, boardTools: ['delete'] })
// @ts-expect-error: the work is the model's
modelAgent(board, { ...common, run: () => {} })
// @ts-expect-error: without a model
modelAgent(board, { instructions: 'Plan.' })
// @ts-expect-error: an embedding model writes no text
modelAgent(board, { ...common, model: new MockEmbeddingModelV4() })
// @ts-expect-error: a language model gives no vectors
modelEmbedder(model)
modelEmbedder(new MockEmbeddingModelV4())

modelAgent(board, {
  ...common,
  writes: ['model.usage'],
  // A budget has these two limits.
  // @ts-expect-error: no such limit
  budget: { calls: 1, euros: 5 },
})
expectTypeOf<ModelUsage>().toExtend<Record<string, { readonly inputTokens: number }>>()
