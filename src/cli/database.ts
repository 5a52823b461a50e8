// Database: the file in which the command line keeps its runs.
//   D1. Only commands that write make it; what only looks says that there is none.
//   D2. A run is worked on by one process at a time: whoever works on it holds its lock. A server works on all of them.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { Option } from 'commander'
import { CallboardError, isCallboardError } from '../base/index.ts'
import { isLocked, lockFile, openSqlite } from '../store/sqlite/index.ts'
import type { FileLock, SqliteOptions, SqliteStore } from '../store/sqlite/index.ts'
import type { Terminal } from './terminal.ts'

/** Where runs are kept unless `--db` says otherwise, from the current folder. */
export const DEFAULT_DATABASE: string = join('.callboard', 'callboard.db')

/** The variable with the key that encrypts the database. */
const KEY_VARIABLE = 'CALLBOARD_KEY'

/** The key that the environment has for what is stored. */
export function keyIn({ env }: Pick<Terminal, 'env'>): string | undefined {
  return env[KEY_VARIABLE]
}

/** An open database. */
export interface Database extends AsyncDisposable {
  /** As the user named it. */
  readonly path: string
  readonly store: SqliteStore
  /** Makes sure that no other process works on a run. @throws CallboardError `cli.run-busy` */
  lock(runId: string): FileLock
  /** Makes sure that no other process works on any run. @throws CallboardError `cli.database-busy` */
  lockAll(): FileLock
  /** Whether some process works on a run. */
  isWorkedOn(runId: string): boolean
}

type Surroundings = Pick<Terminal, 'cwd' | 'env'>

/** The option of every command that uses a database. */
export function databaseOption(): Option {
  return new Option('--db <file>', 'the database').default(DEFAULT_DATABASE)
}

/** Opens a database, making it if need be. */
export async function openDatabase(path: string, surroundings: Surroundings): Promise<Database> {
  const file = resolve(surroundings.cwd, path)
  await makeFolder(path, file)
  return openFile(path, surroundings, {})
}

/**
 * Opens a database that is there; a format that is too old is not changed.
 *
 * @throws CallboardError `cli.no-database`
 */
export async function openExisting(path: string, surroundings: Surroundings): Promise<Database> {
  assertExists(path, surroundings)
  return openFile(path, surroundings, { migrate: false })
}

/** @throws CallboardError `cli.no-database` */
export function assertExists(path: string, { cwd }: Pick<Surroundings, 'cwd'>): void {
  if (existsSync(resolve(cwd, path))) return
  const message = `there is no database "${path}"; name the file of a store, or begin with callboard run`
  throw new CallboardError('cli.no-database', message, { path })
}

async function openFile(path: string, { cwd, env }: Surroundings, options: SqliteOptions): Promise<Database> {
  const file = resolve(cwd, path)
  const key = keyIn({ env })
  const store = await openSqlite(file, key === undefined ? options : { ...options, key }).catch((error: unknown) => {
    throw withVariable(error)
  })
  const lockPath = (runId: string): string =>
    join(locksOf(file), `${createHash('sha256').update(runId).digest('hex').slice(0, 32)}.lock`)
  const serverPath = join(locksOf(file), SERVER_LOCK)
  return {
    path,
    store,
    lock: (runId) => {
      const lock = lockFile(lockPath(runId))
      // In this order, as a server looks in the other one: of two at once, at least one sees the other.
      if (lock !== undefined && !isLocked(serverPath)) return lock
      lock?.release()
      throw new CallboardError('cli.run-busy', `run ${runId} is worked on by another process; end that one first`, {
        runId,
      })
    },
    lockAll: () => {
      const lock = lockFile(serverPath)
      const isFree = !readdirSync(locksOf(file)).some(
        (name) => name !== SERVER_LOCK && isHeld(join(locksOf(file), name)),
      )
      if (lock !== undefined && isFree) return lock
      lock?.release()
      const message = `another process works on runs of "${path}"; end that one first, or name another database with --db`
      throw new CallboardError('cli.database-busy', message, { path })
    },
    isWorkedOn: (runId) => isLocked(serverPath) || isLocked(lockPath(runId)),
    [Symbol.asyncDispose]: () => store.close(),
  }
}

const SERVER_LOCK = 'server.lock'

const isHeld = (path: string): boolean => path.endsWith('.lock') && isLocked(path)

/** The folder with the locks of a database's runs. */
export function locksOf(file: string): string {
  return `${file}-locks`
}

/** Says where a key comes from, and never what it is. */
function withVariable(error: unknown): unknown {
  if (!isCallboardError(error, 'store.wrong-key') && !isCallboardError(error, 'store.weak-key')) return error
  const message = `${error.message}; the key is taken from ${KEY_VARIABLE}`
  return new CallboardError(error.code, message, error.details, { cause: error })
}

async function makeFolder(path: string, file: string): Promise<void> {
  const folder = dirname(file)
  try {
    await mkdir(folder, { recursive: true })
    // Only in a folder of our own: elsewhere, what Git ignores is the user's business.
    if (basename(folder) === dirname(DEFAULT_DATABASE)) await ignoreInGit(folder)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new CallboardError('cli.database', `cannot make the database "${path}": ${why}; name another with --db`, {
      path,
    })
  }
}

async function ignoreInGit(folder: string): Promise<void> {
  await writeFile(join(folder, '.gitignore'), '*\n', { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
}
