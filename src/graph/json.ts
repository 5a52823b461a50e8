import type { Chart } from './chart.ts'

/** The name and version of the JSON form; it changes when a reader of the old form would misread the new one. */
export const CHART_FORMAT = 'callboard.chart/1'

/** The chart as indented JSON; equal charts give equal text. */
export function toJson(chart: Chart): string {
  return `${JSON.stringify({ format: CHART_FORMAT, ...chart }, null, 2)}\n`
}
