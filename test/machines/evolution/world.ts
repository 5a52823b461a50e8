// Small projects on disk and the whole run over them, for the tests of the toolkit.
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterEach } from 'vitest'
import {
  analyse,
  evaluate,
  findSources,
  implement,
  makeCopy,
  makePatch,
  makePlan,
  research,
} from '../../../machines/evolution/index.ts'
import type {
  Analysis,
  Evaluation,
  Focus,
  Implementation,
  Plan,
  Research,
  Sources,
  WorkingCopy,
} from '../../../machines/evolution/index.ts'

export const checkout: string = resolve(import.meta.dirname, '../../..')
export const tsc: string = join(checkout, 'node_modules/typescript/bin/tsc')
export const now = (): number => Date.UTC(2026, 0, 2, 3, 4, 5)

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

/** A folder that is deleted after the test. */
export function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'evolution-test-'))
  folders.push(folder)
  return folder
}

/** A project of the given files. */
export function makeProject(files: Readonly<Record<string, string>>): string {
  const root = makeFolder()
  for (const [file, content] of Object.entries({ 'package.json': '{"name":"sample","type":"module"}', ...files })) {
    mkdirSync(dirname(join(root, file)), { recursive: true })
    writeFileSync(join(root, file), content)
  }
  return root
}

/** Lends the checkout's packages to a project, so that its compiler and types are found. */
export function linkPackages(root: string): void {
  symlinkSync(join(checkout, 'node_modules'), join(root, 'node_modules'))
}

export interface Run {
  readonly sources: Sources
  readonly analysis: Analysis
  readonly research: Research
  readonly plan: Plan
  readonly copy: WorkingCopy
  readonly implementation: Implementation
  readonly after: Analysis
  readonly evaluation: Evaluation
  readonly patch: string
}

/** The whole way from a path to a patch. */
export async function evolve(path: string, options: { focus?: readonly Focus[]; tscPath?: string } = {}): Promise<Run> {
  const sources = await findSources({ path })
  const [analysis, found] = await Promise.all([analyse({ sources, now }), research({ sources, now })])
  const plan = makePlan({ analysis, research: found, now, ...(options.focus && { focus: options.focus }) })
  const copy = await makeCopy({ root: sources.root, files: sources.files, parent: makeFolder() })
  const { tscPath } = options
  const implementation = await implement({ plan, sources, copy, conventions: found.conventions, tscPath, now })
  const after = await analyse({ sources: { ...sources, root: copy.directory }, now })
  const evaluation = evaluate({ before: analysis, plan, implementation, after, now })
  const { directory } = copy
  const patch = await makePatch({ root: sources.root, directory, files: implementation.modifiedFiles })
  return { sources, analysis, research: found, plan, copy, implementation, after, evaluation, patch }
}

/** What becomes of one file of a project. */
export async function evolveFile(
  file: string,
  content: string,
  others: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { copy } = await evolve(makeProject({ ...others, [file]: content }))
  return readFileSync(join(copy.directory, file), 'utf8')
}

/** One hash over every file below a folder, links and packages apart. */
export function hashOf(folder: string): string {
  const hash = createHash('sha256')
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }).sort((a, b) =>
    pathOf(a) < pathOf(b) ? -1 : 1,
  )) {
    // Where the command line keeps its runs.
    if (/node_modules|\.callboard/.test(pathOf(entry))) continue
    hash.update(`${pathOf(entry)}\n`)
    if (entry.isFile() && existsSync(pathOf(entry))) hash.update(readFileSync(pathOf(entry)))
  }
  return hash.digest('hex')
}

const pathOf = (entry: { parentPath: string; name: string }): string => join(entry.parentPath, entry.name)
