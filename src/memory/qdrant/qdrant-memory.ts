// QdrantMemory: a memory's store in Qdrant. Qdrant has no transactions, so a commit is written down before it is done:
//   D1. The state says which items there are (revision), and which commit is under way (pending). Writing it is the one
//       moment in which a commit happens.
//   D2. A commit under way is completed before anything else is done here; doing a part of it again changes nothing.
//   D3. One call after the other writes; reads of this process wait for what is being written.
// Two processes that write at once are not kept apart: the store does not declare `shared`.
import type { MemoryBatch } from '../batch.ts'
import { decodeBatch, encodeBatch } from '../codec.ts'
import { MEMORY_KINDS } from '../item.ts'
import type { MemoryItem } from '../item.ts'
import { selectOutlived } from '../retention.ts'
import type { PruneReport } from '../retention.ts'
import { itemKey } from '../scope.ts'
import { batchExists, memoryClosed, revisionConflict } from '../store.ts'
import type { MemoryCommit, MemoryFilter, MemoryMatch, MemoryStore, MemoryStoreState } from '../store.ts'
import type { Condition, Filter, Payload, Point, QdrantClient } from './client.ts'
import { filterOf, INDEXED, itemOf, payloadOf, pointId, queryVector, wordVector } from './points.ts'

/** What the state's point says. */
interface State extends MemoryStoreState {
  /** The collection with the items: another embedder takes another one. */
  readonly items: string | undefined
  /** The id of the batch whose commit is under way. */
  readonly pending: string | undefined
}

/** A write as it is kept until it is done. */
interface PlannedPoint {
  readonly id: string
  readonly payload: Payload
  /** Undefined where the point has its vectors already. */
  readonly vector: Point['vector'] | undefined
}

const STATE_ID = pointId('state')
const EMPTY: State = { revision: 0, embedder: undefined, items: undefined, pending: undefined }
/** More items than a batch can have: places in the order of arrival are counted by commits, then within one. */
const PLACES = 100_000
const PAGE = 256
/** Rounding of 32-bit floats must not keep a similarity of exactly the threshold out. */
const ROUNDING = 1e-6

export class QdrantMemory implements MemoryStore {
  readonly traits = Object.freeze({ durable: true, shared: false, transactional: false })
  readonly #client: QdrantClient
  /** Batches and the state; items have collections of their own. */
  readonly #name: string
  #last: Promise<unknown> = Promise.resolve()
  /** Something failed on its way: a commit may be under way that nobody goes on with. */
  #isUnsure = false
  #closed = false

  constructor(client: QdrantClient, name: string) {
    this.#client = client
    this.#name = name
  }

