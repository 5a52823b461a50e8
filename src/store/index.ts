export type {
  Batch,
  Damage,
  DamageKind,
  RestNote,
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
