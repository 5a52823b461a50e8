// The surface of AoS's full API.
import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { CallboardError, isCallboardError } from '../../base/index.ts'
import type { House } from '../house.ts'
import type { ServerServices } from '../services.ts'
import { operation } from '../operation.ts'
import type { Operation } from '../operation.ts'
import { thrown } from '../problem.ts'
import { AnyObject } from '../shapes.ts'
import { readerOfRun } from './reader.ts'
import { createTask, fullMissing, NewTaskBody, tasksOf, workingSetOf, WorkingSetShape, writerOf } from './tasks.ts'

const MILESTONE_MS = 300_000
const MEMORIES_OF_BRIEF = 8
const LONGEST_TEXT = 4_096

export const fullOperations: readonly Operation[] = [
  operation({
    method: 'post',
    path: '/runs/boot',
    access: 'write',
    tag: 'aos',
    summary: 'Begin a task whose commits to memory need a milestone',
    body: NewTaskBody.omit({ run_id: true }),
    answers: {
      200: { description: 'it has begun', schema: z.object({ run_id: z.string(), ws: WorkingSetShape }) },
    },
    handle: async ({ house, body }) => {
      const ws = await createTask(house, { ...body, run_id: null }, 'boot')
      return { body: { run_id: ws.run_id, ws } }
    },
  }),
  operation({
    method: 'get',
    path: '/runs/{run_id}/ws',
    access: 'read',
    tag: 'aos',
    summary: 'The working set of a task',
    answers: { 200: { description: 'it', schema: WorkingSetShape } },
    handle: async ({ house, params }) => ({ body: await workingSetOf(house, params.run_id, fullMissing) }),
  }),
  operation({
    method: 'post',
    path: '/runs/{run_id}/step/update',
    access: 'write',
    tag: 'aos',
    summary: 'Change a working set, and get it as text for a prompt',
    body: z.object({ patch: AnyObject }),
    answers: {
      200: { description: 'it is changed', schema: z.object({ ws: WorkingSetShape, context_brief: z.string() }) },
      400: { description: 'the patch does not fit the format, or is too large' },
    },
    handle: async ({ house, params, body, caller, services }) => {
      const { run_id: runId } = params
      await workingSetOf(house, runId, fullMissing)
      const result = await tasksOf(house).patch(runId, body.patch, writerOf(caller))
      if (!result.ok) {
        const isLocked = result.kind === 'lock'
        throw thrown({ status: isLocked ? 409 : 400, code: `task.${result.kind}`, message: result.error })
      }
      const memories = await memoriesFor(house, { runId, tenant: caller.tenant, services }, result.new_ws)
      return { body: { ws: result.new_ws, context_brief: await tasksOf(house).brief(runId, memories) } }
    },
  }),
  operation({
    method: 'post',
    path: '/runs/{run_id}/milestone',
    access: 'write',
    tag: 'aos',
    summary:
      'Note an immutable milestone, with a batch of memory where one is named; gives a token for further commits',
    body: z.object({
      reason: z.string().max(LONGEST_TEXT).default('manual'),
      memory_batch_id: z.string().nullish(),
      next_entry_point: z.string().max(LONGEST_TEXT).default(''),
    }),
    answers: {
      200: {
        description: 'it is noted',
        schema: z.object({
          episode_id: z.string(),
          episode_path: z.string(),
          committed_memory_ids: z.array(z.string()),
          milestone_token: z.string(),
        }),
      },
      400: { description: 'the batch cannot be committed' },
    },
    handle: async ({ house, params, body, caller, services }) => {
      const { run_id: runId } = params
      await workingSetOf(house, runId, fullMissing)
      const { tenant } = caller
      const { reason, memory_batch_id: batchId, next_entry_point: nextEntryPoint } = body
      const committed = batchId ? await commitForMilestone(house, { runId, tenant, services }, batchId) : []
      const id = await noteMilestone(house, { runId, tenant, services }, { reason, nextEntryPoint, committed, batchId })
      const token = `milestone_${randomBytes(8).toString('hex')}`
      const at = services.clock.now()
      services.book.addMilestone(tenant, runId, { token, at, expiresAt: at + MILESTONE_MS })
      return {
        body: {
          episode_id: id,
          episode_path: `episodes/${id}.v2.1.json`,
          committed_memory_ids: committed,
          milestone_token: token,
        },
      }
    },
  }),
]

interface Whose {
  readonly runId: string
  readonly tenant: string
  readonly services: ServerServices
}

/** What the run remembers about where it stands. */
async function memoriesFor(
  house: House,
  whose: Whose,
  ws: object,
): Promise<readonly { readonly content: string; readonly confidence: number; readonly memory_id: string }[]> {
  if (house.memory === undefined) return []
  const { objective, next_action: next } = ws as Readonly<Record<string, string>>
  const memory = readerOfRun(house, whose)
  const hits = await memory.recall(`${objective ?? ''} ${next ?? ''}`, { topK: MEMORIES_OF_BRIEF })
  return hits.map(({ item }) => ({ content: item.text, confidence: item.confidence, memory_id: item.id }))
}

async function commitForMilestone(house: House, whose: Whose, batchId: string): Promise<readonly string[]> {
  const failed = (why: string): Error =>
    thrown({ status: 400, code: 'memory.unknown-batch', message: `memory commit: ${why}` })
  if (house.memory === undefined) throw failed('unknown batch_id')
  try {
    const result = await readerOfRun(house, whose).commit(batchId)
    if (result.kind === 'refused') throw failed(result.conflicts.map(({ message }) => message).join('; '))
    if (result.repeated) throw failed('unknown batch_id')
    return result.ids
  } catch (error) {
    throw isCallboardError(error, 'memory.unknown-batch') ? failed('unknown batch_id') : error
  }
}

/** All or nothing: where the milestone cannot be noted, what was committed for it is taken back. */
async function noteMilestone(
  house: House,
  whose: Whose,
  {
    reason,
    nextEntryPoint,
    committed,
    batchId,
  }: {
    readonly reason: string
    readonly nextEntryPoint: string
    readonly committed: readonly string[]
    readonly batchId: string | null | undefined
  },
): Promise<string> {
  const { runId, services } = whose
  const name = `${reason} ${services.clock.now()} ${randomBytes(4).toString('hex')}`
  try {
    const options = { memoryCommits: committed, nextEntryPoint, metadata: { reason } }
    return (await tasksOf(house).milestone(runId, name, options)).id
  } catch (error) {
    if (batchId) await readerOfRun(house, whose).revert(batchId, { rationale: 'its milestone could not be noted' })
    if (isCallboardError(error)) throw error
    throw new CallboardError('server.failed', 'the milestone could not be noted', { runId }, { cause: error })
  }
}
