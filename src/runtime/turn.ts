// Turn: one record on its way into the store, and what is to happen once it is there.
import type { CellChange, Conflict, Acceptance, Refusal } from '../context/index.ts'
import { withoutPrevious } from '../ledger/index.ts'
import type { GlobalsMark, LedgerRecord, MachineState } from '../ledger/index.ts'
import type { MachineSnapshot } from './machine-snapshot.ts'
import type { Effect } from './stage.ts'

export interface Turn {
  readonly record: LedgerRecord
  readonly snapshot: MachineSnapshot
  readonly effects: readonly Effect[]
  readonly changes: readonly CellChange[]
  /** Some of the changes are to global entries. */
  readonly changesGlobals: boolean
  /** As what its changes to global entries, or those of others that it is built on, were staged; 0 for none not stored. */
  readonly globalsAhead: number
  /** On which reading of the global entries it is built. */
  readonly globalsEpoch: number
  readonly settle: ((turn: Turn) => void) | undefined
  readonly refuse: ((error: unknown) => void) | undefined
}

/** What a turn is made from. */
export interface Draft
  extends
    Pick<LedgerRecord, 'kind' | 'author' | 'asked' | 'at' | 'conflicts' | 'refusals'>,
    Pick<Turn, 'snapshot' | 'changes' | 'changesGlobals' | 'globalsAhead' | 'settle' | 'refuse'> {
  readonly effects: readonly Effect[]
  /** The machine's part, where it is another than before. */
  readonly machine: MachineState | undefined
}

export const NO_CHANGES: readonly CellChange[] = Object.freeze([])
export const NO_REFUSALS: readonly Refusal[] = Object.freeze([])
export const NO_CONFLICTS: readonly Conflict[] = Object.freeze([])
export const NO_EFFECTS: readonly Effect[] = Object.freeze([])

export function createTurn(
  draft: Draft,
  { runId, seq, globals }: Pick<LedgerRecord, 'runId' | 'seq'> & { readonly globals: GlobalsMark | undefined },
  globalsEpoch: number,
): Turn {
  const { kind, author, asked, at, snapshot, changes, conflicts, refusals, machine } = draft
  const recorded = changes.length === 0 ? NO_CHANGES : changes.map(withoutPrevious)
  return {
    record: {
      seq,
      runId,
      at,
      kind,
      author,
      asked,
      changes: recorded,
      conflicts,
      refusals,
      machine,
      ...(globals === undefined ? {} : { globals }),
    },
    snapshot,
    effects: draft.effects,
    changes,
    changesGlobals: draft.changesGlobals,
    globalsAhead: draft.globalsAhead,
    globalsEpoch,
    settle: draft.settle,
    refuse: draft.refuse,
  }
}

/** A record that changes nothing. */
export function draftOfNote(note: Pick<Draft, 'kind' | 'author' | 'asked' | 'snapshot' | 'at'>): Draft {
  return {
    ...note,
    effects: NO_EFFECTS,
    changes: NO_CHANGES,
    conflicts: NO_CONFLICTS,
    refusals: NO_REFUSALS,
    changesGlobals: false,
    globalsAhead: 0,
    machine: undefined,
    settle: undefined,
    refuse: undefined,
  }
}

/** A turn that does one thing more once it is stored. */
export function withEffect(turn: Turn, effect: Effect): Turn {
  return { ...turn, effects: [...turn.effects, effect] }
}

/** What several updates of one transition came to. */
export function joined(results: readonly (Acceptance | Refusal)[]): {
  readonly changes: readonly CellChange[]
  readonly conflicts: readonly Conflict[]
} {
  const accepted = results.filter((result) => result.kind === 'accepted')
  return {
    changes: accepted.flatMap(({ changes }) => changes),
    conflicts: accepted.flatMap(({ conflicts }) => conflicts),
  }
}
