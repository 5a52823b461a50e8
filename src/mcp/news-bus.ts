// What a caller's listening streams are fed from: it follows the news while anybody listens.
import type { ServerEvent, ServerEventBus } from '@modelcontextprotocol/server'
import type { Desk } from './desk.ts'
import { followNews } from './news.ts'

export class NewsBus implements ServerEventBus {
  readonly #desk: Desk
  readonly #listeners = new Set<(event: ServerEvent) => void>()
  #off: (() => void) | undefined

  constructor(desk: Desk) {
    this.#desk = desk
  }

  publish(event: ServerEvent): void {
    for (const listener of [...this.#listeners]) listener(event)
  }

  subscribe(listener: (event: ServerEvent) => void): () => void {
    this.#listeners.add(listener)
    this.#off ??= followNews(this.#desk, {
      onUpdated: (uri) => this.publish({ kind: 'resource_updated', uri }),
      onListChanged: () => this.publish({ kind: 'resources_list_changed' }),
    })
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size > 0) return
      this.#off?.()
      this.#off = undefined
    }
  }
}
