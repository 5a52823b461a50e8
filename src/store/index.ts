export type {
  Batch,
  Damage,
  DamageKind,
  Labels,
  RestNote,
  RemoveOptions,
  RunFilter,
  RunSummary,
  Store,
  StoredSnapshot,
  StoredSnapshotInfo,
  StoreTraits,
  VerifyReport,
} from './contract.ts'
export { exportLedger, importLedger, readLedger, runOf } from './ledger-file.ts'
export type { ImportOptions, ReadLedgerOptions } from './ledger-file.ts'
export { conflictError } from './errors.ts'
export { createVolatileStore } from './volatile.ts'
