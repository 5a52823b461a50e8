import { resolve } from 'node:path'
import { CallboardError, isCallboardError, systemClock } from '../../base/index.ts'
import type { Clock } from '../../base/index.ts'
import type { MemoryStore } from '../store.ts'
import { memoryError, openDatabase } from './database.ts'
import { migrate } from './schema.ts'
import { SqliteMemory } from './sqlite-memory.ts'
import { assertVectorSearch, loadSqliteVec } from './sqlite-vec.ts'
import type { VectorSearch } from './sqlite-vec.ts'

export interface SqliteMemoryOptions {
  /**
   * `full` (the default): a commit is acknowledged once it was forced to disk. `process`: once the operating system has
   * it; it survives the end of the process, not that of the machine.
   */
  readonly durability?: 'full' | 'process'
  /** How long to wait for another process that writes; 5,000 unless given. */
  readonly busyTimeoutMs?: number
  /** The file is never made larger than so many pages of 4,096 bytes. */
  readonly maxPageCount?: number
  /** Where vectors are compared; `auto` unless given. All find the same. */
  readonly vectors?: VectorSearch
  readonly clock?: Clock
}

const DEFAULT_BUSY_TIMEOUT_MS = 5_000
const RETRY_MS = 10
/** 10,000 vectors of 1,536 numbers. */
const AUTO_SCAN_BYTES = 64 * 1024 * 1024

/**
 * Opens a memory's store in a file of its own, making it if need be: memories outlive runs, and are kept, copied and
 * thrown away apart from them. Several processes may have it open. It is not encrypted.
 *
 * @throws CallboardError `memory.path`, `memory.option`, `memory.no-sqlite-vec`, `memory.format`, `memory.busy`,
 *   `memory.unreadable`
 */
export async function openSqliteMemory(path: string, options: SqliteMemoryOptions = {}): Promise<MemoryStore> {
  if (path === '' || path === ':memory:') {
    throw new CallboardError(
      'memory.path',
      'openSqliteMemory() needs the path of a file; createVolatileMemory() keeps nothing',
      { path },
    )
  }
  const { clock = systemClock, busyTimeoutMs = DEFAULT_BUSY_TIMEOUT_MS, vectors = 'auto' } = options
  assertVectorSearch(vectors)
  const full = resolve(path)
  // Turning a new file into a shared one takes locks for which SQLite does not wait.
  for (const givesUpAt = clock.now() + busyTimeoutMs; ;) {
    try {
      return openOnce(full, { ...options, busyTimeoutMs, vectors })
    } catch (error) {
      const known = memoryError(error, full)
      if (!isCallboardError(known, 'memory.busy') || clock.now() >= givesUpAt) throw known
    }
    await new Promise<void>((wake) => void clock.setTimeout(wake, RETRY_MS))
  }
}

/**
 * A memory's store that forgets everything with the process.
 *
 * @throws CallboardError `memory.option`, `memory.no-sqlite-vec`
 */
export function createVolatileMemory({ vectors = 'auto' }: Pick<SqliteMemoryOptions, 'vectors'> = {}): MemoryStore {
  assertVectorSearch(vectors)
  const db = openDatabase(':memory:', { busyTimeoutMs: 0, allowExtension: vectors !== 'scan' })
  try {
    const hasSqliteVec = loadSqliteVec(db, vectors)
    migrate(db, 'a volatile memory')
    return new SqliteMemory(db, {
      path: 'a volatile memory',
      durable: false,
      scanBytes: scanBytesOf(vectors, hasSqliteVec),
    })
  } catch (error) {
    db.close()
    throw error
  }
}

function openOnce(
  path: string,
  {
    busyTimeoutMs,
    vectors,
    durability = 'full',
    maxPageCount,
  }: SqliteMemoryOptions & Required<Pick<SqliteMemoryOptions, 'busyTimeoutMs' | 'vectors'>>,
): MemoryStore {
  const db = openDatabase(path, { busyTimeoutMs, allowExtension: vectors !== 'scan' })
  try {
    const hasSqliteVec = loadSqliteVec(db, vectors)
    migrate(db, path)
    db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${durability === 'full' ? 'FULL' : 'NORMAL'}`)
    if (maxPageCount !== undefined) db.exec(`PRAGMA max_page_count = ${Math.trunc(maxPageCount)}`)
    return new SqliteMemory(db, { path, durable: true, scanBytes: scanBytesOf(vectors, hasSqliteVec) })
  } catch (error) {
    db.close()
    throw error
  }
}

/** How many bytes of vectors are held in process, to be scanned. */
function scanBytesOf(vectors: VectorSearch, hasSqliteVec: boolean): number {
  if (!hasSqliteVec) return Number.POSITIVE_INFINITY
  return vectors === 'auto' ? AUTO_SCAN_BYTES : 0
}
