// Settings: what the environment says of Qdrant, in the variables of the AoS Context Module.
import { CallboardError } from '../../base/index.ts'

export interface QdrantSettings {
  readonly url: string
  /** Undefined for the one by default. */
  readonly collection?: string
}

/**
 * `QDRANT_URL` and `QDRANT_COLLECTION`; undefined where the url is unset: `openQdrantMemory(settings)`. An empty text is unset.
 * @throws CallboardError `memory.option` for a url that is no http address
 */
export function readQdrantSettings(env: Readonly<Record<string, string | undefined>>): QdrantSettings | undefined {
  const { QDRANT_URL: url = '', QDRANT_COLLECTION: collection = '' } = env
  if (url === '') return undefined
  assertUrl('QDRANT_URL', url)
  return Object.freeze(collection === '' ? { url } : { url, collection })
}

/** @throws CallboardError `memory.option` */
export function assertUrl(name: string, url: string): void {
  if (URL.canParse(url) && /^https?:/.test(url)) return
  throw new CallboardError('memory.option', `${name}: "${url}" is no http address`, { url })
}
