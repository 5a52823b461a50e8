// Whether a run can still go on by itself. Pure: from what is known of it to the wait-for graph of a deadlock.
import { patternsOverlap } from '../context/index.ts'
import { buildWaitForGraph } from '../waits/index.ts'
import type { Subscriptions, Wait, WaitForGraph } from '../waits/index.ts'
import { isAgentLogic, workflowOf } from '../workflow/index.ts'
import type { WorkflowDefinition } from '../workflow/index.ts'
import type { AgentProcess } from './agent-process.ts'
import { waitForNode } from './explain.ts'
import type { MachineSnapshot } from './machine-snapshot.ts'
import type { OpenRequest } from './requests.ts'
import { couldEventWrite } from './unblock.ts'

/** What is known of a run whose records are all stored. */
export interface DeadlockFacts {
  readonly definition: WorkflowDefinition
  readonly machine: MachineSnapshot
  readonly processes: readonly AgentProcess[]
  readonly waits: readonly Wait[]
  readonly requests: readonly OpenRequest[]
  readonly subscriptions: Subscriptions
  readonly hasTimers: boolean
  readonly hasChildren: boolean
}

/** The waits that nobody can meet any more, and why; undefined while anything may still happen. */
export function findDeadlock(
  facts: DeadlockFacts,
): { readonly waits: readonly Wait[]; readonly graph: WaitForGraph } | undefined {
  const { definition, machine, processes, requests, hasTimers, hasChildren } = facts
  const active = processes.filter(({ status }) => status === 'running' || status === 'waiting')
  if (active.length === 0 || active.some(({ isBlocked }) => !isBlocked)) return undefined
  if (facts.subscriptions.isBusy) return undefined
  if (hasTimers || hasChildren || requests.length > 0 || hasOtherActors(machine, definition)) return undefined
  if (hasUntoldEnd(machine, processes)) return undefined
  const waits = facts.waits.filter(({ waiter }) => active.some(({ id }) => id === waiter))
  if (waits.some(({ keys }) => keys.some((key) => mayComeFromOutside(key, definition, machine)))) return undefined
  const listened = facts.subscriptions.patternsOf(new Set(active.map(({ id }) => id)))
  if (listened.some((pattern) => couldBeToldFromOutside(pattern, definition, machine))) return undefined
  const nodes = active.map((process) => waitForNode(process, waits, definition.agents, processes))
  return { waits, graph: buildWaitForGraph(nodes) }
}

/** A condition over a whole view (`*`) cannot be judged; global entries are written by other runs. */
function mayComeFromOutside(key: string, definition: WorkflowDefinition, machine: MachineSnapshot): boolean {
  if (key === '*') return true
  const entry = definition.catalogue.find(key)
  if (entry?.outside === true || entry?.scope === 'global') return true
  return couldEventWrite(key, machine._nodes, definition.agents)
}

/** An agent has ended, but the machine has not heard of it yet: what it does then may meet a wait. */
export function hasUntoldEnd({ children }: MachineSnapshot, processes: readonly AgentProcess[]): boolean {
  const ended = new Set(
    processes.filter(({ status }) => status === 'finished' || status === 'failed').map(({ invocation }) => invocation),
  )
  return Object.values(children).some((child) => {
    const { status, invocation = '' } = child.getSnapshot() as { readonly status: string; readonly invocation?: string }
    return status === 'active' && ended.has(invocation)
  })
}

/** A handler may write what others wait for, once someone outside has written what it listens to. */
function couldBeToldFromOutside(pattern: string, definition: WorkflowDefinition, machine: MachineSnapshot): boolean {
  return definition.catalogue.entries
    .filter(({ name }) => patternsOverlap(pattern, name))
    .some(({ name }) => mayComeFromOutside(name, definition, machine))
}

/** Actors that are neither agents nor child runs: what they do cannot be known. */
export function hasOtherActors({ children }: MachineSnapshot, { actors }: WorkflowDefinition): boolean {
  return Object.values(children).some((child) => {
    const logic = typeof child.src === 'string' ? actors[child.src] : undefined
    if (logic !== undefined && (isAgentLogic(logic) || workflowOf(logic) !== undefined)) return false
    return child.getSnapshot().status === 'active'
  })
}
