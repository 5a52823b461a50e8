import { Command } from 'commander'
import { createRuntime } from '../../runtime/index.ts'
import type { Restored } from '../../runtime/index.ts'
import { concludeRun } from '../conclude.ts'
import { databaseOption, openExisting } from '../database.ts'
import { findRun, rootOf } from '../find-run.ts'
import { loadWorkflow } from '../load-module.ts'
import { pointOf, stateAt } from '../look.ts'
import { moduleOf } from '../module-of.ts'
import { stayInTerminal } from '../run-in-terminal.ts'
import type { Terminal } from '../terminal.ts'
import { visibleText } from '../visible-text.ts'

interface RestoreCommandOptions {
  readonly db: string
  readonly override?: boolean
  readonly module?: string
  readonly export?: string
  readonly json?: boolean
}

/** `callboard restore <run> <point>`: puts the entries of a run back to what they were, and goes on with it. */
export function restoreCommand(terminal: Terminal, end: (code: number) => void): Command {
  return new Command('restore')
    .description('put the entries of a run back to what they were at a point, and go on with it in this process')
    .argument('<run>', 'its id, or how the id begins')
    .argument('<point>', 'the number of a record, or a snapshot or episode')
    .option('--override', 'protected entries too')
    .option('--module <module>', 'the module of the workflow; the one the run was started from unless given')
    .option('--export <name>', 'its export, where there are several')
    .addOption(databaseOption())
    .option('--json', 'write one JSON document instead of showing what happens')
    .addHelpText('after', '\nexit codes: those of callboard run')
    .action(async (named: string, point: string, options: RestoreCommandOptions) => {
      const { db, override = false, json = false } = options
      await using database = await openExisting(db, terminal)
      const summary = await findRun(database, named)
      const seq = pointOf(summary, await stateAt(database.store, summary.runId), point)
      const root = await rootOf(database, summary)
      using _lock = database.lock(root.runId)
      const { workflow, conclude } = await loadWorkflow(moduleOf(root.runId, root.labels, options, terminal))
      await using runtime = await createRuntime({ store: database.store, workflows: [workflow] })
      const begin = async (): ReturnType<typeof runtime.open> => {
        const run = await runtime.open(root.runId)
        // A child run has been opened with its parent.
        const restored = await (await runtime.open(summary.runId)).restore(seq, { by: 'person', override })
        if (!json) tell(restored, terminal)
        return run
      }
      const finished = await stayInTerminal(runtime, begin, { terminal, quiet: json })
      end(await concludeRun(finished, { terminal, json, conclude, db }))
    })
}

function tell({ seq, changed, kept }: Restored, { err }: Terminal): void {
  const names = (entries: readonly { readonly key: string }[]): string =>
    entries.map(({ key }) => visibleText(key)).join(', ')
  const what = changed.length === 0 ? 'nothing was different' : `put back ${names(changed)}`
  const left = kept.length === 0 ? '' : `; protected, and left as they are: ${names(kept)}`
  err.write(`as after record ${seq}: ${what}${left}\n`)
}
