// Learning: what agents remember of their work, in fixed words, so that the same work gives the same text.
import type { CommitResult } from './batch.ts'
import type { MemoryChange, NewItem } from './change.ts'
import type { MemoryItem, MemoryKind, MemoryType } from './item.ts'
import type { AgentMemory } from './agent-memory.ts'
import type { MemoryHit, RecallOptions } from './recall.ts'
import type { MemoryScopeKind } from './scope.ts'

export interface RememberOptions {
  /** `agent` unless given, or `global` where the reader is no agent. */
  readonly scope?: MemoryScopeKind
  /** Remembering again under the same key, in the same run, does nothing: the idempotency key of a step, for example. */
  readonly key?: string
  readonly signal?: AbortSignal
}

/** A workflow that was executed. */
export interface Experience {
  readonly task: string
  readonly outcome: 'success' | 'failure'
  /** What came of it, or why nothing did, in words. */
  readonly summary?: string
  /** Plain data that goes with it. */
  readonly data?: Readonly<Record<string, unknown>>
}

/** What something is. */
export interface Concept {
  readonly name: string
  readonly definition: string
  readonly type?: MemoryType
  readonly confidence?: number
  readonly data?: Readonly<Record<string, unknown>>
}

/** How something is done. */
export interface Skill {
  readonly name: string
  readonly steps: string
  /** From 0 to 1. */
  readonly successRate: number
  readonly data?: Readonly<Record<string, unknown>>
}

/** What an agent did, and what it learnt by doing it. */
export interface Execution extends Experience {
  /** Kept as a skill when the execution was a success. */
  readonly learnedPattern?: { readonly skill: string; readonly steps: string }
}

/** One thing that is remembered about a task. */
export interface MemoryInsight {
  readonly id: string
  readonly kind: MemoryKind
  readonly type: MemoryType
  /** From 0 to 1. */
  readonly relevance: number
  readonly content: string
  readonly metadata: Readonly<Record<string, unknown>>
}

/** A view beside what is remembered. */
export interface WithMemory<View> {
  readonly view: View
  /** Only when there is any. */
  readonly memoryInsights?: readonly MemoryInsight[]
  readonly hasRelevantExperience: boolean
}

export type TaskOptions = Pick<
  RecallOptions,
  'topK' | 'threshold' | 'minCoverage' | 'kinds' | 'types' | 'scopes' | 'signal'
>

export interface LearningProcess<View, Output> {
  readonly task: string
  readonly view: View
  readonly execute: (context: WithMemory<View>) => Output | Promise<Output>
  /** What is remembered of a success; the task and its outcome unless given. */
  readonly learn?: (output: Output) => Omit<Execution, 'task' | 'outcome'>
  /** Keeps the result, in an entry for example: `(output) => update({ latest: output })`. */
  readonly store?: (output: Output) => unknown
  /** Is told what came of the learning, after a failure of the work too. */
  readonly onLearned?: (learned: Learned) => void
  readonly recall?: TaskOptions
  readonly remember?: RememberOptions
}

/** What came of the learning: it never undoes the work. */
export type Learned = CommitResult | { readonly kind: 'failed'; readonly error: unknown }

export interface ProcessResult<View, Output> {
  readonly output: Output
  readonly context: WithMemory<View>
  readonly learned: Learned
}

/** Insights of a task at most. */
const MOST_INSIGHTS = 3
/** A text that shares fewer of the task's words, and is not near it otherwise, is no experience with it. */
const RELEVANT_COVERAGE = 0.5
const MOST_ATTEMPTS = 20
/** What somebody else's learning looks like. */
const RACES: ReadonlySet<string> = new Set(['subject', 'changed', 'gone'])

export function rememberExperience(
  memory: AgentMemory,
  experience: Experience,
  options: RememberOptions = {},
): Promise<CommitResult> {
  return rememberOnce(memory, options, () => [experienceOf(memory, experience, options)])
}

export function rememberConcept(
  memory: AgentMemory,
  { name, definition, type = 'fact', confidence = 1, data = {} }: Concept,
  options: RememberOptions = {},
): Promise<CommitResult> {
  const item: NewItem = {
    kind: 'semantic',
    type,
    scope: scopeOf(memory, options),
    text: `${name}: ${definition}`,
    data: { ...data, knowledge_type: 'concept_definition', name },
    subject: `concept:${name}`,
    confidence,
  }
  return rememberOnce(memory, options, async () => [inPlaceOf(await knownAs(memory, item), item)])
}

export function rememberSkill(memory: AgentMemory, skill: Skill, options: RememberOptions = {}): Promise<CommitResult> {
  return rememberOnce(memory, options, async () => [await skillChange(memory, skill, options)])
}

