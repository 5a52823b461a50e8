// Whether someone outside could still unblock a wait: an event that the machine takes in its present state and that
// writes the key, or leads to a state where it may be written.
import { matchesPattern } from '../context/index.ts'
import { writtenKeysOf } from '../workflow/index.ts'
import type { AgentDefinition } from '../workflow/index.ts'

/** The parts of an XState node that matter here. */
interface Node {
  readonly entry: readonly unknown[]
  readonly exit: readonly unknown[]
  readonly invoke: readonly { readonly src: unknown }[]
  readonly states: Readonly<Record<string, Node>>
  readonly transitions: ReadonlyMap<
    string,
    readonly { readonly actions: readonly unknown[]; readonly target?: readonly unknown[] | undefined }[]
  >
}

/** Whether an event from outside could lead to a write of the key. */
export function couldEventWrite(
  key: string,
  active: readonly unknown[],
  agents: ReadonlyMap<string, AgentDefinition>,
): boolean {
  return (active as readonly Node[]).some((node) =>
    [...node.transitions].some(
      ([type, transitions]) =>
        isFromOutside(type) &&
        transitions.some(
          ({ actions, target }) =>
            writes(actions, key) || (target ?? []).some((next) => couldNodeWrite(next as Node, key, agents)),
        ),
    ),
  )
}

function isFromOutside(type: string): boolean {
  return !type.startsWith('xstate.') && !type.startsWith('callboard.')
}

function writes(actions: readonly unknown[], key: string): boolean {
  return actions.some((action) => {
    const keys = writtenKeysOf(action)
    return keys === 'any' || (keys?.includes(key) ?? false)
  })
}

function couldNodeWrite(node: Node, key: string, agents: ReadonlyMap<string, AgentDefinition>): boolean {
  if (writes(node.entry, key)) return true
  const invoked = node.invoke.some(({ src }) => {
    const agent = typeof src === 'string' ? agents.get(src) : undefined
    return agent === undefined || agent.writes.some((pattern) => matchesPattern(pattern, key))
  })
  return invoked || Object.values(node.states).some((child) => couldNodeWrite(child, key, agents))
}
