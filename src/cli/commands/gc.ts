import { Command, InvalidArgumentError } from 'commander'
import { CallboardError } from '../../base/index.ts'
import { chooseEnded } from '../../runtime/index.ts'
import type { RunSummary } from '../../store/index.ts'
import { databaseOption, openExisting } from '../database.ts'
import { EXIT } from '../exit-code.ts'
import { listRuns } from '../find-run.ts'
import { writeJson } from '../look.ts'
import { instant, table } from '../table.ts'
import type { Terminal } from '../terminal.ts'

interface GcOptions {
  readonly db: string
  readonly olderThan?: number
  readonly keep?: number
  readonly yes?: boolean
  readonly json?: boolean
}

/** `callboard gc`: forgets runs that have ended. */
export function gcCommand(terminal: Terminal, end: (code: number) => void): Command {
  return new Command('gc')
    .description('forget runs that ended long ago, with their child runs')
    .option('--older-than <age>', 'those that ended so long ago: 30d, 12h, 45m', readAge)
    .option('--keep <n>', 'all but the newest so many', readCount)
    .option('--yes', 'do it; without this, only what would be forgotten is listed')
    .addOption(databaseOption())
    .option('--json', 'write one JSON document')
    .action(async (options: GcOptions) => {
      const { db, olderThan, keep, yes = false, json = false } = options
      if (olderThan === undefined && keep === undefined) {
        throw new CallboardError('cli.gc', 'say what may go: --older-than 30d, or --keep 100, or both')
      }
      await using database = await openExisting(db, terminal)
      const all = await listRuns(database, {}, (message) => terminal.err.write(`damaged: ${message}\n`))
      const rules = {
        ...(olderThan === undefined ? {} : { olderThanMs: olderThan }),
        ...(keep === undefined ? {} : { keep }),
      }
      const isInUse = (runId: string): boolean => database.isWorkedOn(runId)
      const doomed = chooseEnded(all, rules, { now: terminal.clock.now(), isInUse })
      if (yes) for (const { runId } of doomed) await database.store.remove(runId)
      if (json) writeJson(terminal, { removed: yes, runs: doomed.map(({ runId }) => runId) })
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

function tell(doomed: readonly RunSummary[], isDone: boolean, { out, err }: Terminal): void {
  if (doomed.length > 0) {
    const rows = doomed.map(({ runId, workflow, status, updatedAt }) => [runId, workflow, status, instant(updatedAt)])
    out.write(table([['run', 'workflow', 'status', 'ended'], ...rows]))
  }
  const count = `${doomed.length} ${doomed.length === 1 ? 'run' : 'runs'}`
  err.write(isDone ? `${count} forgotten\n` : `${count} would be forgotten; do it with --yes\n`)
}
