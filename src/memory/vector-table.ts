// VectorTable: the vectors of all items side by side, looked through from first to last.
//   V1. Vectors have length one or are zero: their product is the cosine.
//   V2. The best come first; of equals, the one that arrived first.
// Brute force on purpose: ten thousand vectors are a few milliseconds, exact, and there is nothing to build.

/** What of an item decides whether it is looked at. */
export interface VectorRow {
  readonly key: string
  /** Place in the order of arrival. */
  readonly order: number
  /** Small numbers that stand for its scope, and for its kind, type and status. */
  readonly scope: number
  readonly trait: number
  /** `Infinity` for one that stays. */
  readonly expiresAt: number
  readonly vector: Float32Array
}

export interface VectorQuery {
  readonly vector: Float32Array
  /** By number: 1 for what may be looked at. */
  readonly scopes: Uint8Array
  readonly traits: Uint8Array
  readonly now: number
  /** Least similarity, inclusive. */
  readonly threshold: number
  readonly limit: number
}

/** Rounding of 32-bit floats must not keep a similarity of exactly the threshold out. */
const ROUNDING = 1e-6
const FIRST_CAPACITY = 256

export class VectorTable {
  readonly dimensions: number
  readonly #rows = new Map<string, number>()
  readonly #keys: string[] = []
  #capacity = FIRST_CAPACITY
  #vectors: Float32Array
  #orders = new Float64Array(FIRST_CAPACITY)
  #ends = new Float64Array(FIRST_CAPACITY)
  #scopes = new Uint32Array(FIRST_CAPACITY)
  #traits = new Uint8Array(FIRST_CAPACITY)

  constructor(dimensions: number) {
    this.dimensions = dimensions
    this.#vectors = new Float32Array(FIRST_CAPACITY * dimensions)
  }

  get size(): number {
    return this.#keys.length
  }

  /** Adds a row or replaces the one with its key. */
  set({ key, order, scope, trait, expiresAt, vector }: VectorRow): void {
    let row = this.#rows.get(key)
    if (row === undefined) {
      row = this.#keys.push(key) - 1
      this.#rows.set(key, row)
      if (row >= this.#capacity) this.#grow()
    }
    this.#vectors.set(vector, row * this.dimensions)
    this.#orders[row] = order
    this.#ends[row] = expiresAt
    this.#scopes[row] = scope
    this.#traits[row] = trait
  }

  /** The nearest rows with their similarity. */
  search({ vector, scopes, traits, now, threshold, limit }: VectorQuery): readonly {
    readonly key: string
    readonly similarity: number
  }[] {
    const [vectors, orders, ends, rowScopes, rowTraits] = [
      this.#vectors,
      this.#orders,
      this.#ends,
      this.#scopes,
      this.#traits,
    ]
    const best: { readonly row: number; readonly similarity: number }[] = []
    let floor = threshold - ROUNDING
    for (let row = 0, at = 0; row < this.#keys.length; row++, at += this.dimensions) {
      if (scopes[rowScopes[row] ?? 0] !== 1 || traits[rowTraits[row] ?? 0] !== 1) continue
      const similarity = productAt(vectors, at, vector)
      if (similarity < floor || (ends[row] ?? 0) <= now) continue
      const isBefore = (other: { readonly row: number; readonly similarity: number } | undefined): boolean =>
        other !== undefined &&
        (similarity > other.similarity ||
          (similarity === other.similarity && (orders[row] ?? 0) < (orders[other.row] ?? 0)))
      if (best.length === limit && !isBefore(best.at(-1))) continue
      let place = best.length
      while (place > 0 && isBefore(best[place - 1])) place--
      best.splice(place, 0, { row, similarity })
      if (best.length > limit) best.pop()
      if (best.length === limit) floor = Math.max(floor, best.at(-1)?.similarity ?? floor)
    }
    return best.map(({ row, similarity }) => ({
      key: this.#keys[row] ?? '',
      similarity: Math.min(1, Math.max(-1, similarity)),
    }))
  }

  #grow(): void {
    this.#capacity *= 2
    this.#vectors = copyInto(new Float32Array(this.#capacity * this.dimensions), this.#vectors)
    this.#orders = copyInto(new Float64Array(this.#capacity), this.#orders)
    this.#ends = copyInto(new Float64Array(this.#capacity), this.#ends)
    this.#scopes = copyInto(new Uint32Array(this.#capacity), this.#scopes)
    this.#traits = copyInto(new Uint8Array(this.#capacity), this.#traits)
  }
}

/** The product of two vectors of one length. */
export function productOf(one: Float32Array, other: Float32Array): number {
  return Math.min(1, Math.max(-1, productAt(one, 0, other)))
}

/** Four sums at once: one alone waits for itself at every step. */
function productAt(table: Float32Array, at: number, vector: Float32Array): number {
  const length = vector.length
  const whole = length - (length % 4)
  let [a, b, c, d] = [0, 0, 0, 0]
  for (let part = 0; part < whole; part += 4) {
    a += (table[at + part] ?? 0) * (vector[part] ?? 0)
    b += (table[at + part + 1] ?? 0) * (vector[part + 1] ?? 0)
    c += (table[at + part + 2] ?? 0) * (vector[part + 2] ?? 0)
    d += (table[at + part + 3] ?? 0) * (vector[part + 3] ?? 0)
  }
  for (let part = whole; part < length; part++) a += (table[at + part] ?? 0) * (vector[part] ?? 0)
  return a + b + c + d
}

function copyInto<Table extends Float32Array | Float64Array | Uint32Array | Uint8Array>(
  larger: Table,
  table: Table,
): Table {
  larger.set(table)
  return larger
}
