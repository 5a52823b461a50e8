// A chart as a graph for ELK: boxes with the size their text needs, edges with their labels. Where things go is the work
// of ELK (`layout.ts`), what they look like that of `svg.ts`.

import type { ElkExtendedEdge, ElkLabel, ElkNode, LayoutOptions } from 'elkjs/lib/elk-api.js'

import type { Chart, ChartState } from './chart.ts'
import { backwardEdges } from './flow.ts'
import { behaviourLines, invokeLines, stateName, transitionParts, visible } from './label.ts'
import { StateTree } from './state-tree.ts'
import { textBox } from './text-box.ts'
import type { TextBox, TextStyle } from './text-box.ts'
import type { ChartTransitionKind } from './transitions.ts'

export const TITLE: TextStyle = { size: 13, bold: true, maxWidth: 260, maxLines: 6 }
export const DETAIL: TextStyle = { size: 11, maxWidth: 260, maxLines: 12 }
export const LABEL: TextStyle = { size: 11, maxWidth: 190, maxLines: 8 }

export const GAP = 8
const CIRCLE = 22
const DOT = 10
/** The width of an arrow head with its share of air. */
const ARROW = 13

interface Size {
  readonly width: number
  readonly height: number
}

/** Which way transitions mostly lead. */
export type Direction = 'right' | 'down'

/** The name of a state above compartments of lines: what it does, then each agent it invokes. */
export interface BoxText {
  readonly title: TextBox
  readonly compartments: readonly TextBox[]
}

/** A state as it is handed to ELK, and what will be written into it. */
export interface GraphBox {
  readonly state: ChartState
  readonly text: BoxText
  readonly form: 'circle' | 'box' | 'container'
  readonly isRegion: boolean
}

/** A drawn arrow; ELK is given a `backward` one the other way round. */
export interface GraphEdge {
  readonly kind: ChartTransitionKind | 'initial' | 'default'
  readonly event: string
  readonly source: string
  readonly target: string
  readonly label: TextBox
  readonly backward: boolean
}

/** ELK's input, with the meaning of its ids. */
export interface ChartGraph {
  readonly elk: ElkNode
  readonly boxes: ReadonlyMap<string, GraphBox>
  readonly dots: ReadonlySet<string>
  readonly edges: ReadonlyMap<string, GraphEdge>
}

/** Builds the graph in one walk over the chart; ids count up in document order. */
export class GraphBuilder {
  readonly #boxes = new Map<string, GraphBox>()
  readonly #dots = new Set<string>()
  readonly #dotIds = new Map<string, string>()
  readonly #edges = new Map<string, GraphEdge>()
  readonly #ids = new Map<string, string>()
  readonly #elkEdges: ElkExtendedEdge[] = []
  readonly #direction: Direction
  #crowd: ReadonlyMap<string, number> = new Map()

  constructor(direction: Direction) {
    this.#direction = direction
  }

