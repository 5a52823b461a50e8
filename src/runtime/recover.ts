import { CallboardError } from '../base/index.ts'
import type { Damage, RunSummary, Store } from '../store/index.ts'
import { isGlobals } from './globals.ts'
import type { Run } from './run.ts'

/** What `runtime.recover()` found. */
export interface Recovered {
  /** The runs that go on. */
  readonly runs: readonly Run[]
  /** The ids of those that rest, until they are due or sent something. */
  readonly resting: readonly string[]
  readonly failures: readonly { readonly runId: string; readonly error: unknown }[]
}

export interface RecoveryHost {
  open(runId: string): Promise<Run>
  /** Sees to it that a run comes back when it is due; false where it cannot be told that it will. */
  leaveAtRest(summary: RunSummary, until: number): boolean
}

/** Opens the runs in a store that have not ended, but for those at rest; child runs come with their parents. */
export async function recoverRuns(store: Store, { open, leaveAtRest }: RecoveryHost): Promise<Recovered> {
  const runs: Run[] = []
  const resting: string[] = []
  const failures: { readonly runId: string; readonly error: unknown }[] = []
  const onDamage = ({ runId = '(unknown)', message, ...details }: Damage): void => {
    failures.push({ runId, error: new CallboardError('store.damaged', message, { runId, ...details }) })
  }
  const rests = await store.rests()
  for (const summary of await store.list({ status: 'active' }, { onDamage })) {
    const { runId, parent } = summary
    if (parent !== undefined || isGlobals(runId)) continue
    const until = rests.get(runId)
    if (until !== undefined && leaveAtRest(summary, until)) {
      resting.push(runId)
      continue
    }
    try {
      runs.push(await open(runId))
    } catch (error) {
      failures.push({ runId, error })
    }
  }
  return { runs, resting, failures }
}
