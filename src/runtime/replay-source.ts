// What a replay is made from: the records of the run, and what other runs did to the entries that all of them see.
import { Shelf } from '../context/index.ts'
import { globalsId } from '../ledger/index.ts'
import type { GlobalsMark, LedgerRecord } from '../ledger/index.ts'
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
  /** Global entries before `globalRecords`. */
  readonly globals: Shelf
  /** Records of global entries, by whatever run. */
  readonly globalRecords: readonly LedgerRecord[]
  /** The seqs of records that were made over global entries of another database, which are not known here. */
  readonly foreign: ReadonlySet<number>
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
  return {
    afterSeq,
    passedOver: passed !== undefined,
    records: kept.slice(afterSeq - keptSeq),
    globals,
    globalRecords: changes,
    foreign: foreignAmong(kept, changes),
  }
}

/** The record of a run that changed global entries. */
export function causeOf({ asked }: LedgerRecord): { readonly runId: unknown; readonly seq: number } {
  const { runId, seq } = asked as { readonly runId?: unknown; readonly seq?: unknown }
  return { runId, seq: Number(seq) }
}

/**
 * Which records do not go with the global entries that are known: they saw others, did not see these, or wrote what is
 * not among them. Their run was imported, or came out of a pack.
 */
function foreignAmong(records: readonly LedgerRecord[], globalRecords: readonly LedgerRecord[]): ReadonlySet<number> {
  const foreign = new Set<number>()
  const firstSeq = globalRecords[0]?.seq ?? 1
  const firstAt = globalRecords[0]?.at ?? Number.POSITIVE_INFINITY
  const written = new Set(globalRecords.map((record) => JSON.stringify(Object.values(causeOf(record)))))
  const isKnown = ({ seq, at }: GlobalsMark): boolean => seq < firstSeq || globalRecords[seq - firstSeq]?.at === at
  let isHere: boolean | undefined
  for (const { runId, seq, at, kind, changes, globals } of records) {
    if (globals !== undefined) isHere = isKnown(globals)
    else if (kind === 'unpack') isHere = undefined
    const isLost =
      changes.some(({ scope }) => scope === 'global') && !written.has(JSON.stringify([runId, seq])) && firstSeq === 1
    if (isLost || !(isHere ?? at <= firstAt)) foreign.add(seq)
  }
  return foreign
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
