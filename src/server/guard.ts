// Guard: what is looked at before anything is done: where a request comes from, who sends it, how often.
import { CallboardError } from '../base/index.ts'
import type { ServerBook } from './book.ts'
import { LOCAL_CALLER } from './caller.ts'
import type { Caller } from './caller.ts'
import { thrown } from './problem.ts'
import type { Throttle } from './throttle.ts'

export interface GuardOptions {
  /** Names this server is reached by, without port; any port is right. */
  readonly hosts: readonly string[]
  /** Pages on other origins that may use it: `https://example.org`. None unless given. */
  readonly origins: readonly string[]
  readonly book: ServerBook
  readonly requests: Throttle
  readonly wrongTokens: Throttle
}

/** A page that some other server has put on a name of its own must not reach this one. */
export const LOOPBACK_HOSTS: readonly string[] = ['localhost', '127.0.0.1', '[::1]']

const SECOND_MS = 1_000

export class Guard {
  readonly #options: GuardOptions

  constructor(options: GuardOptions) {
    this.#options = options
  }

  /** @throws CallboardError `server.host`, `server.origin` */
  assertPlace(request: Request): void {
    const { hosts, origins } = this.#options
    const { host, hostname } = new URL(request.url)
    if (!hosts.includes(hostname)) {
      throw new CallboardError('server.host', 'this server is not known under that name; start it with the name', {})
    }
    const origin = request.headers.get('origin')
    if (origin === null || origins.includes(origin) || isSameOrigin(origin, host)) return
    throw new CallboardError('server.origin', 'pages of that origin may not use this server', {})
  }

  isAllowedOrigin(origin: string): boolean {
    return this.#options.origins.includes(origin)
  }

  /** Who sends a request. @throws a problem, `server.no-token`, `server.wrong-token`, `server.too-many` */
  identify(request: Request, { address, at }: { readonly address: string; readonly at: number }): Caller {
    const { book, requests } = this.#options
    const shown = tokenIn(request)
    if (shown === undefined && !book.hasTokens) return LOCAL_CALLER
    if (shown === undefined) {
      assertFree(requests.take(address))
      throw unauthorized('server.no-token', 'a token is needed: Authorization: Bearer <token>')
    }
    const token = book.findToken(shown, at)
    if (token === undefined) {
      assertFree(this.#options.wrongTokens.take(address))
      throw unauthorized('server.wrong-token', 'the token is wrong, revoked or over')
    }
    const { id: tokenId, name, role, tenant, agent } = token
    assertFree(requests.take(tokenId))
    return Object.freeze({ tokenId, name, role, tenant, agent })
  }
}

/** The token that a request shows, right or wrong. */
export function tokenIn(request: Request): string | undefined {
  return /^Bearer +(?<token>\S+)$/i.exec(request.headers.get('authorization') ?? '')?.groups?.['token']
}

function isSameOrigin(origin: string, host: string): boolean {
  return URL.canParse(origin) && new URL(origin).host === host
}

function assertFree(waitMs: number): void {
  if (waitMs === 0) return
  const seconds = Math.max(1, Math.ceil(waitMs / SECOND_MS))
  throw thrown({
    status: 429,
    code: 'server.too-many',
    message: `too many requests; try again in ${seconds} s`,
    headers: { 'retry-after': String(seconds) },
  })
}

function unauthorized(code: string, message: string): Error {
  return thrown({ status: 401, code, message, headers: { 'www-authenticate': 'Bearer' } })
}
