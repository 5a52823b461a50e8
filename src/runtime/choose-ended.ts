// Which ended runs may be forgotten. Pure: by what is known of all of them.
import type { RunSummary } from '../store/index.ts'

/** What may be forgotten: what both rules allow. */
export interface EndedRules {
  /** Ended at least so long ago; 0 unless given. */
  readonly olderThanMs?: number
  /** All but the newest so many; 0 unless given. Child runs go with those that started them and are not counted. */
  readonly keep?: number
}

/** Ended runs by the rules, oldest first, each with what it started; none of which something goes on or is in use. */
export function chooseEnded(
  all: readonly RunSummary[],
  { olderThanMs = 0, keep = 0 }: EndedRules,
  { now, isInUse = () => false }: { readonly now: number; readonly isInUse?: (runId: string) => boolean },
): readonly RunSummary[] {
  const families = familiesOf(all)
    .filter((runs) => runs.every(({ status }) => status !== 'active'))
    .sort(([one], [other]) => (one?.updatedAt ?? 0) - (other?.updatedAt ?? 0))
  return families
    .slice(0, Math.max(0, families.length - keep))
    .filter(([root]) => root !== undefined && root.updatedAt <= now - olderThanMs && !isInUse(root.runId))
    .flat()
}

/** Runs of which nothing was written for so long, neither of what they started; only those that nobody has started. */
export function chooseIdle(all: readonly RunSummary[], idleMs: number, now: number): readonly RunSummary[] {
  return familiesOf(all).flatMap(([root, ...others]) => {
    if (root?.status !== 'active') return []
    return [root, ...others].every(({ updatedAt }) => updatedAt <= now - idleMs) ? [root] : []
  })
}

/** Each run that nobody started, first, with everything it started. */
function familiesOf(all: readonly RunSummary[]): readonly (readonly RunSummary[])[] {
  const children = Map.groupBy(all, ({ parent }) => parent?.runId)
  const known = new Set(all.map(({ runId }) => runId))
  const family = (run: RunSummary): readonly RunSummary[] => [
    run,
    ...(children.get(run.runId) ?? []).flatMap((child) => family(child)),
  ]
  // A child whose parent is gone has nobody to go with.
  return all.filter(({ parent }) => parent === undefined || !known.has(parent.runId)).map(family)
}
