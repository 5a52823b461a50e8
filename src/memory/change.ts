// Change: what somebody wants to be remembered, replaced or taken back. Checked here, where it comes in.
import { z } from 'zod'
import { admitValue, CallboardError, formatPath, isCallboardError } from '../base/index.ts'
import { MEMORY_KINDS, MEMORY_TYPES } from './item.ts'
import type { MemoryKind, MemoryType } from './item.ts'
import { MEMORY_SCOPES } from './scope.ts'
import type { MemoryScopeKind } from './scope.ts'

/** What a new item is made of. */
export interface NewItem {
  /** Chosen unless given. */
  readonly id?: string
  readonly kind: MemoryKind
  /** `fact` unless given. */
  readonly type?: MemoryType
  /** Whose scope is that of the reader who proposes it. */
  readonly scope: MemoryScopeKind
  readonly text: string
  readonly data?: Readonly<Record<string, unknown>>
  /** What it is about; at most one active item of a scope is about one subject. */
  readonly subject?: string
  /** From 0 to 1; 1 unless given. */
  readonly confidence?: number
  readonly rationale?: string
  readonly sources?: readonly string[]
  /** Milliseconds since 1970, or `never`; what the retention of its kind says unless given. */
  readonly expiresAt?: number | 'never'
}

export type MemoryChange =
  | ({ readonly op: 'add' } & NewItem)
  /** Puts a new item in the place of others of its scope. */
  | ({ readonly op: 'supersede'; readonly supersedes: readonly string[] } & NewItem)
  /** Takes an item back without another in its place. */
  | { readonly op: 'deprecate'; readonly target: string; readonly rationale?: string }
  /** Notes that something was considered and nothing is to be changed. */
  | { readonly op: 'noop'; readonly rationale?: string }

const MOST_CHANGES = 1_000
const LONGEST_ID = 200
const LONGEST_TEXT = 100_000
const LARGEST_DATA = 1_000_000
const MOST_REFERENCES = 1_000

const id = z.string().min(3).max(LONGEST_ID).refine(isWellFormed, 'is not well-formed Unicode')
const text = z.string().max(LONGEST_TEXT).refine(isWellFormed, 'is not well-formed Unicode')
const content = {
  id: id.optional(),
  kind: z.enum(MEMORY_KINDS),
  type: z.enum(MEMORY_TYPES).default('fact'),
  scope: z.enum(MEMORY_SCOPES),
  text: text.refine((value) => value.trim() !== '', 'is empty'),
  data: z.record(z.string(), z.unknown()).default({}),
  subject: id.optional(),
  confidence: z.number().min(0).max(1).default(1),
  rationale: text.default(''),
  sources: z.array(text).max(MOST_REFERENCES).default([]),
  expiresAt: z.union([z.number().positive(), z.literal('never')]).optional(),
}
const changeSchema = z.discriminatedUnion('op', [
  z.strictObject({ op: z.literal('add'), ...content }),
  z.strictObject({ op: z.literal('supersede'), supersedes: z.array(id).min(1).max(MOST_REFERENCES), ...content }),
  z.strictObject({ op: z.literal('deprecate'), target: id, rationale: text.default('') }),
  z.strictObject({ op: z.literal('noop'), rationale: text.default('') }),
])

/** A change with everything filled in that was left out, sharing nothing with the one that was given. */
export type CheckedChange = z.output<typeof changeSchema>

/**
 * Checks all changes of a batch.
 *
 * @throws CallboardError `memory.invalid-change` naming the first change, field and rule; `memory.secret` where a text
 *   or value looks like a credential
 */
export function checkChanges(changes: readonly MemoryChange[]): readonly CheckedChange[] {
  if (!Array.isArray(changes) || changes.length === 0 || changes.length > MOST_CHANGES) {
    throw invalidChange(undefined, '', `a batch has 1 to ${MOST_CHANGES} changes`)
  }
  return changes.map((change: MemoryChange, index) => {
    const parsed = changeSchema.safeParse(change)
    const issue = parsed.error?.issues[0]
    if (!parsed.success) {
      throw invalidChange(index, formatPath((issue?.path ?? []) as (string | number)[]), issue?.message ?? 'is invalid')
    }
    return checkContent(parsed.data, index)
  })
}

function checkContent(change: CheckedChange, index: number): CheckedChange {
  if (change.op === 'deprecate' || change.op === 'noop') return Object.freeze(change)
  const { value, secret, size } = admitted(change, index)
  if (size > LARGEST_DATA) throw invalidChange(index, 'data', `is larger than ${LARGEST_DATA} characters`)
  if (secret) {
    throw new CallboardError(
      'memory.secret',
      `change ${index} holds what looks like a credential; memory is searched by others and not encrypted: leave it out`,
      { change: index },
    )
  }
  return value as CheckedChange
}

function admitted(change: CheckedChange, index: number): ReturnType<typeof admitValue> {
  try {
    return admitValue(change)
  } catch (error) {
    if (!isCallboardError(error, 'value.unsupported')) throw error
    throw invalidChange(index, formatPath(error.details['path'] as (string | number)[]), error.message, error)
  }
}

/** A change that cannot be made whatever is remembered. */
export function invalidChange(change: number | undefined, path: string, rule: string, cause?: unknown): CallboardError {
  const place = change === undefined ? 'the batch' : `change ${change}`
  return new CallboardError(
    'memory.invalid-change',
    `${place}${path === '' ? '' : `, ${path}`}: ${rule}; nothing was proposed`,
    { change, path, rule },
    cause === undefined ? {} : { cause },
  )
}

function isWellFormed(value: string): boolean {
  return value.isWellFormed()
}
