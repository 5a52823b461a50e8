/** What can go wrong with a target, as codes for programs. */
export type EvolutionErrorCode =
  | 'evolution.no-such-path'
  | 'evolution.no-sources'
  | 'evolution.unreadable'
  | 'evolution.not-a-copy'
  | 'evolution.same-directory'
  | 'evolution.unknown-edit'
  | 'evolution.does-not-parse'
  | 'evolution.changed-meanwhile'
  | 'evolution.bad-folder'
  | 'evolution.not-an-export'
  | 'evolution.not-an-evolution'

/** The error of the toolkit: its sentence names the path concerned and says what to do. */
export class EvolutionError extends Error {
  readonly code: EvolutionErrorCode
  readonly path: string

  constructor(code: EvolutionErrorCode, message: string, path: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'EvolutionError'
    this.code = code
    this.path = path
  }
}

/** Recognises an evolution error by its shape, so that one which crossed a process boundary is recognised too. */
export function isEvolutionError(value: unknown, code?: EvolutionErrorCode): value is EvolutionError {
  if (typeof value !== 'object' || value === null) return false
  const { name, code: found } = value as { name?: unknown; code?: unknown }
  return name === 'EvolutionError' && typeof found === 'string' && (code === undefined || found === code)
}
