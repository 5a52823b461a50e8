import type { ElkPoint } from 'elkjs/lib/elk-api.js'

import type { Chart } from './chart.ts'
import { DETAIL, GAP, LABEL, TITLE, headerHeight } from './elk-graph.ts'
import type { Direction } from './elk-graph.ts'
import { headerX } from './header.ts'
import { historyMark } from './label.ts'
import { layoutChart } from './layout.ts'
import type { PlacedBox, PlacedEdge, Rectangle } from './layout.ts'
import { STYLESHEET } from './stylesheet.ts'
import { LINE_HEIGHT } from './text-box.ts'
import type { TextBox, TextStyle } from './text-box.ts'
import { escapeXml } from './xml.ts'

export interface SvgOptions {
  /** Paths of the states to highlight; `activePaths(snapshot.value)` gives them. */
  readonly active?: readonly string[]
  /** Which way transitions mostly lead. By default down. */
  readonly direction?: Direction
}

/**
 * The chart as a drawing that stands alone: no script, no font, no outside reference; light or dark as the reader's
 * system is. A state is a group with `data-state` (its path) and the class `active` where it is highlighted; a transition
 * is a group with `data-event`, `data-source` and `data-target`. Needs the package `elkjs`.
 */
export async function toSvg(chart: Chart, options: SvgOptions = {}): Promise<string> {
  const { active = [], direction = 'down' } = options
  const layout = await layoutChart(chart, direction)
  const highlighted = new Set(active)
  const width = Math.ceil(layout.width)
  const height = Math.ceil(layout.height)
  const size = `width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" class="callboard-chart" role="img" ${size}>`,
    `<title>${escapeXml(chart.id)}</title>`,
    `<style>${STYLESHEET}</style>`,
    `<rect class="paper" width="${width}" height="${height}"/>`,
    ...layout.boxes.map((box) => drawBox(box, layout.edges, highlighted.has(box.state.path))),
    ...layout.dots.map(drawDot),
    ...layout.edges.map(drawEdge),
    '</svg>',
  ]
  return `${parts.join('\n')}\n`
}

function drawBox(box: PlacedBox, edges: readonly PlacedEdge[], isActive: boolean): string {
  const { state, isRegion } = box
  const classes = ['state', state.kind, ...(isRegion ? ['region'] : []), ...(isActive ? ['active'] : [])]
  const inner = drawForm(box, edges)
  const title = `<title>${escapeXml(state.key)}</title>`
  return `<g class="${classes.join(' ')}" data-state="${escapeXml(state.path)}">${title}${inner}</g>`
}

function drawForm(box: PlacedBox, edges: readonly PlacedEdge[]): string {
  switch (box.form) {
    case 'circle':
      return circle(box)
    case 'box':
      return rectangleWithText(box)
    case 'container':
      return container(box, edges)
    default:
      throw new TypeError(`unknown form ${String(box.form satisfies never)}`)
  }
}

function circle({ state, titleAt, text, width, ...corner }: PlacedBox): string {
  const radius = width / 2
  const [x, y] = [corner.x + radius, corner.y + radius]
  const outer = `<circle class="shape" cx="${px(x)}" cy="${px(y)}" r="${px(radius)}"/>`
  const sign =
    state.kind === 'history'
      ? `<text class="mark" x="${px(x)}" y="${px(y + 4)}" text-anchor="middle">${historyMark(state)}</text>`
      : `<circle class="core" cx="${px(x)}" cy="${px(y)}" r="${px(radius - 5)}"/>`
  const label = titleAt
    ? textLines(text.title, { ...TITLE, x: titleAt.x + 2, y: titleAt.y, centred: false, name: 'title' })
    : ''
  return outer + sign + label
}

function rectangleWithText({ state, text, ...at }: PlacedBox): string {
  const { x, y, width, height } = at
  const parts = [rect('shape', at)]
  if (state.kind === 'final') parts.push(rect('inner', { x: x + 3, y: y + 3, width: width - 6, height: height - 6 }))
  const isAlone = text.compartments.length === 0
  let top = isAlone ? y + (height - text.title.height) / 2 : y + GAP / 2
  parts.push(textLines(text.title, { ...TITLE, x: x + width / 2, y: top, centred: true, name: 'title' }))
  top += text.title.height + GAP / 2
  for (const part of text.compartments) {
    parts.push(rule(at, top))
    parts.push(textLines(part, { ...DETAIL, x: x + GAP, y: top + GAP / 2, centred: false, name: 'detail' }))
    top += part.height + GAP
  }
  return parts.join('')
}

