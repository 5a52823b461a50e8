// Elsewhere: agents that work in another process and reach the run through a door. They write with the rights of their type
// and are told what an agent here is told; what they had seen is not known, so they name no base.
import { refusalForElsewhere } from '../context/index.ts'
import type { Entry, EntryAddress, Lineage, Sight, UpdateOptions } from '../context/index.ts'
import type { UpdateResult } from '../workflow/index.ts'
import type { RunCore } from './run-core.ts'

const NO_LINEAGE: Lineage = Object.freeze([])

export async function updateFromElsewhere(
  core: RunCore,
  sight: Sight,
  changes: Readonly<Record<string, unknown>>,
  options: UpdateOptions,
): Promise<UpdateResult> {
  const { agentId: id, access } = sight
  const process = { id, sight }
  const asker = {
    author: Object.freeze({ kind: 'agent', id, type: access.rules.type } as const),
    access,
    lineage: NO_LINEAGE,
    seen: () => 'unknown' as const,
    seq: () => core.newestSeqOf(process),
    others: () =>
      core
        .viewOf(process)
        .entries()
        .filter(({ scope }) => scope !== 'global'),
    sees: (entry: Entry) => sight.admits(entry),
    seesAt: (address: EntryAddress) => core.viewOf(process).sees(address),
  }
  const { result } = await core.updateAs(asker, changes, options)
  return result.kind === 'refused' ? refusalForElsewhere(result, asker) : result
}
