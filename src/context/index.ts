export { Access } from './access.ts'
export type { AccessRules, Grants } from './access.ts'
export { authorName, WORKFLOW_AUTHOR } from './author.ts'
export type { Author } from './author.ts'
export { Board } from './board.ts'
export { Catalogue, DEFAULT_LIMITS } from './catalogue.ts'
export type {
  BoardLimits,
  CatalogueEntry,
  CatalogueOptions,
  Definitions,
  EntryDefinition,
  EntryOptions,
} from './catalogue.ts'
export type { PathConflict } from './conflict.ts'
export { compareEntries, entryToJson, entryOf, valueOf } from './entry.ts'
export type { Cell, Entry, EntryInfo, Lineage } from './entry.ts'
export { evictionReasonOf } from './evict.ts'
export type { EvictionReason, LimitName, RoomLimits } from './evict.ts'
export { Filters, READY_FILTERS } from './filter.ts'
export type { ViewFilter } from './filter.ts'
export { inferPriority, inferScope } from './infer.ts'
export { isWellFormedKey, MAX_KEY_LENGTH } from './key.ts'
export { shareMetadata, tombstone } from './make-cell.ts'
export { isPattern, matchesPattern, patternsOverlap } from './pattern.ts'
export type { KeyOf, Matching, PatternOf } from './pattern.ts'
export { POLICIES } from './policy.ts'
export type { MergeableType, MergeInput, MergeResult, Policy, PolicyName } from './policy.ts'
export { prepareUpdate, refusalError } from './prepare.ts'
export type { Asking, UpdateOptions } from './prepare.ts'
export { isPriority, PRIORITIES, rankOf } from './priority.ts'
export type { Priority } from './priority.ts'
export { Occupancy, roomOf } from './occupancy.ts'
export type { Room } from './occupancy.ts'
export { estimateTokens, renderEntries } from './render.ts'
export type { RenderedView, RenderOptions, RenderPlanLine } from './render.ts'
export { redactRefusal, refusalForElsewhere } from './refused.ts'
export { restoreChanges } from './restore.ts'
export { addressId, describeAddress, narrownessOf, SCOPES } from './scope.ts'
export type { EntryAddress, Scope } from './scope.ts'
export { parseBy } from './schema.ts'
export type { Parsed } from './schema.ts'
export { Shelf } from './shelf.ts'
export { Update } from './update.ts'
export type {
  Acceptance,
  CellChange,
  Change,
  Conflict,
  Outcome,
  PlaceChange,
  PutChange,
  Refusal,
  RefusalReason,
  Seen,
  WriteOptions,
} from './update.ts'
export { BoardView, Sight } from './view.ts'
export type { View } from './view.ts'
export { drop, isWrite, patch, put } from './write.ts'
export type { Drop, PartialDeep, Patch, Put, PutOptions, Write } from './write.ts'
