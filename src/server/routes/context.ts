// Evolutions, as S1 has them: its paths and its bodies.
import { z } from 'zod'
import { CallboardError } from '../../base/index.ts'
import type { EvolutionsDoor, House } from '../house.ts'
import { operation } from '../operation.ts'
import type { Operation } from '../operation.ts'

const Anything = z.looseObject({})
const Deleted = z.object({ status: z.literal('deleted'), evolution_id: z.string() })

export const contextOperations: readonly Operation[] = [
  operation({
    method: 'get',
    path: '/api/context/current',
    access: 'read',
    tag: 'context',
    summary: 'The newest evolution',
    answers: {
      200: { description: 'everything that is known of it', schema: Anything },
      404: { description: 'there is none' },
    },
    handle: async ({ house }) => {
      const id = await doorOf(house).current()
      if (id === undefined) throw unknown('current')
      return { body: await known(house, id, 'details') }
    },
  }),
  operation({
    method: 'get',
    path: '/api/context/list',
    access: 'read',
    tag: 'context',
    summary: 'All evolutions, one line each',
    answers: { 200: { description: 'all of them', schema: z.object({ contexts: z.array(Anything), total: z.int() }) } },
    handle: async ({ house }) => {
      const contexts = await doorOf(house).list()
      return { body: { contexts, total: contexts.length } }
    },
  }),
  operation({
    method: 'get',
    path: '/api/context/comparison/{evolutionId}',
    access: 'read',
    tag: 'context',
    summary: 'Before, plan, after and implementation',
    answers: { 200: { description: 'what is known of them', schema: Anything } },
    handle: async ({ house, params }) => ({ body: await known(house, params.evolutionId, 'comparison') }),
  }),
  operation({
    method: 'get',
    path: '/api/context/details/{evolutionId}',
    access: 'read',
    tag: 'context',
    summary: 'Everything that is known of an evolution',
    answers: { 200: { description: 'it', schema: Anything } },
    handle: async ({ house, params }) => ({ body: await known(house, params.evolutionId, 'details') }),
  }),
  operation({
    method: 'post',
    path: '/api/context/export/{evolutionId}',
    access: 'read',
    tag: 'context',
    summary: 'The export of an evolution, as the document itself: no file is written on the server',
    answers: { 200: { description: 'the document', schema: Anything } },
    handle: async ({ house, params }) => {
      const body = await known(house, params.evolutionId, 'details')
      const name = `evolution_${params.evolutionId.replaceAll(/[^\w.-]/g, '_')}.json`
      return { headers: { 'content-disposition': `attachment; filename="${name}"` }, body }
    },
  }),
  operation({
    method: 'delete',
    path: '/api/context/{evolutionId}',
    access: 'admin',
    tag: 'context',
    summary: 'Forget an evolution',
    answers: { 200: { description: 'it is gone', schema: Deleted } },
    handle: async ({ house, params }) => {
      if (!(await doorOf(house).delete(params.evolutionId))) throw unknown(params.evolutionId)
      return { body: { status: 'deleted', evolution_id: params.evolutionId } }
    },
  }),
]

function doorOf({ evolutions }: House): EvolutionsDoor {
  if (evolutions !== undefined) return evolutions
  throw new CallboardError('server.not-found', 'this tenant has no evolutions here', {})
}

async function known(house: House, id: string, what: 'details' | 'comparison'): Promise<object> {
  const found = await doorOf(house)[what](id)
  if (found === undefined) throw unknown(id)
  return found
}

/** In the words of S1. */
function unknown(id: string): CallboardError {
  return new CallboardError('context.evolution-unknown', `Evolution ${id} not found`, { evolutionId: id })
}
