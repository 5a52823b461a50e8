// Conversation: a model at work as an agent, from the prompt to its answer.
//   C1. A finished call is not made again after a restart, and is counted once.
//   C2. The model does only what the agent may do, and is told what it may not.
//   C3. It ends: by an answer, by the budget, by an answer that stays wrong, or with its agent.
import type { LanguageModel, ModelMessage, ToolSet } from 'ai'
import { CallboardError, isCallboardError, isPlainObject } from '../base/index.ts'
import { BoardTools, unfit } from './board-tools.ts'
import type { AnyContext, BoardTool, ToolOutcome } from './board-tools.ts'
import { markData } from './data-mark.ts'
import { callModel } from './model-call.ts'
import type { CallSettings, CallSetup, Reply, ToolRequest } from './model-call.ts'
import { callOwnTool, outputOf, withoutExecution } from './own-tools.ts'
import type { ToolOutput } from './own-tools.ts'
import { dataFor, instructionsFor } from './prompt.ts'
import { namedBy, objectSchema } from './rights.ts'
import type { Rights } from './rights.ts'
import { loadSdk } from './sdk.ts'
import { sumUsage, tokensLeft } from './usage.ts'
import type { ModelBudget, ModelUsage, UsageSum } from './usage.ts'

/** How a model works, with everything decided. */
export interface ModelSetup extends Rights {
  readonly model: LanguageModel
  readonly instructions: string
  readonly answer: readonly string[]
  readonly tools: ToolSet
  readonly boardTools: readonly BoardTool[]
  readonly budget: ModelBudget
  readonly viewTokens: number
  readonly countTokens: ((text: string) => number) | undefined
  readonly corrections: number
  readonly settings: CallSettings
  readonly retries: number
  readonly timeoutMs: number | undefined
  readonly waitTimeoutMs: number
}

/** What a model's agent gives back. */
export interface ModelOutcome extends UsageSum {
  /** The last text of the model. */
  readonly text: string
  /** Why the model stopped: `stop`, `length`, … */
  readonly finishReason: string
}

const FENCE = /^```(?:json)?\s*\n([\s\S]*?)\n?```$/

export class Conversation {
  readonly #context: AnyContext
  readonly #setup: ModelSetup
  readonly #tools: BoardTools
  readonly #messages: ModelMessage[]
  readonly #own = new Map<string, ModelUsage[string]>()

  constructor(context: AnyContext, setup: ModelSetup) {
    this.#context = context
    this.#setup = setup
    this.#tools = new BoardTools(context, { ...setup, offered: setup.boardTools, maxTokens: setup.viewTokens })
    const { viewTokens: maxTokens, countTokens, usageKey } = setup
    const content = dataFor({ view: context.view, input: context.input, maxTokens, countTokens, usageKey })
    this.#messages = [{ role: 'user', content }]
  }

