import { z } from 'zod'
import { CallboardError, isCallboardError } from '../../base/index.ts'
import { MEMORY_KINDS, MEMORY_SCOPES, MEMORY_STATUSES, MEMORY_TYPES } from '../../memory/index.ts'
import type { AgentMemory, MemoryChange, MemoryItem } from '../../memory/index.ts'
import { cursorAt, noCursorError, placeIn } from '../cursor.ts'
import { operation } from '../operation.ts'
import type { Call, Operation } from '../operation.ts'
import { summaryOf } from '../runs.ts'
import { AnyObject, pageOf, wholeNumber } from '../shapes.ts'
import { fromWire, toWire } from '../wire.ts'

const MOST_HITS = 1_000
const MOST_CHANGES = 1_000
const name = z.string().min(1).max(1_000)
/** On whose behalf; agents are in the scope of their type and in the global one. */
const reader = {
  user: name.optional(),
  project: name.optional(),
  agent: name.optional().describe('the type of the agent on whose behalf is remembered'),
}

const ItemShape = z.looseObject({
  id: z.string(),
  kind: z.enum(MEMORY_KINDS),
  type: z.enum(MEMORY_TYPES),
  scope: z.looseObject({ kind: z.enum(MEMORY_SCOPES) }),
  text: z.string(),
  confidence: z.number(),
  status: z.enum(MEMORY_STATUSES),
  version: z.int(),
})
const HitShape = z.looseObject({ item: ItemShape, score: z.number(), relevance: z.number() })
const BatchShape = z.looseObject({ id: z.string(), runId: z.string(), status: z.enum(['staged', 'committed']) })
const CommitShape = z.looseObject({ kind: z.enum(['committed', 'refused']), batchId: z.string() })

/** What the memory itself checks; here only that it is a list of objects. */
const ChangesBody = z.strictObject({
  ...reader,
  changes: z.array(AnyObject).min(1).max(MOST_CHANGES),
  key: name.optional(),
})
const ReaderBody = z.strictObject(reader)

export const memoryOperations: readonly Operation[] = [
  operation({
    method: 'get',
    path: '/api/runs/{runId}/memory',
    access: 'sight',
    tag: 'memory',
    summary: 'What is remembered, as one reader sees it: what concerns a question (q), or all in the order of arrival',
    query: z.strictObject({
      ...reader,
      q: z.string().max(10_000).optional(),
      topK: wholeNumber(1, MOST_HITS).optional(),
      cursor: z.string().optional(),
      mode: z.enum(['keyword', 'vector', 'hybrid']).optional().describe('how it is searched'),
      kind: z.enum(MEMORY_KINDS).optional().describe('only items of this kind'),
      type: z.enum(MEMORY_TYPES).optional().describe('only items of this type'),
      scope: z.enum(MEMORY_SCOPES).optional().describe('only items of this scope'),
      status: z.enum(MEMORY_STATUSES).optional(),
    }),
    answers: {
      200: { description: 'hits, the most relevant first', schema: pageOf(HitShape) },
    },
    handle: async (call) => {
      const { q, topK, mode, kind, type, scope, status = 'active' } = call.query
      const memory = await memoryFor(call, call.query)
      const filter = {
        status,
        ...(kind === undefined ? {} : { kinds: [kind] }),
        ...(type === undefined ? {} : { types: [type] }),
        ...(scope === undefined ? {} : { scopes: [scope] }),
      }
      if (q !== undefined) {
        if (call.query.cursor !== undefined) {
          throw new CallboardError(
            'server.invalid',
            'what is found for a question has no pages; ask for more by topK',
            {},
          )
        }
        const options = { ...filter, ...(topK === undefined ? {} : { topK }), ...(mode === undefined ? {} : { mode }) }
        const hits = await memory.recall(q, options)
        return { body: { items: hits.map((hit) => ({ ...toWire(hit), item: itemToBody(hit.item) })), next: null } }
      }
      const { cursor } = call.query
      const limit = topK ?? MOST_HITS
      const items = await memory.list({
        ...filter,
        limit,
        ...(cursor === undefined ? {} : { after: await itemAt(memory, cursor) }),
      })
      const last = items.at(-1)
      const next = last === undefined || items.length < limit ? null : cursorAt(JSON.stringify([last.scope, last.id]))
      return { body: { items: items.map((item) => ({ item: itemToBody(item), score: 0, relevance: 0 })), next } }
    },
  }),
  operation({
    method: 'get',
    path: '/api/runs/{runId}/memory/{memoryId}',
    access: 'sight',
    tag: 'memory',
    summary: 'One item, tombstones included',
    query: z.strictObject(reader),
    answers: { 200: { description: 'it', schema: ItemShape }, 304: { description: 'nothing has changed' } },
    handle: async (call) => {
      const item = await (await memoryFor(call, call.query)).get(call.params.memoryId)
      if (item === undefined) {
        throw new CallboardError('memory.unknown-item', `there is no item ${call.params.memoryId} here`, {})
      }
      return { version: item.version, body: itemToBody(item) }
    },
  }),
  operation({
    method: 'post',
    path: '/api/runs/{runId}/memory/batches',
    access: 'act',
    tag: 'memory',
    summary: 'Propose changes; nothing of them is found before they are committed',
    body: ChangesBody,
    answers: { 201: { description: 'they are staged', schema: BatchShape } },
    handle: async (call) => {
      const { changes, key } = call.body
      const memory = await memoryFor(call, call.body)
      const batch = await memory.propose(
        changes.map(fromWire) as readonly MemoryChange[],
        key === undefined ? {} : { key },
      )
      return { status: 201, body: batchToBody(batch) }
    },
  }),
  operation({
    method: 'post',
    path: '/api/runs/{runId}/memory/batches/{batchId}/review',
    access: 'act',
    tag: 'memory',
    summary: 'What a batch would do now, and what stands against it',
    body: ReaderBody,
    answers: {
      200: {
        description: 'the review',
        schema: z.object({
          batch: BatchShape,
          items: z.array(ItemShape),
          conflicts: z.array(z.looseObject({})),
          canCommit: z.boolean(),
        }),
      },
    },
    handle: async (call) => {
      const { batch, items, conflicts, canCommit } = await (
        await memoryFor(call, call.body)
      ).review(call.params.batchId)
      const body = {
        batch: batchToBody(batch),
        items: items.map(itemToBody),
        conflicts: conflicts.map(toWire),
        canCommit,
      }
      return { body }
    },
  }),
  operation({
    method: 'post',
    path: '/api/runs/{runId}/memory/batches/{batchId}/commit',
    access: 'act',
    tag: 'memory',
    summary: 'Make all changes of a batch, or none; again gives the same answer',
    body: ReaderBody,
    answers: { 200: { description: 'what came of it', schema: CommitShape } },
    handle: async (call) => ({ body: toWire(await (await memoryFor(call, call.body)).commit(call.params.batchId)) }),
  }),
  operation({
    method: 'delete',
    path: '/api/runs/{runId}/memory/batches/{batchId}',
    access: 'act',
    tag: 'memory',
    summary: 'Withdraw a batch that is not committed',
    query: ReaderBody,
    answers: { 204: { description: 'it is gone' } },
    handle: async (call) => {
      const isGone = await (await memoryFor(call, call.query)).discard(call.params.batchId).catch((error: unknown) => {
        if (isCallboardError(error, 'memory.unknown-batch')) return false
        throw error
      })
      if (isGone) return { status: 204, body: undefined }
      throw new CallboardError('memory.unknown-batch', `there is no staged batch ${call.params.batchId} here`, {})
    },
  }),
]

