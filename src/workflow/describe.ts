// What an action or guard of ours is about, for charts and checks: functions carry it with them.

const KEYS: unique symbol = Symbol.for('callboard.keys') as never

/** Marks an action or guard with the keys it writes or reads; `undefined` when that is only known at run time. */
export function describeWith<Described extends object>(
  described: Described,
  keys: readonly string[] | undefined,
): Described {
  Object.defineProperty(described, KEYS, { value: keys })
  Object.defineProperty(described, 'describe', { value: keys?.join(', ') ?? 'computed keys' })
  return described
}

/** The keys an action of `board.write` writes: `undefined` when the action is not ours, `'any'` when it computes them. */
export function writtenKeysOf(action: unknown): readonly string[] | 'any' | undefined {
  if ((typeof action !== 'function' && typeof action !== 'object') || action === null || !(KEYS in action))
    return undefined
  return (action as { [KEYS]: readonly string[] | undefined })[KEYS] ?? 'any'
}

export function namesOf(changes: unknown): readonly string[] | undefined {
  return typeof changes === 'object' && changes !== null ? Object.keys(changes) : undefined
}
