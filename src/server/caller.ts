// Caller: on whose behalf a request acts, and what such callers may do.
import { CallboardError } from '../base/index.ts'

/** What a token may do. `agent` is none of the others with less: it sees a run through one agent's eyes only. */
export const ROLES = ['reader', 'agent', 'operator', 'admin'] as const
export type Role = (typeof ROLES)[number]

/** As which agent a token of the role `agent` acts. */
export interface AgentIdentity {
  /** The name the type is registered under in the workflow. */
  readonly type: string
  readonly id: string
}

export interface Caller {
  /** The id of its token; undefined where the server asks for none. */
  readonly tokenId: string | undefined
  /** The author of what it writes. */
  readonly name: string
  readonly role: Role
  readonly tenant: string
  /** For the role `agent`. */
  readonly agent: AgentIdentity | undefined
}

/** Who may use an operation. */
export type Access =
  /** Whoever can reach the server. */
  | 'public'
  /** Everybody with a token but agents: it tells of more than one view. */
  | 'read'
  /** Operators and admins. */
  | 'write'
  /** Everybody; agents see their own view of it. */
  | 'sight'
  /** Operators, admins, and agents with the rights of their type. */
  | 'act'
  | 'admin'

const ALLOWED: Readonly<Record<Access, readonly Role[]>> = {
  public: ROLES,
  read: ['reader', 'operator', 'admin'],
  write: ['operator', 'admin'],
  sight: ROLES,
  act: ['agent', 'operator', 'admin'],
  admin: ['admin'],
}

export const DEFAULT_TENANT = 'default'

/** Whoever reaches a server that asks for no token. */
export const LOCAL_CALLER: Caller = Object.freeze({
  tokenId: undefined,
  name: 'outside',
  role: 'admin',
  tenant: DEFAULT_TENANT,
  agent: undefined,
})

export function rolesOf(access: Access): readonly Role[] {
  return ALLOWED[access]
}

/** @throws CallboardError `server.forbidden` */
export function assertAllowed({ role }: Caller, access: Access): void {
  if (ALLOWED[access].includes(role)) return
  const message = `a token of the role ${role} may not do this; it takes one of ${ALLOWED[access].join(', ')}`
  throw new CallboardError('server.forbidden', message, { role })
}
