import type { StateValue } from 'xstate'

/**
 * A state's address in a chart: its keys joined by dots, with `.` and `\` inside a key escaped by `\` as in XState's own
 * targets. The root's path is `''`, so an empty key is written `\e`.
 */
export function statePath(keys: readonly string[]): string {
  return keys.map((key) => (key === '' ? '\\e' : key.replaceAll(/[\\.]/g, String.raw`\$&`))).join('.')
}

/**
 * The paths of all states that a snapshot's `value` says are active, ancestors before descendants; what
 * `toSvg(chart, { active })` takes.
 *
 * @example
 * activePaths({ review: { checks: 'running' } }) // ['review', 'review.checks', 'review.checks.running']
 */
export function activePaths(value: StateValue, above: readonly string[] = []): readonly string[] {
  if (typeof value === 'string') return [statePath([...above, value])]
  return Object.entries(value).flatMap(([key, inner]) => {
    const keys = [...above, key]
    return inner === undefined ? [statePath(keys)] : [statePath(keys), ...activePaths(inner, keys)]
  })
}
