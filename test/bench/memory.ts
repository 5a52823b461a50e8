// Question: what does recalling from 10,000 items cost beside what SQLite and a bare loop ask for themselves?
// Baselines: the same texts in an FTS5 table, asked for the best by its own rank; a loop over one Float32Array.
import { DatabaseSync } from 'node:sqlite'
import { createMemory, createVolatileMemory, lexicalEmbedder } from 'callboard/memory'
import type { AgentMemory, MemoryChange, MemoryItem, MemoryStore } from 'callboard/memory'
import { measure } from './harness.ts'
import type { Contender } from './harness.ts'
import { lineOf } from './report.ts'
import type { Question } from './report.ts'

const ITEMS = 10_000
const VOCABULARY = 3_000
const WORDS_PER_ITEM = 20
const WORDS_PER_QUERY = 4
const QUERIES = 40
const TOP_K = 8
const BATCH = 1_000
const BUILDS = { rounds: 5, warmups: 1 }

const BARE_WORDS = 'a bare FTS5 table, by its rank'
const BY_WORDS = 'recall by words'
const BARE_VECTORS = 'a bare scan of a Float32Array'
const BY_VECTOR = 'searchVector of the store'
const IN_SQLITE = 'searchVector of a store with sqlite-vec, which holds no vectors'
const RECALL_VECTOR = 'recall by vector, embedding the query included'
const HYBRID = 'recall by both'
const BARE_BUILD = 'bare inserts into FTS5 and a Float32Array'
const BUILD = 'propose and commit, 1,000 items at a time'

/** The same numbers every time (Park and Miller). */
let seed = 1
const random = (): number => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647
/** Few words are frequent and most are rare, as in language. */
const word = (): string => `w${Math.floor(VOCABULARY ** random())}`
const textOf = (words: number): string => Array.from({ length: words }, word).join(' ')

const texts = Array.from({ length: ITEMS }, () => textOf(WORDS_PER_ITEM))
const queries = Array.from({ length: QUERIES }, () => textOf(WORDS_PER_QUERY))
const limit = { words: { kind: 'times', most: 2 }, vector: { kind: 'times', most: 1.3 } } as const

export const memoryQuestion: Question = {
  name: 'memory',
  async answer() {
    const world = await openWorld()
    await assertSame(world)
    const words = await measure([
      bareWords(world),
      recalling(world, BY_WORDS, 'keyword'),
      recalling(world, HYBRID, 'hybrid'),
    ])
    const vectors = await measure([
      bareScan(world),
      searching(world, BY_VECTOR, world.store),
      searching(world, IN_SQLITE, world.inSqlite),
      recalling(world, RECALL_VECTOR, 'vector'),
    ])
    const builds = await measure([bareBuild(world), build()], BUILDS)
    return [
      {
        title: `A question to a memory of ${ITEMS.toLocaleString('en')} items`,
        operation: `one query of ${WORDS_PER_QUERY} words; the ${TOP_K} best of items of ${WORDS_PER_ITEM} words; 256 dimensions.`,
        lines: [
          lineOf(words, BARE_WORDS),
          lineOf(words, BY_WORDS, { baseline: BARE_WORDS, limit: limit.words }),
          lineOf(words, HYBRID, { baseline: BARE_WORDS }),
          lineOf(vectors, BARE_VECTORS),
          lineOf(vectors, BY_VECTOR, { baseline: BARE_VECTORS, limit: limit.vector }),
          lineOf(vectors, IN_SQLITE, { baseline: BARE_VECTORS }),
          lineOf(vectors, RECALL_VECTOR, { baseline: BARE_VECTORS }),
        ],
        notMeasured:
          'files (the memory is volatile, so is the bare table), other processes, embedding models. Recalls also read ' +
          'the items they give and count that they were found; the bare table gives numbers of rows. Before, it is ' +
          'checked that words find what FTS5 finds and that all scans give the same.',
      },
      {
        title: `Building a memory of ${ITEMS.toLocaleString('en')} items`,
        operation: 'one item, with its words, its vector and, in the memory, its batch.',
        lines: [lineOf(builds, BARE_BUILD), lineOf(builds, BUILD, { baseline: BARE_BUILD })],
        notMeasured: 'making the vectors of the bare build, which are there already; forcing to disk.',
      },
    ]
  },
}

interface World {
  readonly store: MemoryStore
  readonly inSqlite: MemoryStore
  readonly memory: AgentMemory
  readonly db: DatabaseSync
  readonly vectors: Float32Array
  readonly queryVectors: readonly Float32Array[]
}

async function openWorld(): Promise<World> {
  const store = createVolatileMemory()
  const memory = (await createMemory({ store })).for({ runId: 'bench' })
  await fill(memory)
  const inSqlite = createVolatileMemory({ vectors: 'sqlite-vec' })
  await fill((await createMemory({ store: inSqlite })).for({ runId: 'bench' }))
  const vectors = joined(await unitVectors(texts))
  const db = bareTable()
  return { store, inSqlite, memory, db, vectors, queryVectors: await unitVectors(queries) }
}

async function fill(memory: AgentMemory): Promise<void> {
  for (let from = 0; from < ITEMS; from += BATCH) {
    const changes = texts.slice(from, from + BATCH).map((text): MemoryChange => {
      return { op: 'add', kind: 'semantic', scope: 'global', text }
    })
    const { kind } = await memory.remember(changes)
    if (kind !== 'committed') throw new Error('a batch was refused')
  }
}

