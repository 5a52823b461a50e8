// The few methods of node:sqlite that are called, and its errors as ours.
import { DatabaseSync } from 'node:sqlite'
import { CallboardError } from '../../base/index.ts'

export type Bindable = string | number | null | Uint8Array

/** A row as a list of its columns. */
export type Row = readonly unknown[]

export interface Statement {
  run(...values: Bindable[]): { readonly changes: number | bigint; readonly lastInsertRowid: number | bigint }
  get(...values: Bindable[]): Row | undefined
  all(...values: Bindable[]): Row[]
  iterate(...values: Bindable[]): Iterable<Row>
}

export interface Database {
  exec(sql: string): void
  /** A statement whose rows are lists. */
  prepare(sql: string): Statement
  /** Loads a library, and leaves no way to load another. */
  loadExtension(path: string): void
  close(): void
  readonly isTransaction: boolean
}

export function openDatabase(
  path: string,
  { busyTimeoutMs, allowExtension }: { readonly busyTimeoutMs: number; readonly allowExtension: boolean },
): Database {
  // Where permissions are restricted, even asking for it is an error.
  const mayExtend = allowExtension && process.permission === undefined
  const db = new DatabaseSync(path, { timeout: busyTimeoutMs, allowExtension: mayExtend })
  if (mayExtend) db.enableLoadExtension(false)
  return {
    exec: (sql) => db.exec(sql),
    prepare: (sql) => {
      const statement = db.prepare(sql)
      statement.setReturnArrays(true)
      return statement as unknown as Statement
    },
    loadExtension: (file) => {
      db.enableLoadExtension(true)
      try {
        db.loadExtension(file)
      } finally {
        db.enableLoadExtension(false)
      }
    },
    close: () => db.close(),
    get isTransaction() {
      return db.isTransaction
    },
  }
}

const BUSY = 5
const LOCKED = 6
const FULL = 13
const PRIMARY_CODE = 0xff

/** What went wrong in SQLite, as an error of the memory; a CallboardError is given back as it is. */
export function memoryError(error: unknown, path: string): CallboardError {
  if (error instanceof CallboardError) return error
  const { errcode } = (error ?? {}) as { readonly errcode?: unknown }
  const details = { path, errcode }
  switch (typeof errcode === 'number' ? errcode & PRIMARY_CODE : undefined) {
    case BUSY:
    case LOCKED: {
      const message = `${path} was locked by another process for too long; try again, or raise busyTimeoutMs`
      return new CallboardError('memory.busy', message, details, { cause: error })
    }
    case FULL: {
      const message = `there is no room left to write ${path}; nothing was stored. Make room and try again`
      return new CallboardError('memory.full', message, details, { cause: error })
    }
    default: {
      const message = `${path} cannot be read or written, or its content is damaged; check permissions and disk, or put back a copy`
      return new CallboardError('memory.unreadable', message, details, { cause: error })
    }
  }
}
