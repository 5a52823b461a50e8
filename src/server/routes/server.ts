import { z } from 'zod'
import { CallboardError } from '../../base/index.ts'
import { ROLES } from '../caller.ts'
import { cursorAt, numberIn, placeOfNumber, sortedPage } from '../cursor.ts'
import { operation } from '../operation.ts'
import type { Operation } from '../operation.ts'
import { pageOf, paging, wholeNumber } from '../shapes.ts'
import type { StoredToken } from '../token.ts'

/** What AoS clients of both surfaces look for. */
const HEALTH = { status: 'ok', service: 'aos-context-server', version: '2.1.0' } as const

const TokenShape = z.object({
  id: z.string(),
  name: z.string(),
  role: z.enum(ROLES),
  agent: z.object({ type: z.string(), id: z.string() }).nullable(),
  createdAt: z.int(),
  expiresAt: z.int().nullable(),
  revokedAt: z.int().nullable(),
})

const AuditShape = z.object({
  at: z.int(),
  requestId: z.string(),
  caller: z.string(),
  tokenId: z.string().nullable(),
  method: z.string(),
  route: z.string(),
  ids: z.record(z.string(), z.string()),
  status: z.int(),
  code: z.string().nullable(),
})

const LONGEST_NAME = 200
const MOST_RECORDS = 1_000
const DEFAULT_PAGE = 100

export const serverOperations: readonly Operation[] = [
  operation({
    method: 'get',
    path: '/health',
    access: 'public',
    tag: 'server',
    summary: 'Whether the server answers',
    answers: {
      200: {
        description: 'it does',
        schema: z.object({ status: z.literal('ok'), service: z.string(), version: z.string() }),
      },
    },
    handle: () => Promise.resolve({ body: HEALTH }),
  }),
  operation({
    method: 'get',
    path: '/api/limits',
    access: 'sight',
    tag: 'server',
    summary: 'What one caller may ask of the server',
    answers: { 200: { description: 'limits by name', schema: z.record(z.string(), z.int()) } },
    handle: ({ services }) => Promise.resolve({ body: services.limits }),
  }),
  operation({
    method: 'get',
    path: '/api/tokens',
    access: 'admin',
    tag: 'server',
    summary: 'The tokens of this tenant, without their secrets',
    query: z.strictObject(paging),
    answers: { 200: { description: 'a page of them, oldest first', schema: pageOf(TokenShape) } },
    handle: ({ services, caller, query }) => {
      const own = services.book.tokens().filter(({ tenant }) => tenant === caller.tenant)
      const { items, next } = sortedPage(own, query, ({ createdAt, id }) => `${placeOfNumber(createdAt)}${id}`)
      return Promise.resolve({ body: { items: items.map(tokenToWire), next } })
    },
  }),
  operation({
    method: 'post',
    path: '/api/tokens',
    access: 'admin',
    tag: 'server',
    summary: 'Make a token; its secret is shown this once',
    body: z.strictObject({
      name: z.string().min(1).max(LONGEST_NAME),
      role: z.enum(ROLES),
      agent: z
        .strictObject({ type: z.string().min(1).max(LONGEST_NAME), id: z.string().min(1).max(LONGEST_NAME).optional() })
        .optional(),
      expiresAt: z.int().min(0).optional(),
    }),
    answers: {
      201: { description: 'it is there', schema: z.object({ id: z.string(), token: z.string() }) },
    },
    handle: ({ services, caller, body }) => {
      const { name, role, agent, expiresAt } = body
      if (caller.tokenId === undefined) {
        const message = 'the first token is made on the server itself: callboard token add'
        throw new CallboardError('server.forbidden', message, {})
      }
      assertAgentOf(role, agent)
      const identity = agent === undefined ? undefined : { type: agent.type, id: agent.id ?? agent.type }
      const { id, text } = services.book.addToken(
        { name, role, tenant: caller.tenant, agent: identity, ...(expiresAt === undefined ? {} : { expiresAt }) },
        services.clock.now(),
      )
      return Promise.resolve({ status: 201, body: { id, token: text } })
    },
  }),
  operation({
    method: 'delete',
    path: '/api/tokens/{tokenId}',
    access: 'admin',
    tag: 'server',
    summary: 'Revoke a token; its streams end within a second',
    answers: { 204: { description: 'it is revoked' } },
    handle: ({ services, caller, params }) => {
      const token = services.book.tokens().find(({ id, tenant }) => id === params.tokenId && tenant === caller.tenant)
      if (token === undefined || !services.book.revokeToken(token.id, services.clock.now())) {
        throw new CallboardError('server.not-found', `there is no token ${params.tokenId} in force`, {})
      }
      return Promise.resolve({ status: 204, body: undefined })
    },
  }),
  operation({
    method: 'get',
    path: '/api/audit',
    access: 'admin',
    tag: 'server',
    summary: 'Who wrote what and who was refused, oldest first; without values',
    query: z.strictObject({ limit: wholeNumber(1, MOST_RECORDS).optional(), cursor: z.string().optional() }),
    answers: { 200: { description: 'a page of them', schema: pageOf(AuditShape) } },
    handle: ({ services, caller, query }) => {
      const { limit = DEFAULT_PAGE, cursor } = query
      const afterId = cursor === undefined ? 0 : numberIn(cursor)
      const records = services.book.audited(caller.tenant, { afterId, limit })
      const last = records.at(-1)
      const items = records.map(({ id: _id, tenant: _tenant, ...record }) => record)
      const isFull = records.length === limit && last !== undefined
      return Promise.resolve({ body: { items, next: isFull ? cursorAt(placeOfNumber(last.id)) : null } })
    },
  }),
]

/** An agent's token names its agent, and no other does. @throws CallboardError `server.invalid` */
export function assertAgentOf(role: string, agent: object | undefined): void {
  if ((role === 'agent') === (agent !== undefined)) return
  const message =
    role === 'agent' ? 'a token of the role agent names its agent' : `a token of the role ${role} is no agent's`
  throw new CallboardError('server.invalid', message, { role })
}

function tokenToWire({ tenant: _tenant, agent, expiresAt, revokedAt, ...token }: StoredToken): object {
  return { ...token, agent: agent ?? null, expiresAt: expiresAt ?? null, revokedAt: revokedAt ?? null }
}
