// The last messages of a session's streams, so that a client whose connection broke goes on where it was.
import type { EventStore, JSONRPCMessage } from '@modelcontextprotocol/server'
import { CallboardError } from '../base/index.ts'

interface StoredMessage {
  readonly id: string
  readonly streamId: string
  readonly text: string
}

/** Messages that a session keeps. */
const MOST_KEPT = 1_000
/** Characters of them together, for there are answers of any size. The last one is kept whatever it is. */
const MOST_CHARACTERS = 4_000_000

export class LastMessages implements EventStore {
  #messages: StoredMessage[] = []
  #characters = 0
  #count = 0

  async storeEvent(streamId: string, message: JSONRPCMessage): Promise<string> {
    this.#count += 1
    const id = String(this.#count)
    const text = JSON.stringify(message)
    this.#messages.push({ id, streamId, text })
    this.#characters += text.length
    if (this.#messages.length > 2 * MOST_KEPT || this.#characters > 2 * MOST_CHARACTERS) this.#forget()
    return id
  }

  async getStreamIdForEventId(id: string): Promise<string | undefined> {
    return this.#messages.find((stored) => stored.id === id)?.streamId
  }

  async replayEventsAfter(
    lastId: string,
    { send }: { readonly send: (id: string, message: JSONRPCMessage) => Promise<void> },
  ): Promise<string> {
    const at = this.#messages.findIndex(({ id }) => id === lastId)
    const last = this.#messages[at]
    if (last === undefined) {
      const message = `the message ${lastId} is not kept any more; begin another session`
      throw new CallboardError('mcp.not-resumable', message, { lastId })
    }
    const missed = this.#messages.slice(at + 1).filter(({ streamId }) => streamId === last.streamId)
    // What opens a stream carries nothing.
    for (const { id, text } of missed) if (text !== '{}') await send(id, JSON.parse(text) as JSONRPCMessage)
    return last.streamId
  }

  #forget(): void {
    let [from, characters] = [this.#messages.length, 0]
    while (from > 0 && this.#messages.length - from < MOST_KEPT) {
      const size = this.#messages[from - 1]?.text.length ?? 0
      if (characters > 0 && characters + size > MOST_CHARACTERS) break
      characters += size
      from -= 1
    }
    this.#messages = this.#messages.slice(from)
    this.#characters = characters
  }
}
