// Cosine: how near two vectors are that have length one or are zero. Whoever looks for the nearest ends with this
// product, so that every way of looking gives the same numbers.

/** Rounding of 32-bit floats must not keep a similarity of exactly the threshold out. */
const ROUNDING = 1e-6

/** The least product that counts as a similarity of `threshold`. */
export function floorOf(threshold: number): number {
  return threshold - ROUNDING
}

/** The product of vectors that are rounded may be a little more than one. */
export function clampSimilarity(product: number): number {
  return Math.min(1, Math.max(-1, product))
}

/** Four sums at once: one alone waits for itself at every step. */
export function productAt(table: Float32Array, at: number, vector: Float32Array): number {
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
