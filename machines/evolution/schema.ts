// The sections of an evolution as plain JSON: what each phase hands to the next, to the board and to the report.
import { z } from 'zod'

const list = <Item extends z.ZodType>(item: Item) => z.array(item).readonly()
const count = z.int().nonnegative()
const ratio = z.number().min(0).max(1)
const storedAt = z.iso.datetime()

/** What an evolution can look at. */
export const Focus = z.enum(['documentation', 'complexity', 'types', 'unused'])
export type Focus = z.infer<typeof Focus>

/** The kinds of issue an analysis names. */
export const IssueKind = z.enum([
  'parse-error',
  'undocumented-export',
  'untyped-parameter',
  'untyped-return',
  'explicit-any',
  'complex-function',
  'else-after-return',
  'unused-import',
  'unused-local',
  'unused-export',
])
export type IssueKind = z.infer<typeof IssueKind>

/** The edits a program carries out by itself. */
export const EditName = z.enum(['remove-imports', 'catch-unknown', 'return-types', 'flatten-else', 'document'])
export type EditName = z.infer<typeof EditName>

/** A finding with its place; `line` and `column` count from 1, columns in UTF-16 units, as compilers print them. */
export const Issue = z
  .strictObject({
    kind: IssueKind,
    area: z.union([Focus, z.literal('syntax')]),
    severity: z.enum(['error', 'warning', 'info']),
    confidence: z.enum(['high', 'low']),
    file: z.string(),
    line: count,
    column: count,
    name: z.string(),
    message: z.string(),
    /** The edit that resolves it, or null when it needs a person. */
    edit: EditName.nullable(),
  })
  .readonly()
export type Issue = z.infer<typeof Issue>

/** The measures of a project; ratios are 1 when there is nothing to measure. */
export const Metrics = z
  .strictObject({
    files: count,
    lines: count,
    functions: count,
    averageComplexity: z.number().nonnegative(),
    maxComplexity: count,
    cognitiveComplexity: count,
    complexFunctions: count,
    elseAfterReturn: count,
    exportedNames: count,
    documentedNames: count,
    documentationRatio: ratio,
    exportedFunctions: count,
    typedFunctions: count,
    typedRatio: ratio,
    explicitAny: count,
    unusedImports: count,
    unusedLocals: count,
    unusedExports: count,
    parseErrors: count,
  })
  .readonly()
export type Metrics = z.infer<typeof Metrics>
export type MetricName = keyof Metrics

/** A file that was left out, and why. */
export const Skipped = z.strictObject({ file: z.string(), reason: z.string() }).readonly()
export type Skipped = z.infer<typeof Skipped>

/** What one analysed file measures. */
export const FileMeasure = z
  .strictObject({ file: z.string(), lines: count, functions: count, maxComplexity: count, issues: count })
  .readonly()
export type FileMeasure = z.infer<typeof FileMeasure>

/** What was measured in a project and what could be better. */
export const Analysis = z
  .strictObject({
    filesAnalyzed: list(FileMeasure),
    skipped: list(Skipped),
    metrics: Metrics,
    issues: list(Issue),
    improvements: list(z.string()),
    storedAt,
  })
  .readonly()
export type Analysis = z.infer<typeof Analysis>

/** How the project writes its code; edits keep to it. */
export const Conventions = z
  .strictObject({
    indent: z.union([z.literal('tab'), z.int().min(1).max(16)]),
    quotes: z.enum(['single', 'double']),
    semicolons: z.boolean(),
    eol: z.enum(['lf', 'crlf']),
    modules: z.enum(['esm', 'commonjs', 'mixed']),
    /** `@param name - text` instead of `@param name text`. */
    paramHyphen: z.boolean(),
    blankLineBeforeTags: z.boolean(),
    tests: z.enum(['beside', 'folder', 'none']),
  })
  .readonly()
export type Conventions = z.infer<typeof Conventions>

/** A practice of the catalogue as this project keeps it. */
export const PracticeFinding = z
  .strictObject({
    id: z.string(),
    title: z.string(),
    why: z.string(),
    area: z.union([Focus, z.literal('project')]),
    status: z.enum(['followed', 'not-followed', 'unknown']),
    evidence: z.string(),
    file: z.string().nullable(),
    reference: z.string(),
  })
  .readonly()
export type PracticeFinding = z.infer<typeof PracticeFinding>

/** A way of writing that recurs in the project. */
export const Pattern = z
  .strictObject({ id: z.string(), title: z.string(), count, examples: list(z.string()) })
  .readonly()
export type Pattern = z.infer<typeof Pattern>

/** What is known about good practice, and what the project itself does. */
export const Research = z
  .strictObject({
    bestPractices: list(PracticeFinding),
    references: list(z.string()),
    patterns: list(Pattern),
    conventions: Conventions,
    storedAt,
  })
  .readonly()
export type Research = z.infer<typeof Research>

