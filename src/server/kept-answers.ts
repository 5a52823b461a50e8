// Kept answers: the rows under idempotency keys.
//   W1. An answer may hold values, and secrets that are shown once. Where its caller has a token, only who shows that
//       token again can read it; else only who has the key of the book, if there is one.
//   W2. One that cannot be read any more, because that key is another by now, counts as not known.
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { markOf, openText, sealText } from './sealed-text.ts'

/** An answer as it was sent. */
export interface KeptAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Whose key it is. */
export interface KeyPlace {
  readonly owner: string
  readonly key: string
  /** The token as it was shown; undefined where there is none. */
  readonly token: string | undefined
}

/** What is known under a key. */
export type KeyState =
  /** It is the caller's from now on. */
  | { readonly kind: 'claimed' }
  | { readonly kind: 'answered'; readonly answer: KeptAnswer }
  /** Another request has claimed it and has not been answered. */
  | { readonly kind: 'open' }
  /** It belongs to a request that asked for something else. */
  | { readonly kind: 'taken' }

export class KeptAnswers {
  readonly #secret: string | Uint8Array | undefined
  readonly #claim: StatementSync
  readonly #find: StatementSync
  readonly #keep: StatementSync
  readonly #release: StatementSync
  readonly #forget: StatementSync

  constructor(db: DatabaseSync, secret: string | Uint8Array | undefined) {
    this.#secret = secret
    this.#claim = db.prepare(
      'INSERT INTO answers (owner, key, fingerprint, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
    )
    this.#find = db.prepare('SELECT * FROM answers WHERE owner = ? AND key = ?')
    this.#keep = db.prepare('UPDATE answers SET status = ?, headers = ?, body = ? WHERE owner = ? AND key = ?')
    this.#release = db.prepare('DELETE FROM answers WHERE owner = ? AND key = ? AND status IS NULL')
    this.#forget = db.prepare('DELETE FROM answers WHERE at < ?')
  }

  /** @param fingerprint of what is asked for */
  claim(place: KeyPlace, { fingerprint, at }: { readonly fingerprint: string; readonly at: number }): KeyState {
    const { owner, key } = place
    const secret = this.#secretFor(place)
    // A hash of what can be guessed tells what it was.
    const mark = secret === undefined ? fingerprint : markOf(secret, fingerprint)
    if (this.#claim.run(owner, key, mark, at).changes === 1) return { kind: 'claimed' }
    const row = this.#find.get(owner, key)
    if (row?.['fingerprint'] !== mark) return { kind: 'taken' }
    const answer = this.#answerIn(row, place)
    return answer === undefined ? { kind: 'open' } : { kind: 'answered', answer }
  }

  keep(place: KeyPlace, { status, headers, body }: KeptAnswer): void {
    const { owner, key } = place
    const secret = this.#secretFor(place)
    const said = JSON.stringify(headers)
    if (secret === undefined) this.#keep.run(status, said, body, owner, key)
    // What is sealed has no headers beside it.
    else this.#keep.run(status, null, sealText(secret, JSON.stringify([said, body]), nameOf(place)), owner, key)
  }

  release({ owner, key }: KeyPlace): void {
    this.#release.run(owner, key)
  }

  forget(before: number): void {
    this.#forget.run(before)
  }

  #answerIn(row: Readonly<Record<string, unknown>>, place: KeyPlace): KeptAnswer | undefined {
    const { status, headers, body } = row
    if (typeof status !== 'number' || typeof body !== 'string') return undefined
    if (typeof headers === 'string') return { status, headers: headersIn(headers), body }
    const secret = this.#secretFor(place)
    const opened = secret === undefined ? undefined : openText(secret, body, nameOf(place))
    if (opened === undefined) return undefined
    const [said, text] = JSON.parse(opened) as readonly [string, string]
    return { status, headers: headersIn(said), body: text }
  }

  #secretFor({ token }: KeyPlace): string | Uint8Array | undefined {
    return token ?? this.#secret
  }
}

const nameOf = ({ owner, key }: KeyPlace): string => JSON.stringify([owner, key])

const headersIn = (text: string): KeptAnswer['headers'] => JSON.parse(text) as KeptAnswer['headers']
