export type { Batch, RunFilter, RunSummary, Store, StoreTraits } from './contract.ts'
export { conflictError, createVolatileStore } from './volatile.ts'
