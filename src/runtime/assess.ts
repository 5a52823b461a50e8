// Assess: what becomes of a stored run under the definition at hand, decided before anything of it is restored. Reads, and
// never writes.
import type { AnyStateMachine } from 'xstate'
import { CallboardError, isCallboardError } from '../base/index.ts'
import type { ErrorDetails } from '../base/index.ts'
import type { RunSummary, Store } from '../store/index.ts'
import { compareStructures, describeDifference, stampOf, workflowOf } from '../workflow/index.ts'
import type { DefinitionOrigin, DefinitionStamp, StructureDifference, WorkflowDefinition } from '../workflow/index.ts'
import { tightenEntries } from './migrate-entries.ts'
import type { Misfit } from './configuration.ts'
import { actorsAtWork, misfitsOf } from './fit.ts'
import { loadRun } from './load-run.ts'
import type { LoadOptions } from './load-run.ts'
import { adoptAsIs, migrateState } from './migrate-state.ts'
import type { Adoption } from './migrate-state.ts'
import type { RunState } from './run-state.ts'

/** What becomes of a stored run when it is opened with the definition at hand. */
export type Outcome =
  /** It goes on; the definition is the one it was stored with. */
  | 'restores'
  /** It goes on; the definition has changed, and the stored state fits it. */
  | 'restores-changed'
  /** `migrate` gives a state that fits, and the run goes on with that. */
  | 'needs-migration'
  /** It cannot be opened; it stays as it is. */
  | 'breaks'

export interface Assessment {
  readonly outcome: Outcome
  readonly from: DefinitionOrigin
  readonly to: DefinitionStamp
  /** What is different in the definition; empty where the old one is not known. */
  readonly differences: readonly StructureDifference[]
  /** What does not fit; after a migration, what still does not. */
  readonly misfits: readonly Misfit[]
  /** What opening it throws. */
  readonly error: CallboardError | undefined
  /** What a record is to say before the run goes on. */
  readonly adoption: Adoption | undefined
  /** The stored state that was looked at. */
  readonly state: RunState
}

export interface AssessmentQuestion extends Pick<LoadOptions, 'onUnusable'> {
  readonly store: Store
  readonly machine: AnyStateMachine
  readonly summary: RunSummary
  readonly at: number
}

/** Reads an active run and says what becomes of it, its child runs included. */
export async function assessRun(question: AssessmentQuestion): Promise<Assessment> {
  const { store, machine, summary, at } = question
  const definition = definitionOf(machine)
  const { runId } = summary
  const state = await loadRun({ ...question, catalogue: definition.catalogue, runId })
  const assessment = assessState({ machine, definition, summary, state, at })
  if (assessment.outcome === 'breaks') return assessment
  const { machine: next } = assessment.adoption ?? state
  const misfits: Misfit[] = []
  const errors: CallboardError[] = []
  for (const { id, logic, invocation } of actorsAtWork(machine, definition.actors, (next?.persisted ?? {}) as object)) {
    if (workflowOf(logic) === undefined || invocation === undefined) continue
    const child = await store.summary(invocation)
    if (child?.status !== 'active') continue
    const { error } = await assessRun({ ...question, machine: logic as AnyStateMachine, summary: child })
    if (error === undefined) continue
    errors.push(error)
    misfits.push({ what: 'child-run', name: id, message: `its child run ${invocation} breaks: ${error.message}` })
  }
  const [cause] = errors
  return cause === undefined ? assessment : brokenByChild(assessment, misfits, summary, cause)
}

function definitionOf(machine: AnyStateMachine): WorkflowDefinition {
  const definition = workflowOf(machine)
  if (definition === undefined) throw new TypeError(`machine "${machine.id}" is not a workflow`)
  return definition
}

interface StateQuestion extends Omit<AssessmentQuestion, 'store'> {
  readonly definition: WorkflowDefinition
  readonly state: RunState
}

function assessState({ machine, definition, summary, state, at }: StateQuestion): Assessment {
  const { runId } = summary
  const to = stampOf(machine)
  const { version = summary.version, hash, structure } = state.notes.definition ?? {}
  const from: DefinitionOrigin = { version, hash, structure }
  const same = { outcome: 'restores', from, to, differences: [], misfits: [], state } as const
  const known: Assessment = { ...same, error: undefined, adoption: undefined }
  const isSame = hash === to.hash
  if (state.machine === undefined) return { ...known, outcome: 'breaks', error: lostError(runId) }
  if (isSame && (version === to.version || definition.migrate === undefined)) return known
  const changed = {
    ...known,
    differences: structure === undefined || isSame ? [] : compareStructures(structure, to.structure),
  }
  const question = { machine, from, board: state.board, state: state.machine, at }
  try {
    const migrated =
      definition.migrate === undefined
        ? undefined
        : migrateState(definition.migrate, { ...question, runId, to: { version: to.version, hash: to.hash } })
    const misfits = misfitsOf({
      machine,
      definition,
      before: structure,
      state: {
        board: state.board.withCells(migrated?.changes.map(({ cell }) => cell) ?? []),
        machine: migrated?.machine ?? state.machine,
      },
    })
    const all = migrated === undefined ? [...misfits, ...requestMisfits(definition, state)] : misfits
    if (all.length > 0) return broken(changed, all, summary, migrated !== undefined)
    const adoption = migrated ?? adoptAsIs(question)
    const board = state.board.withCells(adoption.changes.map(({ cell }) => cell))
    const changes = [...adoption.changes, ...tightenEntries(board, at)]
    const outcome = migrated === undefined ? 'restores-changed' : 'needs-migration'
    return { ...changed, outcome, adoption: { ...adoption, changes } }
  } catch (error) {
    return { ...changed, outcome: 'breaks', error: failedError(changed, summary, error) }
  }
}

