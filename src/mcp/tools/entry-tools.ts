import { z } from 'zod'
import { isCallboardError } from '../../base/index.ts'
import type { CallboardError } from '../../base/index.ts'
import { isPattern, matchesPattern } from '../../context/index.ts'
import type { Entry, UpdateOptions } from '../../context/index.ts'
import type { Run } from '../../runtime/index.ts'
import type { AgentIdentity } from '../caller.ts'
import { nameOf } from '../caller.ts'
import type { Desk } from '../desk.ts'
import { entryToWire } from '../wire.ts'
import { changesOf, UpdateFields } from '../writes.ts'
import { runId } from './run-tools.ts'
import { ACTS, EVERYBODY, tool } from './tool.ts'
import type { Tool } from './tool.ts'

/** Below what clients give up at. */
const LONGEST_WAIT_MS = 55_000
const DEFAULT_WAIT_MS = 30_000
const MOST_AWAITED = 100

const agent = z
  .strictObject({ id: z.string(), type: z.string().optional() })
  .optional()
  .describe('look with the eyes of this agent; agents look with their own')

/** Tools about entries. */
export const ENTRY_TOOLS: readonly Tool[] = [
  tool({
    name: 'read_entries',
    title: 'Read entries',
    description:
      'The entries of a run that you may see, the most important first, and the seq of what you see. An agent sees its view.',
    callers: EVERYBODY,
    input: z.strictObject({
      runId,
      keys: z.array(z.string()).optional().describe('keys, or patterns like "plan.*"; everything unless given'),
      agent,
    }),
    run: async (desk, { runId: id, keys, agent: asked }) => {
      const run = await desk.run(id)
      const { seq, entries, secrets } = lookAt(desk, run, asked)
      const chosen = keys === undefined ? entries : entries.filter(({ key }) => keys.some((one) => names(one, key)))
      return { data: { status: run.status, seq, entries: chosen.map((entry) => entryToWire(entry, { secrets })) } }
    },
  }),
  tool({
    name: 'wait_for',
    title: 'Wait for entries',
    description:
      'Waits until entries are there, at most 55 seconds; after a timeout, which says who could write them, ask again.',
    callers: EVERYBODY,
    input: z.strictObject({
      runId,
      keys: z.array(z.string().min(1)).min(1).max(MOST_AWAITED),
      mode: z.enum(['all', 'any']).optional().describe('all of them unless given'),
      timeoutMs: z.int().min(0).max(LONGEST_WAIT_MS).optional().describe('30,000 unless given'),
      since: z.int().min(0).optional().describe('only a version above this counts'),
      fresh: z.boolean().optional().describe('a stale entry does not count'),
      agent,
    }),
    run: async (desk, { runId: id, keys, mode = 'all', agent: asked, ...options }, signal) => {
      const run = await desk.run(id)
      const { timeoutMs = DEFAULT_WAIT_MS, since = 0, fresh = false } = options
      const failure = await awaitEntries(run, desk.agentFor(identityOf(asked)), {
        keys,
        mode,
        timeoutMs,
        since,
        fresh,
        signal,
      })
      const { entries, secrets } = lookAt(desk, run, asked)
      const there = entries
        .filter(({ key }) => keys.includes(key))
        .filter(({ version, stale }) => version > since && !(fresh && stale))
        .map((entry) => entryToWire(entry, { secrets }))
      if (failure === undefined) return { data: { kind: 'found', entries: there } }
      const { code, message } = failure
      return { data: { kind: 'timeout', code, message, entries: there }, text: message, hasFailed: true }
    },
  }),
  tool({
    name: 'update',
    title: 'Update entries',
    description:
      'Writes entries, all or none, each through its merge policy. A refusal says which key and rule it was; with expectedVersion or expectedSeq nothing is overwritten that you have not seen.',
    callers: ACTS,
    effect: 'writes',
    input: UpdateFields.extend({ runId }),
    run: async (desk, { runId: id, writes, ...asked }) => {
      const run = await desk.run(id)
      const options = { ...asked, ...whoWrites(desk) } as UpdateOptions
      const result = await run.tryUpdate(changesOf(writes) as never, options)
      if (result.kind === 'refused') return { data: { ...result }, text: result.message, hasFailed: true }
      const { kind, versions, conflicts, skipped } = result
      return { data: { kind, versions, conflicts, skipped } }
    },
  }),
]

function whoWrites({ agent: own, caller }: Desk): object {
  return own === undefined ? { by: nameOf(caller) } : { agent: own }
}

type AskedAgent = { readonly id: string; readonly type?: string | undefined } | undefined

function identityOf(asked: AskedAgent): AgentIdentity | undefined {
  return asked === undefined ? undefined : { id: asked.id, type: asked.type ?? asked.id }
}

/** What somebody may see of a run now. */
export function lookAt(
  desk: Desk,
  run: Run,
  asked?: AskedAgent,
): { readonly seq: number; readonly entries: readonly Entry[]; readonly secrets: boolean } {
  const view = desk.view(run, identityOf(asked))
  // Of an agent's own view, what is sensitive was granted to it; whoever looks over its shoulder has no grant.
  if (view !== undefined) return { seq: view.seq, entries: view.entries(), secrets: desk.agent !== undefined }
  return { seq: run.seq, entries: run.entries(), secrets: false }
}

interface Awaited {
  readonly keys: readonly string[]
  readonly mode: 'all' | 'any'
  readonly timeoutMs: number
  readonly since: number
  readonly fresh: boolean
  readonly signal: AbortSignal
}

/** Undefined once they are there; why not, where their time is over. */
async function awaitEntries(
  run: Run,
  agentId: AgentIdentity | undefined,
  { keys, mode, signal, ...options }: Awaited,
): Promise<CallboardError | undefined> {
  const over = new AbortController()
  const either = AbortSignal.any([signal, over.signal])
  const waits = keys.map((key) =>
    run.waitFor(key, { ...options, signal: either, ...(agentId === undefined ? {} : { agent: agentId }) }),
  )
  try {
    await (mode === 'all' ? Promise.all(waits) : firstOf(waits))
    return undefined
  } catch (error) {
    if (isCallboardError(error, 'wait.timeout')) return error
    throw error
  } finally {
    over.abort()
    await Promise.allSettled(waits)
  }
}

/** The first that is there; where none is, what was said of the first. */
async function firstOf(waits: readonly Promise<unknown>[]): Promise<unknown> {
  try {
    return await Promise.any(waits)
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error
  }
}

const names = (asked: string, key: string): boolean => (isPattern(asked) ? matchesPattern(asked, key) : asked === key)
