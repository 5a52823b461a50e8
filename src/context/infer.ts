// For keys nobody described: scope and priority guessed from the key and the value (REQUIREMENTS 19 and 21). Opt-in:
// a catalogue says what an entry is; these rules serve boards that take any key.
import { isPlainObject, ownValue } from '../base/index.ts'
import { isPriority } from './priority.ts'
import type { Priority } from './priority.ts'
import type { Scope } from './scope.ts'

const CRITICAL_KEYS = new Set(['error_state', 'workflow_status', 'security_context'])
const HIGH_KEYS = new Set(['user_preferences', 'calculation_results', 'validation_results'])

/** `global_…` is global, `private_…` private, everything else of the workflow (a map that says `shared` included). */
export function inferScope(key: string): Scope {
  if (key.startsWith('global_')) return 'global'
  if (key.startsWith('private_')) return 'private'
  return 'workflow'
}

/** By well-known key, then by the value's own `priority` where that is one, else `medium`. */
export function inferPriority(key: string, value: unknown): Priority {
  if (CRITICAL_KEYS.has(key)) return 'critical'
  if (HIGH_KEYS.has(key)) return 'high'
  const own = isPlainObject(value) ? ownValue(value, 'priority') : undefined
  return isPriority(own) ? own : 'medium'
}