  /** @throws CallboardError `ai.budget`, `ai.answer`, `ai.package-missing`, `step.failed` */
  async run(): Promise<ModelOutcome> {
    const call = await this.#prepare()
    for (let wrong = 0; ;) {
      const reply = await this.#call(call)
      if (reply.requests.length > 0) await this.#answerRequests(reply.requests)
      if (reply.requests.length > 0 || hasOpenToolMessage(reply)) continue
      const problem = await this.#takeAnswer(reply)
      const { text, finishReason } = reply
      if (problem === undefined) return { text, finishReason, ...sumUsage(Object.fromEntries(this.#own)) }
      wrong += 1
      if (wrong > this.#setup.corrections) throw this.#wrongAnswer(problem, wrong)
      this.#messages.push({ role: 'user', content: `${problem.text}\nAnswer again, with the whole JSON object.` })
    }
  }

  async #prepare(): Promise<CallSetup> {
    const { answer, model, settings, retries, timeoutMs, tools } = this.#setup
    const sdk = await loadSdk()
    const schema = answer.length === 0 ? undefined : objectSchema(namedBy(this.#setup, answer), { isComplete: true })
    return {
      sdk,
      model,
      settings,
      retries,
      timeoutMs,
      instructions: instructionsFor({ ...this.#setup, answer: schema }),
      tools: { ...withoutExecution(tools), ...this.#tools.describe(sdk) },
      answer: schema,
    }
  }

  async #call(call: CallSetup): Promise<Reply> {
    const { runId, id: agent } = this.#context
    const mayUse = (): number => tokensLeft(this.#used(), this.#setup.budget, { runId, agent })
    const reply = await callModel(this.#context, call, { messages: this.#messages, mayUse }).catch((error: unknown) => {
      // What ends the agent is the budget, and not that a step of it failed.
      const { cause } = (error ?? {}) as { readonly cause?: unknown }
      throw isCallboardError(cause, 'ai.budget') ? cause : error
    })
    await this.#count(reply)
    this.#messages.push(...reply.messages)
    return reply
  }

  #used(): UsageSum {
    const { usageKey } = this.#setup
    if (usageKey === undefined) return sumUsage(Object.fromEntries(this.#own))
    return sumUsage(this.#context.view.get(usageKey) as ModelUsage | undefined)
  }

  async #count({ key, inputTokens, outputTokens }: Reply): Promise<void> {
    const { model, usageKey } = this.#setup
    const { id: agent, update, view } = this.#context
    const call = { agent, model: typeof model === 'string' ? model : model.modelId, inputTokens, outputTokens }
    this.#own.set(key, call)
    if (usageKey === undefined) return
    const known = view.get(usageKey) as ModelUsage | undefined
    if (known?.[key] === undefined) await update({ [usageKey]: { [key]: call } })
  }

  async #answerRequests(requests: readonly ToolRequest[]): Promise<void> {
    for (const request of requests) {
      const { id: toolCallId, name: toolName } = request
      this.#context.progress({ message: `calls ${toolName}` })
      const output = await this.#answerRequest(request)
      this.#messages.push({ role: 'tool', content: [{ type: 'tool-result', toolCallId, toolName, output }] })
    }
  }

  async #answerRequest(request: ToolRequest): Promise<ToolOutput> {
    if (request.unfit !== undefined) return outputOf(unfit(request.unfit))
    const outcome = await this.#tools.call(request)
    if (outcome !== undefined) return outputOf(outcome)
    return callOwnTool(this.#context, { tools: this.#setup.tools, request, messages: this.#messages })
  }

  /** Writes the answer to the board; gives what is wrong with it. */
  async #takeAnswer({ text }: Reply): Promise<ToolOutcome | undefined> {
    const { answer } = this.#setup
    if (answer.length === 0) return undefined
    const given = parseAnswer(text)
    if (given === undefined) return { text: 'This is no JSON object.', failed: true }
    const missing = answer.filter((key) => !Object.hasOwn(given, key))
    const foreign = Object.keys(given).filter((key) => !answer.includes(key))
    if (missing.length > 0)
      return { text: `Without ${missing.map((key) => JSON.stringify(key)).join(', ')}.`, failed: true }
    if (foreign.length > 0) return { text: `No such field:\n${markData(foreign.join(', '))}`, failed: true }
    const outcome = await this.#tools.update(given, 'answer')
    return outcome.failed ? outcome : undefined
  }

  #wrongAnswer({ text }: ToolOutcome, times: number): CallboardError {
    const { runId, id: agent } = this.#context
    return new CallboardError(
      'ai.answer',
      `run ${runId}: the model of agent ${agent} gave an answer that is not accepted, ${times === 1 ? 'once' : `${times} times`}; the last time: ${text.trim().replaceAll(/\s+/g, ' ')}`,
      { runId, agent, times },
    )
  }
}

/** The SDK has answered an invalid call itself: the model is to see that. */
function hasOpenToolMessage({ messages }: Reply): boolean {
  return messages.at(-1)?.role === 'tool'
}

function parseAnswer(text: string): Readonly<Record<string, unknown>> | undefined {
  const trimmed = text.trim()
  try {
    const value: unknown = JSON.parse(FENCE.exec(trimmed)?.[1] ?? trimmed)
    return isPlainObject(value) ? value : undefined
  } catch {
    return undefined
  }
}
