// Door: the runs of a runtime for MCP clients, over stdio and streamable HTTP, each client with the rights of its caller.
//   M1. What a caller may not see is not there for it: no tool, no resource, no notification and no error tells of it.
//   M2. Callers share nothing: each has its own servers, sessions and streams.
import type { McpHttpHandler, McpServer, Transport } from '@modelcontextprotocol/server'
import type { AnyStateMachine } from 'xstate'
import { CallboardError } from '../base/index.ts'
import type { Memory } from '../memory/index.ts'
import type { Run, Runtime } from '../runtime/index.ts'
import { authInfoWith } from './audit.ts'
import type { OnCall } from './audit.ts'
import { callerKey } from './caller.ts'
import type { McpCaller } from './caller.ts'
import { definitionOf, Desk } from './desk.ts'
import { tellFault } from './fault.ts'
import { NewsBus } from './news-bus.ts'
import { loadSdk, loadStdio } from './sdk.ts'
import { createServer } from './server.ts'
import type { ServerOptions } from './server.ts'
import { Sessions } from './sessions.ts'
import { whenClosed } from './when-closed.ts'

export interface McpOptions {
  readonly runtime: Runtime
  /** The workflows that can be started, and whose agents callers may be. */
  readonly workflows?: readonly AnyStateMachine[]
  /** What `search_memory` searches; the tool is not there without it. */
  readonly memory?: Memory
  /** Whoever no other caller is named for; an operator unless given. */
  readonly caller?: McpCaller
  /**
   * The host names it is reached by over HTTP, without port; those of this machine unless given. `any` where whoever mounts
   * it has looked at them.
   */
  readonly hosts?: readonly string[] | 'any'
  /** The host names of pages that may use it; those of this machine unless given. `any` as above. */
  readonly origins?: readonly string[] | 'any'
  /** Brings a run that is not in memory; `runtime.open` unless given. */
  readonly open?: (runId: string) => Promise<Run>
  /** Adds tools, resources and prompts of your own to the server of a caller. */
  readonly register?: (server: McpServer, caller: McpCaller) => void
  /**
   * Told of failures here, for a log; and, with the code `mcp.fault`, of what clients do against the protocol. What the
   * client is told of a failure does not name its reason.
   */
  readonly onFailure?: (error: unknown) => void
}

export interface McpRequestOptions {
  /** On whose behalf; the door's own caller unless given. */
  readonly caller?: McpCaller
  /** The body as JSON, where it was read already. */
  readonly parsedBody?: unknown
  /**
   * Who asks, where several act as the same caller: sessions are the owner's own. `endSessions(owner)` ends them, as when
   * its token is revoked.
   */
  readonly owner?: string
  /** Told of every call of a tool that changes something or is refused, before it is answered; must not throw. */
  readonly onCall?: OnCall
}

/** What belongs to one caller. */
interface CallerPlace {
  readonly desk: Desk
  readonly handler: McpHttpHandler
}

const MOST_CALLERS = 1_000

/**
 * Opens a door to the runs of a runtime.
 *
 * @throws CallboardError `mcp.package-missing` without the SDK, `mcp.unknown-agent` for a caller that no workflow knows
 */
export async function openMcp(options: McpOptions): Promise<McpDoor> {
  const { register, onFailure = () => {} } = options
  const door = new McpDoor(options, { sdk: await loadSdk(), register, onFailure })
  if (options.caller !== undefined) door.assertCaller(options.caller)
  return door
}

export class McpDoor {
  readonly #options: McpOptions
  readonly #servers: ServerOptions
  readonly #sessions: Sessions
  /** By caller, the one used last at the end. */
  readonly #places = new Map<string, CallerPlace>()
  readonly #connections = new Set<{ close(): Promise<void> }>()
  #isClosed = false

  /** Use `openMcp`. */
  constructor(options: McpOptions, servers: ServerOptions) {
    this.#options = options
    this.#servers = servers
    this.#sessions = new Sessions(servers)
  }

