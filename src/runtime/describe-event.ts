import type { EventObject } from 'xstate'
import { toTagged } from '../base/index.ts'
import type { Change } from '../context/index.ts'
import { UPDATE_EVENT } from '../workflow/index.ts'
import type { UpdateEvent } from '../workflow/index.ts'

/** What was asked, as a record keeps it: an update's changes, or an event with its payload where that is plain data. */
export function describeEvent(event: EventObject): object {
  if (event.type === UPDATE_EVENT) {
    const { update } = event as unknown as UpdateEvent
    return { updateId: update.id, changes: update.changes.map(describeChange) }
  }
  if (event.type.startsWith('xstate.error.')) return { event: event.type }
  try {
    return { event: JSON.parse(JSON.stringify(toTagged(event))) as unknown }
  } catch {
    return { event: { type: event.type } }
  }
}

function describeChange(change: Change): unknown {
  const { kind, scope, holder, key, seen } = change
  const base = seen === 'unknown' ? undefined : seen === 'absent' ? 0 : seen.entry.version
  if (kind === 'drop') return { kind, scope, holder, key, base }
  const { policyName: policy, partial, definition, value } = change
  return { kind, scope, holder, key, base, policy, partial, ...(definition.ephemeral ? {} : { value }) }
}
