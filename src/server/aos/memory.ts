// Memory on the wire of AoS: both surfaces propose and commit at the same paths, so that every answer has the keys of both.
import { z } from 'zod'
import { CallboardError, isCallboardError } from '../../base/index.ts'
import { itemToWire, MEMORY_SCOPES, parseChangeRequests } from '../../memory/index.ts'
import type { AgentMemory } from '../../memory/index.ts'
import type { Caller } from '../caller.ts'
import type { House } from '../house.ts'
import { operation } from '../operation.ts'
import type { Operation } from '../operation.ts'
import type { ServerServices } from '../services.ts'
import { AnyObject, Json, wholeNumber } from '../shapes.ts'
import { bindReader, namedIn, namesOf, readerOfRun } from './reader.ts'
import { fullMissing, readmeMissing, surfaceOf, tasksOf, workingSetOf, writerOf } from './tasks.ts'

const MOST_HITS = 1_000
const DEFAULT_HITS = 8
const UNKNOWN_BATCH = 'unknown batch_id'
const text = z.string().nullable()

export const memoryOperations: readonly Operation[] = [
  operation({
    method: 'post',
    path: '/runs/{run_id}/memory/propose',
    access: 'write',
    tag: 'aos',
    summary: 'Stage memory change requests',
    body: z.object({ mcrs: z.array(AnyObject).min(1), scope_filters: Json.optional() }),
    answers: {
      200: {
        description: 'what came of it',
        schema: z.object({ ok: z.boolean(), batch_id: text, staged_count: z.int(), error: text }),
      },
    },
    handle: async ({ house, params, body, caller, services }) => {
      const { run_id: runId } = params
      await workingSetOf(house, runId, missingIn(await surfaceOf(house, runId)))
      const failed = (error: string): { readonly body: object } => ({
        body: { ok: false, batch_id: null, staged_count: 0, error },
      })
      const whose = { runId, tenant: caller.tenant, services }
      const named = namedIn(body.scope_filters, body.mcrs)
      const known = namesOf(whose)
      const bound = services.book.readerOf(caller.tenant, runId)
      const reader = {
        user: bound.user ?? named.user ?? known.user,
        project: bound.project ?? named.project ?? known.project,
      }
      for (const name of ['user', 'project'] as const) {
        if (named[name] !== undefined && named[name] !== reader[name]) {
          return failed(`mcr schema: scope_filters.${name}_id: is not the ${name} of this run`)
        }
      }
      const parsed = parseChangeRequests(body.mcrs, reader)
      if (!parsed.ok) return failed(parsed.error)
      if (house.memory === undefined) throw new CallboardError('server.not-found', 'this tenant has no memory here', {})
      try {
        const batch = await house.memory.for({ runId, ...reader }).propose(parsed.changes)
        bindReader(whose, named)
        const count = batch.changes.length
        const payload = { batch_id: batch.id, staged_count: count }
        await tasksOf(house).log(runId, { event_type: 'MEMORY_PROPOSE', payload }, writerOf(caller))
        return { body: { ok: true, batch_id: batch.id, staged_count: count, error: null } }
      } catch (error) {
        if (isCallboardError(error) && REFUSED.has(error.code)) return failed(`mcr schema: ${error.message}`)
        throw error
      }
    },
  }),
  operation({
    method: 'post',
    path: '/runs/{run_id}/memory/commit',
    access: 'write',
    tag: 'aos',
    summary: 'Commit a staged batch; for a booted run with a milestone token',
    body: z.object({
      batch_id: z.string(),
      milestone_token: z.string().nullish(),
      allow_outside_milestone: z.boolean().nullish(),
    }),
    answers: {
      200: {
        description: 'what came of it',
        schema: z.object({ ok: z.boolean(), committed_ids: z.array(z.string()).nullable(), error: text }),
      },
    },
    handle: async ({ house, params, body, caller, services }) => {
      const { run_id: runId } = params
      const surface = await surfaceOf(house, runId)
      await workingSetOf(house, runId, missingIn(surface))
      const failed = (error: string): { readonly body: object } => ({
        body: { ok: false, committed_ids: surface === 'boot' ? [] : null, error },
      })
      if (surface === 'boot' && !mayCommit({ runId, body, caller, services })) {
        return failed(
          'memory is committed at milestones only: show a valid milestone_token, or set AOS_TEST_MODE=1 and allow_outside_milestone',
        )
      }
      const whose = { runId, tenant: caller.tenant, services }
      const result = await commit(house, readerOfRun(house, whose), { runId, batchId: body.batch_id, caller })
      return typeof result === 'string' ? failed(result) : { body: { ok: true, committed_ids: result, error: null } }
    },
  }),
  operation({
    method: 'get',
    path: '/runs/{run_id}/memory/search',
    access: 'read',
    tag: 'aos',
    summary: 'What the run remembers about something',
    query: z.object({
      q: z.string().default(''),
      top_k: wholeNumber(1, MOST_HITS).optional(),
      scope: z.enum(MEMORY_SCOPES).or(z.literal('')).optional().describe('only items of this scope'),
      status: z.enum(['active', 'deprecated', 'superseded', 'inactive']).or(z.literal('')).optional(),
    }),
    answers: {
      200: {
        description: 'the most relevant first',
        schema: z.object({
          ok: z.boolean(),
          items: z.array(z.looseObject({ memory_id: z.string(), content: z.string() })),
          count: z.int(),
          error: text,
        }),
      },
    },
    handle: async ({ house, params, query, caller, services }) => {
      const { run_id: runId } = params
      await workingSetOf(house, runId, fullMissing)
      const memory = readerOfRun(house, { runId, tenant: caller.tenant, services })
      const items = await search(memory, query)
      return { body: { ok: true, items, count: items.length, error: null } }
    },
  }),
]

