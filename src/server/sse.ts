// SSE: a stream of events that is pulled by its reader: nothing is made before there is room for it.
import { blockOf } from './block.ts'
import type { Block } from './block.ts'
import type { EnteredStream } from './open-stream.ts'
import type { Call } from './operation.ts'
import { bodyOf } from './problem.ts'

/** What a source of events is told. */
export type StreamContext = Pick<EnteredStream, 'isOver' | 'isLate' | 'nap' | 'make'>

/**
 * Answers with the events of a source, some at a time, until it ends or its reader is cut off. One that breaks ends with an
 * event `problem`, which has no id: its reader goes on from where it was.
 */
export function streamEvents(
  call: Pick<Call<unknown, unknown, unknown>, 'caller' | 'request' | 'services' | 'hangUp' | 'requestId'>,
  source: (context: StreamContext) => AsyncGenerator<Block>,
): Response {
  const { services, request, caller, hangUp, requestId } = call
  // Who asks for the head only never reads.
  if (request.method === 'HEAD') return new Response(null, { headers: HEADERS })
  const stream = services.streams.enter(caller, hangUp)
  const events = source(stream)
  // A source that waits is woken by the end of the stream; one that has given something goes no further.
  const leave = async (): Promise<void> => {
    stream.close()
    await events.return(undefined)
  }
  stream.signal.addEventListener('abort', () => void leave(), { once: true })
  request.signal.addEventListener('abort', () => stream.close(), { once: true })
  // A reader knows that it is connected before anything happens.
  const queue = [...GREETING.pieces]
  const broken = (error: unknown): IteratorResult<Block, undefined> => {
    const problem = bodyOf(services.problemOf(error, call), requestId)
    queue.push(...blockOf(`event: problem\ndata: ${JSON.stringify(problem)}\n\n`).pieces)
    return OVER
  }
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        stream.isHeldUp(false)
        if (queue.length === 0) {
          stream.hold(undefined)
          const next = stream.isOver ? OVER : await events.next().catch(broken)
          if (next.done !== true) {
            stream.hold(next.value)
            queue.push(...next.value.pieces)
          }
        }
        const piece = stream.isOver ? undefined : queue.shift()
        if (piece === undefined) {
          await leave()
          controller.close()
          return
        }
        controller.enqueue(piece)
        stream.isHeldUp(true)
      },
      cancel: leave,
    },
    // Nothing is made before somebody asks for it.
    { highWaterMark: 0 },
  )
  return new Response(body, { headers: HEADERS })
}

const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  'x-accel-buffering': 'no',
} as const
const GREETING = blockOf(': callboard\n\n')
const OVER: IteratorResult<Block, undefined> = { done: true, value: undefined }
