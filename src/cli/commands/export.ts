import { Command } from 'commander'
import { exportLedger } from '../../store/index.ts'
import { databaseOption, openExisting } from '../database.ts'
import { EXIT } from '../exit-code.ts'
import { findRun } from '../find-run.ts'
import type { Terminal } from '../terminal.ts'
import { writeWhole } from '../write-file.ts'

/** `callboard export <run>`: its ledger as JSONL. */
export function exportCommand(terminal: Terminal, end: (code: number) => void): Command {
  return new Command('export')
    .description('write the ledger of a run as JSON lines, with all its values')
    .argument('<run>', 'its id, or how the id begins')
    .option('--out <file>', 'write to a file instead of the standard output')
    .addOption(databaseOption())
    .addHelpText('after', '\nNothing is left out or encrypted: keep the file as you keep the database.')
    .action(async (run: string, { db, out }: { readonly db: string; readonly out?: string }) => {
      await using database = await openExisting(db, terminal)
      const { runId } = await findRun(database, run)
      const text = await exportLedger(database.store, runId)
      if (out === undefined) terminal.out.write(text)
      else await writeWhole(out, text, terminal.cwd)
      end(EXIT.success)
    })
}
