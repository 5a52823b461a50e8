export { board, keyOf, nameOf, TIMESTAMP } from './board.ts'
export type { SessionValues } from './board.ts'
export type { MergedSession, SessionEventType, SessionListener } from './events.ts'
export { Sessions } from './sessions.ts'
export type {
  MergeOptions,
  ReadOptions,
  SessionData,
  SessionInfo,
  SessionsFields,
  SessionWorkflow,
} from './sessions.ts'
export { readSessionSettings } from './settings.ts'
export type { SessionSettings } from './settings.ts'
