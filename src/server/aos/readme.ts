// The surface of AoS's README: every answer has all of its keys, unused ones null.
import { z } from 'zod'
import { operation } from '../operation.ts'
import type { Operation } from '../operation.ts'
import { AnyObject } from '../shapes.ts'
import { createTask, NewTaskBody, readmeMissing, tasksOf, workingSetOf, WorkingSetShape, writerOf } from './tasks.ts'

const CONFLICT = 'Conflict: State has changed. Reload and retry.'
const NewRunBody = NewTaskBody.extend({
  acceptance_criteria: z.array(z.string()).default([]),
  constraints: z.array(z.string()).default([]),
})

export const readmeOperations: readonly Operation[] = [
  operation({
    method: 'post',
    path: '/runs',
    access: 'write',
    tag: 'aos',
    summary: 'Begin a task',
    body: NewRunBody,
    answers: { 200: { description: 'it has begun', schema: z.object({ run_id: z.string(), status: z.string() }) } },
    handle: async ({ house, body }) => {
      const { run_id, status } = (await createTask(house, body, 'runs')) as unknown as Readonly<Record<string, string>>
      return { body: { run_id, status } }
    },
  }),
  operation({
    method: 'get',
    path: '/runs/{run_id}',
    access: 'read',
    tag: 'aos',
    summary: 'The working set of a task',
    answers: { 200: { description: 'it', schema: WorkingSetShape }, 304: { description: 'nothing has changed' } },
    handle: async ({ house, params }) => {
      const ws = await workingSetOf(house, params.run_id, readmeMissing)
      return { version: ws._update_seq, body: ws }
    },
  }),
  operation({
    method: 'patch',
    path: '/runs/{run_id}',
    access: 'write',
    tag: 'aos',
    summary: 'Change a working set, if it is still the one that was expected',
    body: z.object({ patch: AnyObject, expected_seq: z.int() }),
    answers: {
      200: {
        description: 'what came of it',
        schema: z.object({ ok: z.boolean(), ws: WorkingSetShape.nullable(), error: z.string().nullable() }),
      },
    },
    handle: async ({ house, params, body, caller }) => {
      await workingSetOf(house, params.run_id, readmeMissing)
      const whole = { _schema_version: '2.1', expected_seq: body.expected_seq, set: body.patch }
      const result = await tasksOf(house).patch(params.run_id, whole, writerOf(caller))
      if (result.ok) return { body: { ok: true, ws: result.new_ws, error: null } }
      return result.kind === 'lock' ? conflict() : { body: { ok: false, ws: null, error: result.error } }
    },
  }),
]

function conflict(): { readonly status: number; readonly body: object } {
  return { status: 409, body: { ok: false, ws: null, error: CONFLICT, detail: CONFLICT } }
}
