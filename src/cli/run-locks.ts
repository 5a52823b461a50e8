// Run locks: the runs that this process works on, of a database in which other processes may work on others.
import type { FileLock } from '../store/sqlite/index.ts'
import type { Database } from './database.ts'
import { rootOf } from './find-run.ts'

export class RunLocks implements Disposable {
  readonly #database: Database
  readonly #locks = new Map<string, FileLock>()

  constructor(database: Database) {
    this.#database = database
  }

  /** Takes a run, and with it the runs it has started. @throws CallboardError `cli.run-busy` */
  async take(runId: string): Promise<void> {
    const summary = await this.#database.store.summary(runId)
    if (summary?.status !== 'active') return
    const root = await rootOf(this.#database, summary)
    if (!this.#locks.has(root.runId)) this.#locks.set(root.runId, this.#database.lock(root.runId))
  }

  release(runId: string): void {
    this.#locks.get(runId)?.release()
    this.#locks.delete(runId)
  }

  [Symbol.dispose](): void {
    for (const runId of [...this.#locks.keys()]) this.release(runId)
  }
}