const Place = z.tuple([z.strictObject({ kind: z.enum(MEMORY_SCOPES), holder: z.string().optional() }), z.string()])

/** The item that a page ended with. @throws CallboardError `server.invalid` where it is gone, or never was */
async function itemAt(memory: AgentMemory, cursor: string): Promise<MemoryItem> {
  const place = Place.safeParse(jsonIn(placeIn(cursor)))
  const item = place.success ? await memory.get(place.data[1]) : undefined
  if (!place.success || item === undefined) throw noCursorError()
  // The same id may be there in several scopes.
  return { ...item, scope: place.data[0] as MemoryItem['scope'] }
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

interface AskedReader {
  readonly user?: string | undefined
  readonly project?: string | undefined
  readonly agent?: string | undefined
}

/** The memory of a run as its caller may see it. @throws CallboardError `run.unknown`, `server.forbidden` */
async function memoryFor(
  { house, params, caller }: Pick<Call<{ readonly runId: string }, unknown, unknown>, 'house' | 'params' | 'caller'>,
  asked: AskedReader,
): Promise<AgentMemory> {
  const { runId } = params
  await summaryOf(house, runId)
  const { memory } = house
  if (memory === undefined) throw new CallboardError('server.not-found', 'this tenant has no memory here', {})
  if (caller.agent === undefined) return memory.for({ runId, ...asked })
  if (asked.user === undefined && asked.project === undefined && asked.agent === undefined) {
    return memory.for({ runId, agent: caller.agent.type })
  }
  throw new CallboardError('server.forbidden', 'an agent remembers in its own scopes; name no other reader', {})
}

function itemToBody(item: MemoryItem): Readonly<Record<string, unknown>> {
  return { ...toWire(item), scope: { kind: item.scope.kind, holder: item.scope.holder ?? null } }
}

function batchToBody({
  vectors: _vectors,
  fingerprint: _fingerprint,
  embedder: _embedder,
  ...batch
}: {
  readonly vectors: unknown
  readonly fingerprint: unknown
  readonly embedder: unknown
  readonly id: string
}): Readonly<Record<string, unknown>> {
  return toWire(batch)
}
