// Structure: what of a workflow's definition matters to a run that is stored: its states, transitions, invocations,
// agents and keys. Tags, descriptions, texts, guards, actions and the bodies of functions are no part of it, nor is the
// order in which things are written down.
import { createHash } from 'node:crypto'
import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition, AnyActorLogic } from 'xstate'
import { canonicalJson, CallboardError } from '../base/index.ts'
import type { CatalogueEntry } from '../context/index.ts'
import { isAgentLogic } from './agent.ts'
import type { AgentDefinition } from './agent.ts'
import { isInternalEvent } from './internal-event.ts'
import { schemaPrint } from './schema-print.ts'
import { workflowOf } from './definition.ts'

/** The targets of the transitions for one event, in the order in which they are tried; `''` where the state stays. */
type Targets = readonly string[]

/** A state with everything below it. What is not said is the usual: no history, no transitions, an atomic state. */
export interface StateStructure {
  /** Only where it is not made of the machine's id and the path. */
  readonly id?: string
  readonly type?: 'parallel' | 'final' | 'history'
  readonly initial?: string
  /** Of a history state: how deep, and what it stands for before there is any. */
  readonly deep?: true
  readonly target?: string
  /** By event. */
  readonly on?: Readonly<Record<string, Targets>>
  /** By delay. */
  readonly after?: Readonly<Record<string, Targets>>
  readonly always?: Targets
  readonly done?: Targets
  /** By id, the name of what is invoked. */
  readonly invoke?: Readonly<Record<string, string>>
  readonly states?: Readonly<Record<string, StateStructure>>
}

export interface AgentStructure {
  readonly kind: 'agent'
  readonly reads: readonly string[]
  readonly writes: readonly string[]
  readonly groups?: readonly string[]
  /** The key or event a person is asked for. */
  readonly person?: string
  /** A print of its input's schema. */
  readonly input?: string
}

/** Something that states invoke by name. */
export type ActorStructure =
  | AgentStructure
  | { readonly kind: 'workflow'; readonly workflow: string }
  | { readonly kind: 'machine'; readonly machine: MachineStructure }
  | { readonly kind: 'actor' }

export interface MachineStructure {
  readonly id: string
  readonly root: StateStructure
  readonly actors: Readonly<Record<string, ActorStructure>>
}

/** What matters of an entry's definition. */
export interface KeyStructure {
  readonly scope: string
  readonly group?: string
  readonly merge?: string
  readonly protected?: true
  readonly ephemeral?: true
  readonly sensitive?: boolean
  readonly dependsOn?: readonly string[]
  /** A print of its schema. */
  readonly schema: string
}

export interface WorkflowStructure extends MachineStructure {
  readonly keys: Readonly<Record<string, KeyStructure>>
  /** A print of the input's schema. */
  readonly input?: string
}

/** With which definition a run was written: what its first record says, and each that goes on with another one. */
export interface DefinitionStamp {
  readonly version: string
  readonly hash: string
  readonly structure: WorkflowStructure
}

const HASH_CHARACTERS = 32
const stamps = new WeakMap<object, DefinitionStamp>()
/** Those of the workflows of this process, by hash. */
const byHash = new Map<string, DefinitionStamp>()

/** The structure of a workflow, as plain data. @throws CallboardError `workflow.unknown` for a plain machine */
export function structureOf(machine: AnyStateMachine): WorkflowStructure {
  return stampOf(machine).structure
}

/** A text that is the same for every machine of the same structure, in every process. */
export function structureHash(structure: WorkflowStructure): string {
  return createHash('sha256').update(canonicalJson(structure)).digest('hex').slice(0, HASH_CHARACTERS)
}

/** The stamp of a workflow; made once. @throws CallboardError `workflow.unknown` for a plain machine */
export function stampOf(machine: AnyStateMachine): DefinitionStamp {
  const known = stamps.get(machine.config)
  if (known !== undefined) return known
  const definition = workflowOf(machine)
  if (definition === undefined) {
    throw new CallboardError(
      'workflow.unknown',
      `machine "${machine.id}" is not a workflow; make it with defineContext(…).workflow(…).createMachine(…)`,
      { machine: machine.id },
    )
  }
  const { catalogue, input, actors, version } = definition
  const keys = catalogue.entries.map((entry) => [entry.name, keyOf(entry)] as const)
  const structure: WorkflowStructure = Object.freeze({
    ...machineOf(machine, actors),
    keys: recordOf(keys),
    ...(input === undefined ? {} : { input: schemaPrint(input) }),
  })
  const hash = structureHash(structure)
  const stamp = Object.freeze({ version, hash, structure })
  stamps.set(machine.config, stamp)
  byHash.set(hash, stamp)
  return stamp
}

/** The same stamp; where a workflow here has it, that very object: many runs share few definitions. */
export function sharedStamp(stamp: DefinitionStamp): DefinitionStamp {
  const shared = byHash.get(stamp.hash)
  return shared !== undefined && shared.version === stamp.version ? shared : stamp
}

/** @param within the machines around it */
function machineOf(
  machine: AnyStateMachine,
  actors: Readonly<Record<string, AnyActorLogic>>,
  within: readonly unknown[] = [],
): MachineStructure {
  const known = Object.entries(actors).map(([name, logic]) => [name, actorOf(logic, [...within, machine])] as const)
  return Object.freeze({ id: machine.id, root: stateOf(machine.root), actors: recordOf(known) })
}