  build(chart: Chart): ChartGraph {
    const tree = new StateTree(chart)
    const arrows = tree.states.flatMap(arrowsFrom)
    const backward = backwardEdges(tree, arrows)
    this.#crowd = crowdOf(arrows, backward)
    const root = this.#node(chart.root, false)
    for (const arrow of arrows) this.#edge(arrow, backward.has(arrow))
    const elk = { id: 'chart', children: [root], edges: this.#elkEdges }
    return { elk, boxes: this.#boxes, dots: this.#dots, edges: this.#edges }
  }

  #node(state: ChartState, isRegion: boolean): ElkNode {
    const id = `s${this.#boxes.size}`
    const text = boxText(state)
    const form = this.#form(state, text)
    this.#ids.set(state.path, id)
    this.#boxes.set(id, { state, text, form, isRegion })
    if (form === 'circle') return this.#circle(id, text)
    if (form === 'box') return { id, ...this.#roomy(boxSize(text), state) }
    const children = state.states.map((child) =>
      this.#node(child, state.kind === 'parallel' && child.kind !== 'history'),
    )
    const least = this.#roomy({ width: boxSize(text).width, height: headerHeight(text) + 3 * GAP }, state)
    return { id, children: [...this.#dot(state), ...children], layoutOptions: containerOptions(text, least) }
  }

  /** A final state that says nothing but its name is a circle, unless too many transitions for a circle end there. */
  #form({ kind, path, states }: ChartState, { compartments }: BoxText): GraphBox['form'] {
    if (states.length > 0) return 'container'
    const isPlainFinal = kind === 'final' && compartments.length === 0 && (this.#crowd.get(path) ?? 0) <= 3
    return kind === 'history' || isPlainFinal ? 'circle' : 'box'
  }

  /** A size that leaves room between the arrow heads on the busier side. */
  #roomy({ width, height }: Size, { path }: ChartState): Size {
    const side = ((this.#crowd.get(path) ?? 0) + 1) * ARROW
    return this.#direction === 'down'
      ? { width: Math.max(width, side), height }
      : { width, height: Math.max(height, side) }
  }

  /** The name stands where no transition arrives. */
  #circle(id: string, { title }: BoxText): ElkNode {
    const placement = this.#direction === 'down' ? 'OUTSIDE V_CENTER H_RIGHT' : 'OUTSIDE V_BOTTOM H_CENTER'
    const layoutOptions = { 'elk.nodeLabels.placement': placement }
    return { id, width: CIRCLE, height: CIRCLE, labels: [elkLabel(title)], layoutOptions }
  }

  #dot(state: ChartState): readonly ElkNode[] {
    if (!state.initial) return []
    const id = `i${this.#dots.size}`
    this.#dots.add(id)
    this.#dotIds.set(state.path, id)
    return [{ id, width: DOT, height: DOT }]
  }

  #edge({ lines, isMain, ...arrow }: Arrow, backward: boolean): void {
    const id = `e${this.#edges.size}`
    const label = textBox(lines.map(visible), LABEL)
    this.#edges.set(id, { ...arrow, label, backward })
    const ids = arrow.kind === 'initial' ? this.#dotIds : this.#ids
    const [source, target] = [ids.get(arrow.source) ?? '', this.#ids.get(arrow.target) ?? '']
    const ends = backward ? { sources: [target], targets: [source] } : { sources: [source], targets: [target] }
    this.#elkEdges.push({
      id,
      ...ends,
      labels: label.lines.length > 0 ? [elkLabel(label)] : [],
      layoutOptions: isMain && !backward ? { 'elk.layered.priority.straightness': '10' } : {},
    })
  }
}

interface Arrow extends Pick<GraphEdge, 'kind' | 'event' | 'source' | 'target'> {
  readonly lines: readonly string[]
  /** The first way on from a state, which is usually the plan; it is kept straight. */
  readonly isMain: boolean
}

function arrowsFrom({ path: source, initial, history, transitions }: ChartState): readonly Arrow[] {
  const arrows: Arrow[] = []
  if (initial) {
    const lines = initial.actions.length > 0 ? [`/ ${initial.actions.join(', ')}`] : []
    arrows.push({ kind: 'initial', event: '', source, target: initial.target, lines, isMain: true })
  }
  for (const target of history?.targets ?? []) {
    arrows.push({ kind: 'default', event: '', source, target, lines: ['default'], isMain: true })
  }
  const onward = transitions.flatMap((transition) => transition.targets.map((target) => ({ transition, target })))
  for (const [index, { transition, target }] of onward.entries()) {
    const { kind, event } = transition
    arrows.push({ kind, event, source, target, lines: transitionParts(transition), isMain: index === 0 })
  }
  return arrows
}

/** How many transitions touch the busier side of a state: backward ones arrive where forward ones leave. */
function crowdOf(arrows: readonly Arrow[], backward: ReadonlySet<Arrow>): ReadonlyMap<string, number> {
  const sides = new Map<string, number>()
  const add = (path: string, side: 'near' | 'far'): void => {
    const key = `${side} ${path}`
    sides.set(key, (sides.get(key) ?? 0) + 1)
  }
  for (const arrow of arrows) {
    if (arrow.kind !== 'initial') add(arrow.source, backward.has(arrow) ? 'near' : 'far')
    add(arrow.target, backward.has(arrow) ? 'far' : 'near')
  }
  const crowd = new Map<string, number>()
  for (const { source, target } of arrows) {
    for (const path of [source, target]) {
      crowd.set(path, Math.max(sides.get(`near ${path}`) ?? 0, sides.get(`far ${path}`) ?? 0))
    }
  }
  return crowd
}

function boxText(state: ChartState): BoxText {
  const described = state.description === undefined ? [] : [state.description]
  const groups = [described, behaviourLines(state), ...state.invokes.map((invoke) => invokeLines(invoke))]
  return {
    title: textBox([visible(stateName(state))], TITLE),
    compartments: groups.filter((lines) => lines.length > 0).map((lines) => textBox(lines.map(visible), DETAIL)),
  }
}

function boxSize({ title, compartments }: BoxText): Size {
  const width = Math.max(title.width, ...compartments.map((part) => part.width)) + 2.5 * GAP
  const height = [title, ...compartments].reduce((sum, part) => sum + part.height + GAP, 0)
  return { width: Math.max(width, 64), height: Math.max(height, 34) }
}

/** The strip at the top of a state with inner states. */
export function headerHeight({ title, compartments }: BoxText): number {
  return [title, ...compartments].reduce((sum, part) => sum + part.height + GAP / 2, GAP / 2)
}

function containerOptions(text: BoxText, { width, height }: Size): LayoutOptions {
  const top = headerHeight(text) + 2 * GAP
  return {
    'elk.padding': `[top=${top},left=${2 * GAP},bottom=${2 * GAP},right=${2 * GAP}]`,
    'elk.nodeSize.constraints': 'MINIMUM_SIZE',
    'elk.nodeSize.minimum': `(${width},${height})`,
  }
}

/** One pixel of air on each side, so that a label does not touch the line it belongs to. */
function elkLabel({ lines, width, height }: TextBox): ElkLabel {
  return { text: lines.join(' '), width: width + 4, height: height + 2 }
}
