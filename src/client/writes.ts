// Writes: values and updates as JSON. What cannot be kept is not sent: JSON would make something else of it, or leave it out.
import { admitValue, CallboardError, isCallboardError, toTagged } from '../base/index.ts'
import { isWrite, refusalError } from '../context/index.ts'
import type { UpdateOptions, Write } from '../context/index.ts'

/** A value as it is sent. @throws CallboardError `value.unsupported` */
export function valueToWire(value: unknown): unknown {
  // A schema over there may have something in the place of nothing.
  return toTagged(value === undefined ? undefined : admitValue(value).value)
}

interface Asked {
  readonly runId: string
  readonly changes: Readonly<Record<string, unknown>>
  readonly options: UpdateOptions
}

/** @throws CallboardError `client.policy` for a policy that is a function; `update.refused` for a value that cannot be kept */
export function updateToWire({ runId, changes, options }: Asked): object {
  const writes = Object.entries(changes).map(([key, change]) => {
    try {
      return writeToWire(key, change)
    } catch (error) {
      if (isCallboardError(error, 'value.unsupported')) throw refused(runId, key, error)
      throw error
    }
  })
  return { ...options, writes }
}

/** In the words of a run that is here. */
function refused(runId: string, key: string, cause: CallboardError): CallboardError {
  const author = 'outside'
  const message = `${author} may not write "${key}": ${cause.message}`
  return refusalError({ kind: 'refused', reason: 'value', key, author, message }, runId)
}

function writeToWire(key: string, change: unknown): object {
  const write: Write = isWrite(change) ? change : { kind: 'put', value: change, options: {} }
  if (write.kind === 'drop') return { ...write, key }
  const { kind, value, options } = write
  const { policy, metadata, ...rest } = options
  if (typeof policy === 'function') {
    const message = `"${key}" is to be written by a policy that is a function; name one that the workflow knows`
    throw new CallboardError('client.policy', message, { key })
  }
  return {
    ...rest,
    kind,
    key,
    value: valueToWire(value),
    ...(policy === undefined ? {} : { policy }),
    ...(metadata === undefined ? {} : { metadata: valueToWire(metadata) }),
  }
}
