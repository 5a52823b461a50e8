// Written: what tools change on behalf of one request, for whoever mounts the door and keeps a record of it. It goes from the
// request to its tools with what the SDK hands through.
import type { AuthInfo } from '@modelcontextprotocol/server'
import type { Tool } from './tools/index.ts'

/** A call of a tool that changes something, and what came of it. */
export interface McpWrite {
  readonly tool: string
  /** The run it is about, where one is named or begins. */
  readonly runId: string | undefined
  /** Why nothing was changed; `mcp.no-tool` where the caller has no such tool. Undefined when it was. */
  readonly code: string | undefined
}

export type OnWrite = (write: McpWrite) => void

/** What the SDK hands through. */
export function authInfoWith(onWrite: OnWrite): AuthInfo {
  return { token: '', clientId: '', scopes: [], extra: { onWrite } }
}

export function onWriteIn(info: AuthInfo | undefined): OnWrite | undefined {
  return info?.extra?.['onWrite'] as OnWrite | undefined
}

/** The calls in a body of tools that change something and that its caller does not have. */
export function withheldCalls(body: unknown, withheld: readonly Tool[]): readonly McpWrite[] {
  const messages: readonly unknown[] = Array.isArray(body) ? body : [body]
  return messages.flatMap((message) => {
    const { method, params } = fieldsOf(message)
    const { name, arguments: asked } = fieldsOf(params)
    const isWithheld = method === 'tools/call' && withheld.some((tool) => tool.name === name)
    return isWithheld ? [{ tool: String(name), runId: runIdIn(asked), code: 'mcp.no-tool' }] : []
  })
}

/** The first run that is named. */
export function runIdIn(...places: readonly unknown[]): string | undefined {
  return places.map((place) => fieldsOf(place)['runId']).find((runId) => typeof runId === 'string')
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
}
