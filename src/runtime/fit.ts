// Fit: whether a stored run can go on with a definition as it is. Pure; what it finds names the state, agent or key.
import type { AnyActorLogic, AnyStateMachine, AnyStateNode } from 'xstate'
import { narrownessOf, parseBy } from '../context/index.ts'
import type { Board, CatalogueEntry, Entry } from '../context/index.ts'
import type { MachineState } from '../ledger/index.ts'
import { isAgentLogic, isMachine, schemaIssue, sourceOf, workflowOf } from '../workflow/index.ts'
import type { ActorStructure, MachineStructure, WorkflowDefinition, WorkflowStructure } from '../workflow/index.ts'
import { configurationOf, pathText, structureAt } from './configuration.ts'
import type { Misfit } from './configuration.ts'
import { delayIn, isDelay } from './pending-timer.ts'

/** A machine's children and history as XState persists them. */
export interface PersistedMachine {
  readonly value?: unknown
  readonly status?: string
  readonly children?: Readonly<Record<string, PersistedChild>>
  readonly historyValue?: Readonly<Record<string, readonly { readonly id: string }[]>>
}

export interface PersistedChild {
  readonly src: unknown
  readonly systemId?: string | undefined
  readonly syncSnapshot?: boolean | undefined
  readonly snapshot: {
    readonly status: string
    readonly input?: unknown
    readonly output?: unknown
    readonly error?: unknown
    /** Of an agent or child workflow: the name of the invocation. */
    readonly invocation?: string
  }
}

export interface FitQuestion {
  readonly machine: AnyStateMachine
  readonly definition: WorkflowDefinition
  /** With what the run was written, where that is known. */
  readonly before: WorkflowStructure | undefined
  readonly state: { readonly board: Board; readonly machine: MachineState }
}

/** Everything that does not fit; empty where the run can go on. */
export function misfitsOf({ machine, definition, before, state }: FitQuestion): readonly Misfit[] {
  const { value, persisted, context } = state.machine
  return [
    ...machineMisfits(machine, definition.actors, { ...(persisted as PersistedMachine), value }, before),
    ...timerMisfits(state.machine, machine, before),
    ...inputMisfits(definition, context['input']),
    ...entryMisfits(definition, state.board, before),
  ]
}

function machineMisfits(
  machine: AnyStateMachine,
  actors: Readonly<Record<string, unknown>>,
  persisted: PersistedMachine,
  before: MachineStructure | undefined,
): readonly Misfit[] {
  const { nodes, misfits } = configurationOf(machine.root, persisted.value, before?.root)
  const found = [...misfits, ...historyMisfits(machine, persisted)]
  if (misfits.length === 0) found.push(...invocationMisfits(nodes, persisted, before))
  for (const [id, child] of Object.entries(persisted.children ?? {})) {
    if (child.snapshot.status === 'active') found.push(...childMisfits(id, child, { machine, actors, before }))
  }
  return found
}

/** XState's own way to a state, which throws where there is none. */
export function nodeById(machine: AnyStateMachine, id: string): AnyStateNode | undefined {
  try {
    return machine.getStateNodeById(id)
  } catch {
    return undefined
  }
}

function historyMisfits(machine: AnyStateMachine, { historyValue = {} }: PersistedMachine): readonly Misfit[] {
  return Object.entries(historyValue).flatMap(([id, items]) =>
    [id, ...items.map((item) => item.id)]
      .filter((nodeId) => nodeById(machine, nodeId) === undefined)
      .map((nodeId): Misfit => ({
        what: 'history',
        name: id,
        message: `the history of "${id}" is kept with "${nodeId}", which is no state any more`,
      })),
  )
}

