import { Command } from 'commander'
import type { VerifyReport } from '../../store/index.ts'
import { databaseOption, openExisting } from '../database.ts'
import { EXIT } from '../exit-code.ts'
import { findRun } from '../find-run.ts'
import { writeJson } from '../look.ts'
import type { Terminal } from '../terminal.ts'
import { visibleText } from '../visible-text.ts'

interface VerifyOptions {
  readonly db: string
  readonly json?: boolean
}

/** `callboard verify [run]`: whether everything stored is what was written. */
export function verifyCommand(terminal: Terminal, end: (code: number) => void): Command {
  return new Command('verify')
    .description('check that what is stored is what was written')
    .argument('[run]', 'its id, or how the id begins; everything unless given')
    .addOption(databaseOption())
    .option('--json', 'write one JSON document')
    .addHelpText('after', '\nexit codes: 0 sound, 1 damaged, 2 not usable')
    .action(async (run: string | undefined, { db, json = false }: VerifyOptions) => {
      await using database = await openExisting(db, terminal)
      const runId = run === undefined ? undefined : await idToVerify(database, run)
      const report = await database.store.verify(runId)
      if (json) writeJson(terminal, report)
      else tell(report, terminal)
      end(report.damage.length === 0 ? EXIT.success : EXIT.failed)
    })
}

/** A run that is too damaged to be found by the beginning of its id is looked at by the whole one. */
async function idToVerify(database: Parameters<typeof findRun>[0], run: string): Promise<string> {
  const report = await database.store.verify(run)
  return report.runs > 0 || report.damage.length > 0 ? run : (await findRun(database, run)).runId
}

function tell({ runs, records, snapshots, damage }: VerifyReport, { out, err, style }: Terminal): void {
  for (const { message } of damage) err.write(`damaged: ${visibleText(message)}\n`)
  const verdict = damage.length === 0 ? style('green', 'sound') : style('red', `${damage.length} damaged places`)
  out.write(`${verdict}: ${runs} runs, ${records} records, ${snapshots} snapshots\n`)
}
