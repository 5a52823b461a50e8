import { isEvolutionError } from './error.ts'
import type { Failure } from './meta.ts'

/** The code and sentence of what went wrong: the toolkit's own error where there is one behind what wraps it. */
export function describeFailure(error: unknown): Pick<Failure, 'code' | 'message'> {
  const causes = causesOf(error)
  const own = causes.find((cause) => isEvolutionError(cause))
  if (own !== undefined) return { code: own.code, message: own.message }
  const { code, message } = (causes[0] ?? {}) as { readonly code?: unknown; readonly message?: unknown }
  return {
    code: typeof code === 'string' ? code : 'error',
    message: typeof message === 'string' ? message : String(error),
  }
}

/** An error and what caused it, outermost first; a circle ends the chain. */
function causesOf(error: unknown): readonly unknown[] {
  const causes = new Set<unknown>()
  for (let current = error; typeof current === 'object' && current !== null && !causes.has(current);) {
    causes.add(current)
    current = (current as { readonly cause?: unknown }).cause
  }
  return [...causes]
}