/** What active states invoke has to be what they had invoked: XState starts nothing when it restores. */
function invocationMisfits(
  nodes: readonly AnyStateNode[],
  { children = {} }: PersistedMachine,
  before: MachineStructure | undefined,
): readonly Misfit[] {
  const misfits: Misfit[] = []
  for (const node of nodes) {
    const was = structureAt(before?.root, node.path)?.invoke ?? {}
    const invoked = new Set<string>()
    for (const { id, src } of node.invoke) {
      invoked.add(id)
      const source = sourceOf(src)
      if (children[id]?.src === source || (Object.hasOwn(was, id) && was[id] === source)) continue
      const message = `state "${pathText(node.path)}" invokes ${source} (${id}) now, which the run has not begun`
      misfits.push({ what: 'invocation', name: id, message })
    }
    for (const id of Object.keys(was)) {
      if (invoked.has(id) || children[id]?.snapshot.status !== 'active') continue
      const message = `state "${pathText(node.path)}" does not invoke ${id} any more, which is at work in the run`
      misfits.push({ what: 'invocation', name: id, message })
    }
  }
  return misfits
}

interface ChildPlace {
  readonly machine: AnyStateMachine
  readonly actors: Readonly<Record<string, unknown>>
  readonly before: MachineStructure | undefined
}

/** XState drops a child whose logic is not registered, without a word. */
function childMisfits(id: string, { src, snapshot }: PersistedChild, place: ChildPlace): readonly Misfit[] {
  const name = sourceOf(src)
  const logic = logicOf(name, place)
  const missing = (message: string): readonly Misfit[] => [{ what: 'invocation', name: id, message }]
  if (logic === undefined) return missing(`${id} is at work, and its actor "${name}" is not registered any more`)
  const { actors = {} } = place.before ?? {}
  const was = Object.hasOwn(actors, name) ? actors[name] : undefined
  const kind = kindOf(logic)
  if (was !== undefined && was.kind !== kind)
    return missing(`${id} is at work as ${wordFor(was.kind)}, and "${name}" is ${wordFor(kind)} now`)
  if (kind === 'agent') return agentInputMisfits(id, logic, snapshot.input)
  if (kind !== 'machine' || !isMachine(logic)) return []
  const known = logic.implementations.actors as Readonly<Record<string, unknown>>
  const inner = machineMisfits(
    logic,
    known,
    snapshot as PersistedMachine,
    was?.kind === 'machine' ? was.machine : undefined,
  )
  return inner.map(({ what, name: part, message }) => ({
    what,
    name: `${id}: ${part}`,
    message: `in ${id}, ${message}`,
  }))
}

function logicOf(name: string, { machine, actors }: Omit<ChildPlace, 'before'>): AnyActorLogic | undefined {
  if (Object.hasOwn(actors, name)) return actors[name] as AnyActorLogic
  const place = /^xstate\.invoke\.(?<index>\d+)\.(?<state>.*)$/s.exec(name)?.groups
  const { invoke } = (nodeById(machine, place?.['state'] ?? '')?.config ?? {}) as { readonly invoke?: unknown }
  const invoked = (invoke === undefined ? [] : [invoke].flat())[Number(place?.['index'])]
  return (invoked as { readonly src?: AnyActorLogic } | undefined)?.src
}

/** Everything at work that is no machine, in the machines that a machine invokes as well. */
export function* actorsAtWork(
  machine: AnyStateMachine,
  actors: Readonly<Record<string, unknown>>,
  { children = {} }: PersistedMachine,
): IterableIterator<{ readonly id: string; readonly logic: AnyActorLogic; readonly invocation: string | undefined }> {
  for (const [id, { src, snapshot }] of Object.entries(children)) {
    const logic = logicOf(sourceOf(src), { machine, actors })
    if (snapshot.status !== 'active' || logic === undefined) continue
    if (kindOf(logic) === 'machine' && isMachine(logic))
      yield* actorsAtWork(logic, logic.implementations.actors, snapshot as PersistedMachine)
    else yield { id, logic, invocation: snapshot.invocation }
  }
}

function kindOf(logic: AnyActorLogic): ActorStructure['kind'] {
  if (isAgentLogic(logic)) return 'agent'
  if (workflowOf(logic) !== undefined) return 'workflow'
  return isMachine(logic) ? 'machine' : 'actor'
}

