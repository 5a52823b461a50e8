import type { ELK, ElkEdgeSection, ElkNode, ElkPoint, LayoutOptions } from 'elkjs/lib/elk-api.js'

import { CallboardError } from '../base/index.ts'
import type { Chart } from './chart.ts'
import { GraphBuilder } from './elk-graph.ts'
import type { ChartGraph, Direction, GraphBox, GraphEdge } from './elk-graph.ts'

export interface Rectangle {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

export type PlacedBox = GraphBox & Rectangle & { readonly titleAt?: Rectangle }
export type PlacedEdge = GraphEdge & { readonly points: readonly ElkPoint[]; readonly labelAt?: Rectangle }

/** Where everything goes, in pixels from the top left corner. Boxes come before the boxes inside them. */
export interface Layout {
  readonly width: number
  readonly height: number
  readonly boxes: readonly PlacedBox[]
  readonly dots: readonly Rectangle[]
  readonly edges: readonly PlacedEdge[]
}

/** Imports ELK; handed in so that a test can take it away. */
export type ElkImport = () => Promise<{ readonly default: unknown }>

const importElk: ElkImport = () => import('elkjs/lib/elk.bundled.js')

/** Lays a chart out with ELK's layered algorithm, all levels in one run. */
export async function layoutChart(chart: Chart, direction: Direction, load: ElkImport = importElk): Promise<Layout> {
  const elk = await openElk(load)
  const graph = new GraphBuilder(direction).build(chart)
  return placed(await layOut(elk, graph, direction), graph)
}

async function layOut(elk: ELK, graph: ChartGraph, direction: Direction): Promise<ElkNode> {
  try {
    // Options of a graph do not reach the graphs inside it; given here, they hold for all.
    const layoutOptions = { ...commonOptions(direction), ...effortOptions(graph.edges.size) }
    return await elk.layout(graph.elk, { layoutOptions })
  } catch (cause) {
    throw new CallboardError(
      'graph.layout-failed',
      'ELK could not lay this chart out, which is a defect of ELK or of Callboard; use the format dot or mermaid instead',
      { direction },
      { cause },
    )
  }
}

async function openElk(load: ElkImport): Promise<ELK> {
  try {
    const { default: Elk } = (await load()) as { readonly default: new () => ELK }
    return new Elk()
  } catch (cause) {
    throw new CallboardError(
      'graph.elk-missing',
      'drawing an SVG needs the package "elkjs", which could not be loaded; install it with: npm install elkjs@0.12.1',
      { package: 'elkjs' },
      { cause },
    )
  }
}

function commonOptions(direction: Direction): LayoutOptions {
  return {
    'elk.algorithm': 'layered',
    'elk.direction': direction.toUpperCase(),
    'elk.hierarchyHandling': 'INCLUDE_CHILDREN',
    'elk.edgeRouting': 'ORTHOGONAL',
    'elk.json.shapeCoords': 'ROOT',
    'elk.json.edgeCoords': 'ROOT',
    'elk.padding': '[top=12,left=12,bottom=12,right=12]',
    'elk.layered.edgeLabels.sideSelection': 'ALWAYS_UP',
    'elk.spacing.nodeNode': '28',
    'elk.spacing.edgeNode': '18',
    'elk.spacing.edgeEdge': '14',
    'elk.spacing.edgeLabel': '3',
    'elk.layered.spacing.nodeNodeBetweenLayers': '32',
    'elk.layered.spacing.edgeNodeBetweenLayers': '18',
    'elk.layered.spacing.edgeEdgeBetweenLayers': '14',
  }
}

/**
 * What looks best takes too long for many transitions: with 60 of them the network simplex takes ten times as long as linear
 * segments, with some hundred it overflows the stack.
 */
function effortOptions(edges: number): LayoutOptions {
  if (edges <= 40) return { 'elk.layered.nodePlacement.strategy': 'NETWORK_SIMPLEX' }
  if (edges <= 120) return { 'elk.layered.nodePlacement.strategy': 'LINEAR_SEGMENTS' }
  return {
    'elk.layered.nodePlacement.strategy': 'BRANDES_KOEPF',
    'elk.layered.layering.strategy': 'LONGEST_PATH',
    'elk.layered.thoroughness': '1',
  }
}

function placed(root: ElkNode, graph: ChartGraph): Layout {
  const nodes = descendants(root)
  return {
    width: root.width ?? 0,
    height: root.height ?? 0,
    boxes: nodes.flatMap((node) => {
      const box = graph.boxes.get(node.id)
      const label = node.labels?.[0]
      return box ? [{ ...box, ...rectangle(node), ...(label && { titleAt: rectangle(label) }) }] : []
    }),
    dots: nodes.filter(({ id }) => graph.dots.has(id)).map(rectangle),
    edges: (root.edges ?? []).flatMap((edge) => {
      const known = graph.edges.get(edge.id)
      const label = edge.labels?.[0]
      const points = (edge.sections ?? []).flatMap(sectionPoints)
      return known
        ? [
            {
              ...known,
              points: known.backward ? points.reverse() : points,
              ...(label && { labelAt: rectangle(label) }),
            },
          ]
        : []
    }),
  }
}

function descendants(node: ElkNode): readonly ElkNode[] {
  return (node.children ?? []).flatMap((child) => [child, ...descendants(child)])
}

function rectangle({ x = 0, y = 0, width = 0, height = 0 }: Partial<Rectangle>): Rectangle {
  return { x, y, width, height }
}

function sectionPoints({ startPoint, bendPoints = [], endPoint }: ElkEdgeSection): readonly ElkPoint[] {
  return [startPoint, ...bendPoints, endPoint]
}
