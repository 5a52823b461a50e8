import { DEFAULT_DATABASE } from './database.ts'

/** A command to type next about a run, as one line of a POSIX shell. */
export function hint(command: string, runId: string, db: string): string {
  return ['npx', 'callboard', command, runId, ...(db === DEFAULT_DATABASE ? [] : ['--db', db])].map(asWord).join(' ')
}

/** As one word of a POSIX shell. */
function asWord(text: string): string {
  return /^[\w./:=@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}
