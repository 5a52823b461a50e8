export type {
  Batch,
  Damage,
  DamageKind,
  Labels,
  RunFilter,
  RunSummary,
  Store,
  StoredSnapshot,
  StoredSnapshotInfo,
  StoreTraits,
  VerifyReport,
} from './contract.ts'
export { conflictError } from './errors.ts'
export { createVolatileStore } from './volatile.ts'
