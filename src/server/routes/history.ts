import { z } from 'zod'
import { REDACTED } from '../../base/index.ts'
import type { Entry } from '../../context/index.ts'
import type { EntryDifference } from '../../ledger/index.ts'
import { changeOf, readRecords } from '../../runtime/index.ts'
import type { LogLine, Run } from '../../runtime/index.ts'
import {
  cursorAt,
  MOST_ITEMS,
  noCursorError,
  numberIn,
  pageAfter,
  placeIn,
  placeOfNumber,
  sortedPage,
} from '../cursor.ts'
import type { PageAsked } from '../cursor.ts'
import { operation } from '../operation.ts'
import type { Operation } from '../operation.ts'
import { mayShowSecrets, openRun, summaryOf } from '../runs.ts'
import {
  AcceptedShape,
  ChangeShape,
  ConflictShape,
  EntryShape,
  flag,
  Json,
  pageOf,
  paging,
  RunShape,
  SnapshotShape,
  wholeNumber,
} from '../shapes.ts'
import { allToWire, entryToWire, fromWire, summaryToWire, toWire } from '../wire.ts'
import { acceptedToWire } from '../writes.ts'
import { pointOf } from './agents.ts'

const DEFAULT_PAGE = 200
const LONGEST_TEXT = 4_096
const point = z.union([z.int().min(0), z.string().min(1)])

const LogLineShape = z.looseObject({ seq: z.int(), at: z.int(), by: z.string(), operation: z.string() })
const EpisodeShape = SnapshotShape.extend({ name: z.string(), summary: z.string() })
const DifferenceShape = z.object({
  kind: z.enum(['added', 'removed', 'changed']),
  key: z.string(),
  scope: z.string(),
  holder: z.string().nullable(),
  before: EntryShape.nullable(),
  after: EntryShape.nullable(),
})

