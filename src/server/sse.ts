// SSE: a stream of events that is pulled by its reader: nothing is made before there is room for it.
import type { Clock } from '../base/index.ts'
import type { Call } from './operation.ts'
import { bodyOf } from './problem.ts'

/** One event. A comment keeps the connection alive. */
export type StreamEvent =
  | { readonly kind: 'event'; readonly event: string; readonly id: string; readonly data: string }
  | { readonly kind: 'heartbeat' }

/** What a source of events is told. */
export interface StreamContext {
  readonly signal: AbortSignal
  /** Resolves when it is time for a sign of life; asked anew each time. */
  late(): { readonly whenLate: Promise<void>; cancel(): void }
}

/**
 * Answers with the events of a source, some at a time, until it ends or its reader is cut off. One that breaks ends with an
 * event `problem`, which has no id: its reader goes on from where it was.
 */
export function streamEvents(
  call: Pick<Call<unknown, unknown, unknown>, 'caller' | 'request' | 'services' | 'hangUp' | 'requestId'>,
  source: (context: StreamContext) => AsyncGenerator<readonly StreamEvent[]>,
): Response {
  const { services, request, caller, hangUp, requestId } = call
  const { clock, limits, streams } = services
  // Who asks for the head only never reads.
  if (request.method === 'HEAD') return new Response(null, { headers: HEADERS })
  const stream = streams.enter(caller, hangUp)
  const signal = AbortSignal.any([stream.signal, request.signal])
  const events = source({ signal, late: () => lateIn(clock, limits.heartbeatMs) })[Symbol.asyncIterator]()
  const encoder = new TextEncoder()
  const body = new ReadableStream<Uint8Array>(
    {
      // A reader knows that it is connected before anything happens.
      start: (controller) => controller.enqueue(encoder.encode(': callboard\n\n')),
      async pull(controller) {
        stream.isHeldUp(false)
        try {
          const next = signal.aborted ? OVER : await events.next()
          if (next.done !== true && !signal.aborted) {
            controller.enqueue(encoder.encode(next.value.map(textOf).join('')))
            stream.isHeldUp(true)
            return
          }
          await events.return(undefined)
        } catch (error) {
          const problem = bodyOf(services.problemOf(error, call), requestId)
          controller.enqueue(encoder.encode(`event: problem\ndata: ${JSON.stringify(problem)}\n\n`))
        }
        stream.close()
        controller.close()
      },
      // What waits for the next change is woken by the end of the stream.
      cancel: () => stream.close(),
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

const OVER: IteratorResult<readonly StreamEvent[], undefined> = { done: true, value: undefined }

function textOf(event: StreamEvent): string {
  if (event.kind === 'heartbeat') return ': alive\n\n'
  // JSON has no line ends, so that data is one line.
  return `id: ${event.id}\nevent: ${event.event}\ndata: ${event.data}\n\n`
}

function lateIn(clock: Clock, ms: number): { readonly whenLate: Promise<void>; cancel(): void } {
  const { promise: whenLate, resolve } = Promise.withResolvers<void>()
  const timer = clock.setTimeout(resolve, ms)
  clock.keepAlive?.(timer, false)
  return { whenLate, cancel: () => clock.clearTimeout(timer) }
}
