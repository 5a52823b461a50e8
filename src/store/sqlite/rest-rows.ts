// Rows of the table `rests`: until when nothing is to be done for a run. Hints: one that is lost, broken or out of date is
// passed over, and its run is looked at once more than needed.
import type { RestNote } from '../contract.ts'
import type { Database, Statement } from './database.ts'
import type { RunHead } from './run-rows.ts'
import type { Vault } from './vault.ts'

export class RestRows {
  readonly #vault: Vault
  readonly #put: Statement
  readonly #all: Statement

  constructor(db: Database, vault: Vault) {
    this.#vault = vault
    this.#put = db.prepare('INSERT OR REPLACE INTO rests (run, seq, until, seal) VALUES (?, ?, ?, ?)')
    this.#all = db.prepare('SELECT run, seq, until, seal FROM rests')
  }

  put(head: RunHead, { seq, until }: RestNote): void {
    this.#put.run(head.id, seq, Number.isFinite(until) ? until : null, this.#sealOf(head.id, seq, until))
  }

  /** What was noted, by the run's number in the file; the seq says whether the run has gone on since. */
  all(): ReadonlyMap<number, RestNote> {
    const found = new Map<number, RestNote>()
    for (const row of this.#all.all()) {
      const [run, seq] = [Number(row['run']), Number(row['seq'])]
      const until = row['until'] === null ? Number.POSITIVE_INFINITY : Number(row['until'])
      if (row['seal'] === this.#sealOf(run, seq, until)) found.set(run, { seq, until })
    }
    return found
  }

  #sealOf(run: number, seq: number, until: number): string {
    return this.#vault.check(`rest|${run}|${seq}|${until}`)
  }
}
