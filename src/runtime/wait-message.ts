// What listeners are told of an agent's wait: that it has begun, and later how it has ended.
import { isCallboardError } from '../base/index.ts'

export interface WaitMessage {
  readonly runId: string
  readonly agent: string
  /** Of the wait, the same when it begins and when it ends. */
  readonly id: number
  /** The keys it is for; empty for a condition. */
  readonly keys: readonly string[]
  readonly status: 'waiting' | 'met' | 'timeout' | 'deadlock' | 'cancelled'
}

let waits = 0

/** Tells how a wait begins and ends; it ends for whoever listens after the commit that met it. */
export function tellOfWait(
  promise: Promise<unknown>,
  { runId, agent, keys }: Pick<WaitMessage, 'runId' | 'agent' | 'keys'>,
  tell: (message: WaitMessage) => void,
): void {
  waits += 1
  const about = { runId, agent, id: waits, keys }
  tell(Object.freeze({ ...about, status: 'waiting' }))
  promise.then(
    () => tell(Object.freeze({ ...about, status: 'met' })),
    (error: unknown) => tell(Object.freeze({ ...about, status: endOf(error) })),
  )
}

function endOf(error: unknown): WaitMessage['status'] {
  if (isCallboardError(error, 'wait.timeout')) return 'timeout'
  return isCallboardError(error, 'wait.deadlock') ? 'deadlock' : 'cancelled'
}
