export type {
  Accepted,
  AgentContext,
  AskOptions,
  FirstOf,
  LiveView,
  Progress,
  StepContext,
  StepOptions,
  SubscribeOptions,
  UpdateResult,
  WaitFor,
  WaitOptions,
} from './agent-context.ts'
export { accessRulesOf, isAgentLogic } from './agent.ts'
export type { AgentDefinition, AgentLogic, AgentSnapshot, PersonTarget } from './agent.ts'
export { defineContext } from './define-context.ts'
export type { AgentOptions, ContextDefinition } from './define-context.ts'
export { writtenKeysOf } from './describe.ts'
export { entry } from './entry.ts'
export { EXPIRE_EVENT, isInternalEvent, UPDATE_EVENT, UPSTREAM_EVENT } from './internal-event.ts'
export type { InternalEvent, UpdateEvent } from './internal-event.ts'
export type { Compact, Compaction, EvictedEntry, WorkflowLimits } from './limits.ts'
export type {
  DefinitionOrigin,
  Migrate,
  MigratedEntry,
  MigratedRunState,
  MigrationInput,
  StoredRunState,
} from './migrate.ts'
export { workflowOf } from './definition.ts'
export type { WorkflowDefinition } from './definition.ts'
export { schemaIssue } from './schema-print.ts'
export { isMachine, sharedStamp, sourceOf, stampOf, structureHash, structureOf } from './structure.ts'
export type {
  ActorStructure,
  AgentStructure,
  DefinitionStamp,
  KeyStructure,
  MachineStructure,
  StateStructure,
  WorkflowStructure,
} from './structure.ts'
export { compareStructures, describeDifference } from './structure-difference.ts'
export type { StructureDifference } from './structure-difference.ts'
export type { BoardReader, Changes, Patterns, Selected, TakenOf, ValuesOf } from './values.ts'
export { applyUpdate, missingGlobals, setBeginning } from './workflow.ts'
export type {
  RunBeginning,
  Workflow,
  WorkflowBuilder,
  WorkflowContext,
  WorkflowInput,
  WorkflowOptions,
  WorkflowOutput,
  WorkflowTaken,
  WorkflowValues,
} from './workflow.ts'
