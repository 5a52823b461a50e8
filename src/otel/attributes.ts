// The attributes of spans and metrics: names, numbers and outcomes. No value of an entry, no message of an error and no
// label is among them, and what looks like a credential is redacted even where it is a name.
import type { Attributes, AttributeValue } from '@opentelemetry/api'
import { isCallboardError, redactSecrets } from '../base/index.ts'

/** What is undefined is left out. */
export function attributesOf(given: Readonly<Record<string, AttributeValue | undefined>>): Attributes {
  const known = Object.entries(given).filter(([, value]) => value !== undefined)
  return redactSecrets(Object.fromEntries(known)) as Attributes
}

/** What may be said of an error: which one it is, not what it says. */
export function errorTypeOf(error: unknown): string {
  if (isCallboardError(error)) return error.code
  return error instanceof Error ? error.name : 'unknown'
}
