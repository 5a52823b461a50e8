import { z } from 'zod'
import { CallboardError } from '../../base/index.ts'
import type { Run } from '../../runtime/index.ts'
import { placeOfNumber, sortedPage } from '../cursor.ts'
import { operation } from '../operation.ts'
import type { Call, Operation } from '../operation.ts'
import { agentFor, openRun, showsOfView } from '../runs.ts'
import { EntryShape, Json, pageOf, paging, ViewShape, flag, wholeNumber } from '../shapes.ts'
import { waitForEntry } from '../wait.ts'
import { entryToWire, fromWire, toWire, viewToWire } from '../wire.ts'

const MOST_TOKENS = 1_000_000
/** Below what proxies and clients give up at. */
const LONGEST_WAIT_MS = 55_000
const DEFAULT_WAIT_MS = 30_000

const RequestShape = z.object({
  id: z.string(),
  runId: z.string(),
  agent: z.string(),
  target: z.record(z.string(), z.string()),
  question: z.string().optional(),
  askedAt: z.int(),
  schema: z.looseObject({}).optional(),
})

export const agentOperations: readonly Operation[] = [
  operation({
    method: 'get',
    path: '/api/runs/{runId}/views/{agent}',
    access: 'sight',
    tag: 'agents',
    summary:
      'What an agent sees now, or saw at a point; the ETag begins with the view’s own seq; sensitive values only for the agent itself, and for admins who ask',
    query: z.strictObject({ type: z.string().optional(), at: z.string().optional(), secrets: flag.optional() }),
    answers: { 200: { description: 'its view', schema: ViewShape }, 304: { description: 'nothing in it has changed' } },
    handle: async ({ house, params, query, caller }) => {
      const { id, type } = agentFor(caller, { id: params.agent, type: query.type })
      const shows = showsOfView(caller, query.secrets)
      const run = await openRun(house, params.runId)
      if (query.at === undefined) {
        const view = run.view(id, type)
        return { version: view.seq, body: viewToWire(view, shows) }
      }
      if (caller.role === 'agent') {
        throw new CallboardError('server.forbidden', 'an agent is shown its view of now only', {})
      }
      return { body: viewToWire(await run.viewAt(id, pointOf(query.at), { type }), shows) }
    },
  }),
  operation({
    method: 'get',
    path: '/api/runs/{runId}/views/{agent}/prompt',
    access: 'sight',
    tag: 'agents',
    summary: 'The view as the text for a prompt, within a budget of tokens',
    query: z.strictObject({ type: z.string().optional(), maxTokens: wholeNumber(1, MOST_TOKENS) }),
    answers: { 200: { description: 'the text, and what explains it', schema: z.looseObject({ text: z.string() }) } },
    handle: async ({ house, params, query, caller }) => {
      const { id, type } = agentFor(caller, { id: params.agent, type: query.type })
      const run = await openRun(house, params.runId)
      return { body: toWire(run.view(id, type).render({ maxTokens: query.maxTokens })) }
    },
  }),
  operation({
    method: 'get',
    path: '/api/runs/{runId}/waits/{key}',
    access: 'sight',
    tag: 'agents',
    summary: 'Wait for an entry, at most 55 s; agents wait for what they may see',
    query: z.strictObject({
      timeoutMs: wholeNumber(0, LONGEST_WAIT_MS).optional(),
      since: wholeNumber(0, Number.MAX_SAFE_INTEGER).optional(),
      fresh: flag.optional(),
      agent: z.string().optional(),
      type: z.string().optional(),
      secrets: flag.optional(),
    }),
    answers: {
      200: {
        description: 'the entry, or that it did not come in time',
        schema: z.discriminatedUnion('kind', [
          z.object({ kind: z.literal('found'), entry: EntryShape }),
          z.object({ kind: z.literal('timeout'), error: z.string(), code: z.string() }),
        ]),
      },
    },
    handle: async (call) => {
      const { house, params, query, caller, services } = call
      const { timeoutMs = DEFAULT_WAIT_MS, since = 0, fresh = false } = query
      const asked = query.agent ?? caller.agent?.id
      const agent = asked === undefined ? undefined : agentFor(caller, { id: asked, type: query.type })
      const shows = showsOfView(caller, query.secrets)
      const run = await openRun(house, params.runId)
      const read = agent === undefined ? workflowReading(run) : agentReading(run, agent)
      const entry = await untilCut(call, (signal) =>
        waitForEntry(run, params.key, { read, timeoutMs, since, fresh, signal, clock: services.clock }),
      )
      if (entry !== undefined) return { body: { kind: 'found', entry: entryToWire(entry, shows) } }
      if (run.status !== 'active') {
        const error = `run ${params.runId} has ended; "${params.key}" will not come any more`
        return { body: { kind: 'timeout', code: 'run.finished', error } }
      }
      const error = `run ${params.runId}: "${params.key}" did not come within ${timeoutMs} ms; ask again`
      return { body: { kind: 'timeout', code: 'wait.timeout', error } }
    },
  }),
  operation({
    method: 'get',
    path: '/api/runs/{runId}/requests',
    access: 'read',
    tag: 'people',
    summary: 'What people are asked now',
    query: z.strictObject(paging),
    answers: { 200: { description: 'a page of it, oldest first', schema: pageOf(RequestShape) } },
    handle: async ({ house, params, query }) => {
      const run = await openRun(house, params.runId)
      const { items, next } = sortedPage(run.requests(), query, ({ askedAt, id }) => `${placeOfNumber(askedAt)}${id}`)
      return { body: { items: items.map(toWire), next } }
    },
  }),
  operation({
    method: 'post',
    path: '/api/runs/{runId}/requests/{requestId}/answer',
    access: 'write',
    tag: 'people',
    summary: 'Answer an open request, once',
    body: z.strictObject({ answer: Json }),
    answers: { 204: { description: 'it is answered, and that is stored' } },
    handle: async ({ house, params, body, caller }) => {
      const run = await openRun(house, params.runId)
      const by = caller.tokenId === undefined ? {} : { by: caller.name }
      await run.answer(params.requestId, fromWire(body.answer), by)
      return { status: 204, body: undefined }
    },
  }),
]

/** Ends with the request, its token or the server. @throws CallboardError `server.wrong-token`, `server.stopping` */
async function untilCut<Result>(
  { caller, request, services, hangUp }: Call<unknown, unknown, unknown>,
  wait: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const stream = services.streams.enter(caller, hangUp)
  try {
    const result = await wait(AbortSignal.any([stream.signal, request.signal]))
    if (stream.signal.aborted) throw services.streams.whyEnded(caller)
    return result
  } finally {
    stream.close()
  }
}

const workflowReading = (run: Run) => (key: string) => run.entry(key)

const agentReading =
  (run: Run, { id, type }: { readonly id: string; readonly type: string }) =>
  (key: string) =>
    run.view(id, type).entry(key)

/** A number is a seq, anything else the id of a snapshot or episode. */
export function pointOf(text: string): number | string {
  return /^\d{1,15}$/.test(text) ? Number(text) : text
}
