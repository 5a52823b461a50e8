import { scopedId } from './scope.ts'
import type { EntryAddress } from './scope.ts'
import type { Conflict } from './update.ts'

/** One place inside a value where two writers disagreed. */
export interface PathConflict {
  /** Where, inside the value; empty for the value itself. */
  readonly path: readonly (string | number)[]
  /** What both had started from; undefined when it was absent. */
  readonly base: unknown
  /** What was there when the update arrived. */
  readonly theirs: unknown
  /** What the update asked for. */
  readonly mine: unknown
}

/** Conflicts with their ids. Named after the version, not the update: numbers of updates would tell of what is out of sight. */
export function nameConflicts(
  conflicts: readonly Omit<Conflict, 'id' | 'version'>[],
  { scope, holder, key }: EntryAddress,
  version: number,
): readonly Conflict[] {
  const place = `${holder === undefined ? `${scope}:${key}` : scopedId(scope, holder, key)}@${version}`
  return conflicts.map((conflict, index) => ({ ...conflict, id: `${place}.${index + 1}`, version }))
}
