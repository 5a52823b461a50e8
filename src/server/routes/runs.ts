import { z } from 'zod'
import { CallboardError } from '../../base/index.ts'
import { structureOf, workflowOf } from '../../workflow/index.ts'
import { pageAfter, pageOfGrowing, placeOfNumber } from '../cursor.ts'
import { operation } from '../operation.ts'
import type { Operation } from '../operation.ts'
import { detailOf, mayShowSecrets, openRun, summaryOf, unknownRun, workflowNamed } from '../runs.ts'
import { AnyObject, flag, Json, pageOf, paging, RunDetailShape, RunShape, wholeNumber } from '../shapes.ts'
import { fromWire, summaryToWire, toWire } from '../wire.ts'

const WorkflowShape = z.object({
  name: z.string(),
  version: z.string(),
  agents: z.array(z.object({ type: z.string(), reads: z.array(z.string()), writes: z.array(z.string()) })),
  keys: z.array(z.string()),
  events: z.array(z.string()).nullable(),
  input: z.looseObject({}).nullable(),
})

const LONGEST_ID = 1_024
const MOST_RUNS = 1_000
const DEFAULT_PAGE = 100

export const runOperations: readonly Operation[] = [
  operation({
    method: 'get',
    path: '/api/workflows',
    access: 'read',
    tag: 'workflows',
    summary: 'The workflows that can be started',
    query: z.strictObject(paging),
    answers: { 200: { description: 'a page of them', schema: pageOf(WorkflowShape) } },
    handle: ({ house, query }) =>
      Promise.resolve({ body: pageOfGrowing(house.workflows.flatMap(describeWorkflow), query) }),
  }),
  operation({
    method: 'get',
    path: '/api/workflows/{name}',
    access: 'read',
    tag: 'workflows',
    summary: 'One workflow, with its states',
    answers: {
      200: { description: 'it', schema: WorkflowShape.extend({ structure: z.looseObject({}) }) },
    },
    handle: ({ house, params }) => {
      const { machine } = workflowNamed(house, params.name)
      const [described] = describeWorkflow(machine)
      return Promise.resolve({ body: { ...described, structure: structureOf(machine) } })
    },
  }),
  operation({
    method: 'post',
    path: '/api/runs',
    access: 'write',
    tag: 'runs',
    summary: 'Start a run of a workflow',
    body: z.strictObject({
      workflow: z.string(),
      input: Json.optional(),
      runId: z.string().min(1).max(LONGEST_ID).optional(),
      labels: z.record(z.string(), z.string()).optional(),
    }),
    answers: {
      201: { description: 'it has begun', schema: RunDetailShape },
      404: { description: 'there is no such workflow' },
    },
    handle: async ({ house, body }) => {
      const { machine } = workflowNamed(house, body.workflow)
      const run = await house.runtime.start(machine, {
        ...(body.input === undefined ? {} : { input: fromWire(body.input) as never }),
        ...(body.runId === undefined ? {} : { runId: body.runId }),
        ...(body.labels === undefined ? {} : { labels: body.labels }),
      })
      const headers = { location: `/api/runs/${encodeURIComponent(run.id)}` }
      return { status: 201, headers, ...(await detailOf(house, run)) }
    },
  }),
  operation({
    method: 'get',
    path: '/api/runs',
    access: 'read',
    tag: 'runs',
    summary: 'Runs, oldest first',
    query: z.strictObject({
      workflow: z.string().optional(),
      status: z.enum(['active', 'done', 'error', 'stopped']).optional(),
      limit: wholeNumber(1, MOST_RUNS).optional(),
      cursor: z.string().optional(),
    }),
    answers: { 200: { description: 'a page of them', schema: pageOf(RunShape) } },
    handle: async ({ house, query }) => {
      const { workflow, status, limit = DEFAULT_PAGE, cursor } = query
      const all = await house.runtime.list({
        ...(workflow === undefined ? {} : { workflow }),
        ...(status === undefined ? {} : { status }),
      })
      const placed = all
        .map((summary) => ({ summary, place: `${placeOfNumber(summary.createdAt)}${summary.runId}` }))
        .sort((one, other) => (one.place < other.place ? -1 : 1))
      const { items, next } = pageAfter(placed, { cursor, limit }, ({ place }) => place)
      return { body: { items: items.map(({ summary }) => summaryToWire(summary)), next } }
    },
  }),
  operation({
    method: 'get',
    path: '/api/runs/{runId}',
    access: 'read',
    tag: 'runs',
    summary: 'One run; why it failed in the words of an agent or a step only for admins who ask',
    query: z.strictObject({ secrets: flag.optional() }),
    answers: { 200: { description: 'it', schema: RunDetailShape }, 304: { description: 'nothing has changed' } },
    handle: async ({ house, params, query, caller }) => {
      const shows = mayShowSecrets(caller, query.secrets)
      return detailOf(house, await openRun(house, params.runId), shows)
    },
  }),
  operation({
    method: 'delete',
    path: '/api/runs/{runId}',
    access: 'admin',
    tag: 'runs',
    summary: 'Forget a run that has ended: its ledger, its snapshots and its id',
    answers: { 204: { description: 'it is gone' } },
    handle: async ({ house, params }) => {
      await summaryOf(house, params.runId)
      if (!(await house.runtime.remove(params.runId))) throw unknownRun(params.runId)
      return { status: 204, body: undefined }
    },
  }),
  operation({
    method: 'post',
    path: '/api/runs/{runId}/stop',
    access: 'write',
    tag: 'runs',
    summary: 'End a run; twice is harmless',
    body: z.strictObject({ reason: z.string().max(LONGEST_ID).optional() }),
    answers: { 200: { description: 'it has ended', schema: RunShape } },
    handle: async ({ house, params, body }) => {
      const run = await openRun(house, params.runId)
      await run.stop(body.reason)
      return { body: summaryToWire(await summaryOf(house, params.runId)) }
    },
  }),
  operation({
    method: 'post',
    path: '/api/runs/{runId}/events',
    access: 'act',
    tag: 'runs',
    summary: 'Send an event to the machine; whether it took it (null for agents)',
    body: z.strictObject({ type: z.string().min(1), payload: AnyObject.optional() }),
    answers: { 200: { description: 'what came of it is stored', schema: z.object({ taken: z.boolean().nullable() }) } },
    handle: async ({ house, params, body, caller }) => {
      const { type, payload = {} } = body
      if (Object.hasOwn(payload, 'type')) {
        throw new CallboardError('server.invalid', 'the type of an event stands beside its payload, not in it', {})
      }
      const run = await openRun(house, params.runId)
      const taken = await run.send({ ...(fromWire(payload) as object), type })
      return { body: { taken: caller.role === 'agent' ? null : taken } }
    },
  }),
  operation({
    method: 'get',
    path: '/api/runs/{runId}/explain',
    access: 'read',
    tag: 'runs',
    summary: 'Why a run does not move: who waits for what, who could provide it, who is asked',
    answers: { 200: { description: 'why', schema: z.looseObject({ runId: z.string(), text: z.string() }) } },
    handle: async ({ house, params }) => ({ body: toWire((await openRun(house, params.runId)).explain()) }),
  }),
  operation({
    method: 'post',
    path: '/api/runs/{runId}/fork',
    access: 'write',
    tag: 'runs',
    summary: 'A new run that goes on from a point of this one',
    body: z.strictObject({
      point: z.union([z.int().min(0), z.string()]),
      runId: z.string().min(1).max(LONGEST_ID).optional(),
      reason: z.string().max(LONGEST_ID).optional(),
    }),
    answers: { 201: { description: 'it has begun', schema: RunDetailShape } },
    handle: async ({ house, params, body, caller }) => {
      const { point, runId, reason } = body
      await summaryOf(house, params.runId)
      const run = await house.runtime.fork(params.runId, point, {
        by: caller.name,
        ...(runId === undefined ? {} : { runId }),
        ...(reason === undefined ? {} : { reason }),
      })
      const headers = { location: `/api/runs/${encodeURIComponent(run.id)}` }
      return { status: 201, headers, ...(await detailOf(house, run)) }
    },
  }),
]

function describeWorkflow(machine: Parameters<typeof structureOf>[0]): readonly z.output<typeof WorkflowShape>[] {
  const definition = workflowOf(machine)
  if (definition === undefined) return []
  const { name, version, agents, catalogue, events, input } = definition
  return [
    {
      name,
      version,
      agents: Array.from(agents, ([type, { reads, writes }]) => ({ type, reads: [...reads], writes: [...writes] })),
      keys: catalogue.entries.map((entry) => entry.name),
      events: events === undefined ? null : Object.keys(events),
      input: jsonSchemaOf(input),
    },
  ]
}

/** Null where JSON Schema cannot say it. */
function jsonSchemaOf(schema: z.ZodType | undefined): Record<string, unknown> | null {
  if (schema === undefined) return null
  try {
    return z.toJSONSchema(schema, { io: 'input' }) as Record<string, unknown>
  } catch {
    return null
  }
}
