// Before a deployment: which stored runs would go on with these definitions, which would be migrated, and which would
// break. Reads a store and writes nothing to it; what `migrate` gives is looked at and dropped.
import type { AnyStateMachine } from 'xstate'
import { CallboardError, systemClock } from '../base/index.ts'
import type { Clock } from '../base/index.ts'
import { Catalogue } from '../context/index.ts'
import { isGlobals } from '../ledger/index.ts'
import { assessRun, loadRun } from '../runtime/index.ts'
import type { Outcome } from '../runtime/index.ts'
import type { Damage, RunSummary, Store } from '../store/index.ts'
import { describeDifference, stampOf, workflowOf } from '../workflow/index.ts'

/** What would become of one stored run. */
export interface RunCheck {
  readonly runId: string
  readonly workflow: string
  readonly outcome: Outcome
  /** With which definition it was stored; the hash is unknown for runs from before it was recorded. */
  readonly from: { readonly version: string; readonly hash: string | undefined }
  /** The definition it would be opened with; undefined where none is given. */
  readonly to: { readonly version: string; readonly hash: string } | undefined
  /** The run that started it. */
  readonly parent: string | undefined
  /** Why it breaks, a sentence each. */
  readonly reasons: readonly string[]
  /** What has changed in the definition since, a phrase each. */
  readonly differences: readonly string[]
}

export interface CheckReport {
  /** Oldest first. */
  readonly runs: readonly RunCheck[]
  readonly counts: Readonly<Record<Outcome, number>>
}

export interface CheckOptions {
  /** Ended runs too; they can be looked at as long as their workflow is known. */
  readonly ended?: boolean
  readonly clock?: Clock
}

/**
 * Says of every stored run that has not ended what would become of it if it were opened with these workflows. Child
 * workflows are known by their parents. A run whose workflow is not among them breaks.
 */
export async function checkAgainst(
  store: Store,
  workflows: readonly AnyStateMachine[],
  { ended = false, clock = systemClock }: CheckOptions = {},
): Promise<CheckReport> {
  const known = reachable(workflows)
  const runs: RunCheck[] = []
  const damagedGlobals: string[] = []
  const onDamage = ({ runId = '(unknown)', message }: Damage): void => {
    runs.push({ ...unread(runId), outcome: 'breaks', reasons: [message] })
    if (isGlobals(runId)) damagedGlobals.push(message)
  }
  const summaries = await store.list({}, { onDamage })
  for (const { runId } of summaries) if (isGlobals(runId)) damagedGlobals.push(...(await damageOfGlobals(store, runId)))
  const byId = new Map(summaries.map((summary) => [summary.runId, summary]))
  for (const summary of summaries) {
    if (isGlobals(summary.runId) || (summary.status !== 'active' && !ended)) continue
    const check = await checkRun(store, summary, machineOf(summary, byId, known), clock)
    // No runtime opens without them.
    const reasons = damagedGlobals.map((message) => `the global entries cannot be read: ${message}`)
    runs.push(reasons.length === 0 ? check : { ...check, outcome: 'breaks', reasons: [...reasons, ...check.reasons] })
  }
  const counts: Record<Outcome, number> = { restores: 0, 'restores-changed': 0, 'needs-migration': 0, breaks: 0 }
  for (const { outcome } of runs) counts[outcome] += 1
  return Object.freeze({ runs: Object.freeze(runs), counts: Object.freeze(counts) })
}

/** Why the global entries of a store cannot be read, if so. */
async function damageOfGlobals(store: Store, runId: string): Promise<readonly string[]> {
  try {
    await loadRun({ store, catalogue: new Catalogue({}), runId })
    return []
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)]
  }
}

function unread(runId: string): RunCheck {
  const from = { version: '', hash: undefined }
  return {
    runId,
    workflow: '',
    outcome: 'breaks',
    from,
    to: undefined,
    parent: undefined,
    reasons: [],
    differences: [],
  }
}

async function checkRun(
  store: Store,
  summary: RunSummary,
  machine: AnyStateMachine | undefined,
  clock: Clock,
): Promise<RunCheck> {
  const { runId, workflow, version, parent } = summary
  const check = { ...unread(runId), workflow, from: { version, hash: undefined }, parent: parent?.runId }
  if (machine === undefined)
    return { ...check, reasons: [`no workflow "${workflow}" is given; name its module, or keep its name`] }
  const stamp = stampOf(machine)
  const to = { version: stamp.version, hash: stamp.hash }
  if (summary.status !== 'active') return { ...check, to, outcome: 'restores' }
  try {
    const { outcome, from, misfits, differences, error } = await assessRun({ store, machine, summary, at: clock.now() })
    const reasons =
      misfits.length > 0 ? misfits.map(({ message }) => message) : error === undefined ? [] : [error.message]
    return {
      ...check,
      outcome,
      from: { version: from.version, hash: from.hash },
      to,
      reasons,
      differences: differences.map(describeDifference),
    }
  } catch (error) {
    return { ...check, to, reasons: [error instanceof Error ? error.message : String(error)] }
  }
}

/** The given workflows and what they invoke, by name. @throws CallboardError `check.same-name` */
function reachable(workflows: readonly AnyStateMachine[]): ReadonlyMap<string, AnyStateMachine> {
  const found = new Map<string, AnyStateMachine>()
  for (const machine of workflows) {
    const { name } = definitionOf(machine)
    const other = found.get(name)
    if (other !== undefined && other.config !== machine.config)
      throw new CallboardError(
        'check.same-name',
        `two workflows have the name "${name}", and runs are found by it; give one of them another name`,
        { name },
      )
    found.set(name, machine)
  }
  const queue = [...workflows]
  for (let machine = queue.shift(); machine !== undefined; machine = queue.shift()) {
    for (const child of childrenOf(machine)) {
      const { name } = definitionOf(child)
      if (found.has(name)) continue
      found.set(name, child)
      queue.push(child)
    }
  }
  return found
}

function childrenOf(machine: AnyStateMachine): readonly AnyStateMachine[] {
  return Object.values(definitionOf(machine).actors).filter(
    (logic): logic is AnyStateMachine => workflowOf(logic) !== undefined,
  )
}

/** A child run goes on with what its parent has registered, whoever else has that name. */
function machineOf(
  { workflow, parent }: RunSummary,
  byId: ReadonlyMap<string, RunSummary>,
  known: ReadonlyMap<string, AnyStateMachine>,
): AnyStateMachine | undefined {
  const parentSummary = parent === undefined ? undefined : byId.get(parent.runId)
  const parentMachine = parentSummary === undefined ? undefined : machineOf(parentSummary, byId, known)
  const registered = parentMachine === undefined ? [] : childrenOf(parentMachine)
  return registered.find((machine) => definitionOf(machine).name === workflow) ?? known.get(workflow)
}

function definitionOf(machine: AnyStateMachine): NonNullable<ReturnType<typeof workflowOf>> {
  // Throws what says that it is none.
  stampOf(machine)
  return workflowOf(machine) as NonNullable<ReturnType<typeof workflowOf>>
}
