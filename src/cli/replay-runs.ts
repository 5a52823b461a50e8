// Replays the runs of a database, each with the workflow that its module exports today.
import type { AnyActorLogic, AnyStateMachine } from 'xstate'
import { CallboardError, isCallboardError } from '../base/index.ts'
import { replayRun } from '../runtime/index.ts'
import type { ReplayReport } from '../runtime/index.ts'
import type { RunSummary } from '../store/index.ts'
import { workflowOf } from '../workflow/index.ts'
import type { Database } from './database.ts'
import { describeError } from './fail.ts'
import { rootOf } from './find-run.ts'
import { loadWorkflow } from './load-module.ts'
import { moduleOf } from './module-of.ts'
import type { Terminal } from './terminal.ts'

/** One run, and what its replay came to, or why there was none. */
export type Replayed = ReplayReport | { readonly runId: string; readonly why: string }

export interface ReplayChoice {
  readonly module?: string | undefined
  readonly export?: string | undefined
}

/** Replays runs one after the other. One that cannot be replayed does not keep the others from it. */
export async function replayRuns(
  database: Database,
  runs: readonly RunSummary[],
  choice: ReplayChoice,
  terminal: Terminal,
): Promise<readonly Replayed[]> {
  const replayed: Replayed[] = []
  for (const { runId, workflow, ...summary } of runs) {
    try {
      const root = await rootOf(database, { runId, workflow, ...summary })
      const loaded = await loadWorkflow(moduleOf(root.runId, root.labels, choice, terminal))
      const machine = findWorkflow(loaded.workflow, workflow)
      if (machine === undefined) throw noWorkflow(runId, workflow)
      replayed.push(await replayRun({ store: database.store, workflow: machine, runId }))
    } catch (error) {
      if (!isCallboardError(error)) throw error
      replayed.push({ runId, why: describeError(error).message })
    }
  }
  return replayed
}

/** A workflow by its name, among those that a workflow invokes, itself included. */
function findWorkflow(machine: AnyStateMachine, name: string): AnyStateMachine | undefined {
  const looked = new Set<AnyActorLogic>()
  const queue: AnyActorLogic[] = [machine]
  for (let logic = queue.shift(); logic !== undefined; logic = queue.shift()) {
    const definition = workflowOf(logic)
    if (definition === undefined || looked.has(logic)) continue
    if (definition.name === name) return logic as AnyStateMachine
    looked.add(logic)
    queue.push(...Object.values(definition.actors))
  }
  return undefined
}

function noWorkflow(runId: string, workflow: string): CallboardError {
  return new CallboardError(
    'cli.no-workflow',
    `run ${runId} belongs to "${workflow}", which the module does not export`,
    {
      runId,
      workflow,
    },
  )
}
