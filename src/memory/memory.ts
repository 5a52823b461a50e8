// Memory: what outlives runs. It is read and written by readers, each with its scopes.
import { randomIds, systemClock } from '../base/index.ts'
import type { Clock, Ids } from '../base/index.ts'
import { AgentMemory } from './agent-memory.ts'
import { assertEmbedder, embedTexts } from './embedder.ts'
import type { Embedder } from './embedder.ts'
import { lexicalEmbedder } from './lexical-embedder.ts'
import type { MemoryKind } from './item.ts'
import { BATCH_AGE_MS, retentionOf } from './retention.ts'
import type { KindRetention, MemoryRetention, PruneReport } from './retention.ts'
import { itemKey, ReaderAccess } from './scope.ts'
import type { MemoryReader } from './scope.ts'
import type { MemoryServices } from './services.ts'
import { createVolatileMemory } from './sqlite/open.ts'
import type { MemoryStore } from './store.ts'

export interface MemoryOptions {
  /** Where items are kept; in process memory unless given. The memory does not close it. */
  readonly store?: MemoryStore
  /** `lexicalEmbedder` unless given, which needs no model and knows words, not meanings. */
  readonly embedder?: Embedder
  /** Gives every stored item a vector of this embedder when the store has those of another; refused otherwise. */
  readonly reembed?: boolean
  readonly clock?: Clock
  readonly ids?: Ids
  readonly retention?: Partial<Record<MemoryKind, Partial<KindRetention>>>
}

/** An agent that a runtime gives its memory to. */
export interface RememberingAgent {
  readonly runId: string
  /** The id of its invocation. */
  readonly id: string
  /** The name that it is registered under. */
  readonly type: string
  /** The labels of its run: whose run it is, for example. */
  readonly labels?: Readonly<Record<string, string>> | undefined
}

/** Where a runtime gets the memory of each agent from: `createRuntime({ memory })`. */
export interface MemorySource {
  forAgent(agent: RememberingAgent): AgentMemory
}

const REEMBED_PAGE = 256

/**
 * Opens a memory over a store.
 *
 * @throws CallboardError `memory.embedder-changed` when the store holds vectors of another embedder, and `reembed` is not
 *   given; `memory.option` for a retention that makes no sense
 */
export async function createMemory(options: MemoryOptions = {}): Promise<Memory> {
  const { store = createVolatileMemory(), embedder = lexicalEmbedder, clock = systemClock, ids = randomIds } = options
  const retention = retentionOf(options.retention)
  const { embedder: known } = await store.state()
  if (options.reembed !== true) assertEmbedder(known, embedder)
  else if (known !== undefined && known.id !== embedder.id) await reembed(store, embedder)
  return new Memory({ store, embedder, clock, ids, retention })
}

export class Memory implements MemorySource {
  readonly #services: MemoryServices
  #last: Promise<unknown> = Promise.resolve()

  /** Use `createMemory`. */
  constructor(services: Omit<MemoryServices, 'inTurn'>) {
    this.#services = Object.freeze({ ...services, inTurn: this.#inTurn.bind(this) })
  }

  get embedder(): Embedder {
    return this.#services.embedder
  }

  get retention(): MemoryRetention {
    return this.#services.retention
  }

  /** The memory as one reader sees it. */
  for(reader: MemoryReader): AgentMemory {
    return new AgentMemory(this.#services, new ReaderAccess(reader))
  }

  /** In the global scope and that of the agent's type. */
  forAgent({ runId, type }: RememberingAgent): AgentMemory {
    return this.for({ runId, agent: type })
  }

  /** Memories for agents that work for one user, in one project, or both. */
  within({ user, project }: Pick<MemoryReader, 'user' | 'project'>): MemorySource {
    return { forAgent: ({ runId, type }) => this.for({ runId, agent: type, user, project }) }
  }

  /** Takes out what is over and what is beyond the limits. Done after every commit too. */
  prune(): Promise<PruneReport> {
    const { store, clock, retention } = this.#services
    const now = clock.now()
    return store.prune({ now, retention, batchesBefore: now - BATCH_AGE_MS })
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(work).then(async (result) => {
      // What is committed stays committed; the next commit, or a call of prune(), tries again and says why not.
      await this.prune().catch(() => undefined)
      return result
    })
    this.#last = turn.catch(() => undefined)
    return turn
  }
}

async function reembed(store: MemoryStore, embedder: Embedder): Promise<void> {
  const vectors = new Map<string, Float32Array>()
  let dimensions: number | undefined
  for (let after: string | undefined; ;) {
    const items = await store.list(
      { scopes: 'all' },
      { limit: REEMBED_PAGE, ...(after === undefined ? {} : { after }) },
    )
    const texts = items.map(({ text }) => text)
    for (const [at, vector] of (await embedTexts(embedder, texts, { dimensions })).entries()) {
      const item = items[at]
      dimensions ??= vector.length
      if (item !== undefined) vectors.set(itemKey(item.scope, item.id), vector)
    }
    const last = items.at(-1)
    if (last === undefined) break
    after = itemKey(last.scope, last.id)
  }
  if (dimensions !== undefined) await store.setEmbedder({ id: embedder.id, dimensions }, vectors)
}