  /** Makes what is missing, and completes what was interrupted. */
  async open(): Promise<void> {
    if (!(await this.#client.exists(this.#name))) {
      await this.#client.create(this.#name, { vectors: {} })
      await this.#client.index(this.#name, 'proposedAt', 'float')
    }
    await this.#inTurn(() => Promise.resolve())
  }

  async state(): Promise<MemoryStoreState> {
    const { revision, embedder } = await this.#read(() => this.#state())
    return Object.freeze({ revision, embedder })
  }

  setEmbedder(
    embedder: { readonly id: string; readonly dimensions: number },
    vectors: ReadonlyMap<string, Float32Array>,
  ): Promise<void> {
    return this.#inTurn(async () => {
      const before = await this.#state()
      const items = await this.#createItems(before.revision + 1, embedder.dimensions)
      await this.#eachPage(before, { scopes: 'all' }, async (page) => {
        const points = page.map(({ payload }): Point => {
          const vector = vectors.get(String(payload['key']))
          return { id: pointId(String(payload['key'])), payload, vector: vectorsOf(itemOf(payload), vector) }
        })
        await this.#client.upsert(items, points)
      })
      await this.#setState({ ...before, embedder, items, revision: before.revision + 1 })
      if (before.items !== undefined) await this.#client.drop(before.items)
    })
  }

  stage(batch: MemoryBatch): Promise<void> {
    return this.#inTurn(async () => {
      if ((await this.#batch(batch.id)) !== undefined) throw batchExists(batch.id)
      await this.#putBatch(batch)
    })
  }

  batch(id: string): Promise<MemoryBatch | undefined> {
    return this.#read(() => this.#batch(id))
  }

  discard(id: string): Promise<boolean> {
    return this.#inTurn(async () => {
      if ((await this.#batch(id))?.status !== 'staged') return false
      await this.#client.delete(this.#name, { points: [batchPoint(id)] })
      return true
    })
  }

  apply(commit: MemoryCommit): Promise<void> {
    return this.#inTurn(async () => {
      const state = await this.#state()
      const staged = await this.#batch(commit.batch.id)
      if (state.revision !== commit.expectedRevision || staged?.status !== 'staged') {
        throw revisionConflict(commit.expectedRevision, state.revision)
      }
      const dimensions = commit.writes.find(({ vector }) => vector !== undefined)?.vector?.length
      const isFirst = state.items === undefined && dimensions !== undefined
      const items = isFirst ? await this.#createItems(0, dimensions) : state.items
      const embedder = isFirst ? { id: commit.batch.embedder, dimensions } : state.embedder
      const planned = items === undefined ? [] : await this.#plan(items, commit)
      await this.#putBatch(staged, { after: encodeBatch(commit.batch), planned: JSON.stringify(planned) })
      await this.#setState({ revision: state.revision + 1, embedder, items, pending: commit.batch.id })
      await this.#complete()
    })
  }

  async load(keys: readonly string[]): Promise<readonly MemoryItem[]> {
    return this.#read(async () => {
      const { items } = await this.#state()
      if (items === undefined || keys.length === 0) return Object.freeze([])
      const found = new Map((await this.#client.get(items, keys.map(pointId))).map(({ id, payload }) => [id, payload]))
      return Object.freeze(
        keys.flatMap((key) => {
          const payload = found.get(pointId(key))
          return payload === undefined ? [] : [itemOf(payload)]
        }),
      )
    })
  }

  async list(
    filter: MemoryFilter,
    { limit = Number.POSITIVE_INFINITY, after }: { readonly limit?: number; readonly after?: string } = {},
  ): Promise<readonly MemoryItem[]> {
    return this.#read(async () => {
      const state = await this.#state()
      const listed: MemoryItem[] = []
      const from = after === undefined ? -1 : await this.#orderOf(state, after)
      await this.#eachPage(
        state,
        filter,
        (page) => {
          listed.push(...page.slice(0, limit - listed.length).map(({ payload }) => itemOf(payload)))
          return Promise.resolve(listed.length < limit)
        },
        from,
      )
      return Object.freeze(listed)
    })
  }

  searchWords(words: readonly string[], filter: MemoryFilter, limit: number): Promise<readonly MemoryMatch[]> {
    return this.#read(async () => {
      const { items } = await this.#state()
      const among = filterOf(filter, [{ key: 'words', match: { any: words } }])
      const all = filterOf(filter)
      if (items === undefined || words.length === 0 || among === undefined || all === undefined) return []
      const count = await this.#client.count(items, all)
      // Counted over what the filter means: Qdrant's own idf would tell of other scopes.
      const frequencies = await Promise.all(
        words.map(async (word) => {
          const filtered = filterOf(filter, [{ key: 'words', match: { any: [word] } }]) ?? all
          return [word, await this.#client.count(items, filtered)] as const
        }),
      )
      const vector = queryVector(new Map(frequencies), count)
      return this.#best(items, { vector, using: 'words', filter: among }, limit)
    })
  }

  searchVector(
    vector: Float32Array,
    filter: MemoryFilter,
    { threshold, limit }: { readonly threshold: number; readonly limit: number },
  ): Promise<readonly MemoryMatch[]> {
    return this.#read(async () => {
      const { items, embedder } = await this.#state()
      const meant = filterOf(filter)
      if (items === undefined || meant === undefined || embedder?.dimensions !== vector.length) return []
      const query = { vector: [...vector], using: 'text', filter: meant, threshold: threshold - ROUNDING }
      const matches = await this.#best(items, query, limit)
      return matches.map(({ key, score }) => ({ key, score: Math.min(1, Math.max(-1, score)) }))
    })
  }

  touch(keys: readonly string[], at: number): Promise<void> {
    return this.#inTurn(async () => {
      const { items } = await this.#state()
      if (items === undefined || keys.length === 0) return
      const found = await this.#client.get(items, [...new Set(keys)].map(pointId))
      const counted = found.map(({ id, payload }): [string, Payload] => {
        const times = keys.filter((key) => pointId(key) === id).length
        return [id, { accessCount: Number(payload['accessCount']) + times, accessedAt: at }]
      })
      await this.#client.set(items, new Map(counted))
    })
  }

  prune({ now, retention, batchesBefore }: Parameters<MemoryStore['prune']>[0]): Promise<PruneReport> {
    return this.#inTurn(async () => {
      const old: Filter = { must: [{ key: 'proposedAt', range: { lt: batchesBefore } }] }
      const batches = await this.#client.count(this.#name, old)
      if (batches > 0) await this.#client.delete(this.#name, { filter: old })
      const state = await this.#state()
      const { items } = state
      if (items === undefined || !(await this.#mayHaveTooMany(items, now, retention))) {
        return Object.freeze({ expired: 0, evicted: 0, batches })
      }
      const all: MemoryItem[] = []
      await this.#eachPage(state, { scopes: 'all' }, async (page) => {
        all.push(...page.map(({ payload }) => itemOf(payload)))
      })
      const { expired, evicted } = selectOutlived(all, retention, now)
      const over = [...expired, ...evicted]
      if (over.length > 0) {
        await this.#setState({ ...state, revision: state.revision + 1 })
        await this.#client.delete(items, { points: over.map(pointId) })
      }
      return Object.freeze({ expired: expired.length, evicted: evicted.length, batches })
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#last
  }

  /** Whether it is worth reading all items: one of them is over, or there are more of a kind than a scope may have. */
  async #mayHaveTooMany(
    items: string,
    now: number,
    retention: Parameters<MemoryStore['prune']>[0]['retention'],
  ): Promise<boolean> {
    const over: Filter = { must: [{ key: 'expiresAt', range: { lte: now } }] }
    if ((await this.#client.count(items, over)) > 0) return true
    for (const kind of MEMORY_KINDS) {
      const count = await this.#client.count(items, { must: [{ key: 'kind', match: { any: [kind] } }] })
      if (count > retention[kind].maxItems) return true
    }
    return false
  }

  /** The points of a commit, which keep their place and what was counted of them. */
  async #plan(items: string, { expectedRevision, writes }: MemoryCommit): Promise<readonly PlannedPoint[]> {
    const ids = writes.map(({ item }) => pointId(itemKey(item.scope, item.id)))
    const found = new Map((await this.#client.get(items, ids)).map(({ id, payload }) => [id, payload]))
    return writes.map(({ item, vector }, index) => {
      const id = ids[index] ?? ''
      const known = found.get(id)
      const counted = known === undefined ? item : { ...item, ...countsOf(known) }
      const order = known === undefined ? (expectedRevision + 1) * PLACES + index : Number(known['order'])
      const vectors = vector === undefined ? undefined : vectorsOf(item, vector)
      return { id, payload: payloadOf(counted, order), vector: vectors }
    })
  }

  /** Does what is left of the commit under way (D2). */
  async #complete(): Promise<void> {
    const state = await this.#state()
    if (state.pending === undefined) return
    const [point] = await this.#client.get(this.#name, [batchPoint(state.pending)])
    const { after, planned } = point?.payload ?? {}
    if (typeof after === 'string' && state.items !== undefined) {
      const points = JSON.parse(String(planned)) as readonly PlannedPoint[]
      const withVectors = points.flatMap(({ id, payload, vector }) =>
        vector === undefined ? [] : [{ id, payload, vector }],
      )
      for (let from = 0; from < withVectors.length; from += PAGE) {
        await this.#client.upsert(state.items, withVectors.slice(from, from + PAGE))
      }
      const others = points.filter(({ vector }) => vector === undefined)
      await this.#client.overwrite(state.items, new Map(others.map(({ id, payload }) => [id, payload])))
    }
    if (typeof after === 'string') await this.#putBatch(decodeBatch(after))
    await this.#setState({ ...state, pending: undefined })
  }

  /** The best points, of equals the first: as many are asked for as are needed to see all equals of the last. */
  async #best(
    items: string,
    query: Omit<Parameters<QdrantClient['query']>[1], 'limit'>,
    limit: number,
  ): Promise<readonly MemoryMatch[]> {
    for (let most = limit + PAGE; ; most *= 2) {
      const found = await this.#client.query(items, { ...query, limit: most })
      const isCut = found.length === most && found[limit - 1]?.score === found.at(-1)?.score
      if (isCut) continue
      return found
        .toSorted((a, b) => b.score - a.score || Number(a.payload['order']) - Number(b.payload['order']))
        .slice(0, limit)
        .map(({ payload, score }) => ({ key: String(payload['key']), score }))
    }
  }

  /** Items in the order of arrival, until `take` gives false. */
  async #eachPage(
    { items }: State,
    filter: MemoryFilter,
    take: (page: readonly { readonly payload: Payload }[]) => Promise<boolean | void>,
    from = -1,
  ): Promise<void> {
    if (items === undefined) return
    for (let last = from; ;) {
      const next: Condition = { key: 'order', range: { gt: last } }
      const meant = filterOf(filter, [next])
      if (meant === undefined) return
      const page = await this.#client.scroll(items, { filter: meant, orderBy: 'order', limit: PAGE })
      const wanted = page.length === 0 ? false : await take(page)
      if (wanted === false) return
      last = Number(page.at(-1)?.payload['order'])
    }
  }

  async #orderOf({ items }: State, key: string): Promise<number> {
    const [point] = items === undefined ? [] : await this.#client.get(items, [pointId(key)])
    return point === undefined ? -1 : Number(point.payload['order'])
  }

  async #createItems(number: number, dimensions: number): Promise<string> {
    const items = `${this.#name}_items_${number}`
    // One that is left of an attempt that failed has nothing that counts.
    if (await this.#client.exists(items)) await this.#client.drop(items)
    await this.#client.create(items, {
      vectors: { text: { size: dimensions, distance: 'Dot' } },
      sparse_vectors: { words: {} },
    })
    for (const [field, kind] of Object.entries(INDEXED)) await this.#client.index(items, field, kind)
    return items
  }

  async #batch(id: string): Promise<MemoryBatch | undefined> {
    const [point] = await this.#client.get(this.#name, [batchPoint(id)])
    return point === undefined ? undefined : decodeBatch(String(point.payload['body']))
  }

  async #putBatch(batch: MemoryBatch, commit: Payload = {}): Promise<void> {
    const payload = { body: encodeBatch(batch), proposedAt: batch.proposedAt, ...commit }
    await this.#client.upsert(this.#name, [{ id: batchPoint(batch.id), payload, vector: {} }])
  }

  async #state(): Promise<State> {
    const [point] = await this.#client.get(this.#name, [STATE_ID])
    return point === undefined ? EMPTY : (JSON.parse(String(point.payload['state'])) as State)
  }

  async #setState(state: State): Promise<void> {
    const payload = { state: JSON.stringify(state) }
    await this.#client.upsert(this.#name, [{ id: STATE_ID, payload, vector: {} }])
  }

  async #read<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#closed) throw memoryClosed()
    await (this.#isUnsure ? this.#inTurn(() => Promise.resolve()) : this.#last)
    return work()
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#closed) return Promise.reject(memoryClosed())
    const turn = this.#last.then(async () => {
      await this.#complete()
      this.#isUnsure = false
      return work()
    })
    this.#last = turn.catch(() => {
      this.#isUnsure = true
    })
    return turn
  }
}

function batchPoint(id: string): string {
  return pointId(`batch:${id}`)
}

function vectorsOf(item: MemoryItem, vector: Float32Array | undefined): Point['vector'] {
  const words = wordVector(item)
  return {
    ...(words.indices.length === 0 ? {} : { words }),
    ...(vector === undefined ? {} : { text: [...vector] }),
  }
}

function countsOf({ accessCount, accessedAt }: Payload): Pick<MemoryItem, 'accessCount' | 'accessedAt'> {
  return {
    accessCount: Number(accessCount),
    accessedAt: accessedAt === undefined ? undefined : Number(accessedAt),
  }
}
