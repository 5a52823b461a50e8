// Idempotency: a request under a key is carried out once. Asking again, also after a restart, gives the answer it had.
//   I1. A key belongs to its caller, and to one request: the same method, path, query, If-Match and body.
//   I2. Who asks while the first request is under way gets that one's answer.
//   I3. Where the process ended in between, nobody knows what came of it: that is said, not guessed.
import { createHash } from 'node:crypto'
import { canonicalJson, CallboardError } from '../base/index.ts'
import type { ServerBook } from './book.ts'
import type { Caller } from './caller.ts'
import type { KeptAnswer, KeyPlace } from './kept-answers.ts'

export interface KeyedRequest {
  readonly caller: Caller
  /** As it was shown. */
  readonly token: string | undefined
  readonly key: string
  readonly method: string
  /** With its query. */
  readonly url: string
  readonly ifMatch: number | undefined
  readonly body: unknown
  readonly at: number
}

const LONGEST_KEY = 255
const FAILED = 500

export class Idempotency {
  readonly #book: ServerBook
  readonly #underWay = new Map<string, Promise<KeptAnswer>>()

  constructor(book: ServerBook) {
    this.#book = book
  }

  /** @throws CallboardError `server.idempotency-reused`, `server.idempotency-open`, `server.invalid` */
  async once({ caller, key, ...asked }: KeyedRequest, carryOut: () => Promise<KeptAnswer>): Promise<KeptAnswer> {
    assertKey(key)
    const owner = `${caller.tenant}/${caller.tokenId ?? ''}`
    const fingerprint = fingerprintOf(asked)
    const id = JSON.stringify([owner, key, fingerprint])
    const underWay = this.#underWay.get(id)
    if (underWay !== undefined) return underWay
    const answer = this.#answer({ owner, key, token: asked.token }, { fingerprint, at: asked.at }, carryOut)
    this.#underWay.set(id, answer)
    try {
      return await answer
    } finally {
      this.#underWay.delete(id)
    }
  }

  async #answer(
    place: KeyPlace,
    asked: { readonly fingerprint: string; readonly at: number },
    carryOut: () => Promise<KeptAnswer>,
  ): Promise<KeptAnswer> {
    const state = await this.#book.claimKey(place, asked)
    if (state.kind === 'taken') throw reusedError(place.key)
    if (state.kind === 'open') throw openError(place.key)
    if (state.kind === 'answered') return state.answer
    const answer = await carryOut()
    // A failure is not what came of it: asking again may do better.
    if (answer.status >= FAILED) await this.#book.releaseKey(place)
    else await this.#book.keepAnswer(place, answer)
    return answer
  }
}

function fingerprintOf({
  method,
  url,
  ifMatch,
  body,
}: Pick<KeyedRequest, 'method' | 'url' | 'ifMatch' | 'body'>): string {
  const asked = [method, targetOf(url), body ?? null, ...(ifMatch === undefined ? [] : [ifMatch])]
  return createHash('sha256').update(canonicalJson(asked)).digest('base64url')
}

/** The path and the query, in whatever order that is said. */
function targetOf(url: string): string {
  const { pathname, searchParams } = new URL(url)
  searchParams.sort()
  return searchParams.size === 0 ? pathname : `${pathname}?${searchParams}`
}

function assertKey(key: string): void {
  if (key.length > 0 && key.length <= LONGEST_KEY) return
  throw new CallboardError('server.invalid', `an idempotency key has 1 to ${LONGEST_KEY} characters`, {})
}

function reusedError(key: string): CallboardError {
  const message = `the idempotency key "${key}" belongs to another request; take a new key for a new request`
  return new CallboardError('server.idempotency-reused', message, { key })
}

function openError(key: string): CallboardError {
  const message = `the request under the idempotency key "${key}" was interrupted, and what came of it is not known; look at the run, and take a new key if nothing did`
  return new CallboardError('server.idempotency-open', message, { key })
}
