// Writes: an update as JSON, and the update it means.
import { z } from 'zod'
import { CallboardError, setOwn } from '../base/index.ts'
import { drop, patch, PRIORITIES, put, refusalError, SCOPES } from '../context/index.ts'
import type { UpdateOptions } from '../context/index.ts'
import type { Run } from '../runtime/index.ts'
import type { Accepted } from '../workflow/index.ts'
import type { Call } from './operation.ts'
import { problemOf, thrown } from './problem.ts'
import { AnyObject, Json } from './shapes.ts'
import { fromWire } from './wire.ts'

const key = z.string().min(1).max(1_024)
const place = { scope: z.enum(SCOPES).optional(), group: z.string().optional(), holder: z.string().optional() }

/** What may be said of one value. */
export const WriteOptionsBody = z.strictObject({
  ...place,
  policy: z.string().optional(),
  priority: z.enum(PRIORITIES).optional(),
  ttlMs: z.number().optional(),
  expiresAt: z.number().optional(),
  metadata: AnyObject.optional(),
  dependsOn: z.array(z.string()).optional(),
  pinned: z.boolean().optional(),
  expectedVersion: z.int().min(0).optional(),
})

const WriteBody = z.discriminatedUnion('kind', [
  WriteOptionsBody.extend({ kind: z.literal('put'), key, value: Json }),
  WriteOptionsBody.extend({ kind: z.literal('patch'), key, value: Json }),
  z.strictObject({ kind: z.literal('drop'), key, ...place }),
])
type Write = z.output<typeof WriteBody>

/** Writes, all or none: `set` for plain values, `writes` where there is more to say. */
export const UpdateBody = z.strictObject({
  set: AnyObject.optional(),
  writes: z.array(WriteBody).optional(),
  policy: z.string().optional(),
  prefix: z.string().optional(),
  others: z.enum(['keep', 'drop']).optional(),
  override: z.boolean().optional(),
  expectedSeq: z.int().min(0).optional(),
  expectedVersion: z.record(z.string(), z.int().min(0)).optional(),
})

/** What `update` takes. */
export function changesOf({ set = {}, writes = [] }: z.output<typeof UpdateBody>): Readonly<Record<string, unknown>> {
  const changes: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(set)) setOwn(changes, name, put(fromWire(value)))
  for (const write of writes) {
    if (Object.hasOwn(changes, write.key)) {
      throw new CallboardError('server.invalid', `"${write.key}" is written twice; say it once`, { key: write.key })
    }
    setOwn(changes, write.key, markedOf(write))
  }
  return changes
}

function markedOf(write: Write): unknown {
  if (write.kind === 'drop') {
    const { scope, group, holder } = write
    return drop(given({ scope, group, holder }))
  }
  const { kind, key: _key, value, metadata, ...options } = write
  const known = given({ ...options, metadata: metadata === undefined ? undefined : fromWire(metadata) })
  return kind === 'patch' ? patch(fromWire(value), known as never) : put(fromWire(value), known as never)
}

/** Without what was not said. */
function given(options: Readonly<Record<string, unknown>>): Readonly<Record<string, never>> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never
}

/**
 * Writes in the caller's name, agents with the rights of their type.
 * @throws CallboardError `update.refused`; a problem with 412 where If-Match says that something else was expected
 */
export async function writeAs(
  { caller, ifMatch }: Pick<Call<unknown, unknown, unknown>, 'caller' | 'ifMatch'>,
  run: Run,
  changes: Readonly<Record<string, unknown>>,
  options: UpdateOptions,
): Promise<Accepted> {
  const { agent, name: by } = caller
  const result = await run.tryUpdate(changes as never, agent === undefined ? { ...options, by } : { ...options, agent })
  if (result.kind === 'accepted') return result
  const error = refusalError(result, run.id)
  const isPrecondition = result.reason === 'expected-seq' || result.reason === 'expected-version'
  if (ifMatch === undefined || !isPrecondition) throw error
  throw thrown({ ...problemOf(error), status: 412 })
}

/** The wire's form of what was accepted. */
export function acceptedToWire({ kind, versions, conflicts, skipped }: Accepted): Readonly<Record<string, unknown>> {
  return { kind, versions, conflicts, skipped }
}
