// callboard/testing: what users need to test their workflows and their own stores.
export { failAt, setFaultHandler } from '../base/index.ts'
export type { FaultHandler } from '../base/index.ts'
export { memoryCases, selectMemoryCases } from './memory-cases.ts'
export type { MemoryCase, SelectedMemoryCase } from './memory-cases.ts'
export { selectStoreCases, storeCases } from './store-cases.ts'
export type { SelectedStoreCase, StoreCase } from './store-cases.ts'
export { createTestClock } from './test-clock.ts'
export type { TestClock } from './test-clock.ts'
