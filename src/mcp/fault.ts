// Fault: what a client did against the protocol, as it stands in a log: once, and without what the client had sent.
import { CallboardError } from '../base/index.ts'

const LONGEST = 300
/** What the SDK quotes whole messages after. */
const QUOTING = /^(Unknown message type|Received a [\w ]+ for an unknown [\w ]+): .*$/s

/** The SDK tells of some both for the connection and for the server on it. */
const known = new WeakSet<Error>()

/** Tells of what the SDK calls an error; its own is kept as the cause. */
export function tellFault(error: Error, onFailure: (error: unknown) => void): void {
  if (known.has(error)) return
  known.add(error)
  const said = error.message.replace(QUOTING, '$1').slice(0, LONGEST)
  const message = `a client did not keep to the protocol, or could not be served: ${said}`
  onFailure(new CallboardError('mcp.fault', message, {}, { cause: error }))
}
