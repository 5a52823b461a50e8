import type { Run } from 'callboard'
import type { Analysis, Implementation, MetricName, Plan } from './schema.ts'
import { Metrics } from './schema.ts'
import { readEvolution } from './export.ts'

/** An evolution three ways: as it was, as the plan says, as it is; and what was done. Only what is known is there. */
export interface EvolutionComparison {
  readonly before?: Analysis
  readonly plan?: Plan
  readonly after?: Analysis
  readonly implementation?: Implementation
  /** Every metric, after minus before, once both are known. */
  readonly deltas?: Readonly<Record<MetricName, number>>
}

/** Compares what an evolution knows; of an unknown run (`runtime.get` gives undefined) nothing is known. */
export function compareEvolution(run: Pick<Run, 'id' | 'get'> | undefined): EvolutionComparison {
  if (run === undefined) return {}
  const { originalAnalysis, improvementPlan, currentState, implementationLog } = readEvolution(run)
  return {
    ...(originalAnalysis && { before: originalAnalysis }),
    ...(improvementPlan && { plan: improvementPlan }),
    ...(currentState && { after: currentState }),
    ...(implementationLog && { implementation: implementationLog }),
    ...(originalAnalysis && currentState && { deltas: deltasOf(originalAnalysis.metrics, currentState.metrics) }),
  }
}

function deltasOf(before: Metrics, after: Metrics): Readonly<Record<MetricName, number>> {
  const names = Metrics.unwrap().keyof().options
  const deltas = names.map((name) => [name, Math.round((after[name] - before[name]) * 1000) / 1000] as const)
  return Object.fromEntries(deltas) as Record<MetricName, number>
}
