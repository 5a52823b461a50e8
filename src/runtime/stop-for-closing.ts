import { isCallboardError } from '../base/index.ts'
import type { Run } from './run.ts'

/** Ends a run because its runtime is closed; one that another process has gone on with is left to it. */
export async function stopForClosing(run: Pick<Run, 'stop'>): Promise<void> {
  try {
    await run.stop('the runtime was closed')
  } catch (error) {
    if (!isCallboardError(error, 'store.conflict')) throw error
  }
}
