// A server that speaks as much of Qdrant's REST API as the memory's store calls, and is as strict: unknown collections,
// fields, vectors and unindexed orders are refused. It stands in for a Qdrant in tests; it proves nothing about one.
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

type Json = Readonly<Record<string, unknown>>
interface Sparse {
  readonly indices: readonly number[]
  readonly values: readonly number[]
}
interface StoredPoint {
  readonly id: string
  payload: Json
  readonly vector: Readonly<Record<string, readonly number[] | Sparse>>
}
interface Collection {
  readonly dense: ReadonlyMap<string, number>
  readonly sparse: ReadonlySet<string>
  readonly indexes: Map<string, string>
  readonly points: Map<string, StoredPoint>
}

export interface QdrantServer {
  readonly url: string
  /** What was asked so far: `PUT /collections/x/points`. */
  readonly requests: readonly { readonly what: string; readonly body: unknown; readonly apiKey: string | undefined }[]
  /** Drops the connection at the so-many-th request from now, before or after it has been done. */
  breakAt(count: number, when: 'before' | 'after'): void
  /** Breaks nothing any more; says whether something was broken. */
  mend(): boolean
  /** Answers this in place of the next answer. */
  answerNext(status: number, text: string): void
  close(): Promise<void>
}

class Refusal extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

export async function startQdrantServer(): Promise<QdrantServer> {
  const collections = new Map<string, Collection>()
  const requests: { what: string; body: unknown; apiKey: string | undefined }[] = []
  let fault: { count: number; when: 'before' | 'after' } | undefined
  let broke = false
  let instead: { status: number; text: string } | undefined

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname } = new URL(request.url ?? '', 'http://localhost')
    const what = `${request.method} ${pathname}`
    const text = await textOf(request)
    const body = text === '' ? {} : (JSON.parse(text) as Json)
    requests.push({ what, body, apiKey: request.headers['api-key'] as string | undefined })
    const breaks = fault !== undefined && --fault.count === 0 ? fault.when : undefined
    if (breaks !== undefined) broke = true
    if (breaks === 'before') return void request.socket.destroy()
    const { status, answer } = answerTo(collections, request.method ?? '', pathname, body)
    if (breaks === 'after') return void request.socket.destroy()
    const { status: shown, text: said } = instead ?? { status, text: JSON.stringify(answer) }
    instead = undefined
    response.writeHead(shown, { 'content-type': 'application/json' }).end(said)
  }

  const server = createServer((request, response) => void handle(request, response))
  await new Promise<void>((listening) => void server.listen(0, '127.0.0.1', listening))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    breakAt: (count, when) => void ((fault = { count, when }), (broke = false)),
    mend: () => ((fault = undefined), broke),
    answerNext: (status, said) => void (instead = { status, text: said }),
    close: () => closeServer(server),
  }
}

async function closeServer(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise<void>((closed) => void server.close(() => closed()))
}

async function textOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return Buffer.concat(parts).toString('utf8')
}

function answerTo(
  collections: Map<string, Collection>,
  method: string,
  path: string,
  body: Json,
): { readonly status: number; readonly answer: unknown } {
  try {
    const [, root, name = '', ...rest] = path.split('/').map(decodeURIComponent)
    if (root !== 'collections') throw new Refusal(404, 'Not found')
    const result =
      name === ''
        ? { collections: Array.from(collections.keys(), (known) => ({ name: known })) }
        : collectionCall(collections, name, `${method} ${rest.join('/')}`.trim(), body)
    return { status: 200, answer: { result, status: 'ok', time: 0 } }
  } catch (error) {
    const status = error instanceof Refusal ? error.status : 500
    return { status, answer: { status: { error: (error as Error).message }, time: 0 } }
  }
}

function collectionCall(collections: Map<string, Collection>, name: string, call: string, body: Json): unknown {
  if (call === 'GET exists') return { exists: collections.has(name) }
  if (call === 'PUT') {
    if (collections.has(name)) throw new Refusal(409, `Wrong input: Collection \`${name}\` already exists!`)
    collections.set(name, newCollection(body))
    return true
  }
  if (call === 'DELETE') return collections.delete(name)
  const collection = collections.get(name)
  if (collection === undefined) throw new Refusal(404, `Not found: Collection \`${name}\` doesn't exist!`)
  switch (call) {
    case 'PUT index':
      collection.indexes.set(String(body['field_name']), String(body['field_schema']))
      return { operation_id: 1, status: 'completed' }
    case 'PUT points':
      for (const point of listOf(body['points'])) upsert(collection, point)
      return { operation_id: 1, status: 'completed' }
    case 'POST points':
      return listOf(body['ids']).flatMap((id) => {
        const point = collection.points.get(idOf(id))
        return point === undefined ? [] : [{ id: point.id, payload: point.payload }]
      })
    case 'POST points/scroll':
      return scroll(collection, body)
    case 'POST points/query':
      return query(collection, body)
    case 'POST points/count':
      return { count: meant(collection, body['filter']).length }
    case 'POST points/delete': {
      const ids =
        'points' in body ? listOf(body['points']).map(idOf) : meant(collection, body['filter']).map(({ id }) => id)
      for (const id of ids) collection.points.delete(id)
      return { operation_id: 1, status: 'completed' }
    }
    case 'POST points/batch':
      for (const operation of listOf(body['operations'])) changePayload(collection, operation as Json)
      return [{ operation_id: 1, status: 'completed' }]
    default:
      throw new Refusal(404, `Not found: ${call}`)
  }
}

