import { relative } from 'node:path'
import { Command } from 'commander'
import { CallboardError, systemClock } from '../../base/index.ts'
import { packRun, savePack } from '../../pack/index.ts'
import type { Pack } from '../../pack/index.ts'
import { databaseOption, openExisting } from '../database.ts'
import { EXIT } from '../exit-code.ts'
import { describeError } from '../fail.ts'
import { findRun } from '../find-run.ts'
import { commandLine } from '../hint.ts'
import { writeJson } from '../look.ts'
import { packFormOf } from '../pack-form.ts'
import type { Terminal } from '../terminal.ts'
import { visible } from '../visible-text.ts'
import { writeWhole } from '../write-file.ts'

interface PackCommandOptions {
  readonly db: string
  readonly out?: string
  readonly json?: boolean
}

/** `callboard pack <run>`: a run as one file that goes on elsewhere. */
export function packCommand(terminal: Terminal, end: (code: number) => void): Command {
  return new Command('pack')
    .description('pack a run, with its child runs, into one file that goes on elsewhere')
    .argument('<run>', 'its id, or how the id begins')
    .option('--out <file>', 'write to this file; a new one in the current folder unless given')
    .addOption(databaseOption())
    .option('--json', 'write one JSON document')
    .addHelpText('after', '\nNothing is left out or encrypted: keep the file as you keep the database.')
    .action(async (run: string, { db, out, json = false }: PackCommandOptions) => {
      await using database = await openExisting(db, terminal)
      const { runId, workflow, version } = await findRun(database, run)
      const form = await packFormOf(workflow, version)
      const pack = await packRun(database.store, runId, form === undefined ? {} : { form })
      const file = out ?? (await saveHere(pack, terminal))
      if (out !== undefined) await writeWhole(out, pack.bytes, terminal.cwd)
      const { pack_id: packId, pointers } = pack.manifest
      const runs = pointers.runs?.length ?? 1
      if (json) writeJson(terminal, { file, packId, runId, runs, bytes: pack.bytes.length })
      else
        terminal.out.write(
          `${visible`packed ${runId} into ${file}`}; go on with it elsewhere with: ${commandLine('unpack', file)}\n`,
        )
      end(EXIT.success)
    })
}

/** @throws CallboardError `cli.out` */
async function saveHere(pack: Pack, { cwd }: Terminal): Promise<string> {
  try {
    return relative(cwd, await savePack(pack, { folder: cwd, at: systemClock.now() }))
  } catch (cause) {
    const message = `cannot write the pack: ${describeError(cause).message}; name a file with --out`
    throw new CallboardError('cli.out', message, {}, { cause })
  }
}
