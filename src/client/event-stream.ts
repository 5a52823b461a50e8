// Event stream: server-sent events as they come, over as many connections as it takes. What was got is not asked for again:
// each connection begins after the last id.
import { isCallboardError } from '../base/index.ts'
import type { CallboardError } from '../base/index.ts'
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

/** @throws CallboardError what the server says to the request: it is not asked again; the reason of an abort ends it */
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
      for await (const event of eventsIn(response)) {
        failures = 0
        lastId = event.id
        yield event
        if (event.event === end) return
      }
    } catch (error) {
      if (isAborted()) return
      if (isCallboardError(error) && !isWorthAnotherTry(error)) throw error
    }
    // The connection is gone, and the stream was not over.
    await transport.pause(failures++, signal).catch(() => undefined)
  }
}

const isWorthAnotherTry = ({ code }: CallboardError): boolean =>
  code === 'server.stopping' || code === 'server.streams' || code === 'client.answer'

async function* eventsIn({ body }: Response): AsyncGenerator<ServerEvent> {
  if (body === null) return
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of body) {
    const blocks = (rest + decoder.decode(chunk, { stream: true })).split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) {
      const event = parse(block)
      if (event !== undefined) yield event
    }
  }
}

/** Undefined for a comment. */
function parse(block: string): ServerEvent | undefined {
  const fields = new Map<string, string>()
  for (const line of block.split('\n')) {
    const at = line.indexOf(':')
    if (at > 0) fields.set(line.slice(0, at), line.slice(at + 1).trimStart())
  }
  const [id, event, data] = [fields.get('id'), fields.get('event'), fields.get('data')]
  if (id === undefined || event === undefined || data === undefined) return undefined
  return { id, event, data: JSON.parse(data) as unknown }
}
