// Patch: what becomes of a working set. Pure: the same working set, patch and limits give the same answer, byte for byte.
import { estimateTokens } from 'callboard'
import { SCHEMA_VERSION } from './working-set.ts'
import type { PatchableFields, SlidingItem, WorkingSet, WorkingSetPatch } from './working-set.ts'

/** How large a working set may get. */
export interface TaskLimits {
  /** Tokens of everything in it; 2,000 unless given. */
  readonly ws_max_tokens: number
  /** Pinned items that are kept, the last ones; 10 unless given. */
  readonly pinned_context_max_items: number
}

export const TASK_LIMITS: TaskLimits = Object.freeze({ ws_max_tokens: 2_000, pinned_context_max_items: 10 })

/** Tokens that any working set costs, and that each sliding item costs beside its content. */
const BASE_TOKENS = 25
const ITEM_TOKENS = 6

/** Why a patch was not accepted. */
export interface TaskRefusal {
  readonly ok: false
  readonly kind: 'schema' | 'lock' | 'size'
  readonly error: string
}

export type Fitted =
  | { readonly ok: true; readonly ws: WorkingSet; readonly evicted: readonly SlidingItem[] }
  | TaskRefusal

/** Checks the lock, sets the fields, and makes everything fit. */
export function applyPatch(current: WorkingSet, patch: WorkingSetPatch, limits: TaskLimits = TASK_LIMITS): Fitted {
  const { expected_seq: expected, set } = patch
  const { _update_seq: seq } = current
  if (expected !== seq) {
    return { ok: false, kind: 'lock', error: `LOCK_ERROR expected_seq=${expected} current_seq=${seq}` }
  }
  return fit({ ...current, ...defined(set), _update_seq: seq + 1 }, limits)
}

/** A working set that comes from elsewhere: what does not fit makes room. */
export function restoredWorkingSet(ws: WorkingSet, limits: TaskLimits = TASK_LIMITS): Fitted {
  return fit(ws, limits)
}

export interface InitialWorkingSet extends Pick<WorkingSet, 'task_id' | 'thread_id' | 'run_id' | 'objective'> {
  readonly acceptance_criteria?: readonly string[] | undefined
  readonly constraints?: readonly string[] | undefined
  /** `BOOT` unless given. */
  readonly current_stage?: string | undefined
}

/** The working set a task begins with. */
export function initialWorkingSet(initial: InitialWorkingSet, limits: TaskLimits = TASK_LIMITS): Fitted {
  const { task_id, thread_id, run_id, objective } = initial
  const { acceptance_criteria = [], constraints = [], current_stage = 'BOOT' } = initial
  const ws: WorkingSet = {
    _schema_version: SCHEMA_VERSION,
    _update_seq: 0,
    task_id,
    thread_id,
    run_id,
    status: 'BOOT',
    objective,
    acceptance_criteria,
    current_stage,
    next_action: '',
    constraints,
    artifact_refs: [],
    blockers: [],
    last_action_summary: '',
    pinned_context: [],
    sliding_context: [],
  }
  return fit(ws, limits)
}

/** Tokens of what is never evicted and counts before anything else. */
export function baseLoadOf({ objective, acceptance_criteria, constraints, pinned_context }: WorkingSet): number {
  const contents = [objective, ...acceptance_criteria, ...constraints, ...pinned_context.map(({ content }) => content)]
  return sumOf(contents) + BASE_TOKENS
}

/** Tokens of everything in a working set. */
export function totalTokensOf(ws: WorkingSet): number {
  return baseLoadOf(ws) + stateTokensOf(ws) + ws.sliding_context.reduce((sum, item) => sum + costOf(item), 0)
}

/** Tokens of where the task stands: they change all the time and are never evicted either. */
function stateTokensOf({ status, current_stage, next_action, last_action_summary, blockers }: WorkingSet): number {
  return sumOf([status, current_stage, next_action, last_action_summary, ...blockers])
}

const sumOf = (texts: readonly string[]): number => texts.reduce((sum, text) => sum + estimateTokens(text), 0)

const costOf = ({ content }: SlidingItem): number => estimateTokens(content) + ITEM_TOKENS

/**
 * Keeps the sliding items that fit, the most important and then the newest first; one that does not fit is passed over,
 * and a smaller one behind it may still be kept. What is never evicted is taken off first. S4 took off only the base load,
 * and refused a patch for what it had kept too much; where S4 accepted, this keeps the same items.
 */
function fit(asked: WorkingSet, { ws_max_tokens: limit, pinned_context_max_items: mostPinned }: TaskLimits): Fitted {
  const { pinned_context: pinned } = asked
  const ws = { ...asked, pinned_context: pinned.slice(Math.max(0, pinned.length - mostPinned)) }
  const base = baseLoadOf(ws)
  if (base > limit) return tooLarge('base_load_tokens', base, limit)
  const fixed = base + stateTokensOf(ws)
  if (fixed > limit) return tooLarge('total_tokens', fixed, limit)
  let left = limit - fixed
  const kept: SlidingItem[] = []
  const evicted: SlidingItem[] = []
  for (const item of [...ws.sliding_context].sort(compareSliding)) {
    const cost = costOf(item)
    if (cost > left) {
      evicted.push(item)
      continue
    }
    left -= cost
    kept.push(item)
  }
  return { ok: true, ws: { ...ws, sliding_context: kept }, evicted }
}

/** By priority, then by time, the greatest first. Times are compared as the texts they are; equals keep their order. */
function compareSliding(one: SlidingItem, other: SlidingItem): number {
  if (one.priority !== other.priority) return other.priority - one.priority
  if (one.timestamp === other.timestamp) return 0
  return one.timestamp < other.timestamp ? 1 : -1
}

function tooLarge(what: string, tokens: number, limit: number): TaskRefusal {
  return { ok: false, kind: 'size', error: `WS_SIZE_ERROR: ${what}=${tokens} exceeds ws_max_tokens=${limit}` }
}

/** Without what is undefined: it sets nothing. */
function defined(set: PatchableFields): Partial<WorkingSet> {
  return Object.fromEntries(Object.entries(set).filter(([, value]) => value !== undefined))
}
