// AgentMemory: the memory as one reader sees it. Every read and write goes through its scopes.
import { CallboardError } from '../base/index.ts'
import type { BatchReview, CommitResult, MemoryBatch } from './batch.ts'
import type { MemoryChange } from './change.ts'
import type { MemoryItem } from './item.ts'
import {
  learnFrom,
  processWithLearning,
  rememberConcept,
  rememberExperience,
  rememberSkill,
  viewWithMemory,
} from './learning.ts'
import type {
  Concept,
  Execution,
  Experience,
  LearningProcess,
  ProcessResult,
  RememberOptions,
  Skill,
  TaskOptions,
  WithMemory,
} from './learning.ts'
import { findItem, Proposals } from './proposals.ts'
import type { ProposeOptions } from './proposals.ts'
import { filterOf, recall } from './recall.ts'
import type { MemoryHit, RecallOptions } from './recall.ts'
import { itemKey } from './scope.ts'
import type { ReaderAccess } from './scope.ts'
import type { MemoryServices } from './services.ts'

export interface ListOptions extends Pick<RecallOptions, 'kinds' | 'types' | 'scopes' | 'status'> {
  readonly subject?: string
  /** Items at most; 100 unless given. */
  readonly limit?: number
  /** The last item of the page before. */
  readonly after?: MemoryItem
}

const DEFAULT_PAGE = 100

export class AgentMemory {
  readonly #services: MemoryServices
  readonly #access: ReaderAccess
  readonly #proposals: Proposals

  /** Use `memory.for(reader)`. */
  constructor(services: MemoryServices, access: ReaderAccess) {
    this.#services = services
    this.#access = access
    this.#proposals = new Proposals(services, access)
  }

  get runId(): string {
    return this.#access.runId
  }

  /** The type of the agent; undefined for a reader that is none. */
  get agent(): string | undefined {
    return this.#access.agent
  }

  /**
   * What concerns a question, the most relevant first; counts as a use of what is found.
   *
   * @throws CallboardError `memory.embedder` when the embedder fails; `memory.option`
   */
  recall(query: string, options?: RecallOptions): Promise<readonly MemoryHit[]> {
    return recall(this.#services, this.#access, query, options)
  }

  /** The item with an id, tombstones included; in the narrowest scope that has one. */
  get(id: string): Promise<MemoryItem | undefined> {
    return findItem(this.#services, this.#access, id)
  }

  /** Items in the order of their arrival. */
  list(options: ListOptions = {}): Promise<readonly MemoryItem[]> {
    const { subject, limit = DEFAULT_PAGE, after } = options
    if (!Number.isInteger(limit) || limit < 1) {
      throw new CallboardError('memory.option', 'list: limit is a whole number above 0', { limit })
    }
    const filter = filterOf(this.#access, options, this.#services.clock.now())
    return this.#services.store.list(subject === undefined ? filter : { ...filter, subjects: [subject] }, {
      limit,
      ...(after === undefined ? {} : { after: itemKey(after.scope, after.id) }),
    })
  }

  /**
   * Stages changes; nothing of them is found by a search before they are committed.
   *
   * @throws CallboardError `memory.invalid-change`, `memory.unknown-item`, `memory.id-taken`, `memory.secret`,
   *   `memory.embedder`; `memory.batch-exists` for other changes under the same key
   */
  propose(changes: readonly MemoryChange[], options?: ProposeOptions): Promise<MemoryBatch> {
    return this.#proposals.propose(changes, options)
  }

  /** The batch that this run proposed under a key. */
  batchOf(key: string): Promise<MemoryBatch | undefined> {
    return this.#proposals.batchOf(key)
  }

  /**
   * What a batch would do now, and what stands against it.
   * @throws CallboardError `memory.unknown-batch`
   */
  review(batchId: string): Promise<BatchReview> {
    return this.#proposals.review(batchId)
  }

  /**
   * Makes all changes of a batch, or none. Committing it again gives the same answer and does nothing.
   * @throws CallboardError `memory.unknown-batch`
   */
  commit(batchId: string): Promise<CommitResult> {
    return this.#proposals.commit(batchId)
  }

  /** Forgets a batch that is not committed; says whether there was one. */
  discard(batchId: string): Promise<boolean> {
    return this.#proposals.discard(batchId)
  }

  /**
   * Stages a batch that takes a committed one back, of whichever run. Where something was changed since, its review shows
   * that as a conflict.
   * @throws CallboardError `memory.unknown-batch`
   */
  proposeRevert(batchId: string, options?: { readonly rationale?: string }): Promise<MemoryBatch> {
    return this.#proposals.proposeRevert(batchId, options)
  }

  /** Takes a committed batch back by a new one. When that is refused, nothing stays of it. */
  async revert(batchId: string, options?: { readonly rationale?: string }): Promise<CommitResult> {
    return this.#commitOrDiscard(await this.proposeRevert(batchId, options))
  }

  /** Proposes and commits at once. When the commit is refused, nothing stays of it. */
  async remember(changes: readonly MemoryChange[], options?: ProposeOptions): Promise<CommitResult> {
    return this.#commitOrDiscard(await this.propose(changes, options))
  }

  /** Remembers that a workflow was executed, how, and what came of it. */
  rememberExperience(experience: Experience, options?: RememberOptions): Promise<CommitResult> {
    return rememberExperience(this, experience, options)
  }

  /** Remembers what something is. One that is known already is superseded. */
  rememberConcept(concept: Concept, options?: RememberOptions): Promise<CommitResult> {
    return rememberConcept(this, concept, options)
  }

  /** Remembers how something is done. One that is known already is superseded. */
  rememberSkill(skill: Skill, options?: RememberOptions): Promise<CommitResult> {
    return rememberSkill(this, skill, options)
  }

  /** Remembers an execution, and what it taught when it was a success. */
  learnFrom(execution: Execution, options?: RememberOptions): Promise<CommitResult> {
    return learnFrom(this, execution, options)
  }

  /** A view beside what is remembered about a task. */
  viewWithMemory<View>(view: View, task: string, options?: TaskOptions): Promise<WithMemory<View>> {
    return viewWithMemory(this, view, task, options)
  }

  /** Executes a task with what is remembered about it, learns from what came of it, and stores the result. */
  processWithLearning<View, Output>(process: LearningProcess<View, Output>): Promise<ProcessResult<View, Output>> {
    return processWithLearning(this, process)
  }

  async #commitOrDiscard(batch: MemoryBatch): Promise<CommitResult> {
    const result = await this.commit(batch.id)
    if (result.kind === 'refused') await this.discard(batch.id)
    return result
  }
}
