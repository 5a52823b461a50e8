import { resolve } from 'node:path'
import { Command } from 'commander'
import { inspectSqlite } from '../../store/sqlite/index.ts'
import { assertExists, databaseOption, openDatabase } from '../database.ts'
import { EXIT } from '../exit-code.ts'
import { writeJson } from '../look.ts'
import type { Terminal } from '../terminal.ts'
import { visible } from '../visible-text.ts'

/** `callboard migrate`: brings a database to the newest format. */
export function migrateCommand(terminal: Terminal, end: (code: number) => void): Command {
  return new Command('migrate')
    .description('bring a database of an older version to the newest format')
    .addOption(databaseOption())
    .option('--json', 'write one JSON document')
    .action(async ({ db, json = false }: { readonly db: string; readonly json?: boolean }) => {
      assertExists(db, terminal)
      const { format: from, newestFormat: to } = inspectSqlite(resolve(terminal.cwd, db))
      // Opening it is what migrates it, in one transaction.
      await using _database = await openDatabase(db, terminal)
      if (json) writeJson(terminal, { db, from, to })
      else if (from === to) terminal.out.write(`${visible`${db} has format ${to}, the newest`}\n`)
      else terminal.out.write(`${visible`${db} was brought from format ${from} to ${to}`}\n`)
      end(EXIT.success)
    })
}
