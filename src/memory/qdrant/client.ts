// Client: the few calls of Qdrant's REST API that are made, over fetch. Every one of them says what failed.
import { CallboardError } from '../../base/index.ts'

export type Payload = Readonly<Record<string, unknown>>

export interface SparseVector {
  readonly indices: readonly number[]
  readonly values: readonly number[]
}

export interface Point {
  readonly id: string
  readonly payload: Payload
  /** By name; none in a collection without vectors. */
  readonly vector: Readonly<Record<string, readonly number[] | SparseVector>>
}

/** A condition on one field of the payload. */
export type Condition =
  | { readonly key: string; readonly match: { readonly any: readonly string[] } }
  | { readonly key: string; readonly range: { readonly gt?: number; readonly lte?: number; readonly lt?: number } }

export interface Filter {
  readonly must?: readonly Condition[]
  readonly must_not?: readonly Condition[]
}

export interface QdrantAccess {
  /** `http://localhost:6333`, for example. */
  readonly url: string
  readonly apiKey?: string
  /** How long a request may take; 30,000 unless given. */
  readonly timeoutMs?: number
  /** Replaces the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch
}

type Found = { readonly id: string; readonly payload: Payload; readonly score?: number }

const DEFAULT_TIMEOUT_MS = 30_000

export class QdrantClient {
  readonly #access: QdrantAccess
  readonly #base: string

  constructor(access: QdrantAccess) {
    this.#access = access
    this.#base = access.url.replace(/\/+$/, '')
  }

  async exists(collection: string): Promise<boolean> {
    const { exists } = (await this.#call('GET', collection, '/exists')) as { readonly exists: boolean }
    return exists
  }

  async create(collection: string, settings: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#call('PUT', collection, '', settings)
  }

  async drop(collection: string): Promise<void> {
    await this.#call('DELETE', collection, '')
  }

  /** Makes a field of the payload quick to filter and order by. */
  async index(collection: string, field: string, kind: 'keyword' | 'integer' | 'float'): Promise<void> {
    await this.#call('PUT', collection, '/index?wait=true', { field_name: field, field_schema: kind })
  }

  async upsert(collection: string, points: readonly Point[]): Promise<void> {
    await this.#call('PUT', collection, '/points?wait=true', { points })
  }

  /** Replaces the payload of points and leaves their vectors. */
  async overwrite(collection: string, payloads: ReadonlyMap<string, Payload>): Promise<void> {
    const operations = Array.from(payloads, ([id, payload]) => ({ overwrite_payload: { payload, points: [id] } }))
    if (operations.length > 0) await this.#call('POST', collection, '/points/batch?wait=true', { operations })
  }

  /** Changes some fields of the payload of points. */
  async set(collection: string, payloads: ReadonlyMap<string, Payload>): Promise<void> {
    const operations = Array.from(payloads, ([id, payload]) => ({ set_payload: { payload, points: [id] } }))
    if (operations.length > 0) await this.#call('POST', collection, '/points/batch?wait=true', { operations })
  }

  async get(collection: string, ids: readonly string[]): Promise<readonly Found[]> {
    const request = { ids, with_payload: true, with_vector: false }
    return (await this.#call('POST', collection, '/points', request)) as readonly Found[]
  }

  /** Points that a filter means, in the order of a field that is indexed. */
  async scroll(
    collection: string,
    { filter, orderBy, limit }: { readonly filter: Filter; readonly orderBy: string; readonly limit: number },
  ): Promise<readonly Found[]> {
    const request = { filter, limit, order_by: { key: orderBy, direction: 'asc' }, with_payload: true }
    const { points } = (await this.#call('POST', collection, '/points/scroll', request)) as {
      readonly points: readonly Found[]
    }
    return points
  }

  /** The points with the largest products with a vector, by exact search. */
  async query(
    collection: string,
    {
      vector,
      using,
      filter,
      limit,
      threshold,
    }: {
      readonly vector: readonly number[] | SparseVector
      readonly using: string
      readonly filter: Filter
      readonly limit: number
      readonly threshold?: number
    },
  ): Promise<readonly Required<Found>[]> {
    const { points } = (await this.#call('POST', collection, '/points/query', {
      query: vector,
      using,
      filter,
      limit,
      params: { exact: true },
      with_payload: ['key', 'order'],
      ...(threshold === undefined ? {} : { score_threshold: threshold }),
    })) as { readonly points: readonly Required<Found>[] }
    return points
  }

  async count(collection: string, filter: Filter): Promise<number> {
    const { count } = (await this.#call('POST', collection, '/points/count', { filter, exact: true })) as {
      readonly count: number
    }
    return count
  }

  async delete(
    collection: string,
    what: { readonly points: readonly string[] } | { readonly filter: Filter },
  ): Promise<void> {
    await this.#call('POST', collection, '/points/delete?wait=true', what)
  }

  async #call(method: string, collection: string, path: string, body?: unknown): Promise<unknown> {
    const { apiKey, timeoutMs = DEFAULT_TIMEOUT_MS } = this.#access
    const send = this.#access.fetch ?? globalThis.fetch
    const what = `${method} /collections/${collection}${path}`
    let response: Response
    let text: string
    try {
      response = await send(`${this.#base}/collections/${encodeURIComponent(collection)}${path}`, {
        method,
        headers: { 'content-type': 'application/json', ...(apiKey === undefined ? {} : { 'api-key': apiKey }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(timeoutMs),
      })
      text = await response.text()
    } catch (error) {
      const message = `Qdrant at ${this.#base} did not answer ${what}; check that it runs and can be reached`
      throw new CallboardError('memory.unreachable', message, { url: this.#base, what }, { cause: error })
    }
    const answer = resultOf(text)
    if (response.ok && answer.isResult) return answer.result
    const message = `Qdrant at ${this.#base} refused ${what} with status ${response.status}: ${answer.reason}`
    throw new CallboardError('memory.backend', message, { url: this.#base, what, status: response.status })
  }
}

const LONGEST_REASON = 500

function resultOf(text: string): { readonly isResult: boolean; readonly result: unknown; readonly reason: string } {
  try {
    const { result, status } = JSON.parse(text) as { readonly result?: unknown; readonly status?: unknown }
    const { error } = (typeof status === 'object' && status !== null ? status : {}) as { readonly error?: unknown }
    const isResult = result !== undefined && error === undefined
    return { isResult, result, reason: String(error ?? 'it gave no result').slice(0, LONGEST_REASON) }
  } catch {
    return { isResult: false, result: undefined, reason: 'its answer is no JSON' }
  }
}