export const historyOperations: readonly Operation[] = [
  operation({
    method: 'get',
    path: '/api/runs/{runId}/changes',
    access: 'read',
    tag: 'history',
    summary: 'Committed records after a seq, without values',
    query: z.strictObject({ afterSeq: wholeNumber(0, Number.MAX_SAFE_INTEGER).optional(), ...paging }),
    answers: { 200: { description: 'a page of them', schema: pageOf(ChangeShape) } },
    handle: async ({ house, params, query }) => {
      await summaryOf(house, params.runId)
      const { limit = DEFAULT_PAGE } = query
      const afterSeq = query.cursor === undefined ? (query.afterSeq ?? 0) : numberIn(query.cursor)
      const records = await readRecords(house.runtime.store, params.runId, { afterSeq, limit })
      return { body: { items: records.map((record) => toWire(changeOf(record))), next: nextOf(records, limit) } }
    },
  }),
  operation({
    method: 'get',
    path: '/api/runs/{runId}/ledger',
    access: 'admin',
    tag: 'history',
    summary: 'The records as they are stored, values included',
    query: z.strictObject({ afterSeq: wholeNumber(0, Number.MAX_SAFE_INTEGER).optional(), ...paging }),
    answers: {
      200: {
        description: 'a page of them',
        schema: pageOf(z.looseObject({ seq: z.int(), kind: z.string(), author: z.string() })),
      },
    },
    handle: async ({ house, params, query }) => {
      await summaryOf(house, params.runId)
      const { limit = DEFAULT_PAGE } = query
      const afterSeq = query.cursor === undefined ? (query.afterSeq ?? 0) : numberIn(query.cursor)
      const records = await readRecords(house.runtime.store, params.runId, { afterSeq, limit })
      return { body: { items: records.map(allToWire), next: nextOf(records, limit) } }
    },
  }),
  operation({
    method: 'get',
    path: '/api/runs/{runId}/log',
    access: 'read',
    tag: 'history',
    summary:
      'Who changed what, from which version to which, sensitive values redacted: page by page after a seq, else the newest',
    query: z.strictObject({
      key: z.string().optional(),
      afterSeq: wholeNumber(0, Number.MAX_SAFE_INTEGER).optional(),
      ...paging,
    }),
    answers: { 200: { description: 'lines, oldest first', schema: pageOf(LogLineShape) } },
    handle: async ({ house, params, query }) => {
      const run = await openRun(house, params.runId)
      const { items, next } = await logPage(run, query)
      return { body: { items: items.map(toWire), next } }
    },
  }),
  operation({
    method: 'get',
    path: '/api/runs/{runId}/at/{point}',
    access: 'read',
    tag: 'history',
    summary: 'The run as it was after a record, or at a snapshot or episode',
    query: z.strictObject({ secrets: flag.optional() }),
    answers: {
      200: {
        description: 'it',
        schema: z.object({ seq: z.int(), state: Json, entries: z.array(EntryShape) }),
      },
    },
    handle: async ({ house, params, query, caller }) => {
      const shows = mayShowSecrets(caller, query.secrets)
      const run = await openRun(house, params.runId)
      const moment = await run.at(pointOf(params.point))
      const entries = moment.entries().map((entry) => entryToWire(entry, shows))
      return { body: { seq: moment.seq, state: moment.state, entries } }
    },
  }),
  operation({
    method: 'get',
    path: '/api/runs/{runId}/diff',
    access: 'read',
    tag: 'history',
    summary: 'What is different at one point from another, by key',
    query: z.strictObject({ from: z.string(), to: z.string(), secrets: flag.optional(), ...paging }),
    answers: { 200: { description: 'differences', schema: pageOf(DifferenceShape) } },
    handle: async ({ house, params, query, caller }) => {
      const shows = mayShowSecrets(caller, query.secrets)
      const run = await openRun(house, params.runId)
      const differences = await run.diff(pointOf(query.from), pointOf(query.to))
      const { items, next } = sortedPage(differences, query, ({ key, scope, holder = '' }) =>
        JSON.stringify([key, scope, holder]),
      )
      return { body: { items: items.map((difference) => differenceToWire(difference, shows)), next } }
    },
  }),
  operation({
    method: 'get',
    path: '/api/runs/{runId}/conflicts',
    access: 'read',
    tag: 'history',
    summary: 'Disagreements that a policy decided, and who decided them anew',
    query: z.strictObject({ open: flag.optional(), secrets: flag.optional(), ...paging }),
    answers: { 200: { description: 'oldest first', schema: pageOf(ConflictShape) } },
    handle: async ({ house, params, query, caller }) => {
      const { secrets } = mayShowSecrets(caller, query.secrets)
      const run = await openRun(house, params.runId)
      const sensitive = new Set(run.entries().flatMap((entry) => (entry.sensitive ? [entry.key] : [])))
      // Numbered before the filter: what is decided meanwhile moves nothing.
      const all = (await run.conflicts()).map((conflict, index) => ({ conflict, index }))
      const open = query.open === true ? new Set((await run.conflicts({ open: true })).map(({ id }) => id)) : undefined
      const chosen = all.filter(({ conflict }) => open?.has(conflict.id) ?? true)
      const page = pageAfter(chosen, pageAsked(query), ({ index }) => placeOfNumber(index))
      const items = page.items.map(({ conflict }) => {
        const wire = toWire(conflict)
        if (secrets || !sensitive.has(conflict.key)) return wire
        return { ...wire, base: REDACTED, theirs: REDACTED, mine: REDACTED, result: REDACTED }
      })
      return { body: { items, next: page.next } }
    },
  }),
  operation({
    method: 'post',
    path: '/api/runs/{runId}/conflicts/{conflictId}/resolve',
    access: 'write',
    tag: 'history',
    summary: 'Decide a conflict anew, once: by a value for the whole entry, or by another policy',
    body: z.union([z.strictObject({ value: Json }), z.strictObject({ policy: z.string() })]),
    answers: { 200: { description: 'it is decided', schema: AcceptedShape } },
    handle: async ({ house, params, body, caller }) => {
      const run = await openRun(house, params.runId)
      const decision = 'policy' in body ? body : { value: fromWire(body.value) }
      return { body: acceptedToWire(await run.resolveConflict(params.conflictId, decision, { by: caller.name })) }
    },
  }),
  operation({
    method: 'get',
    path: '/api/runs/{runId}/episodes',
    access: 'read',
    tag: 'history',
    summary: 'Its milestones, oldest first',
    query: z.strictObject(paging),
    answers: { 200: { description: 'a page of them', schema: pageOf(EpisodeShape) } },
    handle: async ({ house, params, query }) => {
      const all = (await openRun(house, params.runId)).episodes()
      const { items, next } = sortedPage(all, query, ({ seq, id }) => `${placeOfNumber(seq)}${id}`)
      return { body: { items: items.map(toWire), next } }
    },
  }),
  operation({
    method: 'post',
    path: '/api/runs/{runId}/episodes',
    access: 'write',
    tag: 'history',
    summary: 'Note this point as a milestone under a name that is never given again',
    body: z.strictObject({
      name: z.string().min(1).max(LONGEST_TEXT),
      nextEntryPoint: z.string().max(LONGEST_TEXT).optional(),
    }),
    answers: { 201: { description: 'it is noted', schema: EpisodeShape } },
    handle: async ({ house, params, body, caller }) => {
      const { name, nextEntryPoint } = body
      const run = await openRun(house, params.runId)
      const episode = await run.episode(name, {
        by: caller.name,
        ...(nextEntryPoint === undefined ? {} : { nextEntryPoint }),
      })
      return { status: 201, body: toWire(episode) }
    },
  }),
  operation({
    method: 'get',
    path: '/api/runs/{runId}/snapshots',
    access: 'read',
    tag: 'history',
    summary: 'The named points of its history, oldest first',
    query: z.strictObject(paging),
    answers: { 200: { description: 'a page of them', schema: pageOf(SnapshotShape) } },
    handle: async ({ house, params, query }) => {
      const all = (await openRun(house, params.runId)).snapshots()
      const { items, next } = sortedPage(all, query, ({ seq, id }) => `${placeOfNumber(seq)}${id}`)
      return { body: { items: items.map(toWire), next } }
    },
  }),
  operation({
    method: 'post',
    path: '/api/runs/{runId}/snapshots',
    access: 'write',
    tag: 'history',
    summary: 'Note this point of the history, with a reason',
    body: z.strictObject({ reason: z.string().max(LONGEST_TEXT) }),
    answers: { 201: { description: 'it is noted', schema: SnapshotShape } },
    handle: async ({ house, params, body }) => {
      const run = await openRun(house, params.runId)
      return { status: 201, body: toWire(await run.snapshot(body.reason)) }
    },
  }),
  operation({
    method: 'post',
    path: '/api/runs/{runId}/restore',
    access: 'write',
    tag: 'history',
    summary: 'Put the entries back to what they were at a point, as new versions',
    body: z.strictObject({ point: point.optional(), override: z.boolean().optional() }),
    answers: { 200: { description: 'what was done', schema: z.looseObject({ seq: z.int() }) } },
    handle: async ({ house, params, body, caller }) => {
      const run = await openRun(house, params.runId)
      const restored = await run.restore(body.point, { by: caller.name, override: body.override ?? false })
      return { body: toWire(restored) }
    },
  }),
  operation({
    method: 'get',
    path: '/api/runs/{runId}/evictions',
    access: 'read',
    tag: 'history',
    summary: 'Entries that made room for others, oldest first, without values',
    query: z.strictObject(paging),
    answers: { 200: { description: 'a page of them', schema: pageOf(z.looseObject({})) } },
    handle: async ({ house, params, query }) => {
      const evictions = await (await openRun(house, params.runId)).evictions()
      const { items, next } = sortedPage(
        evictions,
        query,
        ({ seq, key, scope, holder = '' }) => placeOfNumber(seq) + JSON.stringify([key, scope, holder]),
      )
      return { body: { items: items.map(({ entry: _entry, ...note }) => toWire(note)), next } }
    },
  }),
  operation({
    method: 'get',
    path: '/api/runs/{runId}/export',
    access: 'read',
    tag: 'history',
    summary: 'Everything that can be said of the run; sensitive values only for admins who ask',
    query: z.strictObject({ secrets: flag.optional() }),
    answers: {
      200: { description: 'it', schema: z.looseObject({ format: z.literal('callboard-run'), run: RunShape }) },
    },
    handle: async ({ house, params, query, caller }) => {
      const shows = mayShowSecrets(caller, query.secrets)
      const exported = await (await openRun(house, params.runId)).export(shows)
      return { body: { ...exported, run: summaryToWire(exported.run) } }
    },
  }),
]

