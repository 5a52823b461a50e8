// Fault points: named places where a test, or the environment, may make this process fail. Off, one is a comparison
// with undefined.
import { CallboardError } from './error.ts'

/** Called at every fault point with its name; it may throw, or end the process. */
export type FaultHandler = (name: string) => void

let handler: FaultHandler | undefined = handlerFromEnvironment(process.env['CALLBOARD_FAULT'])

/** Marks a place. */
export function faultPoint(name: string): void {
  if (handler !== undefined) handler(name)
}

/** Installs a handler in place of the one before; undefined removes it. */
export function setFaultHandler(next: FaultHandler | undefined): void {
  handler = next
}

/** Fails at the `count`-th time that `name` is reached, by an error or by SIGKILL to this process. */
export function failAt(name: string, count: number, action: 'kill' | 'throw'): FaultHandler {
  let left = count
  return (reached) => {
    if (reached !== name || --left !== 0) return
    if (action === 'kill') process.kill(process.pid, 'SIGKILL')
    throw new CallboardError('fault.injected', `the fault point ${name} was told to fail`, { name })
  }
}

/** `CALLBOARD_FAULT=append:after:3(kill)`: at the third time that `append:after` is reached. */
function handlerFromEnvironment(text: string | undefined): FaultHandler | undefined {
  if (text === undefined || text === '') return undefined
  const { name, count, action } = /^(?<name>.+):(?<count>[1-9]\d*)\((?<action>kill|throw)\)$/.exec(text)?.groups ?? {}
  if (name === undefined || (action !== 'kill' && action !== 'throw')) {
    throw new CallboardError(
      'fault.invalid',
      `CALLBOARD_FAULT is "${text}"; write name:count(kill) or name:count(throw), for example append:after:3(kill)`,
    )
  }
  return failAt(name, Number(count), action)
}
