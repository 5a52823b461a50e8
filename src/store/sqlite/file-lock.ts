// FileLock: something that one process at a time may do. The operating system ends a lock with the process that holds it,
// however that ends, so that none is ever left behind: SQLite's own file locks are used, on an empty file.
//   K1. Of several who ask for one lock, in whatever process, at most one has it.
//   K2. A lock lasts until it is released or its process ends, whether or not anybody keeps what was given for it.
//   K3. The file is deleted by its holder; one that lies there without a holder means nothing.
import { existsSync, mkdirSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { isCallboardError } from '../../base/index.ts'
import { openDatabase, storeError } from './database.ts'
import type { Database } from './database.ts'

/** A lock that is held. */
export interface FileLock extends Disposable {
  /** Twice is harmless. */
  release(): void
}

/** Takes the lock on a file, making it if need be; undefined when somebody else has it. */
export function lockFile(path: string): FileLock | undefined {
  mkdirSync(dirname(path), { recursive: true })
  for (;;) {
    const db = openDatabase(path, 0)
    const opened = inodeOf(path)
    if (!seize(db, path)) {
      db.close()
      return undefined
    }
    // Its last holder may have deleted the file between opening and locking: then this lock is on nothing (K1).
    if (opened !== undefined && inodeOf(path) === opened) return heldLock(db, path)
    db.close()
  }
}

/** Whether somebody has the lock now. */
export function isLocked(path: string): boolean {
  if (!existsSync(path)) return false
  const db = openDatabase(path, 0)
  const isFree = seize(db, path)
  db.close()
  return !isFree
}

/** @throws CallboardError `store.…` for anything but somebody else's lock */
function seize(db: Database, path: string): boolean {
  try {
    db.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
    return true
  } catch (error) {
    const known = storeError(error, path)
    if (isCallboardError(known, 'store.busy')) return false
    db.close()
    throw known
  }
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino
}

/** Until they are released: a connection that nobody holds is closed when memory is tidied up, and its lock with it. */
const held = new Set<Database>()

function heldLock(db: Database, path: string): FileLock {
  held.add(db)
  let isHeld = true
  const release = (): void => {
    if (!isHeld) return
    isHeld = false
    held.delete(db)
    // While it is held: afterwards it may be somebody else's. Windows does not delete open files; it stays there (K3).
    try {
      rmSync(path, { force: true })
    } catch {
      // It stays there.
    }
    db.close()
  }
  return { release, [Symbol.dispose]: release }
}