function actorOf(logic: AnyActorLogic, within: readonly unknown[]): ActorStructure {
  if (isAgentLogic(logic)) return agentOf(logic.definition)
  const workflow = workflowOf(logic)
  if (workflow !== undefined) return Object.freeze({ kind: 'workflow', workflow: workflow.name })
  // A machine that invokes its own kind has been told already.
  if (!isMachine(logic) || within.includes(logic)) return Object.freeze({ kind: 'actor' })
  return Object.freeze({ kind: 'machine', machine: machineOf(logic, logic.implementations.actors as never, within) })
}

/** Whether an actor logic is a state machine. */
export function isMachine(logic: unknown): logic is AnyStateMachine {
  if (typeof logic !== 'object' || logic === null) return false
  const { root, implementations } = logic as { readonly root?: unknown; readonly implementations?: unknown }
  return typeof root === 'object' && typeof implementations === 'object'
}

function agentOf({ reads, writes, groups, person, input }: AgentDefinition): AgentStructure {
  return Object.freeze({
    kind: 'agent',
    reads: sorted(reads),
    writes: sorted(writes),
    ...(groups.length === 0 ? {} : { groups: sorted(groups) }),
    ...(person === undefined ? {} : { person: 'key' in person ? `key ${person.key}` : `event ${person.event}` }),
    ...(input === undefined ? {} : { input: schemaPrint(input) }),
  })
}

function keyOf(entry: CatalogueEntry): KeyStructure {
  return Object.freeze({
    scope: entry.infersScope ? 'inferred' : entry.scope,
    ...(entry.group === undefined ? {} : { group: entry.group }),
    ...(entry.policyName === 'smart' ? {} : { merge: entry.policyName }),
    ...(entry.protected ? { protected: true } : {}),
    ...(entry.ephemeral ? { ephemeral: true } : {}),
    ...(entry.sensitive === undefined ? {} : { sensitive: entry.sensitive }),
    ...(entry.dependsOn.length === 0 ? {} : { dependsOn: sorted(entry.dependsOn) }),
    schema: schemaPrint(entry.schema),
  })
}

function stateOf(node: AnyStateNode): StateStructure {
  const usualId = [node.machine.id, ...node.path].join('.')
  const states = Object.entries(node.states).map(([name, child]) => [name, stateOf(child)] as const)
  return Object.freeze({
    ...(node.id === usualId ? {} : { id: node.id }),
    ...(node.type === 'atomic' || node.type === 'compound' ? {} : { type: node.type }),
    ...(node.type === 'compound' ? { initial: targetsText(node.initial) } : {}),
    ...(node.type === 'history' ? historyOf(node) : {}),
    ...transitionsOf(node),
    ...(node.invoke.length === 0 ? {} : { invoke: recordOf(node.invoke.map(({ id, src }) => [id, sourceOf(src)])) }),
    ...(states.length === 0 ? {} : { states: recordOf(states) }),
  })
}

/** The name an invocation goes by; XState names a logic without one after its place. */
export function sourceOf(src: unknown): string {
  return typeof src === 'string' ? src : String((src as { readonly src?: unknown } | undefined)?.src ?? '')
}

function historyOf({ history, config }: AnyStateNode): Pick<StateStructure, 'deep' | 'target'> {
  const { target } = config as { readonly target?: string | readonly string[] }
  return {
    ...(history === 'deep' ? { deep: true as const } : {}),
    ...(target === undefined ? {} : { target: [target].flat().join(' ') }),
  }
}

function transitionsOf(node: AnyStateNode): Pick<StateStructure, 'on' | 'after' | 'always' | 'done'> {
  const on: (readonly [string, Targets])[] = []
  const after: (readonly [string, Targets])[] = []
  let done: Targets | undefined
  for (const [event, transitions] of node.transitions) {
    if (isInternalEvent({ type: event })) continue
    const delay = delayOf(transitions[0])
    const targets = Object.freeze(transitions.map(targetsText))
    if (delay !== undefined) after.push([String(delay), targets])
    else if (event === `xstate.done.state.${node.id}`) done = targets
    else on.push([event, targets])
  }
  return {
    ...(on.length === 0 ? {} : { on: recordOf(on) }),
    ...(after.length === 0 ? {} : { after: recordOf(after) }),
    ...(done === undefined ? {} : { done }),
    ...(node.always === undefined || node.always.length === 0 ? {} : { always: node.always.map(targetsText) }),
  }
}

function delayOf(transition: AnyTransitionDefinition | undefined): number | string | undefined {
  return (transition as { readonly delay?: number | string } | undefined)?.delay
}

/** The states a transition leads to, as paths. */
function targetsText({ target }: { readonly target: readonly AnyStateNode[] | undefined }): string {
  return (target ?? []).map(({ path }) => `.${path.join('.')}`).join(' ')
}

const sorted = (names: readonly string[]): readonly string[] => Object.freeze([...names].sort())

/** Names that people chose become keys of their own, whatever they are. */
function recordOf<Value>(entries: Iterable<readonly [string, Value]>): Readonly<Record<string, Value>> {
  return Object.freeze(Object.fromEntries(entries))
}
