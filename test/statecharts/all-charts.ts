import type { Chart } from './chart.ts'
import { actorCharts } from './charts/actors.ts'
import { stateCharts } from './charts/states.ts'
import { timeCharts } from './charts/time.ts'

export const charts: readonly Chart[] = [...stateCharts, ...timeCharts, ...actorCharts]
