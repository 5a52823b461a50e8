// Change requests: the form in which clients of the AoS Context Module propose changes and read items, as plain JSON.
import { z } from 'zod'
import { canonicalJson, formatPath } from '../base/index.ts'
import type { MemoryChange } from './change.ts'
import { MEMORY_TYPES } from './item.ts'
import type { MemoryItem } from './item.ts'
import type { MemoryReader, MemoryScopeKind } from './scope.ts'

/** An item as those clients read it. */
export interface WireItem {
  readonly memory_id: string
  readonly type: MemoryItem['type']
  readonly scope: MemoryScopeKind
  readonly user_id: string | null
  readonly project_id: string | null
  readonly content: string
  readonly confidence: number
  /** They know no other: what was superseded is deprecated to them. */
  readonly status: 'active' | 'deprecated'
  readonly supersedes: readonly string[]
  readonly source_refs: readonly string[]
  readonly created_at: string
  readonly updated_at: string
}

export type ParsedRequests =
  | { readonly ok: true; readonly changes: readonly MemoryChange[] }
  /** `mcr schema: <path>: <message>` for the first that is wrong. */
  | { readonly ok: false; readonly error: string }

const memoryId = z.string().min(3)
const requestSchema = z
  .strictObject({
    _schema_version: z.literal('2.1'),
    op: z.enum(['add', 'supersede', 'deprecate', 'noop']),
    type: z.enum(MEMORY_TYPES),
    scope: z.enum(['user', 'project', 'global']),
    content: z.string(),
    confidence: z.number().min(0).max(1),
    rationale: z.string(),
    source_refs: z.array(z.unknown()),
    supersedes: z.array(memoryId).optional(),
    target_memory_id: memoryId.nullish(),
    memory_id: memoryId.nullish(),
    user_id: z.string().nullish(),
    project_id: z.string().nullish(),
    created_at: z.string().nullish(),
    updated_at: z.string().nullish(),
  })
  .refine(({ op, supersedes = [] }) => op !== 'supersede' || supersedes.length > 0, {
    path: ['supersedes'],
    message: 'supersede needs at least one id',
  })
  .refine(({ op, target_memory_id: target }) => op !== 'deprecate' || typeof target === 'string', {
    path: ['target_memory_id'],
    message: 'deprecate needs the id of an item',
  })

type ChangeRequest = z.output<typeof requestSchema>

/**
 * Checks change requests and turns them into changes of semantic items. A user or project that a request names has to be
 * the reader's own.
 */
export function parseChangeRequests(
  requests: unknown,
  { user, project }: Pick<MemoryReader, 'user' | 'project'>,
): ParsedRequests {
  if (!Array.isArray(requests) || requests.length === 0) return failed([], 'at least one change request is needed')
  const changes: MemoryChange[] = []
  for (const [index, request] of requests.entries()) {
    const parsed = requestSchema.safeParse(request)
    const issue = parsed.error?.issues[0]
    if (!parsed.success) return failed([index, ...((issue?.path ?? []) as (string | number)[])], issue?.message ?? '')
    const { user_id: userId, project_id: projectId } = parsed.data
    if (typeof userId === 'string' && userId !== user) return failed([index, 'user_id'], 'is not the user of this run')
    if (typeof projectId === 'string' && projectId !== project) {
      return failed([index, 'project_id'], 'is not the project of this run')
    }
    changes.push(changeOf(parsed.data))
  }
  return { ok: true, changes }
}

/** An item in the form that those clients read. */
export function itemToWire(item: MemoryItem): WireItem {
  const { kind, holder = null } = item.scope
  return {
    memory_id: item.id,
    type: item.type,
    scope: kind,
    user_id: kind === 'user' ? holder : null,
    project_id: kind === 'project' ? holder : null,
    content: item.text,
    confidence: item.confidence,
    status: item.status === 'active' ? 'active' : 'deprecated',
    supersedes: item.supersedes,
    source_refs: item.sources,
    created_at: new Date(item.createdAt).toISOString(),
    updated_at: new Date(item.updatedAt).toISOString(),
  }
}

function changeOf(request: ChangeRequest): MemoryChange {
  const { op, rationale, memory_id: id, created_at: createdAt, updated_at: updatedAt } = request
  if (op === 'noop') return { op, rationale }
  if (op === 'deprecate') return { op, rationale, target: request.target_memory_id ?? '' }
  const item = {
    ...(typeof id === 'string' ? { id } : {}),
    kind: 'semantic' as const,
    type: request.type,
    scope: request.scope,
    text: request.content,
    confidence: request.confidence,
    rationale,
    sources: request.source_refs.map((source) => (typeof source === 'string' ? source : canonicalJson(source))),
    // When the client says it was so; when it was committed stands in the item itself.
    data: {
      ...(typeof createdAt === 'string' ? { created_at: createdAt } : {}),
      ...(typeof updatedAt === 'string' ? { updated_at: updatedAt } : {}),
    },
  }
  return op === 'add' ? { op, ...item } : { op, ...item, supersedes: request.supersedes ?? [] }
}

function failed(path: readonly (string | number)[], message: string): ParsedRequests {
  return { ok: false, error: `mcr schema: ${path.length === 0 ? '' : `${formatPath(path)}: `}${message}` }
}
