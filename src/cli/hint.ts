import { DEFAULT_DATABASE } from './database.ts'

/** A command to type next about a run, as one line of a POSIX shell. What else the command needs may be put behind it. */
export function hint(command: string, runId: string, db: string): string {
  const where = db === DEFAULT_DATABASE ? [] : ['--db', db]
  // What begins like an option is an argument behind `--`.
  const words = runId.startsWith('-') ? [...where, '--', runId] : [runId, ...where]
  return commandLine(command, ...words)
}

/** A command of this program, likewise. */
export function commandLine(...words: readonly string[]): string {
  return ['npx', 'callboard', ...words].map(asWord).join(' ')
}

/** As one word of a POSIX shell, which shows nothing but printable characters. */
export function asWord(text: string): string {
  if (/^[\w./:=@%+-]+$/.test(text)) return text
  if (!UNSEEN.test(text)) return `'${text.replaceAll("'", String.raw`'\''`)}'`
  const escaped = text.replaceAll(/['\\]/g, String.raw`\$&`).replaceAll(new RegExp(UNSEEN, 'gu'), octal)
  return `$'${escaped}'`
}

/** What would move the cursor, ring or end the line. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u

/** Its bytes as a shell takes them in $'…'. */
function octal(character: string): string {
  return Array.from(Buffer.from(character), (byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('')
}
