// Events: what listeners are told of sessions. In the words of S3, whose listeners go on working.
import type { PolicyName } from 'callboard'

export type SessionEventType =
  | 'create_session'
  | 'set_context'
  | 'update_partial'
  | 'delete_context'
  | 'garbage_collected'
  /** Not in S3. */
  | 'merge_sessions'

/** What a session was merged with. */
export interface MergedSession {
  readonly from: string
  readonly policy: PolicyName | (string & {})
}

/** `data` is what was set, the patch, `{ from, policy }`, or null. Called after the change is stored; see `SessionListeners`. */
export type SessionListener = (sessionId: string, type: SessionEventType, data: unknown) => void | Promise<void>

/** Calls everybody with every event, in the order in which the changes were made. What one throws harms nobody. */
export class SessionListeners {
  readonly #listeners = new Set<SessionListener>()
  readonly #onFailure: (error: unknown) => void

  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure
  }

  /** Gives the function that removes it. The same listener may be added twice. */
  add(listener: SessionListener): () => void {
    const own: SessionListener = (...told) => listener(...told)
    this.#listeners.add(own)
    return () => void this.#listeners.delete(own)
  }

  tell(sessionId: string, type: SessionEventType, data: unknown): void {
    for (const listener of [...this.#listeners]) {
      try {
        void Promise.resolve(listener(sessionId, type, data)).catch(this.#onFailure)
      } catch (error) {
        this.#onFailure(error)
      }
    }
  }

  clear(): void {
    this.#listeners.clear()
  }
}
