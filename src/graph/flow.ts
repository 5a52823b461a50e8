// Which transitions lead forward and which lead back, as a reader sees it: forward from the initial state on. A layered
// layout needs this and its own guess, which knows of no initial state, would put any state on top.

import type { ChartState } from './chart.ts'
import type { StateTree } from './state-tree.ts'

export interface FlowEdge {
  readonly source: string
  readonly target: string
}

/**
 * Finds the edges that lead back to where the flow came from. Each level is looked at for itself, by a depth-first walk
 * from its initial state; an edge between levels counts where the two ways up from its ends part. Without the edges
 * found, no level has a cycle.
 */
export function backwardEdges<Edge extends FlowEdge>(tree: StateTree, edges: readonly Edge[]): ReadonlySet<Edge> {
  const levels = Map.groupBy(
    edges.flatMap((edge) => liftedTo(tree, edge) ?? []),
    ({ level }) => level,
  )
  const backward = new Set<Edge>()
  for (const [level, lifted] of levels) {
    const bySource = Map.groupBy(lifted, ({ source }) => source)
    for (const edge of backwardAt(level, (source) => bySource.get(source) ?? [])) backward.add(edge)
  }
  return backward
}

interface Lifted<Edge> {
  readonly level: ChartState
  readonly source: string
  readonly target: string
  readonly edge: Edge
}

/** The two states of one level that an edge connects; undefined where one end holds the other. */
function liftedTo<Edge extends FlowEdge>(tree: StateTree, edge: Edge): Lifted<Edge> | undefined {
  const up = tree.lineageOf(edge.source)
  const down = tree.lineageOf(edge.target)
  const fork = up.findIndex((path, depth) => path !== down[depth])
  const [level, source, target] = [tree.get(up[fork - 1] ?? ''), up[fork], down[fork]]
  return level && source !== undefined && target !== undefined ? { level, source, target, edge } : undefined
}

/** Written with its own stack of iterators: a line of ten thousand states is as deep as it is long. */
function backwardAt<Edge>(level: ChartState, from: (path: string) => readonly Lifted<Edge>[]): readonly Edge[] {
  const found: Edge[] = []
  const open = new Set<string>()
  const seen = new Set<string>()
  const starts = [level.initial?.target ?? [], level.states.map(({ path }) => path)].flat()
  for (const start of starts) {
    if (seen.has(start)) continue
    const stack = [{ path: start, edges: from(start).values() }]
    open.add(start)
    seen.add(start)
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const next = top.edges.next().value
      if (!next) {
        open.delete(top.path)
        stack.pop()
      } else if (open.has(next.target)) {
        found.push(next.edge)
      } else if (!seen.has(next.target)) {
        open.add(next.target)
        seen.add(next.target)
        stack.push({ path: next.target, edges: from(next.target).values() })
      }
    }
  }
  return found
}