function bareTable(): DatabaseSync {
  const db = new DatabaseSync(':memory:')
  db.exec('CREATE VIRTUAL TABLE bare USING fts5(text)')
  const insert = db.prepare('INSERT INTO bare (rowid, text) VALUES (?, ?)')
  db.exec('BEGIN')
  for (const [index, text] of texts.entries()) insert.run(index + 1, text)
  db.exec('COMMIT')
  return db
}

async function unitVectors(of: readonly string[]): Promise<readonly Float32Array[]> {
  return (await lexicalEmbedder.embed(of)).map((vector) => {
    const length = Math.hypot(...vector)
    return Float32Array.from(vector, (part) => part / length)
  })
}

function joined(vectors: readonly Float32Array[]): Float32Array {
  const dimensions = vectors[0]?.length ?? 0
  const all = new Float32Array(vectors.length * dimensions)
  for (const [index, vector] of vectors.entries()) all.set(vector, index * dimensions)
  return all
}

const matchOf = (query: string): string => [...new Set(query.split(' '))].map((part) => `"${part}"`).join(' OR ')
const SELECT = 'SELECT rowid FROM bare WHERE bare MATCH ? ORDER BY rank LIMIT ?'

/** The contenders look for the same thing: whatever one finds, the other finds. */
async function assertSame({ memory, store, inSqlite, db, vectors, queryVectors }: World): Promise<void> {
  for (const [index, query] of queries.entries()) {
    const bare = db.prepare('SELECT count(*) AS count FROM bare WHERE bare MATCH ?').get(matchOf(query))?.['count']
    const found = await store.searchWords([...new Set(query.split(' '))], { scopes: 'all' }, ITEMS)
    if (found.length !== bare) throw new Error(`"${query}": ${found.length} by words, ${String(bare)} by FTS5`)
    const vector = queryVectors[index] ?? new Float32Array()
    const scanned = scan(vectors, vector).map((row) => texts[row])
    for (const each of [store, inSqlite]) {
      const matches = await each.searchVector(vector, { scopes: 'all' }, { threshold: -1, limit: TOP_K })
      const items = await each.load(matches.map(({ key }) => key))
      if (items.map(({ text }: MemoryItem) => text).join() === scanned.join()) continue
      throw new Error(`"${query}": scans differ`)
    }
  }
  if ((await memory.recall(queries[0] ?? '', { mode: 'keyword', topK: TOP_K })).length !== TOP_K)
    throw new Error('no hits')
}

function bareWords({ db }: World): Contender {
  const select = db.prepare(SELECT)
  return {
    name: BARE_WORDS,
    operations: QUERIES,
    run: () => {
      for (const query of queries) select.all(matchOf(query), TOP_K)
    },
  }
}

function recalling({ memory }: World, name: string, mode: 'keyword' | 'vector' | 'hybrid'): Contender {
  return {
    name,
    operations: QUERIES,
    run: async () => {
      for (const query of queries) await memory.recall(query, { mode, topK: TOP_K, threshold: -1 })
    },
  }
}

function bareScan({ vectors, queryVectors }: World): Contender {
  return {
    name: BARE_VECTORS,
    operations: QUERIES,
    run: () => {
      for (const vector of queryVectors) scan(vectors, vector)
    },
  }
}

function searching({ queryVectors }: World, name: string, store: MemoryStore): Contender {
  return {
    name,
    operations: QUERIES,
    run: async () => {
      for (const vector of queryVectors) {
        await store.searchVector(vector, { scopes: 'all' }, { threshold: -1, limit: TOP_K })
      }
    },
  }
}

/** The best rows, by as plain a loop as can be that does not wait for its own sums. */
function scan(vectors: Float32Array, vector: Float32Array): readonly number[] {
  const best: { row: number; similarity: number }[] = []
  const { length } = vector
  for (let row = 0, at = 0; at < vectors.length; row++, at += length) {
    let [a, b, c, d] = [0, 0, 0, 0]
    for (let part = 0; part < length; part += 4) {
      a += vectors[at + part]! * vector[part]!
      b += vectors[at + part + 1]! * vector[part + 1]!
      c += vectors[at + part + 2]! * vector[part + 2]!
      d += vectors[at + part + 3]! * vector[part + 3]!
    }
    const similarity = a + b + c + d
    if (best.length === TOP_K && similarity <= best[TOP_K - 1]!.similarity) continue
    let place = best.length
    while (place > 0 && similarity > best[place - 1]!.similarity) place--
    best.splice(place, 0, { row, similarity })
    if (best.length > TOP_K) best.pop()
  }
  return best.map(({ row }) => row)
}

function bareBuild({ vectors }: World): Contender {
  const copy = new Float32Array(vectors.length)
  return {
    name: BARE_BUILD,
    operations: ITEMS,
    run: () => {
      bareTable().close()
      copy.set(vectors)
    },
  }
}

function build(): Contender {
  return {
    name: BUILD,
    operations: ITEMS,
    run: async () => {
      const store = createVolatileMemory()
      await fill((await createMemory({ store })).for({ runId: 'bench' }))
      await store.searchVector(new Float32Array(256), { scopes: 'all' }, { threshold: 1, limit: 1 })
      await store.close()
    },
  }
}
