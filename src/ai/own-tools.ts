// Own tools: what the author of a workflow lets a model do beside the board, as the AI SDK takes it.
//   O1. Each use is a step. Recorded is what the model is told, so that what `toModelOutput` hides stands nowhere.
//   O2. Nothing is executed that somebody would have to approve first: such a tool is refused when the agent is made. The
//       SDK asks by ending its loop and being called again by whoever has asked; here nobody calls.
//   O3. What a tool says is told as data.
import type { ModelMessage, ToolResultPart, ToolSet } from 'ai'
import { CallboardError } from '../base/index.ts'
import { failed, TOOL_NAMES } from './board-tools.ts'
import type { AnyContext, ToolOutcome } from './board-tools.ts'
import { markData } from './data-mark.ts'
import type { ToolRequest } from './model-call.ts'

/** What a tool gave, in the words of the SDK. */
export type ToolOutput = ToolResultPart['output']

type Tool = ToolSet[string]

/** @throws CallboardError `ai.option` for a tool that could not be used as it is meant */
export function assertTools(tools: ToolSet): void {
  const names: readonly string[] = Object.values(TOOL_NAMES)
  for (const [name, tool] of Object.entries(tools)) {
    const wrong = names.includes(name) ? 'has the name of one of the board’s; give it another' : wrongWith(tool)
    if (wrong !== undefined) throw new CallboardError('ai.option', `tool "${name}" ${wrong}`, { tool: name })
  }
}

function wrongWith({ needsApproval = false, execute, contextSchema, ...tool }: Tool): string | undefined {
  if (needsApproval !== false)
    return 'needs an approval, and nobody would be asked before it is executed; let the workflow ask a person, and an agent of its own do it then'
  if (contextSchema !== undefined) return 'wants a context, which it is not given here; let its execute close over it'
  const isProviders = tool.type === 'provider' && tool.isProviderExecuted
  return execute === undefined && !isProviders ? 'has no execute; nobody else would answer its calls' : undefined
}

/** The tools as they are offered: executed here, as steps, and not by the SDK. */
export function withoutExecution(tools: ToolSet): ToolSet {
  return Object.fromEntries(
    Object.entries(tools).map(([name, tool]) => [name, { ...tool, execute: undefined } as Tool]),
  )
}

interface Use {
  readonly tools: ToolSet
  readonly request: ToolRequest
  readonly messages: readonly ModelMessage[]
}

/** Executes a tool; what goes wrong is told to the model, and only the agent's own end is thrown. */
export async function callOwnTool({ step, signal }: AnyContext, use: Use): Promise<ToolOutput> {
  const { id: toolCallId, name, input } = use.request
  const tool = use.tools[name]
  if (tool?.execute === undefined) return outputOf(failed(new Error(`there is no tool "${name}"`)))
  const { execute, toModelOutput } = tool
  try {
    return await step(`tool ${name}`, async ({ signal: abortSignal }): Promise<ToolOutput> => {
      const options = { toolCallId, messages: [...use.messages], abortSignal, context: undefined }
      const output = await lastOf(execute(input as never, options as never))
      if (toModelOutput === undefined) return { type: 'text', value: markData(told(output)) }
      return markOutput(await toModelOutput({ toolCallId, input: input as never, output: output as never }))
    })
  } catch (error) {
    signal.throwIfAborted()
    return outputOf(failed(error))
  }
}

/** A text of ours about what came of a tool. */
export function outputOf({ text, failed: hasFailed }: ToolOutcome): ToolOutput {
  return { type: hasFailed ? 'error-text' : 'text', value: text }
}

/** What it gave; of a generator the last, the ones before it only say how far it is. */
async function lastOf(given: unknown): Promise<unknown> {
  const output = await given
  if (typeof output !== 'object' || output === null || !(Symbol.asyncIterator in output)) return output
  let last: unknown
  for await (const one of output as AsyncIterable<unknown>) last = one
  return last
}

const told = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing'))

/** What a tool wants the model to be told, its words as data; files are passed on. */
function markOutput(output: ToolOutput): ToolOutput {
  switch (output.type) {
    case 'text':
    case 'error-text':
      return { ...output, value: markData(output.value) }
    case 'json':
      return { ...output, type: 'text', value: markData(told(output.value)) }
    case 'error-json':
      return { ...output, type: 'error-text', value: markData(told(output.value)) }
    case 'execution-denied':
      return output.reason === undefined ? output : { ...output, reason: markData(output.reason) }
    case 'content':
      return {
        ...output,
        value: output.value.map((part) => (part.type === 'text' ? { ...part, text: markData(part.text) } : part)),
      }
    default:
      throw new TypeError(`a tool's output is of no type that the AI SDK has: ${told(output satisfies never)}`)
  }
}
