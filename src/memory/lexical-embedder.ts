// A deterministic embedder without a model: words and their three-letter parts, hashed into a vector (the hashing trick
// with signs of Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", ICML 2009). Texts that share
// words and parts of words are near each other; what words mean it does not know, and its kind says so.
import type { Embedder } from './embedder.ts'
import { wordsOf } from './words.ts'

const DIMENSIONS = 256
const WORD_WEIGHT = 1
const PART_WEIGHT = 0.35
const PART_LENGTH = 3

/** The same text gives the same vector on every machine. */
export const lexicalEmbedder: Embedder = Object.freeze({
  id: `lexical-${DIMENSIONS}-1`,
  kind: 'lexical',
  embed: (texts: readonly string[]) => Promise.resolve(texts.map(embedText)),
})

function embedText(text: string): readonly number[] {
  const counts = new Map<string, number>()
  const add = (feature: string, weight: number): void => void counts.set(feature, (counts.get(feature) ?? 0) + weight)
  for (const word of wordsOf(text)) {
    add(word, WORD_WEIGHT)
    // Edges count: "art" begins differently from the "art" in "start".
    const framed = `<${word}>`
    for (let at = 0; at + PART_LENGTH <= framed.length; at++) add(`#${framed.slice(at, at + PART_LENGTH)}`, PART_WEIGHT)
  }
  const vector = Array.from({ length: DIMENSIONS }, () => 0)
  for (const [feature, count] of counts) {
    const hash = hashOf(feature)
    const place = hash % DIMENSIONS
    // Dampened: a word said ten times does not outweigh all others.
    vector[place] = (vector[place] ?? 0) + Math.sqrt(count) * (hash & 0x8000_0000 ? -1 : 1)
  }
  return vector
}

/** FNV-1a over UTF-16 code units, stirred at the end so that its low and high bits are independent (MurmurHash3). */
function hashOf(text: string): number {
  let hash = 0x811c_9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x0100_0193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
