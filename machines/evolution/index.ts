export { createAgents } from './agents.ts'
export type { EvolutionAgents, EvolutionOptions } from './agents.ts'
export { analyse, assertParses } from './analysis.ts'
export { board } from './board.ts'
export type { EvolutionValues } from './board.ts'
export { compareEvolution } from './compare.ts'
export type { EvolutionComparison } from './compare.ts'
export { makeCopy, removeCopy } from './copy.ts'
export type { WorkingCopy } from './copy.ts'
export { evolutionsOf } from './door.ts'
export { EvolutionError, isEvolutionError } from './error.ts'
export type { EvolutionErrorCode } from './error.ts'
export { evaluate } from './evaluate.ts'
export { estimateImpact, impactOf } from './impact.ts'
export { EvolutionContext, exportEvolution, importEvolution, readEvolution } from './export.ts'
export type { ExportOptions } from './export.ts'
export { implement } from './implement.ts'
export type { ImplementOptions } from './implement.ts'
export { describeFailure } from './failure.ts'
export { Approval, Failure, Meta, Phase, Status } from './meta.ts'
export { assertUnchanged, makePatch } from './patch.ts'
export { countAutomatic, makePlan } from './plan.ts'
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
  UndocumentedNames,
  Wording,
} from './schema.ts'
export type { MetricName } from './schema.ts'
export { findSources, Sources } from './sources.ts'
export { summariseEvolutions } from './summary.ts'
export type { EvolutionSummary } from './summary.ts'
export { commentFor } from './wording.ts'
export { writeWhole } from './write-file.ts'
