// App: the doors as one Hono app. Every operation goes the same way:
//   A1. Place, caller, role, body within limits, schema; only then anything is done.
//   A2. Whatever goes wrong is a problem; nothing of the inside gets out.
//   A3. Every write and every refusal leaves an audit record, before its answer is sent.
import { Hono } from 'hono'
import { cors } from 'hono/cors'
import type { Context } from 'hono'
import { CallboardError, randomIds, systemClock } from '../base/index.ts'
import type { Clock } from '../base/index.ts'
import { aosOperations } from './aos/index.ts'
import { openBook } from './book.ts'
import type { ServerBook } from './book.ts'
import { assertAllowed, DEFAULT_TENANT, LOCAL_CALLER } from './caller.ts'
import type { Caller } from './caller.ts'
import { documentOf } from './document.ts'
import { docsPages } from './docs-pages.ts'
import { Feeds } from './feed.ts'
import { Guard, LOOPBACK_HOSTS, tokenIn } from './guard.ts'
import type { House, OpenHouse } from './house.ts'
import { Idempotency } from './idempotency.ts'
import { parseAt } from './issues.ts'
import type { KeptAnswer } from './kept-answers.ts'
import { limitsOf } from './limits.ts'
import type { ServerLimits } from './limits.ts'
import { McpDoors } from './mcp-doors.ts'
import { paramsOf } from './operation.ts'
import type { Answer, Call, Operation } from './operation.ts'
import { etagOf, expectedIn } from './precondition.ts'
import { bodyOf, isAos, problemFor } from './problem.ts'
import type { Problem } from './problem.ts'
import { assertNothingIn, readBytes, readJson } from './body.ts'
import { ownOperations } from './routes/index.ts'
import { assertConcerned } from './runs.ts'
import type { ServerServices } from './services.ts'
import { Streams } from './streams.ts'
import { Throttle } from './throttle.ts'
import { together } from './together.ts'

export interface AppOptions extends Partial<Omit<House, 'runtime'>> {
  /** The runtime behind the door, of the tenant `default`. */
  readonly runtime: House['runtime']
  /** Opens what other tenants have; there are none unless given. */
  readonly openTenant?: OpenHouse
  /** Tokens, idempotency keys, audit records; in memory, and so without tokens, unless given. Not closed with the app. */
  readonly book?: ServerBook
  readonly limits?: Partial<ServerLimits>
  readonly clock?: Clock
  /** Names the server is reached by beside those of loopback, without port. */
  readonly hosts?: readonly string[]
  /** Origins of pages that may use it: `https://example.org`. */
  readonly origins?: readonly string[]
  /**
   * Told of every failure that is not the caller's, with the id its answer carries; and, under the id `mcp`, of what MCP
   * clients do against the protocol (`mcp.fault`).
   */
  readonly onFailure?: (error: unknown, requestId: string) => void
  /** Commits to memory need no milestone (AOS_TEST_MODE). */
  readonly testMode?: boolean
}

interface NodeEnv {
  readonly Bindings: {
    readonly incoming?: { readonly socket?: { readonly remoteAddress?: string } }
    readonly outgoing?: { destroy(): unknown }
  }
}

/** The doors of a runtime. `fetch` is all a server needs; `close` ends streams and lets go of the rest. */
export class ServerApp {
  readonly hono: Hono<NodeEnv>
  readonly operations: readonly Operation[]
  readonly #options: AppOptions
  readonly #services: ServerServices
  readonly #guard: Guard
  readonly #idempotency: Idempotency
  readonly #houses = new Map<string, Promise<House | undefined>>()
  readonly #ownBook: ServerBook | undefined
  #isClosed = false

