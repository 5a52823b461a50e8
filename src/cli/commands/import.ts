import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Command } from 'commander'
import { CallboardError, isCallboardError } from '../../base/index.ts'
import { importLedger } from '../../store/index.ts'
import { databaseOption, openDatabase } from '../database.ts'
import { EXIT } from '../exit-code.ts'
import { describeError } from '../fail.ts'
import { hint } from '../hint.ts'
import { writeJson } from '../look.ts'
import type { Terminal } from '../terminal.ts'
import { visible } from '../visible-text.ts'

interface ImportCommandOptions {
  readonly db: string
  readonly as?: string
  readonly json?: boolean
}

/** `callboard import <file>`: a run from its exported ledger. */
export function importCommand(terminal: Terminal, end: (code: number) => void): Command {
  return new Command('import')
    .description('store a run from its exported ledger')
    .argument('<file>', 'what callboard export wrote')
    .option('--as <run>', 'under another id')
    .addOption(databaseOption())
    .option('--json', 'write one JSON document')
    .action(async (file: string, { db, as, json = false }: ImportCommandOptions) => {
      const text = await readText(file, terminal)
      await using database = await openDatabase(db, terminal)
      const options = as === undefined ? {} : { runId: as }
      const { runId, seq, status } = await importLedger(database.store, text, options).catch((error: unknown) => {
        throw whyNot(error, file)
      })
      if (json) writeJson(terminal, { runId, records: seq, status })
      else
        terminal.out.write(
          `${visible`imported ${runId} with ${seq} records`}; look at it with: ${hint('show', runId, db)}\n`,
        )
      end(EXIT.success)
    })
}

/** @throws CallboardError `cli.import` */
async function readText(file: string, { cwd }: Terminal): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(await readFile(resolve(cwd, file)))
  } catch (cause) {
    throw new CallboardError(
      'cli.import',
      `cannot read "${file}": ${describeError(cause).message}`,
      { file },
      { cause },
    )
  }
}

function whyNot(error: unknown, file: string): unknown {
  if (isCallboardError(error, 'store.conflict')) {
    const { runId } = error.details
    const message = `there is a run ${String(runId)} already; import it under another id with --as`
    return new CallboardError('cli.import', message, { runId }, { cause: error })
  }
  if (isCallboardError(error, 'run.invalid-id')) {
    const message = `${file}: ${error.message}; give another with --as`
    return new CallboardError('cli.import', message, error.details, { cause: error })
  }
  if (!isCallboardError(error) || !error.code.startsWith('ledger.')) return error
  return new CallboardError('cli.import', `${file}: ${error.message}`, { file, ...error.details }, { cause: error })
}
