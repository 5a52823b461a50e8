// Census: whether everything is there that was: runs, records, snapshots, and what the heads file remembers.
import { isCallboardError } from '../../base/index.ts'
import { CHAIN_START } from '../../ledger/index.ts'
import type { ChainProblem } from '../../ledger/index.ts'
import type { Damage, RunFilter, VerifyReport } from '../contract.ts'
import { damageAt, damagedError, damageOf } from '../errors.ts'
import type { Database } from './database.ts'
import type { HeadsFile } from './heads-file.ts'
import type { RecordRows } from './record-rows.ts'
import type { RunHeads } from './run-heads.ts'
import type { RunHead } from './run-rows.ts'
import type { SnapshotRows } from './snapshot-rows.ts'

/** Damaged places of one run that are worth listing. */
const MOST_PLACES = 100

interface CensusParts {
  readonly db: Database
  readonly heads: HeadsFile
  readonly runs: RunHeads
  readonly records: RecordRows
  readonly snapshots: SnapshotRows
}

/** A run, and what is known to be wrong with it. */
interface RunToVerify {
  readonly head: RunHead
  readonly problem: ChainProblem | undefined
}

export class Census {
  readonly #parts: CensusParts
  /** Whether all runs were found to be there since the file was opened. */
  #isComplete = false

  constructor(parts: CensusParts) {
    this.#parts = parts
  }

  /** That a run ends where it did. @throws CallboardError `store.damaged` */
  assertHead(head: RunHead): void {
    this.#parts.records.assertHead(head)
    const damage = this.#lostTail(head)
    if (damage !== undefined) throw damagedError(damage)
  }

