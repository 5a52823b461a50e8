// Desk: what lies behind the door, as one caller may ask for it.
//   D1. A run whose workflow does not know the caller's type of agent is not there for it, just as one that does not exist.
//   D2. Of a run that an agent may see, it sees its view and whether the run goes on; nothing that tells of other entries.
import type { AnyStateMachine } from 'xstate'
import { CallboardError, isCallboardError } from '../base/index.ts'
import type { Entry, View } from '../context/index.ts'
import type { AgentMemory, Memory } from '../memory/index.ts'
import type { Run, Runtime } from '../runtime/index.ts'
import type { RunSummary } from '../store/index.ts'
import { workflowOf } from '../workflow/index.ts'
import type { WorkflowDefinition } from '../workflow/index.ts'
import { agentOf } from './caller.ts'
import type { AgentIdentity, McpCaller } from './caller.ts'

/** What a desk is put on. */
export interface DeskOptions {
  readonly runtime: Runtime
  /** The workflows that may be started, and whose agents callers may be. */
  readonly workflows: readonly AnyStateMachine[]
  readonly memory: Memory | undefined
  /** Brings a run: `runtime.open` unless given. */
  readonly open: (runId: string) => Promise<Run>
}

/** Runs whose readers are told of what other runs write for all. */
const MOST_LOOKED_AT = 1_000

export class Desk {
  readonly caller: McpCaller
  readonly agent: AgentIdentity | undefined
  readonly runtime: Runtime
  readonly hasMemory: boolean
  readonly #options: DeskOptions
  /** Ids of runs that were asked for, the newest last. */
  readonly #lookedAt = new Set<string>()

  constructor(options: DeskOptions, caller: McpCaller) {
    this.#options = options
    this.caller = caller
    this.agent = agentOf(caller)
    this.runtime = options.runtime
    this.hasMemory = options.memory !== undefined
  }

  /** The workflows the caller has to do with. */
  get workflows(): readonly AnyStateMachine[] {
    return this.#options.workflows.filter((machine) => this.concerns(definitionOf(machine).name))
  }

  /** @throws CallboardError `mcp.unknown-workflow` */
  workflow(name: string): AnyStateMachine {
    const found = this.workflows.find((machine) => definitionOf(machine).name === name)
    if (found !== undefined) return found
    const known = this.workflows.map((machine) => definitionOf(machine).name).join(', ') || 'none'
    throw new CallboardError('mcp.unknown-workflow', `there is no workflow "${name}" here; there are ${known}`, {
      name,
    })
  }

  definition(name: string): WorkflowDefinition | undefined {
    return this.#options.workflows.map(definitionOf).find((definition) => definition.name === name)
  }

  /** Oldest first. */
  async runs(status?: RunSummary['status']): Promise<readonly RunSummary[]> {
    const all = await this.runtime.list(status === undefined ? {} : { status })
    return all.filter(({ workflow }) => this.concerns(workflow))
  }

  /** @throws CallboardError `run.unknown`; what opening a run throws */
  async run(runId: string): Promise<Run> {
    try {
      const run = this.runtime.get(runId) ?? (await this.#options.open(runId))
      if (this.concerns(run.workflow)) return this.#note(run)
    } catch (error) {
      // Why a run cannot be opened is nothing for an agent.
      if (this.agent === undefined && !isCallboardError(error, 'run.unknown')) throw error
    }
    throw new CallboardError('run.unknown', `there is no run "${runId}" here; list_runs names them`, { runId })
  }

  /** A run that is here, if the caller has to do with it. */
  known(runId: string): Run | undefined {
    const run = this.runtime.get(runId)
    return run !== undefined && this.concerns(run.workflow) ? run : undefined
  }

  /** Runs that were asked for lately and are here. */
  lookedAt(): readonly Run[] {
    return [...this.#lookedAt].map((runId) => this.known(runId)).filter((run) => run !== undefined)
  }

  #note(run: Run): Run {
    this.#lookedAt.delete(run.id)
    this.#lookedAt.add(run.id)
    const [oldest] = this.#lookedAt
    if (this.#lookedAt.size > MOST_LOOKED_AT && oldest !== undefined) this.#lookedAt.delete(oldest)
    return run
  }

  /** What the caller sees, or whom it asks for does; undefined for the workflow's own reading. */
  view(run: Run, asked?: AgentIdentity): View | undefined {
    const agent = this.agentFor(asked)
    return agent === undefined ? undefined : run.view(agent.id, agent.type)
  }

  /** Through whose eyes is looked: an agent through its own only. @throws CallboardError `agent.unknown` */
  agentFor(asked: AgentIdentity | undefined): AgentIdentity | undefined {
    if (this.agent === undefined || asked === undefined) return this.agent ?? asked
    if (asked.id === this.agent.id && asked.type === this.agent.type) return this.agent
    throw new CallboardError('agent.unknown', `there is no agent "${asked.id}" here`, { agent: asked.id })
  }

  /** Whether the caller may see an entry. */
  sees(run: Run, entry: Entry): boolean {
    return this.agent === undefined || run.isSeenBy(this.agent.id, entry, this.agent.type)
  }

  /** @throws CallboardError `mcp.no-memory` */
  memory(run: Run): AgentMemory {
    const { memory } = this.#options
    if (memory === undefined) throw new CallboardError('mcp.no-memory', 'there is no memory here', {})
    const { id: runId, labels } = run
    return this.agent === undefined ? memory.for({ runId }) : memory.forAgent({ runId, labels, ...this.agent })
  }

  /** Whether the caller has to do with the runs of a workflow. */
  concerns(workflow: string): boolean {
    return this.agent === undefined || this.definition(workflow)?.agents.has(this.agent.type) === true
  }
}

export function definitionOf(machine: AnyStateMachine): WorkflowDefinition {
  const definition = workflowOf(machine)
  if (definition !== undefined) return definition
  const message = `the machine "${machine.id}" is no workflow; make it with defineContext(…).workflow(…).createMachine(…)`
  throw new CallboardError('workflow.unknown', message, { id: machine.id })
}