  /** Use `createApp`. */
  constructor(options: AppOptions) {
    this.#options = options
    const clock = options.clock ?? systemClock
    const limits = limitsOf(options.limits)
    this.#ownBook = options.book === undefined ? openBook() : undefined
    const book = options.book ?? (this.#ownBook as ServerBook)
    book.forgetKeys(clock.now() - limits.idempotencyMs)
    const streams = new Streams(clock, book, limits)
    const mcp = new McpDoors({ clock, book, onFailure: (error) => options.onFailure?.(error, 'mcp') })
    this.#services = {
      clock,
      limits,
      book,
      streams,
      feeds: new Feeds(),
      mcp,
      testMode: options.testMode ?? false,
      problemOf: (error, { requestId, caller }) => this.#problemOf(error, requestId, caller),
    }
    const { requestsPerSecond: perSecond, wrongTokensPerMinute: wrong } = limits
    this.#guard = new Guard({
      hosts: [...LOOPBACK_HOSTS, ...(options.hosts ?? [])],
      origins: options.origins ?? [],
      book,
      requests: new Throttle(clock, { perSecond, atOnce: 2 * perSecond }),
      wrongTokens: new Throttle(clock, { perSecond: wrong / 60, atOnce: wrong }),
    })
    this.#idempotency = new Idempotency(book)
    const { runtime, workflows = [], memory, tasks, sessions, evolutions, packs } = options
    this.#houses.set(
      DEFAULT_TENANT,
      Promise.resolve({ runtime, workflows, memory, tasks, sessions, evolutions, packs } satisfies House),
    )
    this.operations = [
      ...ownOperations({ memory, sessions, evolutions }),
      ...(tasks === undefined ? [] : aosOperations()),
    ]
    this.hono = this.#route()
  }

  /** Answers a request. */
  get fetch(): Hono['fetch'] {
    return this.hono.fetch as Hono['fetch']
  }

  /** How many streams are open. */
  get openStreams(): number {
    return this.#services.streams.size
  }

  /** Bytes of what is being sent to readers of streams in several pieces. */
  get streamBytes(): number {
    return this.#services.streams.heldBytes
  }

  /** Ends every stream and takes no more requests. Twice is harmless. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#services.streams.closeAll()
    this.#services.feeds.close()
    this.#services.mcp.close()
    this.#ownBook?.close()
  }

  #route(): Hono<NodeEnv> {
    const app = new Hono<NodeEnv>()
    const { origins = [] } = this.#options
    if (origins.length > 0) app.use(cors({ origin: [...origins], exposeHeaders: EXPOSED_HEADERS }))
    app.use(async (c, next) => {
      await next()
      for (const [name, value] of Object.entries(SAFE_HEADERS)) c.res.headers.set(name, value)
    })
    const document = documentOf(this.operations)
    app.get('/openapi.json', (c) => this.#open(c, () => c.json(document)))
    for (const [path, page] of docsPages()) app.get(path, (c) => this.#open(c, () => page()))
    for (const operation of this.operations) {
      const path = operation.path.replaceAll(/\{([^}]+)\}/g, ':$1')
      app.on(operation.method.toUpperCase(), path, (c) => this.#handle(c, operation))
    }
    app.notFound((c) => this.#open(c, () => this.#refuse(c, missing(c.req.path, this.operations))))
    app.onError((error, c) => this.#refuse(c, this.#problemOf(error, requestIdOf(c), UNKNOWN_CALLER)))
    return app
  }

  /** For what needs no token: documents and what is not there. */
  #open(c: Context<NodeEnv>, answer: () => Response | Promise<Response>): Response | Promise<Response> {
    this.#guard.assertPlace(c.req.raw)
    return answer()
  }

  async #handle(c: Context<NodeEnv>, operation: Operation): Promise<Response> {
    const { clock } = this.#services
    const requestId = requestIdOf(c)
    const ids: Readonly<Record<string, string>> = Object.fromEntries(
      paramsOf(operation.path).map((name) => [name, c.req.param(name) ?? '']),
    )
    let caller: Caller = UNKNOWN_CALLER
    const note = async (status: number, code: string | undefined): Promise<void> => {
      if (operation.access === 'public' || !(isWrite(operation) || REFUSALS.has(status))) return
      const { tenant, tokenId = null, name } = caller
      const { method, path: route } = operation
      const at = clock.now()
      await this.#services.book.audit({
        at,
        requestId,
        tenant,
        tokenId,
        caller: name,
        method,
        route,
        ids,
        status,
        code: code ?? null,
      })
    }
    try {
      if (this.#isClosed) throw new CallboardError('server.stopping', 'the server is stopping', {})
      this.#guard.assertPlace(c.req.raw)
      if (operation.access !== 'public') {
        const address = c.env?.incoming?.socket?.remoteAddress ?? 'unknown'
        caller = this.#guard.identify(c.req.raw, { address, at: clock.now() })
        assertAllowed(caller, operation.access)
      }
      const response = await this.#carryOut(c, operation, { caller, ids, requestId })
      await note(response.status, response.headers.get('x-callboard-code') ?? undefined)
      response.headers.delete('x-callboard-code')
      return response
    } catch (error) {
      const problem = this.#problemOf(error, requestId, caller)
      await note(problem.status, problem.code)
      return this.#refuse(c, problem)
    }
  }

  async #carryOut(
    c: Context<NodeEnv>,
    operation: Operation,
    { caller, ids, requestId }: { caller: Caller; ids: Readonly<Record<string, string>>; requestId: string },
  ): Promise<Response> {
    const request = c.req.raw
    const house = await this.#houseOf(caller.tenant)
    const runId = ids['runId'] ?? ids['run_id']
    if (runId !== undefined) await assertConcerned(house, caller, runId)
    const sent = await this.#bodyOf(operation, request)
    const call: Call<unknown, unknown, unknown> = {
      params: ids,
      query: operation.query === undefined ? {} : parseAt(operation.query, queryOf(c), 'query'),
      body: operation.body === undefined ? sent : parseAt(operation.body, sent, 'body'),
      caller,
      house,
      request,
      services: this.#services,
      requestId,
      ifMatch: isWrite(operation) ? expectedIn(request.headers, operation.answers[412] !== undefined) : undefined,
      hangUp: () => void c.env?.outgoing?.destroy(),
    }
    if (isWrite(operation)) await together()
    const key = isWrite(operation) ? request.headers.get('idempotency-key') : null
    if (key === null) return respond(await operation.handle(call), request)
    const carryOut = (): Promise<KeptAnswer> => this.#keepable(operation, call, requestId)
    const at = this.#services.clock.now()
    const { method } = operation
    const { url } = request
    const keyed = { caller, token: tokenIn(request), key, method, url, ifMatch: call.ifMatch, body: sent, at }
    const { status, headers, body: text } = await this.#idempotency.once(keyed, carryOut)
    return new Response(text === '' ? null : text, { status, headers })
  }

  async #bodyOf(operation: Operation, request: Request): Promise<unknown> {
    const { limits } = this.#services
    const { method, file, body, path, speaks } = operation
    if (method === 'get') return undefined
    if (file !== undefined) return readBytes(request, limits.fileBytes)
    const sent = await readJson(request, limits)
    if (body === undefined && speaks === undefined && !isAos(path)) assertNothingIn(sent)
    return sent
  }

  /** What comes of a call, refusals included, as it can be sent again. */
  async #keepable(operation: Operation, call: Call<unknown, unknown, unknown>, requestId: string): Promise<KeptAnswer> {
    let response: Response
    try {
      response = respond(await operation.handle(call), call.request)
    } catch (error) {
      response = this.#answerTo(this.#problemOf(error, requestId, call.caller), {
        requestId,
        isAos: isAos(operation.path),
      })
    }
    return {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: await response.text(),
    }
  }

  #problemOf(error: unknown, requestId: string, caller: Caller): Problem {
    const problem = problemFor(caller, error)
    // Whoever comes while it stops is sent away: nothing has failed.
    const isFailure = problem.status >= FAILED && problem.code !== 'server.stopping'
    if (isFailure) this.#options.onFailure?.(error, requestId)
    return problem
  }

  #refuse(c: Context<NodeEnv>, problem: Problem): Response {
    const response = this.#answerTo(problem, { requestId: requestIdOf(c), isAos: isAos(c.req.path) })
    response.headers.delete('x-callboard-code')
    return response
  }

  #answerTo(problem: Problem, { requestId, isAos }: { readonly requestId: string; readonly isAos: boolean }): Response {
    return new Response(JSON.stringify(bodyOf(problem, requestId)), {
      status: problem.status,
      headers: {
        'content-type': isAos ? 'application/json' : 'application/problem+json',
        'cache-control': 'no-store',
        'x-request-id': requestId,
        'x-callboard-code': problem.code,
        ...problem.headers,
      },
    })
  }

  async #houseOf(tenant: string): Promise<House> {
    const known = this.#houses.get(tenant)
    const opening = known ?? (this.#options.openTenant ?? nothing)(tenant)
    if (known === undefined) this.#houses.set(tenant, opening)
    const house = await opening.catch((error: unknown) => {
      this.#houses.delete(tenant)
      throw error
    })
    if (house !== undefined) return house
    this.#houses.delete(tenant)
    throw new CallboardError('server.forbidden', 'there is nothing here for the tenant of this token', {})
  }
}

