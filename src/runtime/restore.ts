import { refusalError, restoreChanges } from '../context/index.ts'
import type { Board, EntryAddress } from '../context/index.ts'
import type { RunCore } from './run-core.ts'

export interface RestoreOptions {
  /** In whose name; `outside` unless given. */
  readonly by?: string
  /** Put protected entries back too. */
  readonly override?: boolean
}

/** What a restore did. */
export interface Restored {
  /** The record after which the entries were what they are again. */
  readonly seq: number
  /** By key. */
  readonly changed: readonly (EntryAddress & {
    readonly kind: 'restored' | 'removed'
    /** The new version. */
    readonly version: number
  })[]
  /** Protected entries that are not as they were. */
  readonly kept: readonly EntryAddress[]
}

/** Puts the entries of a run back to what they were on a board, in one update; none if there is nothing to put back. */
export async function restoreBoard(
  core: RunCore,
  { seq, board: then }: { readonly seq: number; readonly board: Board },
  { by = 'outside', override = false }: RestoreOptions,
): Promise<Restored> {
  let kept: readonly EntryAddress[] = []
  const author = Object.freeze({ kind: 'outside', name: by } as const)
  const at = core.clock.now()
  const { result, changes } = await core.place(
    author,
    (now) => {
      const restore = restoreChanges(now, then, { by, override, at })
      kept = restore.kept
      return restore.changes
    },
    { restores: seq },
  )
  if (result.kind === 'refused') throw refusalError(result, core.runId)
  const changed = changes
    .filter(({ kind }) => kind === 'put' || kind === 'drop')
    .map(({ kind, scope, holder, key, cell }) =>
      Object.freeze({
        kind: kind === 'put' ? ('restored' as const) : ('removed' as const),
        scope,
        holder,
        key,
        version: cell.entry.version,
      }),
    )
  return Object.freeze({ seq, changed: Object.freeze(changed), kept: Object.freeze(kept) })
}
