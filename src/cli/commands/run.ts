import { readFile } from 'node:fs/promises'
import { relative, resolve } from 'node:path'
import { Command } from 'commander'
import type { AnyStateMachine } from 'xstate'
import { CallboardError, isCallboardError, randomIds } from '../../base/index.ts'
import { createRuntime, parseInput } from '../../runtime/index.ts'
import { workflowOf } from '../../workflow/index.ts'
import { concludeRun } from '../conclude.ts'
import { databaseOption, openDatabase } from '../database.ts'
import { describeError } from '../fail.ts'
import { loadWorkflow } from '../load-module.ts'
import { runInTerminal } from '../run-in-terminal.ts'
import type { Terminal } from '../terminal.ts'

interface RunOptions {
  readonly db: string
  readonly input?: string
  readonly export?: string
  readonly json?: boolean
}

/** `callboard run <module>`: runs a workflow once, in this process. */
export function runCommand(terminal: Terminal, end: (code: number) => void): Command {
  return new Command('run')
    .description('run the workflow that a module exports')
    .argument('<module>', 'a JavaScript or TypeScript file')
    .option('--input <json>', 'the input as JSON, or @file with JSON in it')
    .option('--export <name>', 'the export to run, where there are several')
    .addOption(databaseOption())
    .option('--json', 'write one JSON document instead of showing what happens')
    .addHelpText('after', '\nexit codes: 0 done, 1 failed, 2 not usable, 3 waits for somebody, 130 interrupted')
    .action(async (module: string, { db, json = false, ...options }: RunOptions) => {
      const given = options.input === undefined ? undefined : await readInput(options.input)
      const choice = { module, exportName: options.export, cwd: terminal.cwd }
      const { workflow, conclude } = await loadWorkflow(choice)
      const runId = randomIds.next('run')
      // Before there is a database: a mistyped input leaves nothing behind.
      const input = inputOf(workflow, runId, given)
      await using database = await openDatabase(db, terminal)
      using _lock = database.lock(runId)
      await using runtime = await createRuntime({ store: database.store })
      const labels = labelsOf(choice)
      const finished = await runInTerminal(runtime, workflow, { input, runId, labels, terminal, quiet: json })
      end(await concludeRun(finished, { terminal, json, conclude, db }))
    })
}

/** How the module is found again, from the folder it was run in. */
export function labelsOf({
  module,
  exportName,
  cwd,
}: Parameters<typeof loadWorkflow>[0]): Readonly<Record<string, string>> {
  return { module: relative(cwd, resolve(cwd, module)), ...(exportName === undefined ? {} : { export: exportName }) }
}

/** Says where an input that does not fit can be corrected. Gives it as it was given: the start parses it. */
function inputOf(workflow: AnyStateMachine, runId: string, given: unknown): unknown {
  const definition = workflowOf(workflow)
  try {
    if (definition !== undefined) parseInput(definition, runId, given)
    return given
  } catch (error) {
    if (!isCallboardError(error, 'run.input')) throw error
    const message = `${error.message}; give the input with --input`
    throw new CallboardError(error.code, message, error.details, { cause: error })
  }
}

/** @throws CallboardError `cli.input` */
async function readInput(text: string): Promise<unknown> {
  const where = text.startsWith('@') ? `"${text.slice(1)}"` : '--input'
  const json = text.startsWith('@')
    ? await readFile(text.slice(1), 'utf8').catch(() => {
        throw new CallboardError('cli.input', `cannot read the input ${where}; name a file after @`, { input: text })
      })
    : text
  try {
    return JSON.parse(json)
  } catch (error) {
    throw new CallboardError(
      'cli.input',
      `${where} is not JSON: ${describeError(error).message}; quote it as one word`,
      {},
    )
  }
}
