// Listen: the app on an address. Stopping lets requests under way finish, and takes no longer than it was told.
import { createServer } from 'node:http'
import type { Server, ServerResponse } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { CallboardError, systemClock } from '../base/index.ts'
import { createApp } from './app.ts'
import type { AppOptions, ServerApp } from './app.ts'
import { openBook } from './book.ts'
import { answerBroken, brokenResponse } from './broken-request.ts'
import { limitsOf } from './limits.ts'

export interface ServerOptions extends AppOptions {
  /** 8000 unless given; 0 for one that is free. */
  readonly port?: number
  /** An address of loopback unless given; another one needs tokens in the book. */
  readonly host?: string
}

export interface HttpServer extends AsyncDisposable {
  readonly app: ServerApp
  readonly host: string
  readonly port: number
  /** `http://127.0.0.1:8000` */
  readonly url: string
  /**
   * Takes no more requests, ends the streams, lets what is under way finish; after `graceMs` (3,000 unless given) it cuts.
   * The runtime is left to whoever made it. Twice is harmless.
   */
  close(options?: { readonly graceMs?: number }): Promise<void>
}

const DEFAULT_PORT = 8_000
const HIGHEST_PORT = 65_535
const LOOPBACK = '127.0.0.1'
const LOOPBACK_ADDRESSES: ReadonlySet<string> = new Set([LOOPBACK, '::1', 'localhost'])
/** Addresses that mean every one of the machine: nobody reaches a server by such a name. */
const EVERY_ADDRESS: ReadonlySet<string> = new Set(['0.0.0.0', '::'])
const GRACE_MS = 3_000
/** A request may take so much longer to arrive than it is allowed. */
const MOST_LATE_MS = 5_000
/** Longer than proxies keep a connection that is idle (a minute mostly): who closes it first must not be the server. */
const KEEP_ALIVE_MS = 65_000

/**
 * Opens the doors of a runtime on an address.
 *
 * @throws CallboardError `server.open-to-all` for an address beyond loopback while there is no token; `server.address` when
 *   it cannot be listened on; `server.option` for a port that is none, and for a limit that is none
 */
export async function openServer(options: ServerOptions): Promise<HttpServer> {
  const { port = DEFAULT_PORT, host = LOOPBACK, hosts = [], clock = systemClock } = options
  assertPort(port)
  const book = options.book ?? openBook()
  if (!LOOPBACK_ADDRESSES.has(host) && !book.hasTokens) {
    const message = `${host} can be reached by others, and this server has no tokens; make one with callboard token add, or listen on ${LOOPBACK}`
    throw new CallboardError('server.open-to-all', message, { host })
  }
  const limits = limitsOf(options.limits)
  const own = EVERY_ADDRESS.has(host) ? [] : [host.includes(':') ? `[${host}]` : host]
  const app = createApp({ ...options, book, hosts: [...hosts, ...own] })
  const underWay = new Set<ServerResponse>()
  let closing: Promise<void> | undefined
  // Its clean-up of unread bodies closes kept-alive connections now and then, in the middle of the next request: of 6,000
  // requests over 32 connections, one was reset. Node.js discards what is left of a body by itself.
  const listener = getRequestListener(app.fetch, {
    overrideGlobalObjects: false,
    autoCleanupIncoming: false,
    errorHandler: brokenResponse,
  })
  const server = createServer(
    // Whoever asks without a Host is answered below, with a body.
    {
      maxHeaderSize: limits.headerBytes,
      requestTimeout: limits.requestTimeoutMs,
      // How often Node.js looks: a request may take so much longer.
      connectionsCheckingInterval: Math.min(limits.requestTimeoutMs, MOST_LATE_MS),
      keepAliveTimeout: KEEP_ALIVE_MS,
      requireHostHeader: false,
    },
    (request, response) => {
      underWay.add(response)
      response.on('close', () => {
        underWay.delete(response)
        // A stream that was begun before could not be told that its connection ends with it.
        if (closing !== undefined) request.socket.end()
      })
      void listener(request, response)
    },
  )
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const begun = [...underWay].find((response) => response.socket === socket)
    // In the middle of another answer, or before it, there is no place for this one; what breaks in its body has no other.
    if (begun !== undefined && (begun.headersSent || begun.req.complete)) socket.destroy()
    else answerBroken(error, socket)
    // Were the rest of the body to come, it would be carried out all the same.
    if (begun !== undefined) socket.once('finish', () => socket.destroy())
  })
  server.maxConnections = limits.connections
  const listening = await listen(server, host, port)
  const shutDown = async (graceMs: number): Promise<void> => {
    app.close()
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    server.closeIdleConnections()
    // A connection that is kept alive is told to end with the answer that is under way on it.
    for (const response of underWay) if (!response.headersSent) response.setHeader('connection', 'close')
    const timer = clock.setTimeout(() => server.closeAllConnections(), graceMs)
    await closed
    clock.clearTimeout(timer)
    if (options.book === undefined) book.close()
  }
  const close = ({ graceMs = GRACE_MS }: { readonly graceMs?: number } = {}): Promise<void> =>
    (closing ??= shutDown(graceMs))
  const name = host.includes(':') ? `[${host}]` : host
  return {
    app,
    host,
    port: listening,
    url: `http://${name}:${listening}`,
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** Node.js would take a text for the path of a socket. */
function assertPort(port: number): void {
  if (Number.isInteger(port) && port >= 0 && port <= HIGHEST_PORT) return
  const message = `port is ${String(port)}; ports are whole numbers from 0, for one that is free, to ${HIGHEST_PORT}`
  throw new CallboardError('server.option', message, { name: 'port' })
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const why = cause.code === 'EADDRINUSE' ? 'something listens there already' : (cause.code ?? 'it is refused')
      const message = `cannot listen on ${host}:${port}: ${why}; choose another port or host`
      reject(new CallboardError('server.address', message, { host, port }, { cause }))
    })
    server.listen(port, host, () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}
