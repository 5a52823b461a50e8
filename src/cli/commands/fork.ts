import { Command } from 'commander'
import { randomIds } from '../../base/index.ts'
import { createRuntime } from '../../runtime/index.ts'
import { concludeRun } from '../conclude.ts'
import { databaseOption, openExisting } from '../database.ts'
import { findRun } from '../find-run.ts'
import { loadWorkflow } from '../load-module.ts'
import { pointOf, stateAt } from '../look.ts'
import { moduleOf } from '../module-of.ts'
import { stayInTerminal } from '../run-in-terminal.ts'
import type { Terminal } from '../terminal.ts'

interface ForkCommandOptions {
  readonly db: string
  readonly as?: string
  readonly reason?: string
  readonly module?: string
  readonly export?: string
  readonly json?: boolean
}

/** `callboard fork <run> <point>`: a new run that goes on from a point of another one, in this process. */
export function forkCommand(terminal: Terminal, end: (code: number) => void): Command {
  return new Command('fork')
    .description('go on from a point of a run in a new one; the first stays as it is')
    .argument('<run>', 'its id, or how the id begins')
    .argument('<point>', 'the number of a record, or a snapshot or episode')
    .option('--as <run>', 'the id of the new run')
    .option('--reason <text>', 'for the record')
    .option('--module <module>', 'the module of the workflow; the one the run was started from unless given')
    .option('--export <name>', 'its export, where there are several')
    .addOption(databaseOption())
    .option('--json', 'write one JSON document instead of showing what happens')
    .addHelpText('after', '\nexit codes: those of callboard run')
    .action(async (run: string, point: string, options: ForkCommandOptions) => {
      const { db, as: to = randomIds.next('run'), reason, json = false } = options
      await using database = await openExisting(db, terminal)
      const { store } = database
      const summary = await findRun(database, run)
      const { runId, labels } = summary
      const seq = pointOf(summary, await stateAt(store, runId), point)
      const { workflow, conclude } = await loadWorkflow(moduleOf(runId, labels, options, terminal))
      using _lock = database.lock(to)
      await using runtime = await createRuntime({ store, workflows: [workflow] })
      const how = { runId: to, by: 'person', ...(reason === undefined ? {} : { reason }) }
      const finished = await stayInTerminal(runtime, () => runtime.fork(runId, seq, how), { terminal, quiet: json })
      end(await concludeRun(finished, { terminal, json, conclude, db }))
    })
}
