import { z } from 'zod'
import { REDACTED } from '../../base/index.ts'
import type { Entry } from '../../context/index.ts'
import type { EntryDifference } from '../../ledger/index.ts'
import { changeOf, readRecords } from '../../runtime/index.ts'
import { placeIn, cursorAt, placeOfNumber } from '../cursor.ts'
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
  RunShape,
  SnapshotShape,
  wholeNumber,
} from '../shapes.ts'
import { allToWire, entryToWire, fromWire, summaryToWire, toWire } from '../wire.ts'
import { acceptedToWire } from '../writes.ts'
import { pointOf } from './agents.ts'

const MOST_LINES = 1_000
const DEFAULT_PAGE = 200
const LONGEST_TEXT = 4_096
const point = z.union([z.int().min(0), z.string().min(1)])
const page = { limit: wholeNumber(1, MOST_LINES).optional(), cursor: z.string().optional() }

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
    query: z.strictObject({ afterSeq: wholeNumber(0, Number.MAX_SAFE_INTEGER).optional(), ...page }),
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
    query: z.strictObject({ afterSeq: wholeNumber(0, Number.MAX_SAFE_INTEGER).optional(), ...page }),
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
    summary: 'Who changed what, from which version to which; sensitive values redacted',
    query: z.strictObject({
      key: z.string().optional(),
      afterSeq: wholeNumber(0, Number.MAX_SAFE_INTEGER).optional(),
      limit: wholeNumber(1, MOST_LINES).optional(),
    }),
    answers: { 200: { description: 'lines, oldest first', schema: z.object({ items: z.array(LogLineShape) }) } },
    handle: async ({ house, params, query }) => {
      const { key, afterSeq, limit = MOST_LINES } = query
      const run = await openRun(house, params.runId)
      const lines = await run.log({
        limit,
        ...(key === undefined ? {} : { key }),
        ...(afterSeq === undefined ? {} : { afterSeq }),
      })
      return { body: { items: lines.map(toWire) } }
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
    query: z.strictObject({ from: z.string(), to: z.string(), secrets: flag.optional() }),
    answers: { 200: { description: 'differences', schema: z.object({ items: z.array(DifferenceShape) }) } },
    handle: async ({ house, params, query, caller }) => {
      const shows = mayShowSecrets(caller, query.secrets)
      const run = await openRun(house, params.runId)
      const differences = await run.diff(pointOf(query.from), pointOf(query.to))
      return { body: { items: differences.map((difference) => differenceToWire(difference, shows)) } }
    },
  }),
  operation({
    method: 'get',
    path: '/api/runs/{runId}/conflicts',
    access: 'read',
    tag: 'history',
    summary: 'Disagreements that a policy decided, and who decided them anew',
    query: z.strictObject({ open: flag.optional(), secrets: flag.optional() }),
    answers: { 200: { description: 'oldest first', schema: z.object({ items: z.array(ConflictShape) }) } },
    handle: async ({ house, params, query, caller }) => {
      const { secrets } = mayShowSecrets(caller, query.secrets)
      const run = await openRun(house, params.runId)
      const sensitive = new Set(run.entries().flatMap((entry) => (entry.sensitive ? [entry.key] : [])))
      const conflicts = await run.conflicts({ open: query.open ?? false })
      const items = conflicts.map((conflict) => {
        const wire = toWire(conflict)
        if (secrets || !sensitive.has(conflict.key)) return wire
        return { ...wire, base: REDACTED, theirs: REDACTED, mine: REDACTED, result: REDACTED }
      })
      return { body: { items } }
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
    answers: { 200: { description: 'all of them', schema: z.object({ items: z.array(EpisodeShape) }) } },
    handle: async ({ house, params }) => ({
      body: { items: (await openRun(house, params.runId)).episodes().map(toWire) },
    }),
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
    answers: { 200: { description: 'all of them', schema: z.object({ items: z.array(SnapshotShape) }) } },
    handle: async ({ house, params }) => ({
      body: { items: (await openRun(house, params.runId)).snapshots().map(toWire) },
    }),
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
    answers: { 200: { description: 'all of them', schema: z.object({ items: z.array(z.looseObject({})) }) } },
    handle: async ({ house, params }) => {
      const evictions = await (await openRun(house, params.runId)).evictions()
      return { body: { items: evictions.map(({ entry: _entry, ...note }) => toWire(note)) } }
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

function numberIn(cursor: string): number {
  const number = Number(placeIn(cursor))
  return Number.isSafeInteger(number) && number >= 0 ? number : 0
}

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
