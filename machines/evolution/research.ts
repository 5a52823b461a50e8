import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { conventionsFrom } from './conventions.ts'
import { collectFacts } from './facts.ts'
import type { FileFacts } from './facts.ts'
import { practices } from './practices.ts'
import type { Practice } from './practices.ts'
import { forEachWatched } from './progress.ts'
import type { Watched } from './progress.ts'
import { readProject } from './project.ts'
import type { Pattern, Research } from './schema.ts'
import { decode } from './sources.ts'
import type { Sources } from './sources.ts'
import { parseSource } from './syntax-tree.ts'

/**
 * Reads what a project says about itself (settings, documents, style) and matches it against a catalogue of practices.
 * Files that cannot be read or parsed are the analysis's business and left out here.
 */
export async function research(
  options: {
    readonly sources: Sources
    readonly catalogue?: readonly Practice[]
    readonly now: () => number
  } & Watched,
): Promise<Research> {
  const { sources, catalogue = practices, now } = options
  const files: FileFacts[] = []
  await forEachWatched(
    sources.files,
    options,
    (file) => file,
    async (file) => {
      const content = decode(await readFile(join(sources.root, file)).catch(() => new Uint8Array([0xff])))
      const outcome = content === undefined ? undefined : parseSource(file, content)
      if (outcome?.kind === 'tree') files.push(collectFacts(outcome.tree))
    },
  )
  const facts = { project: await readProject(sources.root), files }
  const bestPractices = catalogue.map(({ check, ...practice }) => ({ ...practice, ...check(facts) }))
  const conventions = conventionsFrom(
    files.map(({ style }) => style),
    files.map(({ file }) => file),
  )
  return {
    bestPractices,
    references: [...new Set(bestPractices.map(({ reference }) => reference))].sort(),
    patterns: findPatterns(files),
    conventions,
    storedAt: new Date(now()).toISOString(),
  }
}

/** Ways of writing that occur at least twice, most frequent first. */
function findPatterns(files: readonly FileFacts[]): Pattern[] {
  const sources = files.filter(({ isTest }) => !isTest)
  const total = (count: (file: FileFacts) => number) => sources.reduce((sum, file) => sum + count(file), 0)
  const where = (test: (file: FileFacts) => boolean) => sources.filter(test).map(({ file }) => file)
  const named = (pattern: RegExp) => sources.flatMap(({ names }) => names.filter((name) => pattern.test(name)))
  const byName = (id: string, title: string, pattern: RegExp) => ({
    id,
    title,
    count: named(pattern).length,
    examples: named(pattern),
  })
  const byCount = (id: keyof FileFacts['counts'], title: string) => ({
    id,
    title,
    count: total(({ counts }) => counts[id]),
    examples: where(({ counts }) => counts[id] > 0),
  })
  return [
    byName('factory', 'functions that create something', /^(create|make|build|open)[A-Z]/),
    byName('predicate', 'functions that answer yes or no', /^(is|has|can|should)[A-Z]/),
    byName('hook', 'hooks', /^use[A-Z]/),
    byName('assertion', 'functions that assert', /^assert[A-Z]/),
    byCount('errorClass', 'error classes of its own'),
    byCount('async', 'asynchronous functions'),
    byCount('then', 'chains of then'),
    byCount('class', 'classes'),
    byCount('function', 'function declarations'),
    byCount('typeImport', 'imports of types only'),
    byCount('reexport', 'files handed on as a whole'),
    byCount('defaultExport', 'default exports'),
  ]
    .filter(({ count }) => count >= 2)
    .map((pattern) => ({ ...pattern, examples: pattern.examples.slice(0, 3) }))
    .sort((a, b) => b.count - a.count || (a.id < b.id ? -1 : 1))
}
