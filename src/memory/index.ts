// callboard/memory: what outlives runs.
export { AgentMemory } from './agent-memory.ts'
export type { ListOptions } from './agent-memory.ts'
export type {
  BatchEffect,
  BatchReview,
  CommitResult,
  ItemLife,
  ItemReference,
  MemoryBatch,
  MemoryConflict,
  StagedChange,
} from './batch.ts'
export type { MemoryChange, NewItem } from './change.ts'
export { itemToWire, parseChangeRequests } from './change-request.ts'
export type { ParsedRequests, WireItem } from './change-request.ts'
export { modelEmbedder } from './embedder.ts'
export type { Embedder, EmbeddingModel } from './embedder.ts'
export { MEMORY_KINDS, MEMORY_STATUSES, MEMORY_TYPES } from './item.ts'
export type { MemoryItem, MemoryKind, MemoryStatus, MemoryType, Provenance, Tombstone } from './item.ts'
export type {
  Concept,
  Execution,
  Experience,
  Learned,
  LearningProcess,
  MemoryInsight,
  ProcessResult,
  RememberOptions,
  Skill,
  TaskOptions,
  WithMemory,
} from './learning.ts'
export { lexicalEmbedder } from './lexical-embedder.ts'
export { createMemory, Memory } from './memory.ts'
export type { MemoryOptions, MemorySource, RememberingAgent } from './memory.ts'
export type { ProposeOptions } from './proposals.ts'
export type { MemoryHit, RecallOptions } from './recall.ts'
export { MEMORY_RETENTION } from './retention.ts'
export type { KindRetention, MemoryRetention, PruneReport } from './retention.ts'
export { MEMORY_SCOPES } from './scope.ts'
export type { MemoryReader, MemoryScope, MemoryScopeKind } from './scope.ts'
export { createVolatileMemory, openSqliteMemory } from './sqlite/open.ts'
export type { SqliteMemoryOptions } from './sqlite/open.ts'
export type {
  MemoryCommit,
  MemoryFilter,
  MemoryMatch,
  MemoryStore,
  MemoryStoreState,
  MemoryStoreTraits,
  MemoryWrite,
} from './store.ts'
