import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { edits, findDocumentable } from './edits/index.ts'
import type { EditContext } from './edits/index.ts'
import { findIssues } from './find-issues.ts'
import type { Finding } from './find-issues.ts'
import { measureFunctions } from './functions.ts'
import type { FunctionMeasure } from './functions.ts'
import { createModuleGraph, summariseModule } from './module-graph.ts'
import type { ModuleGraph, ModuleSummary } from './module-graph.ts'
import { EvolutionError } from './error.ts'
import { forEachWatched } from './progress.ts'
import type { Watched } from './progress.ts'
import { elidesImports, entryFiles, isSideEffectFree, readProject } from './project.ts'
import type { Project } from './project.ts'
import { defaultConventions } from './conventions.ts'
import type { Analysis, FileMeasure, Issue, Metrics, Skipped } from './schema.ts'
import { decode, isTestFile } from './sources.ts'
import type { Sources } from './sources.ts'
import { parseSource, placeOf } from './syntax-tree.ts'
import type { SyntaxTree } from './syntax-tree.ts'
import { measureTypes } from './type-coverage.ts'

interface Measured {
  readonly file: string
  readonly lines: number
  readonly functions: readonly FunctionMeasure[]
  readonly exportedNames: number
  readonly exportedFunctions: number
  readonly typedFunctions: number
  readonly summary: ModuleSummary
  readonly findings: readonly (Finding & { readonly line: number; readonly column: number })[]
}

/**
 * Measures the sources of a project and names what could be better. A file that does not parse becomes an issue with
 * its place and takes no part in the metrics.
 */
export async function analyse(
  options: { readonly sources: Sources; readonly now: () => number } & Watched,
): Promise<Analysis> {
  const { sources, now } = options
  const project = await readProject(sources.root)
  const measured: Measured[] = []
  const failures: Issue[] = []
  const skipped: Skipped[] = [...sources.skipped]
  const parsed = (file: string) => parseFile({ root: sources.root, file, failures, skipped })
  await forEachWatched(
    sources.files,
    options,
    (file) => file,
    async (file) => {
      const tree = await parsed(file)
      if (tree) measured.push(measure(tree))
    },
  )
  const graph = createModuleGraph(measured.map(({ summary }) => summary))
  const context = contextFor(project, graph)
  const issues = [...failures]
  await forEachWatched(
    measured,
    { signal: options.signal },
    ({ file }) => file,
    async (file) => {
      const tree = file.findings.length > 0 ? await parsed(file.file) : undefined
      if (tree) issues.push(...issuesOf(tree, file, context))
      if (sources.files.length > 1) issues.push(...unusedExports(file, graph, project))
    },
  )
  return summarise({ measured, issues: issues.sort(byPlace), skipped, now })
}

/**
 * Makes sure that there is something to work with: a file that does not parse among others is an issue, but where none
 * parses nothing can be improved.
 *
 * @throws EvolutionError `evolution.does-not-parse` with the place of the first error
 */
export function assertParses({ filesAnalyzed, issues }: Analysis): void {
  const failure = issues.find(({ kind }) => kind === 'parse-error')
  if (filesAnalyzed.length > 0 || failure === undefined) return
  const { file, line, column, message } = failure
  const place = `${file}:${line}:${column}`
  throw new EvolutionError('evolution.does-not-parse', `${place} does not parse: ${message}; correct it first`, file)
}

interface Reading {
  readonly root: string
  readonly file: string
  readonly failures: Issue[]
  readonly skipped: Skipped[]
}

/** The tree of a file; where there is none, the reason is added to the lists. */
async function parseFile({ root, file, failures, skipped }: Reading): Promise<SyntaxTree | undefined> {
  const bytes = await readFile(join(root, file)).catch(() => undefined)
  const content = bytes && decode(bytes)
  if (content === undefined) {
    skipped.push({ file, reason: 'the file cannot be read as UTF-8; check its permissions and encoding' })
    return undefined
  }
  const outcome = parseSource(file, content)
  if (outcome.kind === 'tree') return outcome.tree
  const { message, line, column } = outcome.failure
  const place = { file, line, column, name: file, edit: null }
  failures.push({ kind: 'parse-error', area: 'syntax', severity: 'error', confidence: 'high', message, ...place })
  return undefined
}

/** What the edits have to know about a project; conventions are the researcher's part. */
export function contextFor(project: Project, graph: ModuleGraph): EditContext {
  return {
    conventions: defaultConventions,
    graph,
    elidesImports: elidesImports(project),
    sideEffectFree: isSideEffectFree(project),
  }
}

function measure(tree: SyntaxTree): Measured {
  const types = measureTypes(tree)
  const isTest = isTestFile(tree.file)
  return {
    file: tree.file,
    lines: tree.lineStarts.length - (tree.text.endsWith('\n') ? 1 : 0),
    functions: measureFunctions(tree),
    exportedNames: isTest ? 0 : findDocumentable(tree).length,
    exportedFunctions: isTest ? 0 : types.length,
    typedFunctions: isTest
      ? 0
      : types.filter(({ untypedParameters, returnTyped }) => returnTyped && untypedParameters.length === 0).length,
    summary: summariseModule(tree),
    findings: findIssues(tree).map((finding) => ({ ...finding, ...placeOf(tree, finding.at) })),
  }
}

