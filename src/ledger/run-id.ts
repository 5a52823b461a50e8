// Run ids: what a run may be called, and what only the ledgers of global entries are.
import { CallboardError } from '../base/index.ts'
import { isWellFormedKey } from '../context/index.ts'

const GLOBALS = 'global:'

/** Whether an id is that of a ledger of global entries. */
export function isGlobals(runId: string): boolean {
  return runId.startsWith(GLOBALS)
}

/** The id of the ledger of a tenant's global entries. */
export function globalsId(tenant: string): string {
  return `${GLOBALS}${tenant}`
}

/** @throws CallboardError `run.invalid-id` */
export function assertRunId(runId: string): void {
  // Neither can be a part of an address: whoever reads one takes it for this folder, or the one above.
  const isStep = runId === '.' || runId === '..'
  if (isWellFormedKey(runId) && !isGlobals(runId) && !isStep) return
  throw new CallboardError(
    'run.invalid-id',
    `a run id is a non-empty, well-formed text of at most 1,024 characters, not "." or "..", that does not begin with "${GLOBALS}"`,
    { runId },
  )
}
