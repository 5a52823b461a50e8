// Patterns name keys: an exact key, a prefix that ends in `*` (`analysis.*`), or `*` for all.
import { isWellFormedKey } from './key.ts'

/** Every key a catalogue's key may stand for: `notes.*` in a catalogue admits `notes.` and anything behind it. */
export type KeyOf<Keys extends string> = Keys extends `${infer Head}*` ? `${Head}${string}` : Keys

/** The patterns that make sense for a set of keys: the keys, their dotted prefixes with `.*`, and `*`. */
export type PatternOf<Keys extends string> = Keys | PrefixOf<Keys> | '*'

type PrefixOf<Key extends string> = Key extends `${infer Head}.${infer Tail}`
  ? `${Head}.*` | `${Head}.${PrefixOf<Tail>}`
  : never

/** The names, of a catalogue's, that a pattern names. */
export type Matching<Names extends string, Pattern extends string> = Extract<Names, KeyOf<Pattern>>

/** Whether a key is named by a pattern. */
export function matchesPattern(pattern: string, key: string): boolean {
  return pattern.endsWith('*') ? key.startsWith(pattern.slice(0, -1)) : pattern === key
}

/** Whether some key could be named by both patterns. */
export function patternsOverlap(one: string, other: string): boolean {
  if (!one.endsWith('*')) return matchesPattern(other, one)
  if (!other.endsWith('*')) return matchesPattern(one, other)
  const [a, b] = [one.slice(0, -1), other.slice(0, -1)]
  return a.startsWith(b) || b.startsWith(a)
}

/** Whether a text may be used as a pattern. */
export function isPattern(text: unknown): text is string {
  return typeof text === 'string' && isWellFormedKey(text)
}
