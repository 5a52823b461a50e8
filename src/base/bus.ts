import mitt from 'mitt'
import type { Emitter, EventType } from 'mitt'

// mitt's declarations are read as CommonJS here, whose default export they cannot describe.
const createEmitter = mitt as unknown as <Events extends Record<EventType, unknown>>() => Emitter<Events>

/** What a listener's failure is reported with. */
export interface ListenerFailure {
  readonly topic: string
  readonly error: unknown
}

/**
 * The one listener bus. A handler that throws harms nobody else: the failure is given to `onFailure` and the next
 * handler is called. A handler that is added or removed during a delivery does not change that delivery.
 */
export class Bus<Topics extends Record<string, unknown>> {
  readonly #emitter: Emitter<Topics> = createEmitter<Topics>()
  readonly #onFailure: (failure: ListenerFailure) => void

  constructor(onFailure: (failure: ListenerFailure) => void) {
    this.#onFailure = onFailure
  }

  /** Adds a handler and gives the function that removes it. */
  on<Topic extends keyof Topics & string>(topic: Topic, handler: (message: Topics[Topic]) => void): () => void {
    const isolated = (message: Topics[Topic]): void => {
      try {
        const outcome: unknown = handler(message)
        // A function that returns nothing may be an async one; its rejection would end the process.
        if (outcome instanceof Promise) outcome.catch((error: unknown) => this.#onFailure({ topic, error }))
      } catch (error) {
        this.#onFailure({ topic, error })
      }
    }
    this.#emitter.on(topic, isolated)
    return () => this.#emitter.off(topic, isolated)
  }

  /** Whether anybody listens to the topic. */
  has(topic: keyof Topics & string): boolean {
    return (this.#emitter.all.get(topic)?.length ?? 0) > 0
  }

  emit<Topic extends keyof Topics & string>(topic: Topic, message: Topics[Topic]): void {
    this.#emitter.emit(topic, message)
  }

  clear(): void {
    this.#emitter.all.clear()
  }
}
