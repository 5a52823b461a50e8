import { isCallboardError } from '../base/index.ts'
import type { Terminal } from './terminal.ts'
import { visibleText } from './visible-text.ts'

/** The code and the one line of an error. */
export function describeError(error: unknown): { readonly code: string; readonly message: string } {
  const message = visibleText(error instanceof Error ? error.message : String(error))
  return { code: isCallboardError(error) ? error.code : 'error', message }
}

/** Writes an error as one line. */
export function writeError(error: unknown, { err }: Pick<Terminal, 'err'>): void {
  err.write(`error: ${describeError(error).message}\n`)
}
