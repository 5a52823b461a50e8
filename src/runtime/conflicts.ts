// Conflicts: where two writers disagreed and a policy decided; and what was decided anew, once.
import { CallboardError, handOut } from '../base/index.ts'
import { put, refusalError } from '../context/index.ts'
import type { Catalogue, Conflict, Policy } from '../context/index.ts'
import type { LedgerRecord } from '../ledger/index.ts'
import type { Accepted } from '../workflow/index.ts'
import type { RecordNote } from './record-note.ts'
import type { RunCore } from './run-core.ts'

/** A conflict, and who decided it anew. */
export interface ListedConflict extends Conflict {
  readonly resolvedBy?: string
  readonly resolvedAt?: number
}

export interface ConflictsOptions {
  /** Only those that nobody has decided anew. */
  readonly open?: boolean
}

/** By another policy over the same base, theirs and mine, or by a value for the whole entry. */
export type Decision = { readonly value: unknown } | { readonly policy: string | Policy }

/** The conflicts in some records, oldest first. */
export function conflictsIn(records: readonly LedgerRecord[]): readonly ListedConflict[] {
  const resolved = new Map<string, { readonly resolvedBy: string; readonly resolvedAt: number }>()
  for (const { asked, author, at } of records) {
    const { resolves } = (asked ?? {}) as RecordNote
    if (typeof resolves === 'string' && !resolved.has(resolves))
      resolved.set(resolves, { resolvedBy: author, resolvedAt: at })
  }
  const conflicts = records.flatMap((record) => record.conflicts)
  return handOut(conflicts.map((conflict) => ({ ...conflict, ...resolved.get(conflict.id) }))) as ListedConflict[]
}

/** Decisions that are on their way into the ledger: of two at once, one is too late. */
const underWay = new WeakMap<RunCore, Set<string>>()

/** @throws CallboardError `conflict.unknown`, `conflict.resolved`; `policy.unknown`, `policy.refused`; `update.refused` */
export async function resolveConflict(
  core: RunCore,
  id: string,
  decision: Decision,
  { by, records }: { readonly by: string; readonly records: () => Promise<readonly LedgerRecord[]> },
): Promise<Accepted> {
  const deciding = underWay.get(core) ?? new Set()
  underWay.set(core, deciding)
  if (deciding.has(id)) throw resolvedError(core.runId, id, 'somebody else at this moment')
  deciding.add(id)
  try {
    const conflict = conflictsIn(await records()).find((candidate) => candidate.id === id)
    if (conflict === undefined) {
      throw new CallboardError(
        'conflict.unknown',
        `run ${core.runId} has no conflict ${id}; run.conflicts() lists them`,
        {
          runId: core.runId,
          id,
        },
      )
    }
    if (conflict.resolvedBy !== undefined) throw resolvedError(core.runId, id, conflict.resolvedBy)
    const result = await core.updateFromOutside(
      by,
      changesFor(core, conflict, decision),
      { override: true },
      { resolves: id },
    )
    if (result.kind === 'refused') throw refusalError(result, core.runId)
    return result
  } finally {
    deciding.delete(id)
  }
}

function resolvedError(runId: string, id: string, by: string): CallboardError {
  return new CallboardError(
    'conflict.resolved',
    `run ${runId}: conflict ${id} was decided by ${by}; write the entry to change it again, run.conflicts({ open: true }) lists what is left`,
    { runId, id, by },
  )
}

function changesFor(core: RunCore, conflict: Conflict, decision: Decision): Readonly<Record<string, unknown>> {
  const { scope, holder, key } = conflict.address
  const where = {
    scope,
    ...(scope === 'group' && holder !== undefined ? { group: holder } : {}),
    ...(scope === 'private' && holder !== undefined ? { holder } : {}),
  }
  const value = 'value' in decision ? decision.value : decide(core, conflict, decision.policy)
  return { [key]: put(value, { ...where, policy: 'replace' }) }
}

/** The entry as it is now, with the place of the conflict as the policy decides it. */
function decide(core: RunCore, conflict: Conflict, policy: string | Policy): unknown {
  const { key, address, path, theirs, result } = conflict
  const decided = policyOf(
    core.catalogue,
    policy,
  )({
    key,
    base: conflict.base,
    current: theirs,
    update: conflict.mine,
    concurrent: true,
    priority: core.catalogue.find(key)?.priority ?? 'medium',
    types: core.catalogue.types,
  })
  if (decided.kind === 'refuse') {
    throw new CallboardError(
      'policy.refused',
      `policy ${typeof policy === 'string' ? policy : policy.name} cannot decide "${key}": ${decided.reason}`,
      { key },
    )
  }
  // What was written elsewhere in the entry since the conflict stays.
  const now = core.readableBoard().cell(address)
  return setAt(now?.live === true ? now.entry.value : result, path, decided.kind === 'keep' ? theirs : decided.value)
}

function policyOf(catalogue: Catalogue, policy: string | Policy): Policy {
  const found = typeof policy === 'function' ? policy : catalogue.policy(policy)
  if (found !== undefined) return found
  throw new CallboardError(
    'policy.unknown',
    `unknown policy "${String(policy)}"; known are ${catalogue.policyNames.join(', ')}`,
    { policy },
  )
}

/** A copy of a value with one part replaced. */
function setAt(value: unknown, [head, ...rest]: readonly (string | number)[], part: unknown): unknown {
  if (head === undefined) return part
  if (Array.isArray(value))
    return value.map((item: unknown, index) => (index === head ? setAt(item, rest, part) : item))
  const object = (value ?? {}) as Readonly<Record<string, unknown>>
  return Object.fromEntries([
    ...Object.entries(object).filter(([key]) => key !== head),
    [head, setAt(object[head], rest, part)],
  ])
}
