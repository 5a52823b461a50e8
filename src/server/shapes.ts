// Shapes: what answers look like, as schemas. Values are any JSON, tagged where JSON has no word for them.
import { z } from 'zod'
import { PRIORITIES, SCOPES } from '../context/index.ts'
import { MOST_ITEMS } from './cursor.ts'

/** Any JSON. */
export const Json: z.ZodUnknown = z.unknown()

/** An object whose names are the caller's: `__proto__` is one like any other, so that it is looked at, never rebuilt. */
export const AnyObject = z
  .custom<Readonly<Record<string, unknown>>>(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    'is not an object',
  )
  .meta({ type: 'object' })

const instant = z.int()
const labels = z.record(z.string(), z.string())

export const RunShape = z
  .object({
    runId: z.string(),
    workflow: z.string(),
    version: z.string(),
    status: z.enum(['active', 'done', 'error', 'stopped']),
    seq: z.int(),
    createdAt: instant,
    updatedAt: instant,
    parent: z.object({ runId: z.string(), id: z.string() }).nullable(),
    labels,
  })
  .meta({ id: 'Run' })

export const RunDetailShape = RunShape.extend({
  state: Json,
  /** Null while the run goes on, and where it did not end well. */
  output: Json,
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
})

export const EntryShape = z
  .object({
    key: z.string(),
    value: Json,
    scope: z.enum(SCOPES),
    holder: z.string().nullable(),
    owner: z.string(),
    updatedBy: z.string(),
    priority: z.enum(PRIORITIES),
    version: z.int(),
    createdAt: instant,
    updatedAt: instant,
    expiresAt: instant.nullable(),
    dependsOn: z.array(z.string()),
    metadata: z.looseObject({}),
    protected: z.boolean(),
    ephemeral: z.boolean(),
    sensitive: z.boolean(),
    pinned: z.boolean(),
    stale: z.boolean(),
  })
  .meta({ id: 'Entry' })

export const ViewShape = z.object({ seq: z.int(), entries: z.array(EntryShape) }).meta({ id: 'View' })

export const ConflictShape = z.looseObject({ id: z.string(), key: z.string(), policy: z.string() })

export const AcceptedShape = z
  .object({
    kind: z.literal('accepted'),
    versions: z.record(z.string(), z.int()),
    conflicts: z.array(ConflictShape),
    skipped: z.array(z.string()),
  })
  .meta({ id: 'Accepted' })

export const ChangeShape = z
  .object({
    seq: z.int(),
    at: instant,
    kind: z.string(),
    author: z.string(),
    entries: z.array(z.looseObject({ key: z.string(), kind: z.string(), version: z.int() })),
    conflicts: z.int(),
    refusals: z.array(z.string()),
    state: Json.optional(),
  })
  .meta({ id: 'Change' })

export const SnapshotShape = z.looseObject({ id: z.string(), seq: z.int(), at: instant, reason: z.string() })

/** A page of a list, and where the next begins. */
export function pageOf<Item extends z.ZodType>(
  item: Item,
): z.ZodObject<{ items: z.ZodArray<Item>; next: z.ZodNullable<z.ZodString> }> {
  return z.object({ items: z.array(item), next: z.string().nullable() })
}

/** Query parameters come as texts. */
export const wholeNumber = (least: number, most: number): z.ZodPipe<z.ZodString, z.ZodTransform<number, string>> =>
  z
    .string()
    .regex(/^-?\d{1,16}$/, 'Input should be a valid integer')
    .transform((text, context) => {
      const number = Number(text)
      if (number >= least && number <= most) return number
      context.addIssue({ code: 'custom', message: `Input should be from ${least} to ${most}`, input: text })
      return z.NEVER
    })

/** What asks for a page. */
export const paging = {
  limit: wholeNumber(1, MOST_ITEMS).optional(),
  cursor: z.string().optional(),
} as const

export const flag: z.ZodPipe<z.ZodEnum<{ true: 'true'; false: 'false' }>, z.ZodTransform<boolean, 'true' | 'false'>> = z
  .enum(['true', 'false'])
  .transform((text) => text === 'true')
