import type { EventObject } from 'xstate'
import { toTagged } from '../base/index.ts'
import type { CellChange, Change } from '../context/index.ts'
import { UPDATE_EVENT } from '../workflow/index.ts'
import type { UpdateEvent } from '../workflow/index.ts'

/**
 * What was asked, as a record keeps it: an update, or an event with its payload where that is plain data.
 *
 * Of an update, only what its outcome does not say already: for a value that was stored as it was asked, the version its
 * author had seen; nothing at all where that cannot be told either. Ledgers are mostly made of such updates.
 *
 * @param changes what came of an update
 */
export function describeEvent(event: EventObject, changes: readonly CellChange[]): object {
  if (event.type === UPDATE_EVENT) {
    const { update } = event as unknown as UpdateEvent
    const { id } = update
    const described = update.changes.map((change, index) => describeChange(change, changes[index]))
    return described.every((line) => line === null) ? { update: id } : { update: id, changes: described }
  }
  if (event.type.startsWith('xstate.error.')) return { event: event.type }
  try {
    return { event: JSON.parse(JSON.stringify(toTagged(event))) as unknown }
  } catch {
    return { event: { type: event.type } }
  }
}

function describeChange(change: Change, outcome: CellChange | undefined): unknown {
  // What is put in place is what came of it.
  if (change.kind === 'place') return null
  const { kind, scope, holder, key, seen } = change
  const base = seen === 'unknown' ? null : seen === 'absent' ? 0 : seen.entry.version
  if (kind === 'drop') return { kind, scope, holder, key, base }
  const { policyName: policy, partial, definition, value } = change
  const isSaid = outcome?.key === key && outcome.kind === 'put' && outcome.cell.entry.value === value
  if (isSaid && !partial && policy === definition.policyName) return base
  return { kind, scope, holder, key, base, policy, partial, ...(definition.ephemeral ? {} : { value }) }
}
