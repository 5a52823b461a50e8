// Caller: on whose behalf a client acts. An agent sees exactly the view of its type and writes with its rights, like one
// that the workflow has invoked; nothing else is there for it.

export type McpCaller =
  | {
      readonly kind: 'agent'
      /** The name the type is registered under in the workflow. */
      readonly type: string
      /** Whose private entries are its own; the type's name unless given. */
      readonly id?: string
    }
  /** Sees and writes as somebody outside. */
  | { readonly kind: 'operator'; readonly name?: string }
  /** Sees what an operator sees, and changes nothing. */
  | { readonly kind: 'reader'; readonly name?: string }

/** An agent that works elsewhere. */
export interface AgentIdentity {
  readonly id: string
  readonly type: string
}

const OUTSIDE = 'outside'

/** Which agent the caller is, if it is one. */
export function agentOf(caller: McpCaller): AgentIdentity | undefined {
  return caller.kind === 'agent' ? { id: caller.id ?? caller.type, type: caller.type } : undefined
}

/** The author of what it writes. */
export function nameOf(caller: McpCaller): string {
  return caller.kind === 'agent' ? (caller.id ?? caller.type) : (caller.name ?? OUTSIDE)
}

/** The same text for the same caller. */
export function callerKey(caller: McpCaller): string {
  return JSON.stringify([caller.kind, nameOf(caller), caller.kind === 'agent' ? caller.type : ''])
}
