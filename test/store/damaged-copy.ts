// Copies of a store's files, damaged on purpose, and what a reader makes of them.
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { isDeepStrictEqual } from 'node:util'
import { isCallboardError } from 'callboard'
import type { LedgerRecord, RunSummary } from 'callboard'
import { openSqlite } from 'callboard/sqlite'
import type { SqliteOptions } from 'callboard/sqlite'
import { onTestFinished } from 'vitest'
import type { StoredSnapshot } from '../../src/store/index.ts'
import { oddValue, sampleBatch, sampleSnapshot } from '../../src/testing/sample-records.ts'

/** In memory where there is a file system for it: thousands of copies need no disk. */
const FOLDER = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
const PARTS = ['', '-wal', '-heads'] as const

/** The bytes of a store that was not closed: database, log and heads. */
export type StoreFiles = Readonly<Record<(typeof PARTS)[number], Uint8Array>>

/** Everything a store gives out. */
export interface Contents {
  readonly runs: readonly RunSummary[]
  readonly records: readonly (readonly LedgerRecord[])[]
  readonly snapshots: readonly (readonly (StoredSnapshot | undefined)[])[]
}

export const RUN_IDS = ['one', 'two', 'three', 'four'] as const

export function scratchFolder(): string {
  const folder = mkdtempSync(join(FOLDER, 'callboard-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/**
 * A store as a crash leaves it, with a part in its database and a part in its log; the rows of its runs do not know the
 * newest records yet. `checkpointed` has it all in the database.
 */
export async function makeFiles(
  options: SqliteOptions = {},
  { checkpointed = false }: { readonly checkpointed?: boolean } = {},
): Promise<{ readonly files: StoreFiles; readonly contents: Contents }> {
  const folder = scratchFolder()
  const path = join(folder, 'runs.db')
  const fill = async (from: number, to: number): Promise<void> => {
    const store = await openSqlite(path, { durability: 'process', ...options })
    for (let seq = from; seq <= to; seq++) {
      await store.append(
        RUN_IDS.slice(0, 3).map((runId) =>
          sampleBatch(runId, seq, seq, { value: { seq, odd: seq % 7 === 0 ? oddValue() : 'plain' } }),
        ),
      )
      if (seq % 20 === 5) await store.putSnapshot(sampleSnapshot('two', seq))
    }
    if (from > 1) await store.append([sampleBatch('four', 1, 5)])
    if (checkpointed) checkpoint(path)
    if (from > 1) cpSync(folder, `${folder}-copy`, { recursive: true })
    await store.close()
  }
  await fill(1, 40)
  await fill(41, 60)
  onTestFinished(() => rmSync(`${folder}-copy`, { recursive: true, force: true }))
  const files = Object.fromEntries(
    PARTS.map((part) => [part, new Uint8Array(readFileSync(join(`${folder}-copy`, `runs.db${part}`)))]),
  ) as unknown as StoreFiles
  const reading = await readFiles(files, folder, options)
  const lag = lagOf(files, folder)
  if (lag < 40) throw new Error(`the rows of runs know all but ${lag} records: nothing behind them would be damaged`)
  if (reading.kind !== 'read' || reading.reports.length > 0) throw new Error('the store to be damaged is damaged')
  return { files, contents: reading.contents }
}

/** Has SQLite move its log into the database. */
export function checkpoint(path: string): void {
  const db = new DatabaseSync(path)
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  db.close()
}

/** How many records the rows of runs do not know yet. */
function lagOf(files: StoreFiles, folder: string): number {
  const path = join(folder, 'lag.db')
  writeFileSync(path, files[''])
  writeFileSync(`${path}-wal`, files['-wal'])
  const db = new DatabaseSync(path)
  const row = db
    .prepare('SELECT (SELECT count(*) FROM records) - (SELECT sum(seq - trimmed_seq) FROM runs) AS lag')
    .get()
  db.close()
  return Number(row?.['lag'])
}

export type Reading =
  | { readonly kind: 'refused'; readonly error: unknown }
  | { readonly kind: 'read'; readonly contents: Contents; readonly reports: readonly unknown[] }

/** Opens files and reads everything, collecting every error and every damaged place. */
export async function readFiles(files: StoreFiles, folder: string, options: SqliteOptions = {}): Promise<Reading> {
  const path = join(folder, 'read.db')
  for (const part of [...PARTS, '-shm']) rmSync(`${path}${part}`, { force: true })
  for (const part of PARTS) writeFileSync(`${path}${part}`, files[part])
  const reports: unknown[] = []
  const tried = async <Result>(look: () => Promise<Result>, otherwise: Result): Promise<Result> => {
    try {
      return await look()
    } catch (error) {
      reports.push(error)
      return otherwise
    }
  }
  let store
  try {
    store = await openSqlite(path, { durability: 'process', busyTimeoutMs: 100, ...options })
  } catch (error) {
    return { kind: 'refused', error }
  }
  const opened = store
  const runs = await tried(() => opened.list({}, { onDamage: (damage) => reports.push(damage) }), [])
  const records: (readonly LedgerRecord[])[] = []
  const snapshots: (readonly (StoredSnapshot | undefined)[])[] = []
  for (const runId of RUN_IDS) {
    records.push(await tried(() => opened.read(runId), []))
    const infos = await tried(() => opened.snapshots(runId), [])
    const states: (StoredSnapshot | undefined)[] = []
    for (const { seq } of infos) states.push(await tried(() => opened.snapshot(runId, { atSeq: seq }), undefined))
    snapshots.push(states)
  }
  const { damage } = await tried(() => opened.verify(), { runs: 0, records: 0, snapshots: 0, heads: [], damage: [] })
  reports.push(...damage)
  await tried(() => opened.close(), undefined)
  return { kind: 'read', contents: { runs, records, snapshots }, reports }
}

/** What the reader was told, if it is enough: nothing for data that is whole, a typed report for anything else. */
export function judge(reading: Reading, contents: Contents): 'whole' | 'reported' | 'unreported' | 'untyped' {
  if (reading.kind === 'refused') return isCallboardError(reading.error) ? 'reported' : 'untyped'
  const errors = reading.reports.filter((report) => report instanceof Error)
  if (errors.some((error) => !isCallboardError(error))) return 'untyped'
  if (reading.reports.length > 0) return 'reported'
  return isDeepStrictEqual(reading.contents, contents) ? 'whole' : 'unreported'
}
