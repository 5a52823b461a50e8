// One call of a model as a step: what came of it is recorded with the run, so that after a crash a call that had finished
// is not made, and not paid for, again. Attempts are those of the step; the SDK makes none of its own.
import type { LanguageModel, LanguageModelCallOptions, ModelMessage, ToolSet } from 'ai'
import { estimateTokens } from '../context/index.ts'
import type { AgentContext } from '../workflow/index.ts'
import { callError, isWorthAnother } from './call-error.ts'
import { recordableInput, recordablePart } from './recordable.ts'
import type { Sdk } from './sdk.ts'

/** What is passed on with every call, as the AI SDK takes it. */
export type CallSettings = LanguageModelCallOptions & {
  readonly providerOptions?: NonNullable<Parameters<Sdk['streamText']>[0]['providerOptions']>
}

/** What makes up a call beside its messages. */
export interface CallSetup {
  readonly sdk: Sdk
  readonly model: LanguageModel
  readonly settings: CallSettings
  readonly instructions: string
  readonly tools: ToolSet
  /** The schema of an answer in JSON. */
  readonly answer: Readonly<Record<string, unknown>> | undefined
  readonly retries: number
  readonly timeoutMs: number | undefined
}

/** A tool that the model wants called. */
export interface ToolRequest {
  readonly id: string
  readonly name: string
  readonly input: unknown
  /** Why the input cannot be taken as it was sent. */
  readonly unfit?: string
}

/** What came of a call, as it is recorded. */
export interface Reply {
  /** Names the call: the same after a restart. */
  readonly key: string
  readonly text: string
  readonly requests: readonly ToolRequest[]
  readonly messages: readonly ModelMessage[]
  readonly finishReason: string
  readonly inputTokens: number
  readonly outputTokens: number
}

type Stepping = Pick<AgentContext<object, object, unknown>, 'step' | 'progress'>

/** Characters of the text under way that `progress` is told. */
const SHOWN_CHARACTERS = 2_000

/**
 * @param mayUse the tokens that are left, asked before a call is made, and not for one that is recorded; throws `ai.budget`
 * @throws CallboardError `step.failed` when every attempt failed, with the last `ai.call`, or the `ai.budget`, as its cause
 */
export async function callModel(
  { step, progress }: Stepping,
  setup: CallSetup,
  { messages, mayUse }: { readonly messages: readonly ModelMessage[]; readonly mayUse: () => number },
): Promise<Reply> {
  const { sdk, retries, timeoutMs } = setup
  return step(
    'model',
    async ({ signal, idempotencyKey }) => {
      const maxOutputTokens = mayUse()
      try {
        return { key: idempotencyKey, ...(await ask(setup, { messages, maxOutputTokens, signal, progress })) }
      } catch (error) {
        signal.throwIfAborted()
        throw callError(sdk, setup.model, error)
      }
    },
    { retries, ...(timeoutMs === undefined ? {} : { timeoutMs }), retryOn: isWorthAnother },
  )
}

interface Asked {
  readonly messages: readonly ModelMessage[]
  readonly maxOutputTokens: number
  readonly signal: AbortSignal
  readonly progress: Stepping['progress']
}

async function ask(
  setup: CallSetup,
  { messages, maxOutputTokens, signal, progress }: Asked,
): Promise<Omit<Reply, 'key'>> {
  const { sdk } = setup
  const result = sdk.streamText({
    ...setup.settings,
    model: setup.model,
    instructions: setup.instructions,
    messages: [...messages],
    tools: setup.tools,
    ...(setup.answer === undefined ? {} : { output: outputOf(sdk, setup.answer) }),
    ...limitOf(setup.settings, maxOutputTokens),
    maxRetries: 0,
    abortSignal: signal,
    // Errors are part of the stream; by default they are also written to the console.
    onError: () => {},
  })
  let text = ''
  for await (const part of result.stream) {
    if (part.type === 'error') throw part.error
    if (part.type !== 'text-delta') continue
    text += part.text
    progress({ message: text.slice(-SHOWN_CHARACTERS) })
  }
  signal.throwIfAborted()
  const { inputTokens, outputTokens } = await result.usage
  const responseMessages = await result.responseMessages
  return {
    text: recordablePart(text),
    requests: requestsIn(await result.toolCalls),
    messages: recordablePart(responseMessages),
    finishReason: await result.finishReason,
    // Not every server counts; an estimate keeps the budget.
    inputTokens: inputTokens ?? estimateTokens(setup.instructions + JSON.stringify(messages)),
    outputTokens: outputTokens ?? estimateTokens(JSON.stringify(responseMessages)),
  }
}

function outputOf(sdk: Sdk, schema: Readonly<Record<string, unknown>>): ReturnType<Sdk['Output']['object']> {
  return sdk.Output.object({ schema: sdk.jsonSchema(schema) })
}

function limitOf({ maxOutputTokens = Infinity }: CallSettings, left: number): { readonly maxOutputTokens?: number } {
  const most = Math.min(maxOutputTokens, left)
  return most === Infinity ? {} : { maxOutputTokens: most }
}

interface SdkToolCall {
  readonly toolCallId: string
  readonly toolName: string
  readonly input: unknown
  readonly invalid?: boolean | undefined
  readonly providerExecuted?: boolean | undefined
}

/** Invalid calls are answered by the SDK, and the provider's own tools by the provider. */
function requestsIn(calls: readonly SdkToolCall[]): readonly ToolRequest[] {
  return calls
    .filter(({ invalid, providerExecuted }) => invalid !== true && providerExecuted !== true)
    .map(({ toolCallId, toolName, input }) => {
      const { value, problem } = recordableInput(input)
      const request = { id: recordablePart(toolCallId), name: recordablePart(toolName), input: value }
      return problem === undefined ? request : { ...request, unfit: problem }
    })
}
