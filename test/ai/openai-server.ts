// A server on this machine that speaks as much of OpenAI's chat and embeddings API as providers ask of it.
import { createServer } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** What it answers with: a text, a text that never ends, calls of tools, or a status that says no. */
export type Answer =
  | { readonly text: readonly string[] }
  | { readonly endless: readonly string[] }
  | { readonly calls: readonly { readonly name: string; readonly input: unknown }[] }
  | { readonly status: number }

export interface Asked {
  readonly path: string
  readonly authorization: string | undefined
  readonly body: Readonly<Record<string, unknown>>
}

export interface OpenAiServer {
  /** Where it is, as clients are told. */
  readonly url: string
  readonly asked: readonly Asked[]
  /** Resolves when all there is was sent of so many answers that never end. */
  hangs(times?: number): Promise<void>
  /** Whoever asked for an answer that never ends has gone. */
  readonly left: Promise<void>
}

/** Opens a server that gives these answers, one for each request; it is closed when the test is over. */
export async function openAiServer(...answers: readonly Answer[]): Promise<OpenAiServer> {
  const asked: Asked[] = []
  const remaining = [...answers]
  const left = Promise.withResolvers<void>()
  const hanging = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  let hung = 0
  const server = createServer((request, response) => {
    void readBody(request).then((body) => {
      const path = request.url ?? ''
      asked.push({ path, authorization: request.headers.authorization, body })
      if (path.endsWith('/embeddings')) {
        response
          .setHeader('content-type', 'application/json')
          .end(JSON.stringify(embeddingsOf(body['input'] as string[])))
        return
      }
      const answer = remaining.shift() ?? { status: 500 }
      if ('status' in answer) {
        response.writeHead(answer.status, { 'content-type': 'application/json' }).end('{"error":{"message":"not now"}}')
        return
      }
      response.setHeader('content-type', 'text/event-stream')
      for (const chunk of chunksOf(answer)) response.write(`data: ${JSON.stringify(chunk)}\n\n`)
      if (!('endless' in answer)) {
        response.end('data: [DONE]\n\n')
        return
      }
      response.on('close', left.resolve)
      response.flushHeaders()
      hanging[hung++]?.resolve()
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    return new Promise<void>((resolve) => void server.close(() => resolve()))
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    asked,
    hangs: (times = 1) => hanging[times - 1]?.promise ?? Promise.reject(new Error('not counted so far')),
    left: left.promise,
  }
}

async function readBody(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  let text = ''
  for await (const piece of request.setEncoding('utf8')) text += String(piece)
  return JSON.parse(text) as Readonly<Record<string, unknown>>
}

function chunksOf(answer: Exclude<Answer, { readonly status: number }>): readonly object[] {
  const common = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'local' }
  const choice = (delta: object, finish_reason: string | null = null): object => ({
    ...common,
    choices: [{ index: 0, delta, finish_reason }],
  })
  const textsOf = (pieces: readonly string[]): readonly object[] => pieces.map((content) => choice({ content }))
  const usage = { prompt_tokens: 40, completion_tokens: 2, total_tokens: 42 }
  if ('calls' in answer) {
    const tool_calls = answer.calls.map(({ name, input }, index) => ({
      index,
      id: `call_${index}`,
      type: 'function',
      function: { name, arguments: JSON.stringify(input) },
    }))
    return [choice({ role: 'assistant', tool_calls }), choice({}, 'tool_calls'), { ...common, choices: [], usage }]
  }
  if ('endless' in answer) return [choice({ role: 'assistant' }), ...textsOf(answer.endless)]
  const deltas = textsOf(answer.text)
  return [choice({ role: 'assistant' }), ...deltas, choice({}, 'stop'), { ...common, choices: [], usage }]
}

/** Texts that have a word in common are near each other. */
function embeddingsOf(texts: readonly string[]): object {
  const words = ['tea', 'coal', 'sea']
  const data = texts.map((text, index) => ({
    object: 'embedding',
    index,
    embedding: words.map((word) => (text.includes(word) ? 1 : 0.01)),
  }))
  return { object: 'list', data, model: 'local', usage: { prompt_tokens: 1, total_tokens: 1 } }
}
