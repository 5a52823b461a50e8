// Audit: the calls of tools that change something, and those that are refused, for whoever mounts the door and keeps a record
// of them. What is told of them goes from the request to its tools with what the SDK hands through.
import type { AuthInfo, CallToolResult, McpServer } from '@modelcontextprotocol/server'
import type { Tool } from './tools/index.ts'

/** A call of a tool that changes something or was refused, and what came of it. */
export interface McpCall {
  /** As the client names it. */
  readonly tool: string
  /** The run it is about, where one is named or begins. */
  readonly runId: string | undefined
  /**
   * Why nothing was changed: `mcp.no-tool` where the caller has no such tool, `mcp.invalid-input` where the input does not
   * fit. Undefined when it was.
   */
  readonly code: string | undefined
}

export type OnCall = (call: McpCall) => void

interface CallRequest {
  readonly params: { readonly name: string; readonly arguments?: unknown }
}

interface CallContext {
  readonly http?: { readonly authInfo?: AuthInfo | undefined } | undefined
  readonly mcpReq: { readonly signal: AbortSignal }
}

type CallHandler = (request: CallRequest, context: CallContext) => CallToolResult | Promise<CallToolResult>

/** Characters of what a client names, in a record. */
const MOST_NAMED = 200
/** How the SDK says that a tool is not there. */
const INVALID_PARAMS = -32_602
/** What a question came to without anybody refusing it. */
const OUTCOMES: ReadonlySet<string> = new Set(['error', 'run.finished', 'wait.deadlock', 'wait.timeout'])

/** What the SDK hands through. */
export function authInfoWith(onCall: OnCall): AuthInfo {
  return { token: '', clientId: '', scopes: [], extra: { onCall } }
}

/**
 * Has every call of a tool pass by here, whatever comes of it. The SDK looks whether there is such a tool and whether its
 * input fits before the tool itself is called, in the handler that it sets while `register` registers the first of them.
 */
export function auditCalls({ server }: McpServer, tools: readonly Tool[], register: () => void): void {
  const setHandler = server.setRequestHandler.bind(server) as (method: string, ...rest: unknown[]) => void
  const setAudited = (method: string, ...rest: unknown[]): void => {
    const audited = method === 'tools/call' ? rest.map((one) => auditedHandler(one as CallHandler, tools)) : rest
    setHandler(method, ...audited)
  }
  const own = server as { setRequestHandler?: unknown }
  own.setRequestHandler = setAudited
  try {
    register()
  } finally {
    delete own.setRequestHandler
  }
}

function auditedHandler(handle: CallHandler, tools: readonly Tool[]): CallHandler {
  return async (request, context) => {
    const { name, arguments: asked } = request.params
    const tool = tools.find((one) => one.name === name)
    const tell = (code: string | undefined, given?: unknown): void =>
      onCallIn(context.http?.authInfo)?.({ tool: name.slice(0, MOST_NAMED), runId: runIdIn(asked, given), code })
    try {
      const answered = await handle(request, context)
      // What `register` has added keeps its own records.
      if (tool === undefined) return answered
      const result = withCode(answered)
      const code = codeOf(result)
      const isRefusal = code !== undefined && !OUTCOMES.has(code) && !context.mcpReq.signal.aborted
      if (tool.effect !== undefined || isRefusal) tell(code, result.structuredContent)
      return result
    } catch (error) {
      if ((error as { readonly code?: unknown } | null)?.code === INVALID_PARAMS) tell('mcp.no-tool')
      throw error
    }
  }
}

/** Our tools answer with data; where there is none, the SDK has refused the input. */
function withCode(result: CallToolResult): CallToolResult {
  if (result.isError !== true || result.structuredContent !== undefined) return result
  const [said] = result.content
  const message = said?.type === 'text' ? said.text : 'the input does not fit'
  return { ...result, structuredContent: { code: 'mcp.invalid-input', message } }
}

/** Why nothing was changed. */
function codeOf({ isError, structuredContent }: CallToolResult): string | undefined {
  if (isError !== true) return undefined
  const { code = 'update.refused' } = structuredContent as { readonly code?: string }
  return code
}

function onCallIn(info: AuthInfo | undefined): OnCall | undefined {
  return info?.extra?.['onCall'] as OnCall | undefined
}

/** The first run that is named. */
function runIdIn(...places: readonly unknown[]): string | undefined {
  const named = places.map((place) => (place as { readonly runId?: unknown } | null | undefined)?.runId)
  return named.find((runId) => typeof runId === 'string')?.slice(0, MOST_NAMED)
}
