// How a put meets what is there: the policy, and what its result must satisfy.
import { admitValue, handOut, isSameData } from '../base/index.ts'
import type { AdmittedValue } from '../base/index.ts'
import type { Catalogue } from './catalogue.ts'
import type { PathConflict } from './conflict.ts'
import type { Cell } from './entry.ts'
import { POLICIES } from './policy.ts'
import type { MergeResult, Policy } from './policy.ts'
import { admitOrRefuse, Refused } from './refused.ts'
import { parseBy } from './schema.ts'
import type { PutChange } from './update.ts'

const BUILT_IN: ReadonlySet<Policy> = new Set(Object.values(POLICIES))

/** What came of a merge; `made` when a function of the user's made it. */
export type Merged = Exclude<MergeResult, { kind: 'refuse' }> & { readonly made?: AdmittedValue }

/** The result of the policy, or the value itself where nothing was there. Throws `Refused`. */
export function mergeInto(change: PutChange, current: Cell | undefined, catalogue: Catalogue): Merged {
  const { key, seen } = change
  if (current === undefined) {
    const value = change.partial ? fitMerged(change, change.value) : change.value
    if (seen !== 'absent' && seen !== 'unknown' && change.policyName === 'reject') {
      throw new Refused('concurrent-change', key, 'somebody deleted it since it was read; read again and retry', 0)
    }
    return { kind: 'accept', value, conflicts: [] }
  }
  const seenVersion = seen === 'absent' || seen === 'unknown' ? 0 : seen.entry.version
  const concurrent = seen !== 'unknown' && seenVersion !== current.entry.version
  const base = seen === 'absent' || seen === 'unknown' ? undefined : seen.entry.value
  const result = runPolicy(change, { base: concurrent ? base : current.entry.value, concurrent }, current, catalogue)
  if (result.kind === 'refuse') {
    const reason = result.reason === 'concurrent-change' ? 'concurrent-change' : 'policy'
    const rule =
      reason === 'concurrent-change'
        ? `version ${seenVersion} was read, but ${current.entry.updatedBy} has written version ${current.entry.version} since; read again and retry`
        : `policy ${change.policyName}: ${result.reason}`
    throw new Refused(reason, key, rule, current.entry.version)
  }
  if (result.kind !== 'accept') return result
  const isNew = result.value !== current.entry.value && (change.partial || result.value !== change.value)
  return isNew ? { ...result, value: fitMerged(change, result.value) } : result
}

function runPolicy(
  change: PutChange,
  { base, concurrent }: { base: unknown; concurrent: boolean },
  current: Cell,
  { types }: Catalogue,
): Merged | Extract<MergeResult, { kind: 'refuse' }> {
  const { key, value: update, definition } = change
  const priority = change.options.priority ?? current.entry.priority ?? definition.priority
  try {
    if (BUILT_IN.has(change.policy)) {
      const result = change.policy({ key, base, current: current.entry.value, update, concurrent, priority, types })
      const isByType = result.kind === 'accept' && types.some(({ is }) => is(result.value))
      return isByType ? admitResult(result) : result
    }
    // A function of the user's gets copies of what cannot be frozen, and what it makes is admitted like any value.
    const sides = { base: handOut(base), current: handOut(current.entry.value), update: handOut(update) }
    return admitResult(change.policy({ key, ...sides, concurrent, priority, types }))
  } catch (error) {
    throw new Refused(
      'policy-failed',
      key,
      `policy ${change.policyName} failed: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
}

/** What a function of the user's made is looked at like any value; a caller may still hold it. */
function admitResult(result: MergeResult): Merged | Extract<MergeResult, { kind: 'refuse' }> {
  switch (result.kind) {
    case 'accept': {
      const made = admitValue(result.value)
      const conflicts = (result.conflicts ?? []).map((conflict) => admitValue({ ...conflict }).value as PathConflict)
      return { kind: 'accept', value: made.value, conflicts, made }
    }
    case 'keep':
    case 'refuse':
      return result
    default:
      throw new TypeError(`it answered ${String(result satisfies never)} instead of accept, keep or refuse`)
  }
}

/** What a merge makes must satisfy the schema too, and is taken as the schema gives it back. */
function fitMerged({ key, definition, policyName }: PutChange, value: unknown): unknown {
  const checked = parseBy(definition.schema, value)
  if (checked.success) return isSameData(checked.data, value) ? value : admitOrRefuse(key, checked.data).value
  const { path, problem } = checked
  const place = path === '' ? '' : ` at ${path}`
  throw new Refused('schema', key, `what ${policyName} made of it does not fit the schema${place}: ${problem}`)
}