export function learnFrom(
  memory: AgentMemory,
  { learnedPattern, ...experience }: Execution,
  options: RememberOptions = {},
): Promise<CommitResult> {
  return rememberOnce(memory, options, async () => {
    const changes = [experienceOf(memory, experience, options)]
    if (learnedPattern === undefined || experience.outcome === 'failure') return changes
    const name = `${memory.agent ?? 'someone'}_${learnedPattern.skill}`
    const skill = { name, steps: learnedPattern.steps, successRate: 1 }
    return [...changes, await skillChange(memory, skill, options)]
  })
}

export async function viewWithMemory<View>(
  memory: AgentMemory,
  view: View,
  task: string,
  options: TaskOptions = {},
): Promise<WithMemory<View>> {
  const hits = await memory.recall(task, { topK: MOST_INSIGHTS, minCoverage: RELEVANT_COVERAGE, ...options })
  if (hits.length === 0) return Object.freeze({ view, hasRelevantExperience: false })
  return Object.freeze({ view, memoryInsights: Object.freeze(hits.map(insightOf)), hasRelevantExperience: true })
}

export async function processWithLearning<View, Output>(
  memory: AgentMemory,
  process: LearningProcess<View, Output>,
): Promise<ProcessResult<View, Output>> {
  const { task, view, execute, learn, store, onLearned, recall, remember } = process
  const context = await viewWithMemory(memory, view, task, recall)
  let output: Output
  try {
    output = await execute(context)
  } catch (error) {
    const summary = error instanceof Error ? error.message : String(error)
    // The work's own error is what the caller has to hear of, whether or not it could be remembered.
    const learned = await tryLearning(() => learnFrom(memory, { task, outcome: 'failure', summary }, remember))
    onLearned?.(learned)
    throw error
  }
  const learned = await tryLearning(() => learnFrom(memory, { task, outcome: 'success', ...learn?.(output) }, remember))
  onLearned?.(learned)
  await store?.(output)
  return Object.freeze({ output, context, learned })
}

async function tryLearning(learn: () => Promise<CommitResult>): Promise<Learned> {
  try {
    return await learn()
  } catch (error) {
    return Object.freeze({ kind: 'failed' as const, error })
  }
}

function experienceOf(
  memory: AgentMemory,
  { task, outcome, summary, data = {} }: Experience,
  options: RememberOptions,
): MemoryChange {
  const result = summary === undefined ? '' : ` Result: ${summary}`
  return {
    op: 'add',
    kind: 'episodic',
    scope: scopeOf(memory, options),
    text: `Task: ${task} Outcome: ${outcome}.${result}`,
    data: { ...data, pattern_type: 'workflow_execution', task, outcome },
  }
}

async function skillChange(
  memory: AgentMemory,
  { name, steps, successRate, data = {} }: Skill,
  options: RememberOptions,
): Promise<MemoryChange> {
  const item: NewItem = {
    kind: 'procedural',
    scope: scopeOf(memory, options),
    text: `Skill ${name}: ${steps}`,
    subject: `skill:${name}`,
  }
  const known = await knownAs(memory, item)
  const uses = known === undefined ? 1 : Number(known.data['uses'] ?? 1) + 1
  return inPlaceOf(known, {
    ...item,
    data: { ...data, skill_type: 'learned_procedure', name, success_rate: successRate, uses },
  })
}

async function knownAs(memory: AgentMemory, { scope, subject = '' }: NewItem): Promise<MemoryItem | undefined> {
  const [known] = await memory.list({ scopes: [scope], subject, limit: 1 })
  return known
}

/** There is one active item about a subject: a second one takes the place of the first. */
function inPlaceOf(known: MemoryItem | undefined, item: NewItem): MemoryChange {
  if (known === undefined) return { op: 'add', ...item }
  return { op: 'supersede', supersedes: [known.id], ...item, rationale: 'learnt again' }
}

/** Under a key, once; and again from the start where somebody else learns the same at the same time. */
async function rememberOnce(
  memory: AgentMemory,
  { key, signal }: RememberOptions,
  makeChanges: () => readonly MemoryChange[] | Promise<readonly MemoryChange[]>,
): Promise<CommitResult> {
  const known = key === undefined ? undefined : await memory.batchOf(key)
  if (known !== undefined) return memory.commit(known.id)
  for (let attempt = 1; ; attempt++) {
    const options = { ...(key === undefined ? {} : { key }), ...(signal === undefined ? {} : { signal }) }
    const result = await memory.remember(await makeChanges(), options)
    const isRace = result.kind === 'refused' && result.conflicts.every(({ kind }) => RACES.has(kind))
    if (!isRace || attempt === MOST_ATTEMPTS) return result
  }
}

function scopeOf(memory: AgentMemory, { scope }: RememberOptions): MemoryScopeKind {
  return scope ?? (memory.agent === undefined ? 'global' : 'agent')
}

function insightOf({ item, relevance }: MemoryHit): MemoryInsight {
  const { id, kind, type, text: content, data: metadata }: MemoryItem = item
  return Object.freeze({ id, kind, type, relevance, content, metadata })
}
