import { CallboardError } from '../base/index.ts'
import { isGlobals } from '../ledger/index.ts'
import type { Damage, RunSummary, Store } from '../store/index.ts'
import { LEFT_STATE } from './invocations.ts'
import type { Run } from './run.ts'
import type { RunCore } from './run-core.ts'

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
  atWork(runId: string): Pick<RunCore, 'isAwaiting'> | undefined
  stop(runId: string, reason: string): Promise<void>
}

/** Opens the runs in a store that have not ended, but for those at rest; child runs come with their parents, or end. */
export async function recoverRuns(store: Store, host: RecoveryHost): Promise<Recovered> {
  const runs: Run[] = []
  const resting: string[] = []
  const failures: { readonly runId: string; readonly error: unknown }[] = []
  const onDamage = ({ runId = '(unknown)', message, ...details }: Damage): void => {
    failures.push({ runId, error: new CallboardError('store.damaged', message, { runId, ...details }) })
  }
  const attempt = (runId: string, act: () => Promise<unknown>): Promise<void> =>
    act().then(
      () => {},
      (error: unknown) => void failures.push({ runId, error }),
    )
  const rests = await store.rests()
  const active = (await store.list({ status: 'active' }, { onDamage })).filter(({ runId }) => !isGlobals(runId))
  const children = Map.groupBy(active, ({ parent }) => parent?.runId)
  const goOn = async (runId: string): Promise<Run> => {
    const run = await host.open(runId)
    // What was to tell them that they are not waited for any more may have been interrupted. Asked before the run can rest.
    const core = host.atWork(runId)
    const own = (children.get(runId) ?? []).map((child) => [child.runId, core?.isAwaiting(child.runId)] as const)
    for (const [childId, isAwaited] of own) {
      if (isAwaited === false) await attempt(childId, () => host.stop(childId, LEFT_STATE))
      else if (isAwaited === true && children.has(childId)) await attempt(childId, () => goOn(childId))
    }
    return run
  }
  for (const summary of children.get(undefined) ?? []) {
    const { runId } = summary
    const until = rests.get(runId)
    if (until !== undefined && host.leaveAtRest(summary, until)) resting.push(runId)
    else await attempt(runId, async () => void runs.push(await goOn(runId)))
  }
  const ids = new Set(active.map(({ runId }) => runId))
  for (const { runId, parent } of active) {
    if (parent === undefined || ids.has(parent.runId)) continue
    await attempt(runId, async () => {
      // One that cannot be read is not one that has ended.
      const above = await store.summary(parent.runId)
      if (above?.status !== 'active') await host.stop(runId, `its parent run ${parent.runId} has ended`)
    })
  }
  return { runs, resting, failures }
}