/** The kinds of work, each with its weight in the estimated impact. */
export const TaskKind = z.enum([
  'add_docstrings',
  'add_type_hints',
  'reduce_complexity',
  'fix_bug',
  'optimize',
  'refactor',
  'other',
])
export type TaskKind = z.infer<typeof TaskKind>

/** How much a task matters; a factor of its impact. */
export const Priority = z.enum(['high', 'medium', 'low'])
export type Priority = z.infer<typeof Priority>

/** One improvement in one file. An automatic task names the edit that carries it out. */
export const Task = z
  .strictObject({
    id: z.string(),
    title: z.string(),
    kind: TaskKind,
    area: z.union([Focus, z.literal('syntax')]),
    priority: Priority,
    file: z.string(),
    line: count,
    dependsOn: list(z.string()),
    automatic: z.boolean(),
    edit: EditName.nullable(),
    /** The names concerned, in the order of the file. */
    targets: list(z.string()),
    estimatedImpact: z.number().nonnegative(),
  })
  .readonly()
export type Task = z.infer<typeof Task>

/** What should be done, in the order in which to do it. */
export const Plan = z
  .strictObject({
    tasks: list(Task),
    priorities: z.strictObject({ high: list(z.string()), medium: list(z.string()), low: list(z.string()) }).readonly(),
    dependencies: list(z.strictObject({ task: z.string(), dependsOn: list(z.string()) }).readonly()),
    estimatedImpact: ratio,
    focus: list(Focus),
    storedAt,
  })
  .readonly()
export type Plan = z.infer<typeof Plan>

/** One change made to the copy by one task. */
export const Change = z
  .strictObject({ task: z.string(), file: z.string(), line: count, name: z.string(), edit: EditName })
  .readonly()
export type Change = z.infer<typeof Change>

/** What a file was before a task, by the SHA-256 of its bytes. */
export const RollbackPoint = z
  .strictObject({ task: z.string(), file: z.string(), sha256Before: z.string(), sha256After: z.string() })
  .readonly()
export type RollbackPoint = z.infer<typeof RollbackPoint>

/** A task that was not carried out, or taken back, and why. */
export const DroppedTask = z.strictObject({ task: z.string(), file: z.string(), reason: z.string() }).readonly()
export type DroppedTask = z.infer<typeof DroppedTask>

/** How the compiler's word on the copy came out; `errors` counts what it says at the end, `before` what it said at first. */
export const Compilation = z
  .strictObject({
    compiled: z.enum(['ok', 'rolled-back', 'failed', 'unavailable', 'no-tsconfig']),
    before: count,
    errors: count,
    note: z.string(),
  })
  .readonly()
export type Compilation = z.infer<typeof Compilation>

/** What was done to the copy. */
export const Implementation = z
  .strictObject({
    modifiedFiles: list(z.string()),
    changes: list(Change),
    rollbackPoints: list(RollbackPoint),
    totalChanges: count,
    done: list(z.string()),
    dropped: list(DroppedTask),
    compilation: Compilation,
    storedAt,
  })
  .readonly()
export type Implementation = z.infer<typeof Implementation>

/** One metric three ways: measured before, expected by the plan (null: the plan says nothing), measured after. */
export const MetricComparison = z
  .strictObject({
    metric: Metrics.unwrap().keyof(),
    before: z.number(),
    planned: z.number().nullable(),
    after: z.number(),
    delta: z.number(),
    better: z.enum(['higher', 'lower', 'neither']),
    change: z.enum(['improved', 'worsened', 'unchanged', 'changed']),
  })
  .readonly()
export type MetricComparison = z.infer<typeof MetricComparison>

/** What became of one focus area; `remaining` counts the issues that are left for a person. */
export const Goal = z
  .strictObject({
    area: Focus,
    issuesBefore: count,
    planned: count,
    resolved: count,
    remaining: count,
    share: ratio,
    achieved: z.boolean(),
    note: z.string(),
  })
  .readonly()
export type Goal = z.infer<typeof Goal>

/** How the result compares with the original and with the plan. */
export const Evaluation = z
  .strictObject({
    goals: list(Goal),
    goalsAchieved: list(Focus),
    metricsComparison: list(MetricComparison),
    successRate: ratio,
    verdict: z.enum(['success', 'partial', 'failed']),
    reason: z.string(),
    storedAt,
  })
  .readonly()
export type Evaluation = z.infer<typeof Evaluation>

/** Names that are to be documented, and the beginning of what they stand for. */
export const UndocumentedNames = z.array(z.strictObject({ file: z.string(), name: z.string(), code: z.string() }))

/** What a language model wrote. */
export const Wording = z.strictObject({
  research: z.string(),
  plan: z.string(),
  documentation: z.array(z.strictObject({ file: z.string(), name: z.string(), text: z.string() })),
})
export type Wording = z.infer<typeof Wording>

/** What asking it took, all calls together. */
export const WordingUsage = z.strictObject({ calls: count, inputTokens: count, outputTokens: count })
export type WordingUsage = z.infer<typeof WordingUsage>
