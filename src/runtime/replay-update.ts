// From what a record says of an update or an event, the same again: of an update what its author asked, knowing what it knew.
import type { EventObject } from 'xstate'
import { admitValue, fromTagged } from '../base/index.ts'
import { inferPriority, Update } from '../context/index.ts'
import type {
  Catalogue,
  CatalogueEntry,
  Cell,
  CellChange,
  Change,
  EntryAddress,
  Lineage,
  PutChange,
  Seen,
  WriteOptions,
} from '../context/index.ts'
import type { LedgerRecord } from '../ledger/index.ts'
import { reviveError } from './describe-event.ts'
import type { RecordedError } from './describe-event.ts'
import type { RecordNote } from './record-note.ts'

/** What `describeEvent` keeps of an update. */
interface UpdateLine extends RecordNote {
  readonly update: string
  readonly changes?: readonly ChangeLine[]
}

/** A change: what its author had seen, where the outcome says the rest, or all of it. */
type ChangeLine = number | null | ShortLine | LongLine

interface ShortLine {
  readonly base: number | null
  readonly options: WriteOptions
}

interface LongLine extends EntryAddress {
  readonly kind: 'put' | 'drop'
  readonly base: number | null
  readonly policy: string
  readonly partial: boolean
  readonly options?: WriteOptions
  readonly value?: unknown
}

/** What is known when an update is made again. */
export interface KnownCells {
  readonly catalogue: Catalogue
  /** A version of an entry that was there. */
  versionOf(address: EntryAddress, version: number): Cell | undefined
}

/** An update made again, or why it cannot be: then what came of it is taken over. */
export type RemadeUpdate = { readonly update: Update } | { readonly why: string; readonly update: Update }

/** What a record says of an event. */
export interface EventLine {
  readonly event: string | EventObject
  readonly error?: RecordedError
  readonly actor?: readonly string[]
  readonly isPartial?: true
  /** A delayed event that came to nothing, and may do so again. */
  readonly isTaken?: false
}

/** Makes an event again from its record. */
export function remakeEvent({ event, error }: EventLine): EventObject {
  if (typeof event !== 'string') return fromTagged(JSON.parse(JSON.stringify(event))) as EventObject
  const made = {
    type: event,
    error: error === undefined ? undefined : reviveError(error),
    actorId: event.split('.').slice(3).join('.'),
  }
  return made
}

/** Makes an update again from its record. */
export function remakeUpdate(record: LedgerRecord, known: KnownCells): RemadeUpdate {
  const line = record.asked as UpdateLine
  const placed =
    line.restores === undefined
      ? line.merges === undefined
        ? undefined
        : 'a branch was merged'
      : 'entries were restored'
  if (placed !== undefined) return { update: placedUpdate(record, line.update), why: placed }
  const own = ownChanges(record)
  const lines = line.changes ?? own.map(() => null)
  const changes: Change[] = []
  for (const [index, asked] of lines.entries()) {
    const made = remakeChange(asked, own, index, known)
    if (typeof made === 'string') return { update: placedUpdate(record, line.update), why: made }
    changes.push(made)
  }
  return { update: updateOf(record, line.update, changes, own[0]?.cell.lineage ?? []) }
}

/** The changes that the author made; what follows is the machine's. */
function ownChanges({ changes, author }: LedgerRecord): readonly CellChange[] {
  const end = changes.findIndex(
    ({ kind, cell }) => !(kind === 'put' || kind === 'drop') || cell.entry.updatedBy !== author,
  )
  return end < 0 ? changes : changes.slice(0, end)
}

function updateOf({ author, at }: LedgerRecord, id: string, changes: readonly Change[], lineage: Lineage): Update {
  // A board asks for no more than the name.
  return new Update({ id, at, author: { kind: 'outside', name: author }, changes, lineage })
}

/** Puts in place what came of an update. */
function placedUpdate(record: LedgerRecord, id: string): Update {
  const changes = ownChanges(record).map(({ scope, holder, key, cell }): Change => {
    const conflicts = record.conflicts.filter(
      ({ address }) => address.key === key && address.scope === scope && address.holder === holder,
    )
    return { kind: 'place', scope, holder, key, cell: cell.live ? cell : undefined, conflicts }
  })
  return updateOf(record, id, changes, [])
}

function remakeChange(line: ChangeLine, own: readonly CellChange[], index: number, known: KnownCells): Change | string {
  const full = fullLine(line, own[index])
  if (full === undefined) return 'its record does not say what was asked'
  const { kind, scope, holder, key, base } = full
  const definition = known.catalogue.find(key)
  if (definition === undefined) return `today's catalogue does not know "${key}"`
  const seen: Seen =
    base === null ? 'unknown' : base === 0 ? 'absent' : (known.versionOf({ scope, holder, key }, base) ?? 'unknown')
  // Whether its author might change it was looked at then; what was left as it is is left again.
  const mayOverride = own.some((change) => change.key === key && change.scope === scope && change.holder === holder)
  const basics = { scope, holder, key, definition, seen, expectedVersion: undefined, mayOverride }
  if (kind === 'drop') return { kind, ...basics }
  return remakePut({ ...full, policy: full.policy ?? definition.policyName }, { ...basics, kind }, known.catalogue)
}

type FullLine = Omit<LongLine, 'policy'> & { readonly policy: string | undefined }

function fullLine(line: ChangeLine, outcome: CellChange | undefined): FullLine | undefined {
  if (typeof line === 'object' && line !== null && 'kind' in line) return line
  if (outcome === undefined) return undefined
  const { scope, holder, key, cell } = outcome
  const said = typeof line === 'object' && line !== null ? line : { base: line }
  return { kind: 'put', scope, holder, key, ...said, policy: undefined, partial: false, value: cell.entry.value }
}

function remakePut(
  { key, value, policy, partial, options }: Omit<LongLine, 'policy'> & { readonly policy: string },
  basics: Omit<PutChange, 'value' | 'exotic' | 'secret' | 'size' | 'partial' | 'policy' | 'policyName' | 'options'>,
  catalogue: Catalogue,
): Change | string {
  const { definition } = basics
  // Values of ephemeral entries are not recorded: what is written replaces what is there.
  if (definition.ephemeral) policy = 'replace'
  const apply = policy === definition.policyName ? definition.policy : catalogue.policy(policy)
  if (apply === undefined) return `the policy "${policy}" was given with the update`
  const admitted = value === undefined ? UNKNOWN : admitValue(value)
  const secret = admitted.secret || catalogue.lookUp(key)?.hasSecretName === true
  return {
    ...basics,
    ...admitted,
    secret,
    partial,
    policy: apply,
    policyName: policy,
    options: options ?? guessed(definition, key, value),
  }
}

const UNKNOWN = { value: undefined, exotic: false, secret: false, size: 0 } as const

function guessed({ infersPriority }: CatalogueEntry, key: string, value: unknown): WriteOptions {
  return infersPriority ? { priority: inferPriority(key, value) } : {}
}
