import { CallboardError } from '../base/index.ts'
import type { Chart } from './chart.ts'
import { toDot } from './dot.ts'
import { toJson } from './json.ts'
import { toMermaid } from './mermaid.ts'
import { toScxml } from './scxml.ts'
import { toSvg } from './svg.ts'

/** The formats a chart can be written in. */
export const CHART_FORMATS = ['mermaid', 'dot', 'json', 'svg', 'scxml'] as const

export type ChartFormat = (typeof CHART_FORMATS)[number]

/**
 * The chart in a format given by name.
 *
 * @throws CallboardError `graph.unknown-format`; `graph.elk-missing` for `svg` without the package `elkjs`
 */
export async function renderChart(chart: Chart, format: ChartFormat): Promise<string> {
  switch (format) {
    case 'mermaid':
      return toMermaid(chart)
    case 'dot':
      return toDot(chart)
    case 'json':
      return toJson(chart)
    case 'svg':
      return toSvg(chart)
    case 'scxml':
      return toScxml(chart)
    default:
      throw unknownFormat(format)
  }
}

function unknownFormat(format: never): CallboardError {
  const formats = CHART_FORMATS.join(', ')
  const message = `there is no chart format ${JSON.stringify(format)}; choose one of ${formats}`
  return new CallboardError('graph.unknown-format', message, { format, formats: CHART_FORMATS })
}
