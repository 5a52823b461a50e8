// Server: the SDK's server with the tools and resources of one caller.
import type { CallToolResult, McpServer } from '@modelcontextprotocol/server'
import { isCallboardError } from '../base/index.ts'
import { sentenceForAgents } from '../runtime/index.ts'
import { auditCalls } from './audit.ts'
import type { McpCaller } from './caller.ts'
import { tellFault } from './fault.ts'
import type { Desk } from './desk.ts'
import { followNews } from './news.ts'
import { isOurs } from './place.ts'
import { assertPlace, registerResources } from './resources.ts'
import type { McpSdk } from './sdk.ts'
import { ENTRY_TOOLS, MEMORY_TOOLS, RUN_TOOLS } from './tools/index.ts'
import type { Tool, ToolAnswer } from './tools/index.ts'
import { whenClosed } from './when-closed.ts'
import { jsonOf } from './wire.ts'

/** What the servers of a door have in common. */
export interface ServerOptions {
  readonly sdk: McpSdk
  /** Adds tools, resources and prompts of the user's own. */
  readonly register: ((server: McpServer, caller: McpCaller) => void) | undefined
  /** Told of failures here, and of clients that break the protocol. */
  readonly onFailure: (error: unknown) => void
}

/** For how long a server lives: one request, or a connection, on which it tells of changes by itself. */
export type Lifetime = 'request' | 'connection'

/** Resources that a session subscribes to. */
const MOST_SUBSCRIBED = 500

const INFO = { name: 'callboard', title: 'Callboard', version: '1' } as const

const TOOLS: readonly Tool[] = [...RUN_TOOLS, ...ENTRY_TOOLS, ...MEMORY_TOOLS]

/** The tools that a caller has. */
function toolsFor({ caller, hasMemory }: Desk): readonly Tool[] {
  return TOOLS.filter(
    ({ callers, needsMemory = false }) => callers.includes(caller.kind) && (hasMemory || !needsMemory),
  )
}

export function createServer(
  desk: Desk,
  { sdk, register, onFailure }: ServerOptions,
  { lifetime, era }: { readonly lifetime: Lifetime; readonly era: 'legacy' | 'modern' },
): McpServer {
  const server = new sdk.McpServer(INFO, {
    capabilities: { resources: { subscribe: true, listChanged: true } },
    instructions: instructionsFor(desk),
  })
  Object.assign(server.server, { onerror: (error: Error) => tellFault(error, onFailure) })
  const tools = toolsFor(desk)
  auditCalls(server, tools, () => {
    for (const tool of tools) registerTool(server, desk, tool, onFailure)
  })
  registerResources(sdk, server, desk)
  register?.(server, desk.caller)
  if (lifetime === 'connection') tellOfNews(sdk, server, desk, era)
  return server
}

function instructionsFor({ agent }: Desk): string {
  const who =
    agent === undefined
      ? 'You act from outside on the runs of this server.'
      : `You are the agent "${agent.id}" of type "${agent.type}": you see its view and write with its rights.`
  return `${who} Find a run with list_runs, read its entries with read_entries, wait for what others write with wait_for, and write with update.`
}

function registerTool(server: McpServer, desk: Desk, tool: Tool, onFailure: (error: unknown) => void): void {
  const { name, title, description, input, effect } = tool
  const annotations = {
    readOnlyHint: effect === undefined,
    destructiveHint: effect === 'ends' || effect === 'writes',
    openWorldHint: false,
  }
  server.registerTool(
    name,
    { title, description, inputSchema: input, annotations },
    async (asked, { mcpReq: { signal } }) => {
      // Whoever has called it off is not answered, and whatever reason was given is no failure.
      const fail = (error: unknown): void => (signal.aborted ? undefined : onFailure(error))
      return resultOf(() => tool.run(desk, asked, signal), { isAgent: desk.agent !== undefined, fail })
    },
  )
}

/** What went wrong because of what was asked is an answer; of everything else the client learns that it happened. */
async function resultOf(
  run: () => Promise<ToolAnswer>,
  { isAgent, fail }: { readonly isAgent: boolean; readonly fail: (error: unknown) => void },
): Promise<CallToolResult> {
  try {
    const { data, text = jsonOf(data), hasFailed = false } = await run()
    return { content: [{ type: 'text', text }], structuredContent: { ...data }, isError: hasFailed }
  } catch (error) {
    const isKnown = isCallboardError(error)
    if (!isKnown) fail(error)
    const code = isKnown ? error.code : 'error'
    const told = isAgent ? sentenceForAgents(code) : undefined
    const message =
      told ?? (isKnown ? error.message : 'something went wrong here; whoever runs this server is told what')
    return { content: [{ type: 'text', text: message }], structuredContent: { code, message }, isError: true }
  }
}

/** Tells of changes for as long as the server is connected: of what was subscribed to, where clients say that first. */
function tellOfNews(sdk: McpSdk, { server }: McpServer, desk: Desk, era: 'legacy' | 'modern'): void {
  const subscribed = new Set<string>()
  const send = (sent: Promise<void>): void => void sent.catch(() => {})
  if (era === 'legacy') {
    server.setRequestHandler('resources/subscribe', async ({ params: { uri } }) => {
      // Of ours, only what is there for this caller; what `register` has added is its own business.
      if (isOurs(uri)) {
        await assertPlace(desk, uri).catch(() => {
          throw new sdk.ResourceNotFoundError(uri)
        })
      }
      if (subscribed.size >= MOST_SUBSCRIBED && !subscribed.has(uri)) {
        const message = `a session subscribes to ${MOST_SUBSCRIBED} resources at most; unsubscribe from one first`
        throw new sdk.ProtocolError(sdk.ProtocolErrorCode.InvalidParams, message)
      }
      subscribed.add(uri)
      return {}
    })
    server.setRequestHandler('resources/unsubscribe', async ({ params: { uri } }) => {
      subscribed.delete(uri)
      return {}
    })
  }
  const off = followNews(desk, {
    // In the newer protocol the SDK knows what is listened to, and lets nothing else through.
    onUpdated: (uri) => {
      if (era === 'modern' || subscribed.has(uri)) send(server.sendResourceUpdated({ uri }))
    },
    onListChanged: () => send(server.sendResourceListChanged()),
  })
  whenClosed(server, off)
}
