export { diffBoards, emptyState, foldRecords, withoutPrevious } from './fold.ts'
export type { EntryDifference, FoldedState } from './fold.ts'
export type { LedgerRecord, MachineState, RecordKind } from './record.ts'
