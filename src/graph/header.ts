import type { ElkPoint } from 'elkjs/lib/elk-api.js'

import type { Rectangle } from './layout.ts'

/** Room between a text and a line that passes it. */
const AIR = 5

/**
 * Where a text of some width goes in the strip at the top of a box, through which transitions may lead to the states
 * inside: into the gap between them that is wide enough and nearest to the middle; where there is none, into the middle.
 *
 * @returns the left edge of the text
 */
export function headerX(strip: Rectangle, width: number, lines: readonly (readonly ElkPoint[])[]): number {
  const middle = strip.x + (strip.width - width) / 2
  const walls = [strip.x, ...crossings(strip, lines), strip.x + strip.width].toSorted((a, b) => a - b)
  const places = walls.flatMap((left, index) => {
    const [from, to] = [left + AIR, (walls[index + 1] ?? left) - AIR - width]
    return from <= to ? [Math.min(Math.max(middle, from), to)] : []
  })
  return places.toSorted((a, b) => Math.abs(a - middle) - Math.abs(b - middle))[0] ?? middle
}

function crossings({ x, y, width, height }: Rectangle, lines: readonly (readonly ElkPoint[])[]): readonly number[] {
  return lines.flatMap((points) =>
    points.flatMap((point, index) => {
      const next = points[index + 1]
      if (!next || point.x < x || point.x > x + width) return []
      const isBeside = Math.max(point.y, next.y) <= y || Math.min(point.y, next.y) >= y + height
      return isBeside ? [] : [point.x, next.x]
    }),
  )
}
