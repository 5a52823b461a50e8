// Passed stream: an answer that somebody else makes piece by piece, as one of the server's streams: it ends when the token is
// revoked or the server stops, and its connection is cut when nobody takes it.
import type { EnteredStream } from './open-stream.ts'

export function asStream(response: Response, stream: EnteredStream): Response {
  const source = response.body?.getReader()
  if (source === undefined) {
    stream.close()
    return response
  }
  const leave = (): void => void source.cancel().catch(() => {})
  stream.signal.addEventListener('abort', leave, { once: true })
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        stream.isHeldUp(false)
        const next = await source.read().catch((error: unknown) => {
          stream.close()
          throw error
        })
        if (next.done) {
          stream.close()
          controller.close()
          return
        }
        controller.enqueue(next.value)
        stream.isHeldUp(true)
      },
      cancel: () => stream.close(),
    },
    // Nothing is taken before somebody asks for it, so that one who does not is seen.
    { highWaterMark: 0 },
  )
  const { status, headers } = response
  return new Response(body, { status, headers })
}
