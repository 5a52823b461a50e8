import { z } from 'zod'
import { CallboardError } from '../../base/index.ts'
import type { House, SessionsDoor } from '../house.ts'
import { sortedPage } from '../cursor.ts'
import { operation } from '../operation.ts'
import type { Operation } from '../operation.ts'
import { AnyObject, pageOf, paging } from '../shapes.ts'
import { allToWire, fromWire } from '../wire.ts'

const SessionShape = z.object({
  id: z.string(),
  data: z.looseObject({}),
  createdAt: z.int(),
  updatedAt: z.int(),
  expiresAt: z.int().nullable(),
})

export const sessionOperations: readonly Operation[] = [
  operation({
    method: 'get',
    path: '/api/sessions',
    access: 'read',
    tag: 'sessions',
    summary: 'The ids of the sessions there are, in the order of ids',
    query: z.strictObject(paging),
    answers: { 200: { description: 'a page of them', schema: pageOf(z.string()) } },
    handle: async ({ house, query }) => ({ body: sortedPage(await doorOf(house).list(), query, (id) => id) }),
  }),
  operation({
    method: 'get',
    path: '/api/sessions/{sessionId}',
    access: 'read',
    tag: 'sessions',
    summary: 'Everything in a session',
    answers: { 200: { description: 'it', schema: SessionShape } },
    handle: async ({ house, params }) => ({ body: await sessionToBody(house, params.sessionId) }),
  }),
  operation({
    method: 'patch',
    path: '/api/sessions/{sessionId}',
    access: 'write',
    tag: 'sessions',
    summary: 'Merge a part into a session, at every depth; a session that is not there is created',
    body: z.strictObject({ part: AnyObject }),
    answers: { 200: { description: 'it is stored', schema: SessionShape } },
    handle: async ({ house, params, body }) => {
      await doorOf(house).update(params.sessionId, fromWire(body.part) as Readonly<Record<string, unknown>>)
      return { body: await sessionToBody(house, params.sessionId) }
    },
  }),
  operation({
    method: 'delete',
    path: '/api/sessions/{sessionId}',
    access: 'write',
    tag: 'sessions',
    summary: 'Forget a session',
    answers: { 204: { description: 'it is gone' } },
    handle: async ({ house, params }) => {
      if (!(await doorOf(house).delete(params.sessionId))) throw unknown(params.sessionId)
      return { status: 204, body: undefined }
    },
  }),
]

function doorOf({ sessions }: House): SessionsDoor {
  if (sessions !== undefined) return sessions
  throw new CallboardError('server.not-found', 'this tenant has no sessions here', {})
}

async function sessionToBody(house: House, id: string): Promise<object> {
  const door = doorOf(house)
  const info = await door.info(id)
  if (info === undefined) throw unknown(id)
  const { createdAt, updatedAt, expiresAt = null } = info
  return { id, data: allToWire(await door.get(id)), createdAt, updatedAt, expiresAt }
}

function unknown(id: string): CallboardError {
  return new CallboardError('session.unknown', `there is no session ${id} here`, { sessionId: id })
}