  /**
   * That a run which is not found was never there: looked at once, when the first is not found.
   *
   * @throws CallboardError `store.damaged`
   */
  assertNothingLost(): void {
    if (this.#isComplete) return
    const damage =
      this.#structure('PRAGMA integrity_check(runs)')[0] ?? this.#lostRuns(new Set(this.#parts.runs.ids()))[0]
    if (damage !== undefined) throw damagedError(damage)
    this.#isComplete = true
  }

  /** The runs that match, and what is wrong with those that cannot be listed. */
  list(filter: RunFilter): { readonly heads: readonly RunHead[]; readonly damage: readonly Damage[] } {
    const { runs } = this.#parts
    const heads: RunHead[] = []
    const damage: Damage[] = []
    const remembered = this.#parts.heads.seqs()
    for (const found of runs.list(filter)) {
      if ('error' in found) {
        damage.push(asDamage(found.error))
        continue
      }
      const isBehind = runs.isTorn || (remembered.get(found.id) ?? 0) > found.summary.seq
      const lost = isBehind ? this.#lostTail(found) : undefined
      if (lost === undefined) heads.push(found)
      else damage.push(lost)
    }
    damage.push(...this.#lostRuns(new Set(runs.ids()), remembered))
    return { heads, damage }
  }

  verify(runId: string | undefined): VerifyReport {
    const { runs } = this.#parts
    const damage: Damage[] = []
    const sound: VerifyReport['heads'][number][] = []
    const counts = { runs: 0, records: 0, snapshots: 0 }
    for (const { head, problem } of this.#toVerify(runId, damage)) {
      const own = this.#verifyRun(head, problem, counts)
      const { seq, runId: id } = head.summary
      if (own.length === 0) sound.push({ runId: id, seq, hash: head.hash })
      damage.push(...own)
    }
    if (runId === undefined) {
      const structure = this.#structure('PRAGMA integrity_check')
      damage.push(...structure, ...tried(() => this.#lostRuns(new Set(runs.ids()))))
      if (damage.length === 0) damage.push(...tried(() => this.#strangers(counts)))
    }
    return { ...counts, heads: sound, damage }
  }

  #toVerify(runId: string | undefined, damage: Damage[]): readonly RunToVerify[] {
    const { runs } = this.#parts
    const found: RunToVerify[] = []
    const collect = (run: string | number): void => {
      const { head, problem } = runs.inspect(run)
      if (head !== undefined) found.push({ head, problem })
    }
    damage.push(
      ...tried(() => {
        if (runId !== undefined) collect(runId)
        else for (const id of runs.ids()) damage.push(...tried(() => collect(id)))
      }),
    )
    return found
  }

  #verifyRun(
    head: RunHead,
    behindMark: ChainProblem | undefined,
    counts: { runs: number; records: number; snapshots: number },
  ): readonly Damage[] {
    const { records, snapshots } = this.#parts
    const { runId } = head.summary
    counts.runs += 1
    const damage: Damage[] = []
    let after = head.trimmedSeq === 0 ? CHAIN_START : { seq: head.trimmedSeq, hash: head.trimmedHash }
    try {
      for (;;) {
        const { count, problem, resume } = records.inspect(head, after)
        counts.records += count
        if (problem === undefined) break
        damage.push(damageAt(runId, problem.seq, problem.what, problem.message))
        if (resume === undefined || damage.length === MOST_PLACES) break
        after = resume
      }
      if (damage.length === 0 && behindMark !== undefined) {
        damage.push(damageAt(runId, behindMark.seq, behindMark.what, behindMark.message))
      }
      const lost = this.#lostTail(head)
      if (lost !== undefined) damage.push(lost)
      if (damage.length === 0) records.assertLinked(head)
    } catch (error) {
      damage.push(asDamage(error))
    }
    damage.push(
      ...tried(() => {
        for (const place of snapshots.places(head)) {
          counts.snapshots += 1
          damage.push(...tried(() => void snapshots.get(head, place)))
        }
      }),
    )
    return damage
  }

  #lostTail({ id, summary: { runId, seq }, hash }: RunHead): Damage | undefined {
    const { heads, runs } = this.#parts
    const slot = heads.get(id)
    if (slot === undefined || slot === 'unreadable') {
      return runs.isTorn ? damageAt(runId, undefined, 'structure', 'its newest records may be unreadable') : undefined
    }
    if (slot.seq < seq) return undefined
    if (slot.seq > seq) {
      return damageAt(runId, seq + 1, 'lost-tail', `the records from here to ${slot.seq} are gone`)
    }
    if (hash.startsWith(slot.hashStart)) return undefined
    return damageAt(runId, seq, 'changed', 'the last record is not the one that was appended')
  }

  #lostRuns(ids: ReadonlySet<number>, remembered = this.#parts.heads.seqs()): readonly Damage[] {
    const damage: Damage[] = []
    const unknown = [...remembered].filter(([run]) => !ids.has(run))
    const removed = unknown.length === 0 ? undefined : new Set(this.#parts.runs.removedIds())
    for (const [run, seq] of unknown) {
      if (removed?.has(run) === true) continue
      if (this.#parts.heads.get(run) === 'unreadable') continue
      damage.push(damageAt(undefined, undefined, 'lost-run', `run number ${run}, which had ${seq} records, is gone`))
    }
    return damage
  }

  /** Rows that belong to nobody. */
  #strangers({ records, snapshots }: { readonly records: number; readonly snapshots: number }): readonly Damage[] {
    const { db, runs } = this.#parts
    const count = (table: string): number => Number(db.prepare(`SELECT count(*) AS rows FROM ${table}`).get()?.['rows'])
    if (count('records') === records && count('snapshots') === snapshots) return []
    const strange = db
      .prepare(
        `SELECT min(records.seq) AS seq, runs.run_id AS name FROM records LEFT JOIN runs ON runs.id = records.run
         WHERE runs.id IS NULL OR records.seq <= runs.trimmed_seq OR (records.seq > runs.seq AND records.id <= ?)`,
      )
      .get(runs.mark)
    const seq = typeof strange?.['seq'] === 'number' ? strange['seq'] : undefined
    return [damageAt(undefined, seq, 'inserted', 'there are rows that no run knows')]
  }

  #structure(pragma: string): readonly Damage[] {
    try {
      return this.#parts.db
        .prepare(pragma)
        .all()
        .map((row) => String(Object.values(row)[0]))
        .filter((finding) => finding !== 'ok')
        .map((finding) => damageAt(undefined, undefined, 'structure', finding.replaceAll(/\s+/g, ' ')))
    } catch (error) {
      return [asDamage(error)]
    }
  }
}

function asDamage(error: unknown): Damage {
  if (isCallboardError(error, 'store.damaged')) return damageOf(error)
  const how = error instanceof Error ? error.message : String(error)
  return damageAt(undefined, undefined, 'structure', how)
}

/** What is wrong, or nothing; a failure is something wrong. */
function tried(look: () => readonly Damage[] | void): readonly Damage[] {
  try {
    return look() ?? []
  } catch (error) {
    return [asDamage(error)]
  }
}
