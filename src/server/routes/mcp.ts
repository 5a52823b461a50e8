import { z } from 'zod'
import { CallboardError } from '../../base/index.ts'
import type { McpCall, McpCaller } from '../../mcp/index.ts'
import type { Caller } from '../caller.ts'
import { operation } from '../operation.ts'
import type { Call, Operation } from '../operation.ts'
import { asStream } from '../passed-stream.ts'

const PATH = '/mcp'

const Message = z.looseObject({ jsonrpc: z.literal('2.0') })

const failed = (description: string): { readonly description: string; readonly schema: z.ZodType } => ({
  description,
  schema: z.looseObject({ jsonrpc: z.literal('2.0'), error: z.looseObject({ code: z.int(), message: z.string() }) }),
})

const refused = {
  400: failed('the message is none, or of no version that is spoken here'),
  404: failed('there is no such session'),
  405: failed('the version of the protocol has no such request'),
  406: failed('the client does not accept what there is'),
  409: failed('the session has such a stream already'),
  415: failed('the body is not JSON'),
  501: { description: 'the package @modelcontextprotocol/server is not installed' },
} as const

const shared = { path: PATH, access: 'sight', tag: 'mcp', speaks: 'mcp' } as const

export const mcpOperations: readonly Operation[] = [
  operation({
    ...shared,
    method: 'post',
    summary: 'A message of the Model Context Protocol, on behalf of whom the token stands for',
    body: z.union([Message, z.array(Message)]),
    answers: {
      ...refused,
      200: { description: 'the answer; as a stream of events where there is more than one', schema: z.unknown() },
      202: { description: 'it was taken, and has no answer' },
    },
    handle: (call) => answer(call),
  }),
  operation({
    ...shared,
    method: 'get',
    summary: 'What happens, as messages: for clients with a session',
    answers: {
      ...refused,
      200: { description: 'events, until the session ends', schema: z.string(), type: 'text/event-stream' },
    },
    handle: (call) => answer(call),
  }),
  operation({
    ...shared,
    method: 'delete',
    summary: 'Ends a session',
    answers: { ...refused, 200: { description: 'it has ended' } },
    handle: (call) => answer(call),
  }),
]

async function answer(call: Call<unknown, unknown, unknown>): Promise<Response> {
  const { caller, house, request, services, body, hangUp } = call
  const asked = mcpCallerOf(caller)
  const door = await services.mcp.of(house)
  assertKnown(() => door.assertCaller(asked))
  // Counted before anything is done: a tool that has run is not to be answered with a refusal.
  const stream = services.streams.enter(caller, hangUp)
  const signal = AbortSignal.any([stream.signal, request.signal])
  const { url, method, headers } = request
  try {
    const response = await door.fetch(new Request(url, { method, headers, signal }), {
      caller: asked,
      parsedBody: body,
      onCall: (made) => record(call, made),
      ...(caller.tokenId === undefined ? {} : { owner: caller.tokenId }),
    })
    if (stream.signal.aborted) throw services.streams.whyEnded(caller)
    const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true
    if (isStream) return asStream(response, stream)
    stream.close()
    return response
  } catch (error) {
    stream.close()
    throw error
  }
}

/** As whom a token acts; never as more than its role. @throws CallboardError `server.forbidden` */
function mcpCallerOf({ role, name, agent }: Caller): McpCaller {
  switch (role) {
    case 'reader':
      return { kind: 'reader', name }
    case 'agent':
      if (agent === undefined) throw nobody()
      return { kind: 'agent', type: agent.type, id: agent.id }
    case 'operator':
    case 'admin':
      return { kind: 'operator', name }
    default:
      throw new TypeError(`unknown role ${String(role satisfies never)}`)
  }
}

/** Which types there are is nothing for an agent. */
function assertKnown(assert: () => void): void {
  try {
    assert()
  } catch {
    throw nobody()
  }
}

function nobody(): CallboardError {
  return new CallboardError('server.forbidden', 'no workflow here has an agent of the type of this token', {})
}

function record({ caller, requestId, services }: Call<unknown, unknown, unknown>, made: McpCall): void {
  const { tool, runId, code } = made
  const { tenant, tokenId = null, name } = caller
  services.book.auditNow({
    at: services.clock.now(),
    requestId,
    tenant,
    tokenId,
    caller: name,
    method: 'post',
    route: PATH,
    ids: { tool, ...(runId === undefined ? {} : { runId }) },
    status: 200,
    code: code ?? null,
  })
}
