import type { Analysis, Evaluation, Implementation, Plan, Research, Wording, WordingUsage } from './schema.ts'

/** Everything that an evolution stored, phase by phase. */
export interface EvolutionSections {
  readonly target: string
  readonly analysis: Analysis
  readonly research: Research
  readonly plan: Plan
  readonly implementation: Implementation
  readonly evaluation: Evaluation
  /** Where a language model was asked. */
  readonly wording?: Wording | undefined
  readonly wordingUsage?: WordingUsage | undefined
}

/** So many lines of a list are shown; the JSON report has all of them. */
const SHOWN = 30

/** The report for programs. */
export function reportJson(sections: EvolutionSections, now: () => number): string {
  return `${JSON.stringify({ reportedAt: new Date(now()).toISOString(), ...sections }, null, 2)}\n`
}

/** The report for people. The same sections and clock give the same text. */
export function reportMarkdown(sections: EvolutionSections, now: () => number): string {
  const { target, evaluation } = sections
  const parts = [
    `# Evolution of ${inline(target)}`,
    `${new Date(now()).toISOString()}: **${evaluation.verdict}**, success rate ${evaluation.successRate} (${evaluation.reason}).`,
    ...wordingPart(sections),
    ...goalsPart(evaluation),
    ...metricsPart(evaluation),
    ...implementationPart(sections.implementation, sections.wording),
    ...planPart(sections),
    ...analysisPart(sections.analysis),
    ...researchPart(sections.research),
  ]
  return `${parts.join('\n\n')}\n`
}

function wordingPart({ wording, wordingUsage: usage }: EvolutionSections): string[] {
  if (wording === undefined) return []
  const { research, plan } = wording
  const took =
    usage === undefined ? [] : [`Calls: ${usage.calls}, tokens: ${usage.inputTokens} in, ${usage.outputTokens} out.`]
  return ['## In the words of a language model', `Research: ${inline(research)}`, `Plan: ${inline(plan)}`, ...took]
}

function goalsPart({ goals }: Evaluation): string[] {
  const rows = goals.map(({ area, issuesBefore, planned, resolved, remaining, achieved, note }) => [
    area,
    issuesBefore,
    planned,
    resolved,
    remaining,
    achieved ? 'yes' : 'no',
    note,
  ])
  return ['## Goals', table(['area', 'issues before', 'planned', 'resolved', 'remaining', 'achieved', 'note'], rows)]
}

function metricsPart({ metricsComparison }: Evaluation): string[] {
  const rows = metricsComparison.map(({ metric, before, planned, after, delta, change }) => [
    metric,
    before,
    planned ?? '',
    after,
    delta > 0 ? `+${delta}` : delta,
    change,
  ])
  return ['## Metrics', table(['metric', 'before', 'planned', 'after', 'delta', 'change'], rows)]
}

function implementationPart(
  { totalChanges, modifiedFiles, done, dropped, compilation, changes }: Implementation,
  wording: Wording | undefined,
): string[] {
  const origin = wording === undefined ? 'derived' : 'written by a language model, or derived'
  const derived = changes.filter(({ edit }) => edit === 'document').length
  return [
    '## Implementation',
    `${totalChanges} changes by ${done.length} tasks in ${modifiedFiles.length} files; ${dropped.length} tasks dropped. ` +
      `Compiler: ${compilation.compiled} (${inline(compilation.note)}).`,
    ...(derived > 0
      ? [
          `${derived} comments were ${origin} from names and signatures. They say what those say: read them, and add why.`,
        ]
      : []),
    ...list(modifiedFiles.map((file) => `\`${file}\``)),
    ...(dropped.length > 0
      ? ['### Dropped', ...list(dropped.map(({ task, file, reason }) => `${task}, ${inline(file)}: ${inline(reason)}`))]
      : []),
  ]
}

function planPart({ plan, implementation }: EvolutionSections): string[] {
  const done = new Set(implementation.done)
  const open = plan.tasks.filter(({ id }) => !done.has(id))
  const rows = open
    .slice(0, SHOWN)
    .map(({ id, priority, title, file, line }) => [id, priority, inline(title), `${inline(file)}:${line}`])
  return [
    '## Plan',
    `${plan.tasks.length} tasks, estimated impact ${plan.estimatedImpact}; ${open.length} are open.`,
    ...(rows.length > 0 ? [table(['task', 'priority', 'what', 'where'], rows), ...rest(open.length)] : []),
  ]
}

function analysisPart({ metrics, improvements, skipped }: Analysis): string[] {
  return [
    '## Analysis before',
    `${metrics.files} files, ${metrics.lines} lines, ${metrics.functions} functions.`,
    ...list(improvements.map(inline)),
    ...(skipped.length > 0
      ? ['### Left out', ...list(skipped.map(({ file, reason }) => `${inline(file)}: ${inline(reason)}`))]
      : []),
  ]
}

function researchPart({ bestPractices, patterns, references }: Research): string[] {
  const rows = bestPractices.map(({ title, status, evidence }) => [inline(title), status, inline(evidence)])
  return [
    '## Practices',
    table(['practice', 'status', 'evidence'], rows),
    '## Patterns',
    ...list(patterns.map(({ title, count, examples }) => `${count} ${title} (${examples.map(inline).join(', ')})`)),
    '## References',
    ...list(references),
  ]
}

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

/** One paragraph: items, and how many more there are. */
function list(items: readonly string[]): string[] {
  if (items.length === 0) return []
  return [
    items
      .slice(0, SHOWN)
      .map((item) => `- ${item}`)
      .join('\n'),
    ...rest(items.length),
  ]
}

const rest = (total: number): string[] => (total > SHOWN ? [`… and ${total - SHOWN} more.`] : [])

/** Names and messages come from the project: they may not end a table's cell or a line, or become markup. */
const inline = (text: string): string => text.replaceAll(/\s+/g, ' ').replaceAll(/[|<>*_`[\]\\]/g, String.raw`\$&`)
