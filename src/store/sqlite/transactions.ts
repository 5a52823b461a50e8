// Transactions: how one begins, what is looked at first, and what is left when it fails.
//   X1. Nothing is read or written before it is known whether another connection has written since the last time.
//   X2. A transaction that fails leaves nothing behind, neither in the file nor with its owner.
import { CallboardError } from '../../base/index.ts'
import { storeError } from './database.ts'
import type { Database, Statement } from './database.ts'

/** Whoever remembers something between transactions. */
export interface TransactionOwner {
  /** Another connection has written; within the transaction. */
  refresh(): void
  /** Before the commit of what was written. */
  settle(): void
  /** A reading transaction has failed. */
  doubt(): void
  /** A writing one has failed: everything remembered may be of what was never committed. */
  forget(): void
}

interface TransactionsParts {
  readonly db: Database
  readonly path: string
  /** Counts the keys the file has had; another process may have rotated it. */
  readonly keyGeneration: string
  readonly owner: TransactionOwner
}

export class Transactions {
  readonly #db: Database
  readonly #path: string
  readonly #owner: TransactionOwner
  readonly #begin: Statement
  readonly #beginReading: Statement
  readonly #commit: Statement
  readonly #rollback: Statement
  readonly #dataVersion: Statement
  readonly #generation: Statement
  #keyGeneration: string
  #seenVersion: unknown

  constructor({ db, path, keyGeneration, owner }: TransactionsParts) {
    this.#db = db
    this.#path = path
    this.#owner = owner
    this.#keyGeneration = keyGeneration
    this.#begin = db.prepare('BEGIN IMMEDIATE')
    this.#beginReading = db.prepare('BEGIN')
    this.#commit = db.prepare('COMMIT')
    this.#rollback = db.prepare('ROLLBACK')
    this.#dataVersion = db.prepare('PRAGMA data_version')
    this.#generation = db.prepare(`SELECT value FROM meta WHERE name = 'key-generation'`)
  }

  /** Whether what is remembered is what the file has: nobody else has written since it was looked at. */
  get isCurrent(): boolean {
    try {
      return this.#seenVersion !== undefined && this.#dataVersion.get()?.['data_version'] === this.#seenVersion
    } catch {
      // What is the matter comes out when the file is looked at.
      return false
    }
  }

  /** @param alone with true, nobody can write meanwhile */
  read<Result>(work: () => Result, alone = false): Result {
    try {
      ;(alone ? this.#begin : this.#beginReading).run()
      this.#refresh()
      return work()
    } catch (error) {
      this.#owner.doubt()
      throw storeError(error, this.#path)
    } finally {
      if (this.#db.isTransaction) this.#rollback.run()
    }
  }

  write<Result>(work: () => Result): Result {
    try {
      this.#begin.run()
      this.#refresh()
      const result = work()
      this.#owner.settle()
      this.#commit.run()
      return result
    } catch (error) {
      this.#owner.forget()
      this.#seenVersion = undefined
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw storeError(error, this.#path)
    }
  }

  /** How many keys the file has had, as this transaction sees it. */
  keyGeneration(): string {
    return String(this.#generation.get()?.['value'])
  }

  /** The key was changed by this process itself. */
  acceptKey(generation: string): void {
    this.#keyGeneration = generation
  }

  #refresh(): void {
    const version = this.#dataVersion.get()?.['data_version']
    if (version === this.#seenVersion) return
    this.#owner.doubt()
    if (this.keyGeneration() !== this.#keyGeneration) throw rotatedError(this.#path)
    this.#owner.refresh()
    this.#seenVersion = version
  }
}

function rotatedError(path: string): CallboardError {
  return new CallboardError(
    'store.wrong-key',
    `the key of ${path} was changed by another process; open it again with the new one`,
    { path },
  )
}
