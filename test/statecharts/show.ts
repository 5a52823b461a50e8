// A text in which two looks are the same if and only if they are the same to a user.

/** Objects with sorted keys, and names for what JSON does not have. */
export function showText(value: unknown): string {
  return JSON.stringify(shown(value), undefined, 1)
}

function shown(value: unknown): unknown {
  if (value === undefined) return '(undefined)'
  if (typeof value === 'bigint') return `${value}n`
  if (value === null || typeof value !== 'object') return value
  if (value instanceof Date) return `Date ${value.getTime()}`
  if (value instanceof Map) return { Map: [...value].map(shown) }
  if (value instanceof Set) return { Set: [...value].map(shown) }
  if (Array.isArray(value)) return value.map(shown)
  if ('sessionId' in value && 'id' in value) return `actor ${String(value.id)}`
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, part]) => part !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, part]) => [key, shown(part)]),
  )
}
