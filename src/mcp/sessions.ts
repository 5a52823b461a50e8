// Sessions: clients of the protocol before 2026-07-28, which speak to one server over several requests.
//   S1. A session belongs to the caller who began it, and to its owner; for everybody else it is not there.
//   S2. There are at most so many, and of one of them; the one that was used longest ago makes room.
import type { HandleRequestOptions, WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/server'
import { randomUUID } from 'node:crypto'
import { LastMessages } from './event-store.ts'
import type { Desk } from './desk.ts'
import { createServer } from './server.ts'
import type { ServerOptions } from './server.ts'
import { tellFault } from './fault.ts'
import { whenClosed } from './when-closed.ts'

const MOST_SESSIONS = 1_000
/** So that one client does not push out the others. */
const MOST_OF_ONE = 100
/** After how long a client that was cut off is to come back. */
const RETRY_MS = 500

interface Session {
  readonly caller: string
  readonly owner: string
  readonly transport: WebStandardStreamableHTTPServerTransport
  close(): Promise<void>
}

interface AskedOfSession {
  readonly desk: Desk
  readonly caller: string
  readonly owner: string
  /** What goes with the request. */
  readonly asked: HandleRequestOptions
}

export class Sessions {
  readonly #options: ServerOptions
  /** The one used last at the end. */
  readonly #sessions = new Map<string, Session>()

  constructor(options: ServerOptions) {
    this.#options = options
  }

  async handle(request: Request, of: AskedOfSession): Promise<Response> {
    const id = request.headers.get('mcp-session-id')
    if (id === null) return this.#begin(request, of)
    const session = this.#sessions.get(id)
    if (session === undefined || session.caller !== of.caller || session.owner !== of.owner) {
      tellFault(new Error('a session is named that is not there for whoever asks'), this.#options.onFailure)
      return notFound()
    }
    this.#sessions.delete(id)
    this.#sessions.set(id, session)
    return session.transport.handleRequest(request, of.asked)
  }

  get owners(): ReadonlySet<string> {
    return new Set(Array.from(this.#sessions.values(), ({ owner }) => owner))
  }

  async end(owner: string): Promise<void> {
    const theirs = [...this.#sessions.values()].filter((session) => session.owner === owner)
    await Promise.all(theirs.map((session) => session.close()))
  }

  async close(): Promise<void> {
    await Promise.all([...this.#sessions.values()].map((session) => session.close()))
  }

  async #begin(request: Request, { desk, caller, owner, asked }: AskedOfSession): Promise<Response> {
    const server = createServer(desk, this.#options, { lifetime: 'connection', era: 'legacy' })
    let isBegun = false
    const transport = new this.#options.sdk.WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      eventStore: new LastMessages(),
      retryInterval: RETRY_MS,
      onsessioninitialized: (id) => {
        isBegun = true
        this.#sessions.set(id, { caller, owner, transport, close: () => server.close() })
      },
    })
    whenClosed(server.server, () => {
      if (transport.sessionId !== undefined) this.#sessions.delete(transport.sessionId)
    })
    await server.connect(transport)
    const response = await transport.handleRequest(request, asked)
    // Anything but the beginning of a session: the transport has said what is wrong.
    if (!isBegun) await server.close()
    await this.#makeRoom({ caller, owner })
    return response
  }

  async #makeRoom(of: Pick<Session, 'caller' | 'owner'>): Promise<void> {
    const all = [...this.#sessions.values()]
    const theirs = all.filter(({ caller, owner }) => caller === of.caller && owner === of.owner)
    if (theirs.length > MOST_OF_ONE) await theirs[0]?.close()
    else if (all.length > MOST_SESSIONS) await all[0]?.close()
  }
}

function notFound(): Response {
  const error = { code: -32_001, message: 'Session not found' }
  return Response.json({ jsonrpc: '2.0', error, id: null }, { status: 404 })
}
