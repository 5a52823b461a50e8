// Body: the JSON of a request, read within limits. What is too deep or too much is refused before anybody walks it.
import { CallboardError, isCallboardError } from '../base/index.ts'
import type { ServerLimits } from './limits.ts'
import { thrown } from './problem.ts'
import type { Issue } from './problem.ts'

type BodyLimits = Pick<ServerLimits, 'bodyBytes' | 'bodyDepth' | 'bodyParts'>

/** No body is `undefined`. @throws a problem, `server.body` or `server.too-large` */
export async function readJson(request: Request, limits: BodyLimits): Promise<unknown> {
  const text = await readText(request, limits.bodyBytes)
  if (text.trim() === '') return undefined
  const parsed = parse(text)
  assertBounded(parsed, limits)
  return parsed
}

/** For what takes no body: what it says would be passed over. @throws CallboardError `server.invalid` */
export function assertNothingIn(body: unknown): void {
  if (body === undefined || (typeof body === 'object' && body !== null && Object.keys(body).length === 0)) return
  throw new CallboardError('server.invalid', 'this takes no body; what is expected is said by If-Match', {})
}

/** The bytes of a request's body. @throws CallboardError `server.too-large`; a problem, `server.body`, where it breaks off */
export async function readBytes(request: Request, most: number): Promise<Uint8Array> {
  try {
    return await readAll(request, most)
  } catch (error) {
    if (isCallboardError(error)) throw error
    // Whoever hangs up in the middle has failed, not the server.
    throw thrown({ status: 400, code: 'server.body', message: 'the body breaks off before its end; send it again' })
  }
}

async function readAll(request: Request, most: number): Promise<Uint8Array> {
  const declared = Number(request.headers.get('content-length') ?? 0)
  if (declared > most) throw tooLarge(`a body may have ${most} bytes`)
  // Node.js holds a body to its declared length; only one without needs to be counted while it comes.
  if (request.headers.has('content-length')) return new Uint8Array(await request.arrayBuffer())
  if (request.body === null) return new Uint8Array()
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body) {
    size += chunk.byteLength
    if (size > most) throw tooLarge(`a body may have ${most} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

async function readText(request: Request, most: number): Promise<string> {
  const bytes = await readBytes(request, most)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw notJson('the body is not UTF-8')
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    // A nesting that the parser cannot follow is one that nobody may send.
    if (error instanceof RangeError) throw tooLarge('the body is too deep')
    throw notJson('the body is not JSON')
  }
}

/** Walks without recursion: the depth is what is being asked. */
function assertBounded(body: unknown, { bodyDepth, bodyParts }: BodyLimits): void {
  let level: unknown[] = [body]
  let parts = 0
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > bodyDepth) throw tooLarge(`a body may have ${bodyDepth} levels`)
    const below: unknown[] = []
    for (const value of level) {
      if (typeof value !== 'object' || value === null) continue
      const children = Object.values(value)
      parts += children.length
      if (parts > bodyParts) throw tooLarge(`a body may have ${bodyParts} names and items`)
      // Not push(...children): there may be more of them than a call takes arguments.
      for (const child of children) below.push(child)
    }
    level = below
  }
}

function tooLarge(rule: string): CallboardError {
  return new CallboardError('server.too-large', `${rule}; send less, or in parts`, {})
}

function notJson(message: string): Error {
  const issue: Issue = { type: 'json_invalid', loc: ['body', 0], msg: 'JSON decode error', input: {} }
  return thrown({ status: 422, code: 'server.body', message, issues: [issue] })
}
