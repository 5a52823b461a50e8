import { z } from 'zod'
import { CallboardError } from '../../base/index.ts'
import { drop, patch, put } from '../../context/index.ts'
import type { Entry } from '../../context/index.ts'
import { pageAfter } from '../cursor.ts'
import { operation } from '../operation.ts'
import type { Operation } from '../operation.ts'
import { oneExpected } from '../precondition.ts'
import { mayShowSecrets, openRun } from '../runs.ts'
import { AcceptedShape, EntryShape, flag, Json, pageOf, wholeNumber } from '../shapes.ts'
import { entryToWire, fromWire } from '../wire.ts'
import { acceptedToWire, changesOf, UpdateBody, writeAs, WriteOptionsBody } from '../writes.ts'

const MOST_ENTRIES = 1_000
const DEFAULT_PAGE = 200
const accepted = { 200: { description: 'it is stored', schema: AcceptedShape } } as const
const unchanged = { 304: { description: 'nothing has changed' } } as const
const precondition = { 412: { description: 'something else is there than If-Match says' } } as const

export const entryOperations: readonly Operation[] = [
  operation({
    method: 'get',
    path: '/api/runs/{runId}/entries',
    access: 'read',
    tag: 'entries',
    summary: 'Every entry in every scope, by key; sensitive values only for admins who ask',
    query: z.strictObject({
      limit: wholeNumber(1, MOST_ENTRIES).optional(),
      cursor: z.string().optional(),
      prefix: z.string().optional(),
      secrets: flag.optional(),
    }),
    answers: { 200: { description: 'a page of them', schema: pageOf(EntryShape) }, ...unchanged },
    handle: async ({ house, params, query, caller }) => {
      const { limit = DEFAULT_PAGE, cursor, prefix = '' } = query
      const shows = mayShowSecrets(caller, query.secrets)
      const run = await openRun(house, params.runId)
      const placed = run
        .entries()
        .filter(({ key }) => key.startsWith(prefix))
        .map((entry) => ({ entry, place: placeOf(entry) }))
        .sort((one, other) => (one.place < other.place ? -1 : 1))
      const { items, next } = pageAfter(placed, { cursor, limit }, ({ place }) => place)
      return { version: run.seq, body: { items: items.map(({ entry }) => entryToWire(entry, shows)), next } }
    },
  }),
  operation({
    method: 'get',
    path: '/api/runs/{runId}/entries/{key}',
    access: 'read',
    tag: 'entries',
    summary: 'One entry as the workflow sees it; its ETag begins with its version',
    query: z.strictObject({ secrets: flag.optional() }),
    answers: { 200: { description: 'it', schema: EntryShape }, ...unchanged },
    handle: async ({ house, params, query, caller }) => {
      const shows = mayShowSecrets(caller, query.secrets)
      const entry = (await openRun(house, params.runId)).entry(params.key)
      if (entry === undefined) throw absent(params)
      return { version: entry.version, body: entryToWire(entry, shows) }
    },
  }),
  writeOne('put', 'Write one entry; If-Match is the version that is expected', put),
  writeOne('patch', 'Write a part of one entry', patch),
  operation({
    method: 'delete',
    path: '/api/runs/{runId}/entries/{key}',
    access: 'act',
    tag: 'entries',
    summary: 'Delete one entry',
    answers: { ...accepted, ...precondition },
    handle: async (call) => {
      const { house, params, ifMatch } = call
      const run = await openRun(house, params.runId)
      const options = ifMatch === undefined ? {} : { expectedVersion: { [params.key]: ifMatch } }
      return { body: acceptedToWire(await writeAs(call, run, { [params.key]: drop() }, options)) }
    },
  }),
  operation({
    method: 'post',
    path: '/api/runs/{runId}/updates',
    access: 'act',
    tag: 'entries',
    summary: 'Write entries, all or none; If-Match is the seq that is expected',
    body: UpdateBody,
    answers: { ...accepted, ...precondition },
    handle: async (call) => {
      const { house, params, body, ifMatch } = call
      const { set: _set, writes: _writes, ...asked } = body
      const options = Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined))
      const changes = changesOf(body)
      const expectedSeq = oneExpected(ifMatch, body.expectedSeq)
      const run = await openRun(house, params.runId)
      const expected = expectedSeq === undefined ? {} : { expectedSeq }
      const result = await writeAs(call, run, changes, { ...options, ...expected })
      return { body: acceptedToWire(result) }
    },
  }),
]

/** One place per entry: by key, then by scope and holder. */
const placeOf = ({ key, scope, holder = '' }: Entry): string => JSON.stringify([key, scope, holder])

function withExpected(options: Readonly<Record<string, unknown>>, version: number | undefined): object {
  const known = Object.entries(options).filter(([, value]) => value !== undefined)
  return { ...Object.fromEntries(known), ...(version === undefined ? {} : { expectedVersion: version }) }
}

function absent({ runId, key }: { readonly runId: string; readonly key: string }): CallboardError {
  return new CallboardError('view.absent', `run ${runId} has no entry "${key}" now`, { runId, key })
}

/** Writes an entry: the whole of it, or a part. */
function writeOne(method: 'put' | 'patch', summary: string, marked: typeof put | typeof patch): Operation {
  return operation({
    method,
    path: '/api/runs/{runId}/entries/{key}',
    access: 'act',
    tag: 'entries',
    summary,
    body: WriteOptionsBody.extend({ value: Json }),
    answers: { ...accepted, ...precondition },
    handle: async (call) => {
      const { house, params, body } = call
      const { value, expectedVersion, ...options } = body
      const expected = oneExpected(call.ifMatch, expectedVersion)
      const run = await openRun(house, params.runId)
      const write = marked(fromWire(value), withExpected(options, expected) as never)
      return { body: acceptedToWire(await writeAs(call, run, { [params.key]: write }, {})) }
    },
  })
}
