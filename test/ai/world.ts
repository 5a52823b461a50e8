// What the tests of models share: the SDK's mock model with a script, and runs of one agent.
import { simulateReadableStream } from 'ai'
import { MockLanguageModelV4 } from 'ai/test'

type StreamResult = Awaited<ReturnType<MockLanguageModelV4['doStream']>>
type StreamPart = StreamResult['stream'] extends ReadableStream<infer Part> ? Part : never
export type CallOptions = Parameters<MockLanguageModelV4['doStream']>[0]

/** What the model says in one call: a text in pieces, or calls of tools. */
export type Said =
  | { readonly text: readonly string[] | string; readonly finish?: 'stop' | 'length' }
  | { readonly calls: readonly { readonly name: string; readonly input: unknown }[] }

/** A line of a script: what is said, an error, or something decided when it comes to it. */
export type Line = Said | Error | ((options: CallOptions) => Said | Promise<Said>)

/** Each call uses so much unless the script says otherwise. */
export const TOKENS_IN = 100
export const TOKENS_OUT = 10

/** A model that says the lines of a script, one in each call; more calls than lines are an error. */
export function scriptedModel(...lines: readonly Line[]): MockLanguageModelV4 {
  const left = [...lines]
  return new MockLanguageModelV4({
    modelId: 'scripted',
    doStream: async (options) => {
      const line = left.shift()
      if (line === undefined) throw new Error('the script is at its end')
      if (line instanceof Error) throw line
      return streamOf(typeof line === 'function' ? await line(options) : line)
    },
  })
}

/** The parts of a stream that says it. */
export function streamOf(said: Said): StreamResult {
  const usage = {
    inputTokens: { total: TOKENS_IN, noCache: TOKENS_IN, cacheRead: undefined, cacheWrite: undefined },
    outputTokens: { total: TOKENS_OUT, text: TOKENS_OUT, reasoning: undefined },
  }
  const finish = (unified: 'stop' | 'length' | 'tool-calls'): StreamPart => ({
    type: 'finish',
    finishReason: { unified, raw: undefined },
    usage,
  })
  const chunks: StreamPart[] =
    'calls' in said
      ? [
          ...said.calls.map(({ name, input }, index): StreamPart => ({
            type: 'tool-call',
            toolCallId: `call-${index}`,
            toolName: name,
            input: typeof input === 'string' ? input : JSON.stringify(input),
          })),
          finish('tool-calls'),
        ]
      : [
          { type: 'text-start', id: 't' },
          ...[said.text].flat().map((delta): StreamPart => ({ type: 'text-delta', id: 't', delta })),
          { type: 'text-end', id: 't' },
          finish(said.finish ?? 'stop'),
        ]
  return { stream: simulateReadableStream({ chunks, initialDelayInMs: null, chunkDelayInMs: null }) }
}

/** A call of one tool. */
export const uses = (name: string, input: unknown): Said => ({ calls: [{ name, input }] })

/** What the model was told by the author of the workflow, in a call. */
export function instructionsIn({ prompt }: CallOptions): string {
  return prompt.flatMap((message) => (message.role === 'system' ? [message.content] : [])).join('\n')
}

/** What stands in the prompt beside the instructions and the model's own words. */
export function givenIn({ prompt }: CallOptions): string {
  return prompt
    .flatMap((message) => (message.role === 'user' ? message.content : []))
    .map((part) => (part.type === 'text' ? part.text : ''))
    .join('\n')
}

/** What tools have answered, in the prompt of a call. */
export function toolAnswersIn({ prompt }: CallOptions): readonly { readonly type: string; readonly text: string }[] {
  return prompt
    .flatMap((message) => (message.role === 'tool' ? message.content : []))
    .flatMap((part) => {
      if (part.type !== 'tool-result') return []
      const { output } = part
      return [{ type: output.type, text: 'value' in output ? String(output.value) : '' }]
    })
}

/** The names of the tools that are offered in a call. */
export const offeredIn = ({ tools = [] }: CallOptions): readonly string[] => tools.map(({ name }) => name).toSorted()

/** The options of one of the calls. */
export function callOf(model: MockLanguageModelV4, index: number): CallOptions {
  const options = model.doStreamCalls[index]
  if (options === undefined) throw new Error(`the model was called ${model.doStreamCalls.length} times`)
  return options
}
