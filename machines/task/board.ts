// The board of a task: every field of its working set is an entry of that name.
import { defineContext, entry } from 'callboard'
import type { ContextDefinition } from 'callboard'
import { z } from 'zod'
import { IDENTITY, PATCHABLE, SCHEMA_VERSION, WorkingSet } from './working-set.ts'

/** What came of the last patch: `error` is null where it was applied. */
export const PatchNote = z
  .strictObject({
    id: z.string(),
    error: z.string().nullable(),
    /** What went of the sliding context. */
    evicted: z.array(z.string()).readonly(),
  })
  .readonly()
export type PatchNote = z.infer<typeof PatchNote>

const replaced = { merge: 'replace' } as const
const forGood = { merge: 'replace', protected: true } as const

/** Values are replaced whole. What they cost is limited by the working set's own rules. */
export const board = defineContext(
  {
    _update_seq: entry(z.int().min(0), replaced),
    task_id: entry(IDENTITY.task_id, forGood),
    thread_id: entry(IDENTITY.thread_id, forGood),
    run_id: entry(IDENTITY.run_id, forGood),
    objective: entry(IDENTITY.objective, { ...forGood, priority: 'critical' }),
    status: entry(PATCHABLE.status, replaced),
    acceptance_criteria: entry(PATCHABLE.acceptance_criteria, { ...replaced, priority: 'high' }),
    current_stage: entry(PATCHABLE.current_stage, replaced),
    next_action: entry(PATCHABLE.next_action, replaced),
    constraints: entry(PATCHABLE.constraints, { ...replaced, priority: 'high' }),
    artifact_refs: entry(PATCHABLE.artifact_refs, replaced),
    blockers: entry(PATCHABLE.blockers, replaced),
    last_action_summary: entry(PATCHABLE.last_action_summary, replaced),
    pinned_context: entry(PATCHABLE.pinned_context, { ...replaced, pinned: true }),
    sliding_context: entry(PATCHABLE.sliding_context, replaced),
    last_patch: entry(PatchNote, { ...replaced, priority: 'low', sensitive: false }),
  },
  { limits: { maxValueSize: Number.MAX_SAFE_INTEGER } },
)

/** The fields of a working set that are entries. */
export type TaskFields = Omit<WorkingSet, '_schema_version'>

export type TaskValues = typeof board extends ContextDefinition<infer Values> ? Values : never

export const FIELDS = Object.keys(WorkingSet.unwrap().shape).filter(
  (name) => name !== '_schema_version',
) as readonly (keyof TaskFields)[]

interface Readable {
  get<Key extends keyof TaskValues & string>(key: Key): TaskValues[Key] | undefined
}

/** The working set on a board, in the order of the format. */
export function readWorkingSet(known: Readable): WorkingSet {
  const fields = FIELDS.map((name) => [name, known.get(name)])
  return { _schema_version: SCHEMA_VERSION, ...(Object.fromEntries(fields) as TaskFields) }
}
