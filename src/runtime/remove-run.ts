import { CallboardError } from '../base/index.ts'
import type { Store } from '../store/index.ts'

/**
 * Forgets a run that has ended; says whether there was one.
 * @throws CallboardError `run.active`
 */
export async function removeEnded(store: Store, runId: string): Promise<boolean> {
  if (await store.remove(runId, { ended: true })) return true
  const summary = await store.summary(runId)
  if (summary === undefined) return false
  throw new CallboardError('run.active', `run ${runId} goes on; stop it before it is removed`, { runId })
}
