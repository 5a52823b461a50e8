// Recall: what of the memory concerns a question. Two searches, by words and by vector, and one list of both: reciprocal
// rank fusion (Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning
// Methods", SIGIR 2009), which needs places only, so that scores of different kinds are never added.
//   C1. Only items of the reader's scopes that are not over are found; active ones unless it asks for others.
//   C2. By words, an item without one of them is never found, however sure it is; confidence only weighs matches.
//   C3. By vector, an item is found from the threshold on, inclusive.
//   C4. The same memory and question give the same list.
import { CallboardError } from '../base/index.ts'
import { assertEmbedder, embedTexts } from './embedder.ts'
import type { MemoryItem, MemoryKind, MemoryStatus, MemoryType } from './item.ts'
import { itemKey } from './scope.ts'
import type { MemoryScopeKind, ReaderAccess } from './scope.ts'
import type { MemoryServices } from './services.ts'
import type { MemoryFilter, MemoryMatch } from './store.ts'
import { coverageOf, queryWords } from './words.ts'

export interface RecallOptions {
  /** Items at most; 5 unless given. */
  readonly topK?: number
  /** Least cosine similarity of what is found by vector, inclusive; 0.7 unless given. */
  readonly threshold?: number
  /** Least share of the query's words in what is found by words alone; none unless given, a single word is enough. */
  readonly minCoverage?: number
  /** By words, by vector, or by both: `hybrid` unless given. */
  readonly mode?: 'keyword' | 'vector' | 'hybrid'
  readonly kinds?: readonly MemoryKind[]
  readonly types?: readonly MemoryType[]
  /** Of the scopes one is in, only these. */
  readonly scopes?: readonly MemoryScopeKind[]
  /** `active` unless given. */
  readonly status?: MemoryStatus
  readonly signal?: AbortSignal
}

/** An item that was found, and why. */
export interface MemoryHit {
  readonly item: MemoryItem
  /** What hits are ordered by: the fused places. Comparable within one answer only. */
  readonly score: number
  /** From 0 to 1: the larger of `similarity` and `coverage`. */
  readonly relevance: number
  /** The cosine, where it was found by vector. */
  readonly similarity: number | undefined
  /** The share of the query's words that it has, where it was found by words. */
  readonly coverage: number | undefined
  readonly foundBy: readonly ('keyword' | 'vector')[]
}

const DEFAULT_TOP_K = 5
const DEFAULT_THRESHOLD = 0.7
const MOST_HITS = 1_000
/** The constant of the paper. */
const FUSION = 60
/** Places looked at in each list: an item that is middling in both may be the best of all. */
const DEEPEST = 50

interface Candidate {
  readonly key: string
  readonly byWords: boolean
  readonly similarity: number | undefined
  readonly score: number
}

export async function recall(
  services: MemoryServices,
  access: ReaderAccess,
  query: string,
  options: RecallOptions = {},
): Promise<readonly MemoryHit[]> {
  const { topK = DEFAULT_TOP_K, threshold = DEFAULT_THRESHOLD, minCoverage = 0, mode = 'hybrid' } = options
  assertOptions(query, { topK, threshold, minCoverage })
  const { store, clock } = services
  const words = mode === 'vector' ? [] : queryWords(query)
  const filter = filterOf(access, options, clock.now())
  const limit = mode === 'hybrid' || minCoverage > 0 ? Math.max(topK, DEEPEST) : topK
  const byWords = words.length === 0 ? [] : await store.searchWords(words, filter, limit)
  const byVector = mode === 'keyword' ? [] : await searchVector(services, query, filter, { threshold, limit }, options)
  const fused = fuse(byWords, byVector)
  // Where words alone may not do, texts have to be read before it is known who is among the first.
  const wanted = minCoverage > 0 ? fused : fused.slice(0, topK)
  const items = await store.load(wanted.map(({ key }) => key))
  const found = new Map(items.map((item) => [itemKey(item.scope, item.id), item]))
  const hits = wanted
    .flatMap((candidate) => {
      const item = found.get(candidate.key)
      return item === undefined ? [] : [hitOf(candidate, item, words)]
    })
    .filter(({ similarity, coverage = 0 }) => similarity !== undefined || coverage >= minCoverage)
    .slice(0, topK)
  await store.touch(
    hits.map(({ item }) => itemKey(item.scope, item.id)),
    clock.now(),
  )
  return Object.freeze(hits.map((hit) => recalled(hit, clock.now())))
}

