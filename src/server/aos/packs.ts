// Packs on the wire of AoS. A path that is answered or asked for is one inside the workspace's folder of packs, and is
// resolved there and nowhere else.
import { lstat, mkdir } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import { z } from 'zod'
import { CallboardError, isCallboardError } from '../../base/index.ts'
import { readPack, savePack } from '../../pack/index.ts'
import type { Caller } from '../caller.ts'
import type { House, WireWorkingSet } from '../house.ts'
import { operation } from '../operation.ts'
import type { Operation } from '../operation.ts'
import { AnyObject } from '../shapes.ts'
import { fullMissing, readmeMissing, tasksOf, workingSetOf, WorkingSetShape, writerOf } from './tasks.ts'

const text = z.string().nullable()

export const loadOperation: Operation = operation({
  method: 'post',
  path: '/runs/resume/load',
  access: 'write',
  tag: 'aos',
  summary: 'Go on with a task from a pack of the workspace, under an id of its own',
  body: z.object({ pack_path: z.string().min(1), new_run_id: z.string().min(1).nullish() }),
  answers: {
    200: {
      description: 'what came of it',
      schema: z.object({ ok: z.boolean(), run_id: text, ws: WorkingSetShape.nullable(), error: text }),
    },
  },
  handle: async ({ house, body, caller }) => {
    const { pack_path: asked, new_run_id: runId } = body
    const failed = (error: string): { readonly body: object } => ({
      body: { ok: false, run_id: null, ws: null, error },
    })
    const file = await packIn(house, asked)
    if (file === undefined) return failed(`pack path not found: ${asked}`)
    try {
      const options = { ...writerOf(caller), from: basename(file), ...(runId ? { runId } : {}) }
      const ws = (await tasksOf(house).unpack(file, options)) as WireWorkingSet
      return { body: { ok: true, run_id: ws.run_id, ws, error: null } }
    } catch (error) {
      if (isCallboardError(error, 'run.exists')) return failed(`run_id already exists: ${runId ?? ''}`)
      if (isCallboardError(error) && isRefusal(error)) return failed(error.message)
      throw error
    }
  },
})

export const packOperations: readonly Operation[] = [
  operation({
    method: 'post',
    path: '/runs/{run_id}/snapshot',
    access: 'write',
    tag: 'aos',
    summary: 'The working set and its ledger as one file of the workspace',
    answers: {
      200: { description: 'it is there', schema: z.object({ ok: z.boolean(), pack_path: text, error: text }) },
    },
    handle: async ({ house, params, caller, services }) => {
      await workingSetOf(house, params.run_id, readmeMissing)
      const saved = await save(house, params.run_id, { kind: 'simple', caller, at: services.clock.now() })
      return { body: { ok: true, pack_path: saved.path, error: null } }
    },
  }),
  operation({
    method: 'post',
    path: '/runs/{run_id}/resume/snapshot',
    access: 'write',
    tag: 'aos',
    summary: 'Everything the task goes on with, as one file of the workspace',
    body: z.object({ zip_pack: z.boolean().default(true), pointers: AnyObject.optional() }),
    answers: {
      200: {
        description: 'it is there',
        schema: z.object({
          ok: z.boolean(),
          pack_id: text,
          pack_dir: text,
          pack_zip: text,
          manifest_path: text,
          error: text,
        }),
      },
    },
    handle: async ({ house, params, body, caller, services }) => {
      await workingSetOf(house, params.run_id, fullMissing)
      const { path, id } = await save(house, params.run_id, { kind: 'full', caller, at: services.clock.now() })
      // A pack is always one file: what stands for its folder is that file, too, and can be loaded like it.
      const pack_zip = body.zip_pack ? path : null
      return {
        body: { ok: true, pack_id: id, pack_dir: path, pack_zip, manifest_path: `${path}/${MANIFEST}`, error: null },
      }
    },
  }),
]

const MANIFEST = 'manifest.v2.1.json'

/** Mistakes in a pack, and not in the server. */
const isRefusal = ({ code }: CallboardError): boolean =>
  (code.startsWith('pack.') || code.startsWith('task.') || code === 'run.invalid-id') && code !== 'pack.unreadable'

interface SaveOptions {
  readonly kind: 'full' | 'simple'
  readonly caller: Caller
  readonly at: number
}

/** The path as it is answered: relative to the workspace. */
async function save(
  house: House,
  runId: string,
  { kind, caller, at }: SaveOptions,
): Promise<{ readonly path: string; readonly id: string }> {
  const folder = folderOf(house)
  await mkdir(folder, { recursive: true })
  const pack = await tasksOf(house).pack(runId, { kind })
  const read = kind === 'full' ? await readPack(pack.bytes) : undefined
  const id = read?.kind === 'full' ? read.manifest.pack_id : ''
  const path = await savePack(pack, { folder, at })
  const name = basename(relative(folder, path))
  await tasksOf(house).log(
    runId,
    { event_type: 'RESUME_SNAPSHOT', payload: { pack_id: id === '' ? name : id } },
    writerOf(caller),
  )
  return { path: name, id }
}

/** The file of a pack that was asked for by the path it was answered with, if it is one and no link. */
async function packIn(house: House, asked: string): Promise<string | undefined> {
  const name = asked.replace(new RegExp(`/${MANIFEST.replaceAll('.', String.raw`\.`)}$`), '')
  if (!/^[\w][\w.-]*\.zip$/.test(name)) return undefined
  const file = join(folderOf(house), name)
  const found = await lstat(file).catch(() => undefined)
  return found?.isFile() === true ? file : undefined
}

function folderOf({ packs }: House): string {
  if (packs !== undefined) return packs
  throw new CallboardError('server.not-found', 'this server has no folder for packs', {})
}