interface LogAsked extends PageAsked {
  readonly key?: string | undefined
  readonly afterSeq?: number | undefined
}

const LOG_PLACE = /^\d{1,16}\.\d{1,9}$/

/** A record may make many lines: a cursor is the seq before it, and how many of its lines were told. */
async function logPage(
  run: Run,
  { key, afterSeq, cursor, limit = MOST_ITEMS }: LogAsked,
): Promise<{ readonly items: readonly LogLine[]; readonly next: string | null }> {
  const of = key === undefined ? {} : { key }
  if (cursor === undefined && afterSeq === undefined) return { items: await run.log({ ...of, limit }), next: null }
  const place = cursor === undefined ? `${afterSeq}.0` : placeIn(cursor)
  if (!LOG_PLACE.test(place)) throw noCursorError()
  const [after = 0, told = 0] = place.split('.').map(Number)
  const lines = await run.log({ ...of, afterSeq: after, limit: told + limit + 1 })
  const items = lines.slice(told, told + limit)
  const last = items.at(-1)
  if (last === undefined || lines.length <= told + limit) return { items, next: null }
  const ofLast = lines.slice(0, told + limit).filter(({ seq }) => seq === last.seq).length
  return { items, next: cursorAt(`${last.seq - 1}.${ofLast}`) }
}

const pageAsked = ({
  cursor,
  limit = MOST_ITEMS,
}: PageAsked): { readonly cursor: string | undefined; readonly limit: number } => ({ cursor, limit })

function nextOf(records: readonly { readonly seq: number }[], limit: number): string | null {
  const last = records.at(-1)
  return last === undefined || records.length < limit ? null : cursorAt(placeOfNumber(last.seq))
}

function differenceToWire(
  { kind, key, scope, holder, before, after }: EntryDifference,
  shows: { readonly secrets: boolean },
): Readonly<Record<string, unknown>> {
  // What was secret at either point is shown at none.
  const sensitive = before?.sensitive === true || after?.sensitive === true
  const side = (entry: Entry | undefined): object | null =>
    entry === undefined ? null : entryToWire({ ...entry, sensitive }, shows)
  return { kind, key, scope, holder: holder ?? null, before: side(before), after: side(after) }
}
