// Working set: what a task knows at one moment, in the format of S4 (version 2.1). The schemas are the published ones:
// `schemas/*.json` are made from them.
import { z } from 'zod'

export const SCHEMA_VERSION = '2.1'

/** Half an emoji is no text that can be kept. */
const text = z.string().refine((given) => given.isWellFormed(), 'is not well-formed Unicode')
const nonEmpty = text.min(1)
const list = z.array(text).readonly()

export const STATUSES = ['BOOT', 'IDLE', 'BUSY', 'WAITING_INPUT', 'PAUSED', 'DONE', 'FAILED'] as const
export const TaskStatus = z.enum(STATUSES)
export type TaskStatus = z.infer<typeof TaskStatus>

/** Never evicted. */
export const PinnedItem = z.strictObject({ id: nonEmpty, content: nonEmpty, source_ref: text.optional() }).readonly()
export type PinnedItem = z.infer<typeof PinnedItem>

/** Makes room for what matters more. */
export const SlidingItem = z
  .strictObject({
    id: nonEmpty,
    content: nonEmpty,
    timestamp: z.iso.datetime({ offset: true }),
    priority: z.int().min(0).max(9),
  })
  .readonly()
export type SlidingItem = z.infer<typeof SlidingItem>

export const ArtifactRef = z
  .strictObject({
    type: nonEmpty,
    id: nonEmpty,
    path: text.optional(),
    sha256: z
      .string()
      .regex(/^[0-9a-fA-F]{64}$/)
      .optional(),
  })
  .readonly()
export type ArtifactRef = z.infer<typeof ArtifactRef>

const MOST_PINNED = 10

/** What a patch may set; the rest is what it is from the beginning. */
export const PATCHABLE = {
  status: TaskStatus,
  acceptance_criteria: list,
  current_stage: nonEmpty,
  next_action: text,
  constraints: list,
  artifact_refs: z.array(ArtifactRef).readonly(),
  blockers: list,
  last_action_summary: text,
  pinned_context: z.array(PinnedItem).max(MOST_PINNED).readonly(),
  sliding_context: z.array(SlidingItem).readonly(),
} as const

export const IDENTITY = { task_id: nonEmpty, thread_id: nonEmpty, run_id: nonEmpty, objective: nonEmpty } as const

export const WorkingSet = z
  .strictObject({
    _schema_version: z.literal(SCHEMA_VERSION),
    _update_seq: z.int().min(0),
    ...IDENTITY,
    ...PATCHABLE,
  })
  .readonly()
export type WorkingSet = z.infer<typeof WorkingSet>

/** What may be changed, expecting that nobody has changed anything since. Values are replaced whole. */
export const WorkingSetPatch = z
  .strictObject({
    _schema_version: z.literal(SCHEMA_VERSION),
    expected_seq: z.int().min(0),
    set: z.strictObject(PATCHABLE).partial().readonly(),
  })
  .readonly()
export type WorkingSetPatch = z.infer<typeof WorkingSetPatch>

export type PatchableFields = WorkingSetPatch['set']

/** `set.status: Invalid option: …`: where and why something does not fit its schema. */
export function describeIssue(error: z.ZodError): string {
  const issue = error.issues[0]
  if (issue === undefined) return 'invalid'
  return issue.path.length === 0 ? issue.message : `${issue.path.map(String).join('.')}: ${issue.message}`
}