/** What a reader may find. */
export function filterOf(
  access: ReaderAccess,
  { kinds, types, scopes, status = 'active' }: Pick<RecallOptions, 'kinds' | 'types' | 'scopes' | 'status'>,
  now: number,
): MemoryFilter {
  return {
    scopes: access.among(scopes),
    now,
    statuses: [status],
    ...(kinds === undefined ? {} : { kinds }),
    ...(types === undefined ? {} : { types }),
  }
}

async function searchVector(
  { store, embedder }: MemoryServices,
  query: string,
  filter: MemoryFilter,
  options: { readonly threshold: number; readonly limit: number },
  { signal }: RecallOptions,
): Promise<readonly MemoryMatch[]> {
  const { embedder: known } = await store.state()
  if (known === undefined || query.trim() === '') return []
  assertEmbedder(known, embedder)
  const [vector] = await embedTexts(embedder, [query], { dimensions: known.dimensions, signal })
  return vector === undefined ? [] : store.searchVector(vector, filter, options)
}

/** One list of both: each place counts 1/(60 + place). Equals stay in the order in which they were met. */
function fuse(byWords: readonly MemoryMatch[], byVector: readonly MemoryMatch[]): readonly Candidate[] {
  const candidates = new Map<string, Candidate>()
  for (const [place, { key }] of byWords.entries()) {
    candidates.set(key, { key, byWords: true, similarity: undefined, score: 1 / (FUSION + place + 1) })
  }
  for (const [place, { key, score: similarity }] of byVector.entries()) {
    const known = candidates.get(key)
    const score = (known?.score ?? 0) + 1 / (FUSION + place + 1)
    candidates.set(key, { key, byWords: known !== undefined, similarity, score })
  }
  return [...candidates.values()].sort((a, b) => b.score - a.score)
}

function hitOf({ byWords, similarity, score }: Candidate, item: MemoryItem, words: readonly string[]): MemoryHit {
  const coverage = byWords ? coverageOf(words, item.text) : undefined
  return Object.freeze({
    item,
    score,
    relevance: Math.max(0, similarity ?? 0, coverage ?? 0),
    similarity,
    coverage,
    foundBy: Object.freeze([
      ...(byWords ? (['keyword'] as const) : []),
      ...(similarity === undefined ? [] : (['vector'] as const)),
    ]),
  })
}

/** As it is now that it has been recalled. */
function recalled(hit: MemoryHit, at: number): MemoryHit {
  const { item } = hit
  return Object.freeze({
    ...hit,
    item: Object.freeze({ ...item, accessCount: item.accessCount + 1, accessedAt: at }),
  })
}

function assertOptions(
  query: string,
  { topK, threshold, minCoverage }: Record<'topK' | 'threshold' | 'minCoverage', number>,
): void {
  const wrong =
    typeof query !== 'string'
      ? 'the query is a text'
      : !Number.isInteger(topK) || topK < 1 || topK > MOST_HITS
        ? `topK is a whole number from 1 to ${MOST_HITS}`
        : !(threshold >= -1 && threshold <= 1)
          ? 'threshold is a number from -1 to 1'
          : !(minCoverage >= 0 && minCoverage <= 1)
            ? 'minCoverage is a number from 0 to 1'
            : undefined
  if (wrong !== undefined) throw new CallboardError('memory.option', `recall: ${wrong}`, { topK, threshold })
}