  /** Answers one request of streamable HTTP. */
  async fetch(request: Request, options: McpRequestOptions = {}): Promise<Response> {
    const { caller = this.#caller, owner = '', parsedBody, onCall } = options
    if (this.#isClosed) return new Response('closed', { status: 503 })
    const { sdk } = this.#servers
    const { hosts = sdk.localhostAllowedHostnames(), origins = sdk.localhostAllowedOrigins() } = this.#options
    const rejected =
      (hosts === 'any' ? undefined : sdk.hostHeaderValidationResponse(request, [...hosts])) ??
      (origins === 'any' ? undefined : sdk.originValidationResponse(request, [...origins]))
    if (rejected !== undefined) return rejected
    this.assertCaller(caller)
    const key = callerKey(caller)
    const { desk, handler } = await this.#placeOf(key, caller)
    const asked = {
      ...(parsedBody === undefined ? {} : { parsedBody }),
      ...(onCall === undefined ? {} : { authInfo: authInfoWith(onCall) }),
    }
    const isOfSession = await sdk.isLegacyRequest(request, parsedBody)
    return isOfSession
      ? this.#sessions.handle(request, { desk, caller: key, owner, asked })
      : handler.fetch(request, asked)
  }

  /**
   * Serves one client over the standard input and output of this process, or another transport, until it closes or
   * `close()` is called on what is given back.
   */
  async serveStdio({
    caller = this.#caller,
    transport,
    onClose = () => {},
  }: {
    readonly caller?: McpCaller
    readonly transport?: Transport
    /** The client has gone. */
    readonly onClose?: () => void
  } = {}): Promise<{ close(): Promise<void> }> {
    this.assertCaller(caller)
    const { serveStdio, StdioServerTransport } = await loadStdio()
    const wire = transport ?? new StdioServerTransport()
    const desk = this.#deskFor(caller)
    const connection = serveStdio(({ era }) => createServer(desk, this.#servers, { lifetime: 'connection', era }), {
      transport: wire,
      onerror: (error) => tellFault(error, this.#servers.onFailure),
    })
    whenClosed(wire, () => {
      this.#connections.delete(connection)
      onClose()
    })
    this.#connections.add(connection)
    return connection
  }

  /** @throws CallboardError `mcp.unknown-agent` */
  assertCaller(caller: McpCaller): void {
    if (caller.kind !== 'agent') return
    const types = (this.#options.workflows ?? []).flatMap((machine) => [...definitionOf(machine).agents.keys()])
    if (types.includes(caller.type)) return
    const known = [...new Set(types)].join(', ') || 'none'
    const message = `no workflow here has an agent of type "${caller.type}"; there are ${known}`
    throw new CallboardError('mcp.unknown-agent', message, { type: caller.type })
  }

  /** The owners of the sessions there are. */
  get owners(): ReadonlySet<string> {
    return this.#sessions.owners
  }

  /** Ends the sessions of an owner, and with them the calls that wait. */
  async endSessions(owner: string): Promise<void> {
    await this.#sessions.end(owner)
  }

  /** Ends every session, stream and connection. The runtime stays. Twice is harmless. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all([...this.#connections].map((connection) => connection.close()))
    await Promise.all([...this.#places.values()].map(({ handler }) => handler.close()))
    await this.#sessions.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  get #caller(): McpCaller {
    return this.#options.caller ?? { kind: 'operator' }
  }

  async #placeOf(key: string, caller: McpCaller): Promise<CallerPlace> {
    const place = this.#places.get(key) ?? this.#makePlace(caller)
    this.#places.delete(key)
    this.#places.set(key, place)
    const [oldest] = this.#places
    if (this.#places.size > MOST_CALLERS && oldest !== undefined) {
      this.#places.delete(oldest[0])
      await oldest[1].handler.close()
    }
    return place
  }

  #makePlace(caller: McpCaller): CallerPlace {
    const desk = this.#deskFor(caller)
    const { sdk, onFailure } = this.#servers
    const handler = sdk.createMcpHandler(
      () => createServer(desk, this.#servers, { lifetime: 'request', era: 'modern' }),
      { legacy: 'reject', bus: new NewsBus(desk), onerror: (error) => tellFault(error, onFailure) },
    )
    return { desk, handler }
  }

  #deskFor(caller: McpCaller): Desk {
    const { runtime, workflows = [], memory, open = (runId) => runtime.open(runId) } = this.#options
    return new Desk({ runtime, workflows, memory, open }, caller)
  }
}