function newCollection({ vectors, sparse_vectors: sparse = {} }: Json): Collection {
  if (vectors === undefined) throw new Refusal(400, 'vectors are missing')
  const dense = Object.entries(vectors as Json).map(([name, settings]) => {
    const { size, distance } = settings as { readonly size: number; readonly distance: string }
    if (distance !== 'Dot' || !(size > 0)) throw new Refusal(422, 'this server knows the distance Dot')
    return [name, size] as const
  })
  const named = new Set(Object.keys(sparse as Json))
  return { dense: new Map(dense), sparse: named, indexes: new Map(), points: new Map() }
}

function upsert({ dense, sparse, points }: Collection, given: unknown): void {
  const {
    id,
    payload = {},
    vector,
  } = given as { readonly id: unknown; readonly payload?: Json; readonly vector: StoredPoint['vector'] }
  for (const [name, value] of Object.entries(vector)) {
    if (Array.isArray(value)) {
      if (dense.get(name) !== value.length) throw new Refusal(400, `Wrong input: Vector dimension error of "${name}"`)
    } else if (!sparse.has(name) || new Set((value as Sparse).indices).size !== (value as Sparse).values.length) {
      throw new Refusal(422, `Wrong input: sparse vector "${name}"`)
    }
  }
  points.set(idOf(id), { id: idOf(id), payload, vector })
}

function changePayload({ points }: Collection, operation: Json): void {
  const [[kind, change] = ['', {}]] = Object.entries(operation)
  const { payload, points: ids } = change as { readonly payload: Json; readonly points: readonly unknown[] }
  if (kind !== 'set_payload' && kind !== 'overwrite_payload') throw new Refusal(400, `unknown operation ${kind}`)
  for (const id of ids) {
    const point = points.get(idOf(id))
    if (point !== undefined) point.payload = kind === 'set_payload' ? { ...point.payload, ...payload } : payload
  }
}

function scroll(collection: Collection, { filter, limit, order_by: order }: Json): unknown {
  const { key } = order as { readonly key: string }
  if (!['integer', 'float'].includes(collection.indexes.get(key) ?? '')) {
    throw new Refusal(400, `Bad request: No range index for \`order_by\` key: \`${key}\``)
  }
  const points = meant(collection, filter).toSorted((a, b) => Number(a.payload[key]) - Number(b.payload[key]))
  return { points: points.slice(0, Number(limit)).map(({ id, payload }) => ({ id, payload })), next_page_offset: null }
}

function query(collection: Collection, body: Json): unknown {
  const { query: vector, using, filter, limit, score_threshold: threshold, with_payload: fields } = body
  const name = String(using)
  if (!collection.dense.has(name) && !collection.sparse.has(name)) {
    throw new Refusal(400, `Wrong input: Not existing vector name error: ${name}`)
  }
  const scored = meant(collection, filter).flatMap(({ id, payload, vector: own }) => {
    const score = product(own[name], vector as readonly number[] | Sparse)
    const shown = Object.fromEntries((fields as readonly string[]).map((field) => [field, payload[field]]))
    return score === undefined || score < Number(threshold ?? Number.NEGATIVE_INFINITY)
      ? []
      : [{ id, score, payload: shown }]
  })
  // The order of equals is nobody's promise.
  return { points: scored.toSorted((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1)).slice(0, Number(limit)) }
}

/** As a 32-bit float; undefined where there is nothing to multiply. */
function product(own: readonly number[] | Sparse | undefined, asked: readonly number[] | Sparse): number | undefined {
  if (own === undefined) return undefined
  if ('indices' in asked && 'indices' in own) {
    const values = new Map(own.indices.map((index, place) => [index, own.values[place] ?? 0]))
    const common = asked.indices.flatMap((index, place) => {
      const value = values.get(index)
      return value === undefined ? [] : [value * (asked.values[place] ?? 0)]
    })
    return common.length === 0 ? undefined : Math.fround(common.reduce((sum, part) => sum + part, 0))
  }
  if ('indices' in asked || 'indices' in own)
    throw new Refusal(400, 'Wrong input: Conversion between sparse and regular vectors failed')
  if (asked.length !== own.length) throw new Refusal(400, 'Wrong input: Vector dimension error')
  return Math.fround(asked.reduce((sum, part, place) => sum + Math.fround(part) * Math.fround(own[place] ?? 0), 0))
}

function meant({ points }: Collection, filter: unknown): readonly StoredPoint[] {
  const { must = [], must_not: mustNot = [] } = (filter ?? {}) as {
    readonly must?: readonly Json[]
    readonly must_not?: readonly Json[]
  }
  return [...points.values()].filter(
    ({ payload }) => must.every((one) => holds(one, payload)) && !mustNot.some((one) => holds(one, payload)),
  )
}

function holds({ key, match, range }: Json, payload: Json): boolean {
  const value = payload[String(key)]
  if (match !== undefined) {
    const { any } = match as { readonly any: readonly unknown[] }
    return (Array.isArray(value) ? value : [value]).some((one) => any.includes(one))
  }
  if (typeof value !== 'number') return false
  return Object.entries(range as Readonly<Record<string, number>>).every(([comparison, limit]) => {
    switch (comparison) {
      case 'gt':
        return value > limit
      case 'gte':
        return value >= limit
      case 'lt':
        return value < limit
      case 'lte':
        return value <= limit
      default:
        throw new Refusal(400, `unknown comparison ${comparison}`)
    }
  })
}

function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Refusal(400, 'Format error in JSON body: a list is missing')
  return value
}

function idOf(value: unknown): string {
  if (typeof value === 'string' && UUID.test(value)) return value
  throw new Refusal(400, `value ${String(value)} is not a valid point ID`)
}