function wordFor(kind: ActorStructure['kind']): string {
  switch (kind) {
    case 'agent':
      return 'an agent'
    case 'workflow':
      return 'a workflow'
    case 'machine':
      return 'a machine'
    case 'actor':
      return 'another actor'
    default:
      throw new TypeError(`unknown kind of actor ${String(kind satisfies never)}`)
  }
}

/** An agent at work runs again, from the input it was given. */
function agentInputMisfits(id: string, logic: AnyActorLogic, given: unknown): readonly Misfit[] {
  const { input: schema } = isAgentLogic(logic) ? logic.definition : { input: undefined }
  const parsed = schema === undefined ? undefined : parseBy(schema, given)
  if (parsed === undefined || parsed.success) return []
  const message = `agent ${id} is at work, and its input does not fit its schema: ${parsed.problem}`
  return [{ what: 'input', name: id, message }]
}

/** Delays that no active state has asked for. */
function timerMisfits(
  { timers, value }: MachineState,
  machine: AnyStateMachine,
  before: WorkflowStructure | undefined,
): readonly Misfit[] {
  const { nodes } = configurationOf(machine.root, value, before?.root)
  return timers
    .filter(isDelay)
    .filter((timer) => nodes.every((node) => delayIn(timer, oldIdOf(node, before)) === undefined))
    .map(({ event }): Misfit => ({
      what: 'timer',
      name: event.type,
      message: `the delay "${event.type}" is pending, and belongs to no state that is active`,
    }))
}

/** The id a state had where it stood at the same path. */
export function oldIdOf(node: AnyStateNode, before: MachineStructure | undefined): string {
  const was = structureAt(before?.root, node.path)
  if (before === undefined || was === undefined) return node.id
  return was.id ?? [before.id, ...node.path].join('.')
}

function inputMisfits({ input: schema }: WorkflowDefinition, input: unknown): readonly Misfit[] {
  const issue = schema === undefined ? undefined : schemaIssue(schema, input)
  if (issue === undefined) return []
  return [{ what: 'input', name: 'input', message: `the run's input does not fit its schema: ${issue}` }]
}

/** Global entries belong to all workflows of a tenant; only the run's own are looked at. */
function entryMisfits(
  { catalogue }: WorkflowDefinition,
  board: Board,
  before: WorkflowStructure | undefined,
): readonly Misfit[] {
  const misfits: Misfit[] = []
  for (const { live, entry } of board.own.cells()) {
    if (!live || entry.ephemeral) continue
    const { key } = entry
    const definition = catalogue.find(key)
    if (definition === undefined) {
      misfits.push({ what: 'key', name: key, message: `entry "${key}" is not in the catalogue any more` })
      continue
    }
    const place = scopeProblem(entry, definition, before)
    if (place !== undefined) misfits.push({ what: 'scope', name: key, message: `entry "${key}" ${place}` })
    const issue = schemaIssue(definition.schema, entry.value)
    if (issue !== undefined)
      misfits.push({ what: 'value', name: key, message: `the value of "${key}" does not fit its schema: ${issue}` })
  }
  return misfits.sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)))
}

/** An entry stays where it was written; under another scope or group nobody would find it, or too many would. */
function scopeProblem(
  { scope, holder }: Entry,
  { name, scope: standard, group, infersScope }: CatalogueEntry,
  before: WorkflowStructure | undefined,
): string | undefined {
  if (infersScope) return undefined
  const moved = `is stored as ${scope} and defined as ${standard} now`
  if (narrownessOf(scope) < narrownessOf(standard)) return moved
  const was = before !== undefined && Object.hasOwn(before.keys, name) ? before.keys[name] : undefined
  if (was === undefined) return undefined
  if (was.scope === scope && was.scope !== standard) return moved
  if (scope === 'group' && was.group !== undefined && was.group !== group && holder === was.group)
    return `is stored for group ${was.group} and defined for group ${group ?? '(of the writer)'} now`
  return undefined
}
