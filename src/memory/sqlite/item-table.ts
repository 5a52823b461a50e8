// ItemTable: what is compared of all items, side by side in memory, looked through from first to last.
//   T1. Vectors have length one or are zero: their product is the cosine.
//   T2. The best come first; of equals, the one that arrived first.
//   T3. What a filter does not let through changes nothing: how rare a word is, and how long texts are, is counted over
//       what it lets through.
// Brute force on purpose: ten thousand vectors are a few milliseconds, exact, and there is nothing to build. Of no
// dimensions it holds no vectors, and serves words alone.
import { clampSimilarity, floorOf, productAt } from './cosine.ts'

/** What is known of an item here. */
export interface ItemRow {
  /** The number of its row in the file: its place in the order of arrival. */
  readonly id: number
  readonly key: string
  /** Small numbers that stand for its scope, and for its kind, type and status. */
  readonly scope: number
  readonly trait: number
  readonly confidence: number
  /** `Infinity` for one that stays. */
  readonly expiresAt: number
  /** How many words it has. */
  readonly length: number
  readonly vector: Float32Array | undefined
}

/** Which rows are meant, by number. */
export interface Allowed {
  /** By scope number: 1 for what is meant. */
  readonly scopes: Uint8Array
  readonly traits: Uint8Array
  /** What ends at or before it is not meant. */
  readonly now: number
}

export interface Match {
  readonly key: string
  readonly score: number
}

const FIRST_CAPACITY = 256
/** The constants of BM25 that SQLite, Lucene and others use. */
const SATURATION = 1.2
const LENGTH_SHARE = 0.75
/** How much of its score the least confident item keeps. */
const LEAST_SHARE = 0.5

