// Writes: an update as JSON.
import { CallboardError, toTagged } from '../base/index.ts'
import { isWrite } from '../context/index.ts'
import type { UpdateOptions, Write } from '../context/index.ts'

/** @throws CallboardError `client.policy` for a policy that is a function */
export function updateToWire(changes: Readonly<Record<string, unknown>>, options: UpdateOptions): object {
  return { ...options, writes: Object.entries(changes).map(([key, change]) => writeToWire(key, change)) }
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
    value: toTagged(value),
    ...(policy === undefined ? {} : { policy }),
    ...(metadata === undefined ? {} : { metadata: toTagged(metadata) }),
  }
}
