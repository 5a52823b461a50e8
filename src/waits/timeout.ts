// How long somebody is ready to wait.
import { CallboardError } from '../base/index.ts'

/** `wait.invalid-timeout` for what is no length of time. */
export function timeoutProblem(waiter: string, timeoutMs: number): CallboardError | undefined {
  if (timeoutMs >= 0) return undefined
  const rule = 'give milliseconds from 0 on, or Infinity for no limit'
  const message = `${waiter} waits with a timeoutMs of ${timeoutMs}; ${rule}`
  return new CallboardError('wait.invalid-timeout', message, { agent: waiter, timeoutMs })
}
