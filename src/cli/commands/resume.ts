import { Command } from 'commander'
import { createRuntime } from '../../runtime/index.ts'
import type { RunSummary } from '../../store/index.ts'
import { concludeRun } from '../conclude.ts'
import { databaseOption, openDatabase, assertExists } from '../database.ts'
import type { Database } from '../database.ts'
import { EXIT } from '../exit-code.ts'
import { writeError } from '../fail.ts'
import { findRun, listRuns } from '../find-run.ts'
import { loadWorkflow } from '../load-module.ts'
import { moduleOf } from '../module-of.ts'
import { resumeInTerminal } from '../run-in-terminal.ts'
import type { Terminal } from '../terminal.ts'
import { visible } from '../visible-text.ts'

interface ResumeOptions {
  readonly db: string
  readonly export?: string
  readonly json?: boolean
}

/** `callboard resume [run] [module]`: goes on with what was interrupted, in this process. */
export function resumeCommand(terminal: Terminal, end: (code: number) => void): Command {
  return new Command('resume')
    .description('go on with a run that was interrupted, or with all of them')
    .argument('[run]', 'its id, or how the id begins; every run that has not ended unless given')
    .argument('[module]', 'the module of its workflow; the one it was run from unless given')
    .option('--export <name>', 'the export to run, where there are several')
    .addOption(databaseOption())
    .option('--json', 'write one JSON document instead of showing what happens; of several runs, one line each')
    .addHelpText('after', '\nexit codes: those of callboard run; of several runs, the highest')
    .action(async (run: string | undefined, module: string | undefined, options: ResumeOptions) => {
      assertExists(options.db, terminal)
      await using database = await openDatabase(options.db, terminal)
      if (run !== undefined) {
        end(await resumeOne(database, await findRun(database, run), { ...options, module, terminal }))
        return
      }
      const unfinished = (await listRuns(database, { status: 'active' })).filter(({ parent }) => parent === undefined)
      if (unfinished.length === 0) terminal.err.write(`${visible`no run in ${options.db} waits to be gone on with`}\n`)
      let highest: number = EXIT.success
      for (const summary of unfinished) {
        using lines = options.json === true ? writingLines(terminal) : undefined
        const task = { ...options, module: undefined, terminal: lines ?? terminal }
        highest = Math.max(highest, await resumeOrTell(database, summary, task))
        // Somebody who ends one wants to end.
        if (highest >= EXIT.SIGINT) break
      }
      end(highest)
    })
}

interface ResumeTask extends ResumeOptions {
  readonly module: string | undefined
  readonly terminal: Terminal
}

/** A terminal to which a document is written, which puts it on one line once all of it is there. */
function writingLines(terminal: Terminal): Terminal & Disposable {
  let text = ''
  return {
    ...terminal,
    out: { write: (more) => void (text += more) },
    [Symbol.dispose]: () => void (text === '' || terminal.out.write(`${JSON.stringify(JSON.parse(text))}\n`)),
  }
}

/** One run that cannot be gone on with must not keep the others from it. */
async function resumeOrTell(database: Database, summary: RunSummary, task: ResumeTask): Promise<number> {
  try {
    return await resumeOne(database, summary, task)
  } catch (error) {
    writeError(error, task.terminal)
    return EXIT.failed
  }
}

async function resumeOne(database: Database, { runId, labels }: RunSummary, task: ResumeTask): Promise<number> {
  const { terminal, json = false, db } = task
  const { workflow, conclude } = await loadWorkflow(moduleOf(runId, labels, task, terminal))
  using _lock = database.lock(runId)
  await using runtime = await createRuntime({ store: database.store, workflows: [workflow] })
  const finished = await resumeInTerminal(runtime, runId, { terminal, quiet: json })
  return concludeRun(finished, { terminal, json, conclude, db })
}
