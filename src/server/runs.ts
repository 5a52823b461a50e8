// Runs: how operations get hold of one.
import type { AnyStateMachine } from 'xstate'
import { CallboardError, toTagged } from '../base/index.ts'
import { isGlobals } from '../ledger/index.ts'
import { describeFailure } from '../runtime/index.ts'
import type { Run } from '../runtime/index.ts'
import type { RunSummary } from '../store/index.ts'
import { workflowOf } from '../workflow/index.ts'
import type { WorkflowDefinition } from '../workflow/index.ts'
import type { AgentIdentity, Caller } from './caller.ts'
import type { House } from './house.ts'
import { summaryToWire } from './wire.ts'
import type { Wire } from './wire.ts'

/** @throws CallboardError `run.unknown`; whatever keeps it from being opened */
export async function openRun({ runtime }: House, runId: string): Promise<Run> {
  if (isGlobals(runId)) throw unknownRun(runId)
  return runtime.open(runId)
}

/**
 * A run whose workflow does not know the caller's type of agent is not there for it, just as one that does not exist.
 * @throws CallboardError `run.unknown`
 */
export async function assertConcerned(house: House, { agent }: Caller, runId: string): Promise<void> {
  if (agent === undefined) return
  const { workflow } = await summaryOf(house, runId)
  const definition = house.workflows.map(workflowOf).find((known) => known?.name === workflow)
  const isConcerned = definition?.agents.has(agent.type) ?? (await isKnownTo(house, agent, runId))
  if (!isConcerned) throw unknownRun(runId)
}

/** Of runs whose workflow cannot be started here, only they themselves say it: child runs, say. */
async function isKnownTo(house: House, { id, type }: AgentIdentity, runId: string): Promise<boolean> {
  try {
    const run = await openRun(house, runId)
    run.view(id, type)
    return true
  } catch {
    // Why a run cannot be opened is nothing for an agent that it may not concern.
    return false
  }
}

/** What the store knows of a run, without opening it. @throws CallboardError `run.unknown` */
export async function summaryOf({ runtime }: House, runId: string): Promise<RunSummary> {
  const summary = isGlobals(runId) ? undefined : await runtime.store.summary(runId)
  if (summary === undefined) throw unknownRun(runId)
  return summary
}

/** A run with its state and what came of it; what agents said of a failure is as secret as what they could see. */
export async function detailOf(
  house: House,
  run: Run,
  shows: { readonly secrets: boolean } = { secrets: false },
): Promise<{ readonly version: number; readonly body: Wire }> {
  const summary = await summaryOf(house, run.id)
  const outcome =
    summary.status === 'active'
      ? { output: null, error: null }
      : await run.done.then(
          (output) => ({ output: toTagged(output), error: null }),
          (error: unknown) => ({ output: null, error: describeFailure(error, shows) }),
        )
  return { version: summary.seq, body: { ...summaryToWire(summary), state: run.state ?? null, ...outcome } }
}

export function unknownRun(runId: string): CallboardError {
  return new CallboardError('run.unknown', `there is no run ${runId} here`, { runId })
}

/** The workflow of a name. @throws CallboardError `workflow.unregistered` */
export function workflowNamed(
  { workflows }: House,
  name: string,
): { readonly machine: AnyStateMachine; readonly definition: WorkflowDefinition } {
  for (const machine of workflows) {
    const definition = workflowOf(machine)
    if (definition?.name === name) return { machine, definition }
  }
  throw new CallboardError('server.not-found', `there is no workflow "${name}" here`, { workflow: name })
}

/** As which agent somebody looks: agents as themselves, everybody else as whom they name. @throws CallboardError `agent.unknown` */
export function agentFor(
  caller: Caller,
  asked: { readonly id: string; readonly type: string | undefined },
): AgentIdentity {
  if (caller.role !== 'agent') return { id: asked.id, type: asked.type ?? asked.id }
  const { agent } = caller
  // Another agent is not there for this one.
  if (agent !== undefined && agent.id === asked.id && (asked.type ?? agent.type) === agent.type) return agent
  throw new CallboardError('agent.unknown', `there is no agent "${asked.id}" here`, { agent: asked.id })
}

/**
 * What is shown of an agent's view. What is sensitive in it was granted to the agent itself; whoever looks over its shoulder
 * has no grant.
 * @throws CallboardError `server.forbidden`
 */
export function showsOfView(caller: Caller, asked: boolean | undefined): { readonly secrets: boolean } {
  return caller.role === 'agent' && asked !== true ? { secrets: true } : mayShowSecrets(caller, asked)
}

/** What has `secrets` in its query. @throws CallboardError `server.forbidden` */
export function mayShowSecrets({ role }: Caller, asked: boolean | undefined): { readonly secrets: boolean } {
  if (asked === true && role !== 'admin') {
    throw new CallboardError('server.forbidden', 'only an admin is shown what is sensitive', {})
  }
  return { secrets: asked === true }
}
