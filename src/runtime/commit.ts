// Commit: turns of one run on their way into the store.
//   C1. Turns that are handed over together are stored together or not at all, and so are their changes to global entries.
//   C2. What was decided by global entries is stored after them, or not at all.
//   C3. What is stored is acknowledged, even if the store has failed: it is asked what it has. A store that says that
//       somebody else was faster is believed.
import { CallboardError } from '../base/index.ts'
import { recordToLine } from '../ledger/index.ts'
import type { MachineState } from '../ledger/index.ts'
import type { Batch, RunSummary, Store } from '../store/index.ts'
import type { WorkflowDefinition } from '../workflow/index.ts'
import type { Globals } from './globals.ts'
import { asStoreError } from './store-failure.ts'
import type { Turn } from './turn.ts'

/** Whose turns they are. */
export interface Committer {
  readonly runId: string
  readonly definition: WorkflowDefinition
  readonly createdAt: number
  readonly parent: RunSummary['parent']
  readonly labels: RunSummary['labels']
}

interface Keepers {
  readonly store: Store
  readonly globals: Globals
}

/** @throws CallboardError of the store; `store.failed` for any other error of it; `globals.lost` */
export function commitTurns(
  { store, globals }: Keepers,
  run: Committer,
  turns: readonly Turn[],
  status: MachineState['status'],
): Promise<void> {
  const batch = batchOf(run, turns, status)
  if (batch === undefined) return Promise.resolve()
  // Not an async function, for the promises that would cost where everything goes well.
  const newest = turns.findLast(isBasedOnGlobals)
  if (newest === undefined) return append(store, batch)
  const isLost = (): boolean => turns.some((turn) => isBasedOnGlobals(turn) && turn.globalsEpoch !== globals.epoch)
  if (isLost()) return Promise.reject(lostGlobalsError(run.runId))
  // The store refuses what changes them out of turn. What only went by them has to wait (C2).
  if (!turns.some(({ changesGlobals }) => changesGlobals)) {
    return globals.settled(newest.globalsAhead).then(() => {
      if (isLost()) throw lostGlobalsError(run.runId)
      return append(store, batch)
    })
  }
  const global = globals.batchOf(batch.records)
  return store.append(global === undefined ? [batch] : [batch, global]).catch((error: unknown) =>
    assertStored(store, batch, error).catch(async (failure: unknown) => {
      await globals.lose()
      throw failure
    }),
  )
}

/** On global entries that were not stored when it was made, its own among them. */
function isBasedOnGlobals({ changesGlobals, globalsAhead }: Turn): boolean {
  return changesGlobals || globalsAhead > 0
}

function append(store: Store, batch: Batch): Promise<void> {
  return store.append([batch]).catch((error: unknown) => assertStored(store, batch, error))
}

/** Stores batches of several runs, all or none. @throws CallboardError as `commitTurns` does */
export async function appendAll(store: Store, batches: readonly Batch[]): Promise<void> {
  await store.append(batches).catch(async (error: unknown) => {
    for (const batch of batches) await assertStored(store, batch, error)
  })
}

function batchOf(
  { runId, definition, createdAt, parent, labels }: Committer,
  turns: readonly Turn[],
  status: MachineState['status'],
): Batch | undefined {
  const records = turns.map(({ record }) => record)
  const first = records[0]
  const last = records.at(-1)
  if (first === undefined || last === undefined) return undefined
  const isEnd = last.kind === 'end' ? (last.asked as { readonly status: MachineState['status'] }).status : status
  return {
    runId,
    expectedSeq: first.seq - 1,
    records,
    summary: {
      runId,
      workflow: definition.name,
      version: definition.version,
      status: isEnd,
      seq: last.seq,
      createdAt,
      updatedAt: last.at,
      parent,
      ...(labels === undefined ? {} : { labels }),
    },
  }
}

/** An append has failed. It may have come to the store all the same (C3). @throws CallboardError when it has not */
async function assertStored(store: Store, { runId, expectedSeq, records }: Batch, error: unknown): Promise<void> {
  const failure = asStoreError(runId, error)
  if (failure.code === 'store.conflict') throw failure
  const found = await store.read(runId, { afterSeq: expectedSeq, limit: records.length }).catch(() => undefined)
  if (found === undefined || found.length < records.length) throw failure
  const isStored = records.every((record, index) => {
    const stored = found[index]
    return stored !== undefined && recordToLine(stored, '') === recordToLine(record, '')
  })
  if (!isStored) throw failure
}

function lostGlobalsError(runId: string): CallboardError {
  return new CallboardError(
    'globals.lost',
    `run ${runId} has built on global entries that could not be stored; what it wrote was not acknowledged`,
    { runId },
  )
}
