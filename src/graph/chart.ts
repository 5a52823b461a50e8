import type { AnyStateMachine, AnyStateNode } from 'xstate'

import { workflowOf } from '../workflow/index.ts'
import { callableName } from './callable-name.ts'
import { statePath } from './path.ts'
import { transitionsOf } from './transitions.ts'
import type { ChartTransition } from './transitions.ts'

/** An actor that a state invokes while it is active: an agent, another workflow, or any other XState actor. */
export interface ChartInvoke {
  /** The name under which the actor is registered; `'inline'` where the machine holds the logic itself. */
  readonly src: string
  readonly id: string
  /** What people call it: its own id where the author gave one, else `src`. */
  readonly name: string
  readonly reads: readonly string[]
  readonly writes: readonly string[]
}

export type ChartStateKind = 'atomic' | 'compound' | 'parallel' | 'final' | 'history'

/** What a final state (or the machine) gives back: a constant, as JSON text, or a function, by name. */
export type ChartOutput =
  | { readonly kind: 'value'; readonly json: string }
  | { readonly kind: 'computed'; readonly name: string }

/** One state with everything below it. Other states are named by their path, see `statePath`. */
export interface ChartState {
  readonly path: string
  readonly key: string
  readonly kind: ChartStateKind
  readonly description?: string
  readonly tags: readonly string[]
  readonly entry: readonly string[]
  readonly exit: readonly string[]
  readonly invokes: readonly ChartInvoke[]
  readonly initial?: { readonly target: string; readonly actions: readonly string[] }
  /** Of history states only; no `targets` means what the parent does initially. */
  readonly history?: { readonly depth: 'shallow' | 'deep'; readonly targets: readonly string[] }
  readonly output?: ChartOutput
  readonly transitions: readonly ChartTransition[]
  readonly states: readonly ChartState[]
}

/** A machine as plain data: no function, no cycle, the same for the same machine. */
export interface Chart {
  readonly id: string
  readonly version?: string
  readonly root: ChartState
}

export interface ChartOptions {
  /** What each agent may read and write, by the name under which it is registered; the workflow's own unless given. */
  readonly agents?: ReadonlyMap<string, { readonly reads: readonly string[]; readonly writes: readonly string[] }>
  /** Which event types to leave out. By default the runtime's own, which start with `callboard.`. */
  readonly internalEvents?: (type: string) => boolean
}

/** Reads the states, transitions and invoked actors of a machine into plain data; every drawing starts here. */
export function chartOf(machine: AnyStateMachine, options: ChartOptions = {}): Chart {
  const {
    agents = workflowOf(machine)?.agents ?? new Map(),
    internalEvents = (type) => type.startsWith('callboard.'),
  } = options
  const { id, version, root } = machine
  return {
    id,
    ...(version !== undefined && { version }),
    root: stateOf(root, { agents, internalEvents }),
  }
}

function stateOf(node: AnyStateNode, options: Required<ChartOptions>): ChartState {
  const invokes = invokesOf(node, options.agents)
  const output = outputOf(node.output)
  const initial = initialOf(node)
  const { entry, exit } = node.config
  return {
    path: statePath(node.path),
    key: node.key,
    kind: node.type,
    ...(typeof node.description === 'string' && { description: node.description }),
    tags: [...node.tags],
    // Not node.entry and node.exit: XState adds the raising and cancelling of its timers there.
    entry: list(entry).map(callableName),
    exit: list(exit).map(callableName),
    invokes,
    ...(initial && { initial }),
    ...(node.type === 'history' && { history: historyOf(node) }),
    ...(output && { output }),
    transitions: transitionsOf(node, invokes).filter(({ event }) => !options.internalEvents(event)),
    states: Object.values(node.states).map((child) => stateOf(child, options)),
  }
}

function initialOf(node: AnyStateNode): ChartState['initial'] {
  if (node.type !== 'compound') return undefined
  const [target] = node.initial.target
  return target && { target: statePath(target.path), actions: node.initial.actions.map(callableName) }
}

function historyOf(node: AnyStateNode): NonNullable<ChartState['history']> {
  const targets = list<unknown>((node.config as { target?: unknown }).target)
  return {
    depth: node.history === 'deep' ? 'deep' : 'shallow',
    targets: targets.map((target) => statePath(historyTarget(node, String(target)).path)),
  }
}

/** XState resolves a history state's default target only when it is taken; by the same rule here. */
function historyTarget(node: AnyStateNode, target: string): AnyStateNode {
  if (target.startsWith('#')) return node.machine.getStateNodeById(target)
  const keys = [...target.matchAll(/(?:\\.|[^.\\])+/gs)].map(([key]) => key.replaceAll(/\\(.)/gs, '$1'))
  return keys.reduce((at, key) => at.states[key] ?? at, node.parent ?? node)
}

function invokesOf(node: AnyStateNode, agents: Required<ChartOptions>['agents']): readonly ChartInvoke[] {
  const configs = list<{ src: unknown; id?: string }>(node.config.invoke)
  return node.invoke.map(({ id }, index) => {
    const config = configs[index]
    const src = invokedName(config?.src)
    const { reads = [], writes = [] } = agents.get(src) ?? {}
    return { src, id, name: config?.id ?? src, reads: [...reads], writes: [...writes] }
  })
}

/** Logic that stands in the machine itself has no registered name; a machine at least has an id. */
function invokedName(src: unknown): string {
  const { id } = (typeof src === 'object' && src !== null ? src : {}) as { id?: unknown }
  return typeof id === 'string' ? id : callableName(src)
}

function outputOf(output: unknown): ChartOutput | undefined {
  if (output === undefined) return undefined
  if (typeof output === 'function') return { kind: 'computed', name: callableName(output) }
  try {
    const json: string | undefined = JSON.stringify(output)
    return json === undefined ? undefined : { kind: 'value', json }
  } catch {
    return { kind: 'computed', name: 'value' } // a cycle or a bigint has no JSON to show
  }
}

function list<Item>(oneOrMany: Item | readonly Item[] | undefined): readonly Item[] {
  if (oneOrMany === undefined) return []
  return Array.isArray(oneOrMany) ? oneOrMany : [oneOrMany as Item]
}
