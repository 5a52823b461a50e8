// What can be told of a stored run without bringing it to life: nothing is started, nothing is written.
import { CallboardError } from '../base/index.ts'
import { Access, BoardView, Filters, Sight } from '../context/index.ts'
import type { View } from '../context/index.ts'
import { globalsId } from '../ledger/index.ts'
import type { MachineState } from '../ledger/index.ts'
import type { Store } from '../store/index.ts'
import { accessRulesOf } from '../workflow/index.ts'
import type { PersonTarget, WorkflowDefinition } from '../workflow/index.ts'
import { loadGlobals, withGlobalsThen } from './globals.ts'
import { loadRun } from './load-run.ts'
import type { RunState } from './run-state.ts'

/** What a person was asked and has not answered. */
export interface StoredRequest {
  readonly id: string
  readonly agent: string
  readonly target: PersonTarget
  readonly question: string | undefined
  readonly askedAt: number
}

/** The open requests of a run, oldest first. */
export function openRequestsIn({ notes }: RunState): readonly StoredRequest[] {
  if (notes.end !== undefined) return []
  return Array.from(notes.requests.values(), ({ id, agent, target, question, askedAt }) =>
    Object.freeze({ id, agent, target, question, askedAt }),
  )
}

export interface StoredViewOptions {
  readonly store: Store
  readonly definition: WorkflowDefinition
  readonly runId: string
  readonly agent: string
  /** The agent's type; found from the machine's children, or the id itself, unless given. */
  readonly type?: string | undefined
  /** After which record; the newest unless given. */
  readonly atSeq?: number | undefined
  readonly tenant?: string
}

/**
 * What an agent saw at a point of a stored run, or sees now, global entries included.
 *
 * @throws CallboardError `agent.unknown`
 */
export async function viewStored(options: StoredViewOptions): Promise<View> {
  const { store, definition, runId, agent, atSeq, tenant = 'default' } = options
  const state = await loadRun({
    store,
    catalogue: definition.catalogue,
    runId,
    ...(atSeq === undefined ? {} : { atSeq }),
  })
  const { board, machine } = state
  const sight = sightIn(definition, runId, agent, options.type ?? typeOf(machine, agent))
  if (atSeq !== undefined) return new BoardView(await withGlobalsThen(store, globalsId(tenant), state), sight)
  const { board: shared } = await loadGlobals({ store, runId: globalsId(tenant) })
  return new BoardView(board.withGlobals(shared.globals), sight)
}

function sightIn({ agents, catalogue }: WorkflowDefinition, runId: string, agent: string, type: string): Sight {
  const definition = agents.get(type)
  if (definition !== undefined)
    return new Sight(agent, new Access(accessRulesOf(type, definition), catalogue), new Filters())
  const known = [...agents.keys()].join(', ') || 'none'
  throw new CallboardError(
    'agent.unknown',
    `run ${runId}: no agent type "${type}" is registered; registered are ${known}`,
    { runId, type },
  )
}

/** As what an agent was invoked; its own name where that cannot be told. */
function typeOf(machine: MachineState | undefined, agent: string): string {
  const { children } = (machine?.persisted ?? {}) as {
    readonly children?: Readonly<Record<string, { readonly src?: unknown }>>
  }
  const src = children !== undefined && Object.hasOwn(children, agent) ? children[agent]?.src : undefined
  return typeof src === 'string' ? src : agent
}
