import { findCompiler, newErrors, runCompiler } from './compiler.ts'
import type { CompilerError, CompilerOutcome } from './compiler.ts'
import type { Drafts } from './drafts.ts'
import type { Project } from './project.ts'
import type { Compilation } from './schema.ts'

/** What is needed to ask the compiler about a working copy. */
export interface SettleOptions {
  readonly directory: string
  readonly project: Project
  readonly tscPath?: string | undefined
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** So many times the compiler is asked before everything that could be guilty is taken back. */
const MAX_RUNS = 12

/**
 * Writes the drafts and lets the compiler compare: tasks that bring new errors are taken back until there are none. The
 * first run must happen before anything is written.
 */
export async function settle(drafts: Drafts, options: SettleOptions): Promise<Compilation> {
  const { project, directory, tscPath } = options
  const { tsconfigFile } = project
  if (drafts.steps.length === 0) return { compiled: 'ok', before: 0, errors: 0, note: 'nothing was changed' }
  const compiler = await findCompiler(directory, tscPath)
  if (tsconfigFile === undefined || compiler === undefined) {
    await drafts.write()
    const note = tsconfigFile === undefined ? 'there is no tsconfig.json' : 'no TypeScript compiler was found'
    return { compiled: tsconfigFile === undefined ? 'no-tsconfig' : 'unavailable', before: 0, errors: 0, note }
  }
  const check = () => runCompiler({ ...options, compiler, tsconfigFile })
  const before = await check()
  if (before.kind === 'failed') {
    await drafts.write()
    return { compiled: 'failed', before: 0, errors: 0, note: before.note }
  }
  const blinding = findBlinding(before.errors, tsconfigFile)
  if (blinding) {
    await drafts.write()
    const errors = before.errors.length
    const note = `the compiler did not get as far as types: ${blinding.file} ${blinding.text}`
    return { compiled: 'failed', before: errors, errors, note }
  }
  return takeBackGuilty(drafts, before.errors, check)
}

/** With errors in its settings, or nothing but errors of syntax, the compiler stops before it looks at types. */
function findBlinding(errors: readonly CompilerError[], tsconfigFile: string): CompilerError | undefined {
  const isOfSyntax = ({ text }: CompilerError) => /^TS1\d{3}:/.test(text)
  return (
    errors.find(({ file }) => file === '' || file === tsconfigFile) ??
    (errors.every(isOfSyntax) ? errors[0] : undefined)
  )
}

async function takeBackGuilty(
  drafts: Drafts,
  before: readonly CompilerError[],
  check: () => Promise<CompilerOutcome>,
): Promise<Compilation> {
  const fresh = async (): Promise<readonly CompilerError[]> => {
    await drafts.write()
    const outcome = await check()
    return outcome.kind === 'checked' ? newErrors(before, outcome.errors) : [{ file: '', text: outcome.note }]
  }
  let runs = 0
  let takenBack = 0
  for (;;) {
    const errors = await fresh()
    runs++
    const [first] = errors
    if (!first) break
    const guilty = runs > MAX_RUNS ? allTasks(drafts) : (suspectsFor(drafts, errors) ?? (await bisect(drafts, fresh)))
    if (guilty.size === 0)
      return { compiled: 'failed', before: before.length, errors: before.length + errors.length, note: first.text }
    drafts.takeBack(guilty, `the compiler reports a new error: ${first.file} ${first.text}`)
    takenBack += guilty.size
  }
  const note = takenBack === 0 ? 'no new errors' : `no new errors after taking ${takenBack} tasks back`
  return { compiled: takenBack === 0 ? 'ok' : 'rolled-back', before: before.length, errors: before.length, note }
}

const allTasks = (drafts: Drafts): ReadonlySet<string> => new Set(drafts.steps.map(({ task }) => task.id))

/** The tasks of the files with errors, those that only write comments last; undefined when there are none. */
function suspectsFor(drafts: Drafts, errors: readonly CompilerError[]): ReadonlySet<string> | undefined {
  const files = new Set(errors.map(({ file }) => file))
  const near = drafts.steps.filter(({ task }) => files.has(task.file)).map(({ task }) => task)
  const strong = near.filter(({ edit }) => edit !== 'document')
  const suspects = strong.length > 0 ? strong : near
  return suspects.length > 0 ? new Set(suspects.map(({ id }) => id)) : undefined
}

/** Narrows down to one file whose tasks make an error elsewhere; comments are looked at when nothing else is left. */
async function bisect(drafts: Drafts, fresh: () => Promise<readonly CompilerError[]>): Promise<ReadonlySet<string>> {
  const strong = drafts.steps.filter(({ task }) => task.edit !== 'document')
  const byFile = Map.groupBy(strong.length > 0 ? strong : drafts.steps, ({ task }) => task.file)
  let candidates = [...byFile.values()].map((steps) => steps.map(({ task }) => task.id))
  while (candidates.length > 1) {
    const half = candidates.slice(0, candidates.length >> 1)
    drafts.mute(new Set(half.flat()))
    const isClean = (await fresh()).length === 0
    candidates = isClean ? half : candidates.slice(half.length)
  }
  drafts.mute(undefined)
  return new Set(candidates.flat())
}
