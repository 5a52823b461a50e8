// Graphviz: a chart in the DOT language, for `dot`.
// Graphviz connects nodes only, not clusters. A state with inner states is therefore a cluster with an anchor inside: its
// initial dot, or an invisible point; its edges end at the anchor and are cut off at the border by `ltail` and `lhead`. A
// transition that does not cross that border (to itself, to a state inside or around) stands in words below the name.

import type { Chart, ChartState } from './chart.ts'
import {
  behaviourLines,
  historyMark,
  invokeLines,
  nestedTransitionLines,
  stateName,
  transitionParts,
  visible,
} from './label.ts'
import { stateIds } from './state-ids.ts'
import { StateTree } from './state-tree.ts'
import { escapeXml } from './xml.ts'

interface Drawing {
  readonly tree: StateTree
  readonly ids: ReadonlyMap<string, string>
}

/** Without `newrank`, edges between clusters make Graphviz 2.43 fail: "trouble in init_rank", "triangulation failed". */
const HEAD = [
  'graph [compound=true newrank=true fontname="Helvetica" fontsize=12 nodesep=0.4 ranksep=0.5]',
  'node [shape=plain fontname="Helvetica" fontsize=12]',
  'edge [fontname="Helvetica" fontsize=10]',
]

/** The chart as a directed graph in Graphviz's DOT language. */
export function toDot(chart: Chart): string {
  const tree = new StateTree(chart)
  const drawing: Drawing = { tree, ids: stateIds(tree) }
  const lines = [...HEAD, ...stateLines(chart.root, drawing), ...edgeLines(drawing)].map((line) => `  ${line}`)
  return `${[`digraph ${quote(chart.id)} {`, ...lines, '}'].join('\n')}\n`
}

function stateLines(state: ChartState, drawing: Drawing): readonly string[] {
  const id = drawing.ids.get(state.path) ?? ''
  if (state.states.length > 0) return clusterLines(state, id, drawing)
  if (state.kind !== 'history') return [`${id} [label=${table(state, drawing)}]`]
  return [`${id} [shape=ellipse label=${quote(historyMark(state), stateName(state))}]`]
}

function clusterLines(state: ChartState, id: string, drawing: Drawing): readonly string[] {
  const isRegion = drawing.tree.parentOf(state.path)?.kind === 'parallel'
  const anchor = state.initial ? `[shape=point width=0.12 label=""]` : '[shape=point style=invis label=""]'
  const inner = [
    `style=${quote(isRegion ? 'rounded,dashed' : 'rounded')}`,
    `label=${table(state, drawing)}`,
    `${anchorId(id)} ${anchor}`,
    ...state.states.flatMap((child) => stateLines(child, drawing)),
  ]
  return [`subgraph cluster_${id} {`, ...inner.map((line) => `  ${line}`), '}']
}

/** A state's name above what it does; only final states, with their second border, differ. */
function table(state: ChartState, { tree }: Drawing): string {
  const row = (text: string, align: string): string => `<tr><td align="${align}">${text}</td></tr>`
  const name = row(`<b>${html(stateName(state))}</b>`, 'center')
  const lines = [
    ...behaviourLines(state),
    ...loops(state),
    ...nestedTransitionLines(state, tree),
    ...state.invokes.flatMap((invoke) => invokeLines(invoke)),
  ]
  const rows = lines.map((line) => row(`<font point-size="10">${html(line)}</font>`, 'left')).join('')
  const box = (border: number, content: string): string =>
    `<table border="${border}" style="rounded" cellborder="0" cellspacing="0" cellpadding="3">${content}</table>`
  const inner = box(state.states.length > 0 ? 0 : 1, name + rows)
  return state.kind === 'final' ? `<${box(1, `<tr><td>${inner}</td></tr>`)}>` : `<${inner}>`
}

/** A cluster cannot have an edge to itself. */
function loops({ path, states, transitions }: ChartState): readonly string[] {
  if (states.length === 0) return []
  const own = transitions.filter(({ targets }) => targets.includes(path))
  return own.map((transition) => `${transitionParts(transition).join(' ')} ↻`)
}

function edgeLines(drawing: Drawing): readonly string[] {
  const { tree, ids } = drawing
  return tree.states.flatMap(({ path, states, initial, history, transitions }) => {
    const drawn = (target: string): boolean => !tree.areNested(path, target) && (target !== path || states.length === 0)
    const defaults = (history?.targets ?? []).map((target) => edge([path, target], ['default'], drawing))
    const others = transitions.flatMap((transition) =>
      transition.targets.filter(drawn).map((target) => edge([path, target], transitionParts(transition), drawing)),
    )
    if (!initial) return [...defaults, ...others]
    const label = initial.actions.length > 0 ? `/ ${initial.actions.join(', ')}` : ''
    const { node, cluster } = nodeFor(initial.target, drawing)
    const cut = cluster ? ` lhead=${cluster}` : ''
    return [`${anchorId(ids.get(path) ?? '')} -> ${node} [label=${quote(label)}${cut}]`, ...others]
  })
}

function edge([source, target]: readonly [string, string], label: readonly string[], drawing: Drawing): string {
  const tail = nodeFor(source, drawing)
  const head = nodeFor(target, drawing)
  const attributes: string[] = []
  // The middle of an edge that starts in a cluster may lie in the part that is cut off, and its label with it.
  if (tail.cluster) attributes.push(`headlabel=${quote(...label)}`, 'labeldistance=3', `ltail=${tail.cluster}`)
  else attributes.push(`label=${quote(...label)}`)
  if (head.cluster) attributes.push(`lhead=${head.cluster}`)
  return `${tail.node} -> ${head.node} [${attributes.join(' ')}]`
}

function nodeFor(path: string, { tree, ids }: Drawing): { readonly node: string; readonly cluster?: string } {
  const id = ids.get(path) ?? ''
  const hasInner = (tree.get(path)?.states.length ?? 0) > 0
  return hasInner ? { node: anchorId(id), cluster: `cluster_${id}` } : { node: id }
}

/** The point inside a cluster; no state's id has two underscores in a row. */
function anchorId(id: string): string {
  return `${id}__`
}

/** A text in a label of HTML, in which Graphviz reads backslashes too: `\N` is the node's name. */
function html(text: string): string {
  return escapeXml(text).replaceAll('\\', '\\\\')
}

/** Lines as a quoted string, in which Graphviz still reads backslashes and HTML entities. */
function quote(...lines: readonly string[]): string {
  const escaped = lines.map((line) =>
    visible(line).replaceAll('\\', '\\\\').replaceAll('&', '&amp;').replaceAll('"', '\\"'),
  )
  return `"${escaped.join('\\n')}"`
}
