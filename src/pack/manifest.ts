// Manifest: what a full pack says of itself, in the format of S4 (version 2.1). What S4 does not know stands under
// `pointers`, which may say anything.
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { manifestError, pathError } from './pack-errors.ts'
import { pathProblem } from './pack-path.ts'

export const MANIFEST_FILE = 'manifest.v2.1.json'
export const PACK_SCHEMA_VERSION = '2.1'

/** What can go on with a pack that this version writes, and what it can go on with itself. */
export const PACK_ENGINE = 'callboard-pack/1'

const text = z.string().min(1)
const seq = z.int().min(0)
const texts = z.array(text)

/** Where the parts of a pack are, and whose they are. */
const Pointers = z
  .looseObject({
    ledger_last_seq: seq,
    run_id: text.optional(),
    workflow: text.optional(),
    workflow_version: z.string().optional(),
    status: z.enum(['active', 'done', 'error', 'stopped']).optional(),
    /** Files. */
    working_set: text.optional(),
    ledger: text.optional(),
    latest_episode: text.optional(),
    /** Items of a memory that its episodes name. */
    memory_ids: texts.readonly().optional(),
    /** Entries that hold the id of the run. */
    id_entries: texts.readonly().optional(),
    /** The run and its child runs, the run first: what it is gone on with from. */
    runs: z
      .array(z.strictObject({ run_id: text, ledger: text, snapshots: text.optional(), last_seq: seq }).readonly())
      .min(1)
      .readonly()
      .optional(),
  })
  .readonly()

const Manifest = z
  .strictObject({
    _schema_version: z.literal(PACK_SCHEMA_VERSION),
    pack_id: z.string().regex(/^pack_[0-9a-f]{8,64}$/),
    created_at: z.iso.datetime({ offset: true }),
    compatible_engine_versions: texts.min(1).readonly(),
    /** SHA-256 in hexadecimal, by path. */
    files: z.record(z.string(), z.string().regex(/^[0-9a-f]{64}$/)).readonly(),
    pointers: Pointers,
  })
  .readonly()

/** What a full pack says of itself. */
export type PackManifest = z.infer<typeof Manifest>
export type PackPointers = z.infer<typeof Pointers>

export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}

/** @throws CallboardError `pack.manifest`, `pack.path` */
export function parseManifest(content: string): PackManifest {
  const parsed = Manifest.safeParse(parseJson(content))
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw manifestError(MANIFEST_FILE, `${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? 'invalid'}`)
  }
  const { files, pointers } = parsed.data
  const { working_set, ledger, latest_episode, runs = [] } = pointers
  const pointed = [working_set, ledger, latest_episode, ...runs.flatMap((run) => [run.ledger, run.snapshots])]
  for (const path of [...Object.keys(files), ...pointed]) {
    const rule = path === undefined ? undefined : pathProblem(path)
    if (path !== undefined && rule !== undefined) throw pathError(path, rule)
  }
  for (const path of pointed) {
    if (path !== undefined && !Object.hasOwn(files, path))
      throw manifestError(MANIFEST_FILE, `it points to ${JSON.stringify(path)}, which is not among its files`)
  }
  return parsed.data
}

function parseJson(content: string): unknown {
  try {
    return JSON.parse(content)
  } catch (error) {
    throw manifestError(MANIFEST_FILE, 'it is not JSON', error)
  }
}
