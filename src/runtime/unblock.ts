// Whether someone outside could still unblock a wait: an event that the machine takes in its present state and that
// writes the key, or leads to where it may be written. Guards, and what would have to happen in between, are not judged:
// a deadlock that is missed ends with the wait's timeout, one that is none would end a run.
import { matchesPattern } from '../context/index.ts'
import { writtenKeysOf } from '../workflow/index.ts'
import type { AgentDefinition } from '../workflow/index.ts'

interface Transition {
  readonly actions: readonly unknown[]
  readonly target?: readonly Node[] | undefined
}

/** The parts of an XState node that matter here. */
interface Node {
  readonly type: string
  readonly parent: Node | undefined
  readonly entry: readonly unknown[]
  readonly exit: readonly unknown[]
  readonly invoke: readonly { readonly src: unknown }[]
  readonly states: Readonly<Record<string, Node>>
  readonly transitions: ReadonlyMap<string, readonly Transition[]>
  readonly always?: readonly Transition[] | undefined
  readonly machine: { readonly implementations: { readonly actions: Readonly<Record<string, unknown>> } }
}

/** Whether an event from outside could lead to a write of the key. */
export function couldEventWrite(
  key: string,
  active: readonly unknown[],
  agents: ReadonlyMap<string, AgentDefinition>,
): boolean {
  const nodes = active as readonly Node[]
  const taken = nodes.flatMap((node) =>
    [...node.transitions].flatMap(([type, transitions]) => (isFromOutside(type) ? transitions : [])),
  )
  const targets = taken.flatMap(({ target }) => target ?? [])
  const done = [
    ...taken.flatMap(({ actions }) => actions),
    ...(targets.length > 0 ? nodes.flatMap(({ exit }) => exit) : []),
  ]
  const [actions, invoked] = whatMayHappen(targets, new Set(nodes))
  const named = nodes[0]?.machine.implementations.actions ?? {}
  return (
    [...done, ...actions].some((action) => writes(action, key, named)) ||
    invoked.some((src) => {
      const agent = typeof src === 'string' ? agents.get(src) : undefined
      return agent === undefined || agent.writes.some((pattern) => matchesPattern(pattern, key))
    })
  )
}

function isFromOutside(type: string): boolean {
  return !type.startsWith('xstate.') && !type.startsWith('callboard.')
}

/** The actions that may be executed and the actors that may be invoked once some states are entered. */
function whatMayHappen(
  targets: readonly Node[],
  active: ReadonlySet<Node>,
): readonly [actions: readonly unknown[], invoked: readonly unknown[]] {
  const actions: unknown[] = []
  const invoked: unknown[] = []
  const seen = new Set<Node>()
  const open = [...targets]
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (seen.has(node)) continue
    seen.add(node)
    const transitions = [...[...node.transitions.values()].flat(), ...(node.always ?? [])]
    actions.push(...transitions.flatMap((transition) => transition.actions))
    open.push(...transitions.flatMap(({ target }) => target ?? []))
    // What a state is in goes on by itself when the state ends.
    if (node.parent !== undefined) open.push(node.parent)
    if (active.has(node) && !targets.includes(node)) continue
    actions.push(...node.entry, ...node.exit)
    invoked.push(...node.invoke.map(({ src }) => src))
    open.push(...Object.values(node.type === 'history' ? (node.parent?.states ?? {}) : node.states))
  }
  return [actions, invoked]
}

function writes(action: unknown, key: string, named: Readonly<Record<string, unknown>>): boolean {
  const keys = writtenKeysOf(action)
  if (keys !== undefined) return keys === 'any' || keys.includes(key)
  const type = typeof action === 'string' ? action : (action as { readonly type?: unknown } | undefined)?.type
  // What it will enqueue is only known when it does.
  if (type === 'xstate.enqueueActions') return true
  const implementation = typeof type === 'string' && Object.hasOwn(named, type) ? named[type] : undefined
  return implementation !== undefined && writes(implementation, key, {})
}
