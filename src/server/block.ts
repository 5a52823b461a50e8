// Block: bytes for readers, made once for all who may have the same, in pieces that are sent one at a time: what lies in a
// connection is some pieces, however large the block is.

export interface Block {
  /** Each has bytes of its own: one that waits to be sent keeps no other. */
  readonly pieces: readonly Uint8Array[]
  readonly bytes: number
}

/** One event as a reader gets it. `data` is JSON, which has no line ends. */
export interface StreamedEvent {
  readonly id: string
  readonly event: string
  readonly data: string
}

/** Characters of a piece: at most three bytes each. */
const PIECE = 16_384
/** Bytes of a piece at most. */
export const PIECE_BYTES = 3 * PIECE
const encoder = new TextEncoder()

export function blockOf(text: string): Block {
  const pieces: Uint8Array[] = []
  for (let at = 0; at < text.length;) {
    const end = endOfPiece(text, at + PIECE)
    pieces.push(encoder.encode(text.slice(at, end)))
    at = end
  }
  return { pieces, bytes: pieces.reduce((sum, { length }) => sum + length, 0) }
}

export function eventBlock({ id, event, data }: StreamedEvent): Block {
  return blockOf(`id: ${id}\nevent: ${event}\ndata: ${data}\n\n`)
}

/** Blocks as one. */
export function joined(blocks: readonly Block[]): Block {
  const [first] = blocks
  if (blocks.length === 1 && first !== undefined) return first
  const piece = new Uint8Array(blocks.reduce((sum, { bytes }) => sum + bytes, 0))
  let at = 0
  for (const part of blocks.flatMap(({ pieces }) => pieces)) {
    piece.set(part, at)
    at += part.length
  }
  return { pieces: [piece], bytes: piece.length }
}

export const HEARTBEAT: Block = blockOf(': alive\n\n')

/** A pair of surrogates is one character, and stays together. */
function endOfPiece(text: string, end: number): number {
  const isPair = end < text.length && (text.codePointAt(end - 1) ?? 0) > 0xff_ff
  return Math.min(text.length, isPair ? end - 1 : end)
}
