// Shared writes: what is written at the same time is one transaction, and whoever wrote goes on when that is stored. One
// that throws fails alone; a transaction that fails fails for all of them.
import type { DatabaseSync, StatementSync } from 'node:sqlite'

interface Pending {
  /** @throws where the transaction has ended by it */
  write(): void
  settle(): void
  readonly reject: (error: unknown) => void
}

export class SharedWrites {
  readonly #db: DatabaseSync
  readonly #begin: StatementSync
  readonly #commit: StatementSync
  #waiting: Pending[] = []
  /** Something that waits has to outlive a loss of power. */
  #isForced = false

  constructor(db: DatabaseSync) {
    this.#db = db
    this.#begin = db.prepare('BEGIN IMMEDIATE')
    this.#commit = db.prepare('COMMIT')
  }

  /**
   * Resolves once it is stored.
   * @param forced also on the disk itself: unless given, a loss of power may take it back, the end of the process not
   */
  add<Result>(write: () => Result, { forced = false } = {}): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      const pending: Pending = {
        write: () => {
          try {
            const result = write()
            pending.settle = () => resolve(result)
          } catch (error) {
            if (!this.#db.isTransaction) throw error
            pending.settle = () => reject(error)
          }
        },
        settle: () => {},
        reject,
      }
      this.#waiting.push(pending)
      this.#isForced ||= forced
      // A tick runs when the promises at hand have settled: everybody who writes now is in.
      if (this.#waiting.length === 1) process.nextTick(() => this.flush())
    })
  }

  /** Stores what waits. */
  flush(): void {
    const all = this.#waiting
    const isForced = this.#isForced
    this.#waiting = []
    this.#isForced = false
    if (all.length === 0) return
    try {
      if (isForced) this.#db.exec('PRAGMA synchronous = FULL')
      this.#begin.run()
      for (const pending of all) pending.write()
      this.#commit.run()
    } catch (error) {
      if (this.#db.isOpen && this.#db.isTransaction) this.#db.exec('ROLLBACK')
      for (const { reject } of all) reject(error)
      return
    } finally {
      if (isForced && this.#db.isOpen) this.#db.exec('PRAGMA synchronous = NORMAL')
    }
    for (const pending of all) pending.settle()
  }
}
