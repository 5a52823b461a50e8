// Words: how a text is cut for keyword search and for comparing it with another.

/** More words of a query are not looked at. */
const MOST_WORDS = 64

/** The words of a text in lower case, without accents, in their order. */
export function wordsOf(text: string): readonly string[] {
  return text
    .normalize('NFKD')
    .replaceAll(/\p{M}+/gu, '')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '')
}

/** The different words of a query, at most 64. */
export function queryWords(query: string): readonly string[] {
  return [...new Set(wordsOf(query))].slice(0, MOST_WORDS)
}

/** Which share of the words a text has, from 0 to 1. */
export function coverageOf(words: readonly string[], text: string): number {
  if (words.length === 0) return 0
  const there = new Set(wordsOf(text))
  return words.filter((word) => there.has(word)).length / words.length
}
