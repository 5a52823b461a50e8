import { basename, resolve } from 'node:path'
import { Command } from 'commander'
import { CallboardError, isCallboardError, systemClock } from '../../base/index.ts'
import { unpackRun } from '../../pack/index.ts'
import { databaseOption, openDatabase } from '../database.ts'
import { EXIT } from '../exit-code.ts'
import { hint } from '../hint.ts'
import { writeJson } from '../look.ts'
import type { Terminal } from '../terminal.ts'
import { visible } from '../visible-text.ts'

interface UnpackCommandOptions {
  readonly db: string
  readonly as?: string
  readonly json?: boolean
}

/** `callboard unpack <file>`: a run from its pack. */
export function unpackCommand(terminal: Terminal, end: (code: number) => void): Command {
  return new Command('unpack')
    .description('store a run from its pack, under an id of its own')
    .argument('<file>', 'what callboard pack wrote')
    .option('--as <run>', 'its id; made up unless given')
    .addOption(databaseOption())
    .option('--json', 'write one JSON document')
    .action(async (file: string, { db, as, json = false }: UnpackCommandOptions) => {
      await using database = await openDatabase(db, terminal)
      const options = {
        by: 'person',
        from: basename(file),
        clock: systemClock,
        ...(as === undefined ? {} : { runId: as }),
      }
      const { runId, children, summary, manifest } = await unpackRun(
        database.store,
        resolve(terminal.cwd, file),
        options,
      ).catch((error: unknown) => {
        throw whyNot(error, file)
      })
      const { status, seq: records } = summary
      if (json) writeJson(terminal, { runId, children, records, status, packId: manifest.pack_id })
      else {
        const next = status === 'active' ? 'go on with it' : 'look at it'
        const command = hint(status === 'active' ? 'resume' : 'show', runId, db)
        terminal.out.write(`${visible`unpacked ${runId} with ${records} records`}; ${next} with: ${command}\n`)
      }
      end(EXIT.success)
    })
}

function whyNot(error: unknown, file: string): unknown {
  if (isCallboardError(error, 'run.exists')) {
    const { runId } = error.details
    const message = `there is a run ${String(runId)} already; unpack it under another id with --as`
    return new CallboardError('cli.unpack', message, { runId }, { cause: error })
  }
  if (!isCallboardError(error) || !/^(?:pack|ledger)\./.test(error.code)) return error
  return new CallboardError(
    'cli.unpack',
    `${file}: ${error.message}`,
    { path: file, ...error.details },
    { cause: error },
  )
}
