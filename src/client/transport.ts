// Transport: requests to a server, and what it answers as values or errors. A write carries an idempotency key, so that one
// whose answer was lost is asked again and still done once.
import { CallboardError, randomIds } from '../base/index.ts'
import type { Clock, Ids } from '../base/index.ts'

export interface TransportOptions {
  readonly url: string
  readonly token: string | undefined
  readonly fetch: typeof globalThis.fetch
  readonly clock: Clock
  readonly ids?: Ids
}

export interface Asked {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal | undefined
}

/** What a server says of a mistake. */
interface Problem {
  readonly code: string
  readonly error: string
  readonly [field: string]: unknown
}

interface Answer {
  readonly status: number
  readonly text: string
}

/** Attempts after the first, and the pause before the first of them, doubled for each further one. */
const RETRIES = 4
const PAUSE_MS = 200
const UNAVAILABLE: ReadonlySet<unknown> = new Set([429, 502, 503, 504])
const NO_CONTENT = 204
const EVENTS = 'text/event-stream'

export class Transport {
  readonly #options: TransportOptions

  constructor(options: TransportOptions) {
    this.#options = options
  }

  get clock(): Clock {
    return this.#options.clock
  }

  /**
   * The JSON of an answer; undefined where there is none.
   * @throws CallboardError with the server's code; `client.unreachable`, `client.answer`
   */
  async ask(asked: Asked): Promise<unknown> {
    const key = asked.method === 'GET' ? {} : { 'idempotency-key': (this.#options.ids ?? randomIds).next('key') }
    for (let attempt = 0; ; attempt++) {
      const answer = await this.#tryOnce({ ...asked, headers: { ...asked.headers, ...key } }, attempt)
      if (answer === undefined) continue
      const { status, text } = answer
      if (status === NO_CONTENT) return undefined
      const said = jsonOf(text)
      if (isOk(status) && said !== undefined) return said
      if (isUnavailable(status) && attempt < RETRIES) await this.pause(attempt, asked.signal)
      else throw this.errorOf(said, status)
    }
  }

  /** The answer to a request for a stream, once it is there. @throws CallboardError like `ask` */
  async open(asked: Asked): Promise<Response> {
    const response = await this.#send({ ...asked, headers: { accept: EVENTS, ...asked.headers } })
    const isStream = response.headers.get('content-type')?.startsWith(EVENTS) === true
    if (response.ok && isStream) return response
    // What is no stream and yet is fine may be of any length.
    if (response.ok) void response.body?.cancel().catch(() => {})
    throw this.errorOf(response.ok ? undefined : jsonOf(await response.text()), response.status)
  }

  /** What a server says of a mistake, as an error; `client.answer` where it is not in the words of one. */
  errorOf(said: unknown, status: number): CallboardError {
    const problem = (typeof said === 'object' && said !== null ? said : {}) as Partial<Problem>
    const { code, error, reason, refusal, requestId } = problem
    if (typeof code !== 'string' || typeof error !== 'string' || isOk(status)) {
      const { url } = this.#options
      const message = `${url} answered, with status ${status}, and not in the words of Callboard; check the url`
      return new CallboardError('client.answer', message, { url, status })
    }
    const details = {
      status,
      requestId,
      ...(reason === undefined ? {} : { reason }),
      ...(refusal === undefined ? {} : { refusal }),
    }
    return new CallboardError(problem.code as string, error, details)
  }

  /** Before another attempt: longer each time. */
  pause(attempt: number, signal?: AbortSignal): Promise<void> {
    const { clock } = this.#options
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        clock.clearTimeout(timer)
        reject(signal?.reason as Error)
      }
      const timer = clock.setTimeout(
        () => {
          signal?.removeEventListener('abort', stop)
          resolve()
        },
        PAUSE_MS * 2 ** Math.min(attempt, RETRIES + 1),
      )
      if (signal?.aborted === true) stop()
      else signal?.addEventListener('abort', stop, { once: true })
    })
  }

  /** The whole answer; undefined where it did not come, or not whole, and another attempt is worth it. */
  async #tryOnce(asked: Asked, attempt: number): Promise<Answer | undefined> {
    try {
      const response = await this.#send(asked)
      return { status: response.status, text: await response.text() }
    } catch (error) {
      if (asked.signal?.aborted === true) throw error
      if (attempt >= RETRIES) throw this.#unreachable(error)
      await this.pause(attempt, asked.signal)
      return undefined
    }
  }

  #send({ method, path, query = {}, body, headers = {}, signal }: Asked): Promise<Response> {
    const { url, token, fetch } = this.#options
    const address = new URL(`${url.replace(/\/$/, '')}${path}`)
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) address.searchParams.set(name, String(value))
    return fetch(address, {
      method,
      headers: {
        ...headers,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    })
  }

  #unreachable(cause: unknown): CallboardError {
    const { url } = this.#options
    const message = `${url} does not answer; check that callboard serve runs there`
    return new CallboardError('client.unreachable', message, { url }, { cause })
  }
}

/** Whether it may pass: the server, or what is before it, asks for another attempt. */
export const isUnavailable = (status: unknown): boolean => UNAVAILABLE.has(status)

const isOk = (status: number): boolean => status >= 200 && status < 300

/** Undefined for what is none: what answers is somebody else then. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

/** A part of a path. */
export const segment = (text: string): string => encodeURIComponent(text)
