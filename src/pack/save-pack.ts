import { randomBytes } from 'node:crypto'
import { link, mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileNameOf } from './pack-path.ts'

/** For the eyes of whoever packs: a pack has everything in it. */
const OWN_EYES = 0o600

/** What the file of a pack of a task or run is called: `task_<id>_resume_<YYYYMMDD_HHMMSS>.zip`, in UTC. */
export function packName(id: string, at: number): string {
  const digits = new Date(at).toISOString().replaceAll(/\D/g, '')
  return `task_${fileNameOf(id)}_resume_${digits.slice(0, 8)}_${digits.slice(8, 14)}.zip`
}

/**
 * Writes a pack into a folder, as a whole or not at all, and gives its path. What is there is never overwritten: a second
 * one of the same second gets a number.
 *
 * @throws what the file system throws
 */
export async function savePack(
  { bytes, name: id }: { readonly bytes: Uint8Array; readonly name: string },
  { folder, at }: { readonly folder: string; readonly at: number },
): Promise<string> {
  await mkdir(folder, { recursive: true })
  const name = packName(id, at)
  const temporary = join(folder, `.${name}.${randomBytes(6).toString('hex')}.tmp`)
  try {
    {
      await using file = await open(temporary, 'wx', OWN_EYES)
      await file.writeFile(bytes)
      await file.sync()
    }
    for (let count = 1; ; count++) {
      const path = join(folder, count === 1 ? name : name.replace(/\.zip$/, `_${count}.zip`))
      if (await linkNew(temporary, path)) return path
    }
  } finally {
    await rm(temporary, { force: true })
  }
}

/** Unlike a rename, a link never takes the place of what is there. */
async function linkNew(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}
