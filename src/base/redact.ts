import { holdsSecret } from './secret.ts'
import { isPlainObject, setOwn } from './value.ts'

/** What is shown in place of a secret or sensitive value. */
export const REDACTED = '[redacted: sensitive]'

/** JSON data with every text in it redacted that is a secret, by its look or by the name it stands under. */
export function redactSecrets(value: unknown, name?: string): unknown {
  if (typeof value === 'string') return holdsSecret(value, name) ? REDACTED : value
  if (Array.isArray(value)) return value.map((item) => redactSecrets(item, name))
  if (!isPlainObject(value)) return value
  const redacted: Record<string, unknown> = {}
  for (const [key, item] of Object.entries(value)) setOwn(redacted, key, redactSecrets(item, key))
  return redacted
}
