export { analyse } from './analysis.ts'
export { makeCopy, removeCopy } from './copy.ts'
export type { WorkingCopy } from './copy.ts'
export { EvolutionError, isEvolutionError } from './error.ts'
export type { EvolutionErrorCode } from './error.ts'
export { evaluate } from './evaluate.ts'
export { estimateImpact, impactOf } from './impact.ts'
export { implement } from './implement.ts'
export type { ImplementOptions } from './implement.ts'
export { makePatch } from './patch.ts'
export { makePlan } from './plan.ts'
export { practices } from './practices.ts'
export type { Practice, Verdict } from './practices.ts'
export type { OnProgress, Watched } from './progress.ts'
export { reportJson, reportMarkdown } from './report.ts'
export type { EvolutionSections } from './report.ts'
export { research } from './research.ts'
export {
  Analysis,
  Change,
  Compilation,
  Conventions,
  DroppedTask,
  EditName,
  Evaluation,
  FileMeasure,
  Focus,
  Goal,
  Implementation,
  Issue,
  IssueKind,
  MetricComparison,
  Metrics,
  Pattern,
  Plan,
  PracticeFinding,
  Priority,
  Research,
  RollbackPoint,
  Skipped,
  Task,
  TaskKind,
} from './schema.ts'
export type { MetricName } from './schema.ts'
export { findSources } from './sources.ts'
export type { Sources } from './sources.ts'