/** Open questions of agents at work, which today's definition could not take an answer to. */
function requestMisfits({ catalogue, events }: WorkflowDefinition, { notes }: RunState): readonly Misfit[] {
  return [...notes.requests.values()].flatMap(({ id, target }): readonly Misfit[] => {
    const misfit = (what: string): readonly Misfit[] => [
      { what: 'request', name: id, message: `somebody is asked for ${what}` },
    ]
    if ('key' in target)
      return catalogue.find(target.key) === undefined
        ? misfit(`"${target.key}", which is not in the catalogue any more`)
        : []
    return events === undefined || Object.hasOwn(events, target.event)
      ? []
      : misfit(`the event "${target.event}", which is not declared any more`)
  })
}

function lostError(runId: string): CallboardError {
  const message = `run ${runId} has no stored machine state; its ledger has lost its beginning`
  return new CallboardError('run.damaged', message, { runId })
}

const MOST_NAMED = 5

function broken(
  assessment: Assessment,
  misfits: readonly Misfit[],
  { runId, workflow }: RunSummary,
  wasMigrated = false,
): Assessment {
  const { from, to } = assessment
  const why = textOf(misfits)
  const details = detailsOf(assessment, misfits, { runId, workflow })
  const error = wasMigrated
    ? new CallboardError(
        'run.migration-failed',
        `run ${runId}: what migrate gave does not fit version ${to.version} of workflow "${workflow}": ${why}; the run stays as it was`,
        details,
      )
    : new CallboardError(
        'run.definition-changed',
        `run ${runId} was stored with ${stampText(from)} of workflow "${workflow}" and does not fit ${stampText(to)}: ${why}; ` +
          'give migrate to workflow(), or open it with the definition it was stored with',
        details,
      )
  return { ...assessment, outcome: 'breaks', misfits, error, adoption: undefined }
}

function detailsOf(
  assessment: Assessment,
  misfits: readonly Misfit[],
  run: Pick<RunSummary, 'runId' | 'workflow'>,
): ErrorDetails {
  return { ...run, ...versionsOf(assessment), misfits, differences: assessment.differences.map(describeDifference) }
}

/** Nothing is wrong with the run itself: its error is that of a child, and says so. */
function brokenByChild(
  assessment: Assessment,
  misfits: readonly Misfit[],
  { runId, workflow }: RunSummary,
  cause: CallboardError,
): Assessment {
  const details = detailsOf(assessment, misfits, { runId, workflow })
  const message = `run ${runId} of workflow "${workflow}" does not go on without its child runs: ${textOf(misfits)}`
  const error = isCallboardError(cause, 'run.migration-failed')
    ? new CallboardError('run.migration-failed', message, details, { cause })
    : new CallboardError('run.definition-changed', message, details, { cause })
  return { ...assessment, outcome: 'breaks', misfits, error, adoption: undefined }
}

function textOf(misfits: readonly Misfit[]): string {
  const named = misfits.slice(0, MOST_NAMED).map(({ message }) => message)
  return `${named.join('; ')}${misfits.length > named.length ? `; and ${misfits.length - named.length} more` : ''}`
}

function failedError(assessment: Assessment, { runId, workflow }: RunSummary, cause: unknown): CallboardError {
  const message = cause instanceof Error ? cause.message : String(cause)
  const how = isCallboardError(cause, 'migration.invalid') ? message : `migrate threw: ${message}`
  return new CallboardError(
    'run.migration-failed',
    `run ${runId} of workflow "${workflow}" was not migrated: ${how}; the run stays as it was`,
    { runId, workflow, ...versionsOf(assessment) },
    { cause },
  )
}

function versionsOf({ from, to }: Pick<Assessment, 'from' | 'to'>): object {
  return { from: { version: from.version, hash: from.hash }, to: { version: to.version, hash: to.hash } }
}

const SHORT_HASH = 8

function stampText({ version, hash }: { readonly version: string; readonly hash: string | undefined }): string {
  return hash === undefined ? `version ${version}` : `version ${version} (${hash.slice(0, SHORT_HASH)})`
}
