// modelAgent: an agent whose work is done by a language model.
import type { LanguageModel, ToolSet } from 'ai'
import type { z } from 'zod'
import type { AgentLogic, AgentOptions, ContextDefinition, Patterns, Selected } from '../workflow/index.ts'
import { BOARD_TOOLS } from './board-tools.ts'
import type { AnyContext, BoardTool } from './board-tools.ts'
import { Conversation } from './conversation.ts'
import type { ModelOutcome, ModelSetup } from './conversation.ts'
import type { CallSettings } from './model-call.ts'
import { assertOptions } from './model-options.ts'
import type { ModelBudget, ModelUsage } from './usage.ts'

/** The keys of entries made by `modelUsage()`. */
type UsageKey<Values extends object> = keyof {
  [Key in keyof Values as Values[Key] extends ModelUsage ? Key : never]: true
} &
  string

/** What a model's agent is made of: the options of `board.agent()`, with a model in the place of `run`. */
export interface ModelAgentOptions<
  Values extends object,
  Reads extends Patterns<Values>,
  Writes extends Patterns<Values>,
  Input extends z.ZodType,
> extends Omit<AgentOptions<Values, Reads, Writes, Input, ModelOutcome>, 'run'> {
  /** Any language model of the AI SDK, or a function that gives it when the agent is invoked. */
  readonly model:
    | LanguageModel
    | ((invocation: { readonly input: z.output<Input> }) => LanguageModel | Promise<LanguageModel>)
  /** What the model is to do: the only text it is told to follow. What it works with comes as data. */
  readonly instructions: string | ((invocation: { readonly input: z.output<Input> }) => string)
  /** The entries that make up its answer: one JSON object, checked by their schemas and written at once. */
  readonly answer?: readonly (keyof Selected<Values, Writes> & string)[]
  /** What it may do on the board; all of it unless given. */
  readonly boardTools?: readonly BoardTool[]
  /** Tools of one's own, with an `execute` and no `needsApproval`. Each use is a step. */
  readonly tools?: ToolSet
  readonly budget?: ModelBudget
  /** An entry made by `modelUsage()`: keeps what the calls cost, and makes the budget one of the whole run. */
  readonly usage?: UsageKey<Values>
  /** Most tokens that the view takes in the prompt; 16,000 unless given. */
  readonly viewTokens?: number
  /** Counts the tokens of a text; unless given, one for every four characters. */
  readonly countTokens?: (text: string) => number
  /** How often it may answer again when its answer is not accepted; 2 unless given. */
  readonly corrections?: number
  /** Temperature, tokens and the like, as the AI SDK takes them. */
  readonly settings?: CallSettings
  /** Further attempts of a call that failed in passing; 2 unless given. */
  readonly retries?: number
  /** Milliseconds for one attempt; none unless given. */
  readonly timeoutMs?: number
  /** Longest wait for an entry, in milliseconds; 30,000 unless given. */
  readonly waitTimeoutMs?: number
}

const DEFAULT_VIEW_TOKENS = 16_000
const DEFAULT_CORRECTIONS = 2
const DEFAULT_RETRIES = 2
const DEFAULT_WAIT_MS = 30_000

/**
 * Declares an agent whose work is done by a language model, with the rights of any other.
 * @throws CallboardError `agent.invalid` for a pattern that matches nothing; `ai.option`
 */
export function modelAgent<
  Values extends object,
  const Reads extends Patterns<Values> = never,
  const Writes extends Patterns<Values> = never,
  Input extends z.ZodType = z.ZodUnknown,
  Taken extends object = Values,
>(
  board: ContextDefinition<Values, Taken>,
  options: ModelAgentOptions<Values, Reads, Writes, Input>,
): AgentLogic<z.input<Input>, ModelOutcome> {
  const setup = setupOf(board, options as never)
  const { instructions, model, usage } = options
  const own = usage === undefined ? [] : [usage]
  const definition = {
    ...options,
    reads: [...setup.reads, ...own],
    writes: [...setup.writes, ...own],
    run: async (context: unknown) => {
      const { input } = context as { readonly input: z.output<Input> }
      const told = typeof instructions === 'function' ? instructions({ input }) : instructions
      const chosen = typeof model === 'function' ? await model({ input }) : model
      return new Conversation(context as AnyContext, { ...setup, instructions: told, model: chosen }).run()
    },
  }
  // The entry of the usage is added to the rights, which the types do not know.
  return board.agent<Reads, Writes, Input, ModelOutcome>(definition as never)
}

/** The options, whatever the catalogue. */
export type AnyModelOptions = ModelAgentOptions<Record<string, unknown>, string, string, z.ZodType>

function setupOf(
  { catalogue }: { readonly catalogue: ModelSetup['catalogue'] },
  options: AnyModelOptions,
): Omit<ModelSetup, 'model' | 'instructions'> {
  const { budget = {}, tools = {}, usage, answer = [], boardTools = BOARD_TOOLS } = options
  assertOptions(catalogue, options)
  const withoutUsage = (patterns: readonly string[] = []): readonly string[] => patterns.filter((key) => key !== usage)
  return {
    catalogue,
    reads: withoutUsage(options.reads),
    writes: withoutUsage(options.writes),
    answer: [...answer],
    tools: { ...tools },
    boardTools: [...boardTools],
    budget: { ...budget },
    usageKey: usage,
    viewTokens: options.viewTokens ?? DEFAULT_VIEW_TOKENS,
    countTokens: options.countTokens,
    corrections: options.corrections ?? DEFAULT_CORRECTIONS,
    settings: { ...options.settings },
    retries: options.retries ?? DEFAULT_RETRIES,
    timeoutMs: options.timeoutMs,
    waitTimeoutMs: options.waitTimeoutMs ?? DEFAULT_WAIT_MS,
  }
}
