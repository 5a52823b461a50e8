// Embedder: what turns texts into vectors. It is handed in; whatever it gives is checked and made one long before it is
// stored or compared, so that a similarity is a product and never NaN.
import { CallboardError } from '../base/index.ts'

export interface Embedder {
  /** Names the model and its settings: vectors of different embedders are never compared. */
  readonly id: string
  /** `lexical`: near means "shares words". `semantic`: near means "means the same". */
  readonly kind: 'lexical' | 'semantic'
  /** One vector per text, in order, all of one length. The same text gives the same vector. */
  embed(texts: readonly string[], options?: { readonly signal?: AbortSignal }): Promise<readonly (readonly number[])[]>
}

/** What is called of an embedding model of the AI SDK, whichever provider it is from. */
export interface EmbeddingModel {
  readonly provider: string
  readonly modelId: string
  readonly maxEmbeddingsPerCall: number | undefined | PromiseLike<number | undefined>
  doEmbed(options: { readonly values: string[]; readonly abortSignal?: AbortSignal }): PromiseLike<{
    readonly embeddings: readonly (readonly number[])[]
  }>
}

/** Makes an embedder of an AI SDK embedding model: `modelEmbedder(openai.embedding('text-embedding-3-small'))`. */
export function modelEmbedder(model: EmbeddingModel): Embedder {
  return Object.freeze({
    id: `${model.provider}/${model.modelId}`,
    kind: 'semantic',
    embed: async (texts: readonly string[], { signal }: { readonly signal?: AbortSignal } = {}) => {
      const most = (await model.maxEmbeddingsPerCall) ?? Number.POSITIVE_INFINITY
      const vectors: (readonly number[])[] = []
      for (let from = 0; from < texts.length; from += most) {
        const values = texts.slice(from, from + most)
        const { embeddings } = await model.doEmbed({ values, ...(signal === undefined ? {} : { abortSignal: signal }) })
        vectors.push(...embeddings)
      }
      return vectors
    },
  })
}

/**
 * Vectors can only be compared with those of the same embedder.
 *
 * @throws CallboardError `memory.embedder-changed`
 */
export function assertEmbedder(stored: { readonly id: string } | undefined, { id: given }: Embedder): void {
  if (stored === undefined || stored.id === given) return
  throw new CallboardError(
    'memory.embedder-changed',
    `the store holds vectors of embedder ${stored.id}, not of ${given}; give createMemory() that one, or reembed: true`,
    { stored: stored.id, given },
  )
}

/**
 * The vectors of some texts, each of length one, or all zeros where a text has none.
 *
 * @param dimensions what the stored vectors have; undefined when there are none yet
 * @throws CallboardError `memory.embedder` when the embedder fails, or gives what is no vector;
 *   `memory.dimensions` when vectors differ in length
 */
export async function embedTexts(
  embedder: Embedder,
  texts: readonly string[],
  { dimensions, signal }: { readonly dimensions?: number | undefined; readonly signal?: AbortSignal | undefined } = {},
): Promise<readonly Float32Array<ArrayBuffer>[]> {
  if (texts.length === 0) return []
  const given = await callEmbedder(embedder, texts, signal)
  const expected = dimensions ?? given[0]?.length ?? 0
  return given.map((vector) => {
    if (vector.length === expected && expected > 0) return toUnit(vector, embedder)
    throw new CallboardError(
      'memory.dimensions',
      `embedder ${embedder.id} gave a vector of ${vector.length} numbers where ${expected} are expected; give the embedder an id of its own for each number of dimensions`,
      { embedder: embedder.id, dimensions: vector.length, expected },
    )
  })
}

async function callEmbedder(
  embedder: Embedder,
  texts: readonly string[],
  signal: AbortSignal | undefined,
): Promise<readonly (readonly number[])[]> {
  let vectors: unknown
  try {
    vectors = await embedder.embed(texts, signal === undefined ? {} : { signal })
  } catch (error) {
    signal?.throwIfAborted()
    throw new CallboardError(
      'memory.embedder',
      `embedder ${embedder.id} failed for ${texts.length} texts; nothing was stored, try again`,
      { embedder: embedder.id, texts: texts.length },
      { cause: error },
    )
  }
  const isList = (list: unknown): list is { readonly length: number } => Array.isArray(list) || ArrayBuffer.isView(list)
  if (Array.isArray(vectors) && vectors.length === texts.length && vectors.every(isList)) {
    return vectors as readonly unknown[] as readonly (readonly number[])[]
  }
  throw notVectors(embedder, `did not give one list of numbers for each of ${texts.length} texts`)
}

function toUnit(vector: readonly number[], embedder: Embedder): Float32Array<ArrayBuffer> {
  let squares = 0
  for (const part of vector) squares += part * part
  if (!Number.isFinite(squares)) throw notVectors(embedder, 'gave a vector with parts that are no finite numbers')
  const length = Math.sqrt(squares)
  return length === 0 ? new Float32Array(vector.length) : Float32Array.from(vector, (part) => part / length)
}

function notVectors({ id }: Embedder, how: string): CallboardError {
  return new CallboardError('memory.embedder', `embedder ${id} ${how}; correct it`, { embedder: id })
}
