/** What an error knows beside its sentence: ids and plain values only, never an entry's value. */
export type ErrorDetails = Readonly<Record<string, unknown>>

/**
 * The one error class of Callboard. Programs branch on `code`, people read `message`: it names the key, agent, run and
 * rule concerned and says what to do.
 *
 * @param code stable, dotted, kebab-case: `'wait.timeout'`
 * @param message one sentence, lower-case start
 * @param details the ids the sentence names, for programs
 */
export class CallboardError extends Error {
  readonly code: string
  readonly details: ErrorDetails

  constructor(code: string, message: string, details: ErrorDetails = {}, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'CallboardError'
    this.code = code
    this.details = details
  }
}

/**
 * Recognises a Callboard error by its shape, so that one which crossed a process boundary, storage or a second copy of
 * the package is recognised too.
 *
 * @param code when given, the error must carry this code
 */
export function isCallboardError(value: unknown, code?: string): value is CallboardError {
  if (typeof value !== 'object' || value === null) return false
  const { name, code: found } = value as { name?: unknown; code?: unknown }
  return name === 'CallboardError' && typeof found === 'string' && (code === undefined || found === code)
}
