export { board, FIELDS, readWorkingSet } from './board.ts'
export type { PatchNote, TaskFields, TaskValues } from './board.ts'
export { contextBrief } from './context-brief.ts'
export type { BriefMemory } from './context-brief.ts'
export { taskLedger, taskLedgerLines } from './ledger.ts'
export { LedgerEvent, LedgerLine, LoggedEvent } from './ledger-event.ts'
export type { LedgerEventType, LoggedType } from './ledger-event.ts'
export { packTask, restoredFields, taskPackForm, unpackTask } from './packs.ts'
export type { TaskPack, TaskPackKind, TaskUnpackOptions } from './packs.ts'
export { applyPatch, baseLoadOf, initialWorkingSet, restoredWorkingSet, TASK_LIMITS, totalTokensOf } from './patch.ts'
export type { Fitted, InitialWorkingSet, TaskLimits, TaskRefusal } from './patch.ts'
export { idsFor, openTasks, Tasks } from './tasks.ts'
export type { NewTask, PatchResult, TaskWorkflow } from './tasks.ts'
export {
  ArtifactRef,
  PinnedItem,
  SlidingItem,
  STATUSES,
  TaskStatus,
  WorkingSet,
  WorkingSetPatch,
} from './working-set.ts'