/** A state with inner states: its text stands in a strip at the top, beside the transitions that lead through it. */
function container(box: PlacedBox, edges: readonly PlacedEdge[]): string {
  const { title, compartments } = box.text
  const width = Math.max(title.width, ...compartments.map((part) => part.width))
  const height = headerHeight(box.text)
  const lines = edges.map(({ points }) => points)
  const x = headerX({ x: box.x, y: box.y, width: box.width, height }, width, lines)
  const parts = [rect('shape', box), rule(box, box.y + height)]
  let top = box.y + GAP / 2
  parts.push(textLines(title, { ...TITLE, x: x + width / 2, y: top, centred: true, name: 'title' }))
  top += title.height + GAP / 2
  for (const part of compartments) {
    parts.push(textLines(part, { ...DETAIL, x, y: top, centred: false, name: 'detail' }))
    top += part.height + GAP / 2
  }
  return parts.join('')
}

function rule({ x, width }: Rectangle, y: number): string {
  return `<path class="rule" d="M${px(x)} ${px(y)}H${px(x + width)}"/>`
}

function rect(name: string, { x, y, width, height }: Rectangle): string {
  return `<rect class="${name}" x="${px(x)}" y="${px(y)}" width="${px(width)}" height="${px(height)}" rx="7"/>`
}

function drawDot({ x, y, width }: Rectangle): string {
  return `<circle class="dot" cx="${px(x + width / 2)}" cy="${px(y + width / 2)}" r="${px(width / 2)}"/>`
}

function drawEdge({ kind, event, source, target, points, label, labelAt }: PlacedEdge): string {
  const data = `data-event="${escapeXml(event)}" data-source="${escapeXml(source)}" data-target="${escapeXml(target)}"`
  const text = labelAt
    ? textLines(label, { ...LABEL, x: labelAt.x + 2, y: labelAt.y + 1, centred: false, name: 'label' })
    : ''
  return `<g class="edge ${kind}" ${data}><path class="line" d="${roundedPath(points)}"/>${arrowHead(points)}${text}</g>`
}

const BEND = 6

/** A line through the points, whose corners are rounded as far as the shorter side allows. */
function roundedPath(points: readonly ElkPoint[]): string {
  return points
    .map((point, index) => {
      const [before, after] = [points[index - 1], points[index + 1]]
      if (!before) return `M${at(point)}`
      if (!after) return `L${at(point)}`
      return `L${at(towards(point, before))}Q${at(point)} ${at(towards(point, after))}`
    })
    .join('')
}

function towards(from: ElkPoint, to: ElkPoint): ElkPoint {
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1
  const part = Math.min(BEND, length / 2) / length
  return { x: from.x + (to.x - from.x) * part, y: from.y + (to.y - from.y) * part }
}

/** Drawn as a shape: a marker would need an id, and ids clash when two charts stand in one page. */
function arrowHead(points: readonly ElkPoint[]): string {
  const [before, tip] = points.slice(-2)
  if (!before || !tip) return ''
  const length = Math.hypot(tip.x - before.x, tip.y - before.y) || 1
  const [dx, dy] = [(tip.x - before.x) / length, (tip.y - before.y) / length]
  const corner = (side: number): ElkPoint => ({ x: tip.x - 8 * dx - side * 4 * dy, y: tip.y - 8 * dy + side * 4 * dx })
  return `<path class="head" d="M${at(tip)}L${at(corner(1))}L${at(corner(-1))}Z"/>`
}

interface TextPlace extends TextStyle {
  readonly x: number
  readonly y: number
  readonly centred: boolean
  readonly name: string
}

function textLines({ lines }: TextBox, { x, y, size, centred, name }: TextPlace): string {
  const anchor = centred ? ' text-anchor="middle"' : ''
  const spans = lines.map((line, index) => {
    const baseline = y + size * (LINE_HEIGHT * index + 1.05)
    return `<text class="${name}" x="${px(x)}" y="${px(baseline)}"${anchor}>${escapeXml(line)}</text>`
  })
  return spans.join('')
}

function at({ x, y }: ElkPoint): string {
  return `${px(x)} ${px(y)}`
}

/** A tenth of a pixel is enough, and keeps the text of a drawing stable. */
function px(value: number): string {
  return String(Math.round(value * 10) / 10)
}
