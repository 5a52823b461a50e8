import { existsSync } from 'node:fs'
import { Command, InvalidArgumentError } from 'commander'
import { CallboardError } from '../../base/index.ts'
import { chooseEnded } from '../../runtime/index.ts'
import type { RunSummary } from '../../store/index.ts'
import { databaseOption, openExisting } from '../database.ts'
import type { Database } from '../database.ts'
import { EXIT } from '../exit-code.ts'
import { listRuns } from '../find-run.ts'
import { writeJson } from '../look.ts'
import { bookFile } from '../server-files.ts'
import { instant, table } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { visibleText } from '../visible-text.ts'

interface GcOptions {
  readonly db: string
  readonly olderThan?: number
  readonly keep?: number
  readonly auditOlderThan?: number
  readonly yes?: boolean
  readonly json?: boolean
}

/** What goes, or would go. */
interface Doomed {
  readonly runs: readonly RunSummary[]
  /** How many audit records; undefined where nobody asked. */
  readonly auditRecords: number | undefined
}

/** `callboard gc`: forgets runs that have ended, and what the server wrote down of old requests. */
export function gcCommand(terminal: Terminal, end: (code: number) => void): Command {
  return new Command('gc')
    .description('forget runs that ended long ago, with their child runs, and old audit records')
    .option('--older-than <age>', 'those that ended so long ago: 30d, 12h, 45m', readAge)
    .option('--keep <n>', 'all but the newest so many', readCount)
    .option('--audit-older-than <age>', "the server's audit records that are so old, of all tenants", readAge)
    .option('--yes', 'do it; without this, only what would be forgotten is listed')
    .addOption(databaseOption())
    .option('--json', 'write one JSON document')
    .action(async (options: GcOptions) => {
      const { db, olderThan, keep, auditOlderThan, yes = false, json = false } = options
      if (olderThan === undefined && keep === undefined && auditOlderThan === undefined) {
        throw new CallboardError(
          'cli.gc',
          'say what may go: --older-than 30d, --keep 100, --audit-older-than 90d, or several of them',
        )
      }
      await using database = await openExisting(db, terminal)
      const runs = await endedRuns(database, options, terminal)
      if (yes) for (const { runId } of runs) await database.store.remove(runId)
      const before = auditOlderThan === undefined ? undefined : terminal.clock.now() - auditOlderThan
      const auditRecords = before === undefined ? undefined : await auditedBefore(before, yes, { db, terminal })
      const doomed: Doomed = { runs, auditRecords }
      if (json) writeJson(terminal, { removed: yes, ...doomed, runs: runs.map(({ runId }) => runId) })
      else tell(doomed, yes, terminal)
      end(EXIT.success)
    })
}

const UNITS: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000 }

function readAge(text: string): number {
  const { count = '', unit = '' } = /^(?<count>\d{1,9})(?<unit>[dhms])$/.exec(text)?.groups ?? {}
  const ms = Number(count) * (UNITS[unit] ?? Number.NaN)
  if (count !== '' && Number.isFinite(ms)) return ms
  throw new InvalidArgumentError('Give a number and d, h, m or s: 30d.')
}

function readCount(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Give a whole number.')
}

async function endedRuns(
  database: Database,
  { olderThan, keep }: GcOptions,
  { clock, err }: Terminal,
): Promise<readonly RunSummary[]> {
  if (olderThan === undefined && keep === undefined) return []
  const all = await listRuns(database, {}, (message) => err.write(`damaged: ${visibleText(message)}\n`))
  const rules = {
    ...(olderThan === undefined ? {} : { olderThanMs: olderThan }),
    ...(keep === undefined ? {} : { keep }),
  }
  const isInUse = (runId: string): boolean => database.isWorkedOn(runId)
  return chooseEnded(all, rules, { now: clock.now(), isInUse })
}

/** How many audit records are older; forgets them where that is to be done. */
async function auditedBefore(
  before: number,
  isDone: boolean,
  { db, terminal }: { readonly db: string; readonly terminal: Terminal },
): Promise<number> {
  const file = bookFile(db, terminal.cwd)
  // Where no server has been, none is opened.
  if (!existsSync(file)) return 0
  const { openBook } = await import('../../server/index.ts')
  using book = openBook(file)
  return isDone ? book.forgetAudit(before) : book.countAudit(before)
}

function tell({ runs, auditRecords }: Doomed, isDone: boolean, { out, err }: Terminal): void {
  if (runs.length > 0) {
    const rows = runs.map(({ runId, workflow, status, updatedAt }) => [runId, workflow, status, instant(updatedAt)])
    out.write(table([['run', 'workflow', 'status', 'ended'], ...rows]))
  }
  const parts = [countOf(runs.length, 'run')]
  if (auditRecords !== undefined) parts.push(countOf(auditRecords, 'audit record'))
  const count = parts.join(' and ')
  err.write(isDone ? `${count} forgotten\n` : `${count} would be forgotten; do it with --yes\n`)
}

function countOf(count: number, what: string): string {
  return `${count} ${count === 1 ? what : `${what}s`}`
}
