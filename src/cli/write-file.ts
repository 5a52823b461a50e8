// Writes files that a command was told to write.
//   W1. A regular file is replaced as a whole or not at all, where a link leads to it too.
//   W2. What is no regular file (a pipe, a device) is written into, never replaced.
import { randomBytes } from 'node:crypto'
import { open, readlink, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { CallboardError } from '../base/index.ts'
import { describeError } from './fail.ts'

/** For the eyes of whoever runs the command: an export has everything in it. */
const OWN_EYES = 0o600

/**
 * Writes to a path. A file is written as a whole or not at all: under another name in the same folder, forced to disk,
 * then renamed.
 *
 * @throws CallboardError `cli.out`
 */
export async function writeWhole(path: string, content: string | Uint8Array, cwd: string): Promise<void> {
  try {
    const { target, isFile } = await placeOf(resolve(cwd, path))
    if (isFile) await replaceFile(target, content)
    else await writeInto(target, content)
  } catch (cause) {
    throw new CallboardError('cli.out', `cannot write "${path}": ${describeError(cause).message}`, { path }, { cause })
  }
}

/** Where a path leads, and whether a regular file is there or may be made there. */
async function placeOf(path: string): Promise<{ readonly target: string; readonly isFile: boolean }> {
  const found = await stat(path).catch(unlessAbsent)
  // By its name, not by where it leads: a link of /proc to a pipe leads to no path.
  if (found !== undefined)
    return found.isFile() ? { target: await realpath(path), isFile: true } : { target: path, isFile: false }
  const next = await readlink(path).catch(unlessAbsent)
  if (next === undefined) return { target: path, isFile: true }
  // A link to a file that is not there yet.
  return placeOf(resolve(await realpath(dirname(path)), next))
}

function unlessAbsent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}

async function replaceFile(target: string, content: string | Uint8Array): Promise<void> {
  const temporary = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}.tmp`)
  try {
    const file = await open(temporary, 'wx', OWN_EYES)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, target)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

async function writeInto(target: string, content: string | Uint8Array): Promise<void> {
  const file = await open(target, 'w')
  try {
    await file.writeFile(content)
  } finally {
    await file.close()
  }
}
