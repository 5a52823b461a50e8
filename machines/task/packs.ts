// Packs of tasks, in the forms of S4: the simple one with a working set and its ledger, and the full one. What S4 has made
// is begun anew in a store that forgets, packed, and unpacked like any other pack: checked first, and whole or not at all.
import { CallboardError, createRuntime, systemClock } from 'callboard'
import type { Runtime } from 'callboard'
import type { PackDescription, PackForm, PackLimits, PackSource, ReadPack, Unpacked } from 'callboard/pack'
import { FIELDS, readWorkingSet } from './board.ts'
import type { TaskFields } from './board.ts'
import { taskLedgerLines } from './ledger.ts'
import { LedgerLine } from './ledger-event.ts'
import { restoredWorkingSet } from './patch.ts'
import type { TaskLimits } from './patch.ts'
import type { TaskWorkflow } from './tasks.ts'
import { describeIssue, SCHEMA_VERSION, WorkingSet } from './working-set.ts'

/** Packs of AoS, whose formats ours are. */
const AOS_ENGINE = 'aos-context/2.1.0'

const FULL = { ws: 'state/working_set.v2.1.json', ledger: 'ledger/run.v2.1.jsonl' } as const
const SIMPLE = { ws: 'working_set.json', ledger: 'run.jsonl' } as const

/** `full` holds everything the run goes on with; `simple` a working set and its ledger in JSONL, and nothing else. */
export type TaskPackKind = 'full' | 'simple'

/** A task as one file: write it with `savePack`. */
export interface TaskPack {
  readonly bytes: Uint8Array
  /** The id of the task: its file is named after it. */
  readonly name: string
}

export interface TaskUnpackOptions {
  /** The id of the run; made up unless given. */
  readonly runId?: string
  readonly by?: string
  /** For the record: where the pack was found. */
  readonly from?: string
  readonly limits?: Partial<PackLimits>
}

