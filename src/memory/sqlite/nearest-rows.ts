// NearestRows: the nearest vectors, found by sqlite-vec in the table that is there anyway. Runs inside a transaction of
// others.
//   N1. It finds what the scan of an ItemTable finds: the same rows, scores and order.
//   N2. No vector is kept; those of the rows that may be among the first are read, and compared again by `productAt`.
// A vec0 table is three times as fast, but a file with one cannot be written where the extension is not installed.
import { clampSimilarity, floorOf, productAt } from './cosine.ts'
import { decodeVector, encodeVector } from './codec.ts'
import type { Row } from './database.ts'
import type { ItemRows } from './item-rows.ts'
import type { Allowed, Match } from './item-table.ts'

/** A vector of zeros has no direction: it is as far from everything as what has nothing in common. */
const DISTANCE = 'coalesce(vec_distance_cosine(vector, ?1), 1)'
const FROM = `FROM items JOIN vectors ON vectors.id = items.id
  WHERE scope IN (SELECT value FROM json_each(?2)) AND trait IN (SELECT value FROM json_each(?3))
    AND (expires_at IS NULL OR expires_at > ?4)`
const SELECT = `SELECT items.id, key, vector, ${DISTANCE} AS distance ${FROM}`
const FIRST = `${SELECT} ORDER BY distance, items.id LIMIT ?5`
const WITHIN = `${SELECT} AND ${DISTANCE} <= ?5`

/** Rows beyond the limit that are read at first. */
const SPARE = 32
/** No limit: SQLite takes none that is infinite. */
const MOST = Number.MAX_SAFE_INTEGER
/** Per dimension, twice what rounding may do to a distance of 32-bit floats, in whatever order its sums are taken. */
const ROUNDING = 2 ** -22

export function nearestRows(
  rows: ItemRows,
  vector: Float32Array,
  { allowed, threshold, limit }: { readonly allowed: Allowed; readonly threshold: number; readonly limit: number },
): readonly Match[] {
  const floor = floorOf(threshold)
  const margin = (vector.length + 4) * ROUNDING
  const asked = [
    encodeVector(vector),
    JSON.stringify(numbersIn(allowed.scopes)),
    JSON.stringify(numbersIn(allowed.traits)),
    allowed.now,
  ] as const
  const most = Math.min(limit + SPARE, MOST)
  let found: readonly Row[] = rows.sql(FIRST).all(...asked, most)
  // The `limit` rows that seem nearest are at least so near; whatever is nearer than one of them seems at most this far.
  const edge = Math.min(distanceOf(found[limit - 1]) + 2 * margin, 1 - floor + margin)
  if (found.length === most && distanceOf(found.at(-1)) <= edge) found = rows.sql(WITHIN).all(...asked, edge)
  return found
    .map(([id, key, blob]) => ({
      id: Number(id),
      key: String(key),
      score: productAt(decodeVector(blob), 0, vector),
    }))
    .filter(({ score }) => score >= floor)
    .sort((a, b) => b.score - a.score || a.id - b.id)
    .slice(0, limit)
    .map(({ key, score }) => ({ key, score: clampSimilarity(score) }))
}

function distanceOf(row: Row | undefined): number {
  return row === undefined ? Number.POSITIVE_INFINITY : Number(row[3])
}

/** The numbers that are marked with 1. */
function numbersIn(marks: Uint8Array): readonly number[] {
  return Array.from(marks.keys()).filter((number) => marks[number] === 1)
}
