import { structuredPatch } from 'diff'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EvolutionError } from './error.ts'
import { forEachWatched } from './progress.ts'
import type { Watched } from './progress.ts'
import type { RollbackPoint } from './schema.ts'

/** One file in two states. */
export interface FileVersions {
  /** Relative to the project root, with `/`. */
  readonly file: string
  readonly before: string
  readonly after: string
}

/**
 * The difference between a project and its copy in the given files, as `git apply` takes it from the project's root.
 * Nothing is written; without differences the patch is empty.
 */
export async function makePatch(
  options: { readonly root: string; readonly directory: string; readonly files: readonly string[] } & Watched,
): Promise<string> {
  const { root, directory, files } = options
  const parts: string[] = []
  await forEachWatched(
    files.toSorted(),
    options,
    (file) => file,
    async (file) => {
      const [before, after] = await Promise.all([
        readFile(join(root, file), 'utf8'),
        readFile(join(directory, file), 'utf8'),
      ])
      parts.push(formatFilePatch({ file, before, after }))
    },
  )
  return parts.join('')
}

/**
 * Makes sure that what was changed in the copy is still the same in the project: a patch against anything else would
 * undo what somebody wrote in the meantime.
 *
 * @throws EvolutionError `evolution.changed-meanwhile`
 */
export async function assertUnchanged(root: string, points: readonly RollbackPoint[]): Promise<void> {
  // The first point of a file holds its original content.
  const originals = new Map(points.toReversed().map(({ file, sha256Before }) => [file, sha256Before]))
  for (const [file, expected] of originals) {
    if ((await hashOf(join(root, file))) === expected) continue
    const message = `"${file}" was changed or removed while the evolution went on; run it again`
    throw new EvolutionError('evolution.changed-meanwhile', message, file)
  }
}

/** Whether the files of a copy are still what the tasks made of them. */
export async function isCarriedOut(directory: string, points: readonly RollbackPoint[]): Promise<boolean> {
  // The last point of a file holds what became of it.
  const results = new Map(points.map(({ file, sha256After }) => [file, sha256After]))
  for (const [file, expected] of results) if ((await hashOf(join(directory, file))) !== expected) return false
  return true
}

async function hashOf(path: string): Promise<string | undefined> {
  const bytes = await readFile(path).catch(() => undefined)
  return bytes === undefined ? undefined : createHash('sha256').update(bytes).digest('hex')
}

/** The part of a patch for one file; empty when nothing changed. */
export function formatFilePatch({ file, before, after }: FileVersions): string {
  if (before === after) return ''
  const { hunks } = structuredPatch(file, file, before, after, undefined, undefined, { context: 3 })
  const [from, to] = [quotePath(`a/${file}`), quotePath(`b/${file}`)]
  // Git ends names with blanks in a tab, so that the end of the name is known.
  const tab = / /.test(file) ? '\t' : ''
  const header = `diff --git ${from} ${to}\n--- ${from}${tab}\n+++ ${to}${tab}\n`
  return (
    header +
    hunks
      .map(
        (hunk) =>
          `@@ -${range(hunk.oldStart, hunk.oldLines)} +${range(hunk.newStart, hunk.newLines)} @@\n${hunk.lines.join('\n')}\n`,
      )
      .join('')
  )
}

const range = (start: number, lines: number): string => (lines === 1 ? `${start}` : `${start},${lines}`)

/** Quotes a name as git does: bytes outside of printable ASCII in octal, between double quotes. */
function quotePath(path: string): string {
  const escapes = new Map([
    [7, String.raw`\a`],
    [8, String.raw`\b`],
    [9, String.raw`\t`],
    [10, String.raw`\n`],
    [11, String.raw`\v`],
    [12, String.raw`\f`],
    [13, String.raw`\r`],
    [34, String.raw`\"`],
    [92, String.raw`\\`],
  ])
  let isPlain = true
  const quoted = [...Buffer.from(path, 'utf8')].map((byte) => {
    const escape = escapes.get(byte)
    if (escape === undefined && byte >= 32 && byte < 127) return String.fromCharCode(byte)
    isPlain = false
    return escape ?? `\\${byte.toString(8).padStart(3, '0')}`
  })
  return isPlain ? path : `"${quoted.join('')}"`
}
