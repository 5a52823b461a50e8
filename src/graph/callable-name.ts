// What a guard, an action or another function of a machine is called in a chart. Best first: its `describe` text, the
// name under which it is registered, what XState's own building blocks say of themselves, the function's name.

/** Names that JavaScript gives to a function because of the property it was written in: they say nothing. */
const PROPERTY_NAMES: ReadonlySet<string> = new Set(['guard', 'actions', 'action', 'entry', 'exit', 'output', 'assign'])

interface Callable {
  readonly describe?: unknown
  readonly type?: unknown
  readonly name?: unknown
}

/** The name of a guard or an action as it stands in a machine's configuration; `'inline'` where it has none. */
export function callableName(callable: unknown): string {
  if (typeof callable === 'string') return callable
  if (callable === null || (typeof callable !== 'function' && typeof callable !== 'object')) return 'inline'
  const { describe, type, name } = callable as Callable
  if (typeof describe === 'string' && describe !== '') return describe
  if (typeof type === 'string') return type.startsWith('xstate.') ? builtInName(type, callable) : type
  return combinedGuardName(callable) ?? (isTelling(name) ? name : 'inline')
}

function isTelling(name: unknown): name is string {
  return typeof name === 'string' && name !== '' && !PROPERTY_NAMES.has(name)
}

/** `assign(count)`, `raise(NEXT)`, `spawnChild(worker)`: XState's actions carry their arguments as properties. */
function builtInName(type: string, action: object): string {
  const { event, src, assignment } = action as { event?: unknown; src?: unknown; assignment?: unknown }
  const word = type.slice('xstate.'.length)
  const subject = [eventType(event), typeof src === 'string' ? src : undefined, assignedKeys(assignment)].find(Boolean)
  return subject === undefined ? word : `${word}(${subject})`
}

function eventType(event: unknown): string | undefined {
  if (typeof event !== 'object' || event === null) return undefined
  const { type } = event as { type?: unknown }
  return typeof type === 'string' ? type : undefined
}

function assignedKeys(assignment: unknown): string | undefined {
  return typeof assignment === 'object' && assignment !== null ? Object.keys(assignment).join(', ') : undefined
}

/** `and([...])`, `or([...])`, `not(...)` and `stateIn(...)` are functions that carry what they combine. */
function combinedGuardName(guard: object): string | undefined {
  const { guards, stateValue, name } = guard as { guards?: unknown; stateValue?: unknown; name?: unknown }
  if (stateValue !== undefined) return `in ${typeof stateValue === 'string' ? stateValue : JSON.stringify(stateValue)}`
  if (!Array.isArray(guards)) return undefined
  const parts = guards.map((part) => (joinsGuards(part) ? `(${callableName(part)})` : callableName(part)))
  return name === 'not' ? `not ${parts.join('')}` : parts.join(name === 'or' ? ' or ' : ' and ')
}

function joinsGuards(guard: unknown): boolean {
  const { guards } = (typeof guard === 'function' ? guard : {}) as { guards?: unknown }
  return Array.isArray(guards) && guards.length > 1
}