export class ItemTable {
  readonly dimensions: number
  readonly #rows = new Map<number, number>()
  readonly #keys: string[] = []
  #capacity = FIRST_CAPACITY
  #vectors: Float32Array
  readonly #numbers = {
    id: new Float64Array(FIRST_CAPACITY),
    end: new Float64Array(FIRST_CAPACITY),
    confidence: new Float64Array(FIRST_CAPACITY),
    length: new Uint32Array(FIRST_CAPACITY),
    scope: new Uint32Array(FIRST_CAPACITY),
    trait: new Uint8Array(FIRST_CAPACITY),
    hasVector: new Uint8Array(FIRST_CAPACITY),
  }

  constructor(dimensions: number) {
    this.dimensions = dimensions
    this.#vectors = new Float32Array(FIRST_CAPACITY * dimensions)
  }

  /** Adds a row or replaces the one with its id. */
  set({ id, key, scope, trait, confidence, expiresAt, length, vector }: ItemRow): void {
    let row = this.#rows.get(id)
    if (row === undefined) {
      row = this.#keys.push(key) - 1
      this.#rows.set(id, row)
      if (row >= this.#capacity) this.#grow()
    }
    const numbers = this.#numbers
    numbers.id[row] = id
    numbers.end[row] = expiresAt
    numbers.confidence[row] = confidence
    numbers.length[row] = length
    numbers.scope[row] = scope
    numbers.trait[row] = trait
    numbers.hasVector[row] = vector === undefined ? 0 : 1
    if (vector !== undefined) this.#vectors.set(vector, row * this.dimensions)
  }

  /** The nearest rows, by cosine. */
  searchVector(
    vector: Float32Array,
    allowed: Allowed,
    { threshold, limit }: { readonly threshold: number; readonly limit: number },
  ): readonly Match[] {
    const { hasVector } = this.#numbers
    const vectors = this.#vectors
    const best = new Best(limit, this.#numbers.id)
    const floor = floorOf(threshold)
    const { dimensions } = this
    for (let row = 0; row < this.#keys.length; row++) {
      if (hasVector[row] !== 1 || !this.#isAllowed(row, allowed)) continue
      const similarity = productAt(vectors, row * dimensions, vector)
      if (similarity >= floor) best.offer(row, similarity)
    }
    return this.#matches(best).map(({ key, score }) => ({ key, score: clampSimilarity(score) }))
  }

  /**
   * The best rows by BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009),
   * weighed by confidence.
   *
   * @param postings for each word the ids of the rows that have it, one for each time
   */
  searchWords(postings: readonly (readonly number[])[], allowed: Allowed, limit: number): readonly Match[] {
    const { count, averageLength } = this.#extent(allowed)
    const scores = new Float64Array(this.#keys.length)
    const times = new Uint32Array(this.#keys.length)
    const met = new Set<number>()
    for (const ids of postings) {
      const rows: number[] = []
      for (const id of ids) {
        const row = this.#rows.get(id)
        // A word that another process has just added belongs to a row of tomorrow.
        if (row === undefined || !this.#isAllowed(row, allowed)) continue
        if (times[row] === 0) rows.push(row)
        times[row] = (times[row] ?? 0) + 1
      }
      const rarity = Math.log(1 + (count - rows.length + 0.5) / (rows.length + 0.5))
      for (const row of rows) {
        const length = (this.#numbers.length[row] ?? 0) / averageLength
        const often = times[row] ?? 0
        const weight = often + SATURATION * (1 - LENGTH_SHARE + LENGTH_SHARE * length)
        scores[row] = (scores[row] ?? 0) + (rarity * often * (SATURATION + 1)) / weight
        times[row] = 0
        met.add(row)
      }
    }
    const best = new Best(limit, this.#numbers.id)
    for (const row of met) {
      const share = LEAST_SHARE + (1 - LEAST_SHARE) * (this.#numbers.confidence[row] ?? 0)
      best.offer(row, (scores[row] ?? 0) * share)
    }
    return this.#matches(best)
  }

  /** How many rows are meant, and how many words they have on average. */
  #extent(allowed: Allowed): { readonly count: number; readonly averageLength: number } {
    let [count, words] = [0, 0]
    for (let row = 0; row < this.#keys.length; row++) {
      if (!this.#isAllowed(row, allowed)) continue
      count += 1
      words += this.#numbers.length[row] ?? 0
    }
    return { count, averageLength: words / Math.max(1, count) }
  }

  #isAllowed(row: number, { scopes, traits, now }: Allowed): boolean {
    const { scope, trait, end } = this.#numbers
    return scopes[scope[row] ?? 0] === 1 && traits[trait[row] ?? 0] === 1 && (end[row] ?? 0) > now
  }

  #matches(best: Best): readonly Match[] {
    return best.found.map(({ row, score }) => ({ key: this.#keys[row] ?? '', score }))
  }

  #grow(): void {
    const numbers = this.#numbers
    this.#capacity *= 2
    this.#vectors = copyInto(new Float32Array(this.#capacity * this.dimensions), this.#vectors)
    numbers.id = copyInto(new Float64Array(this.#capacity), numbers.id)
    numbers.end = copyInto(new Float64Array(this.#capacity), numbers.end)
    numbers.confidence = copyInto(new Float64Array(this.#capacity), numbers.confidence)
    numbers.length = copyInto(new Uint32Array(this.#capacity), numbers.length)
    numbers.scope = copyInto(new Uint32Array(this.#capacity), numbers.scope)
    numbers.trait = copyInto(new Uint8Array(this.#capacity), numbers.trait)
    numbers.hasVector = copyInto(new Uint8Array(this.#capacity), numbers.hasVector)
  }
}

/** The best rows so far, in order. */
class Best {
  readonly found: { readonly row: number; readonly score: number }[] = []
  readonly #limit: number
  readonly #ids: Float64Array

  constructor(limit: number, ids: Float64Array) {
    this.#limit = limit
    this.#ids = ids
  }

  offer(row: number, score: number): void {
    const { found } = this
    if (found.length === this.#limit && !this.#isBefore(row, score, found[found.length - 1])) return
    let place = found.length
    while (place > 0 && this.#isBefore(row, score, found[place - 1])) place--
    found.splice(place, 0, { row, score })
    if (found.length > this.#limit) found.pop()
  }

  #isBefore(row: number, score: number, other: { readonly row: number; readonly score: number } | undefined): boolean {
    if (other === undefined) return false
    return score > other.score || (score === other.score && (this.#ids[row] ?? 0) < (this.#ids[other.row] ?? 0))
  }
}

function copyInto<Table extends Float32Array | Float64Array | Uint32Array | Uint8Array>(
  larger: Table,
  table: Table,
): Table {
  larger.set(table)
  return larger
}
