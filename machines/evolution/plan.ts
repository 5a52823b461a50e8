import { edits } from './edits/index.ts'
import { estimateImpact, impactOf } from './impact.ts'
import { Focus } from './schema.ts'
import type { Analysis, EditName, Issue, IssueKind, Plan, Priority, Research, Task, TaskKind } from './schema.ts'

/** A task before it is given its number. */
type Draft = Omit<Task, 'id' | 'dependsOn' | 'estimatedImpact'> & { readonly stage: number }

const ORDER: Readonly<Record<Priority, number>> = { high: 0, medium: 1, low: 2 }

/** In a file, work goes on in this order: what is taken out is not typed, what is rewritten is documented last. */
const STAGES: readonly (EditName | IssueKind)[] = [
  'parse-error',
  'remove-imports',
  'unused-import',
  'unused-local',
  'unused-export',
  'catch-unknown',
  'explicit-any',
  'return-types',
  'untyped-return',
  'untyped-parameter',
  'flatten-else',
  'complex-function',
  'else-after-return',
  'document',
  'undocumented-export',
]

/**
 * Makes tasks of what analysis and research found in the areas of the focus: one for each file and kind of work. The
 * same input gives the same plan; the tasks stand in an order in which they can be done.
 */
export function makePlan(options: {
  readonly analysis: Analysis
  readonly research: Research
  readonly focus?: readonly Focus[]
  readonly now: () => number
}): Plan {
  const { analysis, research, now } = options
  const focus = Focus.options.filter((area) => options.focus?.includes(area) ?? true)
  const isWanted = (area: string) => area === 'syntax' || focus.some((wanted) => wanted === area)
  const groups = Map.groupBy(
    analysis.issues.filter(({ area }) => isWanted(area)),
    groupKey,
  )
  const drafts = [
    ...[...groups.values()].map(draftFor),
    ...research.bestPractices
      .filter(({ area, status }) => status === 'not-followed' && isWanted(area))
      .flatMap(draftForPractice),
  ]
  const tasks = number(drafts.sort(byOrder))
  const idsOf = (wanted: Priority) => tasks.filter(({ priority }) => priority === wanted).map(({ id }) => id)
  return {
    tasks,
    priorities: { high: idsOf('high'), medium: idsOf('medium'), low: idsOf('low') },
    dependencies: tasks
      .filter(({ dependsOn }) => dependsOn.length > 0)
      .map(({ id, dependsOn }) => ({ task: id, dependsOn })),
    estimatedImpact: estimateImpact(tasks),
    focus,
    storedAt: new Date(now()).toISOString(),
  }
}

/** How many tasks a program carries out by itself. */
export const countAutomatic = ({ tasks }: Plan): number => tasks.filter(({ automatic }) => automatic).length

/** Automatic work goes file by file; a function that is too complex is a task of its own. */
function groupKey({ file, kind, edit, line, name }: Issue): string {
  if (edit) return JSON.stringify([file, edit])
  return JSON.stringify(kind === 'complex-function' ? [file, kind, line, name] : [file, kind])
}

function draftFor(issues: readonly Issue[]): Draft {
  const [first] = issues
  if (!first) throw new TypeError('a group of issues is never empty')
  const { file, line, area, edit } = first
  const targets = issues.map(({ name }) => name)
  return {
    title: titleFor(first, issues.length),
    kind: edits.find(({ name }) => name === edit)?.kind ?? kindOf(first.kind),
    area,
    priority: priorityOf(first, issues.length),
    file,
    line,
    automatic: edit !== null,
    edit,
    targets,
    stage: STAGES.indexOf(edit ?? first.kind),
  }
}

/** Each practice concerns one file; those about single lines are already there as issues. */
function draftForPractice({ title, evidence, file, area }: Research['bestPractices'][number]): Draft[] {
  if (area === 'project' || file === null || /\.[cm]?[jt]sx?$/.test(file)) return []
  const common = {
    kind: 'other',
    priority: 'low',
    automatic: false,
    edit: null,
    targets: [],
    stage: STAGES.length,
  } as const
  return [{ ...common, title: `${title} (${evidence})`, area, file, line: 1 }]
}

function titleFor({ kind, edit, file, name, message }: Issue, count: number): string {
  const several = (one: string, many: string) => `${count === 1 ? one : `${count} ${many}`} in ${file}`
  switch (kind) {
    case 'parse-error':
      return `Make ${file} parse: ${message}`
    case 'undocumented-export':
      return `Document ${several(name, 'exported names')}`
    case 'untyped-parameter':
      return `Write the type of ${several(name, 'parameters')}`
    case 'untyped-return':
      return `Write the return type of ${several(name, 'exported functions')}`
    case 'explicit-any':
      return edit
        ? `Catch unknown instead of any (${several('once', 'times')})`
        : `Replace any (${several('once', 'times')})`
    case 'complex-function':
      return `Simplify ${name} in ${file}: ${message}`
    case 'else-after-return':
      return `Take ${several('one else', 'else blocks')} out of nesting`
    case 'unused-import':
      return `Remove the unused ${several(`import ${name}`, 'imported names')}`
    case 'unused-local':
      return `Remove the unused ${several(name, 'declarations')}`
    case 'unused-export':
      return `Decide whether ${several(name, 'names')} must be exported: nothing in the tree imports it`
    default:
      throw new TypeError(`unknown kind of issue ${String(kind satisfies never)}`)
  }
}

function kindOf(kind: IssueKind): TaskKind {
  switch (kind) {
    case 'parse-error':
      return 'fix_bug'
    case 'undocumented-export':
      return 'add_docstrings'
    case 'untyped-parameter':
    case 'untyped-return':
    case 'explicit-any':
      return 'add_type_hints'
    case 'complex-function':
    case 'else-after-return':
      return 'reduce_complexity'
    case 'unused-import':
    case 'unused-local':
    case 'unused-export':
      return 'refactor'
    default:
      throw new TypeError(`unknown kind of issue ${String(kind satisfies never)}`)
  }
}

/** By what an issue may cost: errors first, then what is sure and much, last what is unsure or a matter of taste. */
function priorityOf({ severity, confidence }: Issue, count: number): Priority {
  if (severity === 'error') return 'high'
  if (confidence === 'low' || severity === 'info') return 'low'
  return count >= 5 ? 'high' : 'medium'
}

/** Numbers the tasks; each automatic one waits for the automatic ones before it in its file. */
function number(drafts: readonly Draft[]): Task[] {
  const lastOf = new Map<string, string>()
  return drafts.map((staged, index) => {
    const { stage: _, ...draft } = staged
    const id = `T${index + 1}`
    const before = lastOf.get(draft.file)
    const dependsOn = draft.automatic && before !== undefined ? [before] : []
    if (draft.automatic) lastOf.set(draft.file, id)
    return { id, ...draft, dependsOn, estimatedImpact: impactOf(draft) }
  })
}

/** Stage before priority, so that no task depends on a later one. */
function byOrder(a: Draft, b: Draft): number {
  return (
    a.stage - b.stage ||
    ORDER[a.priority] - ORDER[b.priority] ||
    compare(a.file, b.file) ||
    a.line - b.line ||
    compare(a.title, b.title)
  )
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
