// Call error: why a model could not be called, as one typed error.
//   E1. It names the model, the status and what the provider said; never a key, what an address has behind its `?`, or the
//       prompt. So the provider's own error, which has all of that, is not kept as a cause.
import type { LanguageModel } from 'ai'
import { CallboardError, holdsSecret, isCallboardError, REDACTED } from '../base/index.ts'
import type { Sdk } from './sdk.ts'

const LONGEST = 1_000
const ADDRESS = /\bhttps?:\/\/[^\s"'<>]+/gi
/** How a connection ends that was cut in the middle of an answer, in the words of Node.js. */
const CUT_OFF: ReadonlySet<unknown> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE', 'UND_ERR_BODY_TIMEOUT'])

/** Keys by the models that are called with them, so that a server that repeats its key is not repeated. */
const keys = new WeakMap<object, string>()

export function rememberKey(model: LanguageModel, key: string | undefined): void {
  if (typeof model === 'object' && key !== undefined && key !== '') keys.set(model, key)
}

/** What came of a call that failed: `ai.call`. */
export function callError({ APICallError }: Sdk, model: LanguageModel, error: unknown): CallboardError {
  const name = typeof model === 'string' ? model : model.modelId
  const provider = typeof model === 'string' ? undefined : model.provider
  const isApiError = APICallError.isInstance(error)
  const status = isApiError ? error.statusCode : undefined
  const isPassing = isApiError ? error.isRetryable : wasCutOff(error)
  const key = typeof model === 'object' ? keys.get(model) : undefined
  const said = withoutSecrets(messageOf(error), key).slice(0, LONGEST)
  return new CallboardError(
    'ai.call',
    `the model ${JSON.stringify(name)} could not be called${status === undefined ? '' : ` (status ${status})`}: ${said}`,
    { model: name, provider, status, isPassing },
  )
}

/** What may pass by itself, and a time that ran out. */
export function isWorthAnother(error: unknown): boolean {
  if (isCallboardError(error, 'ai.call')) return error.details['isPassing'] === true
  return isCallboardError(error, 'step.timeout')
}

function wasCutOff(error: unknown): boolean {
  const { code, cause } = (error ?? {}) as { readonly code?: unknown; readonly cause?: { readonly code?: unknown } }
  return CUT_OFF.has(code) || CUT_OFF.has(cause?.code)
}

/** Providers also give texts and plain objects. */
function messageOf(error: unknown): string {
  if (typeof error === 'string') return error
  const { message } = (error ?? {}) as { readonly message?: unknown }
  return typeof message === 'string' && message !== '' ? message : (JSON.stringify(error) ?? 'no reason was given')
}

/** A text of somebody else's without what must not stand in a log or a ledger. */
export function withoutSecrets(text: string, key?: string): string {
  const known = key === undefined ? text : text.replaceAll(key, REDACTED)
  const shown = known
    .replaceAll(ADDRESS, placeOf)
    .split(/(\s+)/)
    .map((word) => (holdsSecret(word, undefined) ? REDACTED : word))
    .join('')
  return holdsSecret(shown, undefined) ? REDACTED : shown
}

/** An address without the name, password, query and fragment in it. */
export function placeOf(address: string): string {
  if (!URL.canParse(address)) return '(an address)'
  const { origin, pathname } = new URL(address)
  return `${origin}${pathname}`
}
