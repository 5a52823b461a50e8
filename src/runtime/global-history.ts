// What a replay has to know of the entries that all runs see.
import { Shelf } from '../context/index.ts'
import type { LedgerRecord } from '../ledger/index.ts'
import type { Store } from '../store/index.ts'
import type { WorkflowDefinition } from '../workflow/index.ts'
import { globalsId, loadGlobals } from './globals.ts'
import { firstKeptSeq } from './load-run.ts'

export interface GlobalHistory {
  /** What they were before the records. */
  readonly base: Shelf
  /** What happened to them before that instant is not known, and could matter. */
  readonly since: number
  /** Oldest first. */
  readonly records: readonly LedgerRecord[]
}

export async function readGlobalHistory(
  store: Store,
  { catalogue }: WorkflowDefinition,
  tenant = 'default',
): Promise<GlobalHistory> {
  const runId = globalsId(tenant)
  const trimmedSeq = (await firstKeptSeq(store, runId)) - 1
  const records = await store.read(runId, { afterSeq: trimmedSeq })
  if (trimmedSeq === 0) return { base: Shelf.empty, since: Number.NEGATIVE_INFINITY, records }
  const { board, at } = await loadGlobals({ store, runId, atSeq: trimmedSeq })
  const usesThem = catalogue.entries.some(({ scope, infersScope }) => scope === 'global' || infersScope)
  return { base: board.globals, since: usesThem ? at : Number.NEGATIVE_INFINITY, records }
}
