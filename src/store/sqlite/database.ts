// The few methods of node:sqlite that are called, and its errors as ours.
import { DatabaseSync } from 'node:sqlite'
import { CallboardError } from '../../base/index.ts'
import { damageAt, damagedError } from '../errors.ts'

export type Bindable = string | number | null | Uint8Array

/** A row; a column may hold anything once a file is damaged. */
export type Row = Readonly<Record<string, unknown>>

export interface Statement {
  run(...values: Bindable[]): { readonly changes: number | bigint; readonly lastInsertRowid: number | bigint }
  get(...values: Bindable[]): Row | undefined
  all(...values: Bindable[]): Row[]
  iterate(...values: Bindable[]): Iterable<Row>
  /** From then on rows are lists of their columns. */
  setReturnArrays(enabled: boolean): void
}

export interface Database {
  exec(sql: string): void
  prepare(sql: string): Statement
  close(): void
  readonly isTransaction: boolean
}

/** Opens a file, making it if need be. */
export function openDatabase(path: string, busyTimeoutMs: number): Database {
  return new DatabaseSync(path, { timeout: busyTimeoutMs }) as unknown as Database
}

const BUSY = 5
const LOCKED = 6
const CORRUPT = 11
const FULL = 13
const NOT_A_DATABASE = 26
const SQL_ERROR = 1
const CONSTRAINT = 19
const TOO_BIG = 18
const PRIMARY_CODE = 0xff
/** The shared-memory file could not be made larger. */
const NO_ROOM_FOR_SHM = 4874

/** Whether a file was found to be none of SQLite's. */
export function isNoDatabase(error: unknown): boolean {
  const { errcode } = (error ?? {}) as { readonly errcode?: unknown }
  return typeof errcode === 'number' && (errcode & PRIMARY_CODE) === NOT_A_DATABASE
}

/** What went wrong in SQLite, as an error of the store; a CallboardError is given back as it is. */
export function storeError(error: unknown, path: string): CallboardError {
  if (error instanceof CallboardError) return error
  const { errcode } = (error ?? {}) as { readonly errcode?: unknown }
  const cause = { cause: error }
  if (typeof errcode !== 'number') {
    return damagedError(
      damageAt(undefined, undefined, 'structure', `${path} holds something that was never written`),
      error,
    )
  }
  if (errcode === NO_ROOM_FOR_SHM) return fullError(path, cause)
  switch (errcode & PRIMARY_CODE) {
    case FULL:
      return fullError(path, cause)
    case BUSY:
    case LOCKED:
      return new CallboardError(
        'store.busy',
        `${path} was locked by another process for too long; try again, or raise busyTimeoutMs`,
        { path },
        cause,
      )
    case CORRUPT:
    case NOT_A_DATABASE:
    case SQL_ERROR:
    case CONSTRAINT:
      return damagedError(damageAt(undefined, undefined, 'structure', `the structure of ${path} is broken`), error)
    case TOO_BIG:
      return new CallboardError('store.too-big', 'a record or snapshot is larger than SQLite can keep', { path }, cause)
    default:
      return new CallboardError(
        'store.unreadable',
        `${path} cannot be read or written (SQLite error ${errcode}); check that it exists, its permissions and its disk`,
        { path, errcode },
        cause,
      )
  }
}

function fullError(path: string, cause: { readonly cause: unknown }): CallboardError {
  return new CallboardError(
    'store.full',
    `there is no room left to write ${path}; nothing was stored. Make room and try again; reading goes on`,
    { path },
    cause,
  )
}
