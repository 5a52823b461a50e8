// callboard: what a user of the package imports.
export { CallboardError, isCallboardError, randomIds, systemClock } from './base/index.ts'
export type { Clock, ErrorDetails, Ids } from './base/index.ts'
export {
  DEFAULT_LIMITS,
  drop,
  entryToJson,
  estimateTokens,
  inferPriority,
  inferScope,
  patch,
  POLICIES,
  PRIORITIES,
  put,
  READY_FILTERS,
  SCOPES,
} from './context/index.ts'
export type {
  Author,
  BoardLimits,
  CatalogueOptions,
  Conflict,
  Entry,
  EntryAddress,
  EntryDefinition,
  EntryInfo,
  EntryOptions,
  Grants,
  Lineage,
  MergeableType,
  MergeInput,
  MergeResult,
  PathConflict,
  Policy,
  PolicyName,
  Priority,
  PutOptions,
  Refusal,
  RefusalReason,
  RenderedView,
  RenderOptions,
  RenderPlanLine,
  Scope,
  UpdateOptions,
  View,
  ViewFilter,
} from './context/index.ts'
export type { EntryDifference, LedgerRecord, MachineState, RecordKind } from './ledger/index.ts'
export { createRuntime, Run, Runtime } from './runtime/index.ts'
export type {
  AgentStatus,
  Change,
  ChangesOptions,
  Explanation,
  Moment,
  OpenRequest,
  OutsideOptions,
  Producer,
  RuntimeOptions,
  RuntimeTopics,
  SnapshotInfo,
  StartOptions,
  WaitExplanation,
} from './runtime/index.ts'
export { createVolatileStore } from './store/index.ts'
export type { Batch, Labels, RunFilter, RunSummary, Store, StoreTraits } from './store/index.ts'
export type { DeliveryRecord, Notification, NotificationHandler, WaitForGraph, WaitForNode } from './waits/index.ts'
export { defineContext, entry } from './workflow/index.ts'
export type {
  Accepted,
  AgentContext,
  AgentLogic,
  AgentOptions,
  AskOptions,
  Changes,
  ContextDefinition,
  LiveView,
  Progress,
  StepContext,
  StepOptions,
  SubscribeOptions,
  UpdateResult,
  WaitOptions,
  Workflow,
  WorkflowInput,
  WorkflowOptions,
  WorkflowOutput,
  WorkflowValues,
} from './workflow/index.ts'
