import { readFile, realpath } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { contextFor } from './analysis.ts'
import type { WorkingCopy } from './copy.ts'
import { Drafts } from './drafts.ts'
import type { EditContext } from './edits/index.ts'
import { EvolutionError } from './error.ts'
import { createModuleGraph, summariseModule } from './module-graph.ts'
import type { ModuleSummary } from './module-graph.ts'
import { forEachWatched } from './progress.ts'
import type { Watched } from './progress.ts'
import { readProject } from './project.ts'
import type { Project } from './project.ts'
import type { Conventions, DroppedTask, Implementation, Plan, Task } from './schema.ts'
import { settle } from './settle.ts'
import type { Sources } from './sources.ts'
import { decode } from './sources.ts'
import { parseSource } from './syntax-tree.ts'

/** What carrying out a plan needs. */
export interface ImplementOptions extends Watched {
  readonly plan: Plan
  /** The sources as they were found in the project; the same paths are read and written in the copy. */
  readonly sources: Sources
  readonly copy: Pick<WorkingCopy, 'root' | 'directory'>
  readonly conventions: Conventions
  /** A TypeScript compiler for projects that bring none: the path of `typescript/bin/tsc`. */
  readonly tscPath?: string | undefined
  readonly tscTimeoutMs?: number
  /** What somebody has written about an exported name, on one line. */
  readonly commentFor?: EditContext['commentFor']
  readonly now: () => number
}

/**
 * Carries the automatic tasks of a plan out on a working copy. A task whose result does not parse or brings a new error
 * of the compiler is taken back; that does not stop those that depend on it, since dependencies only say what goes
 * first. When the function fails or is aborted, the copy is as it was.
 */
export async function implement(options: ImplementOptions): Promise<Implementation> {
  const { plan, sources, copy, conventions, tscPath, tscTimeoutMs = 120_000, commentFor, signal, now } = options
  await assertApart(copy)
  const project = await readProject(copy.directory)
  const known = new Set(sources.files)
  const automatic = plan.tasks.filter(({ automatic: isAutomatic }) => isAutomatic)
  const strangers = automatic.filter(({ file }) => !known.has(file))
  const byFile = Map.groupBy(
    automatic.filter(({ file }) => known.has(file)),
    ({ file }) => file,
  )
  const prepared = await prepare(project, sources, automatic, conventions, signal)
  const context = commentFor === undefined ? prepared : { ...prepared, commentFor }
  const drafts = new Drafts(copy.directory, context)
  await forEachWatched(
    [...byFile],
    options,
    ([file]) => file,
    ([file, tasks]) => drafts.improve(file, tasks),
  )
  try {
    const compilation = await settle(drafts, {
      directory: copy.directory,
      project,
      tscPath,
      timeoutMs: tscTimeoutMs,
      signal,
    })
    const dropped = [...strangers.map(asStranger), ...drafts.dropped]
    return { ...summarise(plan, drafts, dropped), compilation, storedAt: new Date(now()).toISOString() }
  } catch (error) {
    await drafts.restore()
    throw error
  }
}

/** Writing to the project itself, or to a folder that holds it, would be no copy. */
async function assertApart({ root, directory }: ImplementOptions['copy']): Promise<void> {
  const [original, target] = await Promise.all([root, directory].map(existing))
  if (original === undefined || target === undefined) return
  if (relative(target, original).startsWith('..') || relative(target, original).startsWith('/')) return
  throw new EvolutionError(
    'evolution.same-directory',
    `"${directory}" holds the project itself; make a copy with makeCopy and pass that`,
    directory,
  )
}

const existing = (path: string): Promise<string> =>
  realpath(path).catch((cause: unknown) => {
    throw new EvolutionError('evolution.no-such-path', `no such folder "${path}"; make the copy again`, path, { cause })
  })

/** Which modules are inert has to be known only to take imports out. */
async function prepare(
  project: Project,
  sources: Sources,
  tasks: readonly Task[],
  conventions: Conventions,
  signal: AbortSignal | undefined,
): Promise<EditContext> {
  const summaries: ModuleSummary[] = []
  const files = tasks.some(({ edit }) => edit === 'remove-imports') ? sources.files : []
  await forEachWatched(
    files,
    { signal },
    (file) => file,
    async (file) => {
      const content = decode(await readFile(join(project.root, file)).catch(() => new Uint8Array([0xff])))
      const outcome = content === undefined ? undefined : parseSource(file, content)
      if (outcome?.kind === 'tree') summaries.push(summariseModule(outcome.tree))
    },
  )
  return { ...contextFor(project, createModuleGraph(summaries)), conventions }
}

function summarise(
  plan: Plan,
  drafts: Drafts,
  dropped: readonly DroppedTask[],
): Omit<Implementation, 'compilation' | 'storedAt'> {
  const order = new Map(plan.tasks.map(({ id }, index) => [id, index]))
  const position = (id: string) => order.get(id) ?? 0
  const steps = drafts.steps.toSorted((a, b) => position(a.task.id) - position(b.task.id))
  const changes = steps.flatMap((step) => step.changes)
  return {
    modifiedFiles: [...new Set(steps.map(({ task }) => task.file))].sort(),
    changes,
    rollbackPoints: steps.map(({ point }) => point),
    totalChanges: changes.length,
    done: steps.map(({ task }) => task.id),
    dropped: dropped.toSorted((a, b) => position(a.task) - position(b.task)),
  }
}

const asStranger = ({ id, file }: Task): DroppedTask => ({
  task: id,
  file,
  reason: 'the file is not among the sources; plan again with the sources you pass',
})