/** Makes the app over a runtime. */
export function createApp(options: AppOptions): ServerApp {
  return new ServerApp(options)
}

const nothing: OpenHouse = () => Promise.resolve(undefined)
const UNKNOWN_CALLER: Caller = { ...LOCAL_CALLER, name: 'unknown', role: 'reader' }
const REFUSALS: ReadonlySet<number> = new Set([401, 403, 421, 429])
const FAILED = 500
const NOT_MODIFIED = 304
const NO_CONTENT = 204

const EXPOSED_HEADERS = ['etag', 'location', 'retry-after', 'mcp-session-id']

const SAFE_HEADERS = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
} as const

const requestIds = new WeakMap<Request, string>()

function requestIdOf(c: Context<NodeEnv>): string {
  const known = requestIds.get(c.req.raw)
  if (known !== undefined) return known
  const made = randomIds.next('req')
  requestIds.set(c.req.raw, made)
  return made
}

/** What a protocol behind a path writes, it tells itself. */
const isWrite = ({ method, speaks }: Operation): boolean => method !== 'get' && speaks === undefined

function queryOf(c: Context<NodeEnv>): Readonly<Record<string, string>> {
  return c.req.query()
}

function respond(answer: Answer | Response, request: Request): Response {
  if (answer instanceof Response) return answer
  const { status = 200, body, version, headers = {} } = answer
  const all = new Headers({ 'cache-control': 'no-store', ...headers })
  if (status === NO_CONTENT) return new Response(null, { status, headers: all })
  const text = JSON.stringify(body)
  const etag = version === undefined ? undefined : etagOf(version, text)
  if (etag !== undefined) all.set('etag', etag)
  if (etag !== undefined && request.method === 'GET' && request.headers.get('if-none-match') === etag) {
    return new Response(null, { status: NOT_MODIFIED, headers: all })
  }
  all.set('content-type', 'application/json')
  return new Response(text, { status, headers: all })
}

/** 405 where the path is there for another method. */
function missing(path: string, operations: readonly Operation[]): Problem {
  const methods = operations
    .filter((operation) => patternOf(operation.path).test(path))
    .map(({ method }) => method.toUpperCase())
  if (methods.length === 0) return { status: 404, code: 'server.not-found', message: 'Not Found' }
  const headers = { allow: [...new Set(methods)].join(', ') }
  return { status: 405, code: 'server.method', message: 'Method Not Allowed', headers }
}

function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replaceAll(/\{[^}]+\}/g, '[^/]+')}$`)
}
