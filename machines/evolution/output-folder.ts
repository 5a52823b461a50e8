// The folder that an evolution leaves its results in. Nothing is created before there is something to put into it.
import type { Run } from 'callboard'
import { access, constants, mkdir, realpath, stat, writeFile } from 'node:fs/promises'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { EvolutionError } from './error.ts'
import { exportEvolution, readEvolution } from './export.ts'
import { reportJson, reportMarkdown } from './report.ts'
import { writeWhole } from './write-file.ts'

/** The files that were written; null where there was nothing to say. */
export interface WrittenFiles {
  readonly directory: string
  readonly patch: string | null
  readonly reportJson: string | null
  readonly reportMarkdown: string | null
  readonly context: string
}

const FOLDER = 'callboard-out'

/** The folder for an evolution unless another is asked for. */
export const defaultFolder = (evolutionId: string): string => join(FOLDER, evolutionId)

/**
 * Makes sure, before anything is done, that a folder can be written to and is no part of the target: only where people
 * work in the target itself, the folder lies below it.
 *
 * @throws EvolutionError `evolution.bad-folder`
 */
export async function assertFolder(
  folder: string,
  { target, cwd, option = '--out' }: { readonly target: string; readonly cwd: string; readonly option?: string },
): Promise<void> {
  const bad = (why: string) =>
    new EvolutionError(
      'evolution.bad-folder',
      `cannot write to "${folder}": ${why}; name another folder with ${option}`,
      folder,
    )
  const path = resolve(cwd, folder)
  const existing = await nearestExisting(path)
  if (!(await stat(existing)).isDirectory()) throw bad(`"${existing}" is a file`)
  await access(existing, constants.W_OK).catch(() => {
    throw bad(`"${existing}" is write-protected`)
  })
  const real = join(await realpath(existing), relative(existing, path))
  const realTarget = await realpath(resolve(cwd, target)).catch(() => undefined)
  if (realTarget === undefined || realTarget === (await realpath(cwd))) return
  if (real === realTarget || real.startsWith(realTarget + sep)) throw bad(`it lies inside of "${target}"`)
}

/** Writes what is known: the patch and the reports once the evaluation is there, the context in any case. */
export async function writeResults(
  run: Pick<Run, 'id' | 'get'>,
  { folder, cwd, now }: { readonly folder: string; readonly cwd: string; readonly now: () => number },
): Promise<WrittenFiles> {
  const directory = resolve(cwd, folder)
  await mkdir(directory, { recursive: true })
  if (dirname(directory) === resolve(cwd, FOLDER)) await ignoreInGit(dirname(directory))
  const known = readEvolution(run)
  const { targetPath: target, implementationPatch } = known
  const { originalAnalysis: analysis, externalResearch: research, improvementPlan: plan } = known
  const { implementationLog: implementation, evaluationResults: evaluation, wording, wordingUsage } = known
  const write = async (name: string, content: string): Promise<string> => {
    await writeWhole(join(directory, name), content)
    return join(directory, name)
  }
  const hasAll = analysis && research && plan && implementation && evaluation
  const sections = hasAll
    ? { target, analysis, research, plan, implementation, evaluation, wording, wordingUsage }
    : undefined
  return {
    directory,
    // Git takes no empty patch.
    patch: implementationPatch ? await write('changes.patch', implementationPatch) : null,
    reportJson: sections ? await write('report.json', reportJson(sections, now)) : null,
    reportMarkdown: sections ? await write('report.md', reportMarkdown(sections, now)) : null,
    context: await exportEvolution(run, directory, { now }),
  }
}

async function nearestExisting(path: string): Promise<string> {
  for (let current = path; ; current = dirname(current)) {
    const exists = await access(current).then(
      () => true,
      () => false,
    )
    if (exists || dirname(current) === current) return current
  }
}

/** Other projects do not list the folder among what Git ignores: it does so itself. */
async function ignoreInGit(folder: string): Promise<void> {
  await writeFile(join(folder, '.gitignore'), '*\n', { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
}
