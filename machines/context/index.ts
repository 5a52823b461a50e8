export { board } from './board.ts'
export type { DurableContextValues } from './board.ts'
export { DurableContext } from './durable-context.ts'
export type { ContextData, DurableContextFields, MergeOptions, PhaseOptions, SetOptions } from './durable-context.ts'
