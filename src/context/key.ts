/** Longest key, in UTF-16 code units. */
export const MAX_KEY_LENGTH = 1024

/** A key is a non-empty, well-formed text of at most 1,024 characters; `__proto__` and the like are ordinary keys. */
export function isWellFormedKey(key: unknown): key is string {
  return typeof key === 'string' && key !== '' && key.length <= MAX_KEY_LENGTH && key.isWellFormed()
}
