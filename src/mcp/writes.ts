// Writes: an update as JSON, and the update it means.
import { z } from 'zod'
import { CallboardError, fromTagged, setOwn } from '../base/index.ts'
import { drop, patch, PRIORITIES, put, SCOPES } from '../context/index.ts'

const MOST_WRITES = 1_000
const version = z.int().min(0)

const WriteFields = z.strictObject({
  key: z.string().min(1).max(1_024),
  kind: z
    .enum(['put', 'patch', 'drop'])
    .optional()
    .describe('put a whole value (unless given), patch a part of one, or drop the entry'),
  value: z.unknown().optional().describe('of put and patch; dates and the like as {"$type": "Date", "value": …}'),
  policy: z.string().optional().describe("how it meets what is there, instead of the entry's own policy"),
  expectedVersion: version.optional().describe('refused unless this version is there; 0 for none'),
  priority: z.enum(PRIORITIES).optional(),
  ttlMs: z.number().optional(),
  expiresAt: z.number().optional(),
  metadata: z.looseObject({}).optional(),
  dependsOn: z.array(z.string()).optional(),
  pinned: z.boolean().optional(),
  scope: z.enum(SCOPES).optional(),
  group: z.string().optional(),
  holder: z.string().optional(),
})
type WriteFields = z.output<typeof WriteFields>

/** What may be asked in one update. */
export const UpdateFields = z.strictObject({
  writes: z.array(WriteFields).min(1).max(MOST_WRITES),
  policy: z.string().optional().describe('for every key that does not name its own'),
  prefix: z.string().optional().describe('of every key, with the policy "prefixed"'),
  expectedSeq: z.int().min(0).optional().describe('refused unless nothing you can see has changed since'),
})

/** @throws CallboardError `mcp.invalid-write` */
export function changesOf(writes: readonly WriteFields[]): Readonly<Record<string, unknown>> {
  const changes: Record<string, unknown> = {}
  for (const write of writes) {
    if (Object.hasOwn(changes, write.key)) throw invalid(write.key, 'is written twice; say it once')
    setOwn(changes, write.key, markedOf(write))
  }
  return changes
}

function markedOf({ kind = 'put', key, value, metadata, scope, group, holder, ...options }: WriteFields): unknown {
  const place = given({ scope, group, holder })
  if (kind === 'drop') return drop(place)
  if (value === undefined) throw invalid(key, `needs a value to ${kind}; to delete it, say kind: "drop"`)
  const known = given({ ...options, ...place, metadata: metadata === undefined ? undefined : fromTagged(metadata) })
  return kind === 'patch' ? patch(fromTagged(value), known) : put(fromTagged(value), known)
}

function invalid(key: string, why: string): CallboardError {
  return new CallboardError('mcp.invalid-write', `"${key}" ${why}`, { key })
}

/** Without what was not said. */
function given(options: Readonly<Record<string, unknown>>): Readonly<Record<string, never>> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never
}
