// Passed stream: an answer that somebody else makes piece by piece, as one of the server's streams: it ends when the token is
// revoked or the server stops, and its connection is cut when nobody takes it. Who makes it does not ask whether there is room,
// so it is taken as it comes, and what waits is counted with what waits for others.
import type { EnteredStream } from './open-stream.ts'

export function asStream(response: Response, stream: EnteredStream): Response {
  const source = response.body?.getReader()
  if (source === undefined) {
    stream.close()
    return response
  }
  const waiting = new Waiting(stream)
  const leave = (): void => {
    waiting.end()
    void source.cancel().catch(() => {})
  }
  stream.signal.addEventListener('abort', leave, { once: true })
  const takeAll = async (): Promise<void> => {
    for (let next = await source.read(); !next.done; next = await source.read()) waiting.add(next.value)
  }
  void takeAll().then(
    () => waiting.end(),
    (error: unknown) => waiting.end(error),
  )
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        stream.isHeldUp(false)
        const piece = await waiting.next()
        if (piece === undefined) {
          stream.close()
          controller.close()
          return
        }
        controller.enqueue(piece)
        stream.isHeldUp(true)
      },
      cancel: () => stream.close(),
    },
    // Nothing is given before somebody asks for it, so that one who does not is seen.
    { highWaterMark: 0 },
  )
  const { status, headers } = response
  return new Response(body, { status, headers })
}

/** What has come and was not taken yet. */
class Waiting {
  readonly #stream: EnteredStream
  readonly #pieces: Uint8Array[] = []
  #bytes = 0
  #ended: { readonly error: unknown } | undefined
  #wake = (): void => {}

  constructor(stream: EnteredStream) {
    this.#stream = stream
  }

  add(piece: Uint8Array): void {
    if (this.#ended !== undefined) return
    this.#pieces.push(piece)
    this.#count(piece.length)
    this.#wake()
  }

  end(error?: unknown): void {
    this.#ended ??= { error }
    this.#wake()
  }

  /** Undefined at the end. */
  async next(): Promise<Uint8Array | undefined> {
    while (this.#pieces.length === 0 && this.#ended === undefined) {
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
    const piece = this.#stream.isOver ? undefined : this.#pieces.shift()
    if (piece !== undefined) this.#count(-piece.length)
    else if (this.#ended?.error !== undefined) {
      this.#stream.close()
      throw this.#ended.error
    }
    return piece
  }

  #count(bytes: number): void {
    this.#bytes += bytes
    this.#stream.hold({ pieces: this.#pieces, bytes: this.#bytes })
  }
}