const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`

/** The files of S4 in the pack of a task. */
export const taskPackForm: PackForm = {
  describe: ({ records, values, episode }): PackDescription => {
    const at = (seq?: number): WorkingSet => readWorkingSet({ get: (key) => values(seq).get(key) as never })
    const ws = at()
    const files = { [FULL.ws]: json(ws), [FULL.ledger]: taskLedgerLines(records) }
    const about = { name: ws.task_id, workingSet: FULL.ws, idEntries: ['run_id'], engines: [AOS_ENGINE] }
    if (episode === undefined) return { ...about, files }
    const { id, seq, fromSeq = seq, summary, memoryCommits, nextEntryPoint = '' } = episode
    const path = `episodes/${id.replaceAll(/[^\w-]/g, '_')}.v2.1.json`
    const line = {
      _schema_version: SCHEMA_VERSION,
      episode_id: id,
      created_at: new Date(episode.at).toISOString(),
      summary,
      ws_before: at(fromSeq),
      ws_after: at(seq),
      memory_commits: memoryCommits,
      next_entry_point: nextEntryPoint,
    }
    return { ...about, files: { ...files, [path]: json(line) }, latestEpisode: path }
  },
}

/** @throws CallboardError `pack.trimmed` */
export async function packTask(runtime: Runtime, runId: string, kind: TaskPackKind): Promise<TaskPack> {
  const { createArchive, packRun } = await import('callboard/pack')
  if (kind === 'full') return packRun(runtime.store, runId, { form: taskPackForm })
  const run = await runtime.open(runId)
  const ws = readWorkingSet(run as never)
  const files = { [SIMPLE.ws]: json(ws), [SIMPLE.ledger]: taskLedgerLines(await run.ledger()) }
  return { bytes: createArchive(files), name: ws.task_id }
}

/** @throws CallboardError `pack.…`, `task.invalid`, `task.size`, `run.exists` */
export async function unpackTask(
  runtime: Runtime,
  source: PackSource,
  { limits = {}, ...options }: TaskUnpackOptions,
  made: { readonly workflow: TaskWorkflow; readonly limits: TaskLimits },
): Promise<Unpacked> {
  const { PACK_ENGINE, readPack, unpackRun } = await import('callboard/pack')
  const pack = await readPack(source, limits)
  const clock = { now: () => runtime.now }
  const engines = pack.kind === 'full' ? pack.manifest.compatible_engine_versions : [AOS_ENGINE]
  if (engines.includes(AOS_ENGINE) && !engines.includes(PACK_ENGINE)) {
    const bytes = await begunAnew(pack, runtime, made)
    const from = pack.kind === 'full' ? { from: pack.manifest.pack_id } : {}
    return unpackRun(runtime.store, bytes, { ...from, ...options, clock })
  }
  if (pack.kind === 'full' && pack.manifest.pointers.workflow !== 'task')
    throw new CallboardError('task.invalid', 'the pack is that of another workflow; unpackRun() takes it', {
      workflow: pack.manifest.pointers.workflow,
    })
  return unpackRun(runtime.store, pack, { ...options, clock })
}

/** A pack of ours with the working set and the ledger of one that S4 has made. */
async function begunAnew(
  pack: ReadPack,
  { now }: Runtime,
  { workflow, limits }: { readonly workflow: TaskWorkflow; readonly limits: TaskLimits },
): Promise<Uint8Array> {
  const { packRun } = await import('callboard/pack')
  const places = pack.kind === 'simple' ? SIMPLE : FULL
  const ws = parseWorkingSet(places.ws, textIn(pack, places.ws))
  const ledger = parseLedger(places.ledger, textIn(pack, places.ledger))
  const fitted = restoredWorkingSet(ws, limits)
  if (!fitted.ok) throw new CallboardError('task.size', `task ${ws.run_id}: ${fitted.error}`, { runId: ws.run_id })
  const runtime = await createRuntime({ clock: { ...systemClock, now: () => now }, workflows: [workflow] })
  try {
    const { objective, task_id, thread_id, run_id: runId } = ws
    const run = await runtime.start(workflow, { runId, input: { objective, task_id, thread_id, run_id: runId } })
    await run.send({ type: 'restore', ws, ledger })
    return (await packRun(runtime.store, runId, { form: taskPackForm })).bytes
  } finally {
    await runtime.close({ runs: 'keep' })
  }
}

function textIn({ files }: ReadPack, file: string): string | undefined {
  const content = files.get(file)
  if (content === undefined) return undefined
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content)
  } catch (cause) {
    throw invalid(file, 'it is not UTF-8', cause)
  }
}

function parseWorkingSet(file: string, text: string | undefined): WorkingSet {
  const parsed = WorkingSet.safeParse(parseJson(file, text ?? 'null'))
  if (!parsed.success) throw invalid(file, `Invalid working set schema: ${describeIssue(parsed.error)}`)
  return parsed.data
}

/** A last line without its end was cut off in a crash, and is passed over. */
function parseLedger(file: string, text = ''): readonly LedgerLine[] {
  const lines = text.split('\n').slice(0, -1)
  return lines.map((line, index) => {
    const parsed = LedgerLine.safeParse(parseJson(file, line))
    if (!parsed.success) throw invalid(file, `line ${index + 1}: ${describeIssue(parsed.error)}`)
    return parsed.data
  })
}

function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw invalid(file, 'it is not JSON', cause)
  }
}

function invalid(file: string, why: string, cause?: unknown): CallboardError {
  return new CallboardError('task.invalid', `"${file}" in the pack cannot be used: ${why}`, { file }, { cause })
}

/** What restoring a working set writes: everything but what the task was begun with. */
export function restoredFields(ws: WorkingSet): Partial<TaskFields> {
  const begun: readonly string[] = ['task_id', 'thread_id', 'run_id', 'objective']
  const names = FIELDS.filter((name) => !begun.includes(name))
  return Object.fromEntries(names.map((name) => [name, ws[name]])) as Partial<TaskFields>
}
