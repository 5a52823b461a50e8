// Run heads: where every run ends. A run's row says it, and the records behind the mark move it on, so that an append
// writes one row and not two.
//   T1. Rows of runs change only together with the mark, which names the last record that all of them know. Whoever finds
//       the mark he has seen finds the rows he has seen.
//   T2. Behind the mark a run ends where its chain does: a record that does not continue it is damage of that run, and the
//       mark stays before it until the run is removed.
//   T3. A mark that is not what was written counts as 0: then every record is looked at, and none is lost.
//   T4. Ids of records only grow, also when the last rows were deleted: what came after a record is behind its id.
//   T5. After a transaction that failed nothing is remembered (`forget`).
// That nothing is gone from the end is the heads file's to know.
import { verifyChain } from '../../ledger/index.ts'
import type { ChainProblem } from '../../ledger/index.ts'
import type { RunFilter } from '../contract.ts'
import { damageAt, damagedError } from '../errors.ts'
import { Arrivals } from './arrivals.ts'
import type { Database, Row, Statement } from './database.ts'
import type { HeadToRemember } from './heads-file.ts'
import type { RecordRows } from './record-rows.ts'
import { RunRows } from './run-rows.ts'
import type { FoundRun, RunHead } from './run-rows.ts'
import type { Vault } from './vault.ts'

/** The rows of runs are brought up to date at the latest after so many records: opening looks at no more than these. */
const SETTLE_EVERY = 2_048
/** A run whose chain breaks behind the mark. */
interface BrokenRun {
  readonly problem: ChainProblem
  /** Where its records claim that it ends; before those that were added. */
  readonly claimed: RunHead
}

interface RunHeadsParts {
  readonly db: Database
  readonly vault: Vault
  readonly records: RecordRows
  /** Where the heads file says that a run ends. */
  readonly rememberedSeq: (run: number) => number | undefined
}

/** What the rows of runs know. */
interface Mark {
  /** The last record that they know of. */
  readonly upTo: number
  /** How often they have been written. */
  readonly turn: number
  readonly text: string
}

export class RunHeads {
  readonly #vault: Vault
  readonly #rows: RunRows
  readonly #records: RecordRows
  readonly #arrivals: Arrivals
  readonly #readMark: Statement
  readonly #writeMark: Statement
  readonly #rememberedSeq: RunHeadsParts['rememberedSeq']
  #mark: Mark | undefined
  /** The last record that was looked at or added (T4). */
  #newest = 0
  /** Heads that are ahead of their rows, by the run's number. */
  readonly #ahead = new Map<number, RunHead>()
  readonly #broken = new Map<number, BrokenRun>()
  #isTorn = false
  #unsettled = 0
  #mustSettle = false

  constructor({ db, vault, records, rememberedSeq }: RunHeadsParts) {
    this.#rememberedSeq = rememberedSeq
    this.#vault = vault
    this.#rows = new RunRows(db, vault)
    this.#records = records
    this.#arrivals = new Arrivals(db)
    this.#readMark = db.prepare(`SELECT value FROM meta WHERE name = 'mark'`)
    this.#writeMark = db.prepare(`INSERT OR REPLACE INTO meta (name, value) VALUES ('mark', ?)`)
  }

  /** Whether records behind the mark could not be read: where a run ends that the heads file does not know is uncertain. */
  get isTorn(): boolean {
    return this.#isTorn
  }

  /** Whether the transaction under way has to `settle`. */
  get isDue(): boolean {
    return this.#mustSettle || this.#unsettled >= SETTLE_EVERY
  }

  /** Whether rows are behind. */
  get isAhead(): boolean {
    return this.#ahead.size > 0
  }

  /** The last record that the rows of runs know. */
  get mark(): number {
    return this.#mark?.upTo ?? 0
  }

