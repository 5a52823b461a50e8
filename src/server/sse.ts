// SSE: a stream of events that is pulled by its reader: nothing is made before there is room for it.
import type { Clock } from '../base/index.ts'
import type { Call } from './operation.ts'

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

/** Answers with the events of a source, some at a time, until it ends or its reader is cut off. */
export function streamEvents(
  call: Pick<Call<unknown, unknown, unknown>, 'caller' | 'request' | 'services' | 'hangUp'>,
  source: (context: StreamContext) => AsyncIterable<readonly StreamEvent[]>,
): Response {
  const { services, request, caller, hangUp } = call
  const { clock, limits, streams } = services
  const stream = streams.enter(caller, hangUp)
  const signal = AbortSignal.any([stream.signal, request.signal])
  const context = { signal, late: () => lateIn(clock, limits.heartbeatMs) }
  async function* chunks(): AsyncGenerator<Uint8Array> {
    const encoder = new TextEncoder()
    try {
      // A reader knows that it is connected before anything happens.
      yield encoder.encode(': callboard\n\n')
      for await (const events of source(context)) {
        if (signal.aborted) return
        stream.isHeldUp(true)
        yield encoder.encode(events.map(textOf).join(''))
        stream.isHeldUp(false)
        if (signal.aborted) return
      }
    } finally {
      stream.close()
    }
  }
  return new Response(ReadableStream.from(chunks()) as unknown as ReadableStream<Uint8Array>, {
    headers: {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    },
  })
}

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
