// SSE: a stream of events that is pulled by its reader: nothing is made before there is room for it.
import { blockOf } from './block.ts'
import type { Block } from './block.ts'
import type { EnteredStream } from './open-stream.ts'
import type { Call } from './operation.ts'

/** What a source of events is told. */
export type StreamContext = Pick<EnteredStream, 'isOver' | 'isLate' | 'nap' | 'make'>

/** Answers with the events of a source, some at a time, until it ends or its reader is cut off. */
export function streamEvents(
  call: Pick<Call<unknown, unknown, unknown>, 'caller' | 'request' | 'services' | 'hangUp'>,
  source: (context: StreamContext) => AsyncGenerator<Block>,
): Response {
  const { services, request, caller, hangUp } = call
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
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        stream.isHeldUp(false)
        if (queue.length === 0) {
          stream.hold(undefined)
          const next = stream.isOver ? OVER : await events.next().catch(failed)
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
  const failed = (error: unknown): never => {
    stream.close()
    throw error
  }
  return new Response(body, {
    headers: {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    },
  })
}

const GREETING = blockOf(': callboard\n\n')
const OVER: IteratorResult<Block, undefined> = { done: true, value: undefined }
