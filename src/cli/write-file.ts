import { randomBytes } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { CallboardError } from '../base/index.ts'
import { describeError } from './fail.ts'

/** For the eyes of whoever runs the command: an export has everything in it. */
const OWN_EYES = 0o600

/**
 * Writes a file as a whole or not at all: under another name in the same folder, forced to disk, then renamed.
 *
 * @throws CallboardError `cli.out`
 */
export async function writeWhole(path: string, content: string | Uint8Array, cwd: string): Promise<void> {
  const target = resolve(cwd, path)
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
  } catch (cause) {
    await rm(temporary, { force: true })
    throw new CallboardError('cli.out', `cannot write "${path}": ${describeError(cause).message}`, { path }, { cause })
  }
}
