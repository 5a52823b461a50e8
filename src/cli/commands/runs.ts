import { Command, Option } from 'commander'
import { databaseOption, openExisting } from '../database.ts'
import { EXIT } from '../exit-code.ts'
import { listRuns } from '../find-run.ts'
import { writeJson } from '../look.ts'
import { instant, table } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { visibleText } from '../visible-text.ts'
import type { RunSummary } from '../../store/index.ts'

interface RunsOptions {
  readonly db: string
  readonly status?: RunSummary['status']
  readonly workflow?: string
  readonly json?: boolean
}

/** `callboard runs`: what is in a database, oldest first. */
export function runsCommand(terminal: Terminal, end: (code: number) => void): Command {
  return new Command('runs')
    .description('list the runs in the database')
    .addOption(new Option('--status <status>', 'only these').choices(['active', 'done', 'error', 'stopped']))
    .option('--workflow <name>', 'only those of this workflow')
    .addOption(databaseOption())
    .option('--json', 'write one JSON document')
    .action(async ({ db, status, workflow, json = false }: RunsOptions) => {
      await using database = await openExisting(db, terminal)
      const damage: string[] = []
      const filter = { ...(status === undefined ? {} : { status }), ...(workflow === undefined ? {} : { workflow }) }
      const runs = await listRuns(database, filter, (message) => damage.push(message))
      if (json) writeJson(terminal, runs)
      else if (runs.length === 0) terminal.err.write('no runs\n')
      else terminal.out.write(table([HEAD, ...runs.map(lineOf)]))
      for (const message of damage) terminal.err.write(`damaged: ${visibleText(message)}\n`)
      end(damage.length === 0 ? EXIT.success : EXIT.failed)
    })
}

const HEAD = ['run', 'workflow', 'status', 'records', 'started', 'last record', 'module']

function lineOf({ runId, workflow, status, seq, createdAt, updatedAt, labels, parent }: RunSummary): readonly string[] {
  const where = parent === undefined ? (labels?.['module'] ?? '') : `child of ${parent.runId}`
  return [runId, workflow, status, String(seq), instant(createdAt), instant(updatedAt), where]
}
