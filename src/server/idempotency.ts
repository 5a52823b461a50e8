// Idempotency: a request under a key is carried out once. Asking again, also after a restart, gives the answer it had.
//   I1. A key belongs to its caller, and to one request: the same method, path and body.
//   I2. Who asks while the first request is under way gets that one's answer.
//   I3. Where the process ended in between, nobody knows what came of it: that is said, not guessed.
import { createHash } from 'node:crypto'
import { canonicalJson, CallboardError } from '../base/index.ts'
import type { KeptAnswer, ServerBook } from './book.ts'
import type { Caller } from './caller.ts'

export interface KeyedRequest {
  readonly caller: Caller
  readonly key: string
  readonly method: string
  readonly path: string
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
  async once(request: KeyedRequest, carryOut: () => Promise<KeptAnswer>): Promise<KeptAnswer> {
    const { caller, key } = request
    assertKey(key)
    const owner = `${caller.tenant}/${caller.tokenId ?? ''}`
    const fingerprint = fingerprintOf(request)
    const id = JSON.stringify([owner, key, fingerprint])
    const underWay = this.#underWay.get(id)
    if (underWay !== undefined) return underWay
    const answer = this.#answer(owner, { ...request, fingerprint }, carryOut)
    this.#underWay.set(id, answer)
    try {
      return await answer
    } finally {
      this.#underWay.delete(id)
    }
  }

  async #answer(
    owner: string,
    { key, fingerprint, at }: KeyedRequest & { readonly fingerprint: string },
    carryOut: () => Promise<KeptAnswer>,
  ): Promise<KeptAnswer> {
    const state = await this.#book.claimKey(owner, key, { fingerprint, at })
    if (state.kind !== 'claimed' && state.fingerprint !== fingerprint) throw reusedError(key)
    if (state.kind === 'answered') return state.answer
    if (state.kind === 'open') throw openError(key)
    const answer = await carryOut()
    // A failure is not what came of it: asking again may do better.
    if (answer.status >= FAILED) await this.#book.releaseKey(owner, key)
    else await this.#book.keepAnswer(owner, key, answer)
    return answer
  }
}

function fingerprintOf({ method, path, body }: KeyedRequest): string {
  return createHash('sha256')
    .update(canonicalJson([method, path, body ?? null]))
    .digest('base64url')
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
