// Adopt: one record that says with which definition a run goes on, with everything a migration changed, before it is
// restored. It is appended together with the ends of the child runs that do not go on: all of it, or nothing.
import type { LedgerRecord } from '../ledger/index.ts'
import type { Batch, RunSummary, Store } from '../store/index.ts'
import type { Assessment } from './assess.ts'
import { appendAll } from './commit.ts'
import type { Adoption } from './migrate-state.ts'

/** @throws CallboardError `store.conflict` when somebody else has written to the run in between */
export async function adoptDefinition(
  store: Store,
  summary: RunSummary,
  { from, to, outcome, state }: Assessment,
  { changes, machine, ended }: Adoption,
  at: number,
): Promise<void> {
  const record: LedgerRecord = {
    ...recordOf(summary, at),
    seq: state.seq + 1,
    kind: 'definition',
    author: 'workflow',
    asked: {
      from: { version: from.version, hash: from.hash },
      definition: to,
      migrated: outcome === 'needs-migration',
    },
    changes,
    machine,
  }
  const own = batchOf({ ...summary, version: to.version, seq: state.seq }, record)
  await appendAll(store, [own, ...(await endsOf(store, ended, summary.runId, at))])
}

/** The ends of child runs, and of theirs. */
async function endsOf(store: Store, ids: readonly string[], parent: string, at: number): Promise<readonly Batch[]> {
  const first = await Promise.all(ids.map((id) => store.summary(id)))
  const queue = first.filter((run): run is RunSummary => run?.status === 'active')
  if (queue.length === 0) return []
  const active = await store.list({ status: 'active' })
  const batches: Batch[] = []
  for (let run = queue.shift(); run !== undefined; run = queue.shift()) {
    const { runId, seq } = run
    queue.push(...active.filter((other) => other.parent?.runId === runId))
    const asked = { status: 'stopped', reason: `its parent run ${parent} was migrated` }
    const record: LedgerRecord = { ...recordOf(run, at), seq: seq + 1, kind: 'end', author: 'outside', asked }
    batches.push(batchOf({ ...run, status: 'stopped' }, record))
  }
  return batches
}

function recordOf({ runId }: RunSummary, at: number): Omit<LedgerRecord, 'seq' | 'kind' | 'author' | 'asked'> {
  return { runId, at, changes: [], conflicts: [], refusals: [], machine: undefined }
}

function batchOf(summary: RunSummary, record: LedgerRecord): Batch {
  return {
    runId: summary.runId,
    expectedSeq: record.seq - 1,
    records: [record],
    summary: { ...summary, seq: record.seq, updatedAt: record.at },
  }
}
