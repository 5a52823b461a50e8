// Event stream: server-sent events as they come, over as many connections as it takes. What was got is not asked for again:
// each connection begins after the last id.
import { isCallboardError } from '../base/index.ts'
import type { Clock } from '../base/index.ts'
import { isUnavailable, jsonOf } from './transport.ts'
import type { Asked, Transport } from './transport.ts'

export interface ServerEvent {
  readonly id: string
  readonly event: string
  readonly data: unknown
}

export interface FollowOptions extends Pick<Asked, 'path' | 'query'> {
  /** The event after which nothing comes any more. */
  readonly end: string
  readonly signal: AbortSignal | undefined
}

/**
 * @throws CallboardError what the server says to the request, unless it is that it cannot at the moment, and `client.answer`
 * for what is no server: it is not asked again. An abort ends it.
 */
export async function* followEvents(
  transport: Transport,
  { path, query, end, signal }: FollowOptions,
): AsyncGenerator<ServerEvent> {
  let lastId: string | undefined
  let failures = 0
  const isAborted = (): boolean => signal?.aborted === true
  while (!isAborted()) {
    try {
      const headers = lastId === undefined ? {} : { 'last-event-id': lastId }
      const response = await transport.open({
        method: 'GET',
        path,
        ...(query === undefined ? {} : { query }),
        headers,
        signal,
      })
      for await (const event of eventsIn(response, transport)) {
        failures = 0
        lastId = event.id
        yield event
        if (event.event === end) return
      }
    } catch (error) {
      if (isAborted()) return
      if (isCallboardError(error) && !isUnavailable(error.details['status'])) throw error
    }
    // The connection is gone, and the stream was not over.
    await transport.pause(failures++, signal).catch(() => undefined)
  }
}

/** A server gives a sign of life every 15 s; without one for so long, the connection is gone and nobody has said so. */
const DEAD_MS = 60_000

async function* eventsIn({ body, status }: Response, transport: Transport): AsyncGenerator<ServerEvent> {
  if (body === null) return
  // Put together at its end: an event of megabytes comes in many pieces.
  let pieces: string[] = []
  for await (const piece of piecesOf(body, transport.clock)) {
    const isEnd = piece.includes('\n\n') || (piece.startsWith('\n') && pieces.at(-1)?.endsWith('\n') === true)
    pieces.push(piece)
    if (!isEnd) continue
    const blocks = pieces.join('').split('\n\n')
    pieces = [blocks.pop() ?? '']
    for (const block of blocks) {
      const event = parse(block)
      if (event === undefined) continue
      if (event.data === undefined) throw transport.errorOf(undefined, status)
      yield event
    }
  }
}

/** What comes, as text, until the connection ends or is dead. */
async function* piecesOf(body: ReadableStream<Uint8Array>, clock: Clock): AsyncGenerator<string> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  try {
    for (;;) {
      const { promise: dead, resolve } = Promise.withResolvers<undefined>()
      const timer = clock.setTimeout(() => resolve(undefined), DEAD_MS)
      const next = await Promise.race([reader.read(), dead]).finally(() => clock.clearTimeout(timer))
      if (next === undefined || next.done) return
      const piece = decoder.decode(next.value, { stream: true })
      if (piece !== '') yield piece
    }
  } finally {
    void reader.cancel().catch(() => {})
  }
}

/** Undefined for a comment; without data where that is no JSON. */
function parse(block: string): ServerEvent | undefined {
  const fields = new Map<string, string>()
  for (const line of block.split('\n')) {
    const at = line.indexOf(':')
    if (at > 0) fields.set(line.slice(0, at), line.slice(at + 1).trimStart())
  }
  const [id, event, data] = [fields.get('id'), fields.get('event'), fields.get('data')]
  if (id === undefined || event === undefined || data === undefined) return undefined
  return { id, event, data: jsonOf(data) }
}
