// Runs of a database, as people name them.
import { CallboardError } from '../base/index.ts'
import { isGlobals } from '../ledger/index.ts'
import type { RunFilter, RunSummary } from '../store/index.ts'
import type { Database } from './database.ts'
import { visibleText } from './visible-text.ts'

/** So many ids are named where several fit. */
const MOST_NAMED = 5

/** The runs of a database, oldest first; damaged ones are told to `onDamage`, or thrown. */
export async function listRuns(
  { store }: Pick<Database, 'store'>,
  filter: RunFilter = {},
  onDamage?: (message: string) => void,
): Promise<readonly RunSummary[]> {
  const options = onDamage === undefined ? {} : { onDamage: ({ message }: { message: string }) => onDamage(message) }
  return (await store.list(filter, options)).filter(({ runId }) => !isGlobals(runId))
}

/**
 * The run of an id, or of the beginning of one. A run that fits goes before its child runs, whose ids begin with its own.
 *
 * @throws CallboardError `cli.no-such-run`, `cli.several-runs`
 */
export async function findRun(database: Pick<Database, 'store' | 'path'>, id: string): Promise<RunSummary> {
  const { store } = database
  const exact = (await store.summary(id)) ?? (id === '' ? undefined : await store.summary(`run_${id}`))
  if (exact !== undefined) return exact
  // Damaged runs have no id to go by; those that are sound can be found all the same.
  const all = id === '' ? [] : await listRuns(database, {}, () => {})
  const begun = withoutChildren(all.filter(({ runId }) => fits(runId, id)))
  const [first] = begun
  const shown = visibleText(id)
  if (first === undefined) {
    const message = `there is no run "${shown}" in ${database.path}; callboard runs lists them`
    throw new CallboardError('cli.no-such-run', message, { id })
  }
  if (begun.length === 1) return first
  const names = begun.slice(0, MOST_NAMED).map(({ runId }) => visibleText(runId))
  const more = begun.length > MOST_NAMED ? `, … (${begun.length})` : ''
  const message = `"${shown}" fits several runs: ${names.join(', ')}${more}; give more of the id`
  throw new CallboardError('cli.several-runs', message, { id })
}

/** A child run goes on with the run that started it. */
export async function rootOf({ store }: Pick<Database, 'store'>, run: RunSummary): Promise<RunSummary> {
  let root = run
  while (root.parent !== undefined) {
    const parent = await store.summary(root.parent.runId)
    if (parent === undefined) return root
    root = parent
  }
  return root
}

/** Ids that were made for a run begin alike: what comes after that may stand alone. */
const fits = (runId: string, id: string): boolean => runId.startsWith(id) || runId.startsWith(`run_${id}`)

/** Those runs whose parents are not among them. */
function withoutChildren(runs: readonly RunSummary[]): readonly RunSummary[] {
  const ids = new Set(runs.map(({ runId }) => runId))
  return runs.filter(({ parent }) => parent === undefined || !ids.has(parent.runId))
}
