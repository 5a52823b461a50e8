// The last messages of a session's streams, so that a client whose connection broke goes on where it was.
import type { EventStore, JSONRPCMessage } from '@modelcontextprotocol/server'
import { CallboardError } from '../base/index.ts'

interface StoredMessage {
  readonly id: string
  readonly streamId: string
  readonly message: JSONRPCMessage
}

/** Messages that a session keeps. */
const MOST_KEPT = 1_000

export class LastMessages implements EventStore {
  #messages: StoredMessage[] = []
  #count = 0

  async storeEvent(streamId: string, message: JSONRPCMessage): Promise<string> {
    this.#count += 1
    const id = String(this.#count)
    this.#messages.push({ id, streamId, message })
    if (this.#messages.length > 2 * MOST_KEPT) this.#messages = this.#messages.slice(-MOST_KEPT)
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
    for (const { id, message } of missed) if (Object.keys(message).length > 0) await send(id, message)
    return last.streamId
  }
}
