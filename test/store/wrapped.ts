import type { Store } from 'callboard'

/** A store that does some things differently: every other call goes to the store inside. */
export function wrapStore(inner: Store, different: Partial<Store>): Store {
  return {
    traits: inner.traits,
    append: (batches) => inner.append(batches),
    read: (runId, options) => inner.read(runId, options),
    summary: (runId) => inner.summary(runId),
    list: (filter, options) => inner.list(filter, options),
    putSnapshot: (snapshot) => inner.putSnapshot(snapshot),
    snapshot: (runId, options) => inner.snapshot(runId, options),
    snapshots: (runId) => inner.snapshots(runId),
    dropSnapshot: (runId, id) => inner.dropSnapshot(runId, id),
    trim: (runId, beforeSeq) => inner.trim(runId, beforeSeq),
    remove: (runId, options) => inner.remove(runId, options),
    noteRest: (runId, note) => inner.noteRest(runId, note),
    rests: () => inner.rests(),
    verify: (runId) => inner.verify(runId),
    close: () => inner.close(),
    ...different,
  }
}
