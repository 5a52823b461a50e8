import { relative } from 'node:path'
import type { EvolutionContext } from './export.ts'
import type { WrittenFiles } from './output-folder.ts'

/** So many files that do not parse are named. */
const SHOWN = 5

/** What a person reads at the end: what came of it and where it lies. */
export function summarise({
  known,
  verdict,
  reason,
  files,
  cwd,
}: {
  readonly known: EvolutionContext
  readonly verdict: string
  readonly reason: string
  readonly files: WrittenFiles
  readonly cwd: string
}): string {
  const { patch, reportMarkdown, reportJson, context } = files
  const written = [patch, reportMarkdown, reportJson, context].filter((path) => path !== null)
  return [
    '',
    `${verdict}: ${reason}`,
    ...goalLines(known),
    ...brokenLines(known),
    'wrote:',
    ...written.map((path) => `  ${relative(cwd, path)}`),
    '',
  ].join('\n')
}

function goalLines({ evaluationResults, implementationLog }: EvolutionContext): string[] {
  if (evaluationResults === null || implementationLog === null) return []
  const { goals } = evaluationResults
  const { totalChanges, modifiedFiles, dropped, compilation } = implementationLog
  const width = Math.max(0, ...goals.map(({ area }) => area.length))
  return [
    ...goals.map(
      ({ area, issuesBefore, resolved, note }) =>
        `  ${area.padEnd(width)}  ${resolved} of ${issuesBefore} issues resolved; ${note}`,
    ),
    `  ${totalChanges} changes in ${modifiedFiles.length} files, ${dropped.length} tasks dropped; compiler: ${compilation.note}`,
  ]
}

function brokenLines({ originalAnalysis }: EvolutionContext): string[] {
  const broken = originalAnalysis?.issues.filter(({ kind }) => kind === 'parse-error') ?? []
  const lines = broken
    .slice(0, SHOWN)
    .map(
      ({ file, line, column, message }) => `  ${file}:${line}:${column} does not parse and was left alone: ${message}`,
    )
  return broken.length > SHOWN ? [...lines, `  … and ${broken.length - SHOWN} more`] : lines
}
