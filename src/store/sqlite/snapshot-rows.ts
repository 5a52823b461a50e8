// Rows of the table `snapshots`. How many a run has stands in the run's row, so that a lost one is noticed.
import { decodeValue, encodeValue } from '../../ledger/index.ts'
import type { StoredSnapshot, StoredSnapshotInfo } from '../contract.ts'
import { damageAt, damagedError } from '../errors.ts'
import type { Database, Row, Statement } from './database.ts'
import { toColumn } from './run-rows.ts'
import type { RunHead } from './run-rows.ts'
import type { Vault } from './vault.ts'

/** Where a snapshot is, before it is read. */
export interface SnapshotPlace {
  readonly rowId: number
  readonly seq: number
  readonly name: string
}

const ABOUT = 'id, seq, name, at, about, state_hash, seal'

export class SnapshotRows {
  readonly #vault: Vault
  readonly #insert: Statement
  readonly #places: Statement
  readonly #about: Statement
  readonly #state: Statement
  readonly #rewrite: Statement
  readonly #delete: Statement

  constructor(db: Database, vault: Vault) {
    this.#vault = vault
    this.#insert = db.prepare(
      'INSERT INTO snapshots (run, seq, name, at, about, state_hash, seal, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    )
    this.#places = db.prepare('SELECT id, seq, name FROM snapshots WHERE run = ? ORDER BY seq, id')
    this.#about = db.prepare(`SELECT ${ABOUT} FROM snapshots WHERE id = ?`)
    this.#state = db.prepare('SELECT state FROM snapshots WHERE id = ?')
    this.#rewrite = db.prepare('UPDATE snapshots SET about = ?, state_hash = ?, seal = ?, state = ? WHERE id = ?')
    this.#delete = db.prepare('DELETE FROM snapshots WHERE id = ?')
  }

  /** By seq, then by arrival. @throws CallboardError `store.damaged` when there are not as many as the run has */
  places(head: RunHead): readonly SnapshotPlace[] {
    const rows = this.#places.all(head.id)
    if (rows.length !== head.snapshots) {
      const how = `it has ${head.snapshots} snapshots, and ${rows.length} are found`
      throw damagedError(damageAt(head.summary.runId, undefined, 'snapshot', how))
    }
    return rows.map(({ id, seq, name }) => ({ rowId: id as number, seq: seq as number, name: String(name) }))
  }

  add(run: number, { runId, seq, id, reason, at, metadata, state }: StoredSnapshot): void {
    const about = encodeValue([reason, metadata])
    const text = encodeValue(state)
    const name = toColumn(id)
    const { sealer, envelope } = this.#vault
    const stateHash = sealer(text)
    this.#insert.run(
      run,
      seq,
      name,
      at,
      envelope.wrap(about, { table: 'about', run, seq }),
      stateHash,
      sealer(sealedText(runId, run, seq, name, at, about, stateHash)),
      envelope.wrap(text, { table: 'snapshot', run, seq }),
    )
  }

  info(head: RunHead, place: SnapshotPlace): StoredSnapshotInfo {
    return this.#read(head, place).info
  }

  get(head: RunHead, place: SnapshotPlace): StoredSnapshot {
    const { info, stateHash } = this.#read(head, place)
    return Object.freeze({ ...info, state: decodeValue(this.#stateText(head, place, stateHash)) })
  }

  delete({ rowId }: SnapshotPlace): void {
    this.#delete.run(rowId)
  }

  /** Seals and wraps a snapshot with another key. */
  rewriteWith(head: RunHead, place: SnapshotPlace, to: Vault): void {
    const { about, info, stateHash } = this.#read(head, place)
    const text = this.#stateText(head, place, stateHash)
    const { rowId, seq, name } = place
    const run = head.id
    const newHash = to.sealer(text)
    this.#rewrite.run(
      to.envelope.wrap(about, { table: 'about', run, seq }),
      newHash,
      to.sealer(sealedText(info.runId, run, seq, name, info.at, about, newHash)),
      to.envelope.wrap(text, { table: 'snapshot', run, seq }),
      rowId,
    )
  }

  #read(head: RunHead, place: SnapshotPlace): { info: StoredSnapshotInfo; about: string; stateHash: string } {
    const { runId } = head.summary
    const { rowId, seq, name } = place
    try {
      const row: Row = this.#about.get(rowId) ?? {}
      const about = this.#vault.envelope.unwrap(row['about'], { table: 'about', run: head.id, seq })
      const at = row['at'] as number
      const stateHash = String(row['state_hash'])
      if (row['seal'] === this.#vault.sealer(sealedText(runId, head.id, seq, name, at, about, stateHash))) {
        const [reason, metadata] = decodeValue(about) as [string, StoredSnapshotInfo['metadata']]
        const id = JSON.parse(`"${name}"`) as string
        return { info: Object.freeze({ runId, seq, id, reason, at, metadata }), about, stateHash }
      }
    } catch {
      // What cannot be read is damaged too.
    }
    throw this.#damaged(head, place)
  }

  #stateText(head: RunHead, place: SnapshotPlace, stateHash: string): string {
    try {
      const row = this.#state.get(place.rowId)
      const text = this.#vault.envelope.unwrap(row?.['state'], { table: 'snapshot', run: head.id, seq: place.seq })
      if (this.#vault.sealer(text) === stateHash) return text
    } catch {
      // What cannot be read is damaged too.
    }
    throw this.#damaged(head, place)
  }

  #damaged({ summary }: RunHead, { seq, name }: SnapshotPlace): Error {
    return damagedError(damageAt(summary.runId, seq, 'snapshot', `the snapshot "${name}" is not what was written`))
  }
}

function sealedText(
  runId: string,
  run: number,
  seq: number,
  name: string,
  at: number,
  about: string,
  stateHash: string,
): string {
  return `${runId.length}|${runId}|${run}|${seq}|${at}|${stateHash}|${name.length}|${name}|${about}`
}
