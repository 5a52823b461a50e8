import type {
  Analysis,
  Evaluation,
  Focus,
  Goal,
  Implementation,
  Issue,
  MetricComparison,
  MetricName,
  Plan,
  Task,
} from './schema.ts'
import { Metrics } from './schema.ts'

type Better = MetricComparison['better']

const BETTER: Readonly<Record<MetricName, Better>> = {
  files: 'neither',
  lines: 'neither',
  functions: 'neither',
  averageComplexity: 'lower',
  maxComplexity: 'lower',
  cognitiveComplexity: 'lower',
  complexFunctions: 'lower',
  elseAfterReturn: 'lower',
  exportedNames: 'neither',
  documentedNames: 'higher',
  documentationRatio: 'higher',
  exportedFunctions: 'neither',
  typedFunctions: 'higher',
  typedRatio: 'higher',
  explicitAny: 'lower',
  unusedImports: 'lower',
  unusedLocals: 'lower',
  unusedExports: 'lower',
  parseErrors: 'lower',
}

/** What at least must come of what was planned for a success. */
const SUCCESS = 0.7

/**
 * Compares a project three ways: as it was, as the plan said, as it is. A goal is an area of the focus; its share is the
 * part of the issues planned to be resolved automatically that the second measurement no longer finds. The success rate
 * is the mean over the areas that had issues; what needs a person is counted as remaining.
 */
export function evaluate(options: {
  readonly before: Analysis
  readonly plan: Plan
  readonly implementation: Implementation
  readonly after: Analysis
  readonly now: () => number
}): Evaluation {
  const { before, plan, implementation, after, now } = options
  const goals = plan.focus.map((area) => goalFor(area, before, plan, after))
  const open = goals.filter(({ issuesBefore }) => issuesBefore > 0)
  const successRate = open.length === 0 ? 1 : round(open.reduce((sum, { share }) => sum + share, 0) / open.length)
  const metricsComparison = compareMetrics(before.metrics, plannedMetrics(before, plan), after.metrics)
  return {
    goals,
    goalsAchieved: goals.filter(({ achieved }) => achieved).map(({ area }) => area),
    metricsComparison,
    successRate,
    ...verdictFor({ successRate, open, before, after, implementation }),
    storedAt: new Date(now()).toISOString(),
  }
}

function goalFor(area: Focus, before: Analysis, plan: Plan, after: Analysis): Goal {
  const issuesBefore = countIssues(before, area)
  const remaining = countIssues(after, area)
  const planned = plan.tasks
    .filter((task) => task.automatic && task.area === area)
    .reduce((sum, { targets }) => sum + targets.length, 0)
  const resolved = Math.max(0, issuesBefore - remaining)
  const share = issuesBefore === 0 ? 1 : planned === 0 ? 0 : round(Math.min(1, resolved / planned))
  const achieved = share >= SUCCESS && remaining <= issuesBefore
  return {
    area,
    issuesBefore,
    planned,
    resolved,
    remaining,
    share,
    achieved,
    note: noteFor({ issuesBefore, planned, remaining }),
  }
}

function noteFor({ issuesBefore, planned, remaining }: Pick<Goal, 'issuesBefore' | 'planned' | 'remaining'>): string {
  if (issuesBefore === 0) return 'there was nothing to improve'
  if (planned === 0) return 'nothing here can safely be done by a program; a person has to'
  return remaining === 0 ? 'nothing is left' : `${remaining} left for a person`
}

/** Issues that are sure; what is of low confidence may be no issue at all. */
const countIssues = ({ issues }: Analysis, area: Focus): number =>
  issues.filter((issue: Issue) => issue.area === area && issue.confidence === 'high').length

/** The metrics as they are when every automatic task is done; those that it does not determine are left out. */
function plannedMetrics({ metrics }: Analysis, { tasks }: Plan): ReadonlyMap<MetricName, number> {
  const targets = (edit: Task['edit']) =>
    tasks.filter((task) => task.automatic && task.edit === edit).reduce((sum, task) => sum + task.targets.length, 0)
  const documentedNames = metrics.documentedNames + targets('document')
  return new Map<MetricName, number>([
    ['documentedNames', documentedNames],
    ['documentationRatio', metrics.exportedNames === 0 ? 1 : round(documentedNames / metrics.exportedNames)],
    ['explicitAny', metrics.explicitAny - targets('catch-unknown')],
    ['unusedImports', metrics.unusedImports - targets('remove-imports')],
    ['elseAfterReturn', metrics.elseAfterReturn - targets('flatten-else')],
    ['parseErrors', metrics.parseErrors],
  ])
}

function compareMetrics(before: Metrics, planned: ReadonlyMap<MetricName, number>, after: Metrics): MetricComparison[] {
  return Metrics.unwrap()
    .keyof()
    .options.map((metric) => {
      const delta = round(after[metric] - before[metric])
      const better = BETTER[metric]
      return {
        metric,
        before: before[metric],
        planned: planned.get(metric) ?? null,
        after: after[metric],
        delta,
        better,
        change: changeOf(delta, better),
      }
    })
}

function changeOf(delta: number, better: Better): MetricComparison['change'] {
  if (delta === 0) return 'unchanged'
  if (better === 'neither') return 'changed'
  return delta > 0 === (better === 'higher') ? 'improved' : 'worsened'
}

function verdictFor({
  successRate,
  open,
  before,
  after,
  implementation,
}: {
  readonly successRate: number
  readonly open: readonly Goal[]
  readonly before: Analysis
  readonly after: Analysis
  readonly implementation: Implementation
}): Pick<Evaluation, 'verdict' | 'reason'> {
  const { compilation } = implementation
  if (after.metrics.parseErrors > before.metrics.parseErrors)
    return { verdict: 'failed', reason: 'files no longer parse' }
  if (compilation.errors > compilation.before) return { verdict: 'failed', reason: 'the compiler reports new errors' }
  if (open.length === 0) return { verdict: 'success', reason: 'there was nothing to improve' }
  const reason = `the goals are reached to ${Math.round(successRate * 100)} % on average`
  if (successRate >= SUCCESS) return { verdict: 'success', reason }
  return { verdict: successRate > 0 ? 'partial' : 'failed', reason }
}

const round = (value: number): number => Math.round(value * 1000) / 1000
