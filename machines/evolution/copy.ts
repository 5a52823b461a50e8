import type { Dirent } from 'node:fs'
import { access, copyFile, mkdir, mkdtemp, readdir, readlink, realpath, rm, stat, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { EvolutionError } from './error.ts'
import { forEachWatched } from './progress.ts'
import type { Watched } from './progress.ts'
import type { Skipped } from './schema.ts'

/** A working copy of a project, as plain data. */
export interface WorkingCopy {
  /** The project, which is only read. */
  readonly root: string
  /** The copy, in a folder of its own that `removeCopy` deletes. */
  readonly directory: string
  readonly files: number
  readonly skipped: readonly Skipped[]
}

const PREFIX = 'callboard-evolution-'
const VERSION_CONTROL = ['.git', '.hg', '.svn']
const OUTPUT = ['dist', 'build', 'coverage', '.cache', '.turbo', '.next', '.vite']
/** `.callboard` is where this very run is kept. */
const LEFT_OUT = new Set([...VERSION_CONTROL, ...OUTPUT, '.callboard'])
const BYTES_PER_FILE = 5_000_000

/**
 * Copies a project to a temporary folder: everything but version control, output folders, stored runs and large files. Folders called
 * node_modules are linked, so that compiler and tests run in the copy; links that lead out of the project are left out.
 */
export async function makeCopy(
  options: {
    readonly root: string
    /** Sources to be copied in any case, relative to the root: they may lie in an output folder that is the target. */
    readonly files?: readonly string[]
    readonly bytesPerFile?: number
    readonly parent?: string
    /** The folder for the copy, below `parent`, by which it can be found again; what is there goes. One of its own unless given. */
    readonly name?: string
  } & Watched,
): Promise<WorkingCopy> {
  const { bytesPerFile = BYTES_PER_FILE, parent = tmpdir(), files: wanted = [], signal } = options
  const root = await realpath(options.root).catch((cause: unknown) => {
    const message = `no such path "${options.root}"; name an existing folder`
    throw new EvolutionError('evolution.no-such-path', message, options.root, { cause })
  })
  const holder = await makeHolder(await realpath(parent), options.name)
  const directory = join(holder, basename(root) || 'project')
  const skipped: Skipped[] = []
  try {
    const entries = await listEntries({ root, wanted, skipped, signal })
    let files = 0
    await mkdir(directory)
    await forEachWatched(
      entries,
      options,
      ({ name }) => name,
      async (entry) => {
        const from = join(entry.parentPath, entry.name)
        const file = relative(root, from).split(sep).join('/')
        const reason = await copyEntry({ entry, from, to: join(directory, file), root, bytesPerFile })
        if (reason !== undefined) skipped.push({ file, reason })
        else if (entry.isFile()) files++
      },
    )
    return { root, directory, files, skipped }
  } catch (error) {
    await rm(holder, { recursive: true, force: true })
    throw error
  }
}

async function makeHolder(parent: string, name: string | undefined): Promise<string> {
  if (name === undefined) return mkdtemp(join(parent, PREFIX))
  const holder = join(parent, PREFIX + name)
  await rm(holder, { recursive: true, force: true })
  await mkdir(holder, { mode: 0o700 })
  return holder
}

/** Makes files of a copy what they are in the project. */
export async function refreshCopy(
  { root, directory }: Pick<WorkingCopy, 'root' | 'directory'>,
  files: readonly string[],
): Promise<void> {
  for (const file of files) await copyFile(join(root, file), join(directory, file))
}

/** Deletes a copy; once it is gone this does nothing. Only folders that `makeCopy` made are deleted. */
export async function removeCopy({ directory }: Pick<WorkingCopy, 'directory'>): Promise<void> {
  const holder = dirname(resolve(directory))
  if (!basename(holder).startsWith(PREFIX)) {
    throw new EvolutionError(
      'evolution.not-a-copy',
      `"${directory}" was not made by makeCopy and is not deleted; pass the working copy as it was returned`,
      directory,
    )
  }
  await rm(holder, { recursive: true, force: true })
}

interface Listing {
  readonly root: string
  readonly wanted: readonly string[]
  readonly skipped: Skipped[]
  readonly signal: AbortSignal | undefined
}

async function listEntries({ root, wanted, skipped, signal }: Listing): Promise<Dirent[]> {
  const isWanted = (path: string) => {
    const prefix = `${relative(root, path).split(sep).join('/')}/`
    return wanted.some((file) => file.startsWith(prefix))
  }
  const found: Dirent[] = []
  const folders = [root]
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    signal?.throwIfAborted()
    const entries = await readdir(folder, { withFileTypes: true }).catch((): undefined => undefined)
    if (!entries) skipped.push({ file: relative(root, folder), reason: 'the folder cannot be read' })
    for (const entry of entries ?? []) {
      if (LEFT_OUT.has(entry.name) && !isWanted(join(folder, entry.name))) continue
      found.push(entry)
      if (entry.isDirectory() && entry.name !== 'node_modules') folders.push(join(folder, entry.name))
    }
  }
  return found
}

interface CopyStep {
  readonly entry: Dirent
  readonly from: string
  readonly to: string
  readonly root: string
  readonly bytesPerFile: number
}

/** Gives the reason when an entry is not copied. */
async function copyEntry({ entry, from, to, root, bytesPerFile }: CopyStep): Promise<string | undefined> {
  if (entry.name === 'node_modules') {
    await symlink(await realpath(from), to, 'junction')
    return undefined
  }
  if (entry.isDirectory()) {
    await mkdir(to, { recursive: true })
    return undefined
  }
  if (entry.isSymbolicLink()) return copyLink(from, to, root)
  if (!entry.isFile()) return 'neither a file nor a folder'
  const { size } = await stat(from)
  if (size > bytesPerFile) return `${size} bytes, more than the limit of ${bytesPerFile}`
  return copyFile(from, to).then(
    () => undefined,
    () => 'the file cannot be read; check its permissions',
  )
}

/** A link is copied when it leads to something inside by a relative path: through any other one, writes would get out. */
async function copyLink(from: string, to: string, root: string): Promise<string | undefined> {
  const target = await readlink(from)
  const inside = relative(root, resolve(dirname(from), target))
  const reaches = await access(from).then(
    () => realpath(from),
    () => undefined,
  )
  const isInside = reaches !== undefined && !relative(root, reaches).startsWith('..') && !inside.startsWith('..')
  if (!isInside || target.startsWith('/')) return 'a symbolic link that leads out of the project, or nowhere'
  await symlink(target, to)
  return undefined
}
