// Frame: one committed record as readers get it: its text and its bytes are made once, however many read it.
import type { Change } from '../runtime/index.ts'
import { eventBlock, joined } from './block.ts'
import type { Block } from './block.ts'

/** Bytes that are given at once, unless a single event is larger. */
const MOST_AT_ONCE = 32_768

export class Frame {
  readonly runId: string
  readonly seq: number
  /** The change as JSON. */
  readonly text: string
  #block: Block | undefined
  #blockOfAll: Block | undefined

  constructor(runId: string, change: Change) {
    this.runId = runId
    this.seq = change.seq
    this.text = JSON.stringify(change)
  }

  /** In the stream of its run. */
  get block(): Block {
    return (this.#block ??= eventBlock({ id: String(this.seq), event: 'change', data: this.text }))
  }

  /** In the stream of all runs, where it also says of which run it is. */
  blockAt(place: string): Block {
    const data = `{"runId":${JSON.stringify(this.runId)},"change":${this.text}}`
    return (this.#blockOfAll ??= eventBlock({ id: place, event: 'change', data }))
  }
}

/** As many of the first as are given at once, as one block. */
export function together<Item>(
  items: readonly Item[],
  blockOf: (item: Item) => Block,
): { readonly block: Block; readonly last: Item } | undefined {
  const blocks: Block[] = []
  let bytes = 0
  let last: Item | undefined
  for (const item of items) {
    const block = blockOf(item)
    if (blocks.length > 0 && bytes + block.bytes > MOST_AT_ONCE) break
    blocks.push(block)
    bytes += block.bytes
    last = item
  }
  return last === undefined ? undefined : { block: joined(blocks), last }
}
