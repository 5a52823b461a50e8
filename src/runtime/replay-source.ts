// What a replay is made from: the records of the run, and what other runs did to the entries that all of them see.
import { Shelf } from '../context/index.ts'
import { globalsId } from '../ledger/index.ts'
import type { LedgerRecord } from '../ledger/index.ts'
import type { Store } from '../store/index.ts'
import type { WorkflowDefinition } from '../workflow/index.ts'
import { loadGlobals } from './globals.ts'
import { firstKeptSeq } from './load-run.ts'

export interface ReplaySource {
  /** The last record of the run that is not done again. */
  readonly afterSeq: number
  /** Whether records were passed over, because the global entries of their time are not known any more. */
  readonly passedOver: boolean
  readonly records: readonly LedgerRecord[]
  /** Global entries before `others`. */
  readonly globals: Shelf
  /** Records of global entries by other runs, and by this one up to `afterSeq`. */
  readonly others: readonly LedgerRecord[]
}

export async function readReplaySource(
  store: Store,
  runId: string,
  { definition, tenant = 'default' }: { readonly definition: WorkflowDefinition; readonly tenant?: string | undefined },
): Promise<ReplaySource> {
  const keptSeq = (await firstKeptSeq(store, runId)) - 1
  const kept = await store.read(runId, { afterSeq: keptSeq })
  const { globals, since, changes } = await readGlobals(store, globalsId(tenant), definition)
  const passed = kept.findLast(({ at }) => at < since)
  const afterSeq = passed?.seq ?? keptSeq
  const others = changes.filter(({ asked }) => {
    const by = asked as { readonly runId?: unknown; readonly seq?: unknown }
    return by.runId !== runId || Number(by.seq) <= afterSeq
  })
  return { afterSeq, passedOver: passed !== undefined, records: kept.slice(afterSeq - keptSeq), globals, others }
}

/** What happened to them before `since` is not known, and could matter. */
async function readGlobals(
  store: Store,
  runId: string,
  { catalogue }: WorkflowDefinition,
): Promise<{ readonly globals: Shelf; readonly since: number; readonly changes: readonly LedgerRecord[] }> {
  const trimmedSeq = (await firstKeptSeq(store, runId)) - 1
  const changes = await store.read(runId, { afterSeq: trimmedSeq })
  if (trimmedSeq === 0) return { globals: Shelf.empty, since: Number.NEGATIVE_INFINITY, changes }
  const { board, at } = await loadGlobals({ store, runId, atSeq: trimmedSeq })
  const usesThem = catalogue.entries.some(({ scope, infersScope }) => scope === 'global' || infersScope)
  return { globals: board.globals, since: usesThem ? at : Number.NEGATIVE_INFINITY, changes }
}
