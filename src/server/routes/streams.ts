import { z } from 'zod'
import { CallboardError } from '../../base/index.ts'
import { readRecords } from '../../runtime/index.ts'
import { operation } from '../operation.ts'
import type { Operation } from '../operation.ts'
import { agentFor, openRun, showsOfView, summaryOf } from '../runs.ts'
import { flag, wholeNumber } from '../shapes.ts'
import { allRunsEvents } from '../stream-of-all.ts'
import { runEvents } from '../stream-of-run.ts'
import { viewEvents } from '../stream-of-view.ts'
import { streamEvents } from '../sse.ts'

const streamed = {
  200: {
    description: 'events, until the run ends or the reader leaves',
    schema: z.string(),
    type: 'text/event-stream',
  },
} as const

export const streamOperations: readonly Operation[] = [
  operation({
    method: 'get',
    path: '/api/runs/{runId}/stream',
    access: 'read',
    tag: 'streams',
    summary: 'A snapshot, then every change as it is committed; Last-Event-ID or afterSeq goes on from there',
    query: z.strictObject({ afterSeq: wholeNumber(0, Number.MAX_SAFE_INTEGER).optional() }),
    answers: { ...streamed, 410: { description: 'the records after that are not kept any more' } },
    handle: async (call) => {
      const { house, params, query, request, services } = call
      const { seq } = await summaryOf(house, params.runId)
      const afterSeq = numberIn(request.headers.get('last-event-id')) ?? query.afterSeq
      // Records that are not kept any more, and a run that cannot be opened, are said now, not in the stream.
      if (afterSeq === undefined) await openRun(house, params.runId)
      else {
        // Nothing would come for long, and then something would be missing: it is an id of another ledger.
        if (afterSeq > seq) throw noSuchSeq(params.runId, { asked: afterSeq, seq })
        await readRecords(house.runtime.store, params.runId, { afterSeq, limit: 1 })
      }
      const feed = services.feeds.of(house.runtime)
      return streamEvents(call, (context) => runEvents({ house, feed, runId: params.runId, afterSeq }, context))
    },
  }),
  operation({
    method: 'get',
    path: '/api/runs/{runId}/views/{agent}/stream',
    access: 'sight',
    tag: 'streams',
    summary: 'The view of an agent, then what changes in it; agents see their own only',
    query: z.strictObject({ type: z.string().optional(), secrets: flag.optional() }),
    answers: streamed,
    handle: async (call) => {
      const { house, params, query, caller, request, services } = call
      const agent = agentFor(caller, { id: params.agent, type: query.type })
      const shows = showsOfView(caller, query.secrets)
      const run = await openRun(house, params.runId)
      // An unknown agent is said now, not in the stream.
      run.view(agent.id, agent.type)
      const seen = request.headers.get('last-event-id') ?? undefined
      const feed = services.feeds.of(house.runtime)
      return streamEvents(call, (context) => viewEvents({ run, feed, agent, seen, shows }, context))
    },
  }),
  operation({
    method: 'get',
    path: '/api/stream',
    access: 'read',
    tag: 'streams',
    summary: 'All runs, then every change of any; a Last-Event-ID of too long ago begins with all runs again',
    answers: streamed,
    handle: (call) => {
      const { house, request, services } = call
      const place = request.headers.get('last-event-id') ?? undefined
      const feed = services.feeds.of(house.runtime)
      return Promise.resolve(streamEvents(call, (context) => allRunsEvents({ house, feed, place }, context)))
    },
  }),
]

function numberIn(id: string | null): number | undefined {
  return id !== null && /^\d{1,15}$/.test(id) ? Number(id) : undefined
}

function noSuchSeq(runId: string, { asked, seq }: { readonly asked: number; readonly seq: number }): CallboardError {
  const message = `run ${runId} has no record ${asked}; its newest is ${seq}: begin without an id, or after one it has`
  return new CallboardError('run.no-such-seq', message, { runId, point: String(asked) })
}