/** Mistakes in what was proposed. */
const REFUSED: ReadonlySet<string> = new Set([
  'memory.invalid-change',
  'memory.unknown-item',
  'memory.id-taken',
  'memory.secret',
])

const missingIn = (surface: 'runs' | 'boot'): ((runId: string) => string) =>
  surface === 'boot' ? fullMissing : readmeMissing

function mayCommit({
  runId,
  body,
  caller,
  services,
}: {
  readonly runId: string
  readonly body: {
    readonly milestone_token?: string | null | undefined
    readonly allow_outside_milestone?: boolean | null | undefined
  }
  readonly caller: Caller
  readonly services: ServerServices
}): boolean {
  if (services.testMode && body.allow_outside_milestone === true) return true
  const { milestone_token: token } = body
  return (
    typeof token === 'string' && services.book.isMilestone(caller.tenant, runId, { token, at: services.clock.now() })
  )
}

/** The ids of what was added, or why not. */
async function commit(
  house: House,
  memory: AgentMemory,
  { runId, batchId, caller }: { readonly runId: string; readonly batchId: string; readonly caller: Caller },
): Promise<readonly string[] | string> {
  try {
    const result = await memory.commit(batchId)
    if (result.kind === 'refused') return result.conflicts.map(({ message }) => message).join('; ')
    if (result.repeated) return UNKNOWN_BATCH
    const payload = { batch_id: batchId, committed_ids: [...result.ids] }
    await tasksOf(house).log(runId, { event_type: 'MEMORY_COMMIT', payload }, writerOf(caller))
    return result.ids
  } catch (error) {
    if (isCallboardError(error, 'memory.unknown-batch')) return UNKNOWN_BATCH
    throw error
  }
}

/** Tombstones have no word of their own on this wire: `deprecated` are all of them. */
async function search(
  memory: AgentMemory,
  {
    q,
    top_k: topK = DEFAULT_HITS,
    scope,
    status = 'active',
  }: {
    readonly q: string
    readonly top_k?: number | undefined
    readonly scope?: string | undefined
    readonly status?: string | undefined
  },
): Promise<readonly object[]> {
  const statuses =
    status === 'active' || status === ''
      ? (['active'] as const)
      : status === 'deprecated'
        ? (['deprecated', 'superseded'] as const)
        : status === 'superseded'
          ? (['superseded'] as const)
          : []
  const scopes = scope === undefined || scope === '' ? {} : { scopes: [scope as (typeof MEMORY_SCOPES)[number]] }
  const found = []
  for (const each of statuses) {
    // Without a question there is nothing but how sure a memory is to go by.
    if (q.trim() === '') {
      const items = await memory.list({ ...scopes, status: each, limit: MOST_HITS })
      found.push(...items.map((item) => ({ item, score: item.confidence })))
    } else {
      found.push(...(await memory.recall(q, { ...scopes, topK, status: each })))
    }
  }
  return found
    .toSorted((one, other) => other.score - one.score)
    .slice(0, topK)
    .map(({ item }) => {
      const { memory_id, content, confidence, type, scope: kind, status: said } = itemToWire(item)
      return { memory_id, content, confidence, type, scope: kind, status: said }
    })
}
