// Broken request: what is no HTTP, or comes under no name that can be one, never gets to a route; it is answered with a
// problem all the same.
import type { Duplex } from 'node:stream'
import { randomIds } from '../base/index.ts'
import { bodyOf, titleOf } from './problem.ts'
import type { Problem } from './problem.ts'

const INVALID: Problem = { status: 400, code: 'server.invalid', message: 'this is no request of HTTP/1.1' }

/** By the codes of Node.js. */
const PROBLEMS: Readonly<Record<string, Problem>> = {
  HPE_HEADER_OVERFLOW: { status: 431, code: 'server.too-large', message: 'the headers are too large; send less' },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: {
    status: 413,
    code: 'server.too-large',
    message: 'the chunk extensions are too large',
  },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, code: 'server.invalid', message: 'the request took too long to arrive' },
}

/** Answers on the connection itself, and ends it. */
export function answerBroken(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const problem = PROBLEMS[error.code ?? ''] ?? INVALID
  const { status } = problem
  const body = JSON.stringify(bodyOf(problem, randomIds.next('req')))
  const head = [
    `HTTP/1.1 ${status} ${titleOf(status)}`,
    'content-type: application/problem+json',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

/** For a request whose Host is none. */
export function brokenResponse(): Response {
  const body = bodyOf({ ...INVALID, message: 'the request has no Host, or one that is no name' }, randomIds.next('req'))
  return Response.json(body, { status: INVALID.status, headers: { 'content-type': 'application/problem+json' } })
}
