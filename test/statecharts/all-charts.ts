import type { Chart } from './chart.ts'
import { actorCharts } from './charts/actors.ts'
import { stateCharts } from './charts/states.ts'
import { timeCharts } from './charts/time.ts'
import { scxmlCharts } from './scxml-charts.ts'

/** Our own, feature by feature. */
export const ownCharts: readonly Chart[] = [...stateCharts, ...timeCharts, ...actorCharts]

export const charts: readonly Chart[] = [...ownCharts, ...scxmlCharts.map(({ chart }) => chart)]