/** Issues are automatic exactly where an edit proposes a change; tests are left alone, since they judge the change. */
function issuesOf(tree: SyntaxTree, { findings }: Measured, context: EditContext): Issue[] {
  const byPlace = new Map(
    isTestFile(tree.file)
      ? []
      : edits.flatMap(({ name, propose }) =>
          propose(tree, context).map(({ issue, at }) => [`${issue}@${at}`, name] as const),
        ),
  )
  return findings.map(({ at, ...finding }) => ({
    ...finding,
    file: tree.file,
    edit: byPlace.get(`${finding.kind}@${at}`) ?? null,
  }))
}

/** Low confidence: tests outside the tree, templates and other packages may import what nothing here does. */
function unusedExports({ file, summary }: Measured, graph: ModuleGraph, project: Project): Issue[] {
  const entries = entryFiles(project)
  const stem = file.replace(/\.[cm]?[jt]sx?$/, '')
  const isOffered = [stem, stem.replace(/^src\//, 'dist/'), stem.replace(/^src\//, 'lib/')].some((path) =>
    entries.has(path),
  )
  if (isOffered || isTestFile(file) || /(^|\/)(index|main|cli)$|\.config$/.test(stem)) return []
  return summary.exports
    .filter(({ name }) => name !== 'default' && !graph.isImported(file, name))
    .map(({ name, line, column }) => ({
      kind: 'unused-export',
      area: 'unused',
      severity: 'info',
      confidence: 'low',
      message: `nothing in the analysed tree imports ${name}`,
      edit: null,
      file,
      line,
      column,
      name,
    }))
}

interface Results {
  readonly measured: readonly Measured[]
  readonly issues: readonly Issue[]
  readonly skipped: readonly Skipped[]
  readonly now: () => number
}

function summarise({ measured, issues, skipped, now }: Results): Analysis {
  const perFile = Map.groupBy(issues, ({ file }) => file)
  const filesAnalyzed: FileMeasure[] = measured.map(({ file, lines, functions }) => ({
    file,
    lines,
    functions: functions.length,
    maxComplexity: largest(functions),
    issues: perFile.get(file)?.length ?? 0,
  }))
  const metrics = metricsOf(measured, issues)
  return {
    filesAnalyzed,
    skipped,
    metrics,
    issues,
    improvements: improvementsFor(metrics),
    storedAt: new Date(now()).toISOString(),
  }
}

function metricsOf(measured: readonly Measured[], issues: readonly Issue[]): Metrics {
  const functions = measured.flatMap((file) => file.functions)
  const total = (count: (file: Measured) => number) => measured.reduce((sum, file) => sum + count(file), 0)
  const kinds = Map.groupBy(issues, ({ kind }) => kind)
  const found = (kind: Issue['kind']) => kinds.get(kind)?.length ?? 0
  const exportedNames = total((file) => file.exportedNames)
  const documentedNames = exportedNames - found('undocumented-export')
  const exportedFunctions = total((file) => file.exportedFunctions)
  const typedFunctions = total((file) => file.typedFunctions)
  const cyclomatic = functions.reduce((sum, measure) => sum + measure.cyclomatic, 0)
  return {
    files: measured.length,
    lines: total(({ lines }) => lines),
    functions: functions.length,
    averageComplexity: functions.length === 0 ? 0 : round(cyclomatic / functions.length),
    maxComplexity: largest(functions),
    cognitiveComplexity: functions.reduce((sum, measure) => sum + measure.cognitive, 0),
    complexFunctions: found('complex-function'),
    elseAfterReturn: found('else-after-return'),
    exportedNames,
    documentedNames,
    documentationRatio: share(documentedNames, exportedNames),
    exportedFunctions,
    typedFunctions,
    typedRatio: share(typedFunctions, exportedFunctions),
    explicitAny: found('explicit-any'),
    unusedImports: found('unused-import'),
    unusedLocals: found('unused-local'),
    unusedExports: found('unused-export'),
    parseErrors: found('parse-error'),
  }
}

function improvementsFor(metrics: Metrics): string[] {
  const { exportedNames, documentedNames, exportedFunctions, typedFunctions } = metrics
  const counted: [number, string][] = [
    [metrics.parseErrors, 'files do not parse'],
    [exportedNames - documentedNames, `of ${exportedNames} exported names have no documentation`],
    [exportedFunctions - typedFunctions, `of ${exportedFunctions} exported functions leave types to inference`],
    [metrics.explicitAny, 'times `any` is written'],
    [metrics.complexFunctions, 'functions are complex'],
    [metrics.elseAfterReturn, 'times `else` follows a block that leaves'],
    [metrics.unusedImports, 'imported names are unused'],
    [metrics.unusedLocals, 'top-level declarations are unused'],
    [metrics.unusedExports, 'exported names are imported nowhere in the tree (perhaps elsewhere)'],
  ]
  return counted.filter(([count]) => count > 0).map(([count, text]) => `${count} ${text}`)
}

const largest = (functions: readonly FunctionMeasure[]): number =>
  functions.reduce((most, { cyclomatic }) => Math.max(most, cyclomatic), 0)
const round = (value: number): number => Math.round(value * 1000) / 1000
const share = (part: number, whole: number): number => (whole === 0 ? 1 : round(part / whole))

function byPlace(a: Issue, b: Issue): number {
  return (
    compare(a.file, b.file) ||
    a.line - b.line ||
    a.column - b.column ||
    compare(a.kind, b.kind) ||
    compare(a.name, b.name)
  )
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