  /** Follows what others have written; within a transaction. */
  refresh(): void {
    const text = String(this.#readMark.get()?.['value'] ?? '')
    const isFirst = this.#mark === undefined
    if (this.#mark?.text !== text) {
      this.forget()
      this.#mark = this.#parseMark(text)
      this.#newest = this.#mark.upTo
    }
    for (;;) {
      const { rows, last, isWhole, isLast } = this.#arrivals.behind(this.#newest)
      if (!isWhole) this.#isTorn = true
      for (const [run, own] of Map.groupBy(rows, (row) => row['run'])) this.#moveOn(run, own)
      this.#unsettled += rows.length
      this.#newest = last
      if (isLast) break
    }
    // What a process that was killed has left behind the mark is not left there for long.
    if (isFirst && this.isAhead) this.#mustSettle = true
  }

  /** Forgets everything; `refresh` finds it again. */
  forget(): void {
    this.#mark = undefined
    this.#newest = 0
    this.#ahead.clear()
    this.#broken.clear()
    this.#isTorn = false
    this.#unsettled = 0
    this.#mustSettle = false
  }

  /** @throws CallboardError `store.damaged` when the run's row or what is behind the mark is not as it was written */
  find(runId: string): RunHead | undefined {
    return this.#current(this.#rows.find(runId))
  }

  findById(id: number): RunHead | undefined {
    return this.#current(this.#rows.findById(id))
  }

  /** All that match, oldest first; a damaged one is given as its error. */
  list(filter: RunFilter): readonly FoundRun[] {
    return this.#rows.list(filter).map((found) => {
      if ('error' in found) return found
      try {
        return this.#current(found) ?? found
      } catch (error) {
        return { id: found.id, error }
      }
    })
  }

  ids(): readonly number[] {
    return this.#rows.ids()
  }

  removedIds(): readonly number[] {
    return this.#rows.removedIds()
  }

  /** A run to look through: where the first break behind the mark is known, with the end that its records claim. */
  inspect(run: string | number): { readonly head: RunHead | undefined; readonly problem: ChainProblem | undefined } {
    const row = typeof run === 'string' ? this.#rows.find(run) : this.#rows.findById(run)
    const broken = row === undefined ? undefined : this.#broken.get(row.id)
    return broken === undefined
      ? { head: this.#current(row), problem: undefined }
      : { head: broken.claimed, problem: broken.problem }
  }

  /** What the slots of a new heads file begin with: every end that is certain. */
  *ends(): Iterable<HeadToRemember> {
    if (this.#isTorn) return
    for (const slot of this.#rows.heads()) {
      const ahead = this.#ahead.get(slot.run)
      if (this.#broken.has(slot.run)) continue
      if (ahead === undefined || ahead.summary.seq <= slot.seq) yield slot
      else yield { run: slot.run, seq: ahead.summary.seq, hash: ahead.hash }
    }
  }

  /** The id of the next record. */
  nextRecordId(): number {
    this.#newest += 1
    this.#unsettled += 1
    return this.#newest
  }

  /** A row for a run whose first records are about to be written; `begin` fills it. */
  add(runId: string): number {
    return this.#rows.add(runId)
  }

  /** After the first append to a run. */
  begin(head: RunHead): void {
    this.#rows.rewrite(head)
  }

  /** After an append that changes nothing about a run but where it ends, and when. */
  advance(head: RunHead): void {
    this.#ahead.set(head.id, head)
  }

  /** After every other change. */
  change(head: RunHead): void {
    this.#rows.rewrite(head)
    this.#ahead.delete(head.id)
    this.#mustSettle = true
  }

  delete(id: number): void {
    this.#rows.delete(id)
    this.#drop(id)
  }

  /** Deletes everything of a run whose rows cannot be trusted; says whether there was one. */
  purge(runId: string): boolean {
    const id = this.#rows.purge(runId)
    if (id !== undefined) this.#drop(id)
    return id !== undefined
  }

  /** Has the next transaction that writes bring the rows up to date. */
  settleSoon(): void {
    this.#mustSettle = true
  }

  /** Brings the rows of runs and the mark up to date. */
  settle(): void {
    for (const head of this.#ahead.values()) this.#rows.rewrite(head)
    this.#ahead.clear()
    const { upTo = 0, turn = 0 } = this.#mark ?? {}
    const isSound = this.#broken.size === 0 && !this.#isTorn
    // Where the mark cannot follow, whoever opens the file goes on after the last row that is left; so does this process.
    if (!isSound) this.#newest = Math.max(upTo, this.#arrivals.newest())
    this.#mark = this.#markAt(isSound ? this.#newest : upTo, turn + 1)
    this.#writeMark.run(this.#mark.text)
    this.#unsettled = 0
    this.#mustSettle = false
  }

  #drop(id: number): void {
    this.#ahead.delete(id)
    this.#broken.delete(id)
    this.#mustSettle = true
  }

  /** A row brought forward. The row is read each time: what has happened to it is to be noticed. */
  #current(row: RunHead | undefined): RunHead | undefined {
    if (row === undefined) return undefined
    const problem = this.#broken.get(row.id)?.problem
    if (problem !== undefined) {
      throw damagedError(damageAt(row.summary.runId, problem.seq, problem.what, problem.message))
    }
    const ahead = this.#ahead.get(row.id)
    if (ahead === undefined || ahead.summary.seq <= row.summary.seq) return row
    const { seq, updatedAt } = ahead.summary
    return movedOn(row, { seq, updatedAt, last: ahead.last, hash: ahead.hash })
  }

  /** Takes a run along the records of it that were found behind what is known of it. */
  #moveOn(run: unknown, rows: readonly Row[]): void {
    if (typeof run !== 'number' || this.#broken.has(run)) return
    let head: RunHead | undefined
    try {
      head = this.#ahead.get(run) ?? this.#rows.findById(run)
    } catch {
      return // Whoever asks for the run is told that its row is damaged.
    }
    if (head === undefined) return
    const { seq } = head.summary
    // The first records of a run are in its row already.
    const behind = rows.filter((row) => typeof row['seq'] === 'number' && row['seq'] > seq)
    if (behind.length === 0) return
    const problem = verifyChain(
      behind.map((row) => this.#records.sealedOrNot(head, row)),
      { sealer: this.#vault.sealer, after: { seq, hash: head.hash } },
    )
    if (problem === undefined) this.#ahead.set(run, endOf(head, behind))
    else this.#broken.set(run, this.#brokenAt(problem, head, behind))
  }

  #brokenAt(problem: ChainProblem, head: RunHead, rows: readonly Row[]): BrokenRun {
    const claimed = endOf(head, rows)
    // What the run's row itself tells of may be gone as well.
    if (problem.what === 'missing') return { problem: this.#records.holeAt(claimed, problem.seq), claimed }
    const end = this.#rememberedSeq(head.id)
    if (end === undefined || end >= problem.seq) return { problem, claimed }
    const sound = rows.filter((row) => (row['seq'] as number) < problem.seq)
    const message = `the ledger ended at ${end}; this record was added behind its end`
    return { problem: { seq: problem.seq, what: 'inserted', message }, claimed: endOf(head, sound) }
  }

  #markAt(upTo: number, turn: number): Mark {
    const text = `${upTo}|${turn}`
    return { upTo, turn, text: `${text}|${this.#vault.check(`mark|${text}`)}` }
  }

  #parseMark(text: string): Mark {
    const [upTo, turn] = text.split('|').map(Number)
    const mark = this.#markAt(upTo ?? 0, turn ?? 0)
    return mark.text === text ? mark : { upTo: 0, turn: 0, text }
  }
}

/** The head after these records of its run. */
function endOf(head: RunHead, rows: readonly Row[]): RunHead {
  const row = rows.at(-1)
  if (row === undefined) return head
  const [seq, updatedAt] = [row['seq'] as number, row['at'] as number]
  return movedOn(head, { seq, updatedAt, last: row['id'] as number, hash: String(row['hash']) })
}

function movedOn(
  head: RunHead,
  { seq, updatedAt, last, hash }: { seq: number; updatedAt: number; last: number; hash: string },
): RunHead {
  return Object.freeze({ ...head, summary: Object.freeze({ ...head.summary, seq, updatedAt }), last, hash })
}
