import { access } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'

/** What to apply, and where from. */
export interface ApplyOptions {
  /** The project, to which the paths in the patch are relative. */
  readonly root: string
  readonly patch: string
  /** Where the command is typed. */
  readonly cwd: string
}

/** The command that applies a patch. In a repository Git wants paths from its top, wherever the project lies in it. */
export async function applyCommand({ root, patch, cwd }: ApplyOptions): Promise<string> {
  const top = (await repositoryOf(root)) ?? root
  const inside = relative(top, root)
  const directory = inside === '' ? '' : ` --directory=${quote(inside)}`
  if (resolve(cwd) === top) return `git apply${directory} ${quote(relative(cwd, patch))}`
  return `git -C ${quote(relative(cwd, top) || '.')} apply${directory} ${quote(resolve(cwd, patch))}`
}

async function repositoryOf(folder: string): Promise<string | undefined> {
  for (let current = folder; ; current = dirname(current)) {
    const found = await access(join(current, '.git')).then(
      () => true,
      () => false,
    )
    if (found) return current
    if (dirname(current) === current) return undefined
  }
}

/** As one word of a POSIX shell. */
function quote(text: string): string {
  const word = text.startsWith('-') ? `./${text}` : text
  return /^[\w./=:@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
}
