// Configuration: the states of a machine that a stored state value names, or what is wrong with it. XState itself enters
// initial states where a value is not complete, without their actions, invocations and delays: that would be a run that
// never moves again, so it is not left to it.
import type { AnyStateNode } from 'xstate'
import type { StateStructure } from '../workflow/index.ts'

/** Something of a stored run that does not fit a definition. */
export interface Misfit {
  readonly what:
    | 'state'
    | 'history'
    | 'invocation'
    | 'timer'
    | 'key'
    | 'value'
    | 'scope'
    | 'input'
    | 'request'
    | 'child-run'
  /** The state's path, the key, the invocation's id, … */
  readonly name: string
  /** A sentence without its subject's run. */
  readonly message: string
}

export interface Configuration {
  /** The active states, the root first. */
  readonly nodes: readonly AnyStateNode[]
  readonly misfits: readonly Misfit[]
}

/** How a path is written in messages. */
export function pathText(path: readonly string[]): string {
  return path.length === 0 ? '(root)' : path.join('.')
}

/** The part of a structure at a path. */
export function structureAt(root: StateStructure | undefined, path: readonly string[]): StateStructure | undefined {
  let at = root
  for (const name of path) at = at?.states !== undefined && Object.hasOwn(at.states, name) ? at.states[name] : undefined
  return at
}

/** @param before the root of the structure that the value was written with, where it is known */
export function configurationOf(root: AnyStateNode, value: unknown, before: StateStructure | undefined): Configuration {
  const nodes: AnyStateNode[] = []
  const misfits: Misfit[] = []
  const visit = (node: AnyStateNode, part: unknown): void => {
    nodes.push(node)
    const inner = partsOf(part)
    const problem = problemOf(node, [...inner.keys()], before)
    if (problem !== undefined) misfits.push({ what: 'state', name: pathText(node.path), message: problem })
    for (const [name, rest] of inner) {
      const child = Object.hasOwn(node.states, name) ? node.states[name] : undefined
      if (child !== undefined) visit(child, rest)
      else if (problem === undefined || node.type === 'compound' || node.type === 'parallel')
        misfits.push(goneState([...node.path, name]))
    }
  }
  visit(root, value)
  return { nodes, misfits }
}

function goneState(path: readonly string[]): Misfit {
  return { what: 'state', name: pathText(path), message: `state "${pathText(path)}" is gone, and the run is in it` }
}

/** A value's own parts: `'a'` and `{ a: {} }` say the same. */
function partsOf(value: unknown): ReadonlyMap<string, unknown> {
  if (typeof value === 'string') return new Map([[value, undefined]])
  return new Map(typeof value === 'object' && value !== null ? Object.entries(value) : [])
}

/** What is wrong with a state that is active with these states inside it. */
function problemOf(
  node: AnyStateNode,
  inner: readonly string[],
  before: StateStructure | undefined,
): string | undefined {
  const state = node.path.length === 0 ? 'the machine' : `state "${pathText(node.path)}"`
  switch (node.type) {
    case 'history':
      return `${state} is a history state now, and the run is in it`
    case 'compound':
      if (inner.length === 1) return undefined
      return inner.length === 0
        ? `${state} has states of its own now, and the run is in none of them`
        : `${state} is no parallel state any more, and the run is in ${inner.join(', ')}`
    case 'parallel': {
      const regions = Object.values(node.states).filter(({ type }) => type !== 'history')
      const missing = regions.filter(({ key }) => !inner.includes(key)).map(({ key }) => key)
      return missing.length === 0
        ? undefined
        : `${state} has the parallel states ${missing.join(', ')}, and the run is not in them`
    }
    case 'atomic':
      return inner.length === 0
        ? undefined
        : `${state} has no states of its own any more, and the run is in ${inner.join(', ')}`
    case 'final':
      if (inner.length > 0) return `${state} is final now, and the run is in ${inner.join(', ')}`
      return isNewlyFinal(node, before) ? `${state} is final now, and the run is in it without having ended` : undefined
    default:
      throw new TypeError(`unknown type of state ${String(node.type satisfies never)}`)
  }
}

/** Whether the run cannot have come into the state as into a final one. */
function isNewlyFinal(node: AnyStateNode, before: StateStructure | undefined): boolean {
  if (node.path.length === 1 && node.parent?.type === 'compound') return true
  const was = structureAt(before, node.path)
  return was !== undefined && was.type !== 'final'
}
