import type { Dirent } from 'node:fs'
import { access, constants, readdir, readFile, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, relative, sep } from 'node:path'
import { z } from 'zod'
import { EvolutionError } from './error.ts'
import { forEachWatched } from './progress.ts'
import type { Watched } from './progress.ts'
import { Skipped } from './schema.ts'

/** The source files of a target, as plain data: paths are relative to the project root, with `/`, sorted. */
export const Sources = z
  .strictObject({
    /** The nearest folder upwards with a package.json, otherwise the target's own folder. */
    root: z.string(),
    /** The target itself, relative to the root; '.' for the root. */
    target: z.string(),
    files: z.array(z.string()).readonly(),
    skipped: z.array(Skipped).readonly(),
  })
  .readonly()
export type Sources = z.infer<typeof Sources>

const SOURCE = /\.[cm]?[jt]sx?$/
const NOT_SOURCE = /\.d\.([cm]?ts|[^.]+\.ts)$|\.min\.[cm]?js$/
const OTHERS_FOLDERS = new Set(['node_modules', 'dist', 'build', 'coverage'])
const BYTES_PER_FILE = 1_000_000

/** Files of more than this and lines longer than 500 on average are the output of a minifier. */
const MINIFIED_FROM_BYTES = 5_000

/**
 * Finds the source files of a file or folder. Symbolic links, the folders of tools and files over the limit are left
 * out; what somebody might miss is named in `skipped`.
 *
 * @throws EvolutionError when the path is absent or unreadable, or holds no source file
 */
export async function findSources(
  options: { readonly path: string; readonly bytesPerFile?: number } & Watched,
): Promise<Sources> {
  const { path, bytesPerFile = BYTES_PER_FILE, signal } = options
  const target = await realpath(path).catch((cause: unknown) => {
    throw new EvolutionError(
      'evolution.no-such-path',
      `no such path "${path}"; name an existing file or folder`,
      path,
      {
        cause,
      },
    )
  })
  const isFolder = (await stat(target)).isDirectory()
  await access(target, constants.R_OK).catch((cause: unknown) => {
    throw new EvolutionError('evolution.unreadable', `cannot read "${path}"; check its permissions`, path, { cause })
  })
  const folder = isFolder ? target : dirname(target)
  const root = (await projectRootOf(folder)) ?? folder
  const skipped: Skipped[] = []
  const found = isFolder ? await listFolder({ folder, root, skipped, signal }) : isSource(target) ? [target] : []
  const files: string[] = []
  await forEachWatched(found.sort(), options, basename, async (absolute) => {
    const file = posix(relative(root, absolute))
    const reason = await reasonToSkip(absolute, bytesPerFile)
    if (reason === undefined) files.push(file)
    else skipped.push({ file, reason })
  })
  if (files.length > 0) return { root, target: posix(relative(root, target)) || '.', files: files.sort(), skipped }
  const why = skipped.map(({ file, reason }) => `${file}: ${reason}`).slice(0, 3)
  throw new EvolutionError(
    'evolution.no-sources',
    `no source files in "${path}"${why.length > 0 ? ` (${why.join('; ')})` : ''}; ` +
      'name a file or folder with .ts, .tsx, .mts, .cts, .js, .jsx, .mjs or .cjs files',
    path,
  )
}

/** Whether a path is that of a test, which is measured like other code but needs no documentation. */
export function isTestFile(file: string): boolean {
  return /(^|\/)(tests?|__tests__|spec|fixtures?|bench(marks?)?)\/|\.(test|spec|bench)\.[cm]?[jt]sx?$/.test(file)
}

async function projectRootOf(folder: string): Promise<string | undefined> {
  for (let current = folder; ; current = dirname(current)) {
    const found = await access(join(current, 'package.json')).then(
      () => true,
      () => false,
    )
    if (found) return current
    if (dirname(current) === current) return undefined
  }
}

interface Listing {
  readonly folder: string
  readonly root: string
  readonly skipped: Skipped[]
  readonly signal: AbortSignal | undefined
}

async function listFolder({ folder, root, skipped, signal }: Listing): Promise<string[]> {
  const found: string[] = []
  const folders = [folder]
  for (let current = folders.pop(); current !== undefined; current = folders.pop()) {
    signal?.throwIfAborted()
    const skip = (path: string, reason: string) => skipped.push({ file: posix(relative(root, path)), reason })
    const entries = await readdir(current, { withFileTypes: true }).catch((): Dirent[] | undefined => undefined)
    if (entries === undefined) skip(current, 'the folder cannot be read')
    for (const entry of entries ?? []) {
      const path = join(entry.parentPath, entry.name)
      if (entry.isDirectory() && !OTHERS_FOLDERS.has(entry.name) && !entry.name.startsWith('.')) folders.push(path)
      else if (entry.isSymbolicLink() && isSource(path)) skip(path, 'symbolic links are not followed')
      else if (entry.isFile() && isSource(path)) found.push(path)
    }
  }
  return found
}

async function reasonToSkip(path: string, bytesPerFile: number): Promise<string | undefined> {
  const { size } = await stat(path)
  if (size > bytesPerFile) return `${size} bytes, more than the limit of ${bytesPerFile}`
  const bytes = await readFile(path).catch(() => undefined)
  if (bytes === undefined) return 'the file cannot be read; check its permissions'
  if (decode(bytes) === undefined) return 'the file is not UTF-8'
  const lines = bytes.reduce((sum, byte) => (byte === 10 ? sum + 1 : sum), 1)
  return size > MINIFIED_FROM_BYTES && size / lines > 500 ? 'the file is minified' : undefined
}

/** The text of UTF-8 bytes with its byte-order mark, or undefined when they are something else. */
export function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

const isSource = (path: string): boolean => SOURCE.test(path) && !NOT_SOURCE.test(path)
const posix = (path: string): string => path.split(sep).join('/')
